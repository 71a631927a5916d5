/* Lines of test files: labels, values, start times. */
#include "notation.h"

#include "../eval_histogram.h"
#include "scan.h"
#include "tocsin/num.h"
#include "tocsin/querier.h"

static bool read_pair(struct scan *s, struct arena *a, struct label *out, struct err *e)
{
	if (scan_quoted(s, a, &out->name)) {
		scan_space(s);
		if (!scan_take(s, "=")) {       /* {"metric.name", …} */
			*out = (struct label){ STR(LABEL_NAME), out->name };
			return true;
		}
	} else {
		out->name = arena_str(a, scan_word(s));
		scan_space(s);
		if (out->name.n == 0 || !scan_take(s, "="))
			return scan_fail(s, e, "expected label=\"value\"");
	}
	scan_space(s);
	return scan_quoted(s, a, &out->value) || scan_fail(s, e, "expected a quoted value");
}

bool notation_read_labels(struct arena *a, struct str *text, struct labels *out, struct err *e)
{
	struct scan s = { *text, 0 };
	struct str metric = scan_word(&s), twice;
	struct label *v = NULL;
	size_t n = 0, cap = 0;

	v = arena_grow(a, v, 0, &cap, 4, sizeof *v);
	if (metric.n > 0)
		v[n++] = (struct label){ STR(LABEL_NAME), arena_str(a, metric) };
	scan_space(&s);
	if (!scan_at(&s, "{{") && scan_take(&s, "{")) {
		for (scan_space(&s); !scan_take(&s, "}"); scan_space(&s)) {
			v = arena_grow(a, v, n, &cap, n + 1, sizeof *v);
			if (!read_pair(&s, a, &v[n++], e))
				return false;
			scan_space(&s);
			scan_take(&s, ",");
		}
	} else if (metric.n == 0) {
		return scan_fail(&s, e, "expected a metric");
	}
	if (!labels_from(v, n, out, &twice))
		return scan_fail(&s, e, "a label stands twice");
	*text = (struct str){ s.text.p + s.pos, s.text.n - s.pos };
	return true;
}

struct values {
	struct arena *arena;
	struct notation_value *v;
	size_t n, cap;
};

static bool push(struct values *out, struct notation_value v, size_t times, const struct scan *s, struct err *e)
{
	if (times > NOTATION_MAX_VALUES - out->n)
		return scan_fail(s, e, "more than 100000 values in a line (limit NOTATION_MAX_VALUES)");
	out->v = arena_grow(out->arena, out->v, out->n, &out->cap, out->n + times, sizeof *out->v);
	while (times-- > 0)
		out->v[out->n++] = v;
	return true;
}

/* "xN" behind a value: N more of it, or of steps from it. */
static bool read_times(struct scan *s, size_t *times, struct err *e)
{
	*times = 0;
	return !scan_take(s, "x") || scan_count(s, times) || scan_fail(s, e, "expected a number of repetitions up to 100000");
}

static bool read_floats(struct scan *s, struct values *out, struct err *e)
{
	struct notation_value v = { .kind = NOTATION_FLOAT };
	double step = 0;
	size_t times;
	bool minus;

	if (!scan_number(s, &v.v))
		return scan_fail(s, e, "expected a value");
	minus = !scan_end(s) && s->text.p[s->pos] == '-';
	if (minus || (!scan_end(s) && s->text.p[s->pos] == '+')) {
		s->pos++;
		if (!scan_number(s, &step))
			return scan_fail(s, e, "expected the step of the values");
	}
	if (!read_times(s, &times, e) || !push(out, v, 1, s, e))
		return false;
	for (; times > 0; times--) {
		v.v += minus ? -step : step;
		if (!push(out, v, 1, s, e))
			return false;
	}
	return true;
}

static bool read_histograms(struct scan *s, struct values *out, struct err *e)
{
	struct notation_value v = { .kind = NOTATION_HISTOGRAM };
	struct histogram *h, *step = NULL;
	size_t times;
	bool minus = false;

	if (!scan_histogram(s, out->arena, &h, e))
		return false;
	if (scan_take(s, "+{{") || (minus = scan_take(s, "-{{"))) {
		if (!scan_histogram(s, out->arena, &step, e))
			return false;
	}
	v.h = h;
	if (!read_times(s, &times, e) || !push(out, v, 1, s, e))
		return false;
	for (; times > 0; times--) {
		if (step != NULL)
			v.h = histogram_stepped(out->arena, v.h, step, minus);
		if (v.h == NULL)
			return scan_fail(s, e, "these histograms cannot be added");
		if (!push(out, v, 1, s, e))
			return false;
	}
	return true;
}

static bool read_item(struct scan *s, struct values *out, struct err *e)
{
	struct notation_value none = { .kind = NOTATION_NONE }, stale = { .kind = NOTATION_FLOAT, .v = value_stale() };
	bool is_stale = false;
	size_t times;

	if (scan_take(s, "_x"))
		return scan_count(s, &times) ? push(out, none, times, s, e) : scan_fail(s, e, "expected a number of repetitions up to 100000");
	if (scan_take(s, "_") || (is_stale = scan_take(s, "stale")))
		return read_times(s, &times, e) && push(out, is_stale ? stale : none, times + 1, s, e);
	return scan_take(s, "{{") ? read_histograms(s, out, e) : read_floats(s, out, e);
}

bool notation_read_values(struct arena *a, struct str text, struct notation_value **out, size_t *n, struct err *e)
{
	struct scan s = { text, 0 };
	struct values values = { .arena = a };

	for (scan_space(&s); !scan_end(&s); scan_space(&s)) {
		size_t beg = s.pos;

		if (!read_item(&s, &values, e))
			return false;
		if (!scan_end(&s) && s.pos > beg && s.text.p[s.pos] != ' ' && s.text.p[s.pos] != '\t')
			return scan_fail(&s, e, "expected a space between values");
	}
	*out = values.v;
	*n = values.n;
	return true;
}

static bool read_duration(struct scan *s, int64_t *out)
{
	size_t beg = s->pos, end;
	bool minus = scan_take(s, "-");

	if (!minus)
		scan_take(s, "+");
	end = s->pos;
	while (end < s->text.n && strchr("0123456789ywdhms", s->text.p[end]) != NULL)
		end++;
	if (!num_parse_duration_ms((struct str){ s->text.p + s->pos, end - s->pos }, out)) {
		s->pos = beg;
		return false;
	}
	*out = minus ? -*out : *out;
	s->pos = end;
	return true;
}

struct starts {
	struct arena *arena;
	int64_t *v;
	size_t n, cap;
};

static bool push_starts(struct starts *out, int64_t v, int64_t step, size_t times, const struct scan *s, struct err *e)
{
	if (times > NOTATION_MAX_VALUES - out->n)
		return scan_fail(s, e, "more than 100000 values in a line (limit NOTATION_MAX_VALUES)");
	out->v = arena_grow(out->arena, out->v, out->n, &out->cap, out->n + times, sizeof *out->v);
	for (; times > 0; times--, v += step)
		out->v[out->n++] = v;
	return true;
}

bool notation_read_starts(struct arena *a, struct str text, int64_t **out, size_t *n, struct err *e)
{
	struct scan s = { text, 0 };
	struct starts starts = { .arena = a };

	for (scan_space(&s); !scan_end(&s); scan_space(&s)) {
		int64_t first = INT64_MIN, step = 0;
		size_t times;

		if (!scan_take(&s, "_") && !read_duration(&s, &first))
			return scan_fail(&s, e, "expected a duration or _");
		if (first != INT64_MIN && !scan_end(&s) && (s.text.p[s.pos] == '+' || s.text.p[s.pos] == '-') && !read_duration(&s, &step))
			return scan_fail(&s, e, "expected the step of the durations");
		if (!read_times(&s, &times, e) || !push_starts(&starts, first, step, times + 1, &s, e))
			return false;
	}
	*out = starts.v;
	*n = starts.n;
	return true;
}
