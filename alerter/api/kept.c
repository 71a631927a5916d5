/* Queries that were parsed, with what they remember, for when they are asked again: so many and so many bytes; the least recently used go
 * first. Invariant: a query is either here or with who evaluates it. */
#include "internal.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "tocsin/mem.h"

enum { IDLE_MAX = 128, IDLE_BYTES = 256 << 20, QUICK_FOR_MS = 60000 };

/* A parsed query, and how long its last evaluation took. */
struct idle {
	struct promql_query *query;
	size_t bytes;
	int64_t took_ms, given_mono_ms;
};

struct kept {
	const struct clock *clock;
	pthread_mutex_t lock;
	struct idle idle[IDLE_MAX];                     /* most recently used last */
	size_t n_idle, idle_bytes;
};

struct kept *kept_new(const struct clock *clock)
{
	struct kept *p = mem_alloc(sizeof *p);

	p->clock = clock;
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void kept_free(struct kept *p)
{
	for (size_t i = 0; i < p->n_idle; i++)
		promql_query_free(p->idle[i].query);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* The place of a query among the idle ones, under the lock; IDLE_MAX: it is not there. */
static size_t find_idle(const struct kept *p, struct str text, const struct promql_options *o)
{
	for (size_t i = p->n_idle; i-- > 0;)
		if (promql_query_is(p->idle[i].query, text, o))
			return i;
	return IDLE_MAX;
}

bool kept_is_quick(struct kept *p, struct str text, const struct promql_options *o)
{
	int64_t now_ms = clock_mono_ms(p->clock);
	bool quick;
	size_t i;

	pthread_mutex_lock(&p->lock);
	i = find_idle(p, text, o);
	quick = i < IDLE_MAX && p->idle[i].took_ms <= 1 && now_ms - p->idle[i].given_mono_ms < QUICK_FOR_MS;
	pthread_mutex_unlock(&p->lock);
	return quick;
}

static struct promql_query *take_idle(struct kept *p, size_t i)
{
	struct promql_query *query = p->idle[i].query;

	p->idle_bytes -= p->idle[i].bytes;
	for (p->n_idle--; i < p->n_idle; i++)
		p->idle[i] = p->idle[i + 1];
	return query;
}

struct promql_query *kept_take(struct kept *p, struct str text, const struct promql_options *o, struct err *e)
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

void kept_give(struct kept *p, struct promql_query *query, int64_t took_ms)
{
	struct promql_query *out[IDLE_MAX];
	size_t bytes, n_out = 0;

	assert(query != NULL);
	bytes = promql_query_bytes(query);
	pthread_mutex_lock(&p->lock);
	while (p->n_idle == IDLE_MAX || (p->n_idle > 0 && bytes <= IDLE_BYTES && p->idle_bytes + bytes > IDLE_BYTES))
		out[n_out++] = take_idle(p, 0);
	if (bytes <= IDLE_BYTES) {
		p->idle[p->n_idle++] = (struct idle){ query, bytes, took_ms, clock_mono_ms(p->clock) };
		p->idle_bytes += bytes;
		query = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	promql_query_free(query);
	while (n_out > 0)
		promql_query_free(out[--n_out]);
}

size_t kept_bytes(struct kept *p)
{
	size_t bytes;

	pthread_mutex_lock(&p->lock);
	bytes = p->idle_bytes;
	pthread_mutex_unlock(&p->lock);
	return bytes;
}
