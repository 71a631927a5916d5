/* Subqueries: the child is evaluated on a grid of steps of its own, at once where that is within the limits. A table of series by
 * steps may be over them though few of its cells hold a sample: then the steps are evaluated in slices, half as long whenever one is
 * over a limit, and of a finished slice its points alone are kept (piles.h). Within a slice no further subquery is sliced: the slice
 * gets shorter instead. */
#include <string.h>

#include "eval_histogram.h"
#include "eval_range.h"
#include "memory.h"
#include "piles.h"

/* The multiples of <step> in (after, last]. */
static struct steps aligned_steps(int64_t after, int64_t last, int64_t step)
{
	int64_t first = after / step * step;

	if (first <= after)
		first += step;
	return (struct steps){ first, step, first > last ? 0 : (size_t)((last - first) / step) + 1 };
}

/* ---- In slices ---- */

/* Whether the name goes at the end (delayed name removal), of all points from here to the next turn. */
struct name_turn {
	int64_t from_ms;
	bool drops;
};

struct name_turns {
	struct name_turn *v;
	size_t n, cap;
};

static void keep_names(struct range_vector *r, const struct value *x, size_t row, size_t pile)
{
	struct arena *a = r->ev->lasting;
	struct name_turns *turns;

	r->pile_names = arena_grow(a, r->pile_names, r->n_names, &r->cap_names, pile + 1, sizeof *r->pile_names);
	r->n_names = pile + 1 > r->n_names ? pile + 1 : r->n_names;
	turns = &r->pile_names[pile];
	for (size_t step = 0; step < x->n_steps; step++) {
		size_t cell = row * x->n_steps + step;
		bool drops = value_drops(x, cell);

		if (!x->has[cell] || (turns->n > 0 && turns->v[turns->n - 1].drops == drops))
			continue;
		turns->v = arena_grow(a, turns->v, turns->n, &turns->cap, turns->n + 1, sizeof *turns->v);
		turns->v[turns->n++] = (struct name_turn){ step_at(&r->ev->steps, step), drops };
	}
}

/* A row of a slice on its pile. */
static void keep_row(struct range_vector *r, const struct value *x, size_t row)
{
	struct arena *scratch = r->ev->scratch;
	struct arena_mark mark = arena_mark(scratch);
	struct promql_series points = value_row(r->ev, x, row, scratch);

	if (points.n > 0) {
		keep_names(r, x, row, piles_number(&r->piles->labels, r->piles->texts, points.labels));
		piles_add(r->piles, &points);
	}
	arena_rewind(scratch, mark);
}

/* <cells> are held by others. False: no room for more points. */
static bool keep_slice(struct range_vector *r, const struct value *x, size_t cells)
{
	size_t most = r->ev->query->options.limits.max_samples, points = r->piles->points;

	for (size_t i = 0; i < value_cells(x); i++)
		points += x->has[i];
	if (points > most - cells)
		return eval_fail(r->ev, ERR_LIMIT, r->node->beg, "subquery needs more than max_samples=%zu samples: %zu, and %zu before", most,
		                 points, cells);
	for (size_t row = 0; row < x->shape->n && eval_works(r->ev, x->n_steps); row++)
		keep_row(r, x, row);
	return eval_memory_is_within(r->ev, 0);
}

/* Steps [at, at + n) of the grid. What they took is given back, but for the points. */
static bool run_slice(struct range_vector *r, size_t at, size_t n)
{
	struct eval *ev = r->ev;
	struct arena_mark mark = arena_mark(ev->arena);
	size_t cells = ev->cells - r->piles->points;
	const struct value *x;
	bool good;

	ev->steps = (struct steps){ step_at(&r->table_steps, at), r->table_steps.step_ms, n };
	x = eval_node(ev, r->node->subquery.child);
	good = x != NULL && keep_slice(r, x, cells);
	arena_rewind(ev->arena, mark);
	ev->last_note = 0;              /* its name is gone */
	ev->cells = cells + r->piles->points;
	return good;
}

static bool may_be_shorter(const struct eval *ev)
{
	return ev->failed && ev->err->code == ERR_LIMIT;
}

static void forgive(struct eval *ev)
{
	ev->failed = false;
	*ev->err = (struct err){ 0 };
}

static bool run_slices(struct range_vector *r)
{
	size_t most = (r->table_steps.n + 1) / 2;

	for (size_t at = 0; at < r->table_steps.n;) {
		size_t n = r->table_steps.n - at < most ? r->table_steps.n - at : most, points = r->piles->points;

		if (run_slice(r, at, n)) {
			at += n;
		} else if (may_be_shorter(r->ev) && n > 1 && r->piles->points == points) {      /* nothing of it is kept */
			forgive(r->ev);
			most = (n + 1) / 2;
		} else {
			return false;
		}
	}
	return true;
}

/* The piles' labels are the shape: anew each time, since they come in the order of the samples. */
static bool evaluate_in_slices(struct range_vector *r)
{
	struct eval *ev = r->ev;
	struct memory_slot *slot = memory_slot_anew(ev, r->node->id, MEMORY_SHAPE);
	struct labels *labels;
	bool good;

	r->piles = ARENA_NEW(ev->lasting, struct piles);
	piles_init(r->piles, &slot->arena, ev->lasting);
	ev->in_slices = true;
	good = run_slices(r);
	ev->in_slices = false;
	labels = ARENA_ARRAY(&slot->arena, r->piles->labels.n, struct labels);
	for (size_t i = 0; i < r->piles->labels.n; i++)
		labels[i] = r->piles->labels.v[i];
	slot->shape = (struct shape){ .n = r->piles->labels.n, .labels = labels };
	memory_keep(ev, slot);
	r->shape = &slot->shape;
	return good;
}

/* ---- At once ---- */

static bool evaluate(struct range_vector *r)
{
	struct eval *ev = r->ev;
	struct arena_mark mark = arena_mark(ev->arena);
	size_t cells = ev->cells;

	r->table = r->table_steps.n == 0 ? value_new(ev, &shape_none) : eval_node(ev, r->node->subquery.child);
	if (r->table != NULL) {
		r->shape = r->table->shape;
		return true;
	}
	if (!may_be_shorter(ev) || ev->in_slices || r->table_steps.n < 2)
		return false;
	forgive(ev);
	arena_rewind(ev->arena, mark);
	ev->last_note = 0;
	ev->cells = cells;
	return evaluate_in_slices(r);
}

/* In an arena of its own, which counts as long as it is there. */
static bool evaluate_apart(struct range_vector *r)
{
	struct eval *ev = r->ev;
	struct arena *outer = ev->arena;
	size_t before = ev->bytes_before, kept = ev->bytes_kept;
	bool good;

	ev->bytes_kept += outer->total_bytes - before;
	ev->arena = &r->own;
	ev->bytes_before = 0;
	good = evaluate(r);
	ev->arena = outer;
	ev->bytes_before = before;
	ev->bytes_kept = kept + r->own.total_bytes;
	if (!good)
		subquery_close(r);
	return good;
}

void subquery_close(struct range_vector *r)
{
	r->ev->bytes_kept -= r->own.total_bytes;
	r->ev->last_note = 0;           /* its name is gone */
	arena_fini(&r->own);
}

/* The child on a grid of its own, aligned to absolute time, that covers the windows of all steps. */
bool subquery_open(struct range_vector *r)
{
	struct eval *ev = r->ev;
	const struct node_subquery *s = &r->node->subquery;
	int64_t step = s->step.set ? duration_ms(ev, &s->step, true) : ev->query->options.subquery_step_ms, first, last;
	struct steps outer = ev->steps;
	bool outer_resets = ev->tell_resets, good;

	r->range_ms = duration_ms(ev, &s->range, true);
	r->timing = timing_of(ev, s->at, s->at_ms, &s->offset);
	if (ev->failed)
		return false;
	first = timing_at(&r->timing, &outer, 0);
	last = timing_at(&r->timing, &outer, outer.n - 1);
	r->table_steps = aligned_steps(first - r->range_ms, last, step);
	if (r->table_steps.n > ev->query->options.limits.max_samples)   /* each step costs time, even where there is no series */
		return eval_fail(ev, ERR_LIMIT, r->node->beg, "subquery needs more than max_samples=%zu steps: %zu",
		                 ev->query->options.limits.max_samples, r->table_steps.n);
	ev->steps = r->table_steps;
	ev->tell_resets = false;
	good = evaluate_apart(r);
	ev->steps = outer;
	ev->tell_resets = outer_resets;
	return good;
}

/* ---- Reading ---- */

static struct samples pile_samples(struct range_vector *r, size_t row)
{
	struct promql_series s = pile_whole(r->piles, row, r->ev->scratch, false);
	const struct histogram **h = s.h == NULL ? NULL : ARENA_ARRAY(r->ev->scratch, s.n, const struct histogram *);

	for (size_t i = 0; h != NULL && i < s.n; i++)
		h[i] = s.h[i] == NULL ? NULL : histogram_unhinted(r->ev->scratch, s.h[i]);
	return (struct samples){ .n = s.n, .t_ms = s.t_ms, .v = s.v, .h = h };
}

static struct samples table_samples(struct range_vector *r, size_t row)
{
	const struct value *x = r->table;
	struct samples s = { 0 };
	int64_t *t = arena_alloc_raw(r->ev->scratch, x->n_steps * sizeof *t);
	double *v = arena_alloc_raw(r->ev->scratch, x->n_steps * sizeof *v);
	const struct histogram **h = x->h == NULL ? NULL : ARENA_ARRAY(r->ev->scratch, x->n_steps, const struct histogram *);

	for (size_t step = 0; step < x->n_steps; step++) {
		size_t cell = row * x->n_steps + step;

		if (!x->has[cell])
			continue;
		t[s.n] = step_at(&r->table_steps, step);
		v[s.n] = x->v[cell];
		if (h != NULL && x->h[cell] != NULL)
			h[s.n] = histogram_unhinted(r->ev->scratch, x->h[cell]);  /* the steps may skip samples */
		s.n++;
	}
	s.t_ms = t;
	s.v = v;
	s.h = h;
	return s;
}

bool subquery_points(struct range_vector *r, size_t row, struct points *out)
{
	size_t most = r->table != NULL ? r->table->n_steps : r->piles->points;
	struct samples s;

	if (!eval_works(r->ev, most) || !eval_memory_is_within(r->ev, most * (sizeof *s.t_ms + sizeof *s.v)))
		return false;
	s = r->table != NULL ? table_samples(r, row) : pile_samples(r, row);
	points_split(r->ev, &s, out);
	return true;
}

static bool pile_drops(const struct name_turns *turns, int64_t at_ms)
{
	size_t low = 0, high = turns->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		*(turns->v[mid].from_ms <= at_ms ? &low : &high) = mid;
	}
	return turns->v[low].drops;
}

bool subquery_drops(const struct range_vector *r, size_t row, const struct window *w)
{
	const struct value *x = r->table;
	int64_t first_ms = w->f.n == 0 || (w->h.n > 0 && w->h.t_ms[0] < w->f.t_ms[0]) ? w->h.t_ms[0] : w->f.t_ms[0];

	if (r->piles != NULL)
		return pile_drops(&r->pile_names[row], first_ms);
	return x->drop != NULL && x->drop[row * x->n_steps + (size_t)((first_ms - r->table_steps.start_ms) / r->table_steps.step_ms)];
}
