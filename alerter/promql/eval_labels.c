/* Which labels the rows of a value have after an operation: names dropped, labels replaced, equal rows merged, rows picked. */
#include "eval.h"
#include "memory.h"

/* Beside the slot's shape: where each input row goes; NULL when no two became one. */
struct merge {
	const uint32_t *to;
};

static size_t longest(const struct shape *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->labels[i].n > n)
			n = s->labels[i].n;
	return n;
}

/* What remains of a row's own array needs no other: the slot below keeps it. */
static bool is_part(struct labels part, struct labels whole)
{
	return part.v >= whole.v && part.v + part.n <= whole.v + whole.n;
}

static void relabel_build(struct memory_slot *slot, const struct shape *in, relabel_fn fn, void *arg)
{
	struct merge *m = ARENA_NEW(&slot->arena, struct merge);
	uint32_t *to = ARENA_ARRAY(&slot->arena, in->n, uint32_t);
	bool *drops = ARENA_ARRAY(&slot->arena, in->n, bool), any_drop = false;
	struct label_table table;

	label_table_init(&table, &slot->arena, in->n);
	for (size_t i = 0; i < in->n; i++) {
		struct labels out;
		bool drop, in_drop = in->drop_name != NULL && in->drop_name[i];

		fn(arg, &slot->arena, in->labels[i], in_drop, &out, &drop);
		if (is_part(out, in->labels[i]))
			to[i] = (uint32_t)label_table_add_borrowed(&table, out, NULL);
		else
			to[i] = (uint32_t)label_table_add(&table, out, NULL);
		drops[to[i]] |= drop;
		any_drop |= drop;
	}
	m->to = table.n == in->n ? NULL : to;
	slot->shape = (struct shape){ .n = table.n, .labels = table.v, .drop_name = any_drop ? drops : NULL };
	slot->extra = m;
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

struct value *value_relabel(struct eval *ev, int node_id, struct value *x, bool remember, relabel_fn fn, void *arg)
{
	bool fresh = false;
	struct memory_slot *slot = memory_slot(ev, node_id, MEMORY_NAMES, x->shape->version, 0, remember ? &fresh : NULL);

	if (!fresh) {
		relabel_build(slot, x->shape, fn, arg);
		memory_keep(ev, slot);
	}
	const struct merge *m = slot->extra;
	if (m->to != NULL)
		return merge_rows(ev, &slot->shape, x, m->to);
	x->shape = &slot->shape;
	return x;
}

bool value_relabel_is_known(struct eval *ev, int node_id, const struct value *x)
{
	return memory_holds(ev, node_id, MEMORY_NAMES, x->shape->version, 0);
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
	bool fresh;
	struct memory_slot *slot = memory_slot(ev, node_id, MEMORY_NAMES, x->shape->version, 0, &fresh);

	if (!fresh) {
		bool *drop = ARENA_ARRAY(&slot->arena, x->shape->n, bool);

		memset(drop, true, x->shape->n);
		slot->shape = (struct shape){ .n = x->shape->n, .labels = x->shape->labels, .drop_name = drop };
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
	struct label *room = ARENA_ARRAY(ev->arena, longest(x->shape), struct label);
	return value_relabel(ev, node->id, x, true, drop_now, room);
}

struct value *value_pick_rows(struct eval *ev, const struct node *node, const struct value *x, const uint32_t *rows, size_t n)
{
	struct memory_slot *slot = memory_slot(ev, node->id, MEMORY_NAMES, 0, 0, NULL);
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
