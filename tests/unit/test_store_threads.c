/* Writers, readers and maintenance at once: above all for the thread sanitizer (MODE=tsan). */
#include "store/store.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/internal.h"
#include "tests.h"
#include "tocsin/regex.h"

enum { WRITERS = 2, SERIES = 200, BATCHES = 150, RESTING = 300 };

struct job {
	struct store *store;
	int number;
	_Atomic int *writing, *selected;
	int torn, reads, samples;
};

static struct labels labels_of(struct label v[2], int writer, char text[16], int i)
{
	v[0] = (struct label){ STR(LABEL_NAME), writer == 0 ? STR("m0") : writer == 1 ? STR("m1") : STR("past") };
	v[1] = (struct label){ STR("i"), { text, (size_t)snprintf(text, 16, "%d", i) } };
	return (struct labels){ v, 2 };
}

/* Series that end, and come back, among those that are selected all the while. */
static void *churn(void *arg)
{
	struct job *job = arg;
	struct appender *app = store_appender_new(job->store);
	struct err e = { 0 };

	for (int round = 0; atomic_load(job->writing) > 0; round++) {
		int64_t now = clock_now_ms(&clock_system);

		for (int i = SERIES; i < 3 * SERIES; i++) {
			struct label v[2];
			char text[16];
			struct store_series *s = store_series_ref(job->store, labels_of(v, job->number, text, i), &e);

			store_append_end(app, s, now - 2000000 + 2 * round, SERIES_GONE);
			if (i % 8 == round % 8)
				(void)!store_append_ref(app, s, now - 2000000 + 2 * round + 1, 1, NULL);
			(void)!app->ops->commit(app, &e);
			store_series_unref(job->store, s);
		}
	}
	store_appender_free(app);
	return NULL;
}

/* Series that ended an hour ago: they are put to rest, and woken by those who look back so far. */
static void add_past(struct store *store)
{
	struct appender *app = store_appender_new(store);
	int64_t now = clock_now_ms(&clock_system);
	struct err e = { 0 };

	for (int i = 0; i < RESTING; i++) {
		struct label v[2];
		char text[16];
		struct store_series *s = store_series_ref(store, labels_of(v, 2, text, i), &e);

		assert_int_equal(store_append_ref(app, s, now - 3600000, i, NULL), STORE_OK);
		store_append_end(app, s, now - 3600000 + 1, SERIES_GONE);
		assert_true(app->ops->commit(app, &e));
		store_series_unref(store, s);
	}
	store_appender_free(app);
}

static void put_to_rest(struct store *store)
{
	pthread_mutex_lock(&store->maintain_lock);
	rest_put_when_due(store, clock_now_ms(&clock_system), true);
	pthread_mutex_unlock(&store->maintain_lock);
}

/* All of them, however often they are put to rest meanwhile. */
static void *read_past(void *arg)
{
	struct job *job = arg;
	struct matcher m = { MATCH_EQ, STR(LABEL_NAME), STR("past"), NULL };
	struct querier *q = store_querier(job->store);
	struct err e = { 0 };

	do {
		struct selection *s = q->ops->select(q, &m, 1, (struct select_hints){ 0, INT64_MAX, 0 }, &e);

		job->torn += s->n != RESTING;
		for (size_t i = 0; i < s->n; i++)
			job->torn += s->v[i].state != SERIES_GONE;
		q->ops->release(q, s);
		job->reads++;
	} while (atomic_load(job->writing) > 0);
	return NULL;
}

/* Every batch gives all series of the writer the batch's number. */
static void *write_batches(void *arg)
{
	struct job *job = arg;
	struct appender *app = store_appender_new(job->store);
	int64_t now = clock_now_ms(&clock_system);
	struct err e = { 0 };

	for (int b = 0; b < BATCHES; b++) {
		for (int i = 0; i < SERIES; i++) {
			struct label v[2];
			char text[16];

			app->ops->append(app, labels_of(v, job->number, text, i), now - 1000000 + b, b, NULL, &e);
		}
		(void)!app->ops->commit(app, &e);
	}
	store_appender_free(app);
	atomic_fetch_sub(job->writing, 1);
	return NULL;
}

static void read_once(struct job *job, struct arena *a)
{
	struct matcher m = { MATCH_EQ, STR(LABEL_NAME), job->number == 0 ? STR("m0") : STR("m1"), NULL };
	struct querier *q = store_querier(job->store);
	struct err e = { 0 };
	struct selection *s = q->ops->select(q, &m, 1, (struct select_hints){ job->reads / SERIES % 2 == 0 ? INT64_MAX : 0, INT64_MAX, 0 }, &e);

	for (size_t i = 0; i < s->n; i++) {
		struct window_ends ends;
		struct samples got;

		if (atoi(labels_get(s->v[i].labels, STR("i")).p) >= SERIES)
			continue;
		(void)!q->ops->samples(q, s, i, INT64_MIN, INT64_MAX, false, a, &got, &e);
		for (size_t k = 0; k < got.n; k++)
			job->torn += got.v[k] != (double)k;
		q->ops->ends(q, s, i, 1, INT64_MIN, INT64_MAX, false, &ends);
		job->torn += ends.known && ends.n > 0 && (ends.first != 0 || ends.last != (double)(ends.n - 1));
		job->reads++;
		job->samples += (int)got.n;
	}
	q->ops->release(q, s);
	arena_reset(a);
}

static void *read_all(void *arg)
{
	struct job *job = arg;
	struct arena a = { 0 };

	while (atomic_load(job->writing) > 0)
		read_once(job, &a);
	arena_fini(&a);
	return NULL;
}

static void *maintain(void *arg)
{
	struct job *job = arg;
	struct err e = { 0 };

	while (atomic_load(job->writing) > 0) {
		store_maintain(job->store);
		put_to_rest(job->store);
		job->torn += !store_flush(job->store, &e);
		job->reads += store_stats(job->store).series > 0;
	}
	return NULL;
}

static void clear(const char *dir, const char *what)
{
	char folder[64], path[384];
	DIR *d;

	snprintf(folder, sizeof folder, "%s/%s", dir, what);
	d = opendir(folder);
	assert_non_null(d);
	for (struct dirent *f; (f = readdir(d)) != NULL;) {
		snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
		unlink(path);
	}
	closedir(d);
	assert_int_equal(rmdir(folder), 0);
}

/* All of it, from blocks and the journal, as after a crash. */
static void check_again(const char *dir)
{
	struct store *store = store_new(NULL);
	struct err e = { 0 };
	struct arena a = { 0 };

	assert_true(store_open_history(store, dir, &e) && store_open_journal(store, dir, &e));
	for (int writer = 0; writer < WRITERS; writer++) {
		struct job job = { .store = store, .number = writer };

		read_once(&job, &a);
		assert_int_equal(job.torn, 0);
		assert_int_equal(job.reads, SERIES);
		assert_int_equal(job.samples, SERIES * BATCHES);
	}
	assert_int_equal(store_stats(store).journal_damaged, 0);
	arena_fini(&a);
	store_free(store);
}

/* Chunks wander from the head into blocks all the while, the journal is written, and begun anew at each flush. */
static void test_everything_at_once(void **state)
{
	char dir[] = "/tmp/test-store-XXXXXX";
	struct err e = { 0 };
	static void *(*const what[])(void *) = { write_batches, write_batches, read_all, read_all, maintain, churn, read_past };
	struct store *store = store_new(NULL);
	struct job jobs[ARRAY_LEN(what)];
	pthread_t threads[ARRAY_LEN(what)];
	_Atomic int writing = WRITERS;
	struct store_stats st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_true(store_open_history(store, dir, &e) && store_open_journal(store, dir, &e));
	add_past(store);
	assert_true(store_flush(store, &e));
	put_to_rest(store);
	for (size_t i = 0; i < ARRAY_LEN(what); i++) {
		jobs[i] = (struct job){ .store = store, .number = (int)(i & 1), .writing = &writing };
		assert_int_equal(pthread_create(&threads[i], NULL, what[i], &jobs[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(what); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(jobs[i].torn, 0);
	}
	st = store_stats(store);
	assert_true(st.series >= WRITERS * SERIES);
	assert_true(st.samples_appended >= WRITERS * SERIES * BATCHES);
	assert_true(st.blocks_written > 0);
	assert_true(st.journal_works);
	assert_true(st.series_rested >= RESTING && st.series_woken >= RESTING);
	store_free(store);
	check_again(dir);
	clear(dir, "blocks");
	clear(dir, "journal");
	assert_int_equal(rmdir(dir), 0);
}

/* Batches of more samples than go in at once, while others come between their pieces. */
enum { LARGE_SERIES = 6000, LARGE_BATCHES = 12 };

/* What was begun before is over: a selection leaves out one later batch, no two. */
static void wait_for_selection(struct job *job)
{
	for (int before = atomic_load(job->selected); atomic_load(job->selected) < before + 2;)
		usleep(100);
}

static void *write_large(void *arg)
{
	struct job *job = arg;
	struct appender *app = store_appender_new(job->store);
	struct store_series **v = calloc(LARGE_SERIES, sizeof(struct store_series *));
	int64_t now = clock_now_ms(&clock_system);
	struct err e = { 0 };

	for (int i = 0; i < LARGE_SERIES; i++) {
		struct label l[2];
		char text[16];

		v[i] = store_series_ref(job->store, labels_of(l, 0, text, i), &e);
	}
	for (int b = 0; b < LARGE_BATCHES; b++) {
		for (int i = 0; i < LARGE_SERIES; i++)
			(void)!store_append_ref(app, v[i], now + b, b, NULL);
		(void)!app->ops->commit(app, &e);
		wait_for_selection(job);
	}
	for (int i = 0; i < LARGE_SERIES; i++)
		store_series_unref(job->store, v[i]);
	free(v);
	store_appender_free(app);
	atomic_fetch_sub(job->writing, 1);
	return NULL;
}

static void *write_small(void *arg)
{
	struct job *job = arg;
	struct appender *app = store_appender_new(job->store);
	int64_t now = clock_now_ms(&clock_system);
	struct err e = { 0 };

	for (int b = 0; atomic_load(job->writing) > 0; b++) {
		struct label l[2];
		char text[16];

		(void)!app->ops->append(app, labels_of(l, 1, text, 0), now + b, b, NULL, &e);
		(void)!app->ops->commit(app, &e);
	}
	store_appender_free(app);
	return NULL;
}

/* All series have the same number of samples, or none. */
static void *read_large(void *arg)
{
	struct job *job = arg;
	struct matcher m = { MATCH_EQ, STR(LABEL_NAME), STR("m0"), NULL };
	struct querier *q = store_querier(job->store);
	struct arena a = { 0 };
	struct err e = { 0 };

	do {
		struct selection *s = q->ops->select(q, &m, 1, (struct select_hints){ 0, INT64_MAX, 0 }, &e);
		struct samples first, got;

		for (size_t i = 0; i < s->n; i += s->n > 1 ? s->n - 1 : 1) { /* the first one and the last one */
			(void)!q->ops->samples(q, s, i, INT64_MIN, INT64_MAX, false, &a, i == 0 ? &first : &got, &e);
			job->torn += i > 0 && got.n != first.n;
		}
		job->reads += s->n == LARGE_SERIES;
		q->ops->release(q, s);
		arena_reset(&a);
		atomic_fetch_add(job->selected, 1);
	} while (atomic_load(job->writing) > 0);
	arena_fini(&a);
	return NULL;
}

static void test_large_batches(void **state)
{
	static void *(*const what[])(void *) = { write_large, write_small, read_large };
	struct store *store = store_new(NULL);
	struct job jobs[ARRAY_LEN(what)];
	pthread_t threads[ARRAY_LEN(what)];
	_Atomic int writing = 1, selected = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(what); i++) {
		jobs[i] = (struct job){ .store = store, .writing = &writing, .selected = &selected };
		assert_int_equal(pthread_create(&threads[i], NULL, what[i], &jobs[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(what); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(jobs[i].torn, 0);
	}
	assert_true(jobs[2].reads > 0);
	store_free(store);
}

/* Selectors that nobody asked for before, while series come, end, are dropped and come again. */
enum { STEADY = 5000, PASSING = 400, ROUNDS = 60 };

static void *come_and_go(void *arg)
{
	struct job *job = arg;
	struct err e = { 0 };

	for (int round = 0; round < ROUNDS; round++) {
		struct store_series *v[PASSING];

		for (int i = 0; i < PASSING; i++) {
			struct label l[2];
			char text[16];

			v[i] = store_series_ref(job->store, labels_of(l, 1, text, i), &e);
		}
		for (int i = 0; i < PASSING; i++)
			store_series_unref(job->store, v[i]);
		store_maintain(job->store); /* drops them: they have no samples */
	}
	atomic_fetch_sub(job->writing, 1);
	return NULL;
}

/* Every steady one, and none twice. */
static void check_selection(struct job *job, const struct selection *s)
{
	char *seen = calloc(STEADY + PASSING, 1);
	int steady = 0;

	for (size_t i = 0; i < s->n; i++) {
		bool passing = str_eq(labels_get(s->v[i].labels, STR(LABEL_NAME)), STR("m1"));
		int number = atoi(labels_get(s->v[i].labels, STR("i")).p) + (passing ? STEADY : 0);

		job->torn += seen[number]++ > 0;
		job->torn += i > 0 && s->v[i].id <= s->v[i - 1].id;
		steady += !passing;
	}
	job->torn += steady != STEADY;
	free(seen);
}

static void *select_anew(void *arg)
{
	struct job *job = arg;
	struct querier *q = store_querier(job->store);
	struct arena a = { 0 };
	struct err e = { 0 };
	size_t n;

	do {
		char never[24];
		struct regex *re = regex_new(STR("m.+"), REGEX_MATCHER, &e);
		struct matcher m[2] = { { MATCH_RE, STR(LABEL_NAME), STR("m.+"), re }, { MATCH_NE, STR("i"), { never, 0 }, NULL } };
		struct selection *s;

		m[1].value.n = (size_t)snprintf(never, sizeof never, "x%d-%d", job->number, job->reads++);
		s = q->ops->select(q, job->reads % 2 == 0 ? m : m + 1, 1 + (job->reads % 2 == 0), (struct select_hints){ 0, INT64_MAX, 0 }, &e);
		check_selection(job, s);
		q->ops->release(q, s);
		(void)store_label_values(job->store, STR("i"), &a, &n);
		job->torn += n < STEADY || n > STEADY + PASSING;
		arena_reset(&a);
		regex_free(re);
	} while (atomic_load(job->writing) > 0);
	arena_fini(&a);
	return NULL;
}

static void test_selected_for_the_first_time(void **state)
{
	static void *(*const what[])(void *) = { come_and_go, select_anew, select_anew };
	struct store *store = store_new(NULL);
	struct job jobs[ARRAY_LEN(what)];
	pthread_t threads[ARRAY_LEN(what)];
	_Atomic int writing = 1;
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i < STEADY; i++) {
		struct label l[2];
		char text[16];

		assert_non_null(store_series_ref(store, labels_of(l, 0, text, i), &e));
	}
	for (size_t i = 0; i < ARRAY_LEN(what); i++) {
		jobs[i] = (struct job){ .store = store, .number = (int)i, .writing = &writing };
		assert_int_equal(pthread_create(&threads[i], NULL, what[i], &jobs[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(what); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(jobs[i].torn, 0);
	}
	assert_true(jobs[1].reads > 0 && store_stats(store).series_dropped >= PASSING);
	store_free(store);
}

static struct store_series *add_one(struct store *store, int i)
{
	struct label l[2];
	char text[16];
	struct err e = { 0 };
	struct store_series *s = store_series_ref(store, labels_of(l, 0, text, i), &e);

	assert_non_null(s);
	return s;
}

/* New series need not wait for one who gathers what it selects, and it has them. */
static void test_new_while_selecting(void **state)
{
	struct store *store = store_new(NULL);
	struct matcher m = { MATCH_EQ, STR(LABEL_NAME), STR("m0"), NULL };
	static const int in_order[] = { 0, 2, 3, 1 };
	struct store_series *dropped;
	struct gathering *g;
	struct err e = { 0 };
	struct view view;

	(void)state;
	add_one(store, 0);
	dropped = add_one(store, 1);
	pthread_rwlock_rdlock(&store->index_lock);
	g = gather_begin(store, &m, 1, &e);
	pthread_rwlock_unlock(&store->index_lock);
	add_one(store, 2);
	store_series_unref(store, dropped);
	store_maintain(store);
	add_one(store, 3); /* where the dropped one was */
	add_one(store, 1);
	assert_true(gather_all(store, g, NULL, 0, &view, &e));
	assert_int_equal(view.n, 4);
	for (size_t i = 0; i < view.n; i++)
		assert_int_equal(atoi(labels_get(view.labels[i], STR("i")).p), in_order[i]);
	snapshot_unref(store, view.snapshot);
	store_free(store);
}

struct walk {
	struct store *store;
	pthread_t thread;
	size_t n, n_later;
};

static void *add_another(void *arg)
{
	struct walk *w = arg;

	add_one(w->store, STEADY);
	return NULL;
}

/* At the first series, a new one begins to wait for the index. */
static void walk(struct store *store, struct shard *shard, struct store_series *s, void *ctx)
{
	struct walk *w = ctx;

	(void)shard, (void)s;
	if (w->n++ == 0) {
		assert_int_equal(pthread_create(&w->thread, NULL, add_another, w), 0);
		while (pthread_rwlock_tryrdlock(&store->index_lock) == 0) {
			pthread_rwlock_unlock(&store->index_lock);
			usleep(100);
		}
	}
	w->n_later += store->index.n_series > STEADY;
}

/* Whoever goes through all of them, as maintenance does. */
static void test_new_while_walking(void **state)
{
	struct walk w = { .store = store_new(NULL) };

	(void)state;
	for (int i = 0; i < STEADY; i++)
		add_one(w.store, i);
	store_each_series(w.store, walk, &w);
	pthread_join(w.thread, NULL);
	assert_true(w.n >= STEADY && w.n_later > STEADY / 2);
	store_free(w.store);
}

/* ---- A large batch renames what was lost ---- */

enum { RENAMED = 6000 };

struct renaming {
	struct store *store;
	struct appender *app;
	_Atomic bool done;
};

static struct store_series *renamed_ref(struct store *store, int i)
{
	struct label v[2];
	char text[16];
	struct err e = { 0 };

	return store_series_ref(store, labels_of(v, 0, text, i), &e);
}

static void begin_renaming(struct renaming *r, struct store_series *s[RENAMED])
{
	r->store = store_new(NULL);
	r->app = store_appender_new(r->store);
	for (int i = 0; i < RENAMED; i++)
		s[i] = renamed_ref(r->store, i);
}

static void end_renaming(struct renaming *r, struct store_series *s[RENAMED])
{
	for (int i = 0; i < RENAMED; i++)
		store_series_unref(r->store, s[i]);
	store_appender_free(r->app);
	store_free(r->store);
}

static void *commit_renaming(void *arg)
{
	struct renaming *r = arg;
	struct err e = { 0 };

	assert_true(r->app->ops->commit(r->app, &e));
	atomic_store(&r->done, true);
	return NULL;
}

static size_t count_of_state(struct store *store, enum series_state state)
{
	struct matcher m = { MATCH_EQ, STR(LABEL_NAME), STR("m0"), NULL };
	struct querier *q = store_querier(store);
	struct err e = { 0 };
	struct selection *s = q->ops->select(q, &m, 1, (struct select_hints){ 0, INT64_MAX, 0 }, &e);
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->v[i].state == state;
	q->ops->release(q, s);
	return n;
}

/* The old ones are gone only for who sees the new ones. The commit is held up between two states, by the lock of a shard. */
static void test_renamed_at_once(void **state)
{
	struct renaming r = { 0 };
	struct store_series *s[RENAMED];
	int64_t now = clock_now_ms(&clock_system);
	struct shard *held;
	uint64_t before;
	pthread_t t;

	(void)state;
	begin_renaming(&r, s);
	held = series_shard(r.store, s[SHARD_RUN]);
	for (int i = 0; i < 2 * SHARD_RUN; i++) {
		(void)!store_append_ref(r.app, s[i], now - 2000, 1, NULL);
		store_append_end(r.app, s[i], now - 1000, SERIES_LOST);
	}
	(void)commit_renaming(&r);
	atomic_store(&r.done, false);
	before = atomic_load(&r.store->published);
	for (int i = 0; i < 2 * SHARD_RUN; i++)
		store_append_state(r.app, s[i], SERIES_GONE);
	for (int i = 2 * SHARD_RUN; i < RENAMED; i++)
		if (series_shard(r.store, s[i]) != held)
			(void)!store_append_ref(r.app, s[i], now, 1, NULL);
	pthread_mutex_lock(&held->lock);
	pthread_create(&t, NULL, commit_renaming, &r);
	while (count_of_state(r.store, SERIES_GONE) == 0)
		usleep(1000);
	assert_false(r.done);
	assert_true(atomic_load(&r.store->published) > before);
	pthread_mutex_unlock(&held->lock);
	pthread_join(t, NULL);
	assert_int_equal(count_of_state(r.store, SERIES_GONE), 2 * SHARD_RUN);
	end_renaming(&r, s);
}

/* Held up in its last piece, by the lock of a shard, nothing of it is seen: neither of that piece nor of those before. */
static void test_large_batch_at_once(void **state)
{
	struct renaming r = { 0 };
	struct store_series *s[RENAMED], *in_last_piece = NULL;
	int64_t now = clock_now_ms(&clock_system);
	struct shard *held;
	uint64_t before;
	pthread_t t;

	(void)state;
	begin_renaming(&r, s);
	held = series_shard(r.store, s[RENAMED - 1]);
	for (int i = 0; i < RENAMED; i++)
		if (i == RENAMED - 1 || series_shard(r.store, s[i]) != held) {
			(void)!store_append_ref(r.app, s[i], now, 1, NULL);
			if (i < RENAMED - 1)
				in_last_piece = s[i];
		}
	before = atomic_load(&r.store->published);
	pthread_mutex_lock(&held->lock);
	pthread_create(&t, NULL, commit_renaming, &r);
	while (store_series_last_ms(r.store, in_last_piece) != now)
		usleep(1000);
	assert_int_equal(atomic_load(&r.store->published), before);
	pthread_mutex_unlock(&held->lock);
	pthread_join(t, NULL);
	assert_true(atomic_load(&r.store->published) > before);
	end_renaming(&r, s);
}

enum { ENDINGS = 20000 };

struct ending {
	struct store *store;
	struct store_series *series;
	int64_t from_ms;
	_Atomic bool done;
};

/* Good samples at even times, behind each a stale marker at the next. */
static void *end_again_and_again(void *arg)
{
	struct ending *x = arg;
	struct appender *app = store_appender_new(x->store);
	struct err e = { 0 };

	for (int i = 0; i < 2 * ENDINGS; i++) {
		if (i % 2 == 0)
			(void)!store_append_ref(app, x->series, x->from_ms + i, 1.5, NULL);
		else
			store_append_end(app, x->series, x->from_ms + i, SERIES_GONE);
		(void)!app->ops->commit(app, &e);
	}
	store_appender_free(app);
	atomic_store(&x->done, true);
	return NULL;
}

/* Who asks without a lock when it was last well gets a time at which it was, and never an earlier one than before. */
static void test_good_while_it_ends(void **state)
{
	struct ending x = { .store = store_new(NULL) };
	struct label v[2];
	char text[16];
	struct err e = { 0 };
	int64_t before_ms = INT64_MIN;
	pthread_t t;

	(void)state;
	x.from_ms = clock_now_ms(&clock_system) - 2 * ENDINGS;
	x.series = store_series_ref(x.store, labels_of(v, 0, text, 0), &e);
	pthread_create(&t, NULL, end_again_and_again, &x);
	while (!atomic_load(&x.done)) {
		int64_t good_ms = store_series_last_ms(x.store, x.series);

		assert_true(good_ms >= before_ms);
		assert_true(good_ms == INT64_MIN || (good_ms - x.from_ms) % 2 == 0);
		assert_true(good_ms < x.from_ms + 2 * ENDINGS);
		before_ms = good_ms;
	}
	pthread_join(t, NULL);
	assert_int_equal(store_series_last_ms(x.store, x.series), x.from_ms + 2 * ENDINGS - 2);
	store_series_unref(x.store, x.series);
	store_free(x.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_everything_at_once), cmocka_unit_test(test_large_batches),
		                            cmocka_unit_test(test_selected_for_the_first_time),
		                            cmocka_unit_test(test_new_while_selecting),
		                            cmocka_unit_test(test_new_while_walking),
		                            cmocka_unit_test(test_renamed_at_once), cmocka_unit_test(test_large_batch_at_once),
		                            cmocka_unit_test(test_good_while_it_ends) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
