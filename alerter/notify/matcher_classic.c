/* The classic form of matchers, which Alertmanager before 0.27 knows alone and later ones prefer where both forms can be read: a value stands bare
 * to the next comma, spaces within it too, and a backslash is one unless it escapes n, " or itself.
 * Source: Alertmanager documentation, "Matchers", and what amtool 0.25 takes. */
#include "notify/matcher.h"

#include <ctype.h>

static bool is_name_char(char c, bool first)
{
	return c == '_' || c == ':' || isalpha((unsigned char)c) || (!first && isdigit((unsigned char)c));
}

static size_t name_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && is_name_char(s.p[n], n == 0))
		n++;
	return n;
}

static bool cut_operator(struct str *s, enum match_op *op)
{
	static const struct {
		const char *text;
		enum match_op op;
	} ops[] = { { "=~", MATCH_RE }, { "!~", MATCH_NRE }, { "!=", MATCH_NE }, { "=", MATCH_EQ } };

	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (str_starts(*s, str_of(ops[i].text))) {
			size_t n = strlen(ops[i].text);

			*op = ops[i].op;
			*s = str_trim((struct str){ s->p + n, s->n - n });
			return true;
		}
	return false;
}

/* False: a quote that is open, or in the middle. */
static bool unquote(struct str s, struct buf *out)
{
	bool quoted = s.n > 0 && s.p[0] == '"', closed = false;

	for (size_t i = quoted; i < s.n; i++) {
		char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : '\0';

		if (closed || (c == '"' && !quoted))
			return false;
		closed = c == '"';
		if (c == '\\' && (next == 'n' || next == '"' || next == '\\')) {
			c = next == 'n' ? '\n' : next;
			i++;
		}
		if (!closed)
			buf_putc(out, c);
	}
	return closed == quoted;
}

static bool one(struct matcher_list *l, struct str text, struct err *e)
{
	struct buf value = { 0 };
	enum match_op op = MATCH_EQ;
	struct str name, rest;
	bool ok;

	text = str_trim(text);
	name = (struct str){ text.p, name_length(text) };
	rest = str_trim((struct str){ text.p + name.n, text.n - name.n });
	/* a==b is taken by peers as the value "=b"; nobody means that */
	ok = name.n > 0 && cut_operator(&rest, &op) && !str_starts(rest, STR("=")) && unquote(rest, &value) &&
	     matcher_add(l, op, arena_str(l->arena, name), arena_str(l->arena, buf_str(&value)), e);
	buf_fini(&value);
	return ok;
}

/* Up to the next comma that is not in quotes. */
static struct str cut_one(struct str *text)
{
	bool quoted = false;
	size_t n = 0;
	struct str first;

	while (n < text->n && (quoted || text->p[n] != ',')) {
		if (text->p[n] == '\\' && n + 1 < text->n && (quoted || text->p[n + 1] != ','))
			n++;
		else if (text->p[n] == '"')
			quoted = !quoted;
		n++;
	}
	first = (struct str){ text->p, n };
	n += n < text->n;
	*text = (struct str){ text->p + n, text->n - n };
	return first;
}

bool matcher_parse_classic(struct matcher_list *l, struct str text, struct err *e)
{
	text = str_trim(text);
	if (str_starts(text, STR("{")))
		text = (struct str){ text.p + 1, text.n - 1 };
	if (str_ends(text, STR("}")))   /* peers do not ask that both be there */
		text.n--;
	text = str_trim(text);
	while (text.n > 0)
		if (!one(l, cut_one(&text), e))
			return false;
	return true;
}
