/* Numbers for aggregations and functions over time: compensated sums, means that do not overflow, quantiles. Private. */
#ifndef TOCSIN_PROMQL_NUMERIC_H
#define TOCSIN_PROMQL_NUMERIC_H

#include <math.h>

#include "tocsin/arena.h"

/* Kahan's sum in Neumaier's form; an infinite sum has no compensation. */
struct sum {
	double v, c;
};

static inline void sum_add(struct sum *s, double x)
{
	double t = s->v + x;

	if (isinf(t))
		s->c = 0;
	else if (fabs(s->v) >= fabs(x))
		s->c += (s->v - t) + x;
	else
		s->c += (x - t) + s->v;
	s->v = t;
}

static inline double sum_value(const struct sum *s)
{
	return isinf(s->v) ? s->v : s->v + s->c;
}

/* The sum divided by the count, as long as the sum is finite; from then on the mean moves step by step. */
struct mean {
	struct sum sum;         /* of the values, or (stepwise) the mean itself */
	double n;
	bool stepwise;
};
void mean_add(struct mean *, double x);
/* Of <n> > 0 values. */
double mean_of(const double *v, size_t n);
double mean_value(const struct mean *);

/* Least first, -0 before 0, NaN before all. */
void sort_doubles(double *v, size_t n);
/* The same of any number of them, while the evaluation is in time: what failed is not sorted. */
struct eval;
void sort_in_time(struct eval *, double *v, size_t n);
/* One more, or one of them less, of <n> sorted ones. */
void sorted_insert(double *v, size_t n, double x);
void sorted_remove(double *v, size_t n, double x);
/* Of <n> sorted values, with interpolation; NaN for none or a NaN <q>, -Inf below 0, +Inf above 1. */
double quantile_of_sorted(double q, const double *v, size_t n);

#endif
