/* Means and quantiles. */
#include "numeric.h"

#include <stdlib.h>

void mean_add(struct mean *m, double x)
{
	struct sum next = m->sum;

	if (++m->n == 1) {
		m->sum.v = x;
		return;
	}
	if (!m->stepwise) {
		sum_add(&next, x);
		if (!isinf(next.v)) {
			m->sum = next;
			return;
		}
		m->stepwise = true;
		m->sum.v /= m->n - 1;
		m->sum.c /= m->n - 1;
	}
	m->sum.v *= (m->n - 1) / m->n;
	m->sum.c *= (m->n - 1) / m->n;
	sum_add(&m->sum, x / m->n);
}

double mean_value(const struct mean *m)
{
	return m->stepwise ? m->sum.v + m->sum.c : m->sum.v / m->n + m->sum.c / m->n;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	if (isnan(x) || isnan(y))
		return isnan(y) - isnan(x);
	return (x > y) - (x < y);
}

void sort_doubles(double *v, size_t n)
{
	if (n > 1)
		qsort(v, n, sizeof *v, by_value);
}

double quantile_of_sorted(double q, const double *v, size_t n)
{
	double rank, low, weight;

	if (n == 0 || isnan(q))
		return NAN;
	if (q < 0)
		return -INFINITY;
	if (q > 1)
		return INFINITY;
	rank = q * (double)(n - 1);
	low = floor(rank);
	weight = rank - low;
	return v[(size_t)low] * (1 - weight) + v[low + 1 < (double)n ? (size_t)low + 1 : n - 1] * weight;
}
