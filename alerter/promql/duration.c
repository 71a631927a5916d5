/* Duration expressions. Constant ones are computed while parsing; the rest waits for the query's step and range. */
#include "duration.h"

#include <math.h>

#include "functions.h"
#include "parse.h"

enum { SIGN_POWER = 10 };

static const double max_seconds = 9223372036.0;         /* 292 years; what Prometheus can hold in nanoseconds */

static struct node *parse_sum(struct parser *p, const char *context, int min_power);

/* call = ( "step" | "range" ) "(" ")" | ( "min_of" | "max_of" ) "(" sum "," sum ")" */
static struct node *parse_duration_call(struct parser *p, const char *context)
{
	static const struct {
		const char *name;
		size_t n_args;
	} calls[] = { { "step", 0 }, { "range", 0 }, { "min_of", 2 }, { "max_of", 2 } };
	struct token word = p->tok, open;
	struct node *n;

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		if (!parser_at_word(p, calls[i].name))
			continue;
		n = parser_node(p, NODE_CALL, word.beg);
		n->call.fn = function_find(str_of(calls[i].name));
		n->call.n_args = calls[i].n_args;
		n->call.args = ARENA_ARRAY(p->arena, 2, struct node *);
		parser_take(p);
		open = p->tok;
		if (!parser_accept(p, TOK_LPAREN))
			return parser_unexpected(p, "expected '(' after '%s'", calls[i].name);
		for (size_t k = 0; k < calls[i].n_args; k++) {
			n->call.args[k] = parse_sum(p, context, 0);
			if (k + 1 < calls[i].n_args && !parser_accept(p, TOK_COMMA))
				return parser_unexpected(p, "expected ',': %s() takes %zu durations", calls[i].name,
							 calls[i].n_args);
		}
		parser_close(p, TOK_RPAREN, open);
		n->end = p->last.end;
		return n;
	}
	return parser_unexpected(p, "expected a duration such as 5m as %s", context);
}

/* atom = NUMBER | DURATION | call | "(" sum ")" */
static struct node *parse_atom(struct parser *p, const char *context)
{
	struct token tok = p->tok;
	struct node *n;
	int64_t ms;

	switch (tok.kind) {
	case TOK_NUMBER:
	case TOK_DURATION:
		parser_take(p);
		n = parser_node(p, NODE_NUMBER, tok.beg);
		n->number.is_duration = literal_duration_ms(tok.text, &ms);
		if (n->number.is_duration)
			n->number.value = (double)ms / 1000;
		else if (!literal_number(tok.text, &n->number.value))
			return parser_fail(p, tok.beg, "bad number");
		return n;
	case TOK_LPAREN:
		parser_take(p);
		n = parser_node(p, NODE_PAREN, tok.beg);
		n->paren = parse_sum(p, context, 0);
		parser_close(p, TOK_RPAREN, tok);
		n->end = p->last.end;
		return n;
	case TOK_WORD:
		return parse_duration_call(p, context);
	case TOK_STRING:
		return parser_unexpected(p, "a duration has no quotes: write [5m]");
	default:
		return parser_unexpected(p, "expected a duration such as 5m as %s", context);
	}
}

/* The sign before <child>, which is folded into a number. */
static struct node *signed_node(struct parser *p, struct token sign, struct node *child)
{
	struct node *n;

	if (child->kind == NODE_NUMBER) {
		child->number.value = sign.op == OP_SUB ? -child->number.value : child->number.value;
		child->beg = sign.beg;
		return child;
	}
	n = parser_node(p, NODE_UNARY, sign.beg);
	n->unary.minus = sign.op == OP_SUB;
	n->unary.child = child;
	n->end = child->end;
	return n;
}

static bool at_sign(const struct parser *p)
{
	return p->tok.kind == TOK_OP && (p->tok.op == OP_ADD || p->tok.op == OP_SUB);
}

static bool op_is_duration(int op)
{
	return op == OP_ADD || op == OP_SUB || op == OP_MUL || op == OP_DIV || op == OP_MOD || op == OP_POW;
}

/* sum = [ "+" | "-" ] sum | atom { operator sum }, with the precedence of expressions */
static struct node *parse_sum(struct parser *p, const char *context, int min_power)
{
	struct token sign = p->tok;
	struct node *left;
	int op;

	if (!parser_enter(p)) {
		parser_leave(p);
		return parser_too_deep(p, p->tok.beg);
	}
	if (at_sign(p)) {
		parser_take(p);
		left = signed_node(p, sign, parse_sum(p, context, SIGN_POWER));
	} else {
		left = parse_atom(p, context);
	}
	while (op_is_duration(op = parser_operator(p)) && operators[op].left >= min_power) {
		struct node *n = parser_node(p, NODE_BINARY, left->beg);

		parser_take(p);
		n->binary.op = (enum binop)op;
		n->binary.left = left;
		if (left->kind == NODE_BINARY)
			left->binary.above = n;
		n->binary.right = parse_sum(p, context, operators[op].right);
		n->end = n->binary.right->end;
		left = n;
	}
	parser_leave(p);
	return left;
}

static bool is_constant(const struct node *n)
{
	switch (n->kind) {
	case NODE_PAREN:
		return is_constant(n->paren);
	case NODE_UNARY:
		return is_constant(n->unary.child);
	case NODE_BINARY:
		return is_constant(n->binary.left) && is_constant(n->binary.right);
	case NODE_CALL:
		return n->call.n_args == 2 && is_constant(n->call.args[0]) && is_constant(n->call.args[1]);
	default:
		return true;
	}
}

/* A long chain of operators is a deep tree too, which no production has counted. */
static bool is_deeper(const struct node *n, size_t levels)
{
	if (levels == 0)
		return true;
	switch (n->kind) {
	case NODE_PAREN:
		return is_deeper(n->paren, levels - 1);
	case NODE_UNARY:
		return is_deeper(n->unary.child, levels - 1);
	case NODE_BINARY:
		return is_deeper(n->binary.left, levels - 1) || is_deeper(n->binary.right, levels - 1);
	case NODE_CALL:
		return n->call.n_args == 2 && (is_deeper(n->call.args[0], levels - 1) || is_deeper(n->call.args[1], levels - 1));
	default:
		return false;
	}
}

/* What the productions found, as <out>; a constant is computed now, so that its fault is a syntax error. */
static void finish(struct parser *p, struct node *n, bool positive, struct duration *out)
{
	struct err e = { 0 };

	if (parser_failed(p))
		return;
	if (is_deeper(n, p->options->limits.max_depth)) {
		parser_too_deep(p, n->beg);
		return;
	}
	*out = (struct duration){ .set = true, .expr = n };
	if (n->kind != NODE_NUMBER) {
		if (!(p->options->features & PROMQL_DURATION_EXPRESSIONS)) {
			parser_fail(p, n->beg, "duration expressions are experimental: they need the feature promql-duration-expr");
			return;
		}
		out->written = n;
	}
	if (!is_constant(n))
		return;
	if (!duration_resolve(out, 0, 0, positive, &out->ms, &e)) {
		parser_fail(p, n->beg, "%s", e.msg);
		return;
	}
	out->expr = NULL;
}

void parse_range_duration(struct parser *p, const char *context, struct duration *out)
{
	finish(p, parse_sum(p, context, 0), true, out);
}

/* Behind 'offset' an operator belongs to the expression around it, so only an atom, signed or not, is taken. */
void parse_offset_duration(struct parser *p, struct duration *out)
{
	struct token sign = p->tok;

	if (at_sign(p)) {
		parser_take(p);
		finish(p, signed_node(p, sign, parse_atom(p, "offset")), false, out);
	} else {
		finish(p, parse_atom(p, "offset"), false, out);
	}
}

struct clockwork {
	double step_s, length_s;
};

static bool compute(const struct node *n, const struct clockwork *q, double *out, struct err *e);

static bool compute_binary(const struct node *n, const struct clockwork *q, double *out, struct err *e)
{
	double a, b;

	if (!compute(n->binary.left, q, &a, e) || !compute(n->binary.right, q, &b, e))
		return false;
	switch (n->binary.op) {
	case OP_ADD:
		*out = a + b;
		return true;
	case OP_SUB:
		*out = a - b;
		return true;
	case OP_MUL:
		*out = a * b;
		return true;
	case OP_DIV:
	case OP_MOD:
		if (b == 0)
			return err_set(e, ERR_EXEC, n->beg, "division by zero in a duration");
		*out = n->binary.op == OP_DIV ? a / b : fmod(a, b);
		return true;
	default:
		*out = pow(a, b);
		return true;
	}
}

static bool compute_call(const struct node *n, const struct clockwork *q, double *out, struct err *e)
{
	double a, b;

	if (n->call.n_args == 0) {
		*out = str_eq(str_of(n->call.fn->name), STR("step")) ? q->step_s : q->length_s;
		return true;
	}
	if (!compute(n->call.args[0], q, &a, e) || !compute(n->call.args[1], q, &b, e))
		return false;
	*out = str_eq(str_of(n->call.fn->name), STR("min_of")) ? fmin(a, b) : fmax(a, b);
	return true;
}

static bool compute(const struct node *n, const struct clockwork *q, double *out, struct err *e)
{
	switch (n->kind) {
	case NODE_PAREN:
		return compute(n->paren, q, out, e);
	case NODE_UNARY:
		if (!compute(n->unary.child, q, out, e))
			return false;
		*out = n->unary.minus ? -*out : *out;
		return true;
	case NODE_BINARY:
		return compute_binary(n, q, out, e);
	case NODE_CALL:
		return compute_call(n, q, out, e);
	default:
		*out = n->number.value;
		return true;
	}
}

bool duration_resolve(const struct duration *d, int64_t step_ms, int64_t length_ms, bool positive, int64_t *out_ms, struct err *e)
{
	struct clockwork q = { (double)step_ms / 1000, (double)length_ms / 1000 };
	double seconds;

	if (d->expr == NULL) {
		*out_ms = d->ms;
		return true;
	}
	if (!compute(d->expr, &q, &seconds, e))
		return false;
	if (!(fabs(seconds) <= max_seconds))
		return err_set(e, ERR_EXEC, d->expr->beg, "the duration is out of range: at most 292y");
	/* a literal is rounded to nanoseconds first, as Prometheus does; an expression is cut */
	*out_ms = (int64_t)(d->expr->kind == NODE_NUMBER ? round(seconds * 1e9) / 1e6 : seconds * 1000);
	if (positive && *out_ms <= 0)
		return err_set(e, ERR_EXEC, d->expr->beg, "duration must be greater than 0");
	return true;
}
