/* Types and the rules no grammar can say. Each message names what is there, what is needed and, where we can guess it, the
 * query that was meant. Recursion is bounded here too: postfixes make a deep tree that no production has counted. */
#include "parse.h"

#include <stdio.h>
#include <stdlib.h>

#include "functions.h"

struct checker {
	const struct promql_options *options;
	struct err *err;
	size_t depth;
};

const char *promql_type_name(enum promql_type type)
{
	switch (type) {
	case PROMQL_SCALAR:
		return "scalar";
	case PROMQL_VECTOR:
		return "vector";
	case PROMQL_MATRIX:
		return "matrix";
	case PROMQL_STRING:
		return "string";
	}
	abort();
}

/* With the article, as people say it. */
static const char *spoken(enum promql_type type)
{
	switch (type) {
	case PROMQL_SCALAR:
		return "a scalar";
	case PROMQL_VECTOR:
		return "an instant vector";
	case PROMQL_MATRIX:
		return "a range vector";
	case PROMQL_STRING:
		return "a string";
	}
	abort();
}

enum { SAMPLE_BYTES = 100 };

/* <n> as text for a message; "x" when it is long. */
static const char *sample(const struct node *n, char out[SAMPLE_BYTES])
{
	struct buf b = { .limit = SAMPLE_BYTES - 1 };

	print_node(&b, n);
	if (b.overflow || b.n == 0)
		strcpy(out, "x");
	else
		strcpy(out, buf_z(&b));
	buf_fini(&b);
	return out;
}

static const struct node *inside(const struct node *n)
{
	while (n->kind == NODE_PAREN)
		n = n->paren;
	return n;
}

/* The selector <n> with a range put in, as text. */
static const char *with_range(const struct node *n, char out[SAMPLE_BYTES])
{
	struct node ranged = *n;

	ranged.selector.range = (struct duration){ .set = true, .ms = 300000 };
	sample(&ranged, out);
	return strcmp(out, "x") == 0 ? "x[5m]" : out;
}

/* What the author of <what>(<arg>) may have meant; empty when we cannot tell. */
static void type_advice(const char *what, const struct node *arg, enum promql_type wanted, char *out, size_t n_out)
{
	const struct node *core = inside(arg);
	char text[SAMPLE_BYTES];

	out[0] = '\0';
	if (wanted == PROMQL_MATRIX && core->kind == NODE_SELECTOR && !core->selector.range.set)
		snprintf(out, n_out, ": did you mean %s(%s)?", what, with_range(core, text));
	else if (wanted == PROMQL_MATRIX && core->kind == NODE_AGGREGATE)
		snprintf(out, n_out, ": aggregate afterwards, as in %s(%s(x[5m]))", aggregators[core->aggregate.op].text.p, what);
	else if (wanted == PROMQL_MATRIX && arg->type == PROMQL_VECTOR)
		snprintf(out, n_out, ": of an expression take a subquery, as in %s((x)[5m:1m])", what);
	else if (wanted == PROMQL_VECTOR && arg->type == PROMQL_MATRIX && core->kind == NODE_SELECTOR)
		snprintf(out, n_out, ": drop the range, or apply a function such as rate(%s) first", sample(core, text));
	else if (wanted == PROMQL_VECTOR && arg->type == PROMQL_SCALAR)
		snprintf(out, n_out, ": vector(%s) makes one of it", sample(core, text));
	else if (wanted == PROMQL_SCALAR && arg->type == PROMQL_VECTOR)
		snprintf(out, n_out, ": scalar(%s) makes one of a vector with one element", sample(core, text));
	else if (wanted == PROMQL_STRING && core->kind == NODE_SELECTOR && core->selector.n_matchers == 1)
		snprintf(out, n_out, ": put it in quotes: \"%s\"", sample(core, text));
}

static bool expect_type(struct checker *c, const struct node *arg, enum promql_type wanted, const char *what, const char *role)
{
	char advice[300];

	if (arg->type == wanted)
		return true;
	type_advice(what, arg, wanted, advice, sizeof advice);
	return err_set(c->err, ERR_SYNTAX, arg->beg, "%s() needs %s%s, not %s%s", what, spoken(wanted), role, spoken(arg->type),
		       advice);
}

static bool check_node(struct checker *c, struct node *n);

static bool matches_empty(const struct matcher *m)
{
	switch (m->op) {
	case MATCH_EQ:
		return m->value.n == 0;
	case MATCH_NE:
		return m->value.n != 0;
	case MATCH_RE:
		return regex_match(m->re, STR("")) == REGEX_YES;
	case MATCH_NRE:
		return regex_match(m->re, STR("")) != REGEX_YES;
	}
	abort();
}

/* A selector may not read everything there is; info()'s labels may. */
static bool check_selector(struct checker *c, struct node *n, bool may_be_empty)
{
	const struct node_selector *s = &n->selector;
	bool selective = may_be_empty;

	n->type = s->range.set ? PROMQL_MATRIX : PROMQL_VECTOR;
	for (size_t i = 0; i < s->n_matchers; i++) {
		const struct matcher *m = &s->matchers[i];

		if (s->metric.n > 0 && i + 1 < s->n_matchers && str_eq(m->name, STR(LABEL_NAME)))
			return err_set(c->err, ERR_SYNTAX, n->beg, "the metric name is set twice: '%.*s' and '%.*s'",
			               (int)(s->metric.n > 100 ? 100 : s->metric.n), s->metric.p,
			               (int)(m->value.n > 100 ? 100 : m->value.n), m->value.n > 0 ? m->value.p : "");
		selective = selective || !matches_empty(m);
	}
	if (!selective)
		return err_set(c->err, ERR_SYNTAX, n->beg,
			       "the selector would read every series: it needs a metric name, or one matcher that an empty value "
			       "does not pass");
	return true;
}

static bool check_subquery(struct checker *c, struct node *n)
{
	n->type = PROMQL_MATRIX;
	if (!check_node(c, n->subquery.child))
		return false;
	if (n->subquery.child->type != PROMQL_VECTOR)
		return err_set(c->err, ERR_SYNTAX, n->beg, "a subquery is taken of an instant vector, not of %s",
		               spoken(n->subquery.child->type));
	return true;
}

static bool check_unary(struct checker *c, struct node *n)
{
	if (!check_node(c, n->unary.child))
		return false;
	n->type = n->unary.child->type;
	if (n->type != PROMQL_SCALAR && n->type != PROMQL_VECTOR)
		return err_set(c->err, ERR_SYNTAX, n->beg, "a sign stands before a scalar or an instant vector, not before %s",
			       spoken(n->type));
	return true;
}

static bool check_operand(struct checker *c, const struct node *n, struct str op)
{
	char text[SAMPLE_BYTES];

	if (n->type == PROMQL_SCALAR || n->type == PROMQL_VECTOR)
		return true;
	if (n->type == PROMQL_MATRIX)
		return err_set(c->err, ERR_SYNTAX, n->beg,
			       "'" STR_FMT
			       "' takes scalars and instant vectors, not a range vector: apply a function first, such as rate(%s)",
			       STR_ARG(op), sample(inside(n), text));
	return err_set(c->err, ERR_SYNTAX, n->beg, "'" STR_FMT "' takes scalars and instant vectors, not a string", STR_ARG(op));
}

static bool check_set_operator(struct checker *c, const struct node *n, struct str op)
{
	const struct node_binary *b = &n->binary;
	const struct node *scalar = b->left->type == PROMQL_SCALAR ? b->left : b->right->type == PROMQL_SCALAR ? b->right : NULL;
	char text[SAMPLE_BYTES];

	if (scalar != NULL)
		return err_set(c->err, ERR_SYNTAX, scalar->beg,
			       "'" STR_FMT "' joins instant vectors, not a scalar: vector(%s) makes one of it", STR_ARG(op),
			       sample(inside(scalar), text));
	if (b->card != CARD_MANY_TO_MANY)
		return err_set(c->err, ERR_SYNTAX, b->op_beg,
			       "'" STR_FMT "' takes no group_left or group_right: it joins many to many", STR_ARG(op));
	if (b->fill_left_set || b->fill_right_set)
		return err_set(c->err, ERR_SYNTAX, b->op_beg, "'" STR_FMT "' takes no fill modifier", STR_ARG(op));
	return true;
}

/* What on() compares it cannot copy from one side. */
static bool check_labels(struct checker *c, const struct node_binary *b)
{
	for (size_t i = 0; b->on && i < b->n_labels; i++)
		for (size_t k = 0; k < b->n_include; k++)
			if (str_eq(b->labels[i], b->include[k]))
				return err_set(c->err, ERR_SYNTAX, b->op_beg, "label '%.*s' must not occur in both on and group_%s",
				               (int)(b->labels[i].n > 100 ? 100 : b->labels[i].n), b->labels[i].p,
				               b->card == CARD_MANY_TO_ONE ? "left" : "right");
	return true;
}

/* At least one side is a scalar, so that there is nothing to match. */
static bool check_scalar_side(struct checker *c, struct node_binary *b)
{
	if (b->n_labels > 0)
		return err_set(c->err, ERR_SYNTAX, b->op_beg, "'%s' matches instant vectors, and one side here is a scalar",
		               b->on ? "on" : "ignoring");
	if (b->fill_left_set || b->fill_right_set)
		return err_set(c->err, ERR_SYNTAX, b->op_beg,
			       "'fill' works between instant vectors, and one side here is a scalar");
	b->on = b->explicit_matching = false;
	b->card = CARD_ONE_TO_ONE;
	b->n_include = 0;
	return true;
}

/* The left side was checked before. */
static bool check_operator(struct checker *c, struct node *n)
{
	struct node_binary *b = &n->binary;
	struct str op = operators[b->op].text;
	bool scalars;

	if (!check_node(c, b->right))
		return false;
	scalars = b->left->type == PROMQL_SCALAR && b->right->type == PROMQL_SCALAR;
	n->type = scalars ? PROMQL_SCALAR : PROMQL_VECTOR;
	if (!check_operand(c, b->left, op) || !check_operand(c, b->right, op))
		return false;
	if (binop_is_comparison(b->op) && scalars && !b->returns_bool)
		return err_set(c->err, ERR_SYNTAX, b->op_beg, "two scalars are compared with bool: write '" STR_FMT " bool'",
			       STR_ARG(op));
	if (!check_labels(c, b))
		return false;
	if (binop_is_set(b->op))
		return check_set_operator(c, n, op);
	if (b->left->type == PROMQL_SCALAR || b->right->type == PROMQL_SCALAR)
		return check_scalar_side(c, b);
	return true;
}

static bool check_binary(struct checker *c, struct node *n)
{
	struct node *op = n;

	while (op->binary.left->kind == NODE_BINARY)
		op = op->binary.left;
	if (!check_node(c, op->binary.left))
		return false;
	for (;; op = op->binary.above) {
		if (!check_operator(c, op))
			return false;
		if (op == n)
			return true;
	}
}

static bool check_aggregate(struct checker *c, struct node *n)
{
	struct node_aggregate *a = &n->aggregate;
	const char *name = aggregators[a->op].text.p;

	n->type = PROMQL_VECTOR;
	if (!check_node(c, a->child) || (a->param != NULL && !check_node(c, a->param)))
		return false;
	if (a->param != NULL && !expect_type(c, a->param, aggregators[a->op].param == 2 ? PROMQL_STRING : PROMQL_SCALAR, name,
					     " as its first argument"))
		return false;
	return expect_type(c, a->child, PROMQL_VECTOR, name, "");
}

/* "exactly 2 arguments", "1 or 2 arguments" … */
static bool check_arity(struct checker *c, const struct node *n)
{
	const struct function *fn = n->call.fn;
	size_t most = (size_t)fn->n_args, least = fn->variadic == 0 ? most : most - 1;
	const struct promql_function_info *infos;
	char count[60];

	promql_functions(&infos);
	if (fn->variadic > 0)
		most = least + (size_t)fn->variadic;
	if (n->call.n_args >= least && (fn->variadic < 0 || n->call.n_args <= most))
		return true;
	if (fn->variadic < 0)
		snprintf(count, sizeof count, "at least %zu", least);
	else if (most == least)
		snprintf(count, sizeof count, "%zu", least);
	else
		snprintf(count, sizeof count, "%zu to %zu", least, most);
	return err_set(c->err, ERR_SYNTAX, n->beg, "%s() takes %s argument%s, not %zu: %s", fn->name, count,
	               fn->variadic >= 0 && most == 1 ? "" : "s", n->call.n_args, infos[fn - functions].signature);
}

/* The labels info() adds are chosen by matchers without a metric name. */
static bool check_info_labels(struct checker *c, struct node *arg)
{
	if (arg->kind != NODE_SELECTOR || arg->selector.metric.n > 0 || arg->selector.range.set)
		return err_set(c->err, ERR_SYNTAX, arg->beg,
			       "the second argument of info() is label matchers alone: {version=~\".+\"}");
	return check_selector(c, arg, true);
}

/* Which functions know what to do with the neighbours that anchored and smoothed bring; the texts are Prometheus's. */
static bool check_mode(struct checker *c, const struct function *fn, const struct node *arg)
{
	static const char *const anchored[] = { "changes", "delta", "increase", "rate", "resets" };
	static const char *const smoothed[] = { "delta", "increase", "rate" };
	const struct node *core = inside(arg);

	if (core->kind != NODE_SELECTOR || !core->selector.range.set || core->selector.mode == RANGE_PLAIN)
		return true;
	if (core->selector.mode == RANGE_ANCHORED) {
		for (size_t i = 0; i < ARRAY_LEN(anchored); i++)
			if (str_eq(str_of(fn->name), str_of(anchored[i])))
				return true;
		return err_set(c->err, ERR_SYNTAX, core->beg,
			       "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with %s",
			       fn->name);
	}
	for (size_t i = 0; i < ARRAY_LEN(smoothed); i++)
		if (str_eq(str_of(fn->name), str_of(smoothed[i])))
			return true;
	return err_set(c->err, ERR_SYNTAX, core->beg,
		       "smoothed modifier can only be used with: delta, increase, rate - not with %s", fn->name);
}

static bool check_call(struct checker *c, struct node *n)
{
	const struct function *fn = n->call.fn;
	bool is_info = str_eq(str_of(fn->name), STR("info"));

	n->type = fn->returns;
	if (!check_arity(c, n))
		return false;
	for (size_t i = 0; i < n->call.n_args; i++) {
		struct node *arg = n->call.args[i];
		size_t declared = i < (size_t)fn->n_args ? i : (size_t)fn->n_args - 1;

		if (is_info && i == 1) {
			if (!check_info_labels(c, arg))
				return false;
			continue;
		}
		if (!check_node(c, arg) || !expect_type(c, arg, fn->args[declared], fn->name, "") || !check_mode(c, fn, arg))
			return false;
	}
	return true;
}

static bool check_kind(struct checker *c, struct node *n)
{
	switch (n->kind) {
	case NODE_NUMBER:
		n->type = PROMQL_SCALAR;
		return true;
	case NODE_STRING:
		n->type = PROMQL_STRING;
		return true;
	case NODE_SELECTOR:
		return check_selector(c, n, false);
	case NODE_SUBQUERY:
		return check_subquery(c, n);
	case NODE_PAREN:
		if (!check_node(c, n->paren))
			return false;
		n->type = n->paren->type;
		return true;
	case NODE_UNARY:
		return check_unary(c, n);
	case NODE_BINARY:
		return check_binary(c, n);
	case NODE_AGGREGATE:
		return check_aggregate(c, n);
	case NODE_CALL:
		return check_call(c, n);
	}
	abort();
}

static bool check_node(struct checker *c, struct node *n)
{
	bool ok;

	if (c->depth == c->options->limits.max_depth)
		return err_set(c->err, ERR_LIMIT, n->beg, DEPTH_MESSAGE, c->options->limits.max_depth);
	c->depth++;
	ok = check_kind(c, n);
	c->depth--;
	return ok;
}

bool check_query(const struct promql_options *options, struct node *root, struct err *e)
{
	struct checker c = { .options = options, .err = e };

	return check_node(&c, root);
}
