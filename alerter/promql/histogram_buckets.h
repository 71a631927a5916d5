/* The buckets of a native histogram, in order and with their bounds. Private to promql/. */
#ifndef TOCSIN_PROMQL_HISTOGRAM_BUCKETS_H
#define TOCSIN_PROMQL_HISTOGRAM_BUCKETS_H

#include "tocsin/histogram.h"

struct histogram_bucket {
	double lower, upper, count;
	bool has_lower, has_upper;      /* the bound itself belongs to the bucket */
	int64_t index;                  /* 0 for the zero bucket */
};

static inline bool histogram_is_custom(const struct histogram *h)
{
	return h->schema == HISTOGRAM_CUSTOM;
}

/* Upper bound of positive bucket <index>; the lower one is that of <index> - 1. */
double histogram_bound(const struct histogram *, int64_t index);

/* One side, bucket by bucket away from zero, empty ones included. */
struct side_walk {
	const struct histogram_side *side;
	uint32_t span, in_span, i;      /* of the next bucket */
	int64_t index;
};
struct side_walk side_walk_up(const struct histogram_side *);
bool side_next(struct side_walk *, int64_t *index, double *count);
/* The other way round. */
struct side_walk side_walk_down(const struct histogram_side *);
bool side_before(struct side_walk *, int64_t *index, double *count);

/* All buckets from -Inf to +Inf, or (down) the other way; those that the zero bucket overlaps are cut short. */
struct histogram_walk {
	const struct histogram *h;
	struct side_walk near, far;     /* the side to walk first, towards zero, and the other one */
	bool down, zero_done;
};
struct histogram_walk histogram_walk_up(const struct histogram *);
struct histogram_walk histogram_walk_down(const struct histogram *);
bool histogram_next(struct histogram_walk *, struct histogram_bucket *out);

#endif
