/* and, or, unless: whole samples, chosen by whether the other side has one of the same labels at the same step. */
#include "binary.h"
#include "memory.h"

static const struct matching *remembered(struct eval *ev, const struct node *n, const struct value *l, const struct value *r)
{
	struct memory_slot *slot = memory_slot(ev, n->id, MEMORY_SHAPE, memory_of_shape(l->shape), memory_of_shape(r->shape));

	if (memory_is_due(slot)) {
		if (slot->extra == NULL)
			slot->extra = ARENA_NEW(&slot->arena, struct matching);
		match_rows(ev, slot, slot->extra, &n->binary, l->shape, r->shape);
		memory_keep(ev, slot);
	}
	return slot->extra;
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
	bool *present = ARENA_ARRAY(ev->arena, m->groups.n, bool);

	for (size_t step = 0; step < l->n_steps && eval_works(ev, l->shape->n + r->shape->n); step++) {
		mark_groups(present, m->groups.n, r, m->right.group, step);
		for (size_t row = 0; row < l->shape->n; row++)
			l->has[row * l->n_steps + step] &= present[m->left.group[row]] == wanted;
	}
	return l;
}

/* Rows of both sides; a label set that is on both is one row. Beside the slot's shape: where the rows of each go. */
struct both {
	struct label_table table;
	struct side left, right;
};

static void both_rows(struct memory_slot *slot, struct both *b, struct side *side, const struct shape *s, size_t done)
{
	side->group = arena_grow(&slot->arena, side->group, done, &side->cap, s->n, sizeof *side->group);
	for (size_t row = done; row < s->n; row++)
		side->group[row] = (uint32_t)label_table_add(&b->table, s->labels[row], NULL);
}

static void both_extend(struct memory_slot *slot, const struct shape *l, const struct shape *r)
{
	struct both *b = slot->extra;

	if (b == NULL) {
		slot->extra = b = ARENA_NEW(&slot->arena, struct both);
		label_table_init(&b->table, &slot->arena, l->n + r->n);
	}
	both_rows(slot, b, &b->left, l, slot->done[0]);
	both_rows(slot, b, &b->right, r, slot->done[1]);
	slot->shape.n = b->table.n;
	slot->shape.labels = b->table.v;
}

static const struct shape *both(struct eval *ev, const struct node *n, const struct shape *l, const struct shape *r,
                                const struct both **to)
{
	struct memory_slot *slot = memory_slot(ev, n->id, MEMORY_NAMES, memory_of_shape(l), memory_of_shape(r));

	if (slot->done[0] < l->n && slot->done[1] > 0)
		memory_restart(slot);   /* the left side comes first, its new rows too */
	if (memory_is_due(slot)) {
		both_extend(slot, l, r);
		memory_keep(ev, slot);
	}
	*to = slot->extra;
	return &slot->shape;
}

static struct value *either(struct eval *ev, const struct node *n, const struct matching *m, const struct value *l, const struct value *r)
{
	bool *present = ARENA_ARRAY(ev->arena, m->groups.n, bool);
	const struct both *to;
	struct value *out = value_new(ev, both(ev, n, l->shape, r->shape, &to));

	for (size_t step = 0; out != NULL && step < l->n_steps && eval_works(ev, l->shape->n + r->shape->n); step++) {
		mark_groups(present, m->groups.n, l, m->left.group, step);
		for (size_t i = 0; i < l->shape->n + r->shape->n; i++) {
			bool left = i < l->shape->n;
			size_t row = left ? i : i - l->shape->n, from = row * l->n_steps + step;

			if (left ? !l->has[from] : !r->has[from] || present[m->right.group[row]])
				continue;
			if (!value_put(ev, out, (left ? to->left : to->right).group[row] * l->n_steps + step, left ? l : r, from))
				return NULL;
		}
	}
	return out;
}

struct value *binary_set(struct eval *ev, const struct node *n, struct value *l, struct value *r)
{
	const struct matching *m = remembered(ev, n, l, r);

	switch (n->binary.op) {
	case OP_AND:
		return keep_where(ev, m, l, r, true);
	case OP_UNLESS:
		return keep_where(ev, m, l, r, false);
	default:
		return either(ev, n, m, l, r);
	}
}
