/* The canonical text of a query, on one line, as Prometheus shows it: one space around operators, matchers sorted. Printing what
 * was parsed from it gives the same text again. */
#include "parse.h"

#include <stdio.h>
#include <stdlib.h>

#include "functions.h"
#include "tocsin/num.h"

/* Bytes of the character <s> begins with, 0 when it is not UTF-8. */
static size_t character(struct str s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	return n <= s.n && str_is_utf8((struct str){ s.p, n }) ? n : 0;
}

static void print_byte(struct buf *b, char c)
{
	static const char raw[] = "\a\b\f\n\r\t\v\\\"", names[] = "abfnrtv\\\"";
	const char *hit = memchr(raw, c, sizeof raw - 1);

	if (hit != NULL)
		buf_printf(b, "\\%c", names[hit - raw]);
	else if ((unsigned char)c < ' ' || (unsigned char)c >= 0x7f)
		buf_printf(b, "\\x%02x", (unsigned char)c);
	else
		buf_putc(b, c);
}

void print_string(struct buf *b, struct str s)
{
	buf_putc(b, '"');
	while (s.n > 0) {
		size_t n = character(s);

		if (n > 1)
			buf_put(b, s.p, n);
		else
			print_byte(b, s.p[0]);
		n = n > 1 ? n : 1;
		s = (struct str){ s.p + n, s.n - n };
	}
	buf_putc(b, '"');
}

static void print_name(struct buf *b, struct str name)
{
	if (labels_name_is_plain(name))
		buf_puts(b, name);
	else
		print_string(b, name);
}

static void print_labels(struct buf *b, const char *before, const struct str *v, size_t n, const char *after)
{
	buf_putz(b, before);
	for (size_t i = 0; i < n; i++) {
		buf_putz(b, i > 0 ? ", " : "");
		print_name(b, v[i]);
	}
	buf_putz(b, after);
}

static void print_number(struct buf *b, double v, bool is_duration)
{
	char text[400];
	size_t n;

	if (is_duration)
		n = num_format_duration(text, (int64_t)(v < 0 ? v * 1000 - 0.5 : v * 1000 + 0.5));
	else
		n = num_format_fixed(text, v);
	buf_put(b, text, n);
}

static void print_duration(struct buf *b, const struct duration *d)
{
	char text[NUM_MAX];

	if (d->written != NULL)
		print_node(b, d->written);
	else
		buf_put(b, text, num_format_duration(text, d->ms));
}

static void print_modifiers(struct buf *b, enum range_mode mode, enum at_kind at, int64_t at_ms, const struct duration *offset,
			    bool at_first)
{
	const char *words = mode == RANGE_ANCHORED ? " anchored" : mode == RANGE_SMOOTHED ? " smoothed" : "";

	buf_putz(b, at_first ? "" : words);
	if (at == AT_TIME)
		buf_printf(b, " @ %s%lld.%03lld", at_ms < 0 ? "-" : "", llabs((long long)at_ms / 1000),
			   llabs((long long)at_ms % 1000));
	else if (at != AT_NONE)
		buf_putz(b, at == AT_START ? " @ start()" : " @ end()");
	buf_putz(b, at_first ? words : "");
	if (offset->set && (offset->written != NULL || offset->ms != 0)) {
		buf_putz(b, " offset ");
		print_duration(b, offset);
	}
}

static void print_matcher(struct buf *b, const struct matcher *m)
{
	static const char *const ops[] = { [MATCH_EQ] = "=", [MATCH_NE] = "!=", [MATCH_RE] = "=~", [MATCH_NRE] = "!~" };

	print_name(b, m->name);
	buf_putz(b, ops[m->op]);
	print_string(b, m->value);
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Matchers in the order of their texts, but for the one the name before the brace stands for. */
static void print_matchers(struct buf *b, const struct node_selector *s)
{
	size_t n = s->metric.n > 0 ? s->n_matchers - 1 : s->n_matchers;
	struct arena scratch = { 0 };
	struct str *texts = ARENA_ARRAY(&scratch, n + 1, struct str);
	struct buf one = { 0 };

	for (size_t i = 0; i < n; i++) {
		buf_reset(&one);
		print_matcher(&one, &s->matchers[i]);
		texts[i] = arena_str(&scratch, buf_str(&one));
	}
	qsort(texts, n, sizeof *texts, by_text);
	buf_putz(b, n > 0 ? "{" : "");
	for (size_t i = 0; i < n; i++) {
		buf_putz(b, i > 0 ? "," : "");
		buf_puts(b, texts[i]);
	}
	buf_putz(b, n > 0 ? "}" : "");
	buf_fini(&one);
	arena_fini(&scratch);
}

static void print_selector(struct buf *b, const struct node_selector *s)
{
	buf_puts(b, s->metric);
	if (s->metric.n == 0 && s->n_matchers == 0)
		buf_putz(b, "{}");
	print_matchers(b, s);
	if (s->range.set) {
		buf_putc(b, '[');
		print_duration(b, &s->range);
		buf_putc(b, ']');
	}
	print_modifiers(b, s->mode, s->at, s->at_ms, &s->offset, !s->range.set);
}

void print_subquery_range(struct buf *b, const struct node_subquery *s)
{
	buf_putc(b, '[');
	print_duration(b, &s->range);
	buf_putc(b, ':');
	if (s->step.set)
		print_duration(b, &s->step);
	buf_putc(b, ']');
	print_modifiers(b, RANGE_PLAIN, s->at, s->at_ms, &s->offset, true);
}

static void print_fill(struct buf *b, const char *word, double v)
{
	buf_putz(b, word);
	buf_num(b, v);
	buf_putc(b, ')');
}

/* A sign before ^ would bind the whole power: "+Inf ^ 2" reads as +(Inf ^ 2). */
void print_left(struct buf *b, const struct node_binary *n)
{
	if (n->op == OP_POW && n->left->kind == NODE_NUMBER && isinf(n->left->number.value))
		buf_putz(b, "Inf");
	else
		print_node(b, n->left);
}

void print_operator(struct buf *b, const struct node_binary *n)
{
	bool grouped = n->card == CARD_MANY_TO_ONE || n->card == CARD_ONE_TO_MANY;
	uint64_t fills[2];

	memcpy(&fills[0], &n->fill_left, sizeof fills[0]);
	memcpy(&fills[1], &n->fill_right, sizeof fills[1]);
	buf_printf(b, STR_FMT "%s", STR_ARG(operators[n->op].text), n->returns_bool ? " bool" : "");
	if (n->n_labels > 0 || n->on || grouped)
		print_labels(b, n->on ? " on (" : " ignoring (", n->labels, n->n_labels, ")");
	if (grouped)
		print_labels(b, n->card == CARD_MANY_TO_ONE ? " group_left (" : " group_right (", n->include, n->n_include, ")");
	if (n->fill_left_set && n->fill_right_set && fills[0] == fills[1]) {
		print_fill(b, " fill (", n->fill_left);
	} else {
		if (n->fill_left_set)
			print_fill(b, " fill_left (", n->fill_left);
		if (n->fill_right_set)
			print_fill(b, " fill_right (", n->fill_right);
	}
}

static void print_binary(struct buf *b, const struct node *n)
{
	const struct node *op = node_chain_first(n);

	print_left(b, &op->binary);
	for (;; op = op->binary.above) {
		buf_putc(b, ' ');
		print_operator(b, &op->binary);
		buf_putc(b, ' ');
		print_node(b, op->binary.right);
		if (op == n)
			return;
	}
}

void print_aggregator(struct buf *b, const struct node_aggregate *a)
{
	buf_puts(b, aggregators[a->op].text);
	if (a->without || a->n_labels > 0)
		print_labels(b, a->without ? " without (" : " by (", a->labels, a->n_labels, ") ");
}

static void print_aggregate(struct buf *b, const struct node_aggregate *a)
{
	print_aggregator(b, a);
	buf_putc(b, '(');
	if (a->param != NULL) {
		print_node(b, a->param);
		buf_putz(b, ", ");
	}
	print_node(b, a->child);
	buf_putc(b, ')');
}

static void print_call(struct buf *b, const struct node_call *call)
{
	buf_printf(b, "%s(", call->fn->name);
	for (size_t i = 0; i < call->n_args; i++) {
		buf_putz(b, i > 0 ? ", " : "");
		print_node(b, call->args[i]);
	}
	buf_putc(b, ')');
}

void print_node(struct buf *b, const struct node *n)
{
	switch (n->kind) {
	case NODE_NUMBER:
		print_number(b, n->number.value, n->number.is_duration);
		return;
	case NODE_STRING:
		print_string(b, n->string);
		return;
	case NODE_SELECTOR:
		print_selector(b, &n->selector);
		return;
	case NODE_SUBQUERY:
		print_node(b, n->subquery.child);
		print_subquery_range(b, &n->subquery);
		return;
	case NODE_PAREN:
		buf_putc(b, '(');
		print_node(b, n->paren);
		buf_putc(b, ')');
		return;
	case NODE_UNARY:
		buf_putc(b, n->unary.minus ? '-' : '+');
		print_node(b, n->unary.child);
		return;
	case NODE_BINARY:
		print_binary(b, n);
		return;
	case NODE_AGGREGATE:
		print_aggregate(b, &n->aggregate);
		return;
	case NODE_CALL:
		print_call(b, &n->call);
		return;
	}
	abort();
}
