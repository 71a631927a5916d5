/* What the functions of counters share. Private to promql/. */
#ifndef TOCSIN_PROMQL_FN_RATE_H
#define TOCSIN_PROMQL_FN_RATE_H

#include "eval.h"

struct rate_kind {
	bool counter;           /* resets are taken into account, and the value cannot be below 0 */
	bool per_second;
};

static inline int64_t start_of(const int64_t *st_ms, size_t i)
{
	return st_ms == NULL ? 0 : st_ms[i];
}

/* Whether the counter began anew between two samples, by what they tell of their start. A sample that starts exactly at the one
 * before is a delta, unless that one's own start was unknown: then it is the first known start of a cumulative series. */
static inline bool start_is_reset(int64_t prev_st_ms, int64_t prev_ms, int64_t st_ms, int64_t t_ms)
{
	if (st_ms == 0 || st_ms >= t_ms || st_ms < prev_ms)
		return false;
	return st_ms > prev_ms || (prev_st_ms != 0 && prev_st_ms < prev_ms);
}

/* fn_rate_histogram.c: the same for windows of histograms. False: no sample. */
bool histogram_increase(struct eval_call *, const struct window *, struct rate_kind, double range_s, struct point *out);
bool histogram_last_step(struct eval_call *, const struct window *, struct rate_kind, struct point *out);

/* fn_extended.c: rate, increase and delta of anchored and smoothed selectors. */
bool extended_rate(struct eval_call *, const struct window *, struct rate_kind, struct point *out);
/* The samples at the edges of an extended window, and whether the value there lies between two. */
struct edges {
	size_t first, last;
	bool left_between, right_between;       /* between <first> and the next; between <last> and the one before */
};
/* False: nothing lies within. */
bool extended_edges(const int64_t *t_ms, size_t n, const struct window *, bool smoothed, struct edges *);
bool histogram_extended(struct eval_call *, const struct window *, struct rate_kind, bool smoothed, struct point *out);
bool smooth_histogram_at(struct eval *, const struct window *, int64_t at_ms, int pos, struct point *out);
/* First float and histogram of an anchored window: the last at or before its begin. False: nothing lies within. */
bool anchored_from(const struct window *, struct float_points *f, struct histogram_points *h);

/* How much an increase seen between <from_ms> and the last of <n> samples is stretched to cover the window. <from_ms> is the
 * first sample, or the known start before it. <zero_s>: how long before that the counter can have been zero; INFINITY: no bound. */
double extrapolation(const struct window *, int64_t from_ms, int64_t first_ms, int64_t last_ms, size_t n, double zero_s);
/* The counter is known to have begun at zero within the window, before its first sample: nothing is guessed on the left. */
static inline bool starts_within(const struct window *w, int64_t st_ms, int64_t first_ms)
{
	return st_ms != 0 && st_ms > w->beg_ms && st_ms < first_ms;
}

#endif
