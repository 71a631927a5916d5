/* How labels flow through a query: whether those of a result are those of the series it was made of. */
#include "query.h"

#include <assert.h>

#include "functions.h"

/* Functions whose result bears labels that no series had, or none of a series' own. */
static const char *const makers[] = { "absent", "absent_over_time", "info", "label_join", "label_replace", "scalar", "vector" };

static bool makes_labels(const struct function *fn)
{
	for (size_t i = 0; i < ARRAY_LEN(makers); i++)
		if (str_eq(str_of(fn->name), str_of(makers[i])))
			return true;
	return false;
}

static bool keeps(const struct node *n);

static bool chain_keeps(const struct node *n)
{
	for (; n->kind == NODE_BINARY; n = n->binary.left)
		if (n->binary.explicit_matching || !keeps(n->binary.right))
			return false;
	return keeps(n);
}

static bool keeps(const struct node *n)
{
	switch (n->kind) {
	case NODE_NUMBER:
	case NODE_STRING:
	case NODE_SELECTOR:
		return true;
	case NODE_SUBQUERY:
		return keeps(n->subquery.child);
	case NODE_PAREN:
		return keeps(n->paren);
	case NODE_UNARY:
		return keeps(n->unary.child);
	case NODE_BINARY:
		return chain_keeps(n);
	case NODE_AGGREGATE:
		return n->aggregate.op != AGGR_COUNT_VALUES && (n->aggregate.param == NULL || keeps(n->aggregate.param)) &&
		       keeps(n->aggregate.child);
	case NODE_CALL:
		for (size_t i = 0; i < n->call.n_args; i++)
			if (!keeps(n->call.args[i]))
				return false;
		return !makes_labels(n->call.fn);
	}
	assert(false);
	return false;
}

bool promql_query_keeps_labels(const struct promql_query *q)
{
	return keeps(q->root);
}
