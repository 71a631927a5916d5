/* Prometheus's admin API, as far as it makes sense here. Off unless a flag says otherwise. Deleting takes seconds: a thread of the pool
 * does it. */
#include "internal.h"

static bool is_allowed(struct http_request *q)
{
	const struct api *api = q->ctx;

	if (api->deps.admin)
		return true;
	http_reply_text(q, 503, "{\"status\":\"error\",\"errorType\":\"unavailable\",\"error\":\"admin APIs disabled: start with --web.enable-admin-api\"}\n");
	return false;
}

static void done(struct http_request *q)
{
	http_reply(q, 204, "text/plain", STR(""));
}

struct deletion {
	int64_t start_ms, end_ms;
};

static bool delete_matching(struct api *api, struct http_request *q, const struct deletion *d, struct str selector, struct err *e)
{
	struct matcher *m;
	size_t n;
	bool ok;

	if (!promql_parse_matchers(q->arena, selector, &m, &n, e))
		return err_context(e, "invalid parameter \"match[]\"");
	ok = store_delete(api->deps.store, m, n, d->start_ms, d->end_ms, e);
	promql_free_matchers(m, n);
	return ok;
}

static void delete_all(struct api *api, struct http_request *q, void *job)
{
	struct err e = { 0 };
	bool any = false, ok = true;

	for (size_t i = 0; i < q->n_params && ok; i++) {
		if (!str_eq(q->params[i].name, STR("match[]")))
			continue;
		any = true;
		ok = delete_matching(api, q, job, q->params[i].value, &e);
	}
	if (!any)
		ok = err_set(&e, ERR_BAD_INPUT, -1, "no match[] parameter provided");
	if (ok)
		done(q);
	else
		envelope_error(q, &e);
}

void api_delete_series(struct http_request *q)
{
	struct api *api = q->ctx;
	struct deletion *d = ARENA_NEW(q->arena, struct deletion);

	if (is_allowed(q) && param_time(q, "start", INT64_MIN + 1, &d->start_ms) && param_time(q, "end", INT64_MAX, &d->end_ms))
		pool_submit(api->pool, q, delete_all, d);
}

/* There are none: what is deleted is gone. */
void api_clean_tombstones(struct http_request *q)
{
	if (is_allowed(q))
		done(q);
}
