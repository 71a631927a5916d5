/* The values of literals: numbers as Go reads them, durations, strings with Go's escapes. */
#include "lex.h"

#include <math.h>
#include <stdlib.h>

#include "tocsin/num.h"

enum { NUMBER_BYTES = 400 };            /* longer than any number that means something */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Copies <s> without its underscores, which may stand only between digits. Returns the length, 0 when one stands elsewhere. */
static size_t strip_underscores(struct str s, bool hex, char out[NUMBER_BYTES])
{
	size_t n = 0;

	if (s.n >= NUMBER_BYTES - 1)
		return 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '_') {
			out[n++] = s.p[i];
			continue;
		}
		if (i + 1 == s.n || !(hex ? hex_digit(s.p[i + 1]) >= 0 : is_digit(s.p[i + 1])))
			return 0;
		if (i == 0 ? !hex : !(hex ? hex_digit(s.p[i - 1]) >= 0 : is_digit(s.p[i - 1])))
			return 0;
	}
	return n;
}

/* Digits of <base>, all of <s>. False when one is not, or when it exceeds an int64_t. */
static bool whole_number(struct str s, int base, double *out)
{
	int64_t total = 0;

	for (size_t i = 0; i < s.n; i++) {
		int digit = hex_digit(s.p[i]);

		if (digit < 0 || digit >= base || __builtin_mul_overflow(total, base, &total) ||
		    __builtin_add_overflow(total, digit, &total))
			return false;
	}
	*out = (double)total;
	return s.n > 0;
}

static size_t skip_digits(struct str s, size_t i)
{
	while (i < s.n && is_digit(s.p[i]))
		i++;
	return i;
}

/* digits [ . digits ] [ e [+-] digits ], at least one digit before the e. */
static bool is_decimal(struct str s)
{
	size_t i = skip_digits(s, 0), digits = i;

	if (i < s.n && s.p[i] == '.') {
		size_t fraction = skip_digits(s, i + 1);

		digits += fraction - i - 1;
		i = fraction;
	}
	if (digits == 0)
		return false;
	if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
		size_t from = i + 1 < s.n && (s.p[i + 1] == '+' || s.p[i + 1] == '-') ? i + 2 : i + 1;

		i = skip_digits(s, from);
		if (i == from)
			return false;
	}
	return i == s.n;
}

bool literal_number(struct str text, double *out)
{
	char plain[NUMBER_BYTES];
	bool hex = text.n > 2 && text.p[0] == '0' && (text.p[1] == 'x' || text.p[1] == 'X');
	struct str s = hex ? (struct str){ text.p + 2, text.n - 2 } : text;

	if (str_eq_nocase(text, STR("inf"))) {
		*out = INFINITY;
		return true;
	}
	if (str_eq_nocase(text, STR("nan"))) {
		*out = NAN;
		return true;
	}
	s = (struct str){ plain, strip_underscores(s, hex, plain) };
	if (hex)
		return whole_number(s, 16, out);
	if (s.n > 1 && s.p[0] == '0' && whole_number(s, 8, out))
		return true;
	if (!is_decimal(s))
		return false;
	plain[s.n] = '\0';
	*out = strtod(plain, NULL);
	return isfinite(*out);
}

bool literal_duration_ms(struct str text, int64_t *out)
{
	return text.n > 1 && is_digit(text.p[0]) && num_parse_duration_ms(text, out);
}

/* Hexadecimal, octal or a code point: <digits> of <base> at <s>. Returns bytes put to <out>, 0 when it is malformed. */
static size_t numeric_escape(struct str s, size_t digits, int base, bool character, char *out)
{
	uint32_t value = 0;

	if (s.n < digits)
		return 0;
	for (size_t i = 0; i < digits; i++) {
		int digit = hex_digit(s.p[i]);

		if (digit < 0 || digit >= base)
			return 0;
		value = value * (uint32_t)base + (uint32_t)digit;
	}
	if (character)
		return str_utf8_put(out, value);
	if (value > 255)
		return 0;
	out[0] = (char)value;
	return 1;
}

/* One escape; <s> begins behind the backslash. Sets <*used>; returns bytes put to <out>, 0 when it is malformed. */
static size_t unescape(struct str s, char quote, char *out, size_t *used)
{
	static const char names[] = "abfnrtv\\", values[] = "\a\b\f\n\r\t\v\\";
	struct str rest = { s.p + 1, s.n - 1 };
	const char *hit = memchr(names, s.p[0], sizeof names - 1);

	*used = 1;
	if (hit != NULL || s.p[0] == quote) {
		out[0] = hit != NULL ? values[hit - names] : quote;
		return 1;
	}
	switch (s.p[0]) {
	case 'x':
		*used = 3;
		return numeric_escape(rest, 2, 16, false, out);
	case 'u':
		*used = 5;
		return numeric_escape(rest, 4, 16, true, out);
	case 'U':
		*used = 9;
		return numeric_escape(rest, 8, 16, true, out);
	default:
		*used = 3;
		return numeric_escape(s, 3, 8, false, out);
	}
}

static bool bad_escape(struct str s, int pos, struct err *e)
{
	return err_set(
	    e, ERR_SYNTAX, pos,
	    "bad escape \\%.*s in a string: allowed are \\a \\b \\f \\n \\r \\t \\v \\\\, the quote, \\x41, \\101, \\u00e9 and "
	    "\\U0001F514; in a regular expression write \\\\d, or use `raw` quotes",
	    s.n > 0 && (unsigned char)s.p[0] < 0x80 && (unsigned char)s.p[0] >= ' ' ? 1 : 0, s.p);
}

bool literal_string(struct arena *a, struct token tok, struct str *out, struct err *e)
{
	struct str body = { tok.text.p + 1, tok.text.n - 2 };
	char *p;
	size_t n = 0;

	if (tok.text.p[0] == '`' || memchr(body.p, '\\', body.n) == NULL) {
		*out = arena_str(a, body);
		return true;
	}
	p = arena_alloc(a, body.n + 1);         /* an escape is never shorter than what it stands for */
	for (size_t i = 0; i < body.n;) {
		size_t used, made;

		if (body.p[i] != '\\') {
			p[n++] = body.p[i++];
			continue;
		}
		made = unescape((struct str){ body.p + i + 1, body.n - i - 1 }, tok.text.p[0], p + n, &used);
		if (made == 0)
			return bad_escape((struct str){ body.p + i + 1, body.n - i - 1 }, tok.beg + 1 + (int)i, e);
		n += made;
		i += 1 + used;
	}
	*out = (struct str){ p, n };
	return true;
}
