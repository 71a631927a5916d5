/* Points of series that are evaluated in slices of steps: of a finished slice they alone are kept, a pile a label set. Private to
 * promql/. */
#ifndef TOCSIN_PROMQL_PILES_H
#define TOCSIN_PROMQL_PILES_H

#include "memory.h"

struct pile;

struct piles {
	struct arena *texts, *kept;     /* of label sets; of points */
	struct label_table labels;      /* a pile each */
	struct pile *v;
	size_t cap;
	size_t points;                  /* in all of them */
};

void piles_init(struct piles *, struct arena *texts, struct arena *kept);
/* Puts them on the pile of these labels, behind those before; everything is copied. */
void piles_add(struct piles *, const struct promql_series *);
/* The whole pile, in memory of <a>; histograms are copied when <copy>. */
struct promql_series pile_whole(const struct piles *, size_t i, struct arena *a, bool copy);
/* The number of <l> in <t>; its texts are copied into <a> when it is new. */
size_t piles_number(struct label_table *t, struct arena *a, struct labels l);

#endif
