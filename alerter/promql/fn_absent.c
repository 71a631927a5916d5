/* absent() and absent_over_time(): one sample of value 1 where there is nothing. Its labels are those the selector fixes. */
#include "eval.h"
#include "functions_bodies.h"
#include "memory.h"

/* The label of matcher <i> is fixed: it is the first equality for this name, and no matcher of any kind follows for it. */
static bool fixes_label(const struct node_selector *s, size_t i)
{
	if (s->matchers[i].op != MATCH_EQ || str_eq(s->matchers[i].name, STR(LABEL_NAME)))
		return false;
	for (size_t k = 0; k < s->n_matchers; k++)
		if (k != i && str_eq(s->matchers[k].name, s->matchers[i].name) && (k > i || s->matchers[k].op == MATCH_EQ))
			return false;
	return true;
}

static struct labels fixed_labels(struct arena *a, const struct node *arg)
{
	struct label *v;
	struct labels out = { 0 };
	size_t n = 0;

	arg = node_unwrap(arg);
	if (arg->kind != NODE_SELECTOR)
		return out;
	v = ARENA_ARRAY(a, arg->selector.n_matchers, struct label);
	for (size_t i = 0; i < arg->selector.n_matchers; i++)
		if (fixes_label(&arg->selector, i))
			v[n++] = (struct label){ arg->selector.matchers[i].name, arg->selector.matchers[i].value };
	return labels_from(v, n, &out, NULL) ? out : (struct labels){ 0 };
}

/* <present>: a step's bool. */
static void absent_where(struct eval_call *c, const bool *present)
{
	struct memory_slot *slot = memory_slot(c->ev, c->node->id, MEMORY_SHAPE, (struct memory_input){ 0 }, (struct memory_input){ 0 });

	if (memory_is_due(slot)) {
		struct labels *l = ARENA_NEW(&slot->arena, struct labels);

		*l = fixed_labels(&slot->arena, c->node->call.args[0]);
		slot->shape = (struct shape){ .n = 1, .labels = l };
		memory_keep(c->ev, slot);
	}
	c->result = value_new(c->ev, &slot->shape);
	for (size_t step = 0; c->result != NULL && step < c->result->n_steps; step++) {
		c->result->v[step] = 1;
		c->result->has[step] = !present[step];
	}
}

void fn_absent(struct eval_call *c)
{
	const struct value *x = c->args[0];
	bool *present = ARENA_ARRAY(c->ev->arena, x->n_steps, bool);

	for (size_t i = 0; i < value_cells(x); i++)
		present[i % x->n_steps] |= x->has[i];
	absent_where(c, present);
}

static bool any(struct eval_call *c, const struct window *w, struct point *out)
{
	(void)c, (void)w;
	out->v = 1;
	return true;
}

void fn_present_over_time(struct eval_call *c)
{
	call_windows(c, false, any);
}

void fn_absent_over_time(struct eval_call *c)
{
	bool *present = ARENA_ARRAY(c->ev->arena, c->ev->steps.n, bool);

	call_windows(c, true, any);
	if (c->result == NULL)
		return;
	for (size_t i = 0; i < value_cells(c->result); i++)
		present[i % c->result->n_steps] |= c->result->has[i];
	absent_where(c, present);
}
