/* The buckets of a native histogram: their bounds, walks over them in order, and how a side is made anew. Private to promql/. */
#ifndef TOCSIN_PROMQL_HISTOGRAM_BUCKETS_H
#define TOCSIN_PROMQL_HISTOGRAM_BUCKETS_H

#include "tocsin/arena.h"
#include "tocsin/histogram.h"

struct histogram_bucket {
	double lower, upper, count;
	bool has_lower, has_upper;      /* the bound itself belongs to the bucket */
	bool negative;                  /* of the negative side */
};

static inline bool histogram_is_custom(const struct histogram *h)
{
	return h->schema == HISTOGRAM_CUSTOM;
}

/* Upper bound of positive bucket <index>; the lower one is that of <index> - 1. */
double histogram_bound(const struct histogram *, int64_t index);
/* The same for an exponential schema. */
double exponential_bound(int32_t schema, int64_t index);

/* Of custom buckets. */
bool bounds_same(const double *a, uint32_t n_a, const double *b, uint32_t n_b);

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

/* All buckets from -Inf to +Inf, or (down) the other way. For estimates: those that the zero bucket overlaps are cut short, and a
 * zero bucket of nothing, or less, is none; unless <whole>: then each is as it is kept. */
struct histogram_walk {
	const struct histogram *h;
	struct side_walk near, far;     /* the side to walk first, towards zero, and the other one */
	bool down, zero_done, whole;
};
struct histogram_walk histogram_walk_up(const struct histogram *);
struct histogram_walk histogram_walk_down(const struct histogram *);
bool histogram_next(struct histogram_walk *, struct histogram_bucket *out);

/* A bucket of one side, with bounds. */
struct histogram_bucket histogram_bucket_at(const struct histogram *, int64_t index, double count, bool negative);
/* The part of an exponential bucket's observations that lie below <v>, which is within it. */
double exponential_part_below(const struct histogram_bucket *, double v);

/* A side from buckets put in rising order; empty ones are left out. */
struct side_maker {
	struct histogram_span *spans;
	double *buckets;
	uint32_t n_spans, n_buckets;
	int64_t end;                    /* index behind the last one */
};
struct side_maker side_maker_new(struct arena *, size_t most);
void side_put(struct side_maker *, int64_t index, double count);
struct histogram_side side_made(const struct side_maker *);

#endif
