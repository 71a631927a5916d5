/* A native histogram's message: spans, and counts as differences (whole numbers) or as they are (floats). Empty buckets are left out, as in
 * Prometheus; too many of them are put together two by two, which lowers the schema by one. */
#include "scrape/native.h"

#include <math.h>

#include "tocsin/wire.h"

enum { MAX_BUCKETS = 100000, MAX_INDEX = (1 << 30) - 1, SCHEMA_RESERVED_MAX = 52 };

enum {
	FIELD_COUNT = 1,
	FIELD_SUM = 2,
	FIELD_COUNT_FLOAT = 4,
	FIELD_SCHEMA = 5,
	FIELD_ZERO_THRESHOLD = 6,
	FIELD_ZERO_COUNT = 7,
	FIELD_ZERO_COUNT_FLOAT = 8,
	FIELD_SPAN_NEGATIVE = 9, /* and the next two: differences, floats */
	FIELD_SPAN_POSITIVE = 12
};

struct counts {
	double *v;
	size_t n, cap;
};

struct side {
	struct histogram_span *spans;
	size_t n_spans, cap_spans;
	struct counts whole, floats;
	int64_t at; /* the last whole count */
};

struct reader {
	struct wire w;
	struct arena *arena;
	struct err *err;
	struct histogram *h;
	struct side pos, neg;
	double whole_count, whole_zero, float_count, float_zero;
};

int32_t native_schema_for(double factor)
{
	double floored = factor > 1 ? floor(log2(log2(factor))) : -HISTOGRAM_SCHEMA_MAX;

	if (floored >= -HISTOGRAM_SCHEMA_MIN)
		return HISTOGRAM_SCHEMA_MIN;
	return floored <= -HISTOGRAM_SCHEMA_MAX ? HISTOGRAM_SCHEMA_MAX : -(int32_t)floored;
}

static bool bad(struct reader *r, const char *what)
{
	return err_set(r->err, ERR_SYNTAX, -1, "a native histogram %s", what);
}

static bool too_many(struct reader *r, const char *what)
{
	return err_set(r->err, ERR_LIMIT, -1, "a native histogram has more than %d %s (max_buckets)", MAX_BUCKETS, what);
}

/* ---- The message ---- */

static bool read_span(struct reader *r, const struct wire_field *f, struct side *s)
{
	struct wire w = wire_of(wire_bytes(&r->w, f));
	struct histogram_span span = { 0, 0 };
	struct wire_field in;

	while (wire_next(&w, &in)) {
		if (in.number == 1)
			span.offset = (int32_t)wire_sint(&w, &in);
		else if (in.number == 2)
			span.length = (uint32_t)wire_uint(&w, &in);
	}
	if (w.bad)
		return bad(r, "has a malformed span");
	if (s->n_spans == MAX_BUCKETS)
		return too_many(r, "spans");
	s->spans = arena_grow(r->arena, s->spans, s->n_spans, &s->cap_spans, s->n_spans + 1, sizeof *s->spans);
	s->spans[s->n_spans++] = span;
	return true;
}

static bool put(struct reader *r, struct counts *c, double v)
{
	if (c->n == MAX_BUCKETS)
		return too_many(r, "buckets");
	c->v = arena_grow(r->arena, c->v, c->n, &c->cap, c->n + 1, sizeof *c->v);
	c->v[c->n++] = v;
	return true;
}

static bool read_differences(struct reader *r, const struct wire_field *f, struct side *s)
{
	struct wire_items items = wire_items(f);
	int64_t difference;

	while (wire_next_sint(&r->w, &items, &difference)) {
		s->at = (int64_t)((uint64_t)s->at + (uint64_t)difference);
		if (!put(r, &s->whole, (double)s->at))
			return false;
	}
	return true;
}

static bool read_floats(struct reader *r, const struct wire_field *f, struct side *s)
{
	struct wire_items items = wire_items(f);
	double v;

	while (wire_next_double(&r->w, &items, &v))
		if (!put(r, &s->floats, v))
			return false;
	return true;
}

static bool read_number(struct reader *r, const struct wire_field *f)
{
	switch (f->number) {
	case FIELD_COUNT:
		r->whole_count = (double)wire_uint(&r->w, f);
		break;
	case FIELD_SUM:
		r->h->sum = wire_double(&r->w, f);
		break;
	case FIELD_COUNT_FLOAT:
		r->float_count = wire_double(&r->w, f);
		break;
	case FIELD_SCHEMA:
		r->h->schema = (int32_t)wire_sint(&r->w, f);
		break;
	case FIELD_ZERO_THRESHOLD:
		r->h->zero_threshold = wire_double(&r->w, f);
		break;
	case FIELD_ZERO_COUNT:
		r->whole_zero = (double)wire_uint(&r->w, f);
		break;
	case FIELD_ZERO_COUNT_FLOAT:
		r->float_zero = wire_double(&r->w, f);
		break;
	default: /* classic buckets, exemplars, what later versions add */
		break;
	}
	return true;
}

static bool read_field(struct reader *r, const struct wire_field *f)
{
	struct side *side = f->number < FIELD_SPAN_POSITIVE ? &r->neg : &r->pos;

	if (f->number < FIELD_SPAN_NEGATIVE || f->number >= FIELD_SPAN_POSITIVE + 3)
		return read_number(r, f);
	switch ((f->number - FIELD_SPAN_NEGATIVE) % 3) {
	case 0:
		return read_span(r, f, side);
	case 1:
		return read_differences(r, f, side);
	default:
		return read_floats(r, f, side);
	}
}

static bool read_message(struct reader *r)
{
	struct wire_field f;

	while (wire_next(&r->w, &f))
		if (!read_field(r, &f))
			return false;
	return !r->w.bad || bad(r, "is malformed");
}

/* ---- What it says ---- */

static bool check_side(struct reader *r, const struct side *s, const struct counts *c)
{
	uint64_t in_spans = 0;
	int64_t index = 0;

	for (size_t i = 0; i < s->n_spans; i++) {
		in_spans += s->spans[i].length;
		if (i > 0 && s->spans[i].offset < 0)
			return bad(r, "has a span that begins before the end of another");
		index += s->spans[i].offset;
		if (index < -MAX_INDEX || index > MAX_INDEX || in_spans > MAX_BUCKETS)
			return bad(r, "has a span far outside of all numbers");
		index += s->spans[i].length;
	}
	if (in_spans != c->n)
		return bad(r, "has another number of buckets than its spans say");
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i] < 0 || isnan(c->v[i]))
			return bad(r, "has a bucket with a count below 0");
	return true;
}

static double sum_of(const struct histogram_side *s)
{
	double sum = 0;

	for (uint32_t i = 0; i < s->n_buckets; i++)
		sum += s->buckets[i];
	return sum;
}

/* NaN observations are in no bucket. */
static bool check_count(struct reader *r)
{
	const struct histogram *h = r->h;
	double in_buckets = sum_of(&h->pos) + sum_of(&h->neg) + h->zero_count;

	if (isnan(h->sum) ? in_buckets > h->count : in_buckets != h->count)
		return bad(r, "counts other observations than are in its buckets");
	return true;
}

/* <in> without empty buckets, at a schema lower by <steps>. */
static struct histogram_side remake(struct arena *a, const struct histogram_side *in, int steps)
{
	struct histogram_span *spans = ARENA_ARRAY(a, in->n_buckets, struct histogram_span);
	double *buckets = ARENA_ARRAY(a, in->n_buckets, double);
	struct histogram_side out = { spans, buckets, 0, 0 };
	int64_t index = 0, end = 0; /* end: behind the last bucket put */
	uint32_t at = 0;

	for (uint32_t i = 0; i < in->n_spans; i++) {
		index += in->spans[i].offset;
		for (uint32_t k = 0; k < in->spans[i].length; k++, index++, at++) {
			int64_t to = ((index - 1) >> steps) + 1;

			if (in->buckets[at] == 0)
				continue;
			if (out.n_buckets > 0 && to == end - 1) {
				buckets[out.n_buckets - 1] += in->buckets[at];
				continue;
			}
			if (out.n_spans == 0 || to != end)
				spans[out.n_spans++] = (struct histogram_span){ (int32_t)(to - end), 0 };
			spans[out.n_spans - 1].length++;
			buckets[out.n_buckets++] = in->buckets[at];
			end = to + 1;
		}
	}
	return out;
}

struct histogram_side native_without_empty(struct arena *a, const struct histogram_side *in)
{
	return remake(a, in, 0);
}

static void coarsen(struct arena *a, struct histogram *h, int steps)
{
	h->pos = remake(a, &h->pos, steps);
	h->neg = remake(a, &h->neg, steps);
	h->schema -= steps;
}

static bool fit(struct reader *r, const struct native_limits *limits)
{
	struct histogram *h = r->h;
	int32_t most = limits->max_schema < HISTOGRAM_SCHEMA_MAX ? limits->max_schema : HISTOGRAM_SCHEMA_MAX;

	coarsen(r->arena, h, h->schema > most ? h->schema - most : 0);
	while (limits->buckets > 0 && (int64_t)h->pos.n_buckets + h->neg.n_buckets > limits->buckets) {
		if (h->schema == HISTOGRAM_SCHEMA_MIN)
			return err_set(r->err, ERR_LIMIT, -1, "native_histogram_bucket_limit exceeded: %u buckets at the coarsest schema (limit %lld)",
			               h->pos.n_buckets + h->neg.n_buckets, (long long)limits->buckets);
		coarsen(r->arena, h, 1);
	}
	return true;
}

static struct histogram_side raw_side(const struct side *s, const struct counts *c)
{
	return (struct histogram_side){ s->spans, c->v, (uint32_t)s->n_spans, (uint32_t)c->n };
}

struct histogram *native_read(struct str message, bool gauge, const struct native_limits *limits, struct arena *a, struct err *e)
{
	struct histogram *h = ARENA_NEW(a, struct histogram);
	struct reader r = { .w = wire_of(message), .arena = a, .err = e, .h = h };
	const struct counts *pos, *neg;
	bool floats;

	if (!read_message(&r))
		return NULL;
	floats = r.float_count > 0 || r.float_zero > 0;
	pos = floats ? &r.pos.floats : &r.pos.whole;
	neg = floats ? &r.neg.floats : &r.neg.whole;
	h->reset = gauge ? RESET_GAUGE : RESET_UNKNOWN;
	h->count = floats ? r.float_count : r.whole_count;
	h->zero_count = floats ? r.float_zero : r.whole_zero;
	if (h->schema < HISTOGRAM_SCHEMA_MIN || h->schema > SCHEMA_RESERVED_MAX)
		bad(&r, "has an unknown schema");
	else if (!(h->zero_threshold >= 0))
		bad(&r, "has a zero bucket of less than nothing");
	else if (check_side(&r, &r.pos, pos) && check_side(&r, &r.neg, neg)) {
		h->pos = raw_side(&r.pos, pos);
		h->neg = raw_side(&r.neg, neg);
		if ((floats || check_count(&r)) && fit(&r, limits))
			return h;
	}
	return NULL;
}
