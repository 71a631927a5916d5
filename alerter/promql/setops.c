/* and, or, unless: whole samples, chosen by whether the other side has one of the same labels at the same step. */
#include "binary.h"
#include "memory.h"

static struct matching remembered(struct eval *ev, const struct node *n, const struct value *l, const struct value *r)
{
	bool fresh;
	struct memory_slot *slot = memory_slot(ev, n->id, MEMORY_SHAPE, l->shape->version, r->shape->version, &fresh);

	if (!fresh) {
		struct matching *m = ARENA_NEW(&slot->arena, struct matching);

		*m = match_groups(&slot->arena, &n->binary, l->shape, r->shape);
		slot->extra = m;
		memory_keep(ev, slot);
	}
	return *(const struct matching *)slot->extra;
}

/* Which groups have a sample at <step>. */
static void mark_groups(bool *present, size_t n_groups, const struct value *x, const uint32_t *group, size_t step)
{
	memset(present, 0, n_groups);
	for (size_t row = 0; row < x->shape->n; row++)
		present[group[row]] |= x->has[row * x->n_steps + step];
}

static struct value *keep_where(struct eval *ev, const struct matching *m, struct value *l, const struct value *r, bool wanted)
{
	bool *present = ARENA_ARRAY(ev->arena, m->n_groups, bool);

	for (size_t step = 0; step < l->n_steps; step++) {
		mark_groups(present, m->n_groups, r, m->right, step);
		for (size_t row = 0; row < l->shape->n; row++)
			l->has[row * l->n_steps + step] &= present[m->left[row]] == wanted;
	}
	return l;
}

/* Rows of both sides; a label set that is on both is one row. */
static const struct shape *both(struct eval *ev, const struct node *n, const struct shape *l, const struct shape *r, const uint32_t **to)
{
	bool fresh;
	struct memory_slot *slot = memory_slot(ev, n->id, MEMORY_NAMES, l->version, r->version, &fresh);

	if (!fresh) {
		uint32_t *rows = ARENA_ARRAY(&slot->arena, l->n + r->n, uint32_t);
		bool *drop = ARENA_ARRAY(&slot->arena, l->n + r->n, bool);
		struct label_table table;

		label_table_init(&table, &slot->arena, l->n + r->n);
		for (size_t i = 0; i < l->n + r->n; i++) {
			const struct shape *side = i < l->n ? l : r;
			size_t row = i < l->n ? i : i - l->n;

			rows[i] = (uint32_t)label_table_add(&table, side->labels[row], NULL);
			drop[rows[i]] |= side->drop_name != NULL && side->drop_name[row];
		}
		slot->shape = (struct shape){ .n = table.n, .labels = table.v, .drop_name = drop };
		slot->extra = rows;
		memory_keep(ev, slot);
	}
	*to = slot->extra;
	return &slot->shape;
}

static bool copy_cell(struct eval *ev, struct value *out, size_t to, const struct value *x, size_t from)
{
	if (out->has[to])
		return eval_fail(ev, ERR_EXEC, -1, "vector cannot contain metrics with the same labelset");
	out->has[to] = true;
	out->v[to] = x->v[from];
	if (value_histogram(x, from) != NULL) {
		value_need_histograms(ev, out);
		out->h[to] = x->h[from];
	}
	return true;
}

static struct value *either(struct eval *ev, const struct node *n, const struct matching *m, const struct value *l, const struct value *r)
{
	bool *present = ARENA_ARRAY(ev->arena, m->n_groups, bool);
	const uint32_t *to;
	struct value *out = value_new(ev, both(ev, n, l->shape, r->shape, &to));

	for (size_t step = 0; out != NULL && step < l->n_steps; step++) {
		mark_groups(present, m->n_groups, l, m->left, step);
		for (size_t i = 0; i < l->shape->n + r->shape->n; i++) {
			bool left = i < l->shape->n;
			size_t row = left ? i : i - l->shape->n, from = row * l->n_steps + step;

			if (left ? !l->has[from] : !r->has[from] || present[m->right[row]])
				continue;
			if (!copy_cell(ev, out, to[i] * l->n_steps + step, left ? l : r, from))
				return NULL;
		}
	}
	return out;
}

struct value *binary_set(struct eval *ev, const struct node *n, struct value *l, struct value *r)
{
	struct matching m = remembered(ev, n, l, r);

	switch (n->binary.op) {
	case OP_AND:
		return keep_where(ev, &m, l, r, true);
	case OP_UNLESS:
		return keep_where(ev, &m, l, r, false);
	default:
		return either(ev, n, &m, l, r);
	}
}
