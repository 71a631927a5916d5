/* Points for the metrics of status pages: numbers on their way, in memory only, a queue a page. They go out many at a time, when the
 * page's key is free and no message waits for it; what the page does not take for a while is kept, the newest POINTS_MAX of it. */
#include "notify/core.h"
#include "notify/receivers/statuspage.h"

#include <stdlib.h>

#include "notify/text.h"
#include "tocsin/mem.h"
#include "tocsin/version.h"

#define POINTS_MAX 3000                 /* of a page; also of one request */
#define TRY_AGAIN_MS 30000

struct point {
	struct str metric;              /* heap */
	int64_t at_ms;
	double value;
};

struct pushing {                        /* a request under way */
	struct asker asker;             /* first */
	struct point_queue *queue;
	const struct notify_config *config;     /* whose settings it uses */
	struct str destination;         /* heap */
	struct arena arena;
	struct http_call call;
	size_t n;                       /* points, the oldest of the queue */
};

struct point_queue {
	struct str integration;         /* heap; the key in core.points */
	struct point v[POINTS_MAX];
	size_t n;
	struct pushing *pushing;        /* NULL: none */
	int64_t not_before_ms;
	struct complaint complaint;
};

static void drop_oldest(struct point_queue *q, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text_free(q->v[i].metric);
	memmove(q->v, q->v + n, (q->n - n) * sizeof *q->v);
	q->n -= n;
}

static void free_pushing(struct pushing *p)
{
	text_free(p->destination);
	arena_fini(&p->arena);
	free(p);
}

void points_free(struct core *c)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->points, s)) != NULL;) {
		struct point_queue *q = s->value;

		drop_oldest(q, q->n);
		if (q->pushing != NULL)
			free_pushing(q->pushing);
		text_free(q->integration);
		free(q);
	}
	map_fini(&c->points);
}

static struct point_queue *queue_of(struct core *c, struct str integration)
{
	struct point_queue *q = map_get(&c->points, integration);

	if (q == NULL) {
		q = mem_alloc(sizeof *q);
		q->integration = text_dup(integration);
		map_put(&c->points, q->integration, q);
	}
	return q;
}

void core_points(struct core *c, const struct notify_point *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct point_queue *q = queue_of(c, v[i].integration);

		if (q->n == POINTS_MAX && q->pushing != NULL)
			continue;               /* its oldest are under way */
		if (q->n == POINTS_MAX)
			drop_oldest(q, 1);
		q->v[q->n++] = (struct point){ text_dup(v[i].metric), v[i].at_ms, v[i].value };
	}
}

bool points_uses(const struct core *c, const struct notify_config *config)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->points, s)) != NULL;) {
		const struct point_queue *q = s->value;

		if (q->pushing != NULL && q->pushing->config == config)
			return true;
	}
	return false;
}

/* ---- A request. ---- */

/* {"data":{"<metric>":[{"timestamp":1,"value":2.5}]}}; equal metrics stand together once sorted. */
static int by_metric(const void *a, const void *b)
{
	const struct point *x = a, *y = b;
	int order = str_cmp(x->metric, y->metric);

	return order != 0 ? order : (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

static void put_points(struct json_out *j, const struct point *v, size_t n)
{
	json_out_open(j, '{');
	json_out_key(j, "data");
	json_out_open(j, '{');
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || !str_eq(v[i].metric, v[i - 1].metric)) {
			json_out_key_str(j, v[i].metric);
			json_out_open(j, '[');
		}
		json_out_open(j, '{');
		json_out_key(j, "timestamp");
		json_out_int(j, v[i].at_ms / 1000);
		json_out_key(j, "value");
		json_out_num(j, v[i].value);
		json_out_close(j, '}');
		if (i + 1 == n || !str_eq(v[i].metric, v[i + 1].metric))
			json_out_close(j, ']');
	}
	json_out_close(j, '}');
	json_out_close(j, '}');
}

static bool refused_for_good(const struct http_answer *answer)
{
	return answer->fate == HTTP_ANSWERED && answer->status >= 400 && answer->status < 500 && answer->status != 420 && answer->status != 429
	       && answer->status != 401 && answer->status != 403;
}

static void answered(struct core *c, struct asker *asker, const struct http_answer *answer)
{
	struct pushing *p = (struct pushing *)asker;
	struct point_queue *q = p->queue;
	const struct integration *in = notify_config_find(c->config, q->integration);
	bool took = answer->fate == HTTP_ANSWERED && answer->status >= 200 && answer->status < 300;
	struct err e = { 0 };

	outbox_release(c, p->destination);
	if (took || refused_for_good(answer))
		drop_oldest(q, p->n);
	if (took)
		complain_works(&q->complaint, "sending points", q->integration.p, core_now_ms(c));
	else {
		q->not_before_ms = core_now_ms(c) + TRY_AGAIN_MS;
		if (answer->retry_after_ms > 0 && in != NULL)
			outbox_pause(c, in, answer->retry_after_ms);
		err_set(&e, ERR_UPSTREAM, -1, "HTTP %d: " STR_FMT, answer->status,
			STR_ARG(text_clean(&c->scratch, answer->fate == HTTP_ANSWERED ? answer->body : answer->error, 160)));
		complain_failed(&q->complaint, "sending points", q->integration.p, &e, core_now_ms(c));
	}
	q->pushing = NULL;
	free_pushing(p);
}

static void push(struct core *c, struct point_queue *q, const struct integration *in)
{
	const struct statuspage_settings *page = &in->statuspage;
	struct pushing *p = mem_alloc(sizeof *p);
	struct label *headers = ARENA_ARRAY(&p->arena, 3, struct label);
	struct buf body = { 0 };
	struct json_out j = { &body, false };

	qsort(q->v, q->n, sizeof *q->v, by_metric);
	put_points(&j, q->v, q->n);
	headers[0] = (struct label){ STR("Authorization"), arena_printf(&p->arena, "OAuth " STR_FMT, STR_ARG(page->api_key)) };
	headers[1] = (struct label){ STR("User-Agent"), arena_printf(&p->arena, "tocsin-alerter/%s", version_text()) };
	headers[2] = (struct label){ STR("Content-Type"), STR("application/json") };
	p->asker.answered = answered;
	p->queue = q;
	p->config = c->config;
	p->destination = text_dup(in->destination);
	p->n = q->n;
	p->call = (struct http_call){ .method = "POST",
				      .url = arena_printf(&p->arena, STR_FMT "/pages/" STR_FMT "/metrics/data", STR_ARG(page->api_url),
							  STR_ARG(page->page_id)),
				      .headers = headers,
				      .n_headers = 3,
				      .body = arena_str(&p->arena, buf_str(&body)),
				      .http = &in->http,
				      .timeout_ms = in->timeout_ms };
	buf_fini(&body);
	q->pushing = p;
	c->transport->ops->start(c->transport, &p->call, p);
}

void points_step(struct core *c)
{
	for (struct map_slot *s = NULL; (s = map_next(&c->points, s)) != NULL;) {
		struct point_queue *q = s->value;
		const struct integration *in = q->n > 0 && q->pushing == NULL ? notify_config_find(c->config, q->integration) : NULL;

		if (q->n > 0 && q->pushing == NULL && (in == NULL || in->kind != &receiver_statuspage))
			drop_oldest(q, q->n);   /* a reload took the page away */
		else if (in != NULL && !c->paused && q->not_before_ms <= core_now_ms(c) && outbox_take(c, in))
			push(c, q, in);
	}
}

int64_t points_next_due_ms(const struct core *c)
{
	int64_t due_ms = INT64_MAX;

	for (struct map_slot *s = NULL; (s = map_next(&c->points, s)) != NULL;) {
		const struct point_queue *q = s->value;
		const struct integration *in = q->n > 0 && q->pushing == NULL ? notify_config_find(c->config, q->integration) : NULL;
		int64_t at_ms = in != NULL ? outbox_free_at_ms(c, in) : INT64_MAX;

		at_ms = in != NULL && q->not_before_ms > at_ms ? q->not_before_ms : at_ms;
		due_ms = at_ms < due_ms ? at_ms : due_ms;
	}
	return due_ms;
}
