/* How series flow through a query: whether the labels of a result are those of the series it was made of, whether more series could take a
 * result away. */
#include "query.h"

#include <assert.h>

#include "functions.h"

/* Functions whose result bears labels that no series had, or none of a series' own. */
static const char *const makers[] = { "absent", "absent_over_time", "info", "label_join", "label_replace", "scalar", "vector", NULL };

/* Functions that say something of all their series together. */
static const char *const gatherers[] = { "absent", "absent_over_time", "histogram_fraction", "histogram_quantile", "histogram_quantiles", "info",
	                                 "scalar", NULL };

static bool is_one_of(const struct function *fn, const char *const *names)
{
	for (; *names != NULL; names++)
		if (str_eq(str_of(fn->name), str_of(*names)))
			return true;
	return false;
}

/* True when <holds> is true of each node. */
static bool each(const struct node *n, bool (*holds)(const struct node *))
{
	for (; n->kind == NODE_BINARY; n = n->binary.left)
		if (!holds(n) || !each(n->binary.right, holds))
			return false;
	if (!holds(n))
		return false;
	switch (n->kind) {
	case NODE_NUMBER:
	case NODE_STRING:
	case NODE_SELECTOR:
		return true;
	case NODE_SUBQUERY:
		return each(n->subquery.child, holds);
	case NODE_PAREN:
		return each(n->paren, holds);
	case NODE_UNARY:
		return each(n->unary.child, holds);
	case NODE_AGGREGATE:
		return (n->aggregate.param == NULL || each(n->aggregate.param, holds)) && each(n->aggregate.child, holds);
	case NODE_CALL:
		for (size_t i = 0; i < n->call.n_args; i++)
			if (!each(n->call.args[i], holds))
				return false;
		return true;
	case NODE_BINARY:
		break;
	}
	assert(false);
	return false;
}

static bool keeps_labels(const struct node *n)
{
	if (n->kind == NODE_BINARY)
		return !n->binary.explicit_matching;
	if (n->kind == NODE_AGGREGATE)
		return n->aggregate.op != AGGR_COUNT_VALUES;
	return n->kind != NODE_CALL || !is_one_of(n->call.fn, makers);
}

bool promql_query_keeps_labels(const struct promql_query *q)
{
	return each(q->root, keeps_labels);
}

static bool takes_nothing_away(const struct node *n)
{
	if (n->kind == NODE_BINARY)
		return n->binary.op != OP_UNLESS && !(n->binary.op == OP_OR && n->binary.explicit_matching) && !n->binary.fill_left_set &&
		       !n->binary.fill_right_set;
	return n->kind != NODE_AGGREGATE && (n->kind != NODE_CALL || !is_one_of(n->call.fn, gatherers));
}

bool promql_query_only_adds(const struct promql_query *q)
{
	return each(q->root, takes_nothing_away);
}
