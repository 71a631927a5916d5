/* The tree of regex_parse.c as PCRE2 reads it. Every construct is emitted with its flags spelt out, so PCRE2's own defaults never
 * decide. */
#include <stdlib.h>

#include "regex_ast.h"
#include "tocsin/buf.h"

static void emit_literal(struct buf *out, const struct re_node *n)
{
	if (n->fold)
		buf_putz(out, "(?i:");
	for (size_t i = 0; i < n->text.n; i++) {
		unsigned char c = (unsigned char)n->text.p[i];
		bool plain = c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (plain)
			buf_putc(out, (char)c);
		else
			buf_printf(out, "\\x%02x", c);
	}
	if (n->fold)
		buf_putc(out, ')');
}

static void emit_list(struct buf *out, const struct re_node *n, const char *open, const char *between)
{
	buf_putz(out, open);
	for (const struct re_node *c = n->first; c != NULL; c = c->next) {
		regex_emit(out, c);
		if (c->next != NULL)
			buf_putz(out, between);
	}
	buf_putz(out, *open ? ")" : "");
}

static void emit_repeat(struct buf *out, const struct re_node *n)
{
	buf_putz(out, "(?:");
	regex_emit(out, n->first);
	buf_putz(out, ")");
	if (n->max < 0)
		buf_printf(out, "{%d,}", n->min);
	else
		buf_printf(out, "{%d,%d}", n->min, n->max);
	buf_putz(out, n->lazy ? "?" : "");
}

void regex_emit(struct buf *out, const struct re_node *n)
{
	switch (n->kind) {
	case RE_EMPTY:
		return;
	case RE_LITERAL:
		emit_literal(out, n);
		return;
	case RE_ANY:
		buf_putz(out, "(?s:.)");
		return;
	case RE_ANY_IN_LINE:
		buf_putz(out, "\\N");
		return;
	case RE_CLASS:
		buf_printf(out, n->fold ? "(?i:" STR_FMT ")" : STR_FMT, STR_ARG(n->text));
		return;
	case RE_LINE_BEGIN:
		buf_putz(out, "(?m:^)");
		return;
	case RE_LINE_END:
		buf_putz(out, "(?m:$)");
		return;
	case RE_TEXT_BEGIN:
		buf_putz(out, "\\A");
		return;
	case RE_TEXT_END:
		buf_putz(out, "\\z");
		return;
	case RE_WORD_EDGE:
		buf_putz(out, "\\b");
		return;
	case RE_NO_WORD_EDGE:
		buf_putz(out, "\\B");
		return;
	case RE_CAPTURE:
		emit_list(out, n, "(", "");
		return;
	case RE_CONCAT:
		emit_list(out, n, "", "");
		return;
	case RE_ALTERNATE:
		emit_list(out, n, "(?:", "|");
		return;
	case RE_REPEAT:
		emit_repeat(out, n);
		return;
	}
	abort();
}
