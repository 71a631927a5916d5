/* Range vectors: read one series at a time, either from storage or from the table a subquery made. Private to promql/. */
#ifndef TOCSIN_PROMQL_EVAL_RANGE_H
#define TOCSIN_PROMQL_EVAL_RANGE_H

#include "eval.h"

struct points {
	struct float_points f;
	struct histogram_points h;
};

struct range_vector {
	struct eval *ev;
	const struct node *node;        /* the selector or subquery */
	const struct shape *shape;
	struct timing timing;
	int64_t range_ms;
	int64_t before_ms, after_ms;    /* how far anchored and smoothed look beyond the range */
	struct selection *selection;    /* of a selector */
	struct arena own;               /* of a subquery: what evaluating it takes; its table goes with it */
	struct value *table;            /* NULL when it was evaluated in slices */
	struct piles *piles;            /* then, and from when on the names of each go at the end, or stay */
	struct name_turns *pile_names;
	size_t n_names, cap_names;
	struct steps table_steps;
};

/* <n> is a range selector or a subquery. NULL and failed when it cannot be read. Lives in the evaluation's arena. */
struct range_vector *range_open(struct eval *, const struct node *n);
void range_close(struct range_vector *);
/* All samples of <row> that any step's window can hold. Valid until the scratch arena is rewound. False and failed. */
bool range_points(struct range_vector *, size_t row, struct points *out);
/* The ends of the windows of <n> rows from <row> on, of the only step. False: not to be had, read the points. */
bool range_ends(struct range_vector *, size_t row, size_t n, struct window_ends *out);
/* The end of the window of <row> at <step>; it begins range_ms before. */
int64_t range_end(const struct range_vector *, size_t row, size_t step);

/* Whether the metric name goes at the end: it does when that of the first sample does, and there is one. */
bool range_drops(const struct range_vector *, size_t row, const struct window *);

/* The part of <p> with beg_ms < t <= end_ms, into <w>->f and <w>->h. */
void window_cut(struct window *w, const struct points *p, int64_t beg_ms, int64_t end_ms);

/* ---- subqueries (subquery.c) ---- */

bool subquery_open(struct range_vector *);
void subquery_close(struct range_vector *);
/* False and failed: it would take too much. */
bool subquery_points(struct range_vector *, size_t row, struct points *out);

/* As range_drops(). */
bool subquery_drops(const struct range_vector *, size_t row, const struct window *);

/* ---- selectors (eval_select.c), which ranges, instant selectors and info() share ---- */

/* Matching series and their remembered shape. <min_ms>, <max_ms>: all times that will be read; <begins_ms>: where what is read for the first
 * step begins, and for the last. NULL and failed. */
struct selection *select_series(struct eval *, int node_id, const struct matcher *, size_t n, int64_t min_ms, int64_t max_ms,
                                const int64_t begins_ms[2], const struct shape **shape);
/* A vector of the newest samples. */
struct select_request {
	int node_id, pos;               /* whose memory; where notes point */
	const struct matcher *matchers;
	size_t n_matchers;
	struct timing timing;
	bool smoothed, want_times;
};
struct value *select_instant(struct eval *, const struct select_request *);
/* The ends of (min_ms, max_ms] in <n> rows from <row> on, as the querier tells them. False: not to be had, read the samples. */
bool select_ends(struct eval *, const struct selection *, size_t row, size_t n, int64_t min_ms, int64_t max_ms, bool last_only,
                 struct window_ends *out);
enum { ENDS_ROWS = 64 };                /* as many at once */
/* Where a lookup for <ref_ms>, or a window of <range_ms> until then, is taken: earlier for a series that is held, since it is lost then or
 * was where the window begins. */
int64_t select_anchor(const struct eval *, const struct selection *, size_t row, const struct timing *, int64_t ref_ms, int64_t range_ms);
/* The raw samples of a row, into the scratch arena. */
bool select_samples(struct eval *, const struct selection *, size_t row, int64_t min_ms, int64_t max_ms, bool before,
                    struct samples *out);
/* Without stale markers, floats and histograms apart. In the scratch arena. */
void points_split(struct eval *, const struct samples *, struct points *out);

/* ---- anchored and smoothed (fn_extended.c) ---- */

/* The value at <at_ms> on the line between the neighbours in <w>; the last one where there is none behind. False: none. */
bool smooth_at(struct eval *, const struct window *w, int64_t at_ms, int pos, struct point *out);

#endif
