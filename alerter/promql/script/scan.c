/* Words, numbers and quoted text of a line. */
#include "scan.h"

#include "../lex.h"

bool scan_end(const struct scan *s)
{
	return s->pos >= s->text.n;
}

static char peek(const struct scan *s)
{
	return scan_end(s) ? '\0' : s->text.p[s->pos];
}

void scan_space(struct scan *s)
{
	while (peek(s) == ' ' || peek(s) == '\t')
		s->pos++;
}

bool scan_at(const struct scan *s, const char *literal)
{
	return str_starts((struct str){ s->text.p + s->pos, s->text.n - s->pos }, str_of(literal));
}

bool scan_take(struct scan *s, const char *literal)
{
	if (!scan_at(s, literal))
		return false;
	s->pos += strlen(literal);
	return true;
}

bool scan_fail(const struct scan *s, struct err *e, const char *what)
{
	return err_set(e, ERR_SYNTAX, (int)s->pos, "%s", what);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void skip_digits(struct scan *s)
{
	while (is_digit(peek(s)))
		s->pos++;
}

static bool take_nocase(struct scan *s, const char *word)
{
	struct str w = str_of(word);

	if (s->text.n - s->pos < w.n || !str_eq_nocase((struct str){ s->text.p + s->pos, w.n }, w))
		return false;
	s->pos += w.n;
	return true;
}

static void skip_exponent(struct scan *s)
{
	size_t back = s->pos;

	if (peek(s) != 'e' && peek(s) != 'E')
		return;
	s->pos++;
	if (peek(s) == '+' || peek(s) == '-')
		s->pos++;
	if (!is_digit(peek(s)))
		s->pos = back;
	skip_digits(s);
}

bool scan_number(struct scan *s, double *out)
{
	size_t beg = s->pos;

	if (peek(s) == '+' || peek(s) == '-')
		s->pos++;
	if (!take_nocase(s, "Inf") && !take_nocase(s, "NaN")) {
		skip_digits(s);
		if (peek(s) == '.') {
			s->pos++;
			skip_digits(s);
		}
		skip_exponent(s);
	}
	if (str_to_double((struct str){ s->text.p + beg, s->pos - beg }, out))
		return true;
	s->pos = beg;
	return false;
}

bool scan_count(struct scan *s, size_t *out)
{
	size_t beg = s->pos;

	for (*out = 0; is_digit(peek(s)) && *out <= NOTATION_MAX_VALUES; s->pos++)
		*out = *out * 10 + (size_t)(peek(s) - '0');
	return s->pos > beg && *out <= NOTATION_MAX_VALUES;
}

bool scan_quoted(struct scan *s, struct arena *a, struct str *out)
{
	struct token t = { .kind = TOK_STRING };
	struct err e = { 0 };
	size_t beg = s->pos;
	char quote = peek(s);

	if (quote != '"' && quote != '\'' && quote != '`')
		return false;
	for (s->pos++; !scan_end(s) && peek(s) != quote; s->pos++)
		if (peek(s) == '\\' && quote != '`')
			s->pos++;
	if (scan_end(s))
		return false;
	s->pos++;
	t.text = (struct str){ s->text.p + beg, s->pos - beg };
	return literal_string(a, t, out, &e);
}

static bool is_word(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (!first && (is_digit(c) || c == '.'));
}

struct str scan_word(struct scan *s)
{
	size_t beg = s->pos;

	while (!scan_end(s) && is_word(peek(s), s->pos == beg))
		s->pos++;
	return (struct str){ s->text.p + beg, s->pos - beg };
}
