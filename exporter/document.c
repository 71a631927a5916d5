/* jansson refuses a document with one integer too large for it, or takes all its integers as reals: so that an id of 17 digits
 * beside it stays what it is, the large ones alone are given a decimal point. */
#include "document.h"

#include <string.h>

#include "tocsin/buf.h"

#define BOM "\xef\xbb\xbf"
#define FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL)

/* How many bytes of <s>, which begins outside of texts, stand before the next number. */
static size_t before_number(struct str s)
{
	bool quoted = false;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			quoted = !quoted;
		else if (quoted && s.p[i] == '\\')
			i++;
		else if (!quoted && (s.p[i] == '-' || (s.p[i] >= '0' && s.p[i] <= '9')))
			return i;
	}
	return s.n;
}

/* The number at the start of <s>; <*point>: it is an integer that 64 bits do not hold. */
static struct str number_at(struct str s, bool *point)
{
	struct str number = { s.p, 0 };
	bool integer = true;
	int64_t v;

	while (number.n < s.n && strchr("0123456789+-.eE", s.p[number.n]) != NULL && s.p[number.n] != '\0') {
		integer = integer && strchr("+.eE", s.p[number.n]) == NULL;
		number.n++;
	}
	*point = integer && number.n > 0 && !str_to_int64(number, &v);
	return number;
}

static void put_points(struct buf *out, struct str text)
{
	while (text.n > 0) {
		const size_t at = before_number(text);
		bool point;
		const struct str number = number_at((struct str){ text.p + at, text.n - at }, &point);

		buf_put(out, text.p, at + number.n);
		if (point)
			buf_putz(out, ".0");
		text = (struct str){ number.p + number.n, text.n - at - number.n };
	}
}

json_t *document_read(struct str text, json_error_t *where)
{
	const size_t mark = str_starts(text, STR(BOM)) ? sizeof BOM - 1 : 0;
	const char *p = text.n > mark ? text.p + mark : "";
	struct buf pointed = { 0 };
	json_error_t own;
	json_t *v = json_loadb(p, text.n - mark, FLAGS, &own);

	if (v == NULL && json_error_code(&own) == json_error_numeric_overflow) {
		put_points(&pointed, (struct str){ p, text.n - mark });
		v = json_loadb(pointed.p, pointed.n, FLAGS, NULL);
		if (v == NULL)          /* for what is wrong and where, in the text as it came */
			v = json_loadb(p, text.n - mark, FLAGS | JSON_DECODE_INT_AS_REAL, &own);
		buf_fini(&pointed);
	}
	if (v == NULL && where != NULL) {
		*where = own;
		where->position += (int)mark;
	}
	return v;
}
