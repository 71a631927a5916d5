/* export openmetrics: samples of a storage path as OpenMetrics text with timestamps, which import reads, and so does promtool. Whether the
 * alerter runs or not: nothing is changed. Native histograms have no place in the text: classic ones stand for them. Nor have stale
 * markers, which are left out, nor what a metric is, which nobody keeps. */
#include <stdio.h>
#include <stdlib.h>

#include "classic.h"
#include "commands.h"
#include "promql/promql.h"
#include "store/store.h"
#include "tocsin/clock.h"
#include "tocsin/flags.h"
#include "tocsin/mem.h"
#include "tocsin/num.h"

struct row {
	const struct selection *from;
	size_t at;
	const struct series *series;
};

struct export {
	struct store *store;
	struct querier *q;
	struct selection *selections[FLAG_LIST_MAX];
	size_t n_selections;
	struct row *rows;
	size_t n, cap;
	int64_t start_ms, end_ms;
	size_t histograms, left_histograms, markers, unread;
	struct err why_unread; /* the first time */
	struct buf out;
	struct arena arena;
};

/* Seconds since 1970 or RFC 3339; empty stays as it is. */
static bool take_time(struct str text, const char *flag, int64_t *ms, struct err *e)
{
	double seconds;

	if (text.n == 0 || clock_parse_rfc3339(text.p, text.n, ms))
		return true;
	if (!str_to_double(text, &seconds) || !(seconds > -1e12 && seconds < 1e12))
		return err_set(e, ERR_BAD_INPUT, -1, "--%s=" STR_FMT ": seconds since 1970, or 2026-11-22T21:52:08Z", flag, STR_ARG(text));
	*ms = (int64_t)(seconds * 1000);
	return true;
}

static bool select_rows(struct export *x, struct str selector, struct err *e)
{
	struct matcher *m;
	struct selection *s;
	size_t n;

	if (!promql_parse_matchers(&x->arena, selector, &m, &n, e))
		return err_context(e, "the selector " STR_FMT, STR_ARG(selector));
	s = x->q->ops->select(x->q, m, n, (struct select_hints){ INT64_MIN, INT64_MAX, 0 }, e);
	promql_free_matchers(m, n);
	if (s == NULL)
		return false;
	x->selections[x->n_selections++] = s;
	x->rows = mem_grow(x->rows, &x->cap, x->n + s->n, sizeof *x->rows);
	for (size_t i = 0; i < s->n; i++)
		x->rows[x->n++] = (struct row){ s, i, &s->v[i] };
	return true;
}

/* Families together, a series that several selectors name once. */
static int by_family(const void *a, const void *b)
{
	const struct labels l = ((const struct row *)a)->series->labels, r = ((const struct row *)b)->series->labels;
	int order = str_cmp(labels_get(l, STR(LABEL_NAME)), labels_get(r, STR(LABEL_NAME)));

	return order != 0 ? order : labels_cmp(l, r);
}

static void put_text(struct buf *b, struct str text, bool plain)
{
	if (!plain)
		buf_putc(b, '"');
	labels_escape(b, text);
	if (!plain)
		buf_putc(b, '"');
}

/* name{a="b",c="d"}, without the space that labels_print puts between: parsers of OpenMetrics refuse it. Other names stand in the braces. */
static void put_name(struct buf *b, struct labels l)
{
	struct str metric = labels_get(l, STR(LABEL_NAME));
	bool plain = labels_metric_is_plain(metric), any = !plain;

	if (plain)
		buf_puts(b, metric);
	buf_putc(b, '{');
	if (!plain)
		put_text(b, metric, false);
	for (size_t i = 0; i < l.n; i++) {
		if (str_eq(l.v[i].name, STR(LABEL_NAME)))
			continue;
		if (any)
			buf_putc(b, ',');
		put_text(b, l.v[i].name, labels_name_is_plain(l.v[i].name));
		buf_putc(b, '=');
		put_text(b, l.v[i].value, false);
		any = true;
	}
	buf_putc(b, '}');
}

static void put_family(struct export *x, struct str metric, const char *type)
{
	buf_putz(&x->out, "# TYPE ");
	put_text(&x->out, metric, labels_metric_is_plain(metric));
	buf_printf(&x->out, " %s\n", type);
}

static void put_sample(struct export *x, struct str name, int64_t t_ms, double v)
{
	char seconds[NUM_MAX];

	buf_puts(&x->out, name);
	buf_putc(&x->out, ' ');
	buf_num(&x->out, v);
	num_format_seconds(seconds, t_ms);
	buf_printf(&x->out, " %s\n", seconds);
}

static void put_classic(void *ctx, struct labels l, int64_t t_ms, double v)
{
	struct export *x = ctx;
	struct buf name = { 0 };

	put_name(&name, l);
	put_sample(x, buf_str(&name), t_ms, v);
	buf_fini(&name);
}

/* Whether there are classic ones already, from the same scrapes. */
static bool has_classic(const struct export *x, struct str metric)
{
	size_t lo = 0, hi = x->n;
	struct buf count = { 0 };
	bool found;

	buf_puts(&count, metric);
	buf_putz(&count, "_count");
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (str_cmp(labels_get(x->rows[mid].series->labels, STR(LABEL_NAME)), buf_str(&count)) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	found = lo < x->n && str_eq(labels_get(x->rows[lo].series->labels, STR(LABEL_NAME)), buf_str(&count));
	buf_fini(&count);
	return found;
}

static void put_histograms(struct export *x, const struct row *row, const struct samples *s)
{
	if (!has_classic(x, labels_get(row->series->labels, STR(LABEL_NAME)))) {
		x->histograms += classic_put(row->series->labels, s, &x->arena, put_classic, x);
		return;
	}
	for (size_t i = 0; i < s->n; i++)
		x->left_histograms += s->h[i] != NULL;
}

static bool spill(struct export *x, struct err *e)
{
	bool ok = fwrite(x->out.p, 1, x->out.n, stdout) == x->out.n;

	buf_reset(&x->out);
	return ok || err_set(e, ERR_IO, -1, "cannot write the text");
}

static bool put_row(struct export *x, const struct row *row, bool first, struct err *e)
{
	struct err again = { 0 };
	struct buf name = { 0 };
	struct samples s;

	if (!x->q->ops->samples(x->q, row->from, row->at, x->start_ms, x->end_ms, false, &x->arena, &s, x->unread++ == 0 ? &x->why_unread : &again))
		return true;
	x->unread--;
	if (first && s.n > 0)
		put_family(x, labels_get(row->series->labels, STR(LABEL_NAME)), s.h != NULL ? "histogram" : "unknown");
	put_name(&name, row->series->labels);
	for (size_t i = 0; i < s.n; i++)
		if (s.h == NULL || s.h[i] == NULL) {
			x->markers += value_is_stale(s.v[i]);
			if (!value_is_stale(s.v[i]))
				put_sample(x, buf_str(&name), s.t_ms[i], s.v[i]);
		}
	if (s.h != NULL)
		put_histograms(x, row, &s);
	buf_fini(&name);
	return spill(x, e);
}

static bool put_rows(struct export *x, struct err *e)
{
	struct str metric = { 0 };

	if (x->n > 1)
		qsort(x->rows, x->n, sizeof *x->rows, by_family);
	for (size_t i = 0; i < x->n; i++) {
		struct arena_mark mark = arena_mark(&x->arena);
		struct str name = labels_get(x->rows[i].series->labels, STR(LABEL_NAME));
		bool ok = (i > 0 && x->rows[i].series->id == x->rows[i - 1].series->id) || put_row(x, &x->rows[i], !str_eq(name, metric), e);

		arena_rewind(&x->arena, mark);
		if (!ok)
			return false;
		metric = name;
	}
	buf_putz(&x->out, "# EOF\n");
	if (!spill(x, e) || (fflush(stdout) != 0 && !err_set(e, ERR_IO, -1, "cannot write the text")))
		return false;
	if (x->unread > 0)
		return err_set(e, x->why_unread.code, -1, "%zu series are left out: %s", x->unread, x->why_unread.msg);
	return tool_is_sound(x->store, e);
}

static bool export_all(struct export *x, const struct flag_list *selectors, struct err *e)
{
	for (size_t i = 0; i < selectors->n; i++)
		if (!select_rows(x, selectors->v[i], e))
			return false;
	return (selectors->n > 0 || select_rows(x, STR("{__name__!=\"\"}"), e)) && put_rows(x, e);
}

static void export_fini(struct export *x)
{
	for (size_t i = 0; i < x->n_selections; i++)
		x->q->ops->release(x->q, x->selections[i]);
	store_free(x->store);
	free(x->rows);
	buf_fini(&x->out);
	arena_fini(&x->arena);
}

int export_openmetrics(int argc, char **argv)
{
	struct str storage, start, end;
	const struct flag flags[] = {
		{ "storage.path", FLAG_TEXT, &storage, "data", "DIR", "Where the alerter keeps its data." },
		{ "start", FLAG_TEXT, &start, "", "TIME", "No samples before." },
		{ "end", FLAG_TEXT, &end, "", "TIME", "No samples after." },
	};
	struct export x = { .start_ms = INT64_MIN, .end_ms = INT64_MAX };
	struct flag_list selectors = { 0 };
	struct err e = { 0 };
	bool ok;

	if (!flags_parse(flags, ARRAY_LEN(flags), argc + 1, argv - 1, &selectors, &e) || !take_time(start, "start", &x.start_ms, &e) ||
	    !take_time(end, "end", &x.end_ms, &e)) {
		fprintf(stderr, "tocsin-alerter export openmetrics: %s\n", e.msg);
		return 2;
	}
	x.start_ms -= x.start_ms > INT64_MIN; /* the store's windows are open there */
	x.store = store_new(NULL);
	x.q = store_querier(x.store);
	ok = store_open_read(x.store, storage.p, &e) && export_all(&x, &selectors, &e);
	if (!ok)
		fprintf(stderr, "tocsin-alerter export openmetrics: %s\n", e.msg);
	if (x.histograms > 0)
		fprintf(stderr, "%zu samples of native histograms are written as classic ones: _bucket, _sum, _count\n", x.histograms);
	if (x.left_histograms > 0)
		fprintf(stderr, "%zu samples of native histograms are left out: there are classic ones of that name\n", x.left_histograms);
	if (x.markers > 0)
		fprintf(stderr, "%zu stale markers are left out: the text has none, so series seem to last five minutes longer\n", x.markers);
	export_fini(&x);
	return ok ? 0 : 1;
}
