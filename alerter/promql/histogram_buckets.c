/* Where buckets begin and end. Bucket i of exponential schema s ends at 2^(i * 2^-s); the last one that holds finite numbers ends
 * at the largest of them, and only the one behind it at infinity. */
#include "histogram_buckets.h"

#include <float.h>
#include <math.h>

/* 2 to the power of 1/2, 1/4, 1/8 … Multiplied in this order, and with the first rounded down, they give the very bounds, to the
 * last digit, that Prometheus's clients sort observations by. */
static const double roots[HISTOGRAM_SCHEMA_MAX] = {
	1.414213562373095, 1.189207115002721, 1.0905077326652577, 1.0442737824274138,
	1.0218971486541166, 1.0108892860517005, 1.0054299011128027, 1.0027112750502025,
};

/* 2 to the power of <steps> * 2^-schema, which is less than 1. */
static double fraction_bound(int32_t schema, int64_t steps)
{
	double bound = 1;

	for (int32_t i = 0; i < schema; i++)
		if (steps >> (schema - 1 - i) & 1)
			bound *= roots[i];
	return bound;
}

double exponential_bound(int32_t schema, int64_t index)
{
	int64_t exponent = schema > 0 ? index >> schema : index * (1 << -schema);
	int64_t steps = schema > 0 ? index & ((1 << schema) - 1) : 0;

	if (exponent == DBL_MAX_EXP && steps == 0)
		return DBL_MAX;
	if (exponent > DBL_MAX_EXP || exponent < -2000)
		return exponent > 0 ? INFINITY : 0;
	return ldexp(fraction_bound(schema, steps), (int)exponent);
}

double histogram_bound(const struct histogram *h, int64_t index)
{
	if (!histogram_is_custom(h))
		return exponential_bound(h->schema, index);
	if (index < 0)
		return -INFINITY;
	return index < h->n_custom ? h->custom[index] : INFINITY;
}

bool bounds_same(const double *a, uint32_t n_a, const double *b, uint32_t n_b)
{
	if (n_a != n_b)
		return false;
	for (uint32_t i = 0; i < n_a; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

struct side_walk side_walk_up(const struct histogram_side *side)
{
	return (struct side_walk){ .side = side, .index = side->n_spans > 0 ? side->spans[0].offset : 0 };
}

bool side_next(struct side_walk *w, int64_t *index, double *count)
{
	while (w->span < w->side->n_spans && w->in_span == w->side->spans[w->span].length) {
		w->in_span = 0;
		if (++w->span < w->side->n_spans)
			w->index += w->side->spans[w->span].offset;
	}
	if (w->span == w->side->n_spans || w->i == w->side->n_buckets)
		return false;
	*index = w->index++;
	*count = w->side->buckets[w->i++];
	w->in_span++;
	return true;
}

struct side_walk side_walk_down(const struct histogram_side *side)
{
	struct side_walk w = { .side = side, .span = side->n_spans, .i = side->n_buckets };

	for (uint32_t i = 0; i < side->n_spans; i++)
		w.index += (int64_t)side->spans[i].offset + side->spans[i].length;
	return w;
}

bool side_before(struct side_walk *w, int64_t *index, double *count)
{
	if (w->i == 0)
		return false;
	while (w->in_span == 0) {
		if (w->span < w->side->n_spans)
			w->index -= w->side->spans[w->span].offset;
		if (w->span == 0)
			return false;
		w->in_span = w->side->spans[--w->span].length;
	}
	w->in_span--;
	*index = --w->index;
	*count = w->side->buckets[--w->i];
	return true;
}

struct histogram_walk histogram_walk_up(const struct histogram *h)
{
	return (struct histogram_walk){ h, side_walk_down(&h->neg), side_walk_up(&h->pos), false, false, false };
}

struct histogram_walk histogram_walk_down(const struct histogram *h)
{
	return (struct histogram_walk){ h, side_walk_down(&h->pos), side_walk_up(&h->neg), true, false, false };
}

struct histogram_bucket histogram_bucket_at(const struct histogram *h, int64_t index, double count, bool negative)
{
	double lower = histogram_bound(h, index - 1), upper = histogram_bound(h, index);

	if (negative)
		return (struct histogram_bucket){ -upper, -lower, count, true, false, true };
	return (struct histogram_bucket){ lower, upper, count, histogram_is_custom(h) && index == 0, true, false };
}

/* What the zero bucket covers is not part of the next one. */
static struct histogram_bucket walk_bucket(const struct histogram_walk *w, int64_t index, double count, bool negative)
{
	struct histogram_bucket b = histogram_bucket_at(w->h, index, count, negative);
	double zero = w->h->zero_threshold;

	if (w->whole)
		return b;
	if (b.lower > 0 && b.lower < zero)
		b.lower = zero;
	else if (b.upper < 0 && b.upper > -zero)
		b.upper = -zero;
	return b;
}

bool histogram_next(struct histogram_walk *w, struct histogram_bucket *out)
{
	double count, zero = w->h->zero_threshold;
	int64_t index;

	if (side_before(&w->near, &index, &count)) {
		*out = walk_bucket(w, index, count, !w->down);
		return true;
	}
	if (!w->zero_done) {
		w->zero_done = true;
		if (w->whole ? w->h->zero_count != 0 : w->h->zero_count > 0) {
			*out = (struct histogram_bucket){ -zero, zero, w->h->zero_count, true, true, false };
			return true;
		}
	}
	if (!side_next(&w->far, &index, &count))
		return false;
	*out = walk_bucket(w, index, count, w->down);
	return true;
}

struct side_maker side_maker_new(struct arena *a, size_t most)
{
	return (struct side_maker){ .spans = ARENA_ARRAY(a, most, struct histogram_span), .buckets = ARENA_ARRAY(a, most, double) };
}

void side_put(struct side_maker *m, int64_t index, double count)
{
	if (count == 0)
		return;
	if (m->n_spans == 0 || index != m->end)
		m->spans[m->n_spans++].offset = (int32_t)(index - m->end);
	m->spans[m->n_spans - 1].length++;
	m->buckets[m->n_buckets++] = count;
	m->end = index + 1;
}

struct histogram_side side_made(const struct side_maker *m)
{
	return (struct histogram_side){ m->spans, m->buckets, m->n_spans, m->n_buckets };
}
