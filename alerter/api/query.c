/* /api/v1/query and query_range: parameters in, an evaluation on the pool, JSON out; format_query and parse_query. Source: Prometheus documentation, "HTTP API",
 * expression queries. */
#include "internal.h"

#include <stdatomic.h>

#include "tocsin/num.h"

struct query_job {
	struct str text;
	bool range;
	int64_t start_ms, end_ms, step_ms;      /* an instant query: start_ms */
	size_t limit;                           /* series in the answer, 0: all */
	struct promql_options options;
};

static struct promql_result *evaluate(struct promql_query *query, struct api *api, struct arena *a, const struct query_job *job, struct err *e)
{
	struct querier *querier = store_querier(api->deps.store);

	if (!job->range)
		return promql_instant(query, a, querier, job->start_ms, e);
	return promql_range(query, a, querier, job->start_ms, job->end_ms, job->step_ms, e);
}

/* While it was queued. */
static bool is_in_vain(const struct http_request *q, const struct query_job *job, const struct turn *turn, struct err *e)
{
	int64_t timeout_ms = job->options.limits.timeout_ms;

	if (turn != NULL && http_is_gone(q))
		return !err_set(e, ERR_CANCELED, -1, "query was canceled: nobody waits for its answer");
	if (timeout_ms == 0 || turn_waited_ms(turn) < timeout_ms)
		return false;
	return !err_set(e, ERR_TIMEOUT, -1, "query timed out in the queue after timeout=%lld ms", (long long)timeout_ms);
}

/* To its first <limit> series; 0: all stay. */
static void truncate_result(struct promql_result *r, size_t limit, struct arena *a)
{
	struct promql_note *notes;

	if (limit == 0 || (r->n_vector <= limit && r->n_matrix <= limit))
		return;
	r->n_vector = r->n_vector < limit ? r->n_vector : limit;
	r->n_matrix = r->n_matrix < limit ? r->n_matrix : limit;
	notes = ARENA_ARRAY(a, r->n_notes + 1, struct promql_note);
	if (r->n_notes > 0)
		memcpy(notes, r->notes, r->n_notes * sizeof *notes);
	notes[r->n_notes++] = envelope_truncated;
	r->notes = notes;
}

static void run_query(struct api *api, struct http_request *q, void *arg, struct turn *turn)
{
	const struct query_job *job = arg;
	struct err e = { 0 };
	struct arena a = { 0 };
	struct promql_result *r = NULL;
	struct promql_query *query = is_in_vain(q, job, turn, &e) ? NULL : kept_take(api->kept, job->text, &job->options, &e);
	int64_t begun_ms = clock_mono_ms(api->deps.clock);

	if (query != NULL) {
		promql_query_pace(query, turn == NULL ? NULL : turn_pace, turn);
		promql_query_budget(query, &api->budget);
		r = evaluate(query, api, &a, job, &e);
		kept_give(api->kept, query, job->range ? INT64_MAX : clock_mono_ms(api->deps.clock) - begun_ms);
	}
	if (r != NULL) {
		truncate_result(r, job->limit, &a);
		answer_reply(api->answers, q, r);
	} else {
		envelope_query_error(q, "query", job->text, &e);
	}
	arena_fini(&a);
}

/* The same text over about as many steps. */
static uint64_t kind_of(const struct query_job *job)
{
	uint64_t steps = job->range ? (uint64_t)(job->end_ms - job->start_ms) / (uint64_t)job->step_ms : 0, kind = str_hash(job->text);

	for (; steps > 0; steps /= 2)
		kind = kind * 31 + 1;
	return kind != 0 ? kind : 1;
}

/* What may be asked otherwise for one query alone: a shorter timeout, another lookback. False: it was refused. */
static bool take_options(struct http_request *q, struct promql_options *o)
{
	struct api *api = q->ctx;
	int64_t timeout_ms, lookback_ms;
	struct err e = { 0 };

	*o = api->deps.promql;
	o->shows_past = true;
	o->subquery_step_ms = atomic_load(api->deps.evaluation_interval_ms);
	if (!param_duration(q, "timeout", INT64_MAX, &timeout_ms) || !param_duration(q, "lookback_delta", 0, &lookback_ms))
		return false;
	if (timeout_ms <= 0) {
		err_set(&e, ERR_TIMEOUT, -1, "query timed out: timeout=%lld ms leaves it no time", (long long)timeout_ms);
		envelope_error(q, &e);
		return false;
	}
	if (timeout_ms < INT64_MAX && (o->limits.timeout_ms == 0 || timeout_ms < o->limits.timeout_ms))
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
	if (kept_is_quick(api->kept, job->text, &job->options))
		run_query(api, q, job, NULL);
	else
		pool_evaluate(api->pool, q, run_query, job, kind_of(job));
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
	pool_evaluate(api->pool, q, run_query, job, kind_of(job));
}

/* What a query is, without evaluating it. */
static void reply_parsed(struct http_request *q, void (*put)(struct json_out *, const struct promql_query *))
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
	put(&j, query);
	envelope_reply(q, &j, NULL, 0);
	promql_query_free(query);
	buf_fini(&b);
}

static void put_text(struct json_out *j, const struct promql_query *query)
{
	struct buf lines = { 0 };

	promql_query_lines(query, &lines);
	json_out_str(j, buf_str(&lines));
	buf_fini(&lines);
}

static void put_tree(struct json_out *j, const struct promql_query *query)
{
	promql_query_tree(query, j);
}

void api_format_query(struct http_request *q)
{
	reply_parsed(q, put_text);
}

void api_parse_query(struct http_request *q)
{
	reply_parsed(q, put_tree);
}
