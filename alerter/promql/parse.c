/* Expressions: operators by binding power, aggregations, calls, parentheses, literals. */
#include "parse.h"

#include <assert.h>

#include "functions.h"
#include "near.h"

enum { UNARY_POWER = 10 };              /* binds like '*': -a ^ b is -(a ^ b), -a * b is (-a) * b */

const struct operator_row operators[N_BINOPS] = {
#define X(id, text, left, right) [id] = { { text, sizeof(text) - 1 }, left, right },
	OP_LIST(X)
#undef X
};

const struct aggregator_row aggregators[N_AGGRS] = {
#define X(id, text, param, experimental) [id] = { { text, sizeof(text) - 1 }, param, experimental },
	AGGR_LIST(X)
#undef X
};

static int aggr_of(struct str word)
{
	for (int i = 0; i < N_AGGRS; i++)
		if (str_eq_nocase(aggregators[i].text, word))
			return i;
	return -1;
}

int parser_operator(const struct parser *p)
{
	if (p->tok.kind == TOK_OP)
		return (int)p->tok.op;
	if (p->tok.kind == TOK_WORD)
		for (int i = 0; i < N_BINOPS; i++)
			if (str_eq_nocase(operators[i].text, p->tok.text))
				return i;
	return -1;
}

/* label = WORD | STRING */
static bool parse_label(struct parser *p, const char *context, struct str *out)
{
	if (p->tok.kind == TOK_STRING) {
		struct token tok = parser_take(p);

		if (!literal_string(p->arena, tok, out, p->err))
			return parser_fail(p, tok.beg, "bad string"), false;
		if (out->n == 0 || !str_is_utf8(*out))
			return parser_fail(p, tok.beg, "a label name must be valid UTF-8 and not empty"), false;
		return true;
	}
	if (p->tok.kind != TOK_WORD || memchr(p->tok.text.p, ':', p->tok.text.n) != NULL)
		return parser_unexpected(p, "expected a label name in %s", context), false;
	*out = arena_str(p->arena, parser_take(p).text);
	return true;
}

void parse_labels(struct parser *p, const char *context, const struct str **out, size_t *n)
{
	struct token open = p->tok;
	struct str *labels = NULL;
	size_t cap = 0;

	*n = 0;
	if (!parser_accept(p, TOK_LPAREN)) {
		parser_unexpected(p, "expected '(' and label names after '%s'", context);
		return;
	}
	while (p->tok.kind != TOK_RPAREN) {
		if (!parser_bound(p, *n, PARSE_LABELS, "labels"))
			return;
		labels = arena_grow(p->arena, labels, *n, &cap, *n + 1, sizeof *labels);
		if (!parse_label(p, context, &labels[*n]))
			return;
		(*n)++;
		if (!parser_accept(p, TOK_COMMA))
			break;
	}
	parser_close(p, TOK_RPAREN, open);
	*out = labels;
}

bool parse_signed_number(struct parser *p, const char *context, double *out)
{
	bool minus = p->tok.kind == TOK_OP && p->tok.op == OP_SUB;
	struct token tok;
	int64_t ms;

	if (minus || (p->tok.kind == TOK_OP && p->tok.op == OP_ADD))
		parser_take(p);
	tok = p->tok;
	if (tok.kind == TOK_DURATION && literal_duration_ms(tok.text, &ms))
		*out = (double)ms / 1000;
	else if ((tok.kind != TOK_NUMBER && tok.kind != TOK_WORD) || !literal_number(tok.text, out))
		return parser_unexpected(p, "expected a number in %s", context), false;
	parser_take(p);
	if (minus)
		*out = -*out;
	return true;
}

/* fill = ( "fill" | "fill_left" | "fill_right" ) "(" number ")" */
static void parse_fills(struct parser *p, struct node_binary *b)
{
	while (p->tok.kind == TOK_WORD && parser_peek(p).kind == TOK_LPAREN) {
		bool left = parser_at_word(p, "fill") || parser_at_word(p, "fill_left");
		bool right = parser_at_word(p, "fill") || parser_at_word(p, "fill_right");
		struct token word = p->tok, open;
		double v = 0;

		if (!left && !right)
			return;
		if (!(p->options->features & PROMQL_BINOP_FILL)) {
			parser_fail(p, word.beg,
				    "fill modifiers are experimental: they need the feature promql-binop-fill-modifiers");
			return;
		}
		if ((left && b->fill_left_set) || (right && b->fill_right_set)) {
			parser_fail(p, word.beg, "a side is filled twice");
			return;
		}
		parser_take(p);
		open = parser_take(p);
		parse_signed_number(p, "fill", &v);
		parser_close(p, TOK_RPAREN, open);
		if (left) {
			b->fill_left_set = true;
			b->fill_left = v;
		}
		if (right) {
			b->fill_right_set = true;
			b->fill_right = v;
		}
	}
}

/* group = ( "group_left" | "group_right" ) [ labels ] */
static void parse_group(struct parser *p, struct node_binary *b)
{
	bool left = parser_at_word(p, "group_left");

	if (!left && !parser_at_word(p, "group_right"))
		return;
	if (!b->explicit_matching) {
		parser_fail(p, p->tok.beg, "'%s' needs on(…) or ignoring(…) before it", left ? "group_left" : "group_right");
		return;
	}
	parser_take(p);
	b->card = left ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
	if (p->tok.kind == TOK_LPAREN)
		parse_labels(p, left ? "group_left" : "group_right", &b->include, &b->n_include);
}

/* matching = [ "bool" ] [ ( "on" | "ignoring" ) labels [ group ] ] { fill } */
static void parse_matching(struct parser *p, struct node_binary *b)
{
	struct token word = p->tok;

	if (parser_accept_word(p, "bool")) {
		b->returns_bool = true;
		if (!binop_is_comparison(b->op))
			parser_fail(p, word.beg, "'bool' only follows a comparison operator, and '" STR_FMT "' is none",
				    STR_ARG(operators[b->op].text));
	}
	b->on = parser_at_word(p, "on");
	if (b->on || parser_at_word(p, "ignoring")) {
		b->explicit_matching = true;
		parser_take(p);
		parse_labels(p, b->on ? "on" : "ignoring", &b->labels, &b->n_labels);
	}
	parse_group(p, b);
	parse_fills(p, b);
}

static struct node *parse_power(struct parser *p, int min_power);

static struct node *parse_paren(struct parser *p)
{
	struct token open = parser_take(p);
	struct node *n = parser_node(p, NODE_PAREN, open.beg);

	n->paren = parse_power(p, 0);
	parser_close(p, TOK_RPAREN, open);
	n->end = p->last.end;
	return n;
}

/* args = "(" [ expr { "," expr } ] ")" */
static void parse_args(struct parser *p, struct str name, struct node ***out, size_t *n)
{
	struct token open = parser_take(p);
	struct node **args = NULL;
	size_t cap = 0;

	*n = 0;
	assert(open.kind == TOK_LPAREN);
	while (p->tok.kind != TOK_RPAREN) {
		args = arena_grow(p->arena, args, *n, &cap, *n + 1, sizeof(*args));
		args[(*n)++] = parse_power(p, 0);
		if (!parser_accept(p, TOK_COMMA))
			break;
		if (p->tok.kind == TOK_RPAREN)
			parser_fail(p, p->last.beg, "unexpected ',': no comma after the last argument of " STR_FMT "()",
				    STR_ARG(name));
	}
	parser_close(p, TOK_RPAREN, open);
	*out = args;
}

/* grouping = ( "by" | "without" ) labels */
static void parse_grouping(struct parser *p, struct node_aggregate *a)
{
	if (a->grouped || (!parser_at_word(p, "by") && !parser_at_word(p, "without")))
		return;
	a->without = parser_at_word(p, "without");
	a->grouped = true;
	parser_take(p);
	parse_labels(p, a->without ? "without" : "by", &a->labels, &a->n_labels);
}

static void aggregate_args(struct parser *p, struct node *n, struct node **args, size_t n_args)
{
	struct node_aggregate *a = &n->aggregate;
	size_t wanted = aggregators[a->op].param == 0 ? 1 : 2;
	const char *name = aggregators[a->op].text.p;

	if (n_args != wanted) {
		if (wanted == 2)
			parser_fail(p, n->beg, "%s() takes 2 arguments, %s and the vector, not %zu", name,
			            aggregators[a->op].param == 2 ? "a label name" : "a number", n_args);
		else
			parser_fail(p, n->beg, "%s() takes 1 argument, not %zu%s", name, n_args,
			            n_args > 1 ? ": group by labels with by (…), join vectors with 'or'" : "");
		return;
	}
	a->param = wanted == 2 ? args[0] : NULL;
	a->child = args[wanted - 1];
}

/* aggregation = NAME [ grouping ] args | NAME args grouping */
static struct node *parse_aggregate(struct parser *p, struct token name, enum aggr op)
{
	struct node *n = parser_node(p, NODE_AGGREGATE, name.beg);
	struct node **args = NULL;
	size_t n_args = 0;

	n->aggregate.op = op;
	if (aggregators[op].experimental && !(p->options->features & PROMQL_EXPERIMENTAL_FUNCTIONS))
		return parser_fail(p, name.beg, "%s() is experimental: it needs the feature promql-experimental-functions",
				   aggregators[op].text.p);
	parse_grouping(p, &n->aggregate);
	if (p->tok.kind != TOK_LPAREN)
		return parser_unexpected(p, "expected '(' and the vector to aggregate: %s by (…) (…)", aggregators[op].text.p);
	parse_args(p, aggregators[op].text, &args, &n_args);
	parse_grouping(p, &n->aggregate);
	n->end = p->last.end;
	if (!parser_failed(p))
		aggregate_args(p, n, args, n_args);
	return n;
}

/* The aggregation or function a misspelt name may mean; NULL when nothing is near. */
static const char *nearest_name(struct str name)
{
	const struct function *fn = function_nearest(name);
	size_t best = fn != NULL ? near_distance(name, str_of(fn->name)) : near_limit(name) + 1;
	const char *near = fn != NULL ? fn->name : NULL;

	for (int i = 0; i < N_AGGRS; i++) {
		if (near_distance(name, aggregators[i].text) < best) {
			best = near_distance(name, aggregators[i].text);
			near = aggregators[i].text.p;
		}
	}
	return near;
}

static struct node *unknown_function(struct parser *p, struct token name)
{
	static const struct {
		const char *name, *advice;
	} others[] = {
		{ "if", "PromQL has no 'if': filter with a comparison, and join with 'and' or 'unless'" },
		{ "mean", "did you mean avg?" },
		{ "average", "did you mean avg?" },
		{ "median", "write quantile(0.5, …)" },
		{ "percentile", "write quantile(0.95, …) or histogram_quantile(0.95, …)" },
		{ "abs_over_time", "a subquery can do it: max_over_time(abs(x)[5m:])" },
		{ "holt_winters", "it is called double_exponential_smoothing now" },
		{ "log", "did you mean ln, log2 or log10?" },
		{ "pow", "write x ^ y" },
		{ "mod", "write x % y" },
		{ "len", "did you mean count?" },
		{ "not", "PromQL has no 'not': use 'unless', or compare with == 0" },
		{ "now", "did you mean time?" },
	};
	const char *near = nearest_name(name.text);

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_eq_nocase(name.text, str_of(others[i].name)))
			return parser_fail(p, name.beg, "unknown function " STR_FMT ": %s", STR_ARG(name.text), others[i].advice);
	if (near != NULL)
		return parser_fail(p, name.beg, "unknown function " STR_FMT ": did you mean %s?", STR_ARG(name.text), near);
	return parser_fail(p, name.beg, "unknown function " STR_FMT, STR_ARG(name.text));
}

static struct node *parse_call(struct parser *p, struct token name)
{
	struct node *n = parser_node(p, NODE_CALL, name.beg);

	if (name.text.n > 60)
		return parser_fail(p, name.beg, "unknown function %.60s…", name.text.p);
	n->call.fn = function_find(name.text);
	if (n->call.fn == NULL)
		return unknown_function(p, name);
	if (n->call.fn->experimental && !(p->options->features & PROMQL_EXPERIMENTAL_FUNCTIONS))
		return parser_fail(p, name.beg, "%s() is experimental: it needs the feature promql-experimental-functions",
				   n->call.fn->name);
	parse_args(p, name.text, &n->call.args, &n->call.n_args);
	n->end = p->last.end;
	return n;
}

/* Keywords that cannot be metric names. */
static bool is_reserved(struct str word)
{
	static const char *const reserved[] = { "on", "ignoring", "group_left", "group_right", "bool", "atan2" };

	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		if (str_eq_nocase(word, str_of(reserved[i])))
			return true;
	return false;
}

static struct node *parse_number(struct parser *p)
{
	struct token tok = parser_take(p);
	struct node *n = parser_node(p, NODE_NUMBER, tok.beg);
	int64_t ms;

	n->number.is_duration = tok.kind == TOK_DURATION;
	if (n->number.is_duration && literal_duration_ms(tok.text, &ms))
		n->number.value = (double)ms / 1000;
	else if (!literal_number(tok.text, &n->number.value))
		return parser_fail(p, tok.beg, "bad number");
	return n;
}

/* A word begins an aggregation, a call, Inf or NaN, or a selector. */
static struct node *parse_word(struct parser *p)
{
	struct token word, next = parser_peek(p);
	int aggr = aggr_of(p->tok.text);
	double v;

	if (literal_number(p->tok.text, &v))
		return parse_number(p);
	if (is_reserved(p->tok.text))
		return parser_unexpected(p, "expected an expression; to read a metric of that name write {\"" STR_FMT "\"}",
					 STR_ARG(p->tok.text));
	word = parser_take(p);
	if (aggr >= 0 && (next.kind == TOK_LPAREN || parser_at_word(p, "by") || parser_at_word(p, "without")))
		return parse_aggregate(p, word, (enum aggr)aggr);
	if (next.kind == TOK_LPAREN)
		return parse_call(p, word);
	return parse_selector(p, word);
}

static struct node *parse_string(struct parser *p)
{
	struct token tok = parser_take(p);
	struct node *n = parser_node(p, NODE_STRING, tok.beg);

	if (!literal_string(p->arena, tok, &n->string, p->err))
		parser_fail(p, tok.beg, "bad string");
	return n;
}

static struct node *parse_primary(struct parser *p)
{
	switch (p->tok.kind) {
	case TOK_NUMBER:
	case TOK_DURATION:
		return parse_number(p);
	case TOK_STRING:
		return parse_string(p);
	case TOK_LPAREN:
		return parse_paren(p);
	case TOK_LBRACE:
		return parse_selector(p, (struct token){ .kind = TOK_END });
	case TOK_WORD:
		return parse_word(p);
	case TOK_END:
		if (p->last.kind == TOK_END)
			return parser_fail(p, 0, "the query is empty: expected an expression such as up == 0");
		return parser_unexpected(p, "expected an expression after '%.*s'", (int)(p->last.text.n > 40 ? 40 : p->last.text.n),
		                         p->last.text.p);
	default:
		return parser_unexpected(p, "expected an expression: a metric, a number, a function or '('");
	}
}

/* unary = ( "+" | "-" ) unary | primary { postfix } */
static struct node *parse_unary(struct parser *p)
{
	struct token sign = p->tok;
	struct node *n, *child;

	if (sign.kind != TOK_OP || (sign.op != OP_ADD && sign.op != OP_SUB))
		return parse_postfix(p, parse_primary(p));
	parser_take(p);
	child = parse_power(p, UNARY_POWER);
	if (child->kind == NODE_NUMBER) {       /* -1 is a number */
		if (sign.op == OP_SUB)
			child->number.value = -child->number.value;
		child->beg = sign.beg;
		return child;
	}
	n = parser_node(p, NODE_UNARY, sign.beg);
	n->unary.minus = sign.op == OP_SUB;
	n->unary.child = child;
	n->end = child->end;
	return n;
}

/* expr = unary { operator matching expr }, as long as operators bind at least as tightly as <min_power>. */
static struct node *parse_power(struct parser *p, int min_power)
{
	struct node *left;
	int op;

	if (!parser_enter(p)) {
		parser_leave(p);
		return parser_too_deep(p, p->tok.beg);
	}
	left = parse_unary(p);
	while ((op = parser_operator(p)) >= 0 && operators[op].left >= min_power) {
		struct node *n = parser_node(p, NODE_BINARY, left->beg);

		n->binary.op_beg = parser_take(p).beg;
		n->binary.op = (enum binop)op;
		n->binary.card = binop_is_set(n->binary.op) ? CARD_MANY_TO_MANY : CARD_ONE_TO_ONE;
		parse_matching(p, &n->binary);
		n->binary.left = left;
		if (left->kind == NODE_BINARY)
			left->binary.above = n;
		n->binary.right = parse_power(p, operators[op].right);
		n->end = n->binary.right->end;
		left = n;
	}
	parser_leave(p);
	return left;
}

struct node *parse_expr(struct parser *p)
{
	return parse_power(p, 0);
}
