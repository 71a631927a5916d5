/* Columns are found by name. One that is missing is a mistake in the configuration, not a NULL, but in a file of postgres_exporter's,
 * where every column stands for itself: one that is missing, or no number, is left out, one that nobody listed is a metric too. A
 * histogram there is four columns: x with the bounds and x_bucket with the cumulated counts, both arrays; x_sum; x_count. */
#include "gauges/columns.h"

#include <math.h>
#include <stdlib.h>

#include "gauges/timestamp.h"
#include "tocsin/mem.h"

enum type { TYPE_BOOL = 16, TYPE_DATE = 1082, TYPE_TIMESTAMP = 1114, TYPE_TIMESTAMPTZ = 1184 };

struct answer {
	const PGresult *result;
	bool peer;                      /* texts are as the peer has them */
};

/* -1 when there is none. */
static int find_column(const PGresult *r, struct str name)
{
	for (int c = 0; c < PQnfields(r); c++)
		if (str_eq(str_of(PQfname(r, c)), name))
			return c;
	return -1;
}

static struct str text_of(const PGresult *r, int row, int column)
{
	return (struct str){ PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column) };
}

/* A time is a number, and as a label what the server wrote; there, whole seconds. */
static bool is_time(const struct answer *x, int column, struct str text, struct arena *a, struct cell *c)
{
	const Oid type = PQftype(x->result, column);
	double seconds;

	if ((type != TYPE_DATE && type != TYPE_TIMESTAMP && type != TYPE_TIMESTAMPTZ) || !pg_timestamp_seconds(text, &seconds))
		return false;
	*c = (struct cell){ .kind = CELL_NUMBER, .number = seconds, .text = text };
	if (x->peer && isfinite(seconds))
		c->text = arena_printf(a, "%.0f", floor(seconds));
	return true;
}

static struct cell get(const struct gauge_rows *rows, size_t i, struct str key, struct arena *a)
{
	const struct answer *x = rows->data;
	const int row = (int)i, column = find_column(x->result, key);
	struct cell c;
	struct str text;

	if (column < 0)
		return (struct cell){ .kind = CELL_ABSENT };
	if (PQgetisnull(x->result, row, column))
		return (struct cell){ .kind = CELL_NULL };
	text = text_of(x->result, row, column);
	if (is_time(x, column, text, a, &c))
		return c;
	if (x->peer && PQftype(x->result, column) == TYPE_BOOL)
		text = text.n > 0 && text.p[0] == 't' ? STR("true") : STR("false");
	return (struct cell){ .kind = CELL_TEXT, .text = text };
}

static bool has_columns(const PGresult *r, const struct gauge_query *q, struct err *e)
{
	const struct gauge_metric *metrics = q->metrics.v;

	for (size_t m = 0; m < q->metrics.n; m++)
		for (size_t l = metrics[m].is_info ? 1 : 0; l <= metrics[m].labels.n; l++) {
			struct str want = l == 0 ? metrics[m].value : metrics[m].labels.v[l - 1].value;

			if (find_column(r, want) < 0)
				return err_set(e, ERR_BAD_INPUT, -1, "no column \"" STR_FMT "\" in the result", STR_ARG(want));
		}
	return true;
}

/* ---- Of a file of the peer's ---- */

static void miss(struct gauge_round *r, struct str column)
{
	struct err e = { 0 };

	err_set(&e, ERR_BAD_INPUT, -1, "no column \"" STR_FMT "\" in the result", STR_ARG(column));
	gauge_round_leave_out(r, &e);
}

static bool is_listed(const struct gauge_columns *columns, struct str name)
{
	for (size_t i = 0; i < columns->listed.n; i++)
		if (str_eq(columns->listed.v[i], name))
			return true;
	return false;
}

/* A column without a usage is a metric of no type, where it holds numbers. */
static bool add_unlisted(struct arena *a, const struct gauge_query *q, const PGresult *result, int column, struct gauge_metric *m)
{
	struct str name = str_of(PQfname(result, column)), metric;

	if (is_listed(q->columns, name) || find_column(result, name) != column)
		return false;
	name = arena_str(a, name);
	metric = arena_printf(a, STR_FMT "_" STR_FMT, STR_ARG(q->name), STR_ARG(name));
	*m = (struct gauge_metric){ .name = metric, .value = name, .labels = q->columns->labels, .scale = 1, .odd = GAUGE_ODD_IGNORED,
	    .family = { metric.p, EXPO_UNTYPED, "A column of the query that the file says nothing about.", NULL } };
	return labels_metric_is_plain(metric);
}

static struct conf_list metrics_of(struct gauge_round *r, const struct gauge_query *q, const PGresult *result)
{
	struct arena *a = expo_set_arena(r->out);
	const struct gauge_metric *listed = q->metrics.v;
	struct gauge_metric *v = ARENA_ARRAY(a, q->metrics.n + (size_t)PQnfields(result), struct gauge_metric);
	size_t n = 0;

	for (size_t l = 0; l < q->columns->labels.n; l++)
		if (find_column(result, q->columns->labels.v[l].value) < 0)
			miss(r, q->columns->labels.v[l].value);
	for (size_t m = 0; m < q->metrics.n; m++)
		if (find_column(result, listed[m].value) < 0)
			miss(r, listed[m].value);
		else if (listed[m].family.type != EXPO_HISTOGRAM)
			v[n++] = listed[m];
	for (int c = 0; c < PQnfields(result); c++)
		if (add_unlisted(a, q, result, c, &v[n]))
			n++;
	return (struct conf_list){ v, n, NULL };
}

struct buckets {
	double bounds[GAUGE_BUCKETS_MAX], cumulated[GAUGE_BUCKETS_MAX];
	uint64_t counts[GAUGE_BUCKETS_MAX + 1];
	size_t n;
	double sum, count;
};

/* {1,2.5,…} */
static bool read_array(struct str text, double v[GAUGE_BUCKETS_MAX], size_t *n, struct err *e)
{
	struct str rest = { text.p + 1, text.n - 2 }, one;

	*n = 0;
	if (text.n < 2 || text.p[0] != '{' || text.p[text.n - 1] != '}')
		return err_set(e, ERR_BAD_INPUT, -1, "\"%.*s\" is no array", text.n > 40 ? 40 : (int)text.n, text.p);
	while (rest.n > 0 && str_cut(&rest, ',', &one)) {
		if (*n == GAUGE_BUCKETS_MAX)
			return err_set(e, ERR_LIMIT, -1, "more than %d buckets (buckets)", GAUGE_BUCKETS_MAX);
		if (!str_to_decimal(one, &v[(*n)++]))
			return err_set(e, ERR_BAD_INPUT, -1, "\"%.*s\" in an array is no number", one.n > 40 ? 40 : (int)one.n, one.p);
	}
	return true;
}

/* Rows are grouped in any order. */
static void sort_buckets(struct buckets *b)
{
	for (size_t i = 1; i < b->n; i++)
		for (size_t k = i; k > 0 && b->bounds[k - 1] > b->bounds[k]; k--) {
			double bound = b->bounds[k], count = b->cumulated[k];

			b->bounds[k] = b->bounds[k - 1];
			b->cumulated[k] = b->cumulated[k - 1];
			b->bounds[k - 1] = bound;
			b->cumulated[k - 1] = count;
		}
}

/* Column <name><suffix> of a row. */
static bool histogram_text(const struct answer *x, int row, struct str name, const char *suffix, struct arena *a, struct str *text,
                           struct err *e)
{
	struct str column = arena_printf(a, STR_FMT "%s", STR_ARG(name), suffix);
	int c = find_column(x->result, column);

	if (c < 0)
		return err_set(e, ERR_BAD_INPUT, -1, "no column \"" STR_FMT "\" in the result", STR_ARG(column));
	if (PQgetisnull(x->result, row, c))
		return err_set(e, ERR_BAD_INPUT, -1, "\"" STR_FMT "\" is null", STR_ARG(column));
	*text = text_of(x->result, row, c);
	return true;
}

static bool read_buckets(const struct answer *x, int row, struct str name, struct arena *a, struct buckets *b, struct err *e)
{
	struct str bounds, cumulated, sum, count;
	size_t n;

	if (!histogram_text(x, row, name, "", a, &bounds, e) || !histogram_text(x, row, name, "_bucket", a, &cumulated, e)
	 || !histogram_text(x, row, name, "_sum", a, &sum, e) || !histogram_text(x, row, name, "_count", a, &count, e)
	 || !read_array(bounds, b->bounds, &b->n, e) || !read_array(cumulated, b->cumulated, &n, e))
		return false;
	if (!str_to_decimal(sum, &b->sum) || !str_to_decimal(count, &b->count))
		return err_set(e, ERR_BAD_INPUT, -1, "its sum or its count is no number");
	if (b->n != n)
		return err_set(e, ERR_BAD_INPUT, -1, "%zu bounds and %zu buckets", b->n, n);
	sort_buckets(b);
	if (b->n > 0 && isinf(b->bounds[b->n - 1]))
		b->n--;                         /* that is the count */
	return true;
}

/* Counts of each bucket of its own; the last lies above every bound. */
static bool part_counts(struct buckets *b, struct err *e)
{
	double before = 0;

	for (size_t i = 0; i <= b->n; i++) {
		double now = i < b->n ? b->cumulated[i] : b->count;

		if (!(now >= before && now <= 1e18))
			return err_set(e, ERR_BAD_INPUT, -1, "buckets are cumulated: none is below the one before, nor above the count");
		b->counts[i] = (uint64_t)(now - before);
		before = now;
	}
	return true;
}

/* One row; <show>: emits it, else only counts and checks. */
static bool take_histogram(struct gauge_round *r, const struct gauge_rows *rows, int row, const struct gauge_metric *m, bool show,
                           struct buckets *b, struct err *e)
{
	struct arena *a = expo_set_arena(r->out);
	const struct label *labels;

	if (!read_buckets(rows->data, row, m->value, a, b, e) || !part_counts(b, e))
		return false;
	labels = gauge_row_labels(m, rows, (size_t)row, a, e);
	if (labels == NULL)
		return false;
	if (show)
		expo_emit_histogram(r->out, &m->family, b->bounds, b->n, b->counts, b->sum, labels, m->labels.n);
	else
		r->series += b->n + 3;
	return true;
}

static void take_histograms(struct gauge_round *r, const struct gauge_rows *rows, const struct gauge_query *q, bool show)
{
	const struct answer *x = rows->data;
	const struct gauge_metric *listed = q->metrics.v;
	struct buckets *b = mem_alloc(sizeof *b);

	for (size_t m = 0; m < q->metrics.n; m++)
		for (int row = 0; row < (int)rows->n && listed[m].family.type == EXPO_HISTOGRAM; row++) {
			struct err e = { 0 };

			if (find_column(x->result, listed[m].value) < 0 || take_histogram(r, rows, row, &listed[m], show, b, &e))
				continue;
			err_context(&e, STR_FMT, STR_ARG(listed[m].name));
			gauge_round_leave_out(r, &e);
		}
	free(b);
}

static void take_of_peer(struct gauge_round *r, size_t i, struct gauge_rows *rows)
{
	const struct gauge_query *q = (const struct gauge_query *)r->settings->queries.v + i;
	const struct answer *x = rows->data;
	const struct conf_list metrics = metrics_of(r, q, x->result);
	const size_t series = r->series;
	struct err e = { 0 };

	rows->metrics = &metrics;
	take_histograms(r, rows, q, false);
	if (r->series > (size_t)r->settings->max_series)
		gauge_round_fail(r, i, gauge_round_full(r, &e));
	else
		gauge_round_take(r, i, rows);
	if (r->states[i].failed)
		r->series = series;
	else
		take_histograms(r, rows, q, true);
	r->odd = (struct err){ 0 };             /* said */
}

void gauge_columns_take(struct gauge_round *r, size_t i, const PGresult *result)
{
	const struct gauge_query *q = (const struct gauge_query *)r->settings->queries.v + i;
	const struct answer x = { result, q->columns != NULL };
	struct gauge_rows rows = { .n = (size_t)PQntuples(result), .get = get, .data = &x };
	struct err e = { 0 };

	if (q->columns != NULL)
		take_of_peer(r, i, &rows);
	else if (has_columns(result, q, &e))
		gauge_round_take(r, i, &rows);
	else
		gauge_round_fail(r, i, &e);
}
