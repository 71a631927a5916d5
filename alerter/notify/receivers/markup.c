/* A text is a row of pieces (a tag, an entity, an escape, a character) that are kept or left out whole. A walk over them knows what is
 * open after each one, and so where the text may end: behind the last piece with which it fits, closed and marked. */
#include "notify/receivers/markup.h"

#include "tocsin/buf.h"

#define MAX_OPEN 32
#define MAX_ENTITY 10
#define LONG_TEXT 1500          /* one of that size says in words that it was cut */

struct walk {
	struct str text;
	size_t at;
	const struct markup_limit *limit;
	struct str open[MAX_OPEN];      /* HTML: names of tags; Markdown: the signs */
	size_t n_open;
};

static size_t count(const struct markup_limit *l, struct str s)
{
	size_t n = 0;

	if (l->bytes)
		return s.n;
	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
}

static size_t character(struct str s)
{
	size_t n = str_utf8_len(s);

	return n > 0 ? n : 1;
}

/* 0: it is none. */
static size_t entity(struct str s)
{
	size_t n = 1;

	while (n < s.n && n < MAX_ENTITY && (is_name(s.p[n]) || s.p[n] == '#'))
		n++;
	return n > 1 && n < s.n && s.p[n] == ';' ? n + 1 : 0;
}

static size_t tag(struct str s, struct str *name, bool *closes)
{
	size_t at, end = str_chr(s, '>'), again = 1 + str_chr((struct str){s.p + 1, s.n - 1}, '<');

	*closes = s.n > 1 && s.p[1] == '/';
	at = *closes ? 2 : 1;
	if (end >= s.n || again < end || at >= end || !is_letter(s.p[at]))
		return 0;
	*name = (struct str){s.p + at, 0};
	while (is_name(name->p[name->n]))
		name->n++;
	return end + 1;
}

static bool stands_alone(struct str name)
{
	return str_eq_nocase(name, STR("br")) || str_eq_nocase(name, STR("hr")) || str_eq_nocase(name, STR("img"));
}

static void push(struct walk *w, struct str what)
{
	if (w->n_open < MAX_OPEN)
		w->open[w->n_open++] = what;
}

static size_t html_piece(struct walk *w, struct str s)
{
	struct str name;
	bool closes;
	size_t n = s.p[0] == '<' ? tag(s, &name, &closes) : s.p[0] == '&' ? entity(s) : 0;

	if (n == 0 || s.p[0] == '&')
		return n;
	if (closes && w->n_open > 0 && str_eq_nocase(w->open[w->n_open - 1], name))
		w->n_open--;
	else if (!closes && !stands_alone(name) && s.p[n - 2] != '/')
		push(w, name);
	return n;
}

/* [text](address) */
static size_t link(struct str s)
{
	size_t n = 1;

	for (char end = ']'; n < s.n; n++) {
		if (s.p[n] == '\\')
			n++;
		else if (s.p[n] == end && end == ')')
			return n + 1;
		else if (s.p[n] == end) {
			if (n + 1 >= s.n || s.p[++n] != '(')
				return 0;
			end = ')';
		}
	}
	return 0;
}

static size_t markdown_piece(struct walk *w, struct str s)
{
	static const struct str signs[] = {{"```", 3}, {"`", 1}, {"||", 2}, {"__", 2}, {"_", 1}, {"*", 1}, {"~", 1}};
	struct str last = w->n_open > 0 ? w->open[w->n_open - 1] : STR("");

	if (s.p[0] == '\\' && s.n > 1)
		return 1 + character((struct str){s.p + 1, s.n - 1});
	if (last.n > 0 && str_starts(s, last)) {
		w->n_open--;
		return last.n;
	}
	if (last.n > 0 && last.p[0] == '`')
		return 0;
	if (s.p[0] == '[')
		return link(s);
	for (size_t i = 0; i < ARRAY_LEN(signs); i++)
		if (str_starts(s, signs[i])) {
			push(w, signs[i]);
			return signs[i].n;
		}
	return 0;
}

static size_t slack_piece(struct str s)
{
	size_t end = str_chr(s, '>');

	if (s.p[0] == '&')
		return entity(s);
	return s.p[0] == '<' && end < s.n && end < str_chr(s, '\n') ? end + 1 : 0;
}

static void step(struct walk *w)
{
	struct str s = {w->text.p + w->at, w->text.n - w->at};
	size_t n = 0;

	switch (w->limit->markup) {
	case MARKUP_NONE:
		break;
	case MARKUP_HTML:
		n = html_piece(w, s);
		break;
	case MARKUP_MARKDOWN:
		n = markdown_piece(w, s);
		break;
	case MARKUP_SLACK:
		n = slack_piece(s);
		break;
	}
	w->at += n > 0 ? n : character(s);
}

static void close_all(struct buf *b, const struct walk *w)
{
	for (size_t i = w->n_open; i-- > 0;)
		buf_printf(b, w->limit->markup == MARKUP_HTML ? "</" STR_FMT ">" : STR_FMT, STR_ARG(w->open[i]));
}

static struct str mark(const struct markup_limit *l)
{
	if (l->ascii)
		return STR("...");
	return l->max >= LONG_TEXT ? STR("\n… cut: too long") : STR("…");
}

static size_t closing_size(const struct walk *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_open; i++)
		n += w->open[i].n + (w->limit->markup == MARKUP_HTML ? 3 : 0);
	return n;
}

struct str markup_cut(struct arena *a, struct str text, const struct markup_limit *l)
{
	struct walk w = {.text = text, .limit = l}, best = w;
	size_t more = count(l, l->tail) + count(l, mark(l)), used = 0;
	struct buf b = {0};
	struct str out;

	if (count(l, text) + count(l, l->tail) <= l->max)
		return l->tail.n > 0 ? arena_printf(a, STR_FMT STR_FMT, STR_ARG(text), STR_ARG(l->tail)) : text;
	while (w.at < text.n && used + more <= l->max) {
		size_t before = w.at;

		step(&w);
		used += count(l, (struct str){text.p + before, w.at - before});
		if (used + more + closing_size(&w) <= l->max)
			best = w;
	}
	buf_puts(&b, (struct str){text.p, best.at});
	close_all(&b, &best);
	buf_puts(&b, mark(l));
	buf_puts(&b, l->tail);
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}

static void put_entity(struct buf *b, struct str s)
{
	static const struct {
		struct str entity, text;
	} known[] = {
	    {{"&lt;", 4}, {"<", 1}},   {{"&gt;", 4}, {">", 1}},  {{"&amp;", 5}, {"&", 1}},    {{"&quot;", 6}, {"\"", 1}},
	    {{"&#34;", 5}, {"\"", 1}}, {{"&#39;", 5}, {"'", 1}}, {{"&nbsp;", 6}, {" ", 1}},
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(s, known[i].entity)) {
			buf_puts(b, known[i].text);
			return;
		}
	buf_puts(b, s);
}

struct str markup_plain(struct arena *a, struct str html)
{
	struct buf b = {0};
	struct str out, name;
	bool closes;

	for (size_t i = 0, n; i < html.n; i += n) {
		struct str s = {html.p + i, html.n - i};
		bool is_entity = (n = s.p[0] == '&' ? entity(s) : 0) > 0;

		if (!is_entity && s.p[0] == '<' && (n = tag(s, &name, &closes)) > 0) {
			if (str_eq_nocase(name, STR("br")))
				buf_putc(&b, '\n');
			continue;
		}
		n = is_entity ? n : character(s);
		if (is_entity)
			put_entity(&b, (struct str){s.p, n});
		else
			buf_puts(&b, (struct str){s.p, n});
	}
	out = arena_str(a, buf_str(&b));
	buf_fini(&b);
	return out;
}
