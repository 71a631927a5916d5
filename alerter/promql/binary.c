/* Binary operators on single values, between scalars, and between a vector and a scalar. */
#include "binary.h"

#include <assert.h>

#include "eval_histogram.h"
#include "notes.h"

const char *binop_text(enum binop op)
{
	static const char *const texts[] = {
#define X(id, text, left, right) [id] = text,
		OP_LIST(X)
#undef X
	};
	return texts[op];
}

/* A comparison gives its left side, and whether it holds. */
static inline double floats(enum binop op, double l, double r, enum outcome *outcome)
{
	bool holds = true;
	double v = l;

	switch (op) {
	case OP_ADD:
		v = l + r;
		break;
	case OP_SUB:
		v = l - r;
		break;
	case OP_MUL:
		v = l * r;
		break;
	case OP_DIV:
		v = l / r;
		break;
	case OP_MOD:
		v = fmod(l, r);
		break;
	case OP_POW:
		v = pow(l, r);
		break;
	case OP_ATAN2:
		v = atan2(l, r);
		break;
	case OP_EQL:
		holds = l == r;
		break;
	case OP_NEQ:
		holds = l != r;
		break;
	case OP_LTE:
		holds = l <= r;
		break;
	case OP_LSS:
		holds = l < r;
		break;
	case OP_GTE:
		holds = l >= r;
		break;
	case OP_GTR:
		holds = l > r;
		break;
	case OP_TRIM_UPPER:
	case OP_TRIM_LOWER:
		*outcome = OUTCOME_NONE;
		return 0;
	case OP_OR:
	case OP_AND:
	case OP_UNLESS:
	case N_BINOPS:
		assert(!"set operators are not for single values");
	}
	*outcome = holds ? OUTCOME_KEEP : OUTCOME_FALSE;
	return v;
}

double binop_floats(enum binop op, double l, double r, enum outcome *outcome)
{
	return floats(op, l, r, outcome);
}

static enum outcome wrong_kinds(struct eval *ev, const struct node *n, struct point l, struct point r)
{
	const char *op = binop_text(n->binary.op);

	note_printf(ev, false, n->beg, "incompatible sample types encountered for binary operator \"%s\": %s %s %s", op,
	            l.h == NULL ? "float" : "histogram", op, r.h == NULL ? "float" : "histogram");
	return OUTCOME_NONE;
}

/* A histogram and a number. */
static enum outcome binop_scaled(struct eval *ev, const struct node *n, struct point l, struct point r, struct point *out)
{
	struct arena *a = ev->arena;

	switch (n->binary.op) {
	case OP_MUL:
		out->h = histogram_compacted(a, l.h != NULL ? histogram_times(a, l.h, r.v) : histogram_times(a, r.h, l.v));
		return OUTCOME_KEEP;
	case OP_DIV:
		if (l.h == NULL)
			return wrong_kinds(ev, n, l, r);
		out->h = histogram_compacted(a, histogram_divided(a, l.h, r.v));
		return OUTCOME_KEEP;
	case OP_TRIM_UPPER:
	case OP_TRIM_LOWER:
		if (l.h == NULL)
			return wrong_kinds(ev, n, l, r);
		out->h = histogram_trimmed(a, l.h, r.v, n->binary.op == OP_TRIM_UPPER);
		return OUTCOME_KEEP;
	default:
		return wrong_kinds(ev, n, l, r);
	}
}

static enum outcome binop_histograms(struct eval *ev, const struct node *n, struct point l, struct point r, struct point *out)
{
	switch (n->binary.op) {
	case OP_ADD:
	case OP_SUB:
		out->h = histogram_combined(ev, l.h, r.h, n->binary.op == OP_SUB, n->beg);
		return out->h == NULL ? OUTCOME_NONE : OUTCOME_KEEP;
	case OP_EQL:
		out->h = l.h;
		return histogram_same(l.h, r.h) ? OUTCOME_KEEP : OUTCOME_FALSE;
	case OP_NEQ:
		out->h = l.h;
		return histogram_same(l.h, r.h) ? OUTCOME_FALSE : OUTCOME_KEEP;
	default:
		return wrong_kinds(ev, n, l, r);
	}
}

enum outcome binop_points(struct eval *ev, const struct node *n, struct point l, struct point r, struct point *out)
{
	enum outcome outcome;

	*out = (struct point){ 0 };
	if (l.h != NULL && r.h != NULL)
		return binop_histograms(ev, n, l, r, out);
	if (l.h != NULL || r.h != NULL)
		return binop_scaled(ev, n, l, r, out);
	out->v = binop_floats(n->binary.op, l.v, r.v, &outcome);
	return outcome == OUTCOME_NONE ? wrong_kinds(ev, n, l, r) : outcome;
}

static struct value *scalars(struct eval *ev, const struct node *n, struct value *l, const struct value *r)
{
	for (size_t step = 0; step < l->n_steps && eval_works(ev, 1); step++) {
		enum outcome outcome;
		double v = binop_floats(n->binary.op, l->v[step], r->v[step], &outcome);

		l->v[step] = binop_is_comparison(n->binary.op) ? outcome == OUTCOME_KEEP : v;
	}
	return l;
}

/* The cell of the vector after the operation. A comparison keeps the vector's value, on whichever side it stands. */
static void combine_cell(struct eval *ev, const struct node *n, struct value *x, size_t i, struct point l, struct point r)
{
	struct point mine = { x->v[i], value_histogram(x, i) }, out;
	enum outcome outcome = binop_points(ev, n, l, r, &out);

	if (binop_is_comparison(n->binary.op))
		out = mine;
	if (n->binary.returns_bool)
		out = (struct point){ outcome == OUTCOME_KEEP, NULL };
	x->has[i] = outcome == OUTCOME_KEEP || (outcome == OUTCOME_FALSE && n->binary.returns_bool);
	x->v[i] = out.v;
	if (x->h != NULL)
		x->h[i] = out.h;
}

/* Of floats alone, which is nearly always: no notes, no histograms. */
static void combine_floats(struct eval *ev, const struct node *n, struct value *x, const struct value *s, bool scalar_left)
{
	bool comparison = binop_is_comparison(n->binary.op), as_bool = n->binary.returns_bool;
	enum binop op = n->binary.op;

	for (size_t i = 0, step = 0; i < value_cells(x) && eval_works(ev, 1); i++, step++) {
		double mine = x->v[i], other, v;
		enum outcome outcome;

		if (step == x->n_steps)
			step = 0;
		if (!x->has[i])
			continue;
		other = s->v[step];
		v = scalar_left ? floats(op, other, mine, &outcome) : floats(op, mine, other, &outcome);
		x->has[i] = outcome == OUTCOME_KEEP || as_bool;
		x->v[i] = as_bool ? outcome == OUTCOME_KEEP : comparison ? mine : v;
	}
}

static struct value *vector_scalar(struct eval *ev, const struct node *n, struct value *x, const struct value *s, bool scalar_left)
{
	bool trims = n->binary.op == OP_TRIM_UPPER || n->binary.op == OP_TRIM_LOWER;

	if (x->h == NULL && !trims) {
		combine_floats(ev, n, x, s, scalar_left);
	} else {
		for (size_t i = 0; i < value_cells(x) && eval_works(ev, 1); i++) {
			struct point mine = { x->v[i], value_histogram(x, i) }, other = { s->v[i % x->n_steps], NULL };

			if (x->has[i])
				combine_cell(ev, n, x, i, scalar_left ? other : mine, scalar_left ? mine : other);
		}
	}
	return binop_changes_name(n->binary.op) || n->binary.returns_bool ? value_drop_names(ev, n, x) : x;
}

static struct value *operand(struct eval *ev, const struct node *n)
{
	bool outer = ev->tell_resets;
	struct value *x;

	ev->tell_resets = false;
	x = eval_node(ev, n);
	ev->tell_resets = outer;
	return x;
}

static struct value *combine(struct eval *ev, const struct node *n, struct value *l, struct value *r)
{
	if (l->type == PROMQL_SCALAR && r->type == PROMQL_SCALAR)
		return scalars(ev, n, l, r);
	if (r->type == PROMQL_SCALAR)
		return vector_scalar(ev, n, l, r, false);
	if (l->type == PROMQL_SCALAR)
		return vector_scalar(ev, n, r, l, true);
	return binop_is_set(n->binary.op) ? binary_set(ev, n, l, r) : binary_match(ev, n, l, r);
}

struct value *eval_binary(struct eval *ev, const struct node *n)
{
	const struct node *op = node_chain_first(n);
	size_t held = ev->cells;
	struct value *l = operand(ev, op->binary.left), *r;

	for (; l != NULL; op = op->binary.above) {
		r = operand(ev, op->binary.right);
		l = r == NULL ? NULL : combine(ev, op, l, r);
		if (l == NULL || op == n)
			break;
		ev->cells = held + value_cells(l);      /* what the operands held is free again */
	}
	return l;
}
