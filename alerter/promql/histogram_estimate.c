/* Estimates from the buckets of a native histogram. Observations are taken to be spread evenly within a bucket: on the logarithmic
 * scale in exponential buckets, on the linear one in custom buckets and around zero. */
#include <math.h>

#include "histogram_buckets.h"
#include "histogram_ops.h"
#include "numeric.h"

/* What is spread linearly: custom buckets, the zero bucket, and all that touch zero. */
static bool is_linear(const struct histogram *h, const struct histogram_bucket *b)
{
	return histogram_is_custom(h) || (b->lower <= 0 && b->upper >= 0);
}

/* Where there are buckets on one side only, zero is the end of a bucket that holds it. */
static void bound_by_zero(const struct histogram *h, struct histogram_bucket *b)
{
	if (b->lower > 0 || b->upper < 0)
		return;
	if (h->neg.n_buckets == 0 && h->pos.n_buckets > 0)
		b->lower = 0;
	else if (h->pos.n_buckets == 0 && h->neg.n_buckets > 0)
		b->upper = 0;
}

double exponential_part_below(const struct histogram_bucket *b, double v)
{
	double low = log2(fabs(b->lower)), high = log2(fabs(b->upper)), at = log2(fabs(v));

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
	if (!histogram_is_custom(h)) {
		bound_by_zero(h, &b);
	} else if (b.lower == -INFINITY) {
		if (b.upper <= 0)
			return b.upper;
		b.lower = 0;
	} else if (b.upper == INFINITY) {
		return b.lower;
	}
	count = fmin(count, h->count);
	*beyond = count < rank;
	if (*beyond)
		return b.upper;
	return value_at(h, &b, (up ? rank - (count - b.count) : count - rank) / b.count);
}

double histogram_counted(const struct histogram *h)
{
	struct histogram_walk walk = histogram_walk_up(h);
	struct histogram_bucket b;
	double total = 0;

	while (histogram_next(&walk, &b))
		total += b.count;
	return total;
}

/* How many of the bucket's observations lie below <v>, which is in it. Of a bucket without end on the left all of them; of one on
 * the right none: divided by infinity. */
static double count_below(const struct histogram *h, const struct histogram_bucket *b, double v)
{
	if (!is_linear(h, b))
		return b->count * exponential_part_below(b, v);
	return b->lower == -INFINITY ? b->count : b->count * (v - b->lower) / (b->upper - b->lower);
}

/* How many observations lie below <v>; INFINITY: all. Prometheus lets any bucket that holds zero, also a custom one, begin there,
 * when no bucket is on the negative side, which custom ones never are; so do we. */
static double rank_of(double v, const struct histogram *h)
{
	struct histogram_walk walk = histogram_walk_up(h);
	struct histogram_bucket b;
	double rank = 0;

	while (histogram_next(&walk, &b)) {
		bound_by_zero(h, &b);
		if (b.lower >= v)
			return rank;
		if (b.upper > v)
			return rank + count_below(h, &b, v);
		rank += b.count;
	}
	return INFINITY;
}

double histogram_fraction(double lower, double upper, const struct histogram *h)
{
	double total = isnan(h->sum) ? histogram_counted(h) : h->count, low, high;

	if (h->count == 0 || isnan(lower) || isnan(upper))
		return NAN;
	if (lower >= upper)
		return 0;
	low = rank_of(lower, h);
	high = rank_of(upper, h);
	return ((high > total ? total : high) - (low > total ? total : low)) / h->count;
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
