/* sum, avg, min, max, count, group, stddev, stdvar: one number of all members of a group, step by step. The operators that
 * pick members or look at all values at once are in aggregate_rank.c and aggregate_values.c. */
#include "aggregate.h"

#include <assert.h>

#include "eval_histogram.h"
#include "memory.h"
#include "notes.h"
#include "numeric.h"

static bool is_listed(const struct node_aggregate *g, struct str name)
{
	for (size_t i = 0; i < g->n_labels; i++)
		if (str_eq(g->labels[i], name))
			return true;
	return false;
}

struct labels aggregate_labels(const struct node_aggregate *g, struct label *room, struct labels l)
{
	size_t n = 0;

	for (size_t i = 0; i < l.n; i++) {
		bool keep = g->without ? !is_listed(g, l.v[i].name) && !str_eq(l.v[i].name, STR(LABEL_NAME)) : is_listed(g, l.v[i].name);

		if (keep)
			room[n++] = l.v[i];
	}
	return (struct labels){ room, n };
}

/* Beside the slot's shape: the group of each row. */
struct groups {
	struct label_table table;
	uint32_t *of;
	size_t cap;
};

/* The rows that are not in yet. */
static void group_rows(struct memory_slot *slot, const struct node_aggregate *g, const struct shape *in, struct label *room)
{
	struct arena *a = &slot->arena;
	struct groups *groups = slot->extra;

	if (groups == NULL) {
		slot->extra = groups = ARENA_NEW(a, struct groups);
		label_table_init(&groups->table, a, 16);
	}
	groups->of = arena_grow(a, groups->of, slot->done[0], &groups->cap, in->n, sizeof *groups->of);
	for (size_t row = slot->done[0]; row < in->n; row++)
		groups->of[row] = (uint32_t)label_table_add(&groups->table, aggregate_labels(g, room, in->labels[row]), NULL);
	slot->shape.n = groups->table.n;
	slot->shape.labels = groups->table.v;
}

struct grouping aggregate_grouping(struct eval *ev, const struct node *n, const struct shape *in)
{
	struct memory_slot *slot = memory_slot(ev, n->id, MEMORY_SHAPE, memory_of_shape(in), (struct memory_input){ 0 });

	if (memory_is_due(slot)) {
		group_rows(slot, &n->aggregate, in, ARENA_ARRAY(ev->arena, shape_longest(in, slot->done[0]), struct label));
		memory_keep(ev, slot);
	}
	return (struct grouping){ &slot->shape, ((const struct groups *)slot->extra)->of };
}

void aggregate_drops(struct eval *ev, const struct grouping *g, const struct value *x, struct value *out)
{
	if (x->drop == NULL || out == NULL)
		return;
	value_need_drops(ev, out);
	for (size_t row = 0; row < x->shape->n; row++)
		for (size_t step = 0; step < x->n_steps; step++)
			out->drop[g->of[row] * x->n_steps + step] |= x->has[row * x->n_steps + step] && x->drop[row * x->n_steps + step];
}

/* One group at one step. */
struct cell {
	double v;               /* min, max; the sum of squares of stdvar */
	struct mean mean;       /* sum: only its sum; stdvar: .sum.v is the running mean */
	size_t n;
	size_t n_floats;
	struct histogram_mean *h;
};

static const char *aggr_name(enum aggr op)
{
	static const char *const names[] = {
#define X(id, text, param, experimental) [id] = text,
		AGGR_LIST(X)
#undef X
	};
	return names[op];
}

int aggregate_operand_pos(const struct node *n)
{
	return node_unwrap(n->aggregate.child)->beg;
}

int aggregate_param_pos(const struct node *n)
{
	return node_unwrap(n->aggregate.param)->beg;
}

struct param_range aggregate_param_range(const struct value *param)
{
	struct param_range r = { INFINITY, -INFINITY, false };

	for (size_t step = 0; step < param->n_steps; step++) {
		double v = param->v[step];

		r.has_nan |= isnan(v);
		r.least = v < r.least ? v : r.least;
		r.most = v > r.most ? v : r.most;
	}
	return r.has_nan ? (struct param_range){ NAN, NAN, true } : r;
}

void aggregate_note_ignored(struct eval *ev, const struct node *n, int pos)
{
	note_printf(ev, false, pos, "ignored histogram in %s aggregation", aggr_name(n->aggregate.op));
}

typedef void (*add_fn)(struct cell *, double v);

static void add_sum(struct cell *c, double v)
{
	sum_add(&c->mean.sum, v);
}

static void add_avg(struct cell *c, double v)
{
	mean_add(&c->mean, v);
}

static void add_min(struct cell *c, double v)
{
	if (c->n_floats == 0 || c->v > v || isnan(c->v))
		c->v = v;
}

static void add_max(struct cell *c, double v)
{
	if (c->n_floats == 0 || c->v < v || isnan(c->v))
		c->v = v;
}

static void add_none(struct cell *c, double v)
{
	(void)c, (void)v;
}

/* Welford's method. */
static void add_squares(struct cell *c, double v)
{
	double off = v - c->mean.sum.v;

	if (c->n_floats == 0) {
		c->mean.sum.v = v;
		c->v = isfinite(v) ? 0 : NAN;
		return;
	}
	c->mean.sum.v += off / (double)(c->n_floats + 1);
	c->v += off * (v - c->mean.sum.v);
}

static double end_sum(const struct cell *c)
{
	return c->mean.sum.v + c->mean.sum.c;
}

static double end_avg(const struct cell *c)
{
	return mean_value(&c->mean);
}

static double end_value(const struct cell *c)
{
	return c->v;
}

static double end_count(const struct cell *c)
{
	return (double)c->n;
}

static double end_group(const struct cell *c)
{
	(void)c;
	return 1;
}

static double end_stdvar(const struct cell *c)
{
	return c->v / (double)c->n_floats;
}

static double end_stddev(const struct cell *c)
{
	return sqrt(end_stdvar(c));
}

enum histogram_use { HISTOGRAMS_COUNT, HISTOGRAMS_IGNORED, HISTOGRAMS_ADD };

static const struct reducer {
	add_fn add;
	double (*end)(const struct cell *);
	enum histogram_use histograms;
} reducers[N_AGGRS] = {
	[AGGR_SUM] = { add_sum, end_sum, HISTOGRAMS_ADD },
	[AGGR_AVG] = { add_avg, end_avg, HISTOGRAMS_ADD },
	[AGGR_MIN] = { add_min, end_value, HISTOGRAMS_IGNORED },
	[AGGR_MAX] = { add_max, end_value, HISTOGRAMS_IGNORED },
	[AGGR_COUNT] = { add_none, end_count, HISTOGRAMS_COUNT },
	[AGGR_GROUP] = { add_none, end_group, HISTOGRAMS_COUNT },
	[AGGR_STDDEV] = { add_squares, end_stddev, HISTOGRAMS_IGNORED },
	[AGGR_STDVAR] = { add_squares, end_stdvar, HISTOGRAMS_IGNORED },
};

struct reduction {
	struct eval *ev;
	const struct node *node;
	const struct reducer *how;
	const struct value *x;
	struct cell *cells;     /* groups by the steps of a block */
	size_t from, n_steps;   /* the block */
};

static void add_histogram(struct reduction *r, struct cell *c, size_t row, const struct histogram *h)
{
	int pos = aggregate_operand_pos(r->node);

	switch (r->how->histograms) {
	case HISTOGRAMS_COUNT:
		c->n++;
		return;
	case HISTOGRAMS_IGNORED:
		aggregate_note_ignored(r->ev, r->node, pos);
		return;
	case HISTOGRAMS_ADD:
		c->n++;
		if (c->h == NULL)
			c->h = histogram_mean_new(r->ev->arena, r->node->aggregate.op == AGGR_AVG);
		if (c->n_floats == 0)   /* beside floats it is not going to be used */
			histogram_mean_add(r->ev, c->h, h, r->x->shape->labels[row], pos);
		return;
	}
}

static void reduce_rows(struct reduction *r, const uint32_t *group)
{
	const struct value *x = r->x;
	add_fn add = r->how->add;

	for (size_t row = 0; row < x->shape->n && eval_works(r->ev, r->n_steps); row++) {
		struct cell *c = r->cells + group[row] * r->n_steps;
		size_t i = row * x->n_steps + r->from;

		for (size_t step = 0; step < r->n_steps; step++, i++, c++) {
			if (!x->has[i])
				continue;
			if (x->h != NULL && x->h[i] != NULL) {
				add_histogram(r, c, row, x->h[i]);
				continue;
			}
			add(c, x->v[i]);
			c->n++;
			c->n_floats++;
		}
	}
}

static void finish_cell(struct reduction *r, const struct cell *c, struct value *out, size_t i)
{
	int pos = aggregate_operand_pos(r->node);

	if (c->h == NULL) {
		out->has[i] = c->n > 0;
		out->v[i] = out->has[i] ? r->how->end(c) : 0;
		return;
	}
	if (c->n_floats > 0) {
		note_add(r->ev, NOTE_MIXED_IN_AGGREGATION, (struct labels){ 0 }, pos);
		return;
	}
	value_need_histograms(r->ev, out);
	out->h[i] = histogram_mean_end(r->ev, c->h, pos);
	out->has[i] = out->h[i] != NULL;
}

/* A cell is bigger than a sample: of many groups not all steps are held at once. */
enum { MAX_CELLS = 1 << 18 };

static struct value *reduce(struct eval *ev, const struct node *n, const struct value *x)
{
	struct grouping g = aggregate_grouping(ev, n, x->shape);
	size_t block = g.shape->n == 0 || MAX_CELLS / g.shape->n == 0 ? 1 : MAX_CELLS / g.shape->n;
	struct reduction r = { .ev = ev, .node = n, .how = &reducers[n->aggregate.op], .x = x };
	struct value *out = value_new(ev, g.shape);

	if (out == NULL)
		return NULL;
	if (block > x->n_steps)
		block = x->n_steps;
	r.cells = ARENA_ARRAY(ev->arena, g.shape->n * block, struct cell);
	for (r.from = 0; r.from < x->n_steps; r.from += block) {
		r.n_steps = x->n_steps - r.from < block ? x->n_steps - r.from : block;
		if (r.from > 0)
			memset(r.cells, 0, g.shape->n * r.n_steps * sizeof *r.cells);
		reduce_rows(&r, g.of);
		for (size_t i = 0; i < g.shape->n * r.n_steps; i++)
			finish_cell(&r, &r.cells[i], out, i / r.n_steps * x->n_steps + r.from + i % r.n_steps);
	}
	aggregate_drops(ev, &g, x, out);
	return out;
}

struct value *eval_aggregate(struct eval *ev, const struct node *n)
{
	struct value *param = n->aggregate.param == NULL ? NULL : eval_node(ev, n->aggregate.param), *x;

	if (ev->failed)
		return NULL;
	x = eval_node(ev, n->aggregate.child);
	if (x == NULL)
		return NULL;
	switch (n->aggregate.op) {
	case AGGR_SUM:
	case AGGR_AVG:
	case AGGR_MIN:
	case AGGR_MAX:
	case AGGR_COUNT:
	case AGGR_GROUP:
	case AGGR_STDDEV:
	case AGGR_STDVAR:
		return reduce(ev, n, x);
	case AGGR_TOPK:
	case AGGR_BOTTOMK:
	case AGGR_LIMITK:
	case AGGR_LIMIT_RATIO:
		return aggregate_rank(ev, n, x, param);
	case AGGR_QUANTILE:
		return aggregate_quantile(ev, n, x, param);
	case AGGR_COUNT_VALUES:
		return aggregate_count_values(ev, n, x, param->string);
	case N_AGGRS:
		break;
	}
	assert(!"no such aggregation");
	return NULL;
}
