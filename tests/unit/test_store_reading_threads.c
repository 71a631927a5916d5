/* Whoever reads a store that another process writes (export, tsdb analyze) has all of it, although the journal is begun anew all the while. */
#include <pthread.h>

#include "journal_world.h"

enum { SERIES = 50, SAMPLES = 300, READS = 60 };

struct writing {
	struct store *store;
	_Atomic bool done;
};

static void begin_anew(struct store *store)
{
	pthread_mutex_lock(&store->maintain_lock);
	journal_checkpoint(store);
	pthread_mutex_unlock(&store->maintain_lock);
}

static void *begin_anew_again(void *arg)
{
	struct writing *w = arg;

	while (!atomic_load(&w->done))
		begin_anew(w->store);
	return NULL;
}

static void read_once(const char *dir)
{
	struct fixture f;
	struct err e = { 0 };
	struct selection *s;

	setup(&f, (struct store_options){ 0 });
	assert_true(store_open_read(f.store, dir, &e));
	assert_int_equal(store_stats(f.store).journal_damaged, 0);
	s = pick(&f, "__name__ = m");
	assert_int_equal(s->n, SERIES);
	for (size_t i = 0; i < s->n; i++)
		assert_int_equal(read_all(&f, s, i).n, SAMPLES);
	drop(&f, s);
	teardown(&f);
}

static void test_threads(void **state)
{
	pthread_t thread;
	struct writing writing;
	struct world w;
	char text[32];

	(void)state;
	begin(&w);
	for (int i = 0; i < SAMPLES; i++) {
		for (int s = 0; s < SERIES; s++) {
			snprintf(text, sizeof text, "m s=%d", s);
			assert_true(put(&w.f, text, MS(i), i));
		}
		commit(&w.f);
	}
	begin_anew(w.f.store); /* so that all of it is on disk */
	writing = (struct writing){ .store = w.f.store };
	assert_int_equal(pthread_create(&thread, NULL, begin_anew_again, &writing), 0);
	for (int i = 0; i < READS; i++)
		read_once(w.dir);
	atomic_store(&writing.done, true);
	pthread_join(thread, NULL);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_threads) };

	return cmocka_run_group_tests(tests, NULL, no_piece_is_left);
}
