/* What the windows of one series have in common when they slide over it, step by step: no sample is added, compared or sorted once for
 * each window it lies in. Each answer is exactly what the window's own samples would give. Private to promql/. */
#ifndef TOCSIN_PROMQL_SLIDE_H
#define TOCSIN_PROMQL_SLIDE_H

#include "eval.h"

struct slide {
	struct eval *ev;                /* whose scratch holds all of it, as long as the row is at hand */
	const double *v;                /* all floats of the row */
	size_t n;
	size_t beg;                     /* of the window at hand: its floats are v[beg] … */
	/* Made when first asked for. */
	const double *sums;             /* of the first i floats */
	const uint32_t *falls;          /* i of the first floats are less than the one before */
	struct extreme {
		uint32_t *v;            /* places, each value beaten by none behind it */
		size_t head, n, fed;    /* v[head] … v[head + n - 1]; floats up to <fed> are in */
	} least, greatest;
	struct {
		double *v;
		size_t beg, end;        /* floats in it */
	} sorted;
	bool tried_sums;
};

/* Of the <n> floats from <beg> on. False: they are not whole numbers whose sums are all exact, add them up. */
bool slide_sum(struct slide *, size_t n, double *out);
/* Whether one is less than the one before it. */
bool slide_falls(struct slide *, size_t n);
/* The first of the greatest, or least; NaN where there is nothing else. */
double slide_greatest(struct slide *, size_t n);
double slide_least(struct slide *, size_t n);
/* All of them, sorted; belongs to the slide. */
const double *slide_sorted(struct slide *, size_t n);

#endif
