/* Native histograms as values: what needs no evaluation around it. Results live in the arena given. Private to promql/. */
#ifndef TOCSIN_PROMQL_HISTOGRAM_OPS_H
#define TOCSIN_PROMQL_HISTOGRAM_OPS_H

#include "tocsin/arena.h"
#include "tocsin/histogram.h"

/* A deep copy. */
const struct histogram *histogram_keep(struct arena *, const struct histogram *);
/* All counts and the sum multiplied, or divided. By a negative number: no counter any more. */
const struct histogram *histogram_times(struct arena *, const struct histogram *, double factor);
const struct histogram *histogram_divided(struct arena *, const struct histogram *, double by);
/* Without empty buckets. */
const struct histogram *histogram_compacted(struct arena *, const struct histogram *);
/* Without the observations above (upper) or below <at>; histogram_trim.c. */
const struct histogram *histogram_trimmed(struct arena *, const struct histogram *, double at, bool upper);
/* The next value of a series in test notation: exactly sum or difference. NULL when their buckets do not go together. */
const struct histogram *histogram_stepped(struct arena *, const struct histogram *, const struct histogram *step, bool minus);
/* The same buckets, empty ones too, with the same counts to the bit; hints do not matter. */
bool histogram_same(const struct histogram *, const struct histogram *);
/* Whether a counter began anew between two samples. */
bool histogram_reset_since(struct arena *scratch, const struct histogram *before, const struct histogram *now);

/* ---- estimates (histogram_estimate.c). Source: Prometheus documentation, "histogram_quantile()" and the others ---- */

/* Sets <*beyond> when the rank lies behind all buckets: there are NaN observations then, or counts that do not add up. */
double histogram_quantile(double q, const struct histogram *, bool *beyond);
/* The observations in buckets: fewer than all when some were NaN. */
double histogram_counted(const struct histogram *);
double histogram_fraction(double lower, double upper, const struct histogram *);
double histogram_variance(const struct histogram *);

#endif
