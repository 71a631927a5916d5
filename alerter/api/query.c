/* /api/v1/query and query_range: parameters in, an evaluation on the pool, JSON out. Source: Prometheus documentation, "HTTP API",
 * expression queries. */
#include "internal.h"

#include <assert.h>
#include <stdatomic.h>

#include "tocsin/num.h"

struct query_job {
	struct str text;
	bool range;
	int64_t start_ms, end_ms, step_ms;      /* an instant query: start_ms */
	size_t limit;                           /* series in the answer, 0: all */
	struct promql_options options;
};

static void put_point(struct json_out *j, int64_t t_ms, double v)
{
	json_out_open(j, '[');
	json_out_seconds(j, t_ms);
	json_out_num_text(j, v);
	json_out_close(j, ']');
}

static void put_histogram_point(struct json_out *j, int64_t t_ms, const struct histogram *h)
{
	json_out_open(j, '[');
	json_out_seconds(j, t_ms);
	buf_putc(j->to, ',');
	promql_histogram_json(j->to, h);
	j->comma = true;
	json_out_close(j, ']');
}

static void put_sample(struct json_out *j, const struct promql_sample *s)
{
	json_out_open(j, '{');
	json_out_key(j, "metric");
	json_out_labels(j, s->labels);
	json_out_key(j, s->h ? "histogram" : "value");
	if (s->h != NULL)
		put_histogram_point(j, s->t_ms, s->h);
	else
		put_point(j, s->t_ms, s->v);
	json_out_close(j, '}');
}

/* Float points, or histogram points, of one series; nothing when there are none. */
static void put_points(struct json_out *j, const struct promql_series *s, bool histograms)
{
	bool any = false;

	for (size_t i = 0; i < s->n; i++) {
		const struct histogram *h = s->h ? s->h[i] : NULL;

		if ((h != NULL) != histograms)
			continue;
		if (!any) {
			json_out_key(j, histograms ? "histograms" : "values");
			json_out_open(j, '[');
		}
		any = true;
		if (h != NULL)
			put_histogram_point(j, s->t_ms[i], h);
		else
			put_point(j, s->t_ms[i], s->v[i]);
	}
	if (any)
		json_out_close(j, ']');
}

static void put_series(struct json_out *j, const struct promql_series *s)
{
	json_out_open(j, '{');
	json_out_key(j, "metric");
	json_out_labels(j, s->labels);
	put_points(j, s, false);
	put_points(j, s, true);
	json_out_close(j, '}');
}

static void put_result(struct json_out *j, const struct promql_result *r, size_t limit)
{
	switch (r->type) {
	case PROMQL_SCALAR:
		put_point(j, r->scalar.t_ms, r->scalar.v);
		return;
	case PROMQL_STRING:
		json_out_open(j, '[');
		json_out_seconds(j, r->scalar.t_ms);
		json_out_str(j, r->string);
		json_out_close(j, ']');
		return;
	case PROMQL_VECTOR:
		json_out_open(j, '[');
		for (size_t i = 0; i < r->n_vector && (limit == 0 || i < limit); i++)
			put_sample(j, &r->vector[i]);
		json_out_close(j, ']');
		return;
	case PROMQL_MATRIX:
		json_out_open(j, '[');
		for (size_t i = 0; i < r->n_matrix && (limit == 0 || i < limit); i++)
			put_series(j, &r->matrix[i]);
		json_out_close(j, ']');
		return;
	}
	assert(!"a result type");
}

static struct promql_result *evaluate(struct promql_query *query, struct api *api, struct arena *a, const struct query_job *job, struct err *e)
{
	struct querier *querier = store_querier(api->deps.store);

	if (!job->range)
		return promql_instant(query, a, querier, job->start_ms, e);
	return promql_range(query, a, querier, job->start_ms, job->end_ms, job->step_ms, e);
}

static void reply_result(struct http_request *q, const struct promql_result *r, size_t limit)
{
	struct buf b = { 0 };
	struct json_out j;

	envelope_open(&j, &b);
	json_out_open(&j, '{');
	json_out_key(&j, "resultType");
	json_out_strz(&j, promql_type_name(r->type));
	json_out_key(&j, "result");
	put_result(&j, r, limit);
	json_out_close(&j, '}');
	envelope_reply(q, &j, r->notes, r->n_notes);
	buf_fini(&b);
}

static void run_query(struct api *api, struct http_request *q, void *arg)
{
	const struct query_job *job = arg;
	struct err e = { 0 };
	struct arena a = { 0 };
	struct promql_result *r = NULL;
	struct promql_query *query = pool_query_take(api->pool, job->text, &job->options, &e);
	int64_t begun_ms = clock_mono_ms(api->deps.clock);

	if (query != NULL) {
		r = evaluate(query, api, &a, job, &e);
		pool_query_give(api->pool, query, job->range ? INT64_MAX : clock_mono_ms(api->deps.clock) - begun_ms);
	}
	if (r != NULL)
		reply_result(q, r, job->limit);
	else
		envelope_query_error(q, "query", job->text, &e);
	arena_fini(&a);
}

/* What may be asked otherwise for one query alone: a shorter timeout, another lookback. False: it was refused. */
static bool take_options(struct http_request *q, struct promql_options *o)
{
	struct api *api = q->ctx;
	int64_t timeout_ms, lookback_ms;

	*o = api->deps.promql;
	o->shows_past = true;
	o->subquery_step_ms = atomic_load(api->deps.evaluation_interval_ms);
	if (!param_duration(q, "timeout", 0, &timeout_ms) || !param_duration(q, "lookback_delta", 0, &lookback_ms))
		return false;
	if (timeout_ms > 0 && (o->limits.timeout_ms == 0 || timeout_ms < o->limits.timeout_ms))
		o->limits.timeout_ms = timeout_ms;
	if (lookback_ms > 0)
		o->lookback_ms = lookback_ms;
	return true;
}

static struct query_job *new_job(struct http_request *q)
{
	struct query_job *job = ARENA_NEW(q->arena, struct query_job);

	job->text = http_param(q, "query");
	return take_options(q, &job->options) ? job : NULL;
}

void api_query(struct http_request *q)
{
	struct api *api = q->ctx;
	struct query_job *job = new_job(q);

	if (job == NULL)
		return;
	if (!param_time(q, "time", clock_now_ms(api->deps.clock), &job->start_ms) || !param_size(q, "limit", 0, &job->limit))
		return;
	if (pool_query_is_quick(api->pool, job->text, &job->options))
		run_query(api, q, job);
	else
		pool_submit(api->pool, q, run_query, job);
}

static bool check_range(struct http_request *q, const struct query_job *job)
{
	struct err e = { 0 };

	if (job->end_ms < job->start_ms)
		err_set(&e, ERR_BAD_INPUT, -1, "invalid parameter \"end\": end timestamp must not be before start time");
	else if (job->step_ms <= 0)
		err_set(&e, ERR_BAD_INPUT, -1, "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer");
	if (e.code == ERR_NONE)
		return true;
	envelope_error(q, &e);
	return false;
}

void api_query_range(struct http_request *q)
{
	struct api *api = q->ctx;
	struct query_job *job = new_job(q);

	if (job == NULL)
		return;
	job->range = true;
	if (!param_time(q, "start", INT64_MIN, &job->start_ms) || !param_time(q, "end", INT64_MIN, &job->end_ms) ||
	    !param_duration(q, "step", INT64_MIN, &job->step_ms) || !param_size(q, "limit", 0, &job->limit) || !check_range(q, job))
		return;
	pool_submit(api->pool, q, run_query, job);
}

void api_format_query(struct http_request *q)
{
	struct api *api = q->ctx;
	struct str text = http_param(q, "query");
	struct err e = { 0 };
	struct buf b = { 0 };
	struct json_out j;
	struct promql_query *query = promql_query_new(text, &api->deps.promql, &e);

	if (query == NULL) {
		envelope_query_error(q, "query", text, &e);
		return;
	}
	envelope_open(&j, &b);
	json_out_str(&j, promql_query_text(query));
	envelope_reply(q, &j, NULL, 0);
	promql_query_free(query);
	buf_fini(&b);
}
