/* History: random series through blocks and restarts against plain arrays; overlap, restarts, states, retention. */
#include <signal.h>
#include <sys/resource.h>

#include "history_world.h"

/* ---- The model ---- */

enum { MODEL_SERIES = 7, MODEL_MAX = 6000 };

struct model {
	int64_t t[MODEL_SERIES][MODEL_MAX];
	double v[MODEL_SERIES][MODEL_MAX];
	size_t n[MODEL_SERIES];
};

static double random_value(double before, int kind)
{
	if (rand() % 40 == 0)
		return value_stale();
	if (rand() % 60 == 0)
		return rand() % 2 ? (double)INFINITY : (double)NAN;
	if (!(before == before) || isinf(before))
		before = 0;
	return kind % 3 == 0 ? before + rand() % 5 : kind % 3 == 1 ? rand() * 1e-6 : 42;
}

static const char *name_of(char text[32], int i)
{
	snprintf(text, 32, "m i=%d", i);
	return text;
}

/* One scrape: every series appears, but for gaps. */
static void scrape_all(struct world *w, struct model *m, int64_t t_ms)
{
	char text[32];

	for (int i = 0; i < MODEL_SERIES; i++) {
		size_t n = m->n[i];

		if (rand() % 20 == 0 || (i == 6 && t_ms % 4 != 0))
			continue;
		assert_true(n < MODEL_MAX);
		m->t[i][n] = t_ms + rand() % 3;
		m->v[i][n] = random_value(n > 0 ? m->v[i][n - 1] : 0, i);
		assert_true(put(&w->f, name_of(text, i), m->t[i][n], m->v[i][n]));
		m->n[i]++;
	}
	commit(&w->f);
}

/* A window of the series against the arrays. */
static void compare_window(struct world *w, const struct selection *s, const struct model *m, int i, int64_t min_ms, int64_t max_ms,
                           bool before)
{
	struct samples got;
	struct err e = { 0 };
	size_t beg = 0, stop = 0;

	while (stop < m->n[i] && m->t[i][stop] <= max_ms)
		stop++;
	while (beg < stop && m->t[i][beg] <= min_ms)
		beg++;
	beg -= before && beg > 0;
	assert_true(w->f.q->ops->samples(w->f.q, s, 0, min_ms, max_ms, before, &w->f.arena, &got, &e));
	if (got.n != stop - beg)
		fail_msg("series %d, (%lld, %lld] %d: %zu samples, expected %zu", i, (long long)min_ms, (long long)max_ms, before, got.n, stop - beg);
	if (got.n > 0) {
		assert_memory_equal(got.t_ms, m->t[i] + beg, got.n * sizeof(int64_t));
		assert_memory_equal(got.v, m->v[i] + beg, got.n * sizeof(double));
	}
}

static void compare_all(struct world *w, const struct model *m, int64_t from_ms, int64_t until_ms)
{
	char text[32];

	for (int i = 0; i < MODEL_SERIES; i++) {
		struct selection *s;

		snprintf(text, sizeof text, "__name__ = m i = %d", i);
		s = pick(&w->f, text);
		assert_int_equal(s->n, m->n[i] > 0);
		for (int k = 0; k < 30 && s->n > 0; k++) {
			int64_t span = until_ms - from_ms, a = from_ms + rand() % span, b = a + rand() % (k % 2 ? span : 600000);

			compare_window(w, s, m, i, k == 0 ? INT64_MIN : k % 5 == 1 ? b : a, b, k % 3 == 0 && k > 0);
			arena_reset(&w->f.arena);
		}
		drop(&w->f, s);
	}
}

static void test_model(void **state)
{
	struct model *m = calloc(1, sizeof *m);
	struct world w;
	int64_t now_ms = MS(0);

	(void)state;
	srand(11);
	begin(&w, now_ms);
	for (int step = 0; step < 4000; step++) {
		now_ms += 15000;
		w.f.clock.wall = now_ms;
		scrape_all(&w, m, now_ms);
		if (step % 40 == 0)
			store_maintain(w.f.store);
		if (rand() % 50 == 0)
			unload(&w.f);
		if (rand() % 700 == 0)
			restart(&w, now_ms);
		if (step % 500 == 499)
			compare_all(&w, m, MS(-100), now_ms + 1000);
	}
	restart(&w, now_ms);
	assert_in_range(store_stats(w.f.store).blocks, 2, 6);
	assert_int_equal(store_stats(w.f.store).bytes, 0);
	compare_all(&w, m, MS(-100), now_ms + 1000);
	end(&w);
	free(m);
}

static void test_histograms(void **state)
{
	static const struct histogram_span spans[2] = { { 1, 2 }, { 3, 1 } };
	double buckets[3] = { 1, 2, 3 };
	struct histogram h = { .schema = 3, .reset = RESET_GAUGE,
		               .count = 3, .sum = 4.5, .pos = { spans, buckets, 2, 3 }, .neg = { spans, buckets, 1, 2 } };
	struct world w;
	struct selection *s;
	struct samples got;
	struct err e = { 0 };

	(void)state;
	begin(&w, MS(0));
	for (int i = 0; i < 130; i++) {
		buckets[0] = i;
		assert_true(w.f.app->ops->append(w.f.app, parse_labels(&w.f.arena, "h"), MS(i), 0, &h, &e));
	}
	assert_true(put(&w.f, "h", MS(130), value_stale()));
	commit(&w.f);
	restart(&w, MS(140));
	s = pick(&w.f, "__name__ = h");
	assert_int_equal(s->v[0].state, SERIES_GONE);
	got = read_all(&w.f, s, 0);
	assert_int_equal(got.n, 131);
	assert_true(got.h[129]->pos.buckets[0] == 129 && got.h[0]->neg.buckets[1] == 2 && got.h[5]->pos.spans[1].offset == 3);
	assert_true(got.h[7]->sum == 4.5 && got.h[7]->reset == RESET_GAUGE && got.h[130] == NULL && value_is_stale(got.v[130]));
	drop(&w.f, s);
	end(&w);
}

/* ---- Overlap ---- */

static void test_overlap(void **state)
{
	static const int old_s[] = { -100, 5, 10, 20, 30 }, new_s[] = { -50, 10, 40 };
	static const double old_v[] = { 1, 2, 3, 4, 5 }, new_v[] = { 11, 12, 13 };
	static const int64_t want_t[] = { -100, -50, 5, 10, 15, 20, 30, 40, 45 };
	static const double want_v[] = { 1, 11, 2, 12, 100, 101, 5, 13, 102 };
	struct world w;
	struct selection *s;
	struct samples got;

	(void)state;
	begin(&w, MS(60));
	put(&w.f, "m a=b", MS(15), 100);
	put(&w.f, "m a=b", MS(20), 101);
	put(&w.f, "m a=b", MS(45), 102);
	commit(&w.f);
	import(&w, "m a=b", old_s, old_v, ARRAY_LEN(old_s));
	import(&w, "m a=b", new_s, new_v, ARRAY_LEN(new_s));
	store_maintain(w.f.store);      /* finds them */
	s = pick(&w.f, "__name__ = m");
	assert_int_equal(s->n, 1);
	assert_int_equal(s->v[0].state, SERIES_FRESH);
	got = read_all(&w.f, s, 0);
	assert_int_equal(got.n, ARRAY_LEN(want_t));
	for (size_t i = 0; i < got.n; i++)
		assert_true(got.t_ms[i] == MS(want_t[i]) && got.v[i] == want_v[i]);
	drop(&w.f, s);
	end(&w);
}

static void test_import_refuses(void **state)
{
	struct world w;
	struct err e = { 0 };
	struct store_import *im;
	struct store_import_series *s;

	(void)state;
	begin(&w, MS(0));
	im = store_import_new(w.dir, 1000, &e);
	s = store_import_series(im, parse_labels(&w.f.arena, "m"), &e);
	assert_ptr_equal(s, store_import_series(im, parse_labels(&w.f.arena, "m"), &e));
	assert_true(store_import_add(im, s, MS(10), 1, &e));
	assert_true(store_import_add(im, s, MS(10), 1, &e));
	assert_false(store_import_add(im, s, MS(10), 2, &e));
	assert_string_equal(e.msg, "the series has another value at that time above");
	e = (struct err){ 0 };
	assert_false(store_import_add(im, s, MS(9), 1, &e));
	assert_true(str_starts(str_of(e.msg), STR("out of order")));
	for (int i = 11; i < 410; i++)
		assert_true(store_import_add(im, s, MS(i), i, &e));
	e = (struct err){ 0 };
	assert_false(store_import_add(im, s, MS(410), 1, &e));
	assert_non_null(strstr(e.msg, "max_windows"));
	assert_int_equal(each_file(&w, ".tmp", NULL, NULL), 400);
	store_import_free(im);
	assert_int_equal(each_file(&w, "", NULL, NULL), 0);
	end(&w);
}

/* The second of two blocks does not fit the disk: then there is no first one either. */
static void test_import_whole_or_not(void **state)
{
	struct rlimit before, small = { 4096, 0 };
	struct store_import_series *s;
	struct store_import *im;
	struct err e = { 0 };
	struct world w;

	(void)state;
	begin(&w, MS(0));
	im = store_import_new(w.dir, 3600000, &e);
	s = store_import_series(im, parse_labels(&w.f.arena, "m"), &e);
	assert_true(store_import_add(im, s, MS(0), 1, &e));
	for (int i = 0; i < 1000; i++)
		assert_true(store_import_add(im, s, MS(2 * HOUR_S + i), rand() * 1e-5, &e));
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_false(store_import_commit(im, &e));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	store_import_free(im);
	assert_int_equal(each_file(&w, "", NULL, NULL), 0);
	end(&w);
}

static size_t count_of(struct world *w, const char *matchers)
{
	struct selection *s = pick(&w->f, matchers);
	size_t n = s->n > 0 ? read_all(&w->f, s, 0).n : 0;

	drop(&w->f, s);
	return n;
}

static void import_one(struct world *w, const char *labels, int second, double value)
{
	import(w, labels, &second, &value, 1);
}

/* What was imported a moment ago is deleted like the rest, and the same again is no second block. */
static void test_import_beside_it(void **state)
{
	const struct matcher m = { MATCH_EQ, STR(LABEL_NAME), STR("m"), NULL };
	struct stat folder;
	struct world w;
	struct err e = { 0 };
	char dir[96];

	(void)state;
	begin(&w, MS(300));
	import_one(&w, "m", 10, 1);
	import_one(&w, "other", 10, 1);
	assert_true(store_delete(w.f.store, &m, 1, INT64_MIN, INT64_MAX, &e));
	store_take_in(w.f.store);
	assert_int_equal(count_of(&w, "__name__ = m"), 0);
	assert_int_equal(count_of(&w, "__name__ = other"), 1);
	import_one(&w, "other", 10, 1);
	import_one(&w, "other", 10, 2); /* something else, though as long */
	assert_int_equal(each_file(&w, ".blk", NULL, NULL), 2);
	assert_int_equal(each_file(&w, "", NULL, NULL), 2);
	store_take_in(w.f.store);
	/* One that comes within a tick of the disk's clock after the folder was read. */
	snprintf(dir, sizeof dir, "%s/blocks", w.dir);
	assert_int_equal(stat(dir, &folder), 0);
	import_one(&w, "late", 10, 1);
	assert_int_equal(utimensat(AT_FDCWD, dir, (struct timespec[]){ folder.st_atim, folder.st_mtim }, 0), 0);
	store_take_in(w.f.store);
	assert_int_equal(count_of(&w, "__name__ = late"), 1);
	end(&w);
}

/* ---- Restarts ---- */

static int64_t held_from(struct world *w)
{
	struct selection *s = pick(&w->f, "__name__ = m");
	int64_t t_ms = s->held_from_ms;

	drop(&w->f, s);
	return t_ms;
}

static void test_held_from(void **state)
{
	static const int s[] = { -3600, -1800, 0 };
	static const double v[] = { 1, 2, 3 };
	struct world w;

	(void)state;
	begin(&w, MS(0));
	put(&w.f, "m", MS(1), 1);
	commit(&w.f);
	w.f.clock.wall = MS(600);
	restart(&w, MS(610)); /* ten seconds away */
	assert_true(held_from(&w) == MS(0));
	put(&w.f, "m", MS(620), 1);
	commit(&w.f);
	restart(&w, MS(1200)); /* ten minutes */
	assert_true(held_from(&w) == MS(1200));
	put(&w.f, "m", MS(1210), 1);
	commit(&w.f);
	w.f.clock.wall = MS(1220);
	teardown(&w.f); /* killed: nothing is flushed */
	start(&w, MS(1221));
	assert_true(held_from(&w) == MS(1221));
	end(&w);
	begin(&w, MS(30)); /* what was imported ends half a minute before we began */
	import(&w, "m", s, v, ARRAY_LEN(s));
	store_maintain(w.f.store);
	assert_true(held_from(&w) == MS(-3600));
	end(&w);
}

static enum series_state state_of(struct world *w, const char *matchers, int64_t lost_since_ms)
{
	struct selection *s = pick(&w->f, matchers);
	enum series_state state = s->v[0].state;

	assert_int_equal(s->n, 1);
	if (state == SERIES_LOST)
		assert_true(s->v[0].lost_since_ms == lost_since_ms);
	drop(&w->f, s);
	return state;
}

static void test_states(void **state)
{
	struct store_unseen down = { .attempted = true };
	struct world w;

	(void)state;
	begin(&w, MS(0));
	put(&w.f, "m job=a", MS(0), 1);
	put(&w.f, "m job=b", MS(0), 1);
	put(&w.f, "ended", MS(0), 1);
	put(&w.f, "ended", MS(15), value_stale());
	commit(&w.f);
	restart(&w, MS(60));
	down.labels = parse_labels(&w.f.arena, "job=b instance=x");
	store_set_unseen(w.f.store, &down, 1);
	assert_int_equal(state_of(&w, "__name__ = m job = a", MS(0)), SERIES_LOST); /* we only just began */
	assert_int_equal(state_of(&w, "__name__ = ended", 0), SERIES_GONE);
	put(&w.f, "m job=a", MS(61), 1);
	commit(&w.f);
	assert_int_equal(state_of(&w, "__name__ = m job = a", 0), SERIES_FRESH);
	w.f.clock.wall = MS(60 + 301);
	assert_int_equal(state_of(&w, "__name__ = m job = b", MS(0)), SERIES_LOST); /* its target may have it */
	store_set_unseen(w.f.store, NULL, 0);
	assert_int_equal(state_of(&w, "__name__ = m job = b", 0), SERIES_GONE);
	end(&w);
}

/* ---- Maintenance ---- */

static void test_flush_and_retention(void **state)
{
	struct world w;
	struct selection *s;
	struct store_stats st;

	(void)state;
	begin(&w, MS(0));
	for (int i = 0; i < 2 * HOUR_S; i += 15) {
		put(&w.f, "m", MS(i), i);
		commit(&w.f);
	}
	w.f.clock.wall = MS(2 * HOUR_S);
	s = pick(&w.f, "__name__ = m");
	store_maintain(w.f.store);
	st = store_stats(w.f.store);
	assert_true(st.blocks == 1 && st.blocks_written == 1 && st.chunks <= 2 && st.block_bytes > 0);
	assert_int_equal(read_all(&w.f, s, 0).n, 2 * HOUR_S / 15);      /* a selection from before reads on */
	assert_true(held_from(&w) == MS(0));
	drop(&w.f, s);
	let_pass(&w, 86400 * 15 + 2 * HOUR_S);
	store_maintain(w.f.store);
	st = store_stats(w.f.store);
	assert_true(st.blocks == 0 && st.blocks_dropped == 1 && st.series == 0);
	assert_int_equal(each_file(&w, "", NULL, NULL), 0);
	end(&w);
}

/* A clock that was put forward by mistake, and set right within the hour, costs nothing that was held. */
static void test_a_step_of_the_clock(void **state)
{
	struct err e = { 0 };
	struct world w;

	(void)state;
	begin(&w, MS(0));
	for (int i = 0; i < 2 * HOUR_S; i += 15) {
		put(&w.f, "m", MS(i), i);
		commit(&w.f);
	}
	let_pass(&w, 2 * HOUR_S);
	assert_true(store_flush(w.f.store, &e));
	for (int i = 2 * HOUR_S; i < 2 * HOUR_S + 60; i += 15)
		put(&w.f, "m", MS(i), i);
	commit(&w.f);
	store_maintain(w.f.store);
	w.f.clock.wall = MS(86400 * 60);
	store_maintain(w.f.store);
	let_pass(&w, 30 * 60);
	store_maintain(w.f.store);
	store_take_in(w.f.store);
	assert_int_equal(store_stats(w.f.store).blocks_dropped, 0);
	assert_true(held_from(&w) == MS(0));
	w.f.clock.wall = MS(3 * HOUR_S);
	store_maintain(w.f.store);
	assert_int_equal(store_stats(w.f.store).blocks_dropped, 0);
	assert_true(held_from(&w) == MS(0));
	w.f.clock.wall = MS(86400 * 60);
	store_maintain(w.f.store);
	let_pass(&w, HOUR_S);
	store_maintain(w.f.store); /* so it is the truth */
	assert_true(store_stats(w.f.store).blocks_dropped > 0);
	end(&w);
}

/* Whatever was flushed when, the windows that are over end up with one block each: 2 h, 6 h, 18 h. */
static void test_merging(void **state)
{
	struct err e = { 0 };
	struct world w;
	struct selection *s;
	size_t n = 0, most = 0;

	(void)state;
	begin(&w, MS(0));
	for (int i = 0; i < 40 * HOUR_S; i += 60) {
		w.f.clock.wall = MS(i);
		put(&w.f, "m", MS(i), i);
		n++;
		if (i < 20 * HOUR_S)
			put(&w.f, "short", MS(i), 1.0 / (i + 1));
		commit(&w.f);
		if (i % 1200 == 0) {
			assert_true(store_flush(w.f.store, &e)); /* blocks of 20 samples */
			store_maintain(w.f.store);
		}
		most = store_stats(w.f.store).blocks > most ? store_stats(w.f.store).blocks : most;
	}
	assert_in_range(most, 5, 14);
	assert_true(store_stats(w.f.store).blocks_merged > 100);
	s = pick(&w.f, "__name__ = m");
	assert_int_equal(read_all(&w.f, s, 0).n, n);
	drop(&w.f, s);
	s = pick(&w.f, "__name__ = short");
	assert_int_equal(read_all(&w.f, s, 0).n, n / 2);
	drop(&w.f, s);
	assert_true(held_from(&w) == MS(0));
	restart(&w, MS(40 * HOUR_S));
	assert_true(held_from(&w) == MS(0));
	s = pick(&w.f, "__name__ = m");
	assert_int_equal(read_all(&w.f, s, 0).n, n);
	assert_true(read_all(&w.f, s, 0).v[n - 1] == 40 * HOUR_S - 60);
	drop(&w.f, s);
	end(&w);
}

static void test_limit_on_disk(void **state)
{
	struct err e = { 0 };
	struct world w;

	(void)state;
	begin(&w, MS(0));
	teardown(&w.f);
	w.options.retention_bytes = 16000;
	start(&w, MS(0));
	for (int i = 0; i < 12 * HOUR_S; i += 10) {
		w.f.clock.wall = MS(i);
		put(&w.f, "m", MS(i), rand());
		commit(&w.f);
		if (i % HOUR_S == 0) {
			assert_true(store_flush(w.f.store, &e));
			store_maintain(w.f.store);
		}
	}
	assert_in_range(store_stats(w.f.store).block_bytes, 6000, 16000);
	assert_true(store_stats(w.f.store).blocks_dropped > 0);
	assert_true(held_from(&w) > MS(HOUR_S));
	w.options.retention_bytes = 0;
	end(&w);
}

static void test_disk_fails(void **state)
{
	struct world w;
	char from[96], to[96];
	struct selection *s;

	(void)state;
	begin(&w, MS(0));
	for (int i = 0; i < 500; i++)
		put(&w.f, "m", MS(i), i);
	commit(&w.f);
	snprintf(from, sizeof from, "%s/blocks", w.dir);
	snprintf(to, sizeof to, "%s/elsewhere", w.dir);
	assert_int_equal(rename(from, to), 0);
	w.f.clock.wall = MS(2 * HOUR_S + 10);
	store_maintain(w.f.store);
	store_maintain(w.f.store); /* not again at once */
	assert_int_equal(store_stats(w.f.store).flushes_failed, 1);
	s = pick(&w.f, "__name__ = m");
	assert_int_equal(read_all(&w.f, s, 0).n, 500);
	drop(&w.f, s);
	assert_int_equal(rename(to, from), 0);
	w.f.clock.wall += 60000;
	store_maintain(w.f.store);
	assert_int_equal(store_stats(w.f.store).blocks_written, 1);
	end(&w);
}

static void test_leftovers(void **state)
{
	struct world w;
	struct err e = { 0 };
	char path[128];
	struct block_writer *alive;

	(void)state;
	begin(&w, MS(0));
	snprintf(path, sizeof path, "%s/blocks/1-0.tmp", w.dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(path, sizeof path, "%s/blocks", w.dir);
	alive = block_writer_new(path, &e);
	assert_int_equal(each_file(&w, ".tmp", NULL, NULL), 2);
	restart(&w, MS(1));
	assert_int_equal(each_file(&w, ".tmp", NULL, NULL), 1); /* the one that is being written */
	block_writer_free(alive);
	end(&w);
}

/* Long before two hours are over. */
static void test_much_is_sealed(void **state)
{
	enum { SAMPLES = 5000, BUCKETS = 220 };
	static const struct histogram_span span = { 0, BUCKETS };
	double buckets[BUCKETS] = { 0 };
	struct histogram h = { .schema = 3, .pos = { .spans = &span, .n_spans = 1, .buckets = buckets, .n_buckets = BUCKETS } };
	struct err e = { 0 };
	struct selection *s;
	struct world w;

	(void)state;
	begin(&w, MS(0));
	for (int i = 0; i < SAMPLES; i++) {
		buckets[0] = h.count = i + 1;
		assert_true(w.f.app->ops->append(w.f.app, parse_labels(&w.f.arena, "h"), MS(i), 0, &h, &e));
		commit(&w.f);
	}
	w.f.clock.wall = MS(SAMPLES);
	store_maintain(w.f.store); /* notes how much it is */
	assert_int_equal(store_stats(w.f.store).blocks_written, 0);
	store_maintain(w.f.store);
	assert_int_equal(store_stats(w.f.store).blocks_written, 1);
	assert_int_equal(store_stats(w.f.store).chunks, 1); /* the open one */
	s = pick(&w.f, "__name__ = h");
	assert_int_equal(read_all(&w.f, s, 0).n, SAMPLES);
	drop(&w.f, s);
	end(&w);
}

/* Of thousands of series that came together some begin their second chunk early, so that not all of them do at once. */
static void test_chunks_out_of_step(void **state)
{
	enum { MANY = 4200, SAMPLES = 60 };
	struct store_series **v = mem_alloc(MANY * sizeof(struct store_series *));
	struct err e = { 0 };
	struct selection *s;
	struct world w;
	char text[32];

	(void)state;
	begin(&w, MS(0));
	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof text, "m i=%d", i);
		v[i] = store_series_ref(w.f.store, parse_labels(&w.f.arena, text), &e);
	}
	for (int k = 0; k < SAMPLES; k++) {
		for (int i = 0; i < MANY; i++)
			assert_int_equal(store_append_ref(w.f.app, v[i], MS(k), i + k, NULL), STORE_OK);
		commit(&w.f);
	}
	assert_in_range(store_stats(w.f.store).chunks, MANY + 10, MANY + 104);
	s = pick(&w.f, "__name__ = m");
	for (int i = 4000; i < MANY; i++) {
		struct samples got = read_all(&w.f, s, (size_t)i);

		assert_int_equal(got.n, SAMPLES);
		for (int k = 0; k < SAMPLES; k++)
			assert_true(got.t_ms[k] == MS(k) && got.v[k] == i + k);
		store_series_unref(w.f.store, v[i]);
	}
	for (int i = 0; i < 4000; i++)
		store_series_unref(w.f.store, v[i]);
	drop(&w.f, s);
	free(v);
	end(&w);
}

/* Scrapes that come early and late cost each series nothing: a block has their times once. Seven series more take less than times would. */
static void test_series_share_their_times(void **state)
{
	enum { SCRAPES = 110 };
	size_t bytes[2];

	(void)state;
	for (int many = 0; many < 2; many++) {
		struct world w;
		struct err e = { 0 };
		struct selection *s;
		int64_t t_ms[SCRAPES];

		begin(&w, MS(0));
		srand(3);
		for (int k = 0; k < SCRAPES; k++) {
			t_ms[k] = MS(5 * k) + rand() % 1000;
			for (int i = 0; i < (many ? 8 : 1); i++) {
				char text[32];

				assert_true(put(&w.f, name_of(text, i), t_ms[k], i * k));
			}
			commit(&w.f);
		}
		assert_true(store_flush(w.f.store, &e));
		restart(&w, MS(5 * SCRAPES));
		bytes[many] = store_stats(w.f.store).block_bytes;
		s = pick(&w.f, "__name__ = m");
		for (size_t i = 0; i < s->n; i++) {
			struct samples got = read_all(&w.f, s, i);

			assert_int_equal(got.n, SCRAPES);
			for (int k = 0; k < SCRAPES; k++)
				assert_int_equal(got.t_ms[k], t_ms[k]);
		}
		drop(&w.f, s);
		end(&w);
	}
	assert_in_range(bytes[0], 120, 700);
	assert_in_range(bytes[1] - bytes[0], 1, 7 * 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),         cmocka_unit_test(test_histograms), cmocka_unit_test(test_overlap),
		cmocka_unit_test(test_import_refuses),
		cmocka_unit_test(test_import_whole_or_not), cmocka_unit_test(test_held_from),  cmocka_unit_test(test_states),
		cmocka_unit_test(test_flush_and_retention),
		cmocka_unit_test(test_a_step_of_the_clock), cmocka_unit_test(test_merging), cmocka_unit_test(test_limit_on_disk),
		cmocka_unit_test(test_disk_fails),    cmocka_unit_test(test_leftovers),  cmocka_unit_test(test_much_is_sealed),
		cmocka_unit_test(test_chunks_out_of_step), cmocka_unit_test(test_import_beside_it), cmocka_unit_test(test_series_share_their_times),
	};

	return cmocka_run_group_tests(tests, NULL, no_piece_is_left);
}
