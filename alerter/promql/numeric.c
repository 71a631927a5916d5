/* Means and quantiles. */
#include "numeric.h"

#include <stdlib.h>

#include "eval.h"

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

double mean_of(const double *v, size_t n)
{
	struct mean m = { .sum = { .v = v[0] }, .n = (double)n };

	for (size_t i = 1; i < n; i++)
		sum_add(&m.sum, v[i]);
	if (isfinite(m.sum.v))
		return mean_value(&m);
	m = (struct mean){ 0 };
	for (size_t i = 0; i < n; i++)
		mean_add(&m, v[i]);
	return mean_value(&m);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	if (isnan(x) || isnan(y))
		return !!isnan(y) - !!isnan(x);
	if (x == y)
		return !!signbit(y) - !!signbit(x);
	return x > y ? 1 : -1;
}

void sort_doubles(double *v, size_t n)
{
	if (n > 1)
		qsort(v, n, sizeof *v, by_value);
}

enum { PIECE = 1 << 16 };

/* Both halves are sorted. */
static void merge_halves(double *v, double *room, size_t half, size_t n)
{
	size_t left = 0, right = half;

	memcpy(room, v, half * sizeof *v);
	for (size_t i = 0; left < half; i++)
		v[i] = right == n || by_value(&room[left], &v[right]) <= 0 ? room[left++] : v[right++];
}

static void sort_pieces(struct eval *ev, double *v, double *room, size_t n)
{
	size_t half = n / 2;

	if (!eval_works(ev, n))
		return;
	if (n <= PIECE) {
		sort_doubles(v, n);
		return;
	}
	sort_pieces(ev, v, room, half);
	sort_pieces(ev, v + half, room, n - half);
	if (!ev->failed)
		merge_halves(v, room, half, n);
}

void sort_in_time(struct eval *ev, double *v, size_t n)
{
	struct arena_mark mark = arena_mark(ev->scratch);

	if (!eval_memory_is_within(ev, n / 2 * sizeof *v))
		return;
	sort_pieces(ev, v, n > PIECE ? arena_alloc_raw(ev->scratch, n / 2 * sizeof *v) : NULL, n);
	arena_rewind(ev->scratch, mark);
}

/* How many of the sorted are less than <x>. */
static size_t sorted_place(const double *v, size_t n, double x)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (by_value(&v[mid], &x) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

void sorted_insert(double *v, size_t n, double x)
{
	size_t at = sorted_place(v, n, x);

	memmove(v + at + 1, v + at, (n - at) * sizeof *v);
	v[at] = x;
}

void sorted_remove(double *v, size_t n, double x)
{
	size_t at = sorted_place(v, n, x);

	memmove(v + at, v + at + 1, (n - at - 1) * sizeof *v);
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
