/* /api/v1/query_exemplars: exemplars of the series a query reads. Source: Prometheus documentation, "HTTP API", querying exemplars. */
#include "internal.h"

#include <stdlib.h>

#include "tocsin/mem.h"

struct found {
	struct labels labels;
	const struct store_exemplar *v;
	size_t n;
};

struct asked {
	const struct promql_selector *selectors;
	size_t n_selectors;
	int64_t start_ms, end_ms;
	struct arena *arena;
	struct found *found;
	size_t n, cap;
};

static bool is_asked_for(const struct asked *x, struct labels l)
{
	for (size_t i = 0; i < x->n_selectors; i++) {
		struct err limit = { 0 };

		if (matchers_test(x->selectors[i].matchers, x->selectors[i].n_matchers, l, &limit))
			return true;
	}
	return false;
}

static int by_time(const void *a, const void *b)
{
	int64_t l = ((const struct store_exemplar *)a)->t_ms, r = ((const struct store_exemplar *)b)->t_ms;

	return (l > r) - (l < r);
}

static void take(void *ctx, struct labels labels, const struct store_exemplar *v, size_t n)
{
	struct asked *x = ctx;
	struct store_exemplar *kept;
	size_t n_kept = 0;

	if (!is_asked_for(x, labels))
		return;
	kept = ARENA_ARRAY(x->arena, n, struct store_exemplar);
	for (size_t i = 0; i < n; i++) {
		if (v[i].t_ms < x->start_ms || v[i].t_ms > x->end_ms)
			continue;
		kept[n_kept] = v[i];
		kept[n_kept++].labels = labels_copy(x->arena, v[i].labels);
	}
	if (n_kept == 0)
		return;
	qsort(kept, n_kept, sizeof *kept, by_time);
	x->found = arena_grow(x->arena, x->found, x->n, &x->cap, x->n + 1, sizeof *x->found);
	x->found[x->n++] = (struct found){ labels_copy(x->arena, labels), kept, n_kept };
}

static int by_labels(const void *a, const void *b)
{
	return labels_cmp(((const struct found *)a)->labels, ((const struct found *)b)->labels);
}

static void put_found(struct json_out *j, const struct found *f)
{
	json_out_open(j, '{');
	json_out_key(j, "seriesLabels");
	json_out_labels(j, f->labels);
	json_out_key(j, "exemplars");
	json_out_open(j, '[');
	for (size_t i = 0; i < f->n; i++) {
		json_out_open(j, '{');
		json_out_key(j, "labels");
		json_out_labels(j, f->v[i].labels);
		json_out_key(j, "value");
		json_out_num_text(j, f->v[i].v);
		json_out_key(j, "timestamp");
		json_out_seconds(j, f->v[i].t_ms);
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
	json_out_close(j, '}');
}

static void reply(struct http_request *q, struct asked *x)
{
	struct buf b = { 0 };
	struct json_out j;

	if (x->n > 1)
		qsort(x->found, x->n, sizeof *x->found, by_labels);
	envelope_open(&j, &b);
	json_out_open(&j, '[');
	for (size_t i = 0; i < x->n; i++)
		put_found(&j, &x->found[i]);
	json_out_close(&j, ']');
	envelope_reply(q, &j, NULL, 0);
	buf_fini(&b);
}

void api_query_exemplars(struct http_request *q)
{
	struct api *api = q->ctx;
	struct str text = http_param(q, "query");
	struct promql_options options = { .clock = api->deps.clock };
	struct asked x = { .arena = q->arena };
	struct promql_query *query;
	struct err e = { 0 };

	if (!param_time(q, "start", INT64_MIN + 1, &x.start_ms) || !param_time(q, "end", INT64_MAX, &x.end_ms))
		return;
	if (x.end_ms < x.start_ms) {
		err_set(&e, ERR_BAD_INPUT, -1, "end timestamp must not be before start timestamp");
		envelope_error(q, &e);
		return;
	}
	query = promql_query_new(text, &options, &e);
	if (query == NULL) {
		envelope_query_error(q, "query", text, &e);
		return;
	}
	x.n_selectors = promql_query_selectors(query, &x.selectors);
	store_each_exemplars(api->deps.store, take, &x);
	promql_query_free(query);
	reply(q, &x);
}
