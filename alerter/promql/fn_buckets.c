/* Quantiles and fractions of one classic histogram, linear within a bucket. Source: Prometheus documentation,
 * "histogram_quantile", "histogram_fraction". */
#include <float.h>
#include <math.h>

#include "fn_histogram.h"
#include "notes.h"

/* Equal bounds, written differently (le="1", le="1.0"), are one bucket. */
static size_t merge_equal_bounds(struct bucket *b, size_t n)
{
	size_t kept = 1;

	for (size_t i = 1; i < n; i++) {
		if (b[i].bound == b[kept - 1].bound)
			b[kept - 1].count += b[i].count;
		else
			b[kept++] = b[i];
	}
	return kept;
}

/* Differences of this size come from the rounding of sums, not from the data. */
#define ROUNDING 1e-12

static bool differ_by_rounding(double a, double b)
{
	double sum = fabs(a) + fabs(b), off = fabs(a - b);

	if (a == 0 || b == 0 || sum < DBL_MIN)
		return off < ROUNDING * DBL_MIN;
	return off / fmin(sum, DBL_MAX) < ROUNDING;
}

/* Buckets scraped at different moments, or summed over targets, may go down: what a lower bucket counted, a higher one did. */
static void make_rising(struct bucket *b, size_t n, struct falls *falls)
{
	for (size_t i = 1; i < n; i++) {
		if (b[i].count == b[i - 1].count)
			continue;
		if (differ_by_rounding(b[i - 1].count, b[i].count)) {
			b[i].count = b[i - 1].count;
		} else if (b[i].count < b[i - 1].count) {
			falls->low = falls->n == 0 ? b[i].bound : falls->low;
			falls->high = b[i].bound;
			falls->most = fmax(falls->most, b[i - 1].count - b[i].count);
			falls->n = 1;
			b[i].count = b[i - 1].count;
		}
	}
}

static double quantile_of_rising(double q, const struct bucket *b, size_t n)
{
	double rank = q * b[n - 1].count, low = 0, below = 0;
	size_t i = 0;

	if (n < 2 || b[n - 1].count == 0)
		return NAN;
	while (i < n - 1 && !(b[i].count >= rank))
		i++;
	if (i == n - 1)
		return b[n - 2].bound;
	if (i == 0 && b[0].bound <= 0)
		return b[0].bound;
	if (i > 0) {
		low = b[i - 1].bound;
		below = b[i - 1].count;
	}
	return low + (b[i].bound - low) * ((rank - below) / (b[i].count - below));
}

double buckets_quantile(double q, struct bucket *b, size_t n, struct falls *falls)
{
	double v;

	*falls = (struct falls){ 0 };
	if (isnan(q))
		return NAN;
	if (q < 0)
		return -INFINITY;
	if (q > 1)
		return INFINITY;
	if (b[n - 1].bound != INFINITY)
		return NAN;
	n = merge_equal_bounds(b, n);
	make_rising(b, n, falls);
	v = quantile_of_rising(q, b, n);
	if (n < 2 || b[n - 1].count == 0)       /* nothing was observed: nothing was mended */
		falls->n = 0;
	return v;
}

/* How many observations lie below <v>, were the counts rising. */
static double count_below(double v, const struct bucket *b, size_t n)
{
	double below = 0, low = -INFINITY;

	if (b[0].bound > 0)
		low = 0;
	for (size_t i = 0; i < n; i++) {
		if (low >= v)
			return below;
		if (b[i].bound > v)
			return low == -INFINITY ? b[i].count : below + (b[i].count - below) * (v - low) / (b[i].bound - low);
		below = b[i].count;
		low = b[i].bound;
	}
	return b[n - 1].count;
}

/* They need not be: never more than there are. */
static double rank_of(double v, const struct bucket *b, size_t n)
{
	double rank = count_below(v, b, n);

	return rank > b[n - 1].count ? b[n - 1].count : rank;
}

double buckets_fraction(double lower, double upper, struct bucket *b, size_t n)
{
	double total;

	if (b[n - 1].bound != INFINITY)
		return NAN;
	n = merge_equal_bounds(b, n);
	total = b[n - 1].count;
	if (total == 0 || isnan(lower) || isnan(upper))
		return NAN;
	if (lower >= upper)
		return 0;
	return (rank_of(upper, b, n) - rank_of(lower, b, n)) / total;
}
