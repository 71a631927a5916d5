/* Prefix sums, a queue of candidates for the extremes, and a sorted window that samples join and leave. */
#include "slide.h"

#include <math.h>

#include "numeric.h"

/* Whole numbers below 2^53 add up exactly, in whatever order, as long as the sums stay below, too. */
static const double *exact_sums(struct slide *s)
{
	double *sums = arena_alloc_raw(s->ev->scratch, (s->n + 1) * sizeof *sums), size = 0;

	sums[0] = 0;
	for (size_t i = 0; i < s->n; i++) {
		size += fabs(s->v[i]);
		if (!(size < 0x1p53) || s->v[i] != trunc(s->v[i]))
			return NULL;
		sums[i + 1] = sums[i] + s->v[i];
	}
	return sums;
}

bool slide_sum(struct slide *s, size_t n, double *out)
{
	if (!s->tried_sums)
		s->sums = exact_sums(s);
	s->tried_sums = true;
	if (s->sums != NULL)
		*out = s->sums[s->beg + n] - s->sums[s->beg];
	return s->sums != NULL;
}

bool slide_falls(struct slide *s, size_t n)
{
	if (s->falls == NULL) {
		uint32_t *falls = arena_alloc_raw(s->ev->scratch, (s->n + 1) * sizeof *falls);

		falls[0] = 0;
		for (size_t i = 0; i < s->n; i++)
			falls[i + 1] = falls[i] + (i > 0 && s->v[i] < s->v[i - 1]);
		s->falls = falls;
	}
	return n > 1 && s->falls[s->beg + n] != s->falls[s->beg + 1];
}

/* <sign> -1: of the negated numbers. */
static double extreme_of(struct slide *s, struct extreme *e, size_t n, double sign)
{
	if (e->v == NULL)
		e->v = ARENA_ARRAY(s->ev->scratch, s->n, uint32_t);
	if (e->fed > s->beg + n || e->fed < s->beg) {   /* the window went back, or far */
		e->head = e->n = 0;
		e->fed = s->beg;
	}
	for (; e->fed < s->beg + n; e->fed++) {
		if (isnan(s->v[e->fed]))
			continue;
		while (e->n > 0 && sign * s->v[e->v[e->head + e->n - 1]] < sign * s->v[e->fed])
			e->n--;
		e->head = e->n == 0 ? 0 : e->head;
		e->v[e->head + e->n++] = (uint32_t)e->fed;
	}
	while (e->n > 0 && e->v[e->head] < s->beg) {
		e->head++;
		e->n--;
	}
	return e->n > 0 ? s->v[e->v[e->head]] : s->v[s->beg];
}

double slide_greatest(struct slide *s, size_t n)
{
	return extreme_of(s, &s->greatest, n, 1);
}

double slide_least(struct slide *s, size_t n)
{
	return extreme_of(s, &s->least, n, -1);
}

const double *slide_sorted(struct slide *s, size_t n)
{
	size_t end = s->beg + n;

	if (s->sorted.v == NULL)
		s->sorted.v = arena_alloc_raw(s->ev->scratch, s->n * sizeof *s->sorted.v);
	if (s->beg < s->sorted.beg || end < s->sorted.end || s->beg >= s->sorted.end) {
		memcpy(s->sorted.v, s->v + s->beg, n * sizeof *s->v);
		sort_in_time(s->ev, s->sorted.v, n);
	} else {
		size_t held = s->sorted.end - s->sorted.beg;

		for (size_t i = s->sorted.beg; i < s->beg; i++)
			sorted_remove(s->sorted.v, held--, s->v[i]);
		for (size_t i = s->sorted.end; i < end; i++)
			sorted_insert(s->sorted.v, held++, s->v[i]);
	}
	s->sorted.beg = s->beg;
	s->sorted.end = end;
	return s->sorted.v;
}
