/* Whether a result is the expected one. Floats may differ by a millionth; NaN equals NaN; histograms are compared by the
 * buckets that are not empty. */
#include <float.h>

#include "../histogram_buckets.h"
#include "script_inside.h"
#include "tocsin/num.h"
#include "tocsin/regex.h"

static bool near(double a, double b)
{
	double sum = fabs(a) + fabs(b), off = fabs(a - b);

	if (value_is_stale(a) || value_is_stale(b))
		return value_is_stale(a) && value_is_stale(b);
	if ((isnan(a) && isnan(b)) || a == b)
		return true;
	if (a == 0 || b == 0 || sum < DBL_MIN)
		return off < 1e-6 * DBL_MIN;
	return off / fmin(sum, DBL_MAX) < 1e-6;
}

/* The next bucket that is not empty. */
static bool next_filled(struct side_walk *w, int64_t *index, double *count)
{
	while (side_next(w, index, count))
		if (*count != 0)
			return true;
	return false;
}

static bool same_side(const struct histogram_side *a, const struct histogram_side *b)
{
	struct side_walk x = side_walk_up(a), y = side_walk_up(b);
	int64_t i, k;
	double p, q;

	for (;;) {
		bool more = next_filled(&x, &i, &p);

		if (more != next_filled(&y, &k, &q))
			return false;
		if (!more)
			return true;
		if (i != k || !near(p, q))
			return false;
	}
}

static bool same_histogram(const struct histogram *want, const struct histogram *got)
{
	return want->schema == got->schema && near(want->count, got->count) && near(want->sum, got->sum) &&
	       near(want->zero_count, got->zero_count) &&
	       (want->zero_threshold == got->zero_threshold || want->schema == HISTOGRAM_CUSTOM) &&
	       bounds_same(want->custom, want->n_custom, got->custom, got->n_custom) &&
	       same_side(&want->pos, &got->pos) && same_side(&want->neg, &got->neg) &&
	       (want->reset == RESET_UNKNOWN || want->reset == got->reset);
}

static void show_value(struct buf *b, double v, const struct histogram *h)
{
	if (h != NULL)
		promql_histogram_print(b, h);
	else if (value_is_stale(v))
		buf_putz(b, "stale");
	else
		buf_num(b, v);
}

static bool same_value(const struct notation_value *want, double v, const struct histogram *h)
{
	if (want->kind == NOTATION_HISTOGRAM)
		return h != NULL && same_histogram(want->h, h);
	return want->kind == NOTATION_FLOAT && h == NULL && near(want->v, v);
}

static bool differs(struct buf *why, struct labels l, const struct notation_value *want, double v, const struct histogram *h)
{
	buf_putz(why, "expected ");
	labels_print(why, l);
	buf_putc(why, ' ');
	if (want->kind == NOTATION_NONE)
		buf_putz(why, "nothing");
	else
		show_value(why, want->v, want->h);
	buf_putz(why, ", got ");
	show_value(why, v, h);
	return false;
}

static const struct expected_series *find_expected(const struct eval_command *c, struct labels l)
{
	for (size_t i = 0; i < c->n_series; i++)
		if (labels_eq(c->series[i].labels, l))
			return &c->series[i];
	return NULL;
}

static bool missing(struct buf *why, const char *what, struct labels l)
{
	buf_printf(why, "%s ", what);
	labels_print(why, l);
	return false;
}

static bool check_vector(const struct eval_command *c, const struct promql_result *r, struct buf *why)
{
	for (size_t i = 0; i < r->n_vector; i++) {
		const struct promql_sample *s = &r->vector[i];
		const struct expected_series *x = c->ordered && i < c->n_series ? &c->series[i] : find_expected(c, s->labels);

		if (x == NULL || !labels_eq(x->labels, s->labels)) {
			if (x != NULL) {
				buf_printf(why, "at place %zu expected ", i + 1);
				labels_print(why, x->labels);
				buf_putz(why, ", ");
			}
			return missing(why, "not expected", s->labels);
		}
		if (x->n != 1)
			return missing(why, "not one value is expected for", s->labels);
		if (!same_value(&x->v[0], s->v, s->h))
			return differs(why, s->labels, &x->v[0], s->v, s->h);
	}
	for (size_t i = 0; i < c->n_series; i++) {
		bool found = false;

		for (size_t k = 0; k < r->n_vector && !found; k++)
			found = labels_eq(r->vector[k].labels, c->series[i].labels);
		if (!found)
			return missing(why, "missing", c->series[i].labels);
	}
	if (r->n_vector != c->n_series) {
		buf_printf(why, "expected %zu series, got %zu", c->n_series, r->n_vector);
		return false;
	}
	return true;
}

/* Sample <k> of the result belongs to some step. Steps without a value in the script must have none. */
static bool check_points(const struct expected_series *x, const struct promql_series *s, int64_t start_ms, int64_t step_ms, struct buf *why)
{
	static const struct notation_value none;
	size_t k = 0;

	for (size_t i = 0; i < x->n; i++) {
		int64_t t = start_ms + (int64_t)i * step_ms;

		if (x->v[i].kind == NOTATION_NONE)
			continue;
		if (k >= s->n || s->t_ms[k] != t) {
			missing(why, "no sample", s->labels);
			buf_printf(why, " at %lld ms, expected ", (long long)t);
			show_value(why, x->v[i].v, x->v[i].h);
			return false;
		}
		if (!same_value(&x->v[i], s->v[k], s->h == NULL ? NULL : s->h[k])) {
			buf_printf(why, "at %lld ms ", (long long)t);
			return differs(why, s->labels, &x->v[i], s->v[k], s->h == NULL ? NULL : s->h[k]);
		}
		k++;
	}
	if (k < s->n) {
		buf_printf(why, "at %lld ms ", (long long)s->t_ms[k]);
		return differs(why, s->labels, &none, s->v[k], s->h == NULL ? NULL : s->h[k]);
	}
	return true;
}

static bool has_values(const struct expected_series *x)
{
	for (size_t i = 0; i < x->n; i++)
		if (x->v[i].kind != NOTATION_NONE)
			return true;
	return false;
}

static bool check_matrix(const struct eval_command *c, const struct promql_result *r, struct buf *why)
{
	int64_t start = c->matrix ? c->matrix_start_ms : c->start_ms, step = c->matrix ? c->matrix_step_ms : c->step_ms;

	for (size_t i = 0; i < r->n_matrix; i++) {
		const struct expected_series *x = find_expected(c, r->matrix[i].labels);

		if (x == NULL)
			return missing(why, "not expected", r->matrix[i].labels);
		if (!check_points(x, &r->matrix[i], start, step, why))
			return false;
	}
	for (size_t i = 0; i < c->n_series; i++) {
		bool found = !has_values(&c->series[i]);

		for (size_t k = 0; k < r->n_matrix && !found; k++)
			found = labels_eq(r->matrix[k].labels, c->series[i].labels);
		if (!found)
			return missing(why, "missing", c->series[i].labels);
	}
	return true;
}

static bool text_fits(const struct expected_text *x, struct str text)
{
	struct err e = { 0 };
	struct regex *re;
	bool fits;

	if (x->text.n == 0)
		return true;
	/* errors may give a hint beyond what Prometheus says */
	if (!x->is_regex)
		return str_starts(text, x->text) &&
		       (text.n == x->text.n || str_starts((struct str){ text.p + x->text.n, text.n - x->text.n }, STR(" (hint: ")));
	re = regex_new(x->text, REGEX_SEARCH, &e);
	if (re == NULL)
		return false;
	fits = regex_match(re, text) == REGEX_YES;
	regex_free(re);
	return fits;
}

static bool check_error(const struct eval_command *c, const struct err *e, struct buf *why)
{
	struct str msg = str_of(e->msg);
	bool any = true;

	if (!c->fails) {
		buf_printf(why, "expected a result, got the error: %s", e->msg);
		return false;
	}
	for (size_t i = 0; i < c->n_texts; i++)
		if (c->texts[i].rule == RULE_FAIL)
			any = text_fits(&c->texts[i], msg);
	if (!any)
		buf_printf(why, "expected another error, got: %s", e->msg);
	return any;
}

bool script_check(const struct eval_command *c, const struct promql_result *r, const struct err *e, struct buf *why)
{
	if (r == NULL)
		return check_error(c, e, why);
	if (c->fails) {
		buf_putz(why, "expected an error, got a result");
		return false;
	}
	switch (r->type) {
	case PROMQL_STRING:
		if (c->string_set && str_eq(c->string, r->string))
			return true;
		buf_printf(why, "expected \"" STR_FMT "\", got \"" STR_FMT "\"", STR_ARG(c->string), STR_ARG(r->string));
		return false;
	case PROMQL_SCALAR:
		if (c->n_series != 1 || c->series[0].n != 1) {
			buf_printf(why, "expected %zu series, got a scalar", c->n_series);
			return false;
		}
		return same_value(&c->series[0].v[0], r->scalar.v, NULL) ||
		       differs(why, c->series[0].labels, &c->series[0].v[0], r->scalar.v, NULL);
	case PROMQL_VECTOR:
		return check_vector(c, r, why);
	case PROMQL_MATRIX:
		return check_matrix(c, r, why);
	}
	return false;
}

static bool check_notes_of(const struct eval_command *c, const struct promql_result *r, enum note_rule rule, bool none, struct buf *why)
{
	const char *kind = rule == RULE_WARN ? "warning" : "info";
	bool any = false;

	for (size_t i = 0; i < c->n_texts; i++) {
		bool found = c->texts[i].rule != rule;

		any |= !found;
		for (size_t k = 0; k < r->n_notes && !found; k++)
			found = r->notes[k].warning == (rule == RULE_WARN) && text_fits(&c->texts[i], r->notes[k].text);
		if (!found) {
			buf_printf(why, "no %s \"" STR_FMT "\"", kind, STR_ARG(c->texts[i].text));
			for (size_t k = 0; k < r->n_notes; k++)
				buf_printf(why, "; got \"" STR_FMT "\"", STR_ARG(r->notes[k].text));
			return false;
		}
	}
	for (size_t k = 0; k < r->n_notes; k++) {
		bool found = r->notes[k].warning != (rule == RULE_WARN) || (!any && !none);

		for (size_t i = 0; i < c->n_texts && !found; i++)
			found = c->texts[i].rule == rule && text_fits(&c->texts[i], r->notes[k].text);
		if (!found) {
			buf_printf(why, "not expected: \"" STR_FMT "\"", STR_ARG(r->notes[k].text));
			return false;
		}
	}
	return true;
}

bool script_check_notes(const struct eval_command *c, const struct promql_result *r, struct buf *why)
{
	return check_notes_of(c, r, RULE_WARN, c->no_warn, why) && check_notes_of(c, r, RULE_INFO, c->no_info, why);
}

struct promql_result *script_slice(struct arena *a, const struct promql_result *r, int64_t t_ms, enum promql_type type)
{
	struct promql_result *out = ARENA_NEW(a, struct promql_result);

	out->type = type;
	out->vector = ARENA_ARRAY(a, r->n_matrix + 1, struct promql_sample);
	for (size_t i = 0; i < r->n_matrix; i++) {
		const struct promql_series *s = &r->matrix[i];

		for (size_t k = 0; k < s->n; k++)
			if (s->t_ms[k] == t_ms)
				out->vector[out->n_vector++] = (struct promql_sample){ s->labels, t_ms, s->v[k], s->h == NULL ? NULL : s->h[k] };
	}
	if (type == PROMQL_SCALAR && out->n_vector == 1)
		out->scalar = out->vector[0];
	return out;
}
