/* The tree of regex_parse.c as PCRE2 reads it. Every construct is emitted with its flags spelt out, so PCRE2's own defaults never
 * decide. */
#include <stdlib.h>

#include "regex_ast.h"
#include "tocsin/mem.h"

enum { LAST_CALLOUT = 255 };    /* PCRE2 numbers them in a byte */

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

static void emit_list(struct regex_out *out, const struct re_node *n, const char *open, const char *between, const char *close)
{
	buf_putz(&out->text, open);
	for (const struct re_node *c = n->first; c != NULL; c = c->next) {
		regex_emit(out, c);
		buf_putz(&out->text, c->next != NULL ? between : close);
	}
}

static void emit_capture(struct regex_out *out, const struct re_node *n)
{
	out->numbers = mem_grow(out->numbers, &out->cap_read, out->n_read + 1, sizeof *out->numbers);
	out->numbers[out->n_read++] = ++out->n_emitted;
	emit_list(out, n, "(", "", ")");
}

/* RE2 takes an empty turn of a loop only as its first. PCRE2 takes one more at its end: the groups of that turn are then empty, and
 * where the turn would rather be empty, groups around the loop end there. */
static bool is_watched(const struct regex_out *out, const struct re_node *n)
{
	return n->max < 0 && n->min <= 1 && n->first->nullable && out->wants_groups && out->n_emitted < LAST_CALLOUT;
}

static void emit_repeat(struct regex_out *out, const struct re_node *n)
{
	size_t watch = is_watched(out, n) ? out->n_emitted + 1 : 0;

	if (watch > 0)
		out->n_emitted += 2;
	buf_putz(&out->text, watch > 0 ? "()(?:()" : "(?:");
	regex_emit(out, n->first);
	if (watch > 0)
		buf_printf(&out->text, "(?C%zu)", watch);
	buf_putz(&out->text, ")");
	if (n->max < 0)
		buf_printf(&out->text, "{%d,}", n->min);
	else
		buf_printf(&out->text, "{%d,%d}", n->min, n->max);
	buf_putz(&out->text, n->lazy ? "?" : "");
}

void regex_emit(struct regex_out *out, const struct re_node *n)
{
	struct buf *text = &out->text;

	switch (n->kind) {
	case RE_EMPTY:
		return;
	case RE_LITERAL:
		emit_literal(text, n);
		return;
	case RE_ANY:
		buf_putz(text, "(?s:.)");
		return;
	case RE_ANY_IN_LINE:
		buf_putz(text, "\\N");
		return;
	case RE_CLASS:
		buf_printf(text, n->fold ? "(?i:" STR_FMT ")" : STR_FMT, STR_ARG(n->text));
		return;
	case RE_LINE_BEGIN:
		buf_putz(text, "(?m:^)");
		return;
	case RE_LINE_END:
		buf_putz(text, "(?m:$)");
		return;
	case RE_TEXT_BEGIN:
		buf_putz(text, "\\A");
		return;
	case RE_TEXT_END:
		buf_putz(text, "\\z");
		return;
	case RE_WORD_EDGE:
		buf_putz(text, "\\b");
		return;
	case RE_NO_WORD_EDGE:
		buf_putz(text, "\\B");
		return;
	case RE_CAPTURE:
		emit_capture(out, n);
		return;
	case RE_CONCAT:
		emit_list(out, n, "", "", "");
		return;
	case RE_ALTERNATE:
		emit_list(out, n, "(?:", "|", ")");
		return;
	case RE_REPEAT:
		emit_repeat(out, n);
		return;
	}
	abort();
}
