/* One eval command, in all the ways that must give the same result: as it is; with every selector pinned by @ to its time and
 * evaluated at others; as the middle of a range query of three steps. */
#include "../functions_bodies.h"
#include "../query.h"
#include "../functions.h"
#include "script_inside.h"

struct way {
	const struct eval_command *command;
	struct querier *querier;
	struct arena *arena;
	struct buf *why;
};

static bool depends_on_time(const struct node *n)
{
	static void (*const bodies[])(struct eval_call *) = {
		fn_time, fn_timestamp, fn_predict_linear, fn_start, fn_end, fn_step, fn_range,
		fn_year, fn_month, fn_day_of_month, fn_day_of_week, fn_day_of_year, fn_days_in_month, fn_hour, fn_minute,
	};

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		if (n->call.fn->body == bodies[i])
			return true;
	return false;
}

static bool pin(struct node *n, int64_t at_ms);

static bool pin_chain(struct node *n, int64_t at_ms)
{
	for (; n->kind == NODE_BINARY; n = n->binary.left)
		if (!pin(n->binary.right, at_ms))
			return false;
	return pin(n, at_ms);
}

/* Sets @ on the outermost selectors and subqueries that have none. False: the expression depends on the time in other ways. */
static bool pin(struct node *n, int64_t at_ms)
{
	switch (n->kind) {
	case NODE_NUMBER:
	case NODE_STRING:
		return true;
	case NODE_SELECTOR:
		if (n->selector.at == AT_NONE) {
			n->selector.at = AT_TIME;
			n->selector.at_ms = at_ms;
		}
		return n->selector.at == AT_TIME;
	case NODE_SUBQUERY:
		if (n->subquery.at == AT_NONE) {
			n->subquery.at = AT_TIME;
			n->subquery.at_ms = at_ms;
		}
		return n->subquery.at == AT_TIME;
	case NODE_PAREN:
		return pin(n->paren, at_ms);
	case NODE_UNARY:
		return pin(n->unary.child, at_ms);
	case NODE_BINARY:
		return pin_chain(n, at_ms);
	case NODE_AGGREGATE:
		return (n->aggregate.param == NULL || pin(n->aggregate.param, at_ms)) && pin(n->aggregate.child, at_ms);
	case NODE_CALL:
		for (size_t i = 0; i < n->call.n_args; i++)
			if (!(n->call.fn->body == fn_info && i == 1) && !pin(n->call.args[i], at_ms))
				return false;
		return !depends_on_time(n);
	}
	return false;
}

static bool check_at(const struct way *w, struct promql_query *q, int64_t t_ms, const char *how)
{
	struct err e = { 0 };
	struct promql_result *r = promql_instant(q, w->arena, w->querier, t_ms, &e);
	size_t before = w->why->n;

	if (script_check(w->command, r, &e, w->why))
		return true;
	if (w->why->n == before)
		return true;
	buf_printf(w->why, " (%s, at %lld ms)", how, (long long)t_ms);
	return false;
}

static bool check_pinned(const struct way *w, const struct promql_options *o)
{
	int64_t t = w->command->start_ms;
	int64_t others[] = { -10 * t, 0, t / 5, t, 10 * t };
	struct err e = { 0 };
	struct promql_query *q = promql_query_new(w->command->expr, o, &e);
	struct node *root;
	bool ok = true;

	if (q == NULL)
		return true;
	memcpy(&root, &q->root, sizeof root);   /* ours to change: nobody else has this query */
	if (t == 0) {
		others[0] = -1000;
		others[2] = others[3] = others[4] = 1000;
	}
	if (pin(root, t))
		for (size_t i = 0; i < ARRAY_LEN(others) && ok; i++)
			ok = check_at(w, q, others[i], "pinned with @");
	promql_query_free(q);
	return ok;
}

static bool has_query_time(struct str expr)
{
	static const char *const words[] = { "start()", "end()", "step()", "range()", "STEP()", "RANGE()", "STep()" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_find(expr, str_of(words[i])) < expr.n)
			return true;
	return false;
}

static bool check_as_range(const struct way *w, struct promql_query *q)
{
	struct err e = { 0 };
	int64_t t = w->command->start_ms;
	struct promql_result *r;

	if (w->command->ordered || has_query_time(w->command->expr))
		return true;
	r = promql_range(q, w->arena, w->querier, t - 60000, t + 60000, 60000, &e);
	if (r != NULL)
		r = script_slice(w->arena, r, t, promql_query_type(q));
	if (script_check(w->command, r, &e, w->why))
		return true;
	buf_putz(w->why, " (as a range query)");
	return false;
}

static bool eval_instant(const struct way *w, struct promql_query *q, const struct promql_options *o)
{
	struct err e = { 0 };
	struct promql_result *r = promql_instant(q, w->arena, w->querier, w->command->start_ms, &e);

	if (!script_check(w->command, r, &e, w->why) || (r != NULL && !script_check_notes(w->command, r, w->why)))
		return false;
	if (r == NULL || r->type == PROMQL_STRING || r->type == PROMQL_MATRIX)
		return true;
	return check_pinned(w, o) && check_as_range(w, q);
}

static bool eval_range(const struct way *w, struct promql_query *q)
{
	const struct eval_command *c = w->command;
	struct err e = { 0 };
	struct promql_result *r = promql_range(q, w->arena, w->querier, c->start_ms, c->end_ms, c->step_ms, &e);

	return script_check(c, r, &e, w->why) && (r == NULL || script_check_notes(c, r, w->why));
}

bool script_eval(const struct eval_command *c, struct querier *querier, const struct promql_options *o, struct arena *a, struct buf *why)
{
	struct way w = { c, querier, a, why };
	struct err e = { 0 };
	struct promql_query *q = promql_query_new(c->expr, o, &e);
	bool ok;

	if (q == NULL)
		return script_check(c, NULL, &e, why);
	ok = c->range ? eval_range(&w, q) : eval_instant(&w, q, o);
	promql_query_free(q);
	return ok;
}
