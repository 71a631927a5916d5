/* The words inside {{ }}, on demand, and what the constants among them mean. */
#include "template_lex.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

void template_fail(struct parser *p, const char *at, const char *what, struct str detail)
{
	if (!p->failed)
		err_set(p->e, ERR_SYNTAX, (int)(at - p->t->text.p), detail.n ? "%s " STR_FMT : "%s", what, STR_ARG(detail));
	p->failed = true;
	p->p = p->end;
	p->token = TOKEN_END;
}

static bool is_word_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static void take(struct parser *p, enum token token, size_t n)
{
	p->token = token;
	p->lexeme = (struct str){ p->p, n };
	p->p += n;
}

static void take_word(struct parser *p, enum token token, size_t prefix)
{
	size_t n = prefix;

	while (p->p + n < p->end && is_word_byte(p->p[n]))
		n++;
	take(p, token, n);
}

static void take_quoted(struct parser *p, enum token token, char quote)
{
	size_t n = 1;

	while (p->p + n < p->end && p->p[n] != quote) {
		if (quote != '`' && p->p[n] == '\n')
			break;
		n += quote != '`' && p->p[n] == '\\' ? 2 : 1;
	}
	if (p->p + n >= p->end || p->p[n] != quote)
		template_fail(p, p->p, quote == '`' ? "unterminated raw quoted string" : "unterminated quoted string", STR_NULL);
	else
		take(p, token, n + 1);
}

static void take_number(struct parser *p)
{
	size_t n = 1;

	while (p->p + n < p->end && (is_word_byte(p->p[n]) || p->p[n] == '.' ||
	                             ((p->p[n] == '+' || p->p[n] == '-') && strchr("eEpP", p->p[n - 1]) != NULL)))
		n++;
	take(p, TOKEN_NUMBER, n);
}

static bool starts_number(const struct parser *p)
{
	const char *s = p->p;

	if (*s == '+' || *s == '-')
		s++;
	if (s < p->end && *s == '.')
		s++;
	return s < p->end && isdigit((unsigned char)*s);
}

/* One token inside {{ }}. */
void template_next(struct parser *p)
{
	struct str rest = str_between(p->p, p->end);
	char c;

	if (p->failed || rest.n == 0) {
		template_fail(p, p->end, "unclosed action", STR_NULL);
		return;
	}
	c = *p->p;
	if (rest.n >= 4 && template_is_blank(c) && memcmp(rest.p + 1, "-}}", 3) == 0) {
		take(p, TOKEN_CLOSE, 4);
		p->trim_next = true;
	} else if (str_starts(rest, STR("}}")))
		take(p, TOKEN_CLOSE, 2);
	else if (template_is_blank(c)) {
		size_t n = 1;

		while (n < rest.n && template_is_blank(rest.p[n]) && !str_starts((struct str){ rest.p + n + 1, rest.n - n - 1 },
		    STR("-}}")))
			n++;
		take(p, TOKEN_SPACE, n);
	} else if (starts_number(p))
		take_number(p);
	else if (c == '.' && rest.n > 1 && is_word_byte(rest.p[1]))
		take_word(p, TOKEN_FIELD, 1);
	else if (c == '.')
		take(p, TOKEN_DOT, 1);
	else if (c == '$')
		take_word(p, TOKEN_VARIABLE, 1);
	else if (is_word_byte(c))
		take_word(p, TOKEN_WORD, 1);
	else if (c == '"' || c == '\'' || c == '`')
		take_quoted(p, c == '"' ? TOKEN_STRING : c == '`' ? TOKEN_RAW : TOKEN_CHAR, c);
	else if (str_starts(rest, STR(":=")))
		take(p, TOKEN_DECLARE, 2);
	else if (strchr("(),=|", c) != NULL && c != '\0')
		take(p, c == '(' ? TOKEN_OPEN_PAREN : c == ')' ? TOKEN_CLOSE_PAREN : c == ',' ? TOKEN_COMMA :
		     c == '=' ? TOKEN_ASSIGN : TOKEN_PIPE, 1);
	else
		template_fail(p, p->p, "unexpected character in an action:", (struct str){ p->p, 1 });
}

/* ---- constants ---- */

/* \x41 \101 \u00e9 \U0001F600; <*s> stands behind the backslash. */
static bool unescape_number(const char **s, const char *end, struct buf *b)
{
	char c = **s;
	int base = c >= '0' && c <= '7' ? 8 : 16, digits = base == 8 ? 3 : c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
	char text[9] = { 0 };
	unsigned long v;

	if (base == 16)
		(*s)++;
	if (digits == 0 || end - *s < digits)
		return false;
	for (int i = 0; i < digits; i++) {
		char d = (*s)[i];

		if (base == 8 ? d < '0' || d > '7' : !isxdigit((unsigned char)d))
			return false;
		text[i] = d;
	}
	*s += digits;
	v = strtoul(text, NULL, base);
	if (c == 'u' || c == 'U') {
		if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
			return false;
		template_put_rune(b, (int64_t)v);
	} else if (v > 255)
		return false;
	else
		buf_putc(b, (char)v);
	return true;
}

/* What stands between the quotes of a Go string. */
static bool unquote(struct parser *p, struct str inner, struct str *out)
{
	static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
	struct buf b = { 0 };
	const char *s = inner.p, *end = inner.p + inner.n;
	bool ok = true;

	while (ok && s < end) {
		const char *hit;

		if (*s != '\\') {
			buf_putc(&b, *s++);
			continue;
		}
		s++;
		hit = s < end ? memchr(from, *s, sizeof from - 1) : NULL;
		if (hit != NULL) {
			buf_putc(&b, to[hit - from]);
			s++;
		} else
			ok = s < end && unescape_number(&s, end, &b);
	}
	*out = arena_str(&p->t->arena, buf_str(&b));
	buf_fini(&b);
	return ok;
}

static int64_t first_rune(struct str s)
{
	unsigned char c = s.n ? (unsigned char)s.p[0] : 0;
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	int64_t r = c < 0x80 ? c : c & (0x7f >> n);

	for (size_t i = 1; i < n && i < s.n; i++)
		r = r << 6 | (s.p[i] & 0x3f);
	return r;
}

/* strtoll knows neither 0b nor 0o: the base, with such a prefix taken out of <z>. */
static int integer_base(char *z)
{
	char *digits = z + (z[0] == '-' || z[0] == '+');
	char mark = digits[0] == '0' ? (char)tolower((unsigned char)digits[1]) : '\0';

	if (mark != 'b' && mark != 'o')
		return digits[0] == '0' ? 0 : 10;
	memmove(digits, digits + 2, strlen(digits + 2) + 1);
	return mark == 'b' ? 2 : 8;
}

/* Go: without point or exponent it is an int, unless it is too large for one; with one a float. */
static bool number(struct str text, struct template_value *out)
{
	char z[64], *end = z;
	size_t n = 0;
	bool hex;

	if (text.n >= sizeof z)
		return false;
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '_')
			z[n++] = text.p[i];
	z[n] = '\0';
	hex = strpbrk(z, "xX") != NULL;
	errno = ERANGE;
	if (strpbrk(z, hex ? ".pP" : ".eE") == NULL) {
		int base = integer_base(z);

		errno = 0;
		*out = template_int(strtoll(z, &end, base));
	}
	if (errno == ERANGE)
		*out = template_float(strtod(z, &end));
	return end != z && *end == '\0';
}

void template_constant(struct parser *p, struct operand *o)
{
	struct str inner = p->lexeme.n >= 2 ? (struct str){ p->lexeme.p + 1, p->lexeme.n - 2 } : STR_NULL;
	bool ok = true;

	o->kind = OPERAND_CONSTANT;
	if (p->token == TOKEN_NUMBER)
		ok = number(p->lexeme, &o->constant);
	else if (p->token == TOKEN_RAW)
		o->constant = template_str(inner);
	else {
		struct str s = STR_NULL;

		ok = unquote(p, inner, &s);
		o->constant = p->token == TOKEN_CHAR ? template_int(first_rune(s)) : template_str(s);
	}
	if (!ok)
		template_fail(p, p->lexeme.p, p->token == TOKEN_NUMBER ? "bad number syntax:" : "invalid string:", p->lexeme);
}
