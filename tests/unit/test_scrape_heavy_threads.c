/* A large reply is taken in by another thread: small targets are scraped meanwhile, a reload waits for it, and its samples are there all at
 * once. The large one is held up for as long as the test wants by the lock that the commit of a large batch needs. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "scrape/scrape.h"
#include "store/internal.h"
#include "tests.h"
#include "tocsin/http.h"

enum { SMALL_MS = 50, LARGE_MS = 1000, PATIENCE_MS = 60000, LINES = 6000, TARGETS = 2 };

struct world {
	_Atomic int small_good, large_good, large_bad;
	_Atomic bool gone, reloaded;
	struct http_server *server;
	struct store *store;
	struct scrape_loop *loop;
	struct str address;
	struct scrape_static at;
	struct scrape_job jobs[TARGETS]; /* the large one is the second */
	struct scrape_config both, small_only;
};

static void answer_large(struct http_request *q)
{
	const struct world *w = q->ctx;
	struct buf b = { 0 };

	for (int i = 0; i < LINES; i++)
		buf_printf(&b, "large{number=\"%d\",path=\"/something/long/enough/to/weigh\"} %d\n", i, i);
	http_reply_buf(q, atomic_load(&w->gone) ? 500 : 200, "text/plain; version=0.0.4", &b);
}

static void answer_small(struct http_request *q)
{
	http_reply_text(q, 200, "small 1\n");
}

static void on_scraped(void *ctx, struct labels target, bool up, int64_t t_ms)
{
	struct world *w = ctx;
	bool large = str_eq(labels_get(target, STR("job")), STR("large"));

	(void)t_ms;
	atomic_fetch_add(!large ? &w->small_good : up ? &w->large_good : &w->large_bad, 1);
}

static void wait_until(const _Atomic int *n, int least)
{
	for (int ms = 0; atomic_load(n) < least; ms++) {
		if (ms > PATIENCE_MS)
			fail_msg("%d of %d", atomic_load(n), least);
		usleep(1000);
	}
}

static void begin(struct world *w)
{
	static const struct str listen_at = { "127.0.0.1:0", 11 };
	const struct http_options http_options = { .listen = &listen_at, .n_listen = 1 };
	static const struct http_route routes[] = { { HTTP_GET, "/large", answer_large, 0, 0, NULL }, { HTTP_GET, "/small", answer_small, 0, 0, NULL } };
	static const char *const names[] = { "small", "large" }, *const paths[] = { "/small", "/large" };
	struct scrape_options options = { .scraped = on_scraped, .ctx = w };
	struct err e = { 0 };

	w->server = http_server_new();
	http_server_add(w->server, routes, ARRAY_LEN(routes), w);
	assert_true(http_server_start(w->server, &http_options, &e));
	w->address = http_server_address(w->server, 0);
	w->at = (struct scrape_static){ .targets = { &w->address, 1 } };
	for (int i = 0; i < TARGETS; i++)
		w->jobs[i] = (struct scrape_job){ .name = str_of(names[i]),
			                          .metrics_path = str_of(paths[i]),
			                          .scheme = STR("http"),
			                          .interval_ms = i == 0 ? SMALL_MS : LARGE_MS,
			                          .timeout_ms = i == 0 ? SMALL_MS : LARGE_MS,
			                          .fallback_format = SCRAPE_FORMAT_TEXT,
			                          .enable_compression = i == 0,
			                          .statics = { &w->at, 1, NULL } };
	w->both = (struct scrape_config){ .jobs = w->jobs, .n = TARGETS };
	w->small_only = (struct scrape_config){ .jobs = w->jobs, .n = 1 };
	w->store = options.store = store_new(NULL);
	w->loop = scrape_new(&options);
	scrape_reload(w->loop, &w->both);
	assert_true(scrape_start(w->loop, &e));
}

static void end(struct world *w)
{
	http_server_stop(w->server);
	http_server_free(w->server);
	store_free(w->store);
}

/* How many series of the large target are in <state>; <*samples>: of how many a sample is to be seen. */
static size_t count_large(struct world *w, enum series_state state, size_t *samples)
{
	struct matcher m = { MATCH_EQ, STR(LABEL_NAME), STR("large"), NULL };
	struct querier *q = store_querier(w->store);
	struct arena a = { 0 };
	struct err e = { 0 };
	struct selection *s = q->ops->select(q, &m, 1, (struct select_hints){ 0, INT64_MAX, 0 }, &e);
	size_t n = 0;

	*samples = 0;
	for (size_t i = 0; i < s->n; i++) {
		struct samples got;

		assert_true(q->ops->samples(q, s, i, INT64_MIN, INT64_MAX, false, &a, &got, &e));
		*samples += got.n > 0;
		n += s->v[i].state == state;
		arena_reset(&a);
	}
	q->ops->release(q, s);
	arena_fini(&a);
	return n;
}

static void wait_for_state(struct world *w, enum series_state state)
{
	size_t samples;

	for (int ms = 0; count_large(w, state, &samples) < LINES; ms += 10) {
		if (ms > PATIENCE_MS)
			fail_msg("its series did not change");
		usleep(10000);
	}
}

static void *reload_without(void *arg)
{
	struct world *w = arg;

	scrape_reload(w->loop, &w->small_only);
	atomic_store(&w->reloaded, true);
	return NULL;
}

/* Large batches go in when the lock is let go of. */
static void hold_large(struct world *w)
{
	pthread_mutex_lock(&w->store->pieces_lock);
}

static void let_go(struct world *w)
{
	pthread_mutex_unlock(&w->store->pieces_lock);
}

/* The targets' scrapes go on while the large one is held up in the middle. */
static void pass_scrapes(struct world *w)
{
	wait_until(&w->small_good, atomic_load(&w->small_good) + 5);
}

static void wait_for_series(struct world *w)
{
	for (int ms = 0; store_stats(w->store).series < LINES; ms++) {
		if (ms > PATIENCE_MS)
			fail_msg("%zu series", store_stats(w->store).series);
		usleep(1000);
	}
}

static void test_held_up_alone(void **state)
{
	struct world w = { 0 };
	size_t samples;
	pthread_t t;

	(void)state;
	begin(&w);
	hold_large(&w);
	wait_for_series(&w);
	pass_scrapes(&w);
	assert_int_equal(w.large_good, 0);
	(void)count_large(&w, SERIES_FRESH, &samples);
	assert_int_equal(samples, 0);

	pthread_create(&t, NULL, reload_without, &w);
	pass_scrapes(&w);
	assert_false(w.reloaded);
	let_go(&w);
	pthread_join(t, NULL);
	assert_int_equal(w.large_good, 1); /* none was begun while the reload waited */
	assert_int_equal(count_large(&w, SERIES_FRESH, &samples), LINES);
	assert_int_equal(samples, LINES);
	wait_for_state(&w, SERIES_GONE);
	scrape_free(w.loop);
	end(&w);
}

/* What was lost goes in as one batch too. */
static void test_large_target_is_down(void **state)
{
	struct world w = { 0 };

	(void)state;
	begin(&w);
	wait_until(&w.large_good, 1);
	hold_large(&w);
	atomic_store(&w.gone, true);
	pass_scrapes(&w);
	let_go(&w);
	wait_for_state(&w, SERIES_LOST);
	scrape_free(w.loop);
	end(&w);
}

static void *stop_loop(void *arg)
{
	struct world *w = arg;

	scrape_free(w->loop);
	return NULL;
}

static void test_stop_in_the_middle(void **state)
{
	struct world w = { 0 };
	size_t samples;
	pthread_t t;

	(void)state;
	begin(&w);
	hold_large(&w);
	wait_for_series(&w);
	pthread_create(&t, NULL, stop_loop, &w);
	let_go(&w);
	pthread_join(t, NULL);
	assert_int_equal(count_large(&w, SERIES_FRESH, &samples), LINES); /* no stale markers at the end */
	assert_int_equal(samples, LINES);
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held_up_alone),
		cmocka_unit_test(test_large_target_is_down),
		cmocka_unit_test(test_stop_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
