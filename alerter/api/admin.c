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

struct selector {
	struct matcher *m;
	size_t n;
};

/* All are parsed before anything is deleted: a request that is refused has done nothing. <*n> are to be freed, after an error too. */
static struct selector *parse_selectors(struct http_request *q, size_t *n, struct err *e)
{
	struct selector *v = arena_alloc(q->arena, (q->n_params + 1) * sizeof *v);

	*n = 0;
	for (size_t i = 0; i < q->n_params && e->code == ERR_NONE; i++) {
		if (!str_eq(q->params[i].name, STR("match[]")))
			continue;
		if (promql_parse_matchers(q->arena, q->params[i].value, &v[*n].m, &v[*n].n, e))
			(*n)++;
		else
			err_context(e, "invalid parameter \"match[]\"");
	}
	if (*n == 0 && e->code == ERR_NONE)
		err_set(e, ERR_BAD_INPUT, -1, "no match[] parameter provided");
	return v;
}

static void delete_all(struct api *api, struct http_request *q, void *job)
{
	const struct deletion *d = job;
	struct err e = { 0 };
	size_t n;
	struct selector *v = parse_selectors(q, &n, &e);

	for (size_t i = 0; i < n && e.code == ERR_NONE; i++)
		store_delete(api->deps.store, v[i].m, v[i].n, d->start_ms, d->end_ms, &e);
	for (size_t i = 0; i < n; i++)
		promql_free_matchers(v[i].m, v[i].n);
	if (e.code == ERR_NONE)
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
