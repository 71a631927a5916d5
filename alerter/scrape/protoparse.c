/* The protobuf format. Fields come in any order, so a family and a metric are each gone through twice: once for what they are, once for
 * what they hold. */
#include "scrape/protoparse.h"

#include <math.h>
#include <stdlib.h>

#include "tocsin/mem.h"
#include "tocsin/num.h"
#include "tocsin/wire.h"

enum metric_type { COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM, METRIC_TYPES };

enum { FAMILY_NAME = 1, FAMILY_HELP, FAMILY_TYPE, FAMILY_METRIC, FAMILY_UNIT };
enum { METRIC_LABEL = 1, METRIC_TIMESTAMP = 6 };
enum { COUNTER_EXEMPLAR = 2, BUCKET_EXEMPLAR = 3, HISTOGRAM_EXEMPLARS = 16 };
#define MAX_SECONDS INT64_C(315576000000) /* ten thousand years */
enum { COUNT = 1, SUM = 2, PARTS = 3, HISTOGRAM_COUNT_FLOAT = 4 }; /* of a summary or histogram; parts: quantiles or buckets */

static const struct {
	struct str name;
	uint32_t value; /* field of a metric */
} types[METRIC_TYPES] = {
	[COUNTER] = { { "counter", 7 }, 3 },     [GAUGE] = { { "gauge", 5 }, 2 },
	[SUMMARY] = { { "summary", 7 }, 4 },     [UNTYPED] = { { "unknown", 7 }, 5 },
	[HISTOGRAM] = { { "histogram", 9 }, 7 }, [GAUGE_HISTOGRAM] = { { "gaugehistogram", 14 }, 7 },
};

struct reader {
	const struct protoparse_options *options;
	const struct protoparse_sink *sink;
	struct err *err;
	struct arena arena;      /* of a metric's histogram and exemplars */
	struct textparse_exemplar *exemplars; /* of the sample that comes next */
	size_t n_exemplars, cap_exemplars;
	struct buf labels, text; /* a metric's own labels, written; a whole series */
	struct str name;
	enum metric_type type;
	bool plain;
	struct textparse_sample sample;
};

static bool bad_because(struct reader *r, enum err_code code, const char *what)
{
	return err_set(r->err, code, -1, "protobuf: %s%s" STR_FMT, what, r->name.n > 0 ? " in " : "",
	               (int)(r->name.n < 100 ? r->name.n : 100), r->name.n > 0 ? r->name.p : "");
}

static bool bad(struct reader *r, const char *what)
{
	return bad_because(r, ERR_SYNTAX, what);
}

/* ---- Series, written ---- */

static void put_quoted(struct buf *b, struct str s)
{
	buf_putc(b, '"');
	labels_escape(b, s);
	buf_putc(b, '"');
}

/* Behind a label, or the quoted name, that is already there. */
static void put_comma(struct buf *b, bool *behind)
{
	if (*behind)
		buf_putc(b, ',');
	*behind = true;
}

static void put_name(struct reader *r, const char *suffix)
{
	struct buf *b = &r->text;

	if (r->plain) {
		buf_puts(b, r->name);
		buf_putz(b, suffix);
		return;
	}
	buf_putz(b, "{\"");
	labels_escape(b, r->name);
	buf_putz(b, suffix);
	buf_putc(b, '"');
}

/* le and quantile are written as Prometheus writes floats there: 1 is 1.0. */
static void put_bound(struct buf *b, const char *label, double v)
{
	char text[NUM_MAX];
	size_t n = num_format(text, v);

	buf_putz(b, label);
	buf_putz(b, "=\"");
	buf_put(b, text, n);
	if (isfinite(v) && memchr(text, '.', n) == NULL && memchr(text, 'e', n) == NULL)
		buf_putz(b, ".0");
	buf_putc(b, '"');
}

/* One sample of this metric; <bound>: label or NULL. */
static bool emit(struct reader *r, const char *suffix, const char *bound, double at, double v)
{
	bool behind = !r->plain;

	buf_reset(&r->text);
	put_name(r, suffix);
	if (r->plain && (r->labels.n > 0 || bound != NULL))
		buf_putc(&r->text, '{');
	if (r->labels.n > 0) {
		put_comma(&r->text, &behind);
		buf_puts(&r->text, buf_str(&r->labels));
	}
	if (bound != NULL) {
		put_comma(&r->text, &behind);
		put_bound(&r->text, bound, at);
	}
	if (behind)
		buf_putc(&r->text, '}');
	r->sample.v = v;
	r->sample.exemplars = r->exemplars;
	r->sample.n_exemplars = (uint32_t)r->n_exemplars;
	r->n_exemplars = 0;
	return r->sink->sample(r->sink->ctx, buf_str(&r->text), &r->sample);
}

static bool put_label(struct reader *r, struct buf *b, struct str pair)
{
	struct wire w = wire_of(pair);
	struct str name = STR(""), value = STR("");
	struct wire_field f;
	bool behind = b->n > 0;

	while (wire_next(&w, &f)) {
		if (f.number == 1)
			name = wire_bytes(&w, &f);
		else if (f.number == 2)
			value = wire_bytes(&w, &f);
	}
	put_comma(b, &behind);
	if (labels_name_is_plain(name))
		buf_puts(b, name);
	else
		put_quoted(b, name);
	buf_putc(b, '=');
	put_quoted(b, value);
	return !w.bad || bad(r, "a malformed label");
}

/* ---- Exemplars ---- */

static bool read_timestamp(struct str time, int64_t *t_ms)
{
	struct wire w = wire_of(time);
	struct wire_field f;
	int64_t seconds = 0, nanos = 0;

	while (wire_next(&w, &f)) {
		if (f.number == 1)
			seconds = (int64_t)wire_uint(&w, &f);
		else if (f.number == 2)
			nanos = (int64_t)wire_uint(&w, &f);
	}
	if (w.bad || seconds < -MAX_SECONDS || seconds > MAX_SECONDS || nanos < 0 || nanos > 999999999)
		return false;
	*t_ms = seconds * 1000 + nanos / 1000000;
	return true;
}

/* For the sample that comes next. <timed>: only one with a time of its own. */
static bool read_exemplar(struct reader *r, struct str exemplar, bool timed)
{
	struct wire w = wire_of(exemplar);
	struct textparse_exemplar e = { 0 };
	struct buf labels = { 0 };
	struct wire_field f;
	bool ok = true;

	while (ok && wire_next(&w, &f)) {
		if (f.number == 1)
			ok = put_label(r, &labels, wire_bytes(&w, &f));
		else if (f.number == 2)
			e.v = wire_double(&w, &f);
		else if (f.number == 3)
			ok = (e.has_t = read_timestamp(wire_bytes(&w, &f), &e.t_ms)) || bad(r, "a malformed time of an exemplar");
	}
	if (ok && w.bad)
		ok = bad(r, "a malformed exemplar");
	if (ok && (e.has_t || !timed)) {
		e.text = arena_printf(&r->arena, "{" STR_FMT "}", STR_ARG(buf_str(&labels)));
		r->exemplars = mem_grow(r->exemplars, &r->cap_exemplars, r->n_exemplars + 1, sizeof *r->exemplars);
		r->exemplars[r->n_exemplars++] = e;
	}
	buf_fini(&labels);
	return ok;
}

/* Of a native histogram: its own, else those of its buckets; as in Prometheus such without a time count for nothing. */
static bool read_native_exemplars(struct reader *r, struct str histogram)
{
	struct wire w = wire_of(histogram), b;
	struct wire_field f, g;
	bool ok = true;

	while (ok && wire_next(&w, &f))
		ok = f.number != HISTOGRAM_EXEMPLARS || read_exemplar(r, wire_bytes(&w, &f), true);
	w = wire_of(histogram);
	for (bool own = r->n_exemplars > 0; ok && !own && wire_next(&w, &f);) {
		if (f.number != PARTS)
			continue;
		b = wire_of(wire_bytes(&w, &f));
		while (ok && wire_next(&b, &g))
			ok = g.number != BUCKET_EXEMPLAR || read_exemplar(r, wire_bytes(&b, &g), true);
	}
	return ok;
}

/* ---- Values ---- */

static bool read_single(struct reader *r, struct str value)
{
	struct wire w = wire_of(value);
	struct wire_field f;
	double v = 0;

	while (wire_next(&w, &f)) {
		if (f.number == 1)
			v = wire_double(&w, &f);
		else if (f.number == COUNTER_EXEMPLAR && r->type == COUNTER && !read_exemplar(r, wire_bytes(&w, &f), false))
			return false;
	}
	return w.bad ? bad(r, "a malformed value") : emit(r, "", NULL, 0, v);
}

static bool read_quantile(struct reader *r, struct str part)
{
	struct wire w = wire_of(part);
	struct wire_field f;
	double quantile = 0, v = 0;

	while (wire_next(&w, &f)) {
		if (f.number == 1)
			quantile = wire_double(&w, &f);
		else if (f.number == 2)
			v = wire_double(&w, &f);
	}
	return w.bad ? bad(r, "a malformed quantile") : emit(r, "", "quantile", quantile, v);
}

static bool read_bucket(struct reader *r, struct str part, bool *to_infinity)
{
	struct wire w = wire_of(part);
	double whole = 0, floating = 0, bound = 0;
	struct wire_field f;

	while (wire_next(&w, &f)) {
		if (f.number == 1)
			whole = (double)wire_uint(&w, &f);
		else if (f.number == 2)
			bound = wire_double(&w, &f);
		else if (f.number == 4)
			floating = wire_double(&w, &f);
		else if (f.number == BUCKET_EXEMPLAR && !read_exemplar(r, wire_bytes(&w, &f), false))
			return false;
	}
	*to_infinity |= isinf(bound) && bound > 0;
	return w.bad ? bad(r, "a malformed bucket") : emit(r, "_bucket", "le", bound, floating > 0 ? floating : whole);
}

/* What a summary, or a histogram, says of itself. */
struct totals {
	double count, sum;
	bool parts, native;
};

static bool read_totals(struct reader *r, struct str value, struct totals *t)
{
	struct wire w = wire_of(value);
	double floating = 0;
	struct wire_field f;

	while (wire_next(&w, &f)) {
		bool in_histogram = r->type != SUMMARY;

		if (f.number == COUNT)
			t->count = (double)wire_uint(&w, &f);
		else if (f.number == SUM)
			t->sum = wire_double(&w, &f);
		else if (f.number == HISTOGRAM_COUNT_FLOAT && in_histogram)
			floating = wire_double(&w, &f);
		t->parts |= f.number == PARTS;
		/* Spans, or a zero bucket of any width or count. */
		t->native |= in_histogram && (f.number == 9 || f.number == 12 || ((f.number >= 6 && f.number <= 8) && f.bits != 0));
	}
	if (floating > 0)
		t->count = floating;
	return !w.bad || bad(r, "a malformed summary or histogram");
}

static bool read_parts(struct reader *r, struct str value, const struct totals *t)
{
	struct wire w = wire_of(value);
	struct wire_field f;
	bool to_infinity = false, ok = emit(r, "_count", NULL, 0, t->count) && emit(r, "_sum", NULL, 0, t->sum);

	while (ok && wire_next(&w, &f)) {
		if (f.number != PARTS)
			continue;
		ok = r->type == SUMMARY ? read_quantile(r, wire_bytes(&w, &f)) : read_bucket(r, wire_bytes(&w, &f), &to_infinity);
	}
	if (ok && w.bad)
		ok = bad(r, "a malformed summary or histogram");
	if (ok && r->type != SUMMARY && !to_infinity)
		ok = emit(r, "_bucket", "le", (double)INFINITY, t->count);
	return ok;
}

static bool read_native(struct reader *r, struct str value)
{
	struct err e = { 0 };
	bool ok;

	r->sample.h = native_read(value, r->type == GAUGE_HISTOGRAM, &r->options->limits, &r->arena, &e);
	if (r->sample.h == NULL)
		return bad_because(r, e.code, e.msg);
	ok = read_native_exemplars(r, value) && emit(r, "", NULL, 0, (double)NAN);
	r->sample.h = NULL;
	return ok;
}

static bool read_value(struct reader *r, struct str value)
{
	struct totals t = { 0 };

	if (r->type == COUNTER || r->type == GAUGE || r->type == UNTYPED)
		return read_single(r, value);
	if (!read_totals(r, value, &t))
		return false;
	if (!t.native || !r->options->native)
		return read_parts(r, value, &t);
	if (!read_native(r, value))
		return false;
	r->sample.beside_native = true;
	return !r->options->classic_too || !t.parts || read_parts(r, value, &t);
}

/* ---- Families ---- */

static bool read_metric(struct reader *r, struct str metric)
{
	struct wire w = wire_of(metric);
	struct str value = STR("");
	struct wire_field f;

	buf_reset(&r->labels);
	arena_reset(&r->arena);
	r->n_exemplars = 0;
	r->sample = (struct textparse_sample){ 0 };
	while (wire_next(&w, &f)) {
		if (f.number == METRIC_LABEL) {
			if (!put_label(r, &r->labels, wire_bytes(&w, &f)))
				return false;
		} else if (f.number == METRIC_TIMESTAMP) {
			r->sample.t_ms = (int64_t)wire_uint(&w, &f);
			r->sample.has_t = r->sample.t_ms != 0;
		} else if (f.number == types[r->type].value) {
			value = wire_bytes(&w, &f);
		}
	}
	return w.bad ? bad(r, "a malformed metric") : read_value(r, value);
}

static bool read_head(struct reader *r, struct str family, struct textparse_meta *meta)
{
	struct wire w = wire_of(family);
	struct wire_field f;
	uint64_t type = COUNTER;

	while (wire_next(&w, &f)) {
		if (f.number == FAMILY_NAME)
			r->name = wire_bytes(&w, &f);
		else if (f.number == FAMILY_HELP)
			meta->help = wire_bytes(&w, &f);
		else if (f.number == FAMILY_TYPE)
			type = wire_uint(&w, &f);
		else if (f.number == FAMILY_UNIT)
			meta->unit = wire_bytes(&w, &f);
	}
	if (w.bad)
		return bad(r, "a malformed metric family");
	if (r->name.n == 0)
		return bad(r, "a metric family without a name");
	if (type >= METRIC_TYPES)
		return bad(r, "an unknown metric type");
	if (!str_is_utf8(r->name) || !str_is_utf8(meta->help) || !str_is_utf8(meta->unit))
		return err_set(r->err, ERR_SYNTAX, -1, "protobuf: text that is not UTF-8 in a metric family");
	r->type = (enum metric_type)type;
	r->plain = labels_metric_is_plain(r->name);
	meta->metric = r->name;
	meta->type = types[type].name;
	return true;
}

static bool read_family(struct reader *r, struct str family)
{
	struct textparse_meta meta = { .metric = STR("") };
	struct wire w = wire_of(family);
	struct wire_field f;

	r->name = STR("");
	if (!read_head(r, family, &meta))
		return false;
	r->sink->family(r->sink->ctx, &meta);
	while (wire_next(&w, &f))
		if (f.number == FAMILY_METRIC && !read_metric(r, wire_bytes(&w, &f)))
			return false;
	return !w.bad || bad(r, "a malformed metric family");
}

bool protoparse_read(struct str body, const struct protoparse_options *options, const struct protoparse_sink *sink, struct err *e)
{
	struct reader r = { .options = options, .sink = sink, .err = e };
	struct wire w = wire_of(body);
	struct str family;
	bool ok = true;

	while (ok && wire_delimited(&w, &family))
		ok = read_family(&r, family);
	if (ok && w.bad) {
		r.name = STR("");
		ok = bad(&r, "the reply is cut off");
	}
	buf_fini(&r.labels);
	buf_fini(&r.text);
	free(r.exemplars);
	arena_fini(&r.arena);
	return ok;
}
