/* Which labels the rows of a value have after an operation: names dropped, labels replaced, equal rows merged, rows picked. */
#include "eval.h"
#include "memory.h"

/* Beside the slot's shape: where each input row goes. */
struct merge {
	struct label_table table;
	uint32_t *to;
	bool *named;            /* the row has its name from here on */
	bool any_named;
	size_t cap_to, cap_named;
};

/* What remains of a row's own array needs no other: the slot below keeps it. */
static bool is_part(struct labels part, struct labels whole)
{
	return part.n == 0 || (whole.n > 0 && part.v >= whole.v && part.v + part.n <= whole.v + whole.n);
}

/* The input's rows that are not in yet. */
static bool relabel_rows(struct eval *ev, struct memory_slot *slot, const struct shape *in, relabel_fn fn, void *arg)
{
	struct arena *a = &slot->arena;
	struct merge *m = slot->extra;

	if (m == NULL) {
		slot->extra = m = ARENA_NEW(a, struct merge);
		label_table_init(&m->table, a, in->n);
	}
	m->to = arena_grow(a, m->to, slot->done[0], &m->cap_to, in->n, sizeof *m->to);
	m->named = arena_grow(a, m->named, slot->done[0], &m->cap_named, in->n, sizeof *m->named);
	for (size_t i = slot->done[0]; i < in->n; i++) {
		struct labels out;

		m->named[i] = false;
		fn(arg, a, in->labels[i], &out, &m->named[i]);
		m->any_named |= m->named[i];
		if (is_part(out, in->labels[i]))
			m->to[i] = (uint32_t)label_table_add_borrowed(&m->table, out, NULL);
		else
			m->to[i] = (uint32_t)label_table_add(&m->table, out, NULL);
		if (!eval_memory_is_within(ev, slot->arena.total_bytes - slot->counted_bytes))
			return false;
	}
	slot->shape.n = m->table.n;
	slot->shape.labels = m->table.v;
	return true;
}

/* Rows of <x> into the rows <to> of <shape>. */
static struct value *merge_rows(struct eval *ev, const struct shape *shape, const struct value *x, const uint32_t *to)
{
	struct value *out = value_new(ev, shape);

	if (out == NULL)
		return NULL;
	for (size_t row = 0; row < x->shape->n && eval_works(ev, x->n_steps); row++)
		for (size_t step = 0; step < x->n_steps; step++) {
			size_t from = row * x->n_steps + step;

			if (x->has[from] && !value_put(ev, out, to[row] * x->n_steps + step, x, from))
				return NULL;
		}
	return out;
}

struct value *value_relabel(struct eval *ev, int node_id, struct value *x, relabel_fn fn, void *arg)
{
	struct memory_slot *slot = memory_slot(ev, node_id, MEMORY_NAMES, memory_of_shape(x->shape), (struct memory_input){ 0 });
	const struct merge *m;

	if (memory_is_due(slot)) {
		if (!relabel_rows(ev, slot, x->shape, fn, arg)) {
			memory_discard(ev, slot);
			return NULL;
		}
		memory_keep(ev, slot);
	}
	m = slot->extra;
	for (size_t row = 0; x->drop != NULL && m->any_named && row < x->shape->n; row++)
		if (m->named[row])
			memset(x->drop + row * x->n_steps, false, x->n_steps);
	if (m->table.n < x->shape->n)
		return merge_rows(ev, &slot->shape, x, m->to);
	x->shape = &slot->shape;
	return x;
}

bool value_relabel_is_known(struct eval *ev, int node_id, const struct value *x)
{
	return memory_holds(ev, node_id, MEMORY_NAMES, memory_of_shape(x->shape), (struct memory_input){ 0 });
}

static void without_name(void *room, struct arena *a, struct labels in, struct labels *out, bool *named)
{
	(void)a, (void)named;
	*out = labels_without_metric(room, in);
	if (out->n + 1 == in.n && str_eq(in.v[0].name, STR(LABEL_NAME)))
		out->v = in.v + 1;      /* which is as it is nearly always */
}

static void without_name_alone(void *arg, struct arena *a, struct labels in, struct labels *out, bool *named)
{
	(void)arg, (void)named;
	if (in.n > 0 && str_eq(in.v[0].name, STR(LABEL_NAME)))
		*out = (struct labels){ in.v + 1, in.n - 1 };
	else
		*out = labels_without(a, in, STR(LABEL_NAME));
}

static void as_it_is(void *arg, struct arena *a, struct labels in, struct labels *out, bool *named)
{
	(void)arg, (void)a, (void)named;
	*out = in;
}

static struct value *drop_all(struct eval *ev, int node_id, struct value *x)
{
	bool known = value_relabel_is_known(ev, node_id, x);

	return value_relabel(ev, node_id, x, without_name,
	                     known ? NULL : ARENA_ARRAY(ev->arena, shape_longest(x->shape, 0), struct label));
}

struct value *value_drop_names(struct eval *ev, const struct node *node, struct value *x)
{
	if (!eval_has_feature(ev, PROMQL_DELAYED_NAME_REMOVAL))
		return drop_all(ev, node->id, x);
	value_need_drops(ev, x);
	memset(x->drop, true, value_cells(x));
	return x;
}

struct value *value_drop_name_alone(struct eval *ev, const struct node *node, struct value *x)
{
	if (!eval_has_feature(ev, PROMQL_DELAYED_NAME_REMOVAL))
		return value_relabel(ev, node->id, x, without_name_alone, NULL);
	return value_drop_names(ev, node, x);
}

/* A row whose name goes at some steps only is two. */
static struct value *drop_some(struct eval *ev, struct value *x)
{
	struct memory_slot *slot = memory_slot_anew(ev, ev->query->n_nodes, MEMORY_SHAPE);
	struct label *room = ARENA_ARRAY(ev->arena, shape_longest(x->shape, 0), struct label);
	uint32_t *to = ARENA_ARRAY(ev->arena, value_cells(x), uint32_t);
	struct label_table table;
	struct value *out;

	label_table_init(&table, &slot->arena, x->shape->n);
	for (size_t row = 0; row < x->shape->n && eval_works(ev, x->n_steps); row++) {
		struct labels l = x->shape->labels[row];
		uint32_t rows[2] = { 0 };       /* with the name and without, + 1; 0: not yet */

		for (size_t i = row * x->n_steps; i < (row + 1) * x->n_steps; i++) {
			bool drop = value_drops(x, i);

			if (x->has[i] && rows[drop] == 0)
				rows[drop] = (uint32_t)label_table_add(&table, drop ? labels_without_metric(room, l) : l, NULL) + 1;
			to[i] = rows[drop];
		}
	}
	if (ev->failed)
		return NULL;
	slot->shape = (struct shape){ .n = table.n, .labels = table.v };
	memory_keep(ev, slot);
	out = value_new(ev, &slot->shape);
	for (size_t i = 0; out != NULL && i < value_cells(x); i++)
		if (x->has[i] && !value_put(ev, out, (to[i] - 1) * x->n_steps + i % x->n_steps, x, i))
			return NULL;
	return out;
}

struct value *value_finish_names(struct eval *ev, struct value *x)
{
	int id = ev->query->n_nodes;
	bool some = false, all = true;

	for (size_t i = 0; x->drop != NULL && i < value_cells(x); i++) {
		some |= x->has[i] && x->drop[i];
		all &= !x->has[i] || x->drop[i];
	}
	if (!some)      /* a last look for rows of equal labels */
		return value_relabel(ev, id, x, as_it_is, NULL);
	return all ? drop_all(ev, id + 1, x) : drop_some(ev, x);
}

struct value *value_pick_rows(struct eval *ev, const struct node *node, const struct value *x, const uint32_t *rows, size_t n)
{
	struct memory_slot *slot = memory_slot_anew(ev, node->id, MEMORY_NAMES);
	struct labels *labels = ARENA_ARRAY(&slot->arena, n, struct labels);
	struct value *out;

	for (size_t i = 0; i < n; i++)
		labels[i] = x->shape->labels[rows[i]];
	slot->shape = (struct shape){ .n = n, .labels = labels };
	memory_keep(ev, slot);
	out = value_new(ev, &slot->shape);
	if (out == NULL)
		return NULL;
	if (x->h != NULL)
		value_need_histograms(ev, out);
	if (x->drop != NULL)
		value_need_drops(ev, out);
	for (size_t i = 0; i < n; i++) {
		size_t from = rows[i] * x->n_steps, to = i * x->n_steps;

		memcpy(out->v + to, x->v + from, x->n_steps * sizeof *out->v);
		memcpy(out->has + to, x->has + from, x->n_steps * sizeof *out->has);
		if (x->h != NULL)
			memcpy(out->h + to, x->h + from, x->n_steps * sizeof *out->h);
		if (x->drop != NULL)
			memcpy(out->drop + to, x->drop + from, x->n_steps * sizeof *out->drop);
	}
	return out;
}
