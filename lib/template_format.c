/* How Go prints values: print's way and Printf's verbs, flags, widths and complaints. */
#include "tocsin/template.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "template_ast.h"
#include "tocsin/num.h"

#define WIDTH_MAX 10000         /* Go refuses more */

const char *template_type_name(struct template_value v)
{
	static const char *const names[] = {
		[TEMPLATE_NIL] = "<nil>",        [TEMPLATE_BOOL] = "bool",
		[TEMPLATE_INT] = "int",          [TEMPLATE_FLOAT] = "float64",
		[TEMPLATE_STRING] = "string",    [TEMPLATE_DURATION] = "time.Duration",
		[TEMPLATE_TIME] = "time.Time",   [TEMPLATE_LIST] = "[]interface {}",
		[TEMPLATE_MAP] = "map[string]interface {}", [TEMPLATE_RECORD] = "struct",
	};
	const struct template_type *type = v.kind == TEMPLATE_LIST ? v.list->type : v.kind >= TEMPLATE_MAP ? v.map->type : NULL;

	return type != NULL ? type->name : names[v.kind];
}

static void print_map(struct buf *b, const struct template_map *m)
{
	buf_putz(b, "map[");
	for (size_t i = 0; i < m->n; i++) {
		if (i > 0)
			buf_putc(b, ' ');
		buf_puts(b, m->v[i].name);
		buf_putc(b, ':');
		template_print_arg(b, m->v[i].value);
	}
	buf_putc(b, ']');
}

static void print_record(struct buf *b, const struct template_map *m)
{
	buf_putc(b, '{');
	for (size_t i = 0; i < m->n; i++) {
		if (i > 0)
			buf_putc(b, ' ');
		template_print_arg(b, m->v[i].value);
	}
	buf_putc(b, '}');
}

static void print_list(struct buf *b, const struct template_list *l)
{
	buf_putc(b, '[');
	for (size_t i = 0; i < l->n; i++) {
		if (i > 0)
			buf_putc(b, ' ');
		template_print_arg(b, l->v[i]);
	}
	buf_putc(b, ']');
}

void template_print_arg(struct buf *b, struct template_value v)
{
	switch (v.kind) {
	case TEMPLATE_NIL:
		buf_putz(b, "<nil>");
		return;
	case TEMPLATE_BOOL:
		buf_putz(b, v.b ? "true" : "false");
		return;
	case TEMPLATE_INT:
		if (v.names != NULL)
			buf_putz(b, v.names[v.i]);
		else
			buf_printf(b, "%lld", (long long)v.i);
		return;
	case TEMPLATE_FLOAT:
		buf_num(b, v.f);
		return;
	case TEMPLATE_STRING:
		buf_puts(b, v.s);
		return;
	case TEMPLATE_DURATION:
		template_duration_format(b, v.i);
		return;
	case TEMPLATE_TIME:
		template_time_format(b, v.t, STR("2006-01-02 15:04:05.999999999 -0700 MST"));
		return;
	case TEMPLATE_LIST:
		print_list(b, v.list);
		return;
	case TEMPLATE_MAP:
		print_map(b, v.map);
		return;
	case TEMPLATE_RECORD:
		print_record(b, v.map);
		return;
	}
	abort();
}

void template_print(struct buf *b, struct template_value v)
{
	if (v.kind == TEMPLATE_NIL)
		buf_putz(b, "<no value>");
	else
		template_print_arg(b, v);
}

/* ---- Printf ---- */

struct spec {
	bool minus, plus, sharp, space, zero;
	int width, precision;           /* -1: none */
	char verb;
};

static size_t rune_count(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static void put_padded(struct buf *b, const struct spec *f, struct str s, bool zero)
{
	size_t n = rune_count(s), pad = f->width > 0 && (size_t)f->width > n ? (size_t)f->width - n : 0;

	if (zero && !f->minus && pad > 0 && s.n > 0 && (s.p[0] == '-' || s.p[0] == '+' || s.p[0] == ' ')) {
		buf_putc(b, s.p[0]);
		s = (struct str){ s.p + 1, s.n - 1 };
	}
	for (size_t i = 0; i < pad && !f->minus; i++)
		buf_putc(b, zero ? '0' : ' ');
	buf_puts(b, s);
	for (size_t i = 0; i < pad && f->minus; i++)
		buf_putc(b, ' ');
}

static void put_quoted(struct buf *out, struct str s)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
		const char *hit = memchr(from, (char)c, sizeof from - 1);

		if (hit != NULL)
			buf_printf(out, "\\%c", to[hit - from]);
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_putc(out, (char)c);
	}
	buf_putc(out, '"');
}

static void put_hex_text(struct buf *out, struct str s, char verb)
{
	for (size_t i = 0; i < s.n; i++)
		buf_printf(out, verb == 'x' ? "%02x" : "%02X", (unsigned char)s.p[i]);
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
	struct buf t = { 0 };
	bool known = true;

	if (f->precision >= 0)
		s = cut_runes(s, f->precision);
	if (f->verb == 's' || f->verb == 'v')
		buf_puts(&t, s);
	else if (f->verb == 'q')
		put_quoted(&t, s);
	else if (f->verb == 'x' || f->verb == 'X')
		put_hex_text(&t, s, f->verb);
	else
		known = false;
	if (known)
		put_padded(b, f, buf_str(&t), f->zero);
	buf_fini(&t);
	return known;
}

void template_put_rune(struct buf *b, int64_t r)
{
	static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	int extra = r < 0x80 ? 0 : r < 0x800 ? 1 : r < 0x10000 ? 2 : 3;

	if (r < 0 || r > 0x10ffff || (r >= 0xd800 && r <= 0xdfff)) {
		r = 0xfffd;
		extra = 2;
	}
	buf_putc(b, (char)(lead[extra] | r >> (6 * extra)));
	while (extra-- > 0)
		buf_putc(b, (char)(0x80 | (r >> (6 * extra) & 0x3f)));
}

static void put_digits(struct buf *t, uint64_t u, unsigned base, bool upper, int least)
{
	char digits[66];
	int n = 0;

	do {
		digits[n++] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
		u /= base;
	} while (u > 0);
	for (int i = n; i < least; i++)
		buf_putc(t, '0');
	while (n > 0)
		buf_putc(t, digits[--n]);
}

static bool put_integer(struct buf *b, const struct spec *f, int64_t v)
{
	static const struct { char verb; unsigned base; const char *prefix; } bases[] = {
		{ 'd', 10, "" }, { 'v', 10, "" }, { 'x', 16, "0x" }, { 'X', 16, "0X" }, { 'o', 8, "0" }, { 'O', 8, "0o" }, { 'b', 2, "0b" },
	};
	struct buf t = { 0 };
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(bases); i++)
		if (bases[i].verb == f->verb) {
			known = true;
			buf_putz(&t, v < 0 ? "-" : f->plus ? "+" : f->space ? " " : "");
			if (f->sharp || f->verb == 'O')
				buf_putz(&t, bases[i].prefix);
			put_digits(&t, u, bases[i].base, f->verb == 'X', f->precision < WIDTH_MAX ? f->precision : WIDTH_MAX);
		}
	if (f->verb == 'c' || f->verb == 'q') {
		known = true;
		if (f->verb == 'q')
			buf_putc(&t, '\'');
		template_put_rune(&t, v);
		if (f->verb == 'q')
			buf_putc(&t, '\'');
	} else if (f->verb == 'U') {
		known = true;
		buf_putz(&t, "U+");
		put_digits(&t, u, 16, true, 4);
	}
	if (known)
		put_padded(b, f, buf_str(&t), f->zero && f->precision < 0);
	buf_fini(&t);
	return known;
}

static void format_float(struct buf *t, const struct spec *f, double v)
{
	char text[512], form[16];
	char verb = f->verb == 'v' ? 'g' : f->verb == 'F' ? 'f' : f->verb;
	int precision = f->precision > 100 ? 100 : f->precision;

	if (!isfinite(v)) {
		buf_putz(t, isnan(v) ? (f->plus ? "+NaN" : "NaN") : v > 0 ? "+Inf" : "-Inf");
		return;
	}
	if (f->plus && !signbit(v))
		buf_putc(t, '+');
	else if (f->space && !signbit(v))
		buf_putc(t, ' ');
	if ((verb == 'g' || verb == 'G') && precision < 0 && !f->sharp) {
		char shortest[NUM_MAX];
		size_t n = num_format(shortest, v);

		for (size_t i = 0; i < n; i++)
			buf_putc(t, verb == 'G' && shortest[i] == 'e' ? 'E' : shortest[i]);
		return;
	}
	snprintf(form, sizeof form, "%%%s.*%c", f->sharp ? "#" : "", verb);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof text, form, precision < 0 ? 6 : precision, v);
#pragma GCC diagnostic pop
	buf_putz(t, text);
}

static bool put_float(struct buf *b, const struct spec *f, double v)
{
	struct buf t = { 0 };

	if (f->verb == '\0' || strchr("vgGeEfF", f->verb) == NULL)
		return false;
	format_float(&t, f, v);
	put_padded(b, f, buf_str(&t), f->zero && isfinite(v));
	buf_fini(&t);
	return true;
}

static bool put_other(struct buf *b, const struct spec *f, struct template_value v)
{
	struct buf t = { .limit = TEMPLATE_MAX_OUTPUT_BYTES };
	bool known = f->verb == 'v' || f->verb == 's';

	template_print_arg(&t, v);
	if (known)
		put_padded(b, f, buf_str(&t), f->zero);
	buf_fini(&t);
	return known;
}

/* False: this verb does not go with this value; nothing is written then. */
static bool put_known(struct buf *b, const struct spec *f, struct template_value v)
{
	bool known = false;

	switch (v.kind) {
	case TEMPLATE_STRING:
		known = put_string(b, f, v.s);
		break;
	case TEMPLATE_INT:
		known = v.names != NULL && (f->verb == 'v' || f->verb == 's') ? put_other(b, f, v) : put_integer(b, f, v.i);
		break;
	case TEMPLATE_FLOAT:
		known = put_float(b, f, v.f);
		break;
	case TEMPLATE_DURATION:
		known = f->verb == 'v' || f->verb == 's' ? put_other(b, f, v) : put_integer(b, f, v.i);
		break;
	case TEMPLATE_BOOL:
		known = f->verb == 't' || f->verb == 'v';
		if (known)
			put_padded(b, f, v.b ? STR("true") : STR("false"), false);
		break;
	case TEMPLATE_NIL:
		known = f->verb == 'v';
		if (known)
			put_padded(b, f, STR("<nil>"), false);
		break;
	case TEMPLATE_LIST:
	case TEMPLATE_MAP:
	case TEMPLATE_RECORD:
	case TEMPLATE_TIME:
		known = put_other(b, f, v);
		break;
	}
	return known;
}

/* A verb that does not fit complains with the value as %v would show it: %!d(string=x). */
static void put_value(struct buf *b, const struct spec *f, struct template_value v)
{
	struct spec plain = *f;

	if (f->verb == 'T') {
		plain.verb = 's';
		put_string(b, &plain, str_of(template_type_name(v)));
		return;
	}
	if (put_known(b, f, v))
		return;
	buf_printf(b, "%%!%c(", f->verb);
	if (v.kind == TEMPLATE_NIL)
		buf_putz(b, "<nil>");
	else {
		plain.verb = 'v';
		buf_printf(b, "%s=", template_type_name(v));
		put_known(b, &plain, v);
	}
	buf_putc(b, ')');
}


struct args {
	const struct template_value *v;
	size_t n, next;
};

static bool star(struct args *a, int *out)
{
	if (a->next >= a->n || a->v[a->next].kind != TEMPLATE_INT || llabs(a->v[a->next].i) > WIDTH_MAX)
		return false;
	*out = (int)a->v[a->next++].i;
	return true;
}

static size_t digits(struct str s, size_t i, int *out)
{
	for (*out = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
		if (*out <= WIDTH_MAX)
			*out = *out * 10 + (s.p[i] - '0');
	if (*out > WIDTH_MAX)
		*out = WIDTH_MAX;
	return i;
}

static size_t flags(struct str s, size_t i, struct spec *f)
{
	for (; i < s.n; i++) {
		if (s.p[i] == '-')
			f->minus = true;
		else if (s.p[i] == '+')
			f->plus = true;
		else if (s.p[i] == '#')
			f->sharp = true;
		else if (s.p[i] == ' ')
			f->space = true;
		else if (s.p[i] == '0')
			f->zero = true;
		else
			break;
	}
	return i;
}

static size_t width_and_precision(struct buf *b, struct str s, size_t i, struct spec *f, struct args *a)
{
	if (i < s.n && s.p[i] == '*') {
		i++;
		if (!star(a, &f->width))
			buf_putz(b, "%!(BADWIDTH)");
		if (f->width < 0) {
			f->minus = true;
			f->width = -f->width;
		}
	} else if (i < s.n && s.p[i] >= '1' && s.p[i] <= '9')
		i = digits(s, i, &f->width);
	if (i < s.n && s.p[i] == '.') {
		i++;
		if (i < s.n && s.p[i] == '*') {
			i++;
			if (!star(a, &f->precision) || f->precision < 0)
				buf_putz(b, "%!(BADPREC)");
		} else
			i = digits(s, i, &f->precision);
	}
	return i;
}

static void complain_extra(struct buf *b, const struct args *a)
{
	buf_putz(b, "%!(EXTRA ");
	for (size_t i = a->next; i < a->n; i++) {
		if (i > a->next)
			buf_putz(b, ", ");
		if (a->v[i].kind == TEMPLATE_NIL)
			buf_putz(b, "<nil>");
		else {
			buf_printf(b, "%s=", template_type_name(a->v[i]));
			template_print_arg(b, a->v[i]);
		}
	}
	buf_putc(b, ')');
}

void template_printf(struct buf *b, struct str s, const struct template_value *v, size_t n)
{
	struct args a = { v, n, 0 };

	for (size_t i = 0; i < s.n; ) {
		struct spec f = { .width = -1, .precision = -1 };

		if (s.p[i] != '%') {
			buf_putc(b, s.p[i++]);
			continue;
		}
		i = width_and_precision(b, s, flags(s, i + 1, &f), &f, &a);
		if (i >= s.n) {
			buf_putz(b, "%!(NOVERB)");
			break;
		}
		f.verb = s.p[i++];
		if (f.verb == 'v')              /* %+v and %#v mean other things in Go, none for plain values */
			f.plus = f.sharp = false;
		if (f.verb == '%')
			buf_putc(b, '%');
		else if (a.next >= a.n)
			buf_printf(b, "%%!%c(MISSING)", f.verb);
		else
			put_value(b, &f, v[a.next++]);
	}
	if (a.next < a.n)
		complain_extra(b, &a);
}
