/* topk, bottomk, limitk, limit_ratio: members of each group as they are. An instant query gets topk and bottomk in order. */
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "aggregate.h"
#include "memory.h"
#include "tocsin/num.h"
#include "notes.h"

struct ranking {
	struct eval *ev;
	const struct node *node;
	const struct value *x;
	struct grouping g;
	uint32_t **best;        /* by group: at most k rows, the worst of them on top of a heap */
	uint32_t *n_best;
	bool descending;
};

/* Whether row <a> ranks before row <b>; NaN ranks last; of equals the one that came first. */
static bool before(const struct ranking *r, size_t step, uint32_t a, uint32_t b)
{
	double x = r->x->v[a * r->x->n_steps + step], y = r->x->v[b * r->x->n_steps + step];

	if (isnan(x) || isnan(y))
		return isnan(x) == isnan(y) ? a < b : isnan(y);
	return x == y ? a < b : (x > y) == r->descending;
}

static void heap_down(const struct ranking *r, size_t step, uint32_t *heap, size_t n, size_t i)
{
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		uint32_t swap;

		if (child + 1 < n && before(r, step, heap[child], heap[child + 1]))
			child++;
		if (!before(r, step, heap[i], heap[child]))
			return;
		swap = heap[i];
		heap[i] = heap[child];
		heap[child] = swap;
	}
}

static void heap_up(const struct ranking *r, size_t step, uint32_t *heap, size_t i)
{
	while (i > 0) {
		size_t parent = (i - 1) / 2;
		uint32_t swap = heap[i];

		if (!before(r, step, heap[parent], heap[i]))
			return;
		heap[i] = heap[parent];
		heap[parent] = swap;
		i = parent;
	}
}

static void rank_row(struct ranking *r, size_t step, size_t row, size_t k)
{
	uint32_t group = r->g.of[row], *heap = r->best[group], i = (uint32_t)row;

	if (value_histogram(r->x, row * r->x->n_steps + step) != NULL) {
		aggregate_note_ignored(r->ev, r->node, r->node->beg);
		return;
	}
	if (r->n_best[group] < k) {
		heap[r->n_best[group]++] = i;
		heap_up(r, step, heap, r->n_best[group] - 1u);
	} else if (before(r, step, i, heap[0])) {
		heap[0] = i;
		heap_down(r, step, heap, k, 0);
	}
}

static void limit_row(struct ranking *r, size_t row, size_t k)
{
	uint32_t group = r->g.of[row];

	if (r->n_best[group] < k)
		r->best[group][r->n_best[group]++] = (uint32_t)row;
}

/* Takes the heap apart from its worst end: best first. */
static void heap_sort(struct ranking *r, size_t step, uint32_t group)
{
	uint32_t *heap = r->best[group];

	for (size_t n = r->n_best[group]; n > 1; n--) {
		uint32_t worst = heap[0];

		heap[0] = heap[n - 1];
		heap[n - 1] = worst;
		heap_down(r, step, heap, n - 1, 0);
	}
}

static void rank_step(struct ranking *r, size_t step, size_t k)
{
	bool ordered = r->node->aggregate.op != AGGR_LIMITK;

	memset(r->n_best, 0, r->g.shape->n * sizeof *r->n_best);
	for (size_t row = 0; row < r->x->shape->n; row++) {
		if (!r->x->has[row * r->x->n_steps + step])
			continue;
		if (ordered)
			rank_row(r, step, row, k);
		else
			limit_row(r, row, k);
	}
	for (uint32_t group = 0; ordered && group < r->g.shape->n; group++)
		heap_sort(r, step, group);
}

/* What is not among the chosen has no sample at this step. */
static void keep_chosen(const struct ranking *r, struct value *x, size_t step, bool *chosen)
{
	memset(chosen, 0, x->shape->n);
	for (size_t group = 0; group < r->g.shape->n; group++)
		for (size_t i = 0; i < r->n_best[group]; i++)
			chosen[r->best[group][i]] = true;
	for (size_t row = 0; row < x->shape->n; row++)
		x->has[row * x->n_steps + step] &= chosen[row];
}

static struct value *in_order(struct ranking *r, const struct value *x)
{
	uint32_t *rows = ARENA_ARRAY(r->ev->arena, x->shape->n, uint32_t);
	size_t n = 0;

	for (size_t group = 0; group < r->g.shape->n; group++)
		for (size_t i = 0; i < r->n_best[group]; i++)
			rows[n++] = r->best[group][i];
	return value_pick_rows(r->ev, r->node, x, rows, n);
}

static bool bad_count(struct eval *ev, const struct node *n, double k, const char *how)
{
	char text[NUM_MAX];

	num_format(text, k);
	return eval_fail(ev, ERR_EXEC, aggregate_param_pos(n), "Scalar value %s %s int64", text, how);
}

/* False and failed: no numbers of members. Where none is wanted at any step, Prometheus does not ask how few. */
static bool counts_fit(struct eval *ev, const struct node *n, struct param_range k)
{
	if (k.has_nan)
		return eval_fail(ev, ERR_EXEC, aggregate_param_pos(n), "Parameter value is NaN");
	if (k.most >= 1 && k.least <= -9223372036854775808.0)
		return bad_count(ev, n, k.least, "underflows");
	if (k.most >= 9223372036854774784.0)
		return bad_count(ev, n, k.most, "overflows");
	return true;
}

static size_t count_wanted(double k, size_t most)
{
	return k < 1 ? 0 : k > (double)most ? most : (size_t)k;
}

static void rank_open(struct ranking *r, size_t most)
{
	size_t *sizes = ARENA_ARRAY(r->ev->arena, r->g.shape->n, size_t);

	for (size_t row = 0; row < r->x->shape->n; row++)
		sizes[r->g.of[row]]++;
	r->best = ARENA_ARRAY(r->ev->arena, r->g.shape->n, uint32_t *);
	r->n_best = ARENA_ARRAY(r->ev->arena, r->g.shape->n, uint32_t);
	for (size_t group = 0; group < r->g.shape->n; group++)
		r->best[group] = ARENA_ARRAY(r->ev->arena, sizes[group] < most ? sizes[group] : most, uint32_t);
}

static struct value *rank_k(struct eval *ev, const struct node *n, struct value *x, const struct value *param)
{
	struct ranking r = { ev, n, x, aggregate_grouping(ev, n, x->shape), NULL, NULL, n->aggregate.op == AGGR_TOPK };
	bool *chosen = ARENA_ARRAY(ev->arena, x->shape->n, bool);
	struct param_range wanted = aggregate_param_range(param);

	if (!counts_fit(ev, n, wanted))
		return NULL;
	rank_open(&r, count_wanted(wanted.most, x->shape->n));
	for (size_t step = 0; step < x->n_steps && eval_works(ev, x->shape->n); step++) {
		size_t k = count_wanted(param->v[step], x->shape->n);

		if (k == 0)
			memset(r.n_best, 0, r.g.shape->n * sizeof *r.n_best);
		else
			rank_step(&r, step, k);
		keep_chosen(&r, x, step, chosen);
	}
	return x->n_steps == 1 ? in_order(&r, x) : x;
}

/* A series' place in [0, 1), the same at all times and in Prometheus: from its hash there, of names and values with their lengths
 * in front. */
static double place_of(struct labels l)
{
	struct buf b = { 0 };
	uint64_t hash;

	for (size_t i = 0; i < 2 * l.n; i++) {
		struct str s = i % 2 == 0 ? l.v[i / 2].name : l.v[i / 2].value;

		if (s.n < 255) {
			buf_putc(&b, (char)s.n);
		} else {
			const char size[] = { (char)255, (char)s.n, (char)(s.n >> 8), (char)(s.n >> 16) };

			buf_put(&b, size, sizeof size);
		}
		buf_puts(&b, s);
	}
	hash = XXH64(b.p, b.n, 0);
	buf_fini(&b);
	return (double)hash / 18446744073709551615.0;
}

/* A negative ratio takes those that its complement does not. */
static bool ratio_takes(double ratio, double place)
{
	return ratio >= 0 ? place < ratio : place >= 1 + ratio;
}

static void note_ratio(struct eval *ev, const struct node *n, double ratio, int capped)
{
	char text[NUM_MAX];

	num_format(text, ratio);
	note_printf(ev, true, aggregate_param_pos(n), "ratio value should be between -1 and 1, got %s, capping to %d", text, capped);
}

/* False and failed: no ratios. Of those that are too large or too small the ends are told. */
static bool ratios_fit(struct eval *ev, const struct node *n, struct param_range ratio)
{
	if (ratio.has_nan)
		return eval_fail(ev, ERR_EXEC, aggregate_param_pos(n), "Ratio value is NaN");
	if (ratio.most > 1)
		note_ratio(ev, n, ratio.most, 1);
	if (ratio.least < -1)
		note_ratio(ev, n, ratio.least, -1);
	return true;
}

static struct value *limit_ratio(struct eval *ev, const struct node *n, struct value *x, const struct value *param)
{
	if (!ratios_fit(ev, n, aggregate_param_range(param)))
		return NULL;
	for (size_t row = 0; row < x->shape->n && eval_works(ev, x->n_steps); row++) {
		double place = place_of(x->shape->labels[row]);

		for (size_t step = 0; step < x->n_steps; step++) {
			double ratio = fmax(-1, fmin(1, param->v[step]));

			x->has[row * x->n_steps + step] &= ratio != 0 && ratio_takes(ratio, place);
		}
	}
	return x;
}

struct value *aggregate_rank(struct eval *ev, const struct node *n, struct value *x, const struct value *param)
{
	return n->aggregate.op == AGGR_LIMIT_RATIO ? limit_ratio(ev, n, x, param) : rank_k(ev, n, x, param);
}
