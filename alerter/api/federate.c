/* /federate: the last sample of each series of match[], in the text format with its time, for a Prometheus to scrape. Ended series,
 * old samples and native histograms are left out; external_labels are added where a series has none of that name, and instance=""
 * where it has no instance, so that who scrapes adds none. Source: Prometheus documentation, "Federation". */
#include "listing.h"

#include <stdlib.h>

#include "tocsin/num.h"

struct federation {
	struct labels external;
	bool utf8;                      /* the client reads any name; else what it cannot read becomes underscores */
};

/* Looks for rows in the head and in blocks as queries do. */
struct look {
	struct querier *querier;
	int64_t min_ms, max_ms;
	struct arena arena;             /* samples of one series */
};

static bool last_of_samples(struct look *l, const struct selection *sel, size_t row, struct listed *out, struct err *e)
{
	struct samples s;
	bool found;

	if (!l->querier->ops->samples(l->querier, sel, row, l->min_ms, l->max_ms, false, &l->arena, &s, e))
		return false;
	found = s.n > 0 && !value_is_stale(s.v[s.n - 1]) && (s.h == NULL || s.h[s.n - 1] == NULL);
	if (found) {
		out->v = s.v[s.n - 1];
		out->t_ms = s.t_ms[s.n - 1];
	}
	arena_reset(&l->arena);
	return found;
}

static bool last_sample(struct look *l, const struct selection *sel, size_t row, const struct window_ends *ends, struct listed *out,
                        struct err *e)
{
	if (!ends->known)
		return last_of_samples(l, sel, row, out, e);
	out->v = ends->last;
	out->t_ms = ends->last_ms;
	return ends->n > 0 && !ends->ended;
}

/* Those of the listing that have a value now; false and <e> when some cannot be read. */
static bool keep_current(struct listing *l, struct look *look, struct err *e)
{
	enum { ROWS = 64 };
	struct window_ends ends[ROWS];
	size_t n = 0, at = 0;

	for (size_t i = 0; i < l->found.n; i++) {
		const struct selection *sel = l->found.v[i];

		for (size_t row = 0; row < sel->n; row++, at++) {
			if (row % ROWS == 0)
				look->querier->ops->ends(look->querier, sel, row, sel->n - row < ROWS ? sel->n - row : ROWS, look->min_ms,
				                         look->max_ms, true, ends);
			l->v[n].labels = l->v[at].labels;
			n += labels_has(l->v[n].labels, STR(LABEL_NAME)) && last_sample(look, sel, row, &ends[row % ROWS], &l->v[n], e);
			if (e->code != ERR_NONE)
				return false;
		}
	}
	l->n = n;
	return true;
}

/* ---- Text ---- */

/* What any reader takes in a name; <metric>: of a metric, else of a label. */
static bool is_common(char c, bool first, bool metric)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9') || (metric && c == ':');
}

static bool is_quoted(struct str name, bool metric, const struct federation *f)
{
	size_t i = 0;

	while (i < name.n && is_common(name.p[i], i == 0, metric))
		i++;
	return f->utf8 && i < name.n;
}

static void put_name(struct buf *out, struct str name, bool metric, const struct federation *f)
{
	if (is_quoted(name, metric, f)) {
		buf_putc(out, '"');
		labels_escape(out, name);
		buf_putc(out, '"');
		return;
	}
	for (size_t i = 0; i < name.n; i++)
		buf_putc(out, (char)(is_common(name.p[i], i == 0, metric) ? name.p[i] : '_'));
}

static void put_label(struct buf *out, struct label l, const struct federation *f, bool *any)
{
	buf_putc(out, *any ? ',' : '{');
	*any = true;
	put_name(out, l.name, false, f);
	buf_putz(out, "=\"");
	labels_escape(out, l.value);
	buf_putc(out, '"');
}

static void put_labels(struct buf *out, struct labels l, const struct federation *f, bool any)
{
	for (size_t i = 0; i < l.n; i++)
		if (!str_eq(l.v[i].name, STR(LABEL_NAME)))
			put_label(out, l.v[i], f, &any);
	for (size_t i = 0; i < f->external.n; i++)
		if (!labels_has(l, f->external.v[i].name))
			put_label(out, f->external.v[i], f, &any);
	if (!labels_has(l, STR("instance")) && !labels_has(f->external, STR("instance")))
		put_label(out, (struct label){ STR("instance"), STR("") }, f, &any);
	buf_putz(out, any ? "}" : "");
}

static void put_sample(struct buf *out, const struct listed *l, const struct listed *before, const void *ctx)
{
	const struct federation *f = ctx;
	struct str name = labels_get(l->labels, STR(LABEL_NAME));
	bool quoted = is_quoted(name, true, f);

	if (before == NULL || !str_eq(name, labels_get(before->labels, STR(LABEL_NAME)))) {
		buf_putz(out, "# TYPE ");
		put_name(out, name, true, f);
		buf_putz(out, " untyped\n");
	}
	buf_putz(out, quoted ? "{" : "");
	put_name(out, name, true, f);
	put_labels(out, l->labels, f, quoted);
	buf_putc(out, ' ');
	buf_num(out, l->v);
	buf_printf(out, " %lld\n", (long long)l->t_ms);
}

static void reply_error(struct http_request *q, const struct err *e)
{
	http_reply_text(q, err_http_status(e->code), "%s\n", e->msg);
}

static void run_federate(struct api *api, struct http_request *q, void *job, struct turn *turn)
{
	struct look look = { .querier = store_querier(api->deps.store), .max_ms = clock_now_ms(api->deps.clock) };
	int64_t lookback_ms = api->deps.promql.lookback_ms;
	struct federation *f;
	struct listing *l;
	struct found found;
	struct err e = { 0 };
	bool good;

	(void)turn;
	look.min_ms = look.max_ms - (lookback_ms > 0 ? lookback_ms : PROMQL_LOOKBACK_MS);
	if (!found_within(q, (struct select_hints){ look.min_ms, look.max_ms, 0 }, &found, &e)) {
		reply_error(q, &e);
		return;
	}
	l = listing_new(&found);
	good = keep_current(l, &look, &e);
	arena_fini(&look.arena);
	if (!good) {
		reply_error(q, &e);
		listing_free(l);
		return;
	}
	(void)listing_sort(l, 0);
	f = ARENA_NEW(&l->arena, struct federation);
	*f = (struct federation){ api->deps.external_labels(api->deps.ctx, &l->arena), *(const bool *)job };
	l->put = put_sample;
	l->ctx = f;
	l->end = "";
	listing_reply(api->answers, q, l, "text/plain; version=0.0.4; charset=utf-8");
}

void api_federate(struct http_request *q)
{
	struct api *api = q->ctx;
	bool *utf8 = ARENA_NEW(q->arena, bool);
	struct str accept = http_header(q, "Accept");

	*utf8 = str_find(accept, STR("escaping=allow-utf-8")) < accept.n;
	pool_evaluate(api->pool, q, run_federate, utf8, str_hash(q->path) | 1);
}
