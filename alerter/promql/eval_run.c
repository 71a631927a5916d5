/* A query from start to end: limits, the evaluation, and the result as the caller gets it (names removed at last, rows of
 * equal labels merged, range results sorted by labels). */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "eval_histogram.h"
#include "eval_range.h"
#include "eval_run.h"
#include "memory.h"
#include "notes.h"
#include "tocsin/mem.h"

static bool time_is_sane(int64_t ms)
{
	return ms > -(INT64_C(1) << 52) && ms < (INT64_C(1) << 52);     /* sums with ranges and offsets cannot overflow */
}

static bool check_times(struct eval *ev, int64_t start_ms, int64_t end_ms, int64_t step_ms, struct err *e)
{
	size_t most = ev->query->options.limits.max_points;

	if (!time_is_sane(start_ms) || !time_is_sane(end_ms))
		return err_set(e, ERR_BAD_INPUT, -1, "evaluation time out of range");
	if (end_ms < start_ms)
		return err_set(e, ERR_BAD_INPUT, -1, "end time is before start time");
	if (step_ms <= 0 || !time_is_sane(step_ms))
		return err_set(e, ERR_BAD_INPUT, -1, "the step must be positive");
	if ((end_ms - start_ms) / step_ms > (int64_t)most)
		return err_set(e, ERR_BAD_INPUT, -1, "exceeded maximum resolution of max_points=%zu points per timeseries: try a larger step", most);
	ev->steps = (struct steps){ start_ms, step_ms, (size_t)((end_ms - start_ms) / step_ms) + 1 };
	return true;
}

/* Labels lie where the query remembers them, and nothing of them was read yet. */
static void warm_labels(struct labels l)
{
	enum { LINE = 64 };

	for (size_t at = 0; at < l.n * sizeof *l.v; at += LINE)
		mem_warm((const char *)l.v + at);
}

static void result_vector(struct eval *ev, const struct value *x, struct promql_result *r)
{
	enum { WARM_ROWS = 256 };
	size_t n = 0;

	for (size_t row = 0; row < x->shape->n; row++)
		if (x->has[row] && n++ < WARM_ROWS)
			warm_labels(x->shape->labels[row]);
	r->vector = ARENA_ARRAY(ev->arena, n, struct promql_sample);
	for (size_t row = 0; row < x->shape->n; row++)
		if (x->has[row])
			r->vector[r->n_vector++] = (struct promql_sample){ labels_copy(ev->arena, x->shape->labels[row]), ev->steps.start_ms,
			                                                   x->v[row], value_histogram(x, row) };
}

static bool row_holds(const struct value *x, size_t row, bool present)
{
	return memchr(x->has + row * x->n_steps, present, x->n_steps) != NULL;
}

/* A row with a sample at every step, as most have, is used as it is; <all_t> is shared by them. */
static struct promql_series full_row(struct eval *ev, const struct value *x, size_t row, const int64_t *all_t)
{
	size_t cell = row * x->n_steps;

	return (struct promql_series){ labels_copy(ev->arena, x->shape->labels[row]), x->n_steps, all_t, x->v + cell,
		                       x->h == NULL ? NULL : x->h + cell };
}

struct promql_series value_row(struct eval *ev, const struct value *x, size_t row, struct arena *a)
{
	size_t n = 0, most = 0;
	int64_t *t;
	double *v;
	const struct histogram **h;

	for (size_t step = 0; step < x->n_steps; step++)
		most += x->has[row * x->n_steps + step];
	t = ARENA_ARRAY(a, most, int64_t);
	v = ARENA_ARRAY(a, most, double);
	h = x->h == NULL ? NULL : ARENA_ARRAY(a, most, const struct histogram *);
	for (size_t step = 0; step < x->n_steps; step++) {
		size_t cell = row * x->n_steps + step;

		if (!x->has[cell])
			continue;
		t[n] = step_at(&ev->steps, step);
		v[n] = x->v[cell];
		if (h != NULL)
			h[n] = x->h[cell];
		n++;
	}
	return (struct promql_series){ x->shape->labels[row], n, t, v, h };
}

static struct promql_series row_series(struct eval *ev, const struct value *x, size_t row)
{
	struct promql_series s = value_row(ev, x, row, ev->arena);

	s.labels = labels_copy(ev->arena, s.labels);
	return s;
}

static int by_labels(const void *a, const void *b)
{
	return labels_cmp(((const struct promql_series *)a)->labels, ((const struct promql_series *)b)->labels);
}

void result_sort(struct promql_result *r)
{
	if (r->n_matrix > 1)
		qsort(r->matrix, r->n_matrix, sizeof *r->matrix, by_labels);
}

static void result_matrix(struct eval *ev, const struct value *x, struct promql_result *r)
{
	int64_t *all_t = ARENA_ARRAY(ev->arena, x->n_steps, int64_t);

	for (size_t step = 0; step < x->n_steps; step++)
		all_t[step] = step_at(&ev->steps, step);
	r->matrix = ARENA_ARRAY(ev->arena, x->shape->n, struct promql_series);
	for (size_t row = 0; row < x->shape->n && eval_works(ev, x->n_steps); row++)
		if (!row_holds(x, row, false))
			r->matrix[r->n_matrix++] = full_row(ev, x, row, all_t);
		else if (row_holds(x, row, true))
			r->matrix[r->n_matrix++] = row_series(ev, x, row);
	result_sort(r);
}

/* Floats and histograms of a window together again, in time order. */
static struct promql_series window_series(struct eval *ev, const struct window *w)
{
	size_t n = w->f.n + w->h.n, f = 0, h = 0;
	int64_t *t = ARENA_ARRAY(ev->arena, n, int64_t);
	double *v = ARENA_ARRAY(ev->arena, n, double);
	const struct histogram **hs = w->h.n == 0 ? NULL : ARENA_ARRAY(ev->arena, n, const struct histogram *);

	for (size_t i = 0; i < n; i++) {
		if (h == w->h.n || (f < w->f.n && w->f.t_ms[f] < w->h.t_ms[h])) {
			t[i] = w->f.t_ms[f];
			v[i] = w->f.v[f++];
		} else {
			t[i] = w->h.t_ms[h];
			hs[i] = histogram_keep(ev->arena, w->h.h[h++]);
		}
	}
	return (struct promql_series){ labels_copy(ev->arena, w->labels), n, t, v, hs };
}

/* Series whose labels are equal now that names are gone: one, as long as they have no time in common. */
static struct promql_series joined_series(struct eval *ev, const struct promql_series *a, const struct promql_series *b)
{
	size_t n = a->n + b->n, i = 0, k = 0;
	int64_t *t = ARENA_ARRAY(ev->arena, n, int64_t);
	double *v = ARENA_ARRAY(ev->arena, n, double);
	const struct histogram **h = a->h == NULL && b->h == NULL ? NULL : ARENA_ARRAY(ev->arena, n, const struct histogram *);

	while (i + k < n) {
		bool first = k == b->n || (i < a->n && a->t_ms[i] < b->t_ms[k]);
		const struct promql_series *from = first ? a : b;
		size_t at = first ? i : k;

		if (i < a->n && k < b->n && a->t_ms[i] == b->t_ms[k])
			eval_fail(ev, ERR_EXEC, -1, "vector cannot contain metrics with the same labelset");
		t[i + k] = from->t_ms[at];
		v[i + k] = from->v[at];
		if (h != NULL)
			h[i + k] = from->h == NULL ? NULL : from->h[at];
		*(first ? &i : &k) += 1;
	}
	return (struct promql_series){ a->labels, n, t, v, h };
}

static void join_equal(struct eval *ev, struct promql_result *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_matrix && !ev->failed; i++) {
		if (n > 0 && labels_eq(r->matrix[n - 1].labels, r->matrix[i].labels))
			r->matrix[n - 1] = joined_series(ev, &r->matrix[n - 1], &r->matrix[i]);
		else
			r->matrix[n++] = r->matrix[i];
	}
	r->n_matrix = n;
}

/* The raw samples of a range vector: instant queries only. */
static void result_range(struct eval *ev, const struct node *n, struct promql_result *r)
{
	struct range_vector *range = range_open(ev, n);

	if (range == NULL)
		return;
	r->matrix = ARENA_ARRAY(ev->arena, range->shape->n, struct promql_series);
	for (size_t row = 0; row < range->shape->n && !ev->failed; row++) {
		struct arena_mark mark = arena_mark(ev->scratch);
		struct window w = { .labels = range->shape->labels[row] };
		struct points p;
		struct label room[256];

		if (!range_points(range, row, &p))
			break;
		w.end_ms = range_end(range, row, 0);
		w.beg_ms = w.end_ms - range->range_ms;
		window_cut(&w, &p, w.beg_ms, w.end_ms);
		if (w.f.n + w.h.n > 0) {
			if (range_drops(range, row, &w) && w.labels.n <= ARRAY_LEN(room))
				w.labels = labels_without_metric(room, w.labels);
			r->matrix[r->n_matrix++] = window_series(ev, &w);
		}
		arena_rewind(ev->scratch, mark);
	}
	range_close(range);
	result_sort(r);
	join_equal(ev, r);
}

static void fill_result(struct eval *ev, bool instant, struct promql_result *r)
{
	const struct node *root = ev->query->root;
	struct value *x;

	r->type = root->type;
	if (root->type == PROMQL_MATRIX) {
		result_range(ev, node_unwrap(root), r);
		return;
	}
	x = eval_node(ev, root);
	if (x != NULL && x->type == PROMQL_VECTOR)
		x = value_finish_names(ev, x);
	if (x == NULL)
		return;
	if (x->type == PROMQL_STRING) {
		r->string = arena_str(ev->arena, x->string);
		r->scalar.t_ms = ev->steps.start_ms;
	} else if (!instant) {
		r->type = PROMQL_MATRIX;
		result_matrix(ev, x, r);
	} else if (x->type == PROMQL_SCALAR) {
		r->scalar = (struct promql_sample){ .t_ms = ev->steps.start_ms, .v = x->v[0] };
	} else {
		result_vector(ev, x, r);
	}
}

static void result_unseen(struct eval *ev, struct promql_result *r)
{
	struct labels *copy = ARENA_ARRAY(ev->arena, ev->n_unseen, struct labels);

	for (size_t i = 0; i < ev->n_unseen; i++)
		copy[i] = labels_copy(ev->arena, ev->unseen[i]);
	r->unseen = copy;
	r->n_unseen = ev->n_unseen;
}

/* For slices: in the result's arena, since the evaluation's goes. */
static const struct note *told_notes(const struct eval *ev)
{
	struct note *copy = ARENA_ARRAY(ev->arena, ev->notes.n, struct note);

	for (size_t i = 0; i < ev->notes.n; i++) {
		copy[i] = ev->notes.v[i];
		copy[i].text = arena_str(ev->arena, copy[i].text);
	}
	return copy;
}

static const struct clock *clock_of(const struct promql_query *q)
{
	return q->options.clock == NULL ? &clock_system : q->options.clock;
}

int64_t request_deadline(const struct promql_query *q)
{
	return clock_mono_ms(clock_of(q)) + q->options.limits.timeout_ms;
}

struct promql_result *request_run(struct promql_query *q, struct arena *a, struct querier *querier, const struct request *rq,
                                  struct err *e)
{
	struct promql_result *r = ARENA_NEW(a, struct promql_result);
	struct arena scratch = { 0 }, lasting = { 0 };
	struct eval ev = { .query = q, .querier = querier, .arena = a, .held = rq->held, .err = e, .clock = clock_of(q),
	                   .deadline_mono_ms = rq->deadline_mono_ms, .cells = rq->kept_cells, .bytes_before = a->total_bytes,
	                   .bytes_kept = rq->kept_bytes, .bytes_most = promql_most_bytes(&q->options), .query_start_ms = rq->query_start_ms, .query_end_ms = rq->query_end_ms,
	                   .query_step_ms = rq->instant ? 0 : rq->step_ms };

	if (!check_times(&ev, rq->start_ms, rq->end_ms, rq->step_ms, e))
		return NULL;
	if (!rq->instant && q->root->type != PROMQL_VECTOR && q->root->type != PROMQL_SCALAR) {
		err_set(e, ERR_BAD_INPUT, -1, "invalid expression type \"%s\" for range query, must be scalar or instant vector",
		        q->root->type == PROMQL_MATRIX ? "range vector" : "string");
		return NULL;
	}
	ev.scratch = &scratch;
	ev.lasting = &lasting;
	fill_result(&ev, rq->instant, r);
	r->notes = notes_finish(q, &ev.notes, a);
	r->n_notes = ev.notes.n;
	r->told = told_notes(&ev);
	r->read_lost = ev.read_lost;
	r->incomplete = ev.incomplete;
	r->unasked = ev.unasked;
	r->behind = ev.behind;
	result_unseen(&ev, r);
	r->samples_read = ev.samples_read;
	r->peak_samples = ev.peak_cells;
	arena_fini(&scratch);
	arena_fini(&lasting);
	if (ev.charged > 0)
		atomic_fetch_sub(&q->budget->bytes, ev.charged);
	return ev.failed ? NULL : r;
}

static struct promql_result *run_instant(struct promql_query *q, struct arena *a, struct querier *querier, int64_t t_ms, enum promql_hold held,
                                         struct err *e)
{
	struct request rq = { t_ms, t_ms, 1, t_ms, t_ms, .deadline_mono_ms = request_deadline(q), .instant = true, .held = held };

	return request_run(q, a, querier, &rq, e);
}

struct promql_result *promql_instant(struct promql_query *q, struct arena *a, struct querier *querier, int64_t t_ms, struct err *e)
{
	return run_instant(q, a, querier, t_ms, PROMQL_HOLD_NONE, e);
}

struct promql_result *promql_instant_held(struct promql_query *q, struct arena *a, struct querier *querier, int64_t t_ms,
                                          enum promql_hold hold, struct err *e)
{
	return run_instant(q, a, querier, t_ms, hold, e);
}
