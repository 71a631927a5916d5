/* Evaluates the queries whose values go to metrics of status pages, each at its own pace, on a thread of its own: neither rules nor
 * signals wait for them. A query that returns nothing, or more than one series, gives no point; why is in the log once. */
#include "page_metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "promql/promql.h"
#include "tocsin/complain.h"
#include "tocsin/mem.h"
#include "tocsin/wait.h"

#define QUERY_TIMEOUT_MS 5000

struct source {
	struct str integration, metric;
	struct promql_query *query;
	int64_t interval_ms, due_mono_ms;
	struct complaint complaint;
};

struct page_metrics {
	struct notify *notify;
	struct querier *querier;
	const struct clock *clock;
	pthread_t thread;
	pthread_mutex_t lock;           /* all below */
	pthread_cond_t wake;
	bool stop;
	struct arena arena;             /* texts of <v> */
	struct source *v;
	size_t n;
};

static const struct promql_options options = { .limits = { .timeout_ms = QUERY_TIMEOUT_MS } };

static bool evaluate(struct page_metrics *p, const struct source *s, struct arena *a, double *out, struct err *e)
{
	struct promql_result *r = promql_instant(s->query, a, p->querier, clock_now_ms(p->clock), e);

	if (r == NULL)
		return false;
	if (r->type == PROMQL_SCALAR)
		*out = r->scalar.v;
	else if (r->type != PROMQL_VECTOR || r->n_vector != 1 || r->vector[0].h != NULL)
		return err_set(e, ERR_EXEC, -1, "it returned %zu series: a point is one number", r->type == PROMQL_VECTOR ? r->n_vector : 0);
	else
		*out = r->vector[0].v;
	return isfinite(*out) || err_set(e, ERR_EXEC, -1, "its value is no finite number");
}

static void publish(struct page_metrics *p, struct source *s)
{
	struct arena a = { 0 };
	struct err e = { 0 };
	int64_t now_ms = clock_now_ms(p->clock);
	struct notify_point point = { s->integration, s->metric, now_ms, 0 };

	if (evaluate(p, s, &a, &point.value, &e)) {
		complain_works(&s->complaint, "a point for a status page", s->metric.p, now_ms);
		notify_points(p->notify, &point, 1);
	} else
		complain_failed(&s->complaint, "a point for a status page", s->metric.p, &e, now_ms);
	arena_fini(&a);
}

static void *work(void *arg)
{
	struct page_metrics *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		int64_t now_ms = clock_mono_ms(p->clock), due_ms = INT64_MAX;

		for (size_t i = 0; i < p->n; i++) {
			struct source *s = &p->v[i];

			if (s->due_mono_ms <= now_ms) {
				s->due_mono_ms = now_ms + s->interval_ms;
				publish(p, s);
			}
			due_ms = s->due_mono_ms < due_ms ? s->due_mono_ms : due_ms;
		}
		(void)wait_until(&p->wake, &p->lock, due_ms);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void clear(struct page_metrics *p)
{
	for (size_t i = 0; i < p->n; i++)
		promql_query_free(p->v[i].query);
	free(p->v);
	arena_fini(&p->arena);
	p->v = NULL;
	p->n = 0;
}

void page_metrics_configure(struct page_metrics *p, const struct notify_point_source *v, size_t n)
{
	pthread_mutex_lock(&p->lock);
	clear(p);
	p->v = mem_alloc((n + 1) * sizeof *p->v);
	for (size_t i = 0; i < n; i++) {
		struct err e = { 0 };
		struct source s = { .integration = arena_str(&p->arena, v[i].integration), .metric = arena_str(&p->arena, v[i].metric),
				    .interval_ms = v[i].interval_ms, .query = promql_query_new(v[i].query, &options, &e),
				    .due_mono_ms = clock_mono_ms(p->clock) + v[i].interval_ms };

		if (s.query != NULL)
			p->v[p->n++] = s;
	}
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
}

struct page_metrics *page_metrics_new(struct querier *querier, const struct clock *clock)
{
	struct page_metrics *p = mem_alloc(sizeof *p);

	p->querier = querier;
	p->clock = clock;
	pthread_mutex_init(&p->lock, NULL);
	wait_cond_init(&p->wake);
	return p;
}

void page_metrics_start(struct page_metrics *p, struct notify *notify)
{
	p->notify = notify;
	if (pthread_create(&p->thread, NULL, work, p) != 0)
		mem_abort(0);
}

void page_metrics_free(struct page_metrics *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	if (p->notify != NULL)
		pthread_join(p->thread, NULL);
	clear(p);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->wake);
	free(p);
}
