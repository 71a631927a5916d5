/* A sum of native histograms on its way: what is added may differ in resolution, in the width of the zero bucket or in custom
 * bounds; the sum takes the coarser of each. Private to promql/. */
#ifndef TOCSIN_PROMQL_HISTOGRAM_TALLY_H
#define TOCSIN_PROMQL_HISTOGRAM_TALLY_H

#include "numeric.h"
#include "tocsin/histogram.h"

struct cells {                          /* buckets of one side, by rising index */
	int64_t *index;
	struct sum *v;
	size_t n, cap;
};

struct tally_part {
	int32_t schema;
	double zero_threshold;
	struct sum zero, count, sum;
	struct cells pos, neg;
	const double *custom;
	uint32_t n_custom;
};

struct tally {
	struct arena *arena;            /* where it grows */
	bool plain;                     /* rounded at each step, as the operators + and - do, instead of compensated */
	bool careful;                   /* refuses what would overflow */
	size_t n;                       /* histograms added */
	struct tally_part all;
	struct tally_part operand;      /* the one being added; kept for its memory */
	enum histogram_reset reset;
	bool saw_reset, saw_no_reset;   /* among the hints added */
	bool reconciled;                /* custom bounds differed: those in common are left */
};

void tally_init(struct tally *, struct arena *, bool plain);
enum tally_result {
	TALLY_ADDED,
	TALLY_UNLIKE,           /* not added: one has exponential buckets, the other custom ones */
	TALLY_OVERFLOW,         /* careful, and not added: a count or the sum would be infinite */
};
/* <factor>: 1, or -1 to subtract. */
enum tally_result tally_add(struct tally *, const struct histogram *, double factor);
void tally_scale(struct tally *, double factor);
void tally_divide(struct tally *, double by);
/* Without empty buckets; in <a>. */
struct histogram *tally_histogram(const struct tally *, struct arena *a);

/* Whether the counter began anew: some count is lower than before, as far as the buckets of both can be compared. <scratch> is
 * left as it was. */
bool tally_shows_reset(struct arena *scratch, const struct histogram *before, const struct histogram *now);

#endif
