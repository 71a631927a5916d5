/* A query as people read it, laid out as promtool and Prometheus's page do: what is longer than a line is broken at its parts, each
 * two spaces further in. */
#include "functions.h"
#include "parse.h"

enum {
	LINE = 100,
	MOST_LEVELS = 50,       /* a chain of operators is a step further in with each; what is deeper stays on one line */
};

static void lines(struct buf *b, const struct node *n, int level);

static bool fits(const struct node *n)
{
	struct buf text = { .limit = LINE };
	bool fit;

	print_node(&text, n);
	fit = !text.overflow;
	buf_fini(&text);
	return fit;
}

static void indent(struct buf *b, int level)
{
	buf_printf(b, "%*s", 2 * level, "");
}

static void binary_lines(struct buf *b, const struct node_binary *n, int level)
{
	if (n->left->kind == NODE_NUMBER) {
		indent(b, level + 1);
		print_left(b, n);
	} else {
		lines(b, n->left, level + 1);
	}
	buf_putc(b, '\n');
	indent(b, level);
	print_operator(b, n);
	buf_putc(b, '\n');
	lines(b, n->right, level + 1);
}

/* What stands in parentheses, each part on lines of its own. */
static void enclosed_lines(struct buf *b, const struct node *const *parts, size_t n, int level)
{
	buf_putz(b, "(\n");
	for (size_t i = 0; i < n; i++) {
		lines(b, parts[i], level + 1);
		buf_putz(b, i + 1 < n ? ",\n" : "\n");
	}
	indent(b, level);
	buf_putc(b, ')');
}

static void aggregate_lines(struct buf *b, const struct node_aggregate *a, int level)
{
	const struct node *parts[] = { a->param, a->child };

	indent(b, level);
	print_aggregator(b, a);
	enclosed_lines(b, a->param == NULL ? parts + 1 : parts, a->param == NULL ? 1 : 2, level);
}

static void call_lines(struct buf *b, const struct node_call *call, int level)
{
	indent(b, level);
	buf_putz(b, call->fn->name);
	enclosed_lines(b, (const struct node *const *)call->args, call->n_args, level);
}

/* The sign stands before its operand, which begins as far in as it would alone. */
static void unary_lines(struct buf *b, const struct node *n, int level)
{
	struct buf operand = { 0 };
	struct str text;

	lines(&operand, n->unary.child, level);
	text = buf_str(&operand);
	while (text.n > 0 && text.p[0] == ' ')
		text = (struct str){ text.p + 1, text.n - 1 };
	indent(b, level);
	buf_putc(b, n->unary.minus ? '-' : '+');
	buf_puts(b, text);
	buf_fini(&operand);
}

static void lines(struct buf *b, const struct node *n, int level)
{
	bool whole = level >= MOST_LEVELS || fits(n);

	if (!whole && n->kind == NODE_BINARY) {
		binary_lines(b, &n->binary, level);
	} else if (!whole && n->kind == NODE_AGGREGATE) {
		aggregate_lines(b, &n->aggregate, level);
	} else if (!whole && n->kind == NODE_CALL) {
		call_lines(b, &n->call, level);
	} else if (!whole && n->kind == NODE_PAREN) {
		indent(b, level);
		enclosed_lines(b, (const struct node *const[]){ n->paren }, 1, level);
	} else if (!whole && n->kind == NODE_UNARY) {
		unary_lines(b, n, level);
	} else if (!whole && n->kind == NODE_SUBQUERY) {
		lines(b, n->subquery.child, level);
		print_subquery_range(b, &n->subquery);
	} else {
		indent(b, level);
		print_node(b, n);
	}
}

void print_lines(struct buf *b, const struct node *n)
{
	lines(b, n, 0);
}
