/* What the evaluator asks of native histograms. Results live in the arena given. Private to promql/. */
#ifndef TOCSIN_PROMQL_EVAL_HISTOGRAM_H
#define TOCSIN_PROMQL_EVAL_HISTOGRAM_H

#include "eval.h"

/* A deep copy. */
const struct histogram *histogram_keep(struct arena *, const struct histogram *);
/* All counts and the sum multiplied. */
const struct histogram *histogram_times(struct arena *, const struct histogram *, double factor);

#endif
