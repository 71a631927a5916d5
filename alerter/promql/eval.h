/* The evaluator's inside: values, label shapes, calls. Private to promql/.
 *
 * Every expression is evaluated once for all steps of a query (an instant query has one step). Its value is a table: a row a
 * label set, a column a step. The labels of the rows are its shape; shapes depend on which series exist and not on their
 * samples, so they are remembered between evaluations (memory.h) and an evaluation at rest touches numbers only.
 *
 * A body never returns an error: it calls eval_fail() and returns; the evaluator looks at eval->failed behind each node.
 * A value belongs to the one expression that asked for it, which may overwrite it in place. */
#ifndef TOCSIN_PROMQL_EVAL_H
#define TOCSIN_PROMQL_EVAL_H

#include "functions.h"
#include "query.h"

struct shape {
	size_t n;                       /* rows */
	const struct labels *labels;
	const bool *drop_name;          /* the metric name goes at the end (delayed name removal); NULL: no row */
	uint64_t version;               /* equal versions: equal shapes; 0: made for this evaluation only */
};

struct value {
	enum promql_type type;          /* scalar, vector or string */
	const struct shape *shape;      /* of a scalar: one row without labels */
	size_t n_steps;
	double *v;                      /* v[row * n_steps + step] */
	bool *has;                      /* the row has a sample at the step */
	const struct histogram **h;     /* NULL: floats only; else NULL for a float */
	int64_t *t_ms;                  /* of a bare selector: when its samples were taken (timestamp()); else NULL */
	int64_t *st_ms;                 /* of a bare selector: start timestamps; else NULL */
	struct str string;
};

static inline size_t value_cell(const struct value *x, size_t row, size_t step)
{
	return row * x->n_steps + step;
}

struct steps {
	int64_t start_ms, step_ms;
	size_t n;
};

static inline int64_t step_at(const struct steps *s, size_t i)
{
	return s->start_ms + (int64_t)i * s->step_ms;
}

struct note;

/* One evaluation. */
struct eval {
	struct promql_query *query;
	struct querier *querier;
	struct arena *arena;            /* values and the result */
	struct arena scratch;           /* samples of one series */
	struct steps steps;             /* of the expression at hand: a subquery has its own */
	int64_t query_start_ms, query_end_ms, query_step_ms;    /* @ start(), @ end(), step(), range() */
	bool held;                      /* lost series at their last good value */
	bool failed;
	struct err *err;
	struct note *notes;
	size_t n_notes;
	bool read_lost, incomplete;
	size_t cells, peak_cells, samples_read;
	int64_t deadline_mono_ms;
};

/* Samples of one series as a function over a range sees them: floats and histograms apart, without stale markers. */
struct float_points {
	size_t n;
	const int64_t *t_ms;
	const double *v;
	const int64_t *st_ms;           /* NULL: none */
};

struct histogram_points {
	size_t n;
	const int64_t *t_ms;
	const struct histogram *const *h;
	const int64_t *st_ms;           /* NULL: none */
};

struct window {
	int64_t beg_ms, end_ms;         /* (beg, end] */
	int64_t eval_ms;                /* the step */
	struct float_points f;          /* anchored and smoothed: with the neighbours outside (beg, end] that lookback allows */
	struct histogram_points h;
	struct labels labels;
	size_t step;
};

struct point {
	double v;
	const struct histogram *h;      /* NULL: a float */
};

struct range_vector;                    /* range.c: what a range selector or a subquery reads */

struct eval_call {
	struct eval *ev;
	const struct node *node;        /* the call */
	struct value **args;            /* NULL where the argument is the range vector */
	size_t n_args;
	struct range_vector *range;     /* the range-vector argument; NULL: there is none */
	const struct node *range_arg;
	struct value *result;           /* the body sets it; NULL and no failure: an empty vector */
};

#endif
