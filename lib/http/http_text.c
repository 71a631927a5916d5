/* The text of HTTP: percent encoding, forms, header lists. No sockets here. */
#include <assert.h>
#include <stdlib.h>

#include "tocsin/http.h"
#include "tocsin/mem.h"

enum { PARAMS_MAX = 10000 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_decode(struct arena *a, struct str text, bool plus_is_space, struct str *out)
{
	char *p = arena_alloc_raw(a, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '%') {
			int hi = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1, lo = hi >= 0 ? hex_digit(text.p[i + 2]) : -1;

			if (lo < 0)
				return false;
			c = (char)(hi * 16 + lo);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		p[n++] = c;
	}
	p[n] = '\0';
	*out = (struct str){ p, n };
	return true;
}

void http_encode(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c != 0 && strchr("-._~", c));

		if (plain)
			buf_putc(out, c);
		else
			buf_printf(out, "%%%02X", (unsigned char)c);
	}
}

bool http_parse_form(struct arena *a, struct str text, struct http_param **v, size_t *n, struct err *e)
{
	size_t cap = *n;
	struct str piece;

	if (text.p == NULL)
		text = STR("");
	while (str_cut(&text, '&', &piece)) {
		size_t eq = str_chr(piece, '=');
		struct http_param p;

		if (piece.n == 0)
			continue;
		if (*n == PARAMS_MAX)
			return err_set(e, ERR_LIMIT, -1, "more than %d parameters", PARAMS_MAX);
		if (!http_decode(a, (struct str){ piece.p, eq }, true, &p.name) ||
		    !http_decode(a, eq < piece.n ? (struct str){ piece.p + eq + 1, piece.n - eq - 1 } : STR(""), true, &p.value))
			return err_set(e, ERR_BAD_INPUT, -1, "malformed %%XX in a parameter: write %%25 for a percent sign");
		*v = arena_grow(a, *v, *n, &cap, *n + 1, sizeof **v);
		(*v)[(*n)++] = p;
	}
	return true;
}

/* "0.5" as 500; malformed ones count as 1. */
static int parse_q(struct str s)
{
	double q;

	if (!str_to_double(s, &q) || !(q >= 0 && q <= 1))
		return 1000;
	return (int)(q * 1000 + 0.5);
}

/* The value of parameter <name> in ";a=b; c=d"; p == NULL when it is absent. */
static struct str find_param(struct str params, struct str name)
{
	struct str piece;

	while (str_cut(&params, ';', &piece)) {
		size_t eq = str_chr(piece, '=');
		struct str value;

		if (eq == piece.n || !str_eq_nocase(str_trim((struct str){ piece.p, eq }), name))
			continue;
		value = str_trim((struct str){ piece.p + eq + 1, piece.n - eq - 1 });
		if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
			value = (struct str){ value.p + 1, value.n - 2 };
		return value;
	}
	return STR_NULL;
}

int http_accept_q(struct str header, struct str item)
{
	struct str want = item, want_type, piece, type;
	int best = -1;

	str_cut(&want, ';', &want_type);
	while (str_cut(&header, ',', &piece)) {
		struct str params = piece, name = want, value, q;

		str_cut(&params, ';', &type);
		if (!str_eq_nocase(str_trim(type), want_type))
			continue;
		if (want.p != NULL) {
			value = want;
			str_cut(&value, '=', &name);
			if (!str_eq_nocase(find_param(params, name), value))
				continue;
		}
		q = find_param(params, STR("q"));
		if (q.p == NULL)
			return 1000;
		if (parse_q(q) > best)
			best = parse_q(q);
	}
	return best;
}
