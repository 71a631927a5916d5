/* A few threads that evaluate queries for people, so that rules never wait for them and handlers never wait. The queue is
 * bounded; queries that were parsed are kept with what they remember, so many and so many bytes: the least recently used go first.
 * Invariant: a query is either in <idle> or with exactly one worker. */
#include "internal.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "tocsin/mem.h"

enum { QUEUE_MAX = 256, IDLE_MAX = 128, IDLE_BYTES = 256 << 20, QUICK_FOR_MS = 60000 };

/* A parsed query, and how long its last evaluation took. */
struct kept {
	struct promql_query *query;
	size_t bytes;
	int64_t took_ms, given_mono_ms;
};

struct task {
	struct http_request *q;
	pool_work *work;
	void *job;
};

struct pool {
	struct api *api;
	pthread_mutex_t lock;
	pthread_cond_t more;
	bool stopping;
	struct task queue[QUEUE_MAX];                   /* ring */
	size_t first, n;
	struct kept idle[IDLE_MAX];                     /* most recently used last */
	size_t n_idle, idle_bytes;
	pthread_t *threads;
	unsigned n_threads;
};

static bool next_task(struct pool *p, struct task *out)
{
	bool found;

	pthread_mutex_lock(&p->lock);
	while (p->n == 0 && !p->stopping)
		pthread_cond_wait(&p->more, &p->lock);
	found = p->n > 0;
	if (found) {
		*out = p->queue[p->first];
		p->first = (p->first + 1) % QUEUE_MAX;
		p->n--;
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}

static void *work(void *arg)
{
	struct pool *p = arg;
	struct task t;

	while (next_task(p, &t))
		t.work(p->api, t.q, t.job);
	return NULL;
}

struct pool *pool_new(struct api *api, unsigned threads)
{
	struct pool *p = mem_alloc(sizeof *p);

	p->api = api;
	p->n_threads = threads;
	p->threads = mem_alloc(threads * sizeof *p->threads);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->more, NULL);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&p->threads[i], NULL, work, p) != 0)
			mem_abort(0);
	return p;
}

void pool_free(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	for (size_t i = 0; i < p->n_idle; i++)
		promql_query_free(p->idle[i].query);
	pthread_cond_destroy(&p->more);
	pthread_mutex_destroy(&p->lock);
	free(p->threads);
	free(p);
}

void pool_submit(struct pool *p, struct http_request *q, pool_work *work_fn, void *job)
{
	bool full;

	http_suspend(q);
	pthread_mutex_lock(&p->lock);
	full = p->n == QUEUE_MAX;
	if (!full) {
		p->queue[(p->first + p->n++) % QUEUE_MAX] = (struct task){ q, work_fn, job };
		pthread_cond_signal(&p->more);
	}
	pthread_mutex_unlock(&p->lock);
	if (full) {
		struct err e = { 0 };

		err_set(&e, ERR_TIMEOUT, -1, "too many queries are waiting (limit %d): try again", QUEUE_MAX);
		envelope_error(q, &e);
	}
}

/* The place of a query among the idle ones, under the lock; IDLE_MAX: it is not there. */
static size_t find_idle(const struct pool *p, struct str text, const struct promql_options *o)
{
	for (size_t i = p->n_idle; i-- > 0;)
		if (promql_query_is(p->idle[i].query, text, o))
			return i;
	return IDLE_MAX;
}

bool pool_query_is_quick(struct pool *p, struct str text, const struct promql_options *o)
{
	int64_t now_ms = clock_mono_ms(p->api->deps.clock);
	bool quick;
	size_t i;

	pthread_mutex_lock(&p->lock);
	i = find_idle(p, text, o);
	quick = i < IDLE_MAX && p->idle[i].took_ms <= 1 && now_ms - p->idle[i].given_mono_ms < QUICK_FOR_MS;
	pthread_mutex_unlock(&p->lock);
	return quick;
}

static struct promql_query *take_idle(struct pool *p, size_t i)
{
	struct promql_query *query = p->idle[i].query;

	p->idle_bytes -= p->idle[i].bytes;
	for (p->n_idle--; i < p->n_idle; i++)
		p->idle[i] = p->idle[i + 1];
	return query;
}

struct promql_query *pool_query_take(struct pool *p, struct str text, const struct promql_options *o, struct err *e)
{
	struct promql_query *found = NULL;
	size_t i;

	pthread_mutex_lock(&p->lock);
	i = find_idle(p, text, o);
	if (i < IDLE_MAX)
		found = take_idle(p, i);
	pthread_mutex_unlock(&p->lock);
	return found != NULL ? found : promql_query_new(text, o, e);
}

void pool_query_give(struct pool *p, struct promql_query *query, int64_t took_ms)
{
	struct promql_query *out[IDLE_MAX];
	size_t bytes, n_out = 0;

	assert(query != NULL);
	bytes = promql_query_bytes(query);
	pthread_mutex_lock(&p->lock);
	while (p->n_idle == IDLE_MAX || (p->n_idle > 0 && bytes <= IDLE_BYTES && p->idle_bytes + bytes > IDLE_BYTES))
		out[n_out++] = take_idle(p, 0);
	if (bytes <= IDLE_BYTES) {
		p->idle[p->n_idle++] = (struct kept){ query, bytes, took_ms, clock_mono_ms(p->api->deps.clock) };
		p->idle_bytes += bytes;
		query = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	promql_query_free(query);
	while (n_out > 0)
		promql_query_free(out[--n_out]);
}

size_t pool_idle_bytes(struct pool *p)
{
	size_t bytes;

	pthread_mutex_lock(&p->lock);
	bytes = p->idle_bytes;
	pthread_mutex_unlock(&p->lock);
	return bytes;
}
