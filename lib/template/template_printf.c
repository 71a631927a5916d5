/* Go's Printf: verbs, flags, widths, indexes of arguments, and the complaints it writes instead of failing. What holds
 * others (a list, a map, a record) hands its verb to each of them. Source: Go documentation, package fmt. */
#include "tocsin/template.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "template_ast.h"
#include "tocsin/num.h"

#define NUMBER_MAX 10000        /* widths and precisions; Go takes a hundred times that */
#define DIGITS_MAX 1000         /* behind the point of a float: beyond them all are 0 */

struct spec {
	bool minus, plus, sharp, space, zero;
	bool named, source;             /* %+v: records with names; %#v: as one would write it in Go */
	int width, precision;           /* -1: none */
	char verb;                      /* '\0': one of several bytes, which nothing has */
	struct str text;                /* the verb, for complaints */
};

static void put_value(struct buf *b, const struct spec *f, struct template_value v);

static size_t rune_count(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static void put_padding(struct buf *b, const struct spec *f, size_t n, bool zero)
{
	for (size_t i = 0; i < n && !b->overflow; i++)
		buf_putc(b, zero && !f->minus ? '0' : ' ');
}

static void put_padded(struct buf *b, const struct spec *f, struct str s, bool zero)
{
	size_t n = rune_count(s), pad = f->width > 0 && (size_t)f->width > n ? (size_t)f->width - n : 0;

	if (!f->minus)
		put_padding(b, f, pad, zero);
	buf_puts(b, s);
	if (f->minus)
		put_padding(b, f, pad, zero);
}

/* ---- Texts. ---- */

/* Characters that Go does not print as they are. */
static bool is_hidden(int64_t r)
{
	static const struct {
		int64_t from, to;
	} ranges[] = {
		{ 0x80, 0xa0 },     { 0xad, 0xad },     { 0x1680, 0x1680 }, { 0x180e, 0x180e }, { 0x2000, 0x200f },
		{ 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x3000, 0x3000 }, { 0xe000, 0xf8ff }, { 0xfdd0, 0xfdef },
		{ 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0x10ffff },
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (r >= ranges[i].from && r <= ranges[i].to)
			return true;
	return false;
}

static int64_t rune_of(struct str s, size_t len)
{
	static const unsigned char mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	int64_t r = (unsigned char)s.p[0] & mask[len];

	for (size_t i = 1; i < len; i++)
		r = r << 6 | ((unsigned char)s.p[i] & 0x3f);
	return r;
}

/* The first character as Go quotes it, and its length. */
static size_t put_quoted_rune(struct buf *out, const struct spec *f, struct str s, char quote)
{
	static const char from[] = "\a\b\f\n\r\t\v\\", to[] = "abfnrtv\\";
	size_t len = str_utf8_len(s);
	const char *hit = memchr(from, s.p[0], sizeof from - 1);
	int64_t r = len > 0 ? rune_of(s, len) : 0;

	if (len == 0)
		buf_printf(out, "\\x%02x", (unsigned char)s.p[0]);
	else if (hit != NULL)
		buf_printf(out, "\\%c", to[hit - from]);
	else if (s.p[0] == quote)
		buf_printf(out, "\\%c", quote);
	else if (r < 0x20 || r == 0x7f)
		buf_printf(out, "\\x%02x", (unsigned)r);
	else if (r < 0x80 || (!f->plus && !is_hidden(r)))
		buf_puts(out, (struct str){ s.p, len });
	else
		buf_printf(out, r < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)r);
	return len > 0 ? len : 1;
}

static bool fits_backquotes(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '`' || s.p[i] == 0x7f || ((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t'))
			return false;
	return str_is_utf8(s);
}

static void put_quoted(struct buf *out, const struct spec *f, struct str s)
{
	if (f->sharp && fits_backquotes(s)) {
		buf_printf(out, "`" STR_FMT "`", STR_ARG(s));
		return;
	}
	buf_putc(out, '"');
	for (size_t i = 0; i < s.n;)
		i += put_quoted_rune(out, f, (struct str){ s.p + i, s.n - i }, '"');
	buf_putc(out, '"');
}

static void put_hex_text(struct buf *out, const struct spec *f, struct str s)
{
	size_t n = f->precision >= 0 && (size_t)f->precision < s.n ? (size_t)f->precision : s.n;

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && f->space)
			buf_putc(out, ' ');
		if (f->sharp && (i == 0 || f->space))
			buf_printf(out, "0%c", f->verb);
		buf_printf(out, f->verb == 'x' ? "%02x" : "%02X", (unsigned char)s.p[i]);
	}
}

static struct str cut_runes(struct str s, int precision)
{
	size_t i = 0;

	for (int n = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80 && n++ == precision)
			break;
	return (struct str){ s.p, i };
}

static bool put_string(struct buf *b, const struct spec *f, struct str s)
{
	struct str cut = f->precision >= 0 ? cut_runes(s, f->precision) : s;
	struct buf t = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };

	if (f->verb == '\0' || strchr("svqxX", f->verb) == NULL)
		return false;
	if (f->verb == 'x' || f->verb == 'X')
		put_hex_text(&t, f, s);
	else if (f->verb == 'q' || f->source)
		put_quoted(&t, f, cut);
	else
		buf_puts(&t, cut);
	put_padded(b, f, buf_str(&t), f->zero);
	buf_fini(&t);
	return true;
}

/* ---- Numbers. ---- */

static void put_digits(struct buf *t, uint64_t u, unsigned base, bool upper, int least)
{
	char digits[66];
	int n = 0;

	do {
		digits[n++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
		u /= base;
	} while (u > 0);
	for (int i = n; i < least && !t->overflow; i++)
		buf_putc(t, '0');
	while (n > 0)
		buf_putc(t, digits[--n]);
}

static void put_rune_in_quotes(struct buf *t, const struct spec *f, int64_t v)
{
	struct buf rune = { 0 };

	template_put_rune(&rune, v);
	buf_putc(t, '\'');
	put_quoted_rune(t, f, buf_str(&rune), '\'');
	buf_putc(t, '\'');
	buf_fini(&rune);
}

static bool put_character(struct buf *b, const struct spec *f, int64_t v)
{
	struct buf t = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };

	if (f->verb == 'c')
		template_put_rune(&t, v);
	else if (f->verb == 'q')
		put_rune_in_quotes(&t, f, v);
	else {
		buf_putz(&t, "U+");
		put_digits(&t, (uint64_t)v, 16, true, f->precision > 4 ? f->precision : 4);
		if (f->sharp && v >= 0 && v <= 0x10ffff && !is_hidden(v) && v >= 0x20) {
			buf_putz(&t, " '");
			template_put_rune(&t, v);
			buf_putc(&t, '\'');
		}
	}
	put_padded(b, f, buf_str(&t), f->zero && f->verb != 'U');
	buf_fini(&t);
	return true;
}

static bool put_integer(struct buf *b, const struct spec *f, int64_t v)
{
	static const struct {
		char verb;
		unsigned base;
		const char *prefix;
	} bases[] = { { 'd', 10, "" },   { 'v', 10, "" },  { 'x', 16, "0x" }, { 'X', 16, "0X" },
		      { 'o', 8, "" }, { 'O', 8, "0o" }, { 'b', 2, "0b" } };
	const char *sign = v < 0 ? "-" : f->plus ? "+" : f->space ? " " : "";
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	int least = f->precision >= 0 ? f->precision : f->zero && !f->minus && f->width > 0 ? f->width - (sign[0] != '\0') : 0;
	struct buf t = { .limit = TEMPLATE_MAX_OUTPUT_BYTES }, digits = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };
	size_t i = 0;

	if (f->verb == 'c' || f->verb == 'q' || f->verb == 'U')
		return put_character(b, f, v);
	while (i < ARRAY_LEN(bases) && bases[i].verb != f->verb)
		i++;
	if (i == ARRAY_LEN(bases))
		return false;
	if (f->precision != 0 || v != 0) {      /* %.0d of 0 is nothing */
		buf_putz(&t, sign);
		put_digits(&digits, u, bases[i].base, f->verb == 'X', least);
		if (f->verb == 'O' || (f->sharp && bases[i].base != 8))
			buf_putz(&t, bases[i].prefix);
		if (f->sharp && bases[i].base == 8 && digits.p[0] != '0')
			buf_putc(&t, '0');
		buf_puts(&t, buf_str(&digits));
	}
	put_padded(b, f, buf_str(&t), false);
	buf_fini(&t);
	buf_fini(&digits);
	return true;
}

/* C writes the exponent of %a with as many digits as it has, Go with two at least. */
static void widen_exponent(char *text)
{
	char *p = strpbrk(text, "pP");

	if (p != NULL && p[2] != '\0' && p[3] == '\0') {
		p[3] = p[2];
		p[2] = '0';
		p[4] = '\0';
	}
}

/* %b: a whole number, and the power of two it is multiplied by. */
static void mantissa_and_exponent(char *text, size_t room, double v)
{
	int exponent = 0;
	double m = frexp(v, &exponent);

	snprintf(text, room, "%.0fp%+d", ldexp(m, 53), v != 0 ? exponent - 53 : -1074);
}

/* Without a sign; <v> is neither negative nor infinite. */
static void format_digits(char *text, size_t room, const struct spec *f, double v)
{
	char verb = f->verb == 'v' ? 'g' : f->verb == 'F' ? 'f' : f->verb, form[16];
	int precision = f->precision < 0 ? 6 : f->precision < DIGITS_MAX ? f->precision : DIGITS_MAX;

	if (verb == 'b') {
		mantissa_and_exponent(text, room, v);
		return;
	}
	if ((verb == 'g' || verb == 'G') && f->precision < 0) {
		text[num_format(text, v)] = '\0';
		for (char *p = text; *p != '\0'; p++)
			*p = verb == 'G' && *p == 'e' ? 'E' : *p;
		return;
	}
	verb = verb == 'x' ? 'a' : verb == 'X' ? 'A' : verb;
	snprintf(form, sizeof form, f->precision < 0 && (verb == 'a' || verb == 'A') ? "%%%c" : "%%.*%c", verb);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (strchr(form, '*') != NULL)
		snprintf(text, room, form, precision, v);
	else
		snprintf(text, room, form, v);
#pragma GCC diagnostic pop
	widen_exponent(text);
}

/* '#': a point always, and with %g the zeros behind it. */
static void put_with_point(struct buf *t, const struct spec *f, const char *text)
{
	bool counts = strchr("vgGx", f->verb) != NULL, point = false, begun = false;
	int missing = !counts ? 0 : f->precision < 0 ? 6 : f->precision;
	size_t n = strcspn(text, f->verb == 'x' || f->verb == 'X' ? "pP" : "eE");

	for (size_t i = 0; i < n; i++) {
		point = point || text[i] == '.';
		begun = begun || (text[i] != '0' && text[i] != '.');
		missing -= begun && text[i] != '.';
	}
	buf_puts(t, (struct str){ text, n });
	if (!point) {
		missing -= n == 1 && text[0] == '0';
		buf_putc(t, '.');
	}
	for (; missing > 0 && !t->overflow; missing--)
		buf_putc(t, '0');
	buf_putz(t, text + n);
}

static bool put_float(struct buf *b, const struct spec *f, double v)
{
	const char *sign = signbit(v) && !isnan(v) ? "-" : f->plus || (isinf(v) && !f->space) ? "+" : f->space ? " " : "";
	char text[DIGITS_MAX + 400];
	struct buf t = { .limit = TEMPLATE_MAX_OUTPUT_BYTES }, digits = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };
	struct spec rest = *f;

	if (f->verb == '\0' || strchr("vbgGxXeEfF", f->verb) == NULL)
		return false;
	if (!isfinite(v))
		buf_putz(&digits, isnan(v) ? "NaN" : "Inf");
	else {
		format_digits(text, sizeof text, f, fabs(v));
		if (f->sharp && f->verb != 'b')
			put_with_point(&digits, f, text);
		else
			buf_putz(&digits, text);
	}
	buf_putz(&t, sign);
	rest.width = f->zero && !f->minus && isfinite(v) ? f->width - (int)strlen(sign) : 0;
	put_padded(&t, &rest, buf_str(&digits), true);
	put_padded(b, f, buf_str(&t), false);
	buf_fini(&t);
	buf_fini(&digits);
	return true;
}

/* ---- Values that hold others. ---- */

static void put_item(struct buf *b, const struct spec *f, struct template_value v)
{
	if (v.kind == TEMPLATE_NIL && f->source)
		buf_putz(b, "interface {}(nil)");
	else
		put_value(b, f, v);
}

static void put_list(struct buf *b, const struct spec *f, struct template_value v)
{
	buf_printf(b, "%s%c", f->source ? template_type_name(v) : "", f->source ? '{' : '[');
	for (size_t i = 0; i < v.list->n && !b->overflow; i++) {
		if (i > 0)
			buf_putz(b, f->source ? ", " : " ");
		put_item(b, f, v.list->v[i]);
	}
	buf_putc(b, f->source ? '}' : ']');
}

static void put_map(struct buf *b, const struct spec *f, struct template_value v)
{
	buf_printf(b, "%s%c", f->source ? template_type_name(v) : "map", f->source ? '{' : '[');
	for (size_t i = 0; i < v.map->n && !b->overflow; i++) {
		if (i > 0)
			buf_putz(b, f->source ? ", " : " ");
		put_value(b, f, template_str(v.map->v[i].name));
		buf_putc(b, ':');
		put_item(b, f, v.map->v[i].value);
	}
	buf_putc(b, f->source ? '}' : ']');
}

static void put_record(struct buf *b, const struct spec *f, struct template_value v)
{
	const char *name = template_type_name(v);

	if (name[0] == '*')
		buf_printf(b, "&%s", f->source ? name + 1 : "");
	else if (f->source)
		buf_putz(b, name);
	buf_putc(b, '{');
	for (size_t i = 0; i < v.map->n && !b->overflow; i++) {
		if (i > 0)
			buf_putz(b, f->source ? ", " : " ");
		if (f->source || f->named)
			buf_printf(b, STR_FMT ":", STR_ARG(v.map->v[i].name));
		put_item(b, f, v.map->v[i].value);
	}
	buf_putc(b, '}');
}

/* ---- Values. ---- */

/* Those that say in words what they are, to the verbs of texts. */
static bool put_in_words(struct buf *b, const struct spec *f, struct template_value v)
{
	struct buf t = { 0 };
	bool known;

	template_print_arg(&t, v);
	known = put_string(b, f, buf_str(&t));
	buf_fini(&t);
	return known;
}

static void put_time_source(struct buf *b, struct template_time t)
{
	struct buf month = { 0 };

	template_time_format(&month, t, STR("January"));
	buf_putz(b, "time.Date(");
	template_time_format(b, t, STR("2006, time."));
	buf_puts(b, buf_str(&month));
	template_time_format(b, t, STR(", 2, 15, 4, 5, "));
	buf_printf(b, "%lld, time.UTC)", (long long)(((t.ms % 1000 + 1000) % 1000) * 1000000));
	buf_fini(&month);
}

/* False: this verb does not go with this value; nothing is written then. */
static bool put_known(struct buf *b, const struct spec *f, struct template_value v)
{
	bool words = !f->source && f->verb != '\0' && strchr("svqxX", f->verb) != NULL;

	switch (v.kind) {
	case TEMPLATE_STRING:
		return put_string(b, f, v.s);
	case TEMPLATE_INT:
		return v.names != NULL && words ? put_in_words(b, f, v) : put_integer(b, f, v.i);
	case TEMPLATE_FLOAT:
		return put_float(b, f, v.f);
	case TEMPLATE_DURATION:
		return words ? put_in_words(b, f, v) : put_integer(b, f, v.i);
	case TEMPLATE_BOOL:
		if (f->verb == 't' || f->verb == 'v')
			put_padded(b, f, v.b ? STR("true") : STR("false"), f->zero);
		return f->verb == 't' || f->verb == 'v';
	case TEMPLATE_NIL:
		if (f->verb == 'v')
			put_padded(b, f, STR("<nil>"), f->zero);
		return f->verb == 'v';
	case TEMPLATE_TIME:
		if (f->source)
			put_time_source(b, v.t);
		return f->source || put_in_words(b, f, v);
	case TEMPLATE_LIST:
		put_list(b, f, v);
		return true;
	case TEMPLATE_MAP:
		put_map(b, f, v);
		return true;
	case TEMPLATE_RECORD:
		put_record(b, f, v);
		return true;
	}
	abort();
}

/* A value in a complaint: its type, and itself as %v shows it. */
static void put_typed(struct buf *b, const struct spec *f, struct template_value v)
{
	struct spec plain = *f;

	plain.verb = 'v';
	if (v.kind == TEMPLATE_NIL) {
		buf_putz(b, "<nil>");
		return;
	}
	buf_printf(b, "%s=", template_type_name(v));
	put_known(b, &plain, v);
}

/* A verb that does not fit complains: %!d(string=x). */
static void put_value(struct buf *b, const struct spec *f, struct template_value v)
{
	if (f->verb != 'p' && f->verb != 'w' && put_known(b, f, v))     /* pointers and wrapped errors there are none of */
		return;
	buf_printf(b, "%%!" STR_FMT "(", STR_ARG(f->text));
	put_typed(b, f, v);
	buf_putc(b, ')');
}

static void put_type(struct buf *b, const struct spec *f, struct template_value v)
{
	struct spec text = *f;

	text.verb = 's';
	text.precision = v.kind == TEMPLATE_NIL ? -1 : f->precision;
	put_string(b, &text, str_of(template_type_name(v)));
}

/* ---- The format. ---- */

struct reading {
	struct str format;
	size_t at;
	const struct template_value *args;
	size_t n_args, next;
	bool indexed;                   /* %[1]d was written anywhere */
	bool good, after;               /* of a directive: indexes are of arguments there are; one stands right before */
};

static char peek(const struct reading *r)
{
	return r->at < r->format.n ? r->format.p[r->at] : '\0';
}

/* -1: there is none. */
static int number(struct reading *r)
{
	int n = -1;

	for (char c; (c = peek(r)) >= '0' && c <= '9'; r->at++) {
		n = (n < 0 ? 0 : n * 10) + (c - '0');
		if (n > NUMBER_MAX) {
			r->at = r->format.n;
			return -1;
		}
	}
	return n;
}

/* [n]: the argument that is meant. */
static void read_index(struct reading *r)
{
	struct str rest = { r->format.p + r->at, r->format.n - r->at };
	size_t behind = r->at + str_chr(rest, ']') + 1, start = r->at + 1;
	int n;

	r->after = false;
	if (peek(r) != '[')
		return;
	r->indexed = true;
	r->at = start;
	n = behind <= r->format.n ? number(r) : -1;
	r->after = n >= 0 && r->at + 1 == behind;
	if (r->after && n >= 1 && (size_t)n <= r->n_args)
		r->next = (size_t)n - 1;
	else
		r->good = false;
	r->at = behind <= r->format.n ? behind : start;
}

static bool star(struct reading *r, int *out)
{
	const struct template_value *v = r->next < r->n_args ? &r->args[r->next] : NULL;

	r->at++;
	r->next += v != NULL;
	if (v == NULL || v->kind != TEMPLATE_INT || llabs(v->i) > NUMBER_MAX)
		return false;
	*out = (int)v->i;
	return true;
}

static void read_flags(struct reading *r, struct spec *f)
{
	for (; peek(r) != '\0' && strchr("-+# 0", peek(r)) != NULL; r->at++) {
		f->minus = f->minus || peek(r) == '-';
		f->plus = f->plus || peek(r) == '+';
		f->sharp = f->sharp || peek(r) == '#';
		f->space = f->space || peek(r) == ' ';
		f->zero = f->zero || peek(r) == '0';
	}
}

static void read_width(struct buf *b, struct reading *r, struct spec *f)
{
	int width = 0;

	if (peek(r) != '*') {
		f->width = number(r);
		r->good = r->good && !(r->after && f->width >= 0);
		return;
	}
	r->after = false;
	if (!star(r, &width))
		buf_putz(b, "%!(BADWIDTH)");
	f->minus = f->minus || width < 0;
	f->width = abs(width);
}

static void read_precision(struct buf *b, struct reading *r, struct spec *f)
{
	if (peek(r) != '.')
		return;
	r->at++;
	r->good = r->good && !r->after;
	read_index(r);
	if (peek(r) != '*') {
		f->precision = number(r);
		f->precision = f->precision < 0 ? 0 : f->precision;
		return;
	}
	r->after = false;
	if (!star(r, &f->precision) || f->precision < 0) {
		f->precision = -1;
		buf_putz(b, "%!(BADPREC)");
	}
}

static void read_verb(struct reading *r, struct spec *f)
{
	struct str rest = { r->format.p + r->at, r->format.n - r->at };
	size_t len = str_utf8_len(rest);

	f->text = (struct str){ rest.p, len > 0 ? len : 1 };
	f->verb = f->text.n == 1 ? rest.p[0] : '\0';
	r->at += f->text.n;
	if (f->verb == 'v') {
		f->named = f->plus;
		f->source = f->sharp;
		f->plus = f->sharp = false;
	}
}

/* What stands behind a '%'. */
static void directive(struct buf *b, struct reading *r)
{
	struct spec f = { .width = -1, .precision = -1 };

	r->good = true;
	read_flags(r, &f);
	read_index(r);
	read_width(b, r, &f);
	read_precision(b, r, &f);
	if (!r->after)
		read_index(r);
	if (r->at >= r->format.n) {
		buf_putz(b, "%!(NOVERB)");
		return;
	}
	read_verb(r, &f);
	if (f.verb == '%')
		buf_putc(b, '%');
	else if (!r->good)
		buf_printf(b, "%%!" STR_FMT "(BADINDEX)", STR_ARG(f.text));
	else if (r->next >= r->n_args)
		buf_printf(b, "%%!" STR_FMT "(MISSING)", STR_ARG(f.text));
	else if (f.verb == 'T')
		put_type(b, &f, r->args[r->next++]);
	else
		put_value(b, &f, r->args[r->next++]);
}

void template_printf(struct buf *b, struct str format, const struct template_value *args, size_t n)
{
	const struct spec plain = { .width = -1, .precision = -1 };
	struct reading r = { .format = format, .args = args, .n_args = n };

	while (r.at < format.n && !b->overflow) {
		char c = format.p[r.at++];

		if (c != '%')
			buf_putc(b, c);
		else
			directive(b, &r);
	}
	if (r.indexed || r.next >= n)
		return;
	buf_putz(b, "%!(EXTRA ");
	for (size_t i = r.next; i < n; i++) {
		if (i > r.next)
			buf_putz(b, ", ");
		put_typed(b, &plain, args[i]);
	}
	buf_putc(b, ')');
}
