/* What the evaluator asks of native histograms. Results live in the arena given. Private to promql/. */
#ifndef TOCSIN_PROMQL_EVAL_HISTOGRAM_H
#define TOCSIN_PROMQL_EVAL_HISTOGRAM_H

#include "eval.h"

/* A deep copy. */
const struct histogram *histogram_keep(struct arena *, const struct histogram *);
/* All counts and the sum multiplied, or divided. */
const struct histogram *histogram_times(struct arena *, const struct histogram *, double factor);
const struct histogram *histogram_divided(struct arena *, const struct histogram *, double by);
const struct histogram *histogram_compacted(struct arena *, const struct histogram *);
/* Without the observations above (upper) or below <at>. */
const struct histogram *histogram_cut(struct arena *, const struct histogram *, double at, bool upper);
/* Sum or difference of two, compacted, with notes at <pos>; NULL when their buckets do not go together. */
const struct histogram *histogram_combined(struct eval *, const struct histogram *, const struct histogram *, bool subtract, int pos);
/* The next value of a series in test notation: exactly sum or difference. */
const struct histogram *histogram_stepped(struct arena *, const struct histogram *, const struct histogram *step, bool minus);
bool histogram_same(const struct histogram *, const struct histogram *);
/* Whether a counter began anew between two samples. */
bool histogram_reset_since(const struct histogram *before, const struct histogram *now);
void histogram_print(struct buf *, const struct histogram *);

/* Sum or mean of the histograms of a group; <mean> tells which. The end is NULL when their buckets did not go together. */
struct histogram_mean;
struct histogram_mean *histogram_mean_new(struct arena *, bool mean);
void histogram_mean_add(struct eval *, struct histogram_mean *, const struct histogram *, struct labels, int pos);
const struct histogram *histogram_mean_end(struct eval *, struct histogram_mean *, int pos);

#endif
