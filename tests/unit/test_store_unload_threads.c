/* Sealed chunks go to disk, and into blocks, while others write and read them. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "store_world.h"

enum { SERIES = 40, ROUNDS = 1000, FLUSH_EACH = 8 };

struct shared {
	struct fixture f;
	_Atomic bool done;
};

static double value_at(int64_t t_ms, size_t series)
{
	return (double)((t_ms - MS(0)) / 1000 + (int64_t)series) / 3;
}

static void *mover(void *ctx)
{
	struct shared *sh = ctx;
	struct err e = { 0 };

	for (int i = 1; !atomic_load(&sh->done); i++) {
		unload(&sh->f);
		if (i % FLUSH_EACH == 0)
			assert_true(store_flush(sh->f.store, &e));
	}
	return NULL;
}

static size_t read_once(struct shared *sh, size_t series)
{
	struct matcher m = { MATCH_EQ, STR(LABEL_NAME), STR("m"), NULL };
	struct arena a = { 0 };
	struct err e = { 0 };
	struct selection *s = sh->f.q->ops->select(sh->f.q, &m, 1, (struct select_hints){ 0, INT64_MAX, 0 }, &e);
	size_t i = 0;
	struct samples got = { 0 };

	while (i < s->n && (size_t)atoi(labels_get(s->v[i].labels, STR("s")).p) != series)
		i++;
	if (i < s->n)
		assert_true(sh->f.q->ops->samples(sh->f.q, s, i, INT64_MIN, INT64_MAX, false, &a, &got, &e));
	for (size_t k = 0; k < got.n; k++)
		assert_true(got.t_ms[k] == MS(k) && got.v[k] == value_at(got.t_ms[k], series));
	sh->f.q->ops->release(sh->f.q, s);
	arena_fini(&a);
	return got.n;
}

static void *reader(void *ctx)
{
	struct shared *sh = ctx;

	for (size_t i = 0; !atomic_load(&sh->done); i++)
		(void)read_once(sh, i % SERIES);
	return NULL;
}

static void test_threads(void **state)
{
	struct shared *sh = calloc(1, sizeof *sh);
	char dir[] = "/tmp/test-unload-XXXXXX", command[64];
	pthread_t threads[3];
	struct err e = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	setup(&sh->f, (struct store_options){ 0 });
	assert_true(store_open_history(sh->f.store, dir, &e));
	sh->f.clock.wall = MS(ROUNDS);
	assert_int_equal(pthread_create(&threads[0], NULL, mover, sh), 0);
	for (int i = 1; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, sh), 0);
	for (int i = 0; i < ROUNDS; i++) {
		for (size_t s = 0; s < SERIES; s++) {
			char labels[16];

			snprintf(labels, sizeof labels, "m s=%zu", s);
			assert_true(put(&sh->f, labels, MS(i), value_at(MS(i), s)));
		}
		commit(&sh->f);
		arena_reset(&sh->f.arena);
	}
	atomic_store(&sh->done, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	for (size_t s = 0; s < SERIES; s++)
		assert_int_equal(read_once(sh, s), ROUNDS);
	teardown(&sh->f);
	free(sh);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, no_piece_is_left);
}
