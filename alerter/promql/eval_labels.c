/* Which labels the rows of a value have after an operation: names dropped, labels replaced, equal rows merged, rows picked. */
#include "eval.h"
#include "memory.h"

/* Beside the slot's shape: where each input row goes. */
struct merge {
	struct label_table table;
	struct row_flags drops;
	uint32_t *to;
	size_t cap;
};

/* What remains of a row's own array needs no other: the slot below keeps it. */
static bool is_part(struct labels part, struct labels whole)
{
	return part.n == 0 || (whole.n > 0 && part.v >= whole.v && part.v + part.n <= whole.v + whole.n);
}

/* The input's rows that are not in yet. False: an old row changes. */
static bool relabel_rows(struct memory_slot *slot, const struct shape *in, relabel_fn fn, void *arg)
{
	struct arena *a = &slot->arena;
	struct merge *m = slot->extra;

	if (m == NULL) {
		slot->extra = m = ARENA_NEW(a, struct merge);
		label_table_init(&m->table, a, in->n);
	}
	m->drops.kept = m->drops.n;
	m->to = arena_grow(a, m->to, slot->done[0], &m->cap, in->n, sizeof *m->to);
	for (size_t i = slot->done[0]; i < in->n; i++) {
		struct labels out;
		bool drop, in_drop = in->drop_name != NULL && in->drop_name[i];

		fn(arg, a, in->labels[i], in_drop, &out, &drop);
		if (is_part(out, in->labels[i]))
			m->to[i] = (uint32_t)label_table_add_borrowed(&m->table, out, NULL);
		else
			m->to[i] = (uint32_t)label_table_add(&m->table, out, NULL);
		row_flags_put(a, &m->drops, m->to[i], drop);
	}
	slot->shape.n = m->table.n;
	slot->shape.labels = m->table.v;
	slot->shape.drop_name = m->drops.any ? m->drops.v : NULL;
	return !m->drops.changed;
}

/* Rows of <x> into the rows <to> of <shape>. */
static struct value *merge_rows(struct eval *ev, const struct shape *shape, const struct value *x, const uint32_t *to)
{
	struct value *out = value_new(ev, shape);

	if (out == NULL)
		return NULL;
	if (x->h != NULL)
		value_need_histograms(ev, out);
	for (size_t row = 0; row < x->shape->n; row++)
		for (size_t step = 0; step < x->n_steps; step++) {
			size_t from = row * x->n_steps + step, at = to[row] * x->n_steps + step;

			if (!x->has[from])
				continue;
			if (out->has[at]) {
				eval_fail(ev, ERR_EXEC, -1, "vector cannot contain metrics with the same labelset");
				return NULL;
			}
			out->has[at] = true;
			out->v[at] = x->v[from];
			if (x->h != NULL)
				out->h[at] = x->h[from];
		}
	return out;
}

struct value *value_relabel(struct eval *ev, int node_id, struct value *x, relabel_fn fn, void *arg)
{
	struct memory_slot *slot = memory_slot(ev, node_id, MEMORY_NAMES, memory_of_shape(x->shape), (struct memory_input){ 0 });
	const struct merge *m;

	while (memory_is_due(slot)) {
		if (relabel_rows(slot, x->shape, fn, arg))
			memory_keep(ev, slot);
		else
			memory_restart(slot);
	}
	m = slot->extra;
	if (m->table.n < x->shape->n)
		return merge_rows(ev, &slot->shape, x, m->to);
	x->shape = &slot->shape;
	return x;
}

bool value_relabel_is_known(struct eval *ev, int node_id, const struct value *x)
{
	return memory_holds(ev, node_id, MEMORY_NAMES, memory_of_shape(x->shape), (struct memory_input){ 0 });
}

struct label *value_relabel_room(struct eval *ev, int node_id, const struct value *x)
{
	if (value_relabel_is_known(ev, node_id, x))
		return NULL;
	return ARENA_ARRAY(ev->arena, shape_longest(x->shape, 0), struct label);
}

static void drop_now(void *arg, struct arena *a, struct labels in, bool drop, struct labels *out, bool *out_drop)
{
	(void)a, (void)drop;
	*out = labels_without_metric(arg, in);
	if (out->n + 1 == in.n && str_eq(in.v[0].name, STR(LABEL_NAME)))
		out->v = in.v + 1;      /* which is as it is nearly always */
	*out_drop = false;
}

static void drop_later(struct eval *ev, int node_id, struct value *x)
{
	struct memory_slot *slot = memory_slot(ev, node_id, MEMORY_NAMES, memory_of_shape(x->shape), (struct memory_input){ 0 });

	if (memory_is_due(slot)) {
		struct row_flags *drops = slot->extra;

		if (drops == NULL)
			slot->extra = drops = ARENA_NEW(&slot->arena, struct row_flags);
		while (drops->n < x->shape->n)
			row_flags_put(&slot->arena, drops, drops->n, true);
		slot->shape.n = drops->n;
		slot->shape.labels = x->shape->labels;
		slot->shape.drop_name = drops->v;
		memory_keep(ev, slot);
	}
	x->shape = &slot->shape;
}

struct value *value_drop_names(struct eval *ev, const struct node *node, struct value *x)
{
	if (eval_has_feature(ev, PROMQL_DELAYED_NAME_REMOVAL)) {
		drop_later(ev, node->id, x);
		return x;
	}
	return value_relabel(ev, node->id, x, drop_now, value_relabel_room(ev, node->id, x));
}

struct value *value_pick_rows(struct eval *ev, const struct node *node, const struct value *x, const uint32_t *rows, size_t n)
{
	struct memory_slot *slot = memory_slot_anew(ev, node->id, MEMORY_NAMES);
	struct labels *labels = ARENA_ARRAY(&slot->arena, n, struct labels);
	bool *drop = x->shape->drop_name == NULL ? NULL : ARENA_ARRAY(&slot->arena, n, bool);
	struct value *out;

	for (size_t i = 0; i < n; i++) {
		labels[i] = x->shape->labels[rows[i]];
		if (drop != NULL)
			drop[i] = x->shape->drop_name[rows[i]];
	}
	slot->shape = (struct shape){ .n = n, .labels = labels, .drop_name = drop };
	memory_keep(ev, slot);
	out = value_new(ev, &slot->shape);
	if (out == NULL)
		return NULL;
	if (x->h != NULL)
		value_need_histograms(ev, out);
	for (size_t i = 0; i < n; i++) {
		size_t from = rows[i] * x->n_steps, to = i * x->n_steps;

		memcpy(out->v + to, x->v + from, x->n_steps * sizeof *out->v);
		memcpy(out->has + to, x->has + from, x->n_steps * sizeof *out->has);
		if (x->h != NULL)
			memcpy(out->h + to, x->h + from, x->n_steps * sizeof *out->h);
	}
	return out;
}
