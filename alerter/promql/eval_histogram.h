/* Native histograms in the evaluator: results with the notes that go with them. Private to promql/. */
#ifndef TOCSIN_PROMQL_EVAL_HISTOGRAM_H
#define TOCSIN_PROMQL_EVAL_HISTOGRAM_H

#include "eval.h"
#include "histogram_ops.h"

/* Sum or difference of two, compacted, with notes at <pos>; NULL when their buckets do not go together. */
const struct histogram *histogram_combined(struct eval *, const struct histogram *, const struct histogram *, bool subtract,
                                           int pos);

/* The same with nothing known about resets. Shares what is in <h>. */
const struct histogram *histogram_unhinted(struct arena *, const struct histogram *h);
/* Puts in the hints that can be known by comparing each histogram with the one before. In <a>. */
void histograms_tell_resets(struct arena *a, struct samples *);

/* Sum or mean of many; <mean> tells which. The end is NULL when their buckets did not go together. <labels>: of the series at hand,
 * for the note about that. */
struct histogram_mean;
struct histogram_mean *histogram_mean_new(struct arena *, bool mean);
void histogram_mean_add(struct eval *, struct histogram_mean *, const struct histogram *, struct labels, int pos);
const struct histogram *histogram_mean_end(struct eval *, struct histogram_mean *, int pos);

#endif
