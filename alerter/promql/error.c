/* An error for people: place and message, the line at fault, a caret under it. */
#include "lex.h"

enum { SHOWN_BYTES = 160 };             /* of a long line, around the fault */

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

void promql_error_show(struct buf *b, struct str text, const struct err *e)
{
	size_t pos = e->pos < 0 ? 0 : (size_t)e->pos > text.n ? text.n : (size_t)e->pos;
	size_t beg = pos, end = pos, from;
	struct text_place at = text_place(text, (int)pos);

	if (e->pos < 0) {
		buf_printf(b, "%s\n", e->msg);
		return;
	}
	while (beg > 0 && text.p[beg - 1] != '\n')
		beg--;
	while (end < text.n && text.p[end] != '\n')
		end++;
	from = pos - beg > SHOWN_BYTES / 2 ? pos - SHOWN_BYTES / 2 : beg;
	while (from > beg && from < pos && is_continuation(text.p[from]))
		from++;
	if (end - from > SHOWN_BYTES) {
		end = from + SHOWN_BYTES;
		while (end > pos && is_continuation(text.p[end]))
			end--;
	}
	buf_printf(b, "%d:%d: %s\n    ", at.line, at.column, e->msg);
	buf_put(b, text.p + from, end - from);
	buf_putz(b, "\n    ");
	for (size_t i = from; i < pos; i++)
		if (!is_continuation(text.p[i]))
			buf_putc(b, text.p[i] == '\t' ? '\t' : ' ');
	buf_putz(b, "^\n");
}
