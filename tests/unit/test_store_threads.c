/* Writers, readers and maintenance at once: above all for the thread sanitizer (MODE=tsan). */
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "tests.h"

enum { WRITERS = 2, SERIES = 200, BATCHES = 150 };

struct job {
	struct store *store;
	int number;
	_Atomic int *writing;
	int torn, reads;
};

static struct labels labels_of(struct label v[2], int writer, char text[16], int i)
{
	v[0] = (struct label){ STR(LABEL_NAME), writer == 0 ? STR("m0") : STR("m1") };
	v[1] = (struct label){ STR("i"), { text, (size_t)snprintf(text, 16, "%d", i) } };
	return (struct labels){ v, 2 };
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
	struct selection *s = q->ops->select(q, &m, 1, (struct select_hints){ 0, 0 }, &e);

	for (size_t i = 0; i < s->n; i++) {
		struct samples got;

		(void)!q->ops->samples(q, s, i, INT64_MIN, INT64_MAX, false, a, &got, &e);
		for (size_t k = 0; k < got.n; k++)
			job->torn += got.v[k] != (double)k;
		job->reads++;
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

	while (atomic_load(job->writing) > 0) {
		store_maintain(job->store);
		job->reads += store_stats(job->store).series > 0;
	}
	return NULL;
}

static void test_everything_at_once(void **state)
{
	static void *(*const what[])(void *) = { write_batches, write_batches, read_all, read_all, maintain };
	struct store *store = store_new(NULL);
	struct job jobs[ARRAY_LEN(what)];
	pthread_t threads[ARRAY_LEN(what)];
	_Atomic int writing = WRITERS;
	struct store_stats st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(what); i++) {
		jobs[i] = (struct job){ store, (int)(i & 1), &writing, 0, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, what[i], &jobs[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(what); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(jobs[i].torn, 0);
	}
	st = store_stats(store);
	assert_int_equal(st.series, WRITERS * SERIES);
	assert_int_equal(st.samples_appended, WRITERS * SERIES * BATCHES);
	store_free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_everything_at_once) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
