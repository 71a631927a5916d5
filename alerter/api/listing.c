/* Listings: what match[] finds, sorted, and sent in pieces. */
#include "listing.h"

#include <stdlib.h>

#include "tocsin/mem.h"

enum { LISTING_FIRST = 256 << 10, LISTING_PIECE = 64 << 10, LISTING_DEADLINE_MS = 300000 };

/* ---- Finding ---- */

void found_release(struct found *f)
{
	for (size_t i = 0; i < f->n; i++)
		f->querier->ops->release(f->querier, f->v[i]);
	free(f->v);
}

static bool add_selection(struct found *f, struct arena *a, struct str text, struct err *e)
{
	struct matcher *m;
	struct selection *s;
	size_t n;

	f->at = text;
	if (!promql_parse_matchers(a, text, &m, &n, e))
		return false;
	s = f->querier->ops->select(f->querier, m, n, f->hints, e);
	promql_free_matchers(m, n);
	if (s == NULL)
		return false;
	f->v = mem_grow(f->v, &f->cap, f->n + 1, sizeof *f->v);
	f->v[f->n++] = s;
	return true;
}

bool found_within(struct http_request *q, struct select_hints hints, struct found *f, struct err *e)
{
	struct api *api = q->ctx;
	bool good = true;

	*f = (struct found){ .querier = store_querier(api->deps.store), .hints = hints };
	for (size_t i = 0; i < q->n_params && good; i++)
		if (str_eq(q->params[i].name, STR("match[]")))
			good = add_selection(f, q->arena, q->params[i].value, e);
	if (!good)
		found_release(f);
	return good;
}

bool found_by(struct http_request *q, bool match_required, struct found *f)
{
	struct select_hints hints = { .as_of = 0 };
	struct err e = { 0 };

	if (!param_time(q, "start", INT64_MIN + 1, &hints.min_ms) || !param_time(q, "end", INT64_MAX, &hints.max_ms))
		return false;
	if (found_within(q, hints, f, &e)) {
		if (f->n > 0 || (!match_required && add_selection(f, q->arena, STR("{__name__!=\"\"}"), &e)))
			return true;
		if (match_required)
			err_set(&e, ERR_BAD_INPUT, -1, "no match[] parameter provided");
		found_release(f);
	}
	if (e.pos >= 0)
		envelope_query_error(q, "match[]", f->at, &e);
	else
		envelope_error(q, &e);
	return false;
}

/* ---- Listing ---- */

struct listing *listing_new(struct found *f)
{
	struct listing *l = mem_alloc(sizeof *l);
	size_t total = 0;

	l->found = *f;
	for (size_t i = 0; i < f->n; i++)
		total += f->v[i]->n;
	l->v = ARENA_ARRAY(&l->arena, total + 1, struct listed);
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->v[i]->n; k++)
			l->v[l->n++].labels = f->v[i]->v[k].labels;
	return l;
}

/* What one under way takes: itself, and the selections it keeps. */
static size_t bytes_of(const struct listing *l)
{
	size_t bytes = l->arena.total_bytes;

	for (size_t i = 0; i < l->found.n; i++)
		bytes += l->found.v[i]->n * sizeof *l->found.v[i]->v;
	return bytes;
}

void listing_free(void *arg)
{
	struct listing *l = arg;

	if (l->all != NULL)
		answers_give(l->all, bytes_of(l));
	found_release(&l->found);
	buf_fini(&l->head);
	arena_fini(&l->arena);
	free(l);
}

static int by_name_and_labels(const void *a, const void *b)
{
	struct labels x = ((const struct listed *)a)->labels, y = ((const struct listed *)b)->labels;
	int c = str_cmp(labels_get(x, STR(LABEL_NAME)), labels_get(y, STR(LABEL_NAME)));

	return c != 0 ? c : labels_cmp(x, y);
}

bool listing_sort(struct listing *l, size_t limit)
{
	size_t n = 0;
	bool all;

	qsort(l->v, l->n, sizeof *l->v, by_name_and_labels);
	for (size_t i = 0; i < l->n; i++)
		if (n == 0 || !labels_eq(l->v[i].labels, l->v[n - 1].labels))
			l->v[n++] = l->v[i];
	all = limit == 0 || n <= limit;
	l->n = all ? n : limit;
	return all;
}

/* False: these were the last. */
static bool put_more(struct listing *l, struct buf *out, size_t most)
{
	for (; l->at < l->n && out->n < most; l->at++)
		l->put(out, &l->v[l->at], l->at > 0 ? &l->v[l->at - 1] : NULL, l->ctx);
	if (l->at < l->n)
		return true;
	buf_putz(out, l->end);
	return false;
}

static bool listing_more(void *arg, struct buf *out)
{
	struct listing *l = arg;

	if (l->head.n == 0)
		return put_more(l, out, out->n + LISTING_PIECE);
	buf_puts(out, buf_str(&l->head));
	buf_fini(&l->head);
	l->head = (struct buf){ 0 };
	return true;
}

void listing_reply(struct answers *all, struct http_request *q, struct listing *l, const char *type)
{
	struct err e = { 0 };

	if (!put_more(l, &l->head, LISTING_FIRST)) {
		http_reply_buf(q, 200, type, &l->head);
		listing_free(l);
	} else if (answers_take(all, bytes_of(l), &e)) {
		l->all = all;
		http_reply_stream(q, 200, type, &(struct http_stream){ listing_more, listing_free, l, LISTING_DEADLINE_MS });
	} else {
		envelope_error(q, &e);
		listing_free(l);
	}
}
