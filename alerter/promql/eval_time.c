/* Time modifiers: @ pins the evaluation time, offset moves it, and durations may be expressions over the query's own step and
 * length. */
#include <assert.h>
#include <math.h>

#include "eval.h"

static double duration_value(struct eval *ev, const struct node *n);

static double duration_binary(struct eval *ev, const struct node *n)
{
	double l = duration_value(ev, n->binary.left), r = duration_value(ev, n->binary.right);

	switch (n->binary.op) {
	case OP_ADD:
		return l + r;
	case OP_SUB:
		return l - r;
	case OP_MUL:
		return l * r;
	case OP_POW:
		return pow(l, r);
	case OP_DIV:
	case OP_MOD:
		if (r == 0)
			eval_fail(ev, ERR_EXEC, n->binary.right->beg, "division by zero in a duration");
		return n->binary.op == OP_DIV ? l / r : fmod(l, r);
	default:
		assert(!"the parser lets no other operator into a duration");
		return 0;
	}
}

static double duration_call(struct eval *ev, const struct node *n)
{
	struct str name = str_of(n->call.fn->name);

	if (str_eq(name, STR("step")))
		return (double)ev->query_step_ms / 1000;
	if (str_eq(name, STR("range")))
		return (double)(ev->query_end_ms - ev->query_start_ms) / 1000;
	assert(n->call.n_args == 2);
	double a = duration_value(ev, n->call.args[0]), b = duration_value(ev, n->call.args[1]);
	return str_eq(name, STR("min_of")) ? fmin(a, b) : fmax(a, b);
}

/* In seconds. */
static double duration_value(struct eval *ev, const struct node *n)
{
	switch (n->kind) {
	case NODE_NUMBER:
		return n->number.value;
	case NODE_PAREN:
		return duration_value(ev, n->paren);
	case NODE_UNARY:
		return n->unary.minus ? -duration_value(ev, n->unary.child) : duration_value(ev, n->unary.child);
	case NODE_BINARY:
		return duration_binary(ev, n);
	case NODE_CALL:
		return duration_call(ev, n);
	default:
		assert(!"the parser lets nothing else into a duration");
		return 0;
	}
}

/* More would overflow when added to a time. */
#define DURATION_MAX_S 1e12

int64_t duration_ms(struct eval *ev, const struct duration *d)
{
	double s;

	if (d->expr == NULL)
		return d->set ? d->ms : 0;
	s = duration_value(ev, d->expr);
	if (!(fabs(s) < DURATION_MAX_S)) {
		eval_fail(ev, ERR_EXEC, d->expr->beg, "duration out of range: %g s", s);
		return 0;
	}
	return (int64_t)(s * 1000);
}

struct timing timing_of(struct eval *ev, enum at_kind at, int64_t at_ms, const struct duration *offset)
{
	struct timing t = { .fixed = at != AT_NONE, .offset_ms = duration_ms(ev, offset) };

	switch (at) {
	case AT_NONE:
		break;
	case AT_TIME:
		t.fixed_ms = at_ms;
		break;
	case AT_START:
		t.fixed_ms = ev->query_start_ms;
		break;
	case AT_END:
		t.fixed_ms = ev->query_end_ms;
		break;
	}
	return t;
}

int64_t timing_at(const struct timing *t, const struct steps *steps, size_t step)
{
	return (t->fixed ? t->fixed_ms : step_at(steps, step)) - t->offset_ms;
}
