/* Samples of one series as arrays that grow at the end, put together from chunks of several places. Private to the store. */
#ifndef TOCSIN_STORE_RUN_H
#define TOCSIN_STORE_RUN_H

#include "tocsin/arena.h"
#include "tocsin/histogram.h"

struct run {
	int64_t *t;
	double *v;
	const struct histogram **h; /* NULL: all are floats */
	size_t n;
};

/* With room for <n>. */
struct run run_new(size_t n, bool has_hist, struct arena *a);
void run_set(struct run *to, size_t i, const struct run *from, size_t k);
/* Samples from <seam> on may begin before those in front of it: merges them, of two at one time the later one stays. */
void run_mend(struct run *r, size_t seam, struct arena *a);

#endif
