/* What the functions of histograms, classic and native, share. Private to promql/. */
#ifndef TOCSIN_PROMQL_FN_HISTOGRAM_H
#define TOCSIN_PROMQL_FN_HISTOGRAM_H

#include "eval.h"

/* Warns when <q> is not between 0 and 1. */
void note_quantile(struct eval *, double q, int pos);

/* fn_histogram.c: one native histogram. <pos>: of the argument that notes point at. */
double native_quantile(struct eval *, double q, const struct histogram *, struct labels, int pos);
double native_fraction(struct eval *, double lower, double upper, const struct histogram *, struct labels, int pos);
/* Windows of histograms only. */
bool histogram_sum_over_time(struct eval_call *, const struct window *, struct point *out);
bool histogram_avg_over_time(struct eval_call *, const struct window *, struct point *out);

/* fn_buckets.c: one classic histogram, cumulative counts under rising bounds. */
struct falls;
struct bucket {
	double bound, count;
};
/* <falls>: where counts had to be made rising; its times are the caller's. Changes <b>. */
double buckets_quantile(double q, struct bucket *b, size_t n, struct falls *falls);
double buckets_fraction(double lower, double upper, struct bucket *b, size_t n);

#endif
