/* The evaluator's inside: values, label shapes, calls. Private to promql/.
 *
 * Every expression is evaluated once for all steps of a query (an instant query has one step). Its value is a table: a row a
 * label set, a column a step. The labels of the rows are its shape; shapes depend on which series exist and not on their
 * samples, so they are remembered between evaluations (memory.h) and an evaluation at rest touches numbers only.
 *
 * Nothing here returns an error: who fails calls eval_fail() and returns NULL; callers look at NULL or eval->failed.
 * A value belongs to the one expression that asked for it, which may overwrite it in place. */
#ifndef TOCSIN_PROMQL_EVAL_H
#define TOCSIN_PROMQL_EVAL_H

#include "functions.h"
#include "query.h"

struct shape {
	size_t n;                       /* rows */
	const struct labels *labels;
	uint64_t version;               /* equal versions: equal shapes, as far as they go; a later one may have more rows */
};

struct value {
	enum promql_type type;          /* scalar, vector or string */
	const struct shape *shape;      /* of a scalar: one row without labels */
	size_t n_steps;
	double *v;                      /* v[row * n_steps + step] */
	bool *has;                      /* the row has a sample at the step */
	bool *drop;                     /* that sample's metric name goes at the end (delayed name removal); NULL: no sample's */
	const struct histogram **h;     /* NULL: floats only; else NULL for a float */
	int64_t *t_ms;                  /* of a selector under timestamp(): when its samples were taken; else NULL */
	int64_t *st_ms;                 /* the same: their start timestamps, 0 unknown */
	struct str string;
};

struct steps {
	int64_t start_ms, step_ms;
	size_t n;
};

static inline int64_t step_at(const struct steps *s, size_t i)
{
	return s->start_ms + (int64_t)i * s->step_ms;
}

/* Annotations, each text once: notes.h. */
struct notes {
	struct note *v;
	size_t n, cap;
};

/* One evaluation. */
struct eval {
	struct promql_query *query;
	struct querier *querier;
	struct arena *arena;            /* values, and at the end the result */
	struct arena *scratch;          /* samples of the one series at hand */
	struct arena *lasting;          /* what outlives a slice of a subquery: notes, unseen targets, points */
	bool in_slices;                 /* a subquery is evaluated in slices */
	struct steps steps;             /* of the expression at hand: a subquery's child has its own */
	int64_t query_start_ms, query_end_ms, query_step_ms;    /* for start(), end(), step(), range() */
	uint64_t as_of;                 /* of the first selection: all see the same scrapes */
	enum promql_hold held;          /* lost series at their last good value (semantics, "Not knowing") */
	bool want_times;                /* the next selector also tells when its samples were taken */
	bool tell_resets;               /* selectors compare histograms with those before, to tell which begin anew */
	bool failed;
	struct err *err;
	struct notes notes;             /* notes.h; in <lasting> */
	unsigned last_note;             /* note_id + 1, the metric it was about, and its place */
	struct str last_note_name;
	int last_note_pos;
	bool read_lost, incomplete, unasked, behind;
	struct labels *unseen;          /* in <lasting> */
	size_t n_unseen, unseen_cap;
	size_t cells, peak_cells, samples_read;
	size_t bytes_before;            /* in <arena>, of others */
	size_t bytes_kept;              /* of the query, elsewhere */
	size_t bytes_most;
	size_t charged;                 /* to the budget of all queries */
	const struct clock *clock;
	int64_t deadline_mono_ms;
	size_t since_asked;             /* work done since, by eval_works() */
};

/* False, always; the first failure wins. */
bool eval_fail(struct eval *, enum err_code code, int pos, const char *fmt, ...) PRINTF(4, 5);
/* The deadline, to be asked now and then in long loops. False and failed when it has passed. */
bool eval_in_time(struct eval *);
/* The same for every loop whose length the query decides: asks when enough was done. <cells>: what the next turn looks at. */
static inline bool eval_works(struct eval *ev, size_t cells)
{
	enum { CELLS_A_LOOK = 1 << 16 };

	ev->since_asked += cells;
	if (ev->since_asked < CELLS_A_LOOK)
		return !ev->failed;
	ev->since_asked = 0;
	return eval_in_time(ev);
}
bool eval_has_feature(const struct eval *, enum promql_feature);
/* NULL only with eval->failed. */
struct value *eval_node(struct eval *, const struct node *);

/* Without the parentheses around it. */
static inline const struct node *node_unwrap(const struct node *n)
{
	while (n->kind == NODE_PAREN)
		n = n->paren;
	return n;
}

/* ---- values ---- */

extern const struct shape shape_one;    /* one row without labels: scalars, vector() */
extern const struct shape shape_none;   /* no rows */
/* A vector with room for <shape> at every step, empty (<has> nowhere set). NULL and failed over max_samples. */
struct value *value_new(struct eval *, const struct shape *);
struct value *value_scalar(struct eval *);
/* Makes <h>, all floats, where there is none yet. */
void value_need_histograms(struct eval *, struct value *);
/* Puts in a histogram that was just made; while its expression is evaluated it counts as many samples as would fill its memory.
 * False and failed over max_samples. */
bool value_put_histogram(struct eval *, struct value *, size_t cell, const struct histogram *);
/* The points of a row that are there; arrays in <a>, labels borrowed. */
struct promql_series value_row(struct eval *ev, const struct value *x, size_t row, struct arena *a);

static inline size_t value_cells(const struct value *x)
{
	return x->shape->n * x->n_steps;
}

static inline bool value_is_float(const struct value *x, size_t cell)
{
	return x->has[cell] && (x->h == NULL || x->h[cell] == NULL);
}

static inline const struct histogram *value_histogram(const struct value *x, size_t cell)
{
	return x->h == NULL ? NULL : x->h[cell];
}

static inline bool value_drops(const struct value *x, size_t cell)
{
	return x->drop != NULL && x->drop[cell];
}

/* Makes <drop>, no sample's, where there is none yet. */
void value_need_drops(struct eval *, struct value *);
/* Copies the sample <from> of <x>. False and failed where <out> has one already. */
bool value_put(struct eval *, struct value *out, size_t to, const struct value *x, size_t from);

/* ---- labels of values (eval_labels.c) ---- */

/* What a function that changes the meaning of a metric does: its name goes, at once or (delayed name removal) flagged for
 * the end. */
struct value *value_drop_names(struct eval *, const struct node *, struct value *);
/* Without delayed name removal __type__ and __unit__ stay, as Prometheus has it for the functions of native histograms. */
struct value *value_drop_name_alone(struct eval *, const struct node *, struct value *);
/* The end: names that are flagged go. */
struct value *value_finish_names(struct eval *, struct value *);
/* New labels for every row, by <fn>: <out> may borrow from <in> and <a>, and depends on nothing else; <named>: the metric has its name
 * from here on. Rows that become equal are one from then on; two samples of one row at one step fail the query. */
typedef void (*relabel_fn)(void *arg, struct arena *a, struct labels in, struct labels *out, bool *named);
/* <more_bytes> of labels are not counted yet. False: it failed, the query needs too much. */
bool eval_memory_is_within(struct eval *, size_t more_bytes);
struct value *value_relabel(struct eval *, int node_id, struct value *, relabel_fn, void *arg);
/* Whether value_relabel() would find the outcome remembered, and not call its function. */
bool value_relabel_is_known(struct eval *, int node_id, const struct value *);
/* Rows in the order of <rows>, others left out. For sort and topk: made anew at each evaluation. */
struct value *value_pick_rows(struct eval *, const struct node *, const struct value *, const uint32_t *rows, size_t n);

/* ---- times (eval_time.c) ---- */

/* What @ and offset make of the evaluation time. */
struct timing {
	bool fixed;
	int64_t fixed_ms, offset_ms;
};
struct timing timing_of(struct eval *, enum at_kind, int64_t at_ms, const struct duration *offset);
int64_t timing_at(const struct timing *, const struct steps *, size_t step);
/* 0 and failed when it cannot be computed, or is to be positive and is not. */
int64_t duration_ms(struct eval *, const struct duration *, bool positive);

/* ---- calls ---- */

/* Samples of one series as a function over a range sees them: floats and histograms apart, without stale markers. */
struct float_points {
	size_t n;
	const int64_t *t_ms;
	const double *v;
	const int64_t *st_ms;           /* start timestamps, 0 unknown; NULL: none */
};

struct histogram_points {
	size_t n;
	const int64_t *t_ms;
	const struct histogram *const *h;
	const int64_t *st_ms;
};

struct slide;                           /* slide.h */

struct window {
	int64_t beg_ms, end_ms;         /* (beg, end] */
	struct float_points f;          /* anchored and smoothed: with the neighbours outside (beg, end] within the lookback */
	struct histogram_points h;
	struct labels labels;
	size_t step;
	struct slide *slide;            /* over the row's windows; NULL: there is only this one */
};

struct point {
	double v;
	const struct histogram *h;      /* NULL: a float */
};

struct range_vector;                    /* eval_range.h */

struct eval_call {
	struct eval *ev;
	const struct node *node;        /* the call */
	struct value **args;            /* NULL where the argument is a range vector */
	size_t n_args;
	struct range_vector *range;     /* of the range-vector argument; NULL: there is none */
	const struct node *range_arg;   /* without parentheses */
	struct value *result;           /* set by the body; NULL and no failure: an empty vector */
};

static inline int call_arg_pos(const struct eval_call *c, size_t i)
{
	return node_unwrap(c->node->call.args[i])->beg;
}

/* The value of scalar argument <i> at <step>. */
static inline double call_scalar(const struct eval_call *c, size_t i, size_t step)
{
	return c->args[i]->v[step];
}

/* Runs <fn> over the window of each series at each step that holds a sample. False: no sample there. */
typedef bool (*window_fn)(struct eval_call *, const struct window *, struct point *out);
void call_windows(struct eval_call *, bool keep_names, window_fn);
/* The same from the ends of the windows where those are to be had and tell enough: a body that says false gets the samples. */
typedef bool (*ends_fn)(struct eval_call *, const struct window *, const struct window_ends *, bool *has, double *v);
void call_window_ends(struct eval_call *, bool keep_names, ends_fn, window_fn);
/* Replaces each float of the first argument; histograms are left out; names go. */
typedef double (*float_fn)(double);
void call_floats(struct eval_call *, float_fn);

/* ---- operators ---- */

struct value *eval_aggregate(struct eval *, const struct node *);
struct value *eval_binary(struct eval *, const struct node *);
struct value *eval_selector(struct eval *, const struct node *);

#endif
