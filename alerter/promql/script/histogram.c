/* {{…}}: a native histogram, its buckets dense from the offset on. */
#include "scan.h"

enum { MAX_BUCKETS = 10000 };

static bool scan_list(struct scan *s, struct arena *a, double **out, uint32_t *n, struct err *e)
{
	size_t cap = 0, used = 0;
	double v;

	*out = NULL;
	if (!scan_take(s, "["))
		return scan_fail(s, e, "expected '['");
	for (scan_space(s); !scan_take(s, "]"); scan_space(s)) {
		if (!scan_number(s, &v))
			return scan_fail(s, e, "expected a number or ']'");
		if (used == MAX_BUCKETS)
			return scan_fail(s, e, "more than 10000 buckets (limit MAX_BUCKETS)");
		*out = arena_grow(a, *out, used, &cap, used + 1, sizeof **out);
		(*out)[used++] = v;
	}
	*n = (uint32_t)used;
	return true;
}

static bool scan_hint(struct scan *s, enum histogram_reset *out, struct err *e)
{
	static const struct {
		const char *word;
		enum histogram_reset hint;
	} hints[] = { { "unknown", RESET_UNKNOWN }, { "reset", RESET_YES }, { "not_reset", RESET_NO }, { "gauge", RESET_GAUGE } };
	struct str word = scan_word(s);

	for (size_t i = 0; i < ARRAY_LEN(hints); i++)
		if (str_eq(word, str_of(hints[i].word))) {
			*out = hints[i].hint;
			return true;
		}
	return scan_fail(s, e, "expected unknown, reset, not_reset or gauge");
}

struct fields {
	double schema, sum, count, zero_count, zero_width, offset, n_offset;
	double *buckets, *n_buckets, *custom;
	uint32_t n_pos, n_neg, n_custom;
	enum histogram_reset hint;
};

/* A word that ':' ends. */
static struct str scan_field_name(struct scan *s)
{
	size_t beg = s->pos;

	while (!scan_end(s) && ((s->text.p[s->pos] >= 'a' && s->text.p[s->pos] <= 'z') || s->text.p[s->pos] == '_'))
		s->pos++;
	return (struct str){ s->text.p + beg, s->pos - beg };
}

static bool scan_field(struct scan *s, struct arena *a, struct fields *f, struct err *e)
{
	const struct {
		const char *name;
		double *to;
	} numbers[] = {
		{ "schema", &f->schema },     { "sum", &f->sum },           { "count", &f->count },       { "z_bucket", &f->zero_count },
		{ "z_bucket_w", &f->zero_width }, { "offset", &f->offset }, { "n_offset", &f->n_offset },
	};
	struct str name = scan_field_name(s);

	if (!scan_take(s, ":"))
		return scan_fail(s, e, "expected a field such as sum:1");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (str_eq(name, str_of(numbers[i].name)))
			return scan_number(s, numbers[i].to) || scan_fail(s, e, "expected a number");
	if (str_eq(name, STR("buckets")))
		return scan_list(s, a, &f->buckets, &f->n_pos, e);
	if (str_eq(name, STR("n_buckets")))
		return scan_list(s, a, &f->n_buckets, &f->n_neg, e);
	if (str_eq(name, STR("custom_values")))
		return scan_list(s, a, &f->custom, &f->n_custom, e);
	if (str_eq(name, STR("counter_reset_hint")))
		return scan_hint(s, &f->hint, e);
	return scan_fail(s, e, "unknown field of a histogram");
}

static struct histogram_side dense_side(struct arena *a, double *buckets, uint32_t n, double offset)
{
	struct histogram_span *span = ARENA_NEW(a, struct histogram_span);

	if (n == 0)
		return (struct histogram_side){ 0 };
	*span = (struct histogram_span){ (int32_t)offset, n };
	return (struct histogram_side){ span, buckets, 1, n };
}

static bool sane(double v, double low, double high)
{
	return v >= low && v <= high && v == (double)(int32_t)v;
}

bool scan_histogram(struct scan *s, struct arena *a, struct histogram **out, struct err *e)
{
	struct fields f = { 0 };
	struct histogram *h = ARENA_NEW(a, struct histogram);

	for (scan_space(s); !scan_take(s, "}}"); scan_space(s))
		if (!scan_field(s, a, &f, e))
			return false;
	if (!sane(f.offset, -1e6, 1e6) || !sane(f.n_offset, -1e6, 1e6))
		return scan_fail(s, e, "offset out of range");
	if (f.schema != HISTOGRAM_CUSTOM && !sane(f.schema, HISTOGRAM_SCHEMA_MIN, HISTOGRAM_SCHEMA_MAX))
		return scan_fail(s, e, "schema must be -4 to 8, or -53");
	*h = (struct histogram){ .schema = (int32_t)f.schema, .reset = f.hint, .zero_threshold = f.zero_width, .zero_count = f.zero_count,
	                         .count = f.count, .sum = f.sum, .custom = f.custom, .n_custom = f.n_custom,
	                         .pos = dense_side(a, f.buckets, f.n_pos, f.offset), .neg = dense_side(a, f.n_buckets, f.n_neg, f.n_offset) };
	*out = h;
	return true;
}
