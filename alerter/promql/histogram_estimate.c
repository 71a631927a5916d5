/* Estimates from the buckets of a native histogram. Observations are taken to be spread evenly within a bucket: on the logarithmic
 * scale in exponential buckets, on the linear one in custom buckets and around zero. */
#include <math.h>

#include "histogram_buckets.h"
#include "histogram_ops.h"
#include "numeric.h"

/* What is spread linearly: custom buckets, the zero bucket, and all that touch zero. */
static bool is_linear(const struct histogram *h, const struct histogram_bucket *b)
{
	return histogram_is_custom(h) || b->zero || (b->lower <= 0 && b->upper >= 0);
}

/* Where there are buckets on one side only, zero is the end of the zero bucket; the first custom bucket begins there as well,
 * when it can. */
static void bound_by_zero(const struct histogram *h, struct histogram_bucket *b)
{
	if (histogram_is_custom(h)) {
		if (b->lower == -INFINITY && b->upper > 0)
			b->lower = 0;
	} else if (b->lower < 0 && b->upper > 0) {
		if (h->neg.n_buckets == 0 && h->pos.n_buckets > 0)
			b->lower = 0;
		else if (h->pos.n_buckets == 0 && h->neg.n_buckets > 0)
			b->upper = 0;
	}
}

/* The part of the bucket's observations below <v>, which lies in it. */
static double part_below(const struct histogram *h, const struct histogram_bucket *b, double v)
{
	double low, high, at;

	if (is_linear(h, b))
		return (v - b->lower) / (b->upper - b->lower);
	low = log2(fabs(b->lower));
	high = log2(fabs(b->upper));
	at = log2(fabs(v));
	return v > 0 ? (at - low) / (high - low) : 1 - (at - high) / (low - high);
}

/* The other way round: the value below which <part> of the bucket's observations lie. */
static double value_at(const struct histogram *h, const struct histogram_bucket *b, double part)
{
	double low, high;

	if (is_linear(h, b))
		return b->lower + (b->upper - b->lower) * part;
	low = log2(fabs(b->lower));
	high = log2(fabs(b->upper));
	return b->lower > 0 ? exp2(low + (high - low) * part) : -exp2(high + (low - high) * (1 - part));
}

/* The first bucket, counted from where the walk begins, with which <rank> observations are reached; <*count>: how many are. */
static struct histogram_bucket bucket_of_rank(struct histogram_walk walk, double rank, double *count)
{
	struct histogram_bucket b = { 0 }, next;

	*count = 0;
	while (histogram_next(&walk, &next)) {
		b = next;
		if (b.count == 0)
			continue;
		*count += b.count;
		if (*count >= rank)
			break;
	}
	return b;
}

double histogram_quantile(double q, const struct histogram *h, bool *beyond)
{
	bool up = isnan(h->sum) || q < 0.5;     /* NaN observations are in no bucket: ranks count from below then */
	double rank = (up ? q : 1 - q) * h->count, count;
	struct histogram_bucket b;

	*beyond = false;
	if (q < 0 || q > 1)
		return q < 0 ? -INFINITY : INFINITY;
	if (h->count == 0 || isnan(q))
		return NAN;
	b = bucket_of_rank(up ? histogram_walk_up(h) : histogram_walk_down(h), rank, &count);
	if (histogram_is_custom(h) && b.lower == -INFINITY && b.upper <= 0)
		return b.upper;
	if (histogram_is_custom(h) && b.lower > -INFINITY && b.upper == INFINITY)
		return b.lower;
	bound_by_zero(h, &b);
	count = fmin(count, h->count);
	*beyond = count < rank;
	if (*beyond)
		return b.upper;
	return value_at(h, &b, (up ? rank - (count - b.count) : count - rank) / b.count);
}

/* How many observations lie below <v>; <*total>: how many there are in buckets. */
static double rank_of(double v, const struct histogram *h, double *total)
{
	struct histogram_walk walk = histogram_walk_up(h);
	struct histogram_bucket b;
	double rank = 0;
	bool found = false;

	*total = 0;
	while (histogram_next(&walk, &b)) {
		*total += b.count;
		bound_by_zero(h, &b);
		if (found || b.upper <= v) {
			rank += found ? 0 : b.count;
			continue;
		}
		found = true;
		if (b.lower == -INFINITY && v > -INFINITY)
			rank += b.count;        /* who knows where */
		else if (b.lower < v && b.upper < INFINITY)
			rank += b.count * part_below(h, &b, v);
	}
	return rank;
}

double histogram_fraction(double lower, double upper, const struct histogram *h)
{
	double total, low, high;

	if (h->count == 0 || isnan(lower) || isnan(upper))
		return NAN;
	if (lower >= upper)
		return 0;
	low = rank_of(lower, h, &total);
	high = rank_of(upper, h, &total);
	if (!isnan(h->sum))
		total = h->count;
	return (fmin(high, total) - fmin(low, total)) / h->count;
}

/* Where the observations of a bucket are taken to be, for their mean. */
static double middle(const struct histogram *h, const struct histogram_bucket *b)
{
	if (histogram_is_custom(h))
		return (b->lower + b->upper) / 2;
	if (b->lower <= 0 && b->upper >= 0)
		return 0;
	return copysign(sqrt(b->lower * b->upper), b->upper);
}

double histogram_variance(const struct histogram *h)
{
	struct histogram_walk walk = histogram_walk_up(h);
	struct histogram_bucket b;
	struct sum squares = { 0 };
	double mean = h->sum / h->count;

	while (histogram_next(&walk, &b)) {
		double off = middle(h, &b) - mean;

		if (b.count != 0)
			sum_add(&squares, b.count * off * off);
	}
	return sum_value(&squares) / h->count;
}

/* ---- trimming ---- */

/* The bucket cut down to what is left of it on the one side of <at>. */
static void cut_bucket(const struct histogram *h, struct histogram_bucket *b, double at, bool upper)
{
	bool whole;

	if (upper ? at >= b->upper : at <= b->lower)
		return;
	if (b->upper == INFINITY || b->lower == -INFINITY) {
		/* all of them are at the end that is known, as far as the cut allows */
		whole = upper ? b->lower == -INFINITY && b->upper < INFINITY && at > -INFINITY
		              : b->upper == INFINITY && b->lower > -INFINITY && at < INFINITY;
		if (!whole)
			b->count = 0;
		b->lower = b->upper = at;
		return;
	}
	if (upper ? !(at > b->lower) : !(at < b->upper)) {      /* also when <at> is no number */
		b->count = 0;
		return;
	}
	b->count *= upper ? part_below(h, b, at) : 1 - part_below(h, b, at);
	*(upper ? &b->upper : &b->lower) = at;
}

/* Where the observations left in a bucket are taken to be, for their sum. */
static double middle_of_rest(const struct histogram *h, const struct histogram_bucket *b)
{
	if (b->lower == -INFINITY || b->upper == INFINITY)
		return b->lower == -INFINITY ? (b->upper == INFINITY ? 0 : b->upper) : b->lower;
	if (is_linear(h, b))
		return (b->lower + b->upper) / 2;
	return copysign(sqrt(b->lower * b->upper), b->upper);
}

struct cut {
	struct arena *arena;
	const struct histogram *h;
	double at;
	bool upper;
	struct histogram *out;
	double sum, count;
	bool any;               /* something was cut off */
};

static double cut_one(struct cut *c, struct histogram_bucket b)
{
	double had = b.count;

	if (!histogram_is_custom(c->h) || (b.upper < INFINITY && (c->upper || c->at >= 0)))
		bound_by_zero(c->h, &b);
	cut_bucket(c->h, &b, c->at, c->upper);
	if (b.count != 0)
		c->sum += b.count * middle_of_rest(c->h, &b);
	c->count += b.count;
	c->any |= b.count != had;
	return b.count;
}

/* Walks one way and back, so that each side is put together from zero outwards. */
static void cut_side(struct cut *c, struct histogram_walk walk, bool negative, struct histogram_side *out)
{
	struct side_maker m = side_maker_new(c->arena, negative ? c->h->neg.n_buckets : c->h->pos.n_buckets);
	struct histogram_bucket b;

	while (histogram_next(&walk, &b)) {
		if (b.zero ? !negative : b.negative == negative) {
			double left = cut_one(c, b);

			if (b.zero)
				c->out->zero_count = left;
			else
				side_put(&m, b.index, left);
		}
	}
	*out = side_made(&m);
}

const struct histogram *histogram_cut(struct arena *a, const struct histogram *h, double at, bool upper)
{
	struct cut c = { .arena = a, .h = h, .at = at, .upper = upper, .out = ARENA_NEW(a, struct histogram) };

	*c.out = *h;
	cut_side(&c, histogram_walk_up(h), false, &c.out->pos);
	cut_side(&c, histogram_walk_down(h), true, &c.out->neg);
	if (!c.any)
		return h;
	c.out->sum = c.sum;
	c.out->count = c.count;
	return c.out;
}
