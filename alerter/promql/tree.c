/* The syntax tree as JSON, as Prometheus's /api/v1/parse_query tells it: its web page draws it, and builders of queries read it. */
#include "query.h"

#include <stdlib.h>

#include "functions.h"
#include "tocsin/json.h"

static void put_node(struct json_out *j, const struct node *n);

static void begin(struct json_out *j, const char *type)
{
	json_out_open(j, '{');
	json_out_key(j, "type");
	json_out_strz(j, type);
}

static void put_int(struct json_out *j, const char *key, int64_t v)
{
	json_out_key(j, key);
	json_out_int(j, v);
}

static void put_bool(struct json_out *j, const char *key, bool v)
{
	json_out_key(j, key);
	json_out_bool(j, v);
}

static void put_child(struct json_out *j, const char *key, const struct node *n)
{
	json_out_key(j, key);
	if (n != NULL)
		put_node(j, n);
	else
		json_out_null(j);
}

static void put_list(struct json_out *j, const char *key, const struct str *v, size_t n)
{
	json_out_key(j, key);
	json_out_open(j, '[');
	for (size_t i = 0; i < n; i++)
		json_out_str(j, v[i]);
	json_out_close(j, ']');
}

/* What a selector and a subquery may have behind them. */
static void put_moment(struct json_out *j, enum at_kind at, int64_t at_ms, const struct duration *offset)
{
	put_int(j, "offset", offset->ms);
	json_out_key(j, "timestamp");
	if (at == AT_TIME)
		json_out_int(j, at_ms);
	else
		json_out_null(j);
	json_out_key(j, "startOrEnd");
	json_out_strz(j, at == AT_START ? "start" : at == AT_END ? "end" : NULL);
}

static void put_selector(struct json_out *j, const struct node_selector *s)
{
	static const char *const ops[] = { [MATCH_EQ] = "=", [MATCH_NE] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~" };

	begin(j, s->range.set ? "matrixSelector" : "vectorSelector");
	json_out_key(j, "name");
	json_out_str(j, s->metric);
	if (s->range.set)
		put_int(j, "range", s->range.ms);
	put_moment(j, s->at, s->at_ms, &s->offset);
	put_bool(j, "anchored", s->mode == RANGE_ANCHORED);
	put_bool(j, "smoothed", s->mode == RANGE_SMOOTHED);
	json_out_key(j, "matchers");
	json_out_open(j, '[');
	for (size_t i = 0; i < s->n_matchers; i++) {
		json_out_open(j, '{');
		json_out_key(j, "type");
		json_out_strz(j, ops[s->matchers[i].op]);
		json_out_key(j, "name");
		json_out_str(j, s->matchers[i].name);
		json_out_key(j, "value");
		json_out_str(j, s->matchers[i].value);
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
	json_out_close(j, '}');
}

static void put_subquery(struct json_out *j, const struct node_subquery *s)
{
	begin(j, "subquery");
	put_child(j, "expr", s->child);
	put_int(j, "range", s->range.ms);
	put_int(j, "step", s->step.ms);
	put_moment(j, s->at, s->at_ms, &s->offset);
	json_out_close(j, '}');
}

static void put_number(struct json_out *j, double v)
{
	begin(j, "numberLiteral");
	json_out_key(j, "val");
	json_out_num_fixed(j, v);
	json_out_close(j, '}');
}

/* -1 is a number. */
static void put_unary(struct json_out *j, bool minus, const struct node *child)
{
	if (child->kind == NODE_NUMBER) {
		put_number(j, minus ? -child->number.value : child->number.value);
		return;
	}
	begin(j, "unaryExpr");
	json_out_key(j, "op");
	json_out_strz(j, minus ? "-" : "+");
	put_child(j, "expr", child);
	json_out_close(j, '}');
}

static void put_fill(struct json_out *j, const char *key, bool set, double v)
{
	json_out_key(j, key);
	if (set)
		json_out_num(j, v);
	else
		json_out_null(j);
}

static void put_matching(struct json_out *j, const struct node_binary *b)
{
	static const char *const cards[] = { [CARD_ONE_TO_ONE] = "one-to-one", [CARD_MANY_TO_ONE] = "many-to-one",
		                             [CARD_ONE_TO_MANY] = "one-to-many", [CARD_MANY_TO_MANY] = "many-to-many" };

	json_out_key(j, "matching");
	if (b->left->type != PROMQL_VECTOR || b->right->type != PROMQL_VECTOR) {
		json_out_null(j);
		return;
	}
	json_out_open(j, '{');
	json_out_key(j, "card");
	json_out_strz(j, cards[b->card]);
	put_bool(j, "on", b->on);
	put_list(j, "labels", b->labels, b->n_labels);
	put_list(j, "include", b->include, b->n_include);
	json_out_key(j, "fillValues");
	json_out_open(j, '{');
	put_fill(j, "lhs", b->fill_left_set, b->fill_left);
	put_fill(j, "rhs", b->fill_right_set, b->fill_right);
	json_out_close(j, '}');
	json_out_close(j, '}');
}

static void end_operator(struct json_out *j, const struct node_binary *b)
{
	put_child(j, "rhs", b->right);
	put_matching(j, b);
	put_bool(j, "bool", b->returns_bool);
	json_out_close(j, '}');
}

/* The last operator of a chain is the outermost: its left side is the rest of it. */
static void put_chain(struct json_out *j, const struct node *last)
{
	static const char *const ops[] = {
#define X(id, text, left, right) [id] = text,
		OP_LIST(X)
#undef X
	};
	const struct node *first = node_chain_first(last), *op;

	for (op = last;; op = op->binary.left) {
		begin(j, "binaryExpr");
		json_out_key(j, "op");
		json_out_strz(j, ops[op->binary.op]);
		json_out_key(j, "lhs");
		if (op == first)
			break;
	}
	put_node(j, first->binary.left);
	for (op = first;; op = op->binary.above) {
		end_operator(j, &op->binary);
		if (op == last)
			break;
	}
}

static void put_aggregate(struct json_out *j, const struct node_aggregate *a)
{
	static const char *const ops[] = {
#define X(id, text, param, experimental) [id] = text,
		AGGR_LIST(X)
#undef X
	};

	begin(j, "aggregation");
	json_out_key(j, "op");
	json_out_strz(j, ops[a->op]);
	put_child(j, "param", a->param);
	put_child(j, "expr", a->child);
	put_list(j, "grouping", a->labels, a->n_labels);
	put_bool(j, "without", a->without);
	json_out_close(j, '}');
}

static void put_call(struct json_out *j, const struct node_call *c)
{
	begin(j, "call");
	json_out_key(j, "func");
	json_out_open(j, '{');
	json_out_key(j, "name");
	json_out_strz(j, c->fn->name);
	json_out_key(j, "argTypes");
	json_out_open(j, '[');
	for (int i = 0; i < c->fn->n_args; i++)
		json_out_strz(j, promql_type_name(c->fn->args[i]));
	json_out_close(j, ']');
	put_int(j, "variadic", c->fn->variadic);
	json_out_key(j, "returnType");
	json_out_strz(j, promql_type_name(c->fn->returns));
	json_out_close(j, '}');
	json_out_key(j, "args");
	json_out_open(j, '[');
	for (size_t i = 0; i < c->n_args; i++)
		put_node(j, c->args[i]);
	json_out_close(j, ']');
	json_out_close(j, '}');
}

static void put_node(struct json_out *j, const struct node *n)
{
	switch (n->kind) {
	case NODE_NUMBER:
		put_number(j, n->number.value);
		return;
	case NODE_STRING:
		begin(j, "stringLiteral");
		json_out_key(j, "val");
		json_out_str(j, n->string);
		json_out_close(j, '}');
		return;
	case NODE_SELECTOR:
		put_selector(j, &n->selector);
		return;
	case NODE_SUBQUERY:
		put_subquery(j, &n->subquery);
		return;
	case NODE_PAREN:
		begin(j, "parenExpr");
		put_child(j, "expr", n->paren);
		json_out_close(j, '}');
		return;
	case NODE_UNARY:
		put_unary(j, n->unary.minus, n->unary.child);
		return;
	case NODE_BINARY:
		put_chain(j, n);
		return;
	case NODE_AGGREGATE:
		put_aggregate(j, &n->aggregate);
		return;
	case NODE_CALL:
		put_call(j, &n->call);
		return;
	}
	abort();
}

void promql_query_tree(const struct promql_query *q, struct json_out *j)
{
	put_node(j, q->root);
}
