/* Late samples while others flush and read: nothing is lost, and readers see what rises. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "store_world.h"

enum { ROUNDS = 1500, LATE_S = 600 };

struct shared {
	struct fixture f;
	_Atomic bool done;
};

static void *flusher(void *ctx)
{
	struct shared *sh = ctx;
	struct err e = { 0 };

	while (!atomic_load(&sh->done)) {
		store_maintain(sh->f.store);
		assert_true(store_flush(sh->f.store, &e));
	}
	return NULL;
}

static size_t read_once(struct shared *sh)
{
	struct arena a = { 0 };
	struct matcher m = { MATCH_EQ, STR(LABEL_NAME), STR("m"), NULL };
	struct err e = { 0 };
	struct selection *s = sh->f.q->ops->select(sh->f.q, &m, 1, (struct select_hints){ 0, INT64_MAX, 0 }, &e);
	struct samples got = { 0 };

	if (s->n > 0)
		assert_true(sh->f.q->ops->samples(sh->f.q, s, 0, INT64_MIN, INT64_MAX, false, &a, &got, &e));
	for (size_t i = 1; i < got.n; i++)
		assert_true(got.t_ms[i - 1] < got.t_ms[i]);
	sh->f.q->ops->release(sh->f.q, s);
	arena_fini(&a);
	return got.n;
}

static void *reader(void *ctx)
{
	struct shared *sh = ctx;

	for (size_t before = 0, n; !atomic_load(&sh->done); before = n) {
		n = read_once(sh);
		assert_true(n + 1 >= before); /* the newest may be hidden until its batch is whole */
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct shared *sh = calloc(1, sizeof *sh);
	char dir[] = "/tmp/test-late-XXXXXX", command[64];
	pthread_t threads[2];
	struct err e = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	setup(&sh->f, (struct store_options){ 0 });
	store_set_late_window(sh->f.store, LATE_S * 1000);
	assert_true(store_open_history(sh->f.store, dir, &e) && store_open_journal(sh->f.store, dir, &e));
	sh->f.clock.wall = MS(LATE_S + ROUNDS);
	assert_true(put(&sh->f, "m", MS(LATE_S + ROUNDS), 1));
	commit(&sh->f);
	assert_int_equal(pthread_create(&threads[0], NULL, flusher, sh), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, reader, sh), 0);
	for (int i = 0; i < ROUNDS; i++) {
		assert_true(put(&sh->f, "m", MS(ROUNDS) + i * 37 % LATE_S * 1000 + i, i)); /* here and there, none twice */
		commit(&sh->f);
	}
	atomic_store(&sh->done, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(read_once(sh), ROUNDS + 1);
	teardown(&sh->f);
	free(sh);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
