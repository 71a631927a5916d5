/* JSON as text. The only state is whether a comma is due. */
#include "tocsin/json.h"

#include <math.h>

#include "tocsin/clock.h"
#include "tocsin/num.h"

static void before_value(struct json_out *j)
{
	if (j->comma)
		buf_putc(j->to, ',');
	j->comma = true;
}

void json_out_open(struct json_out *j, char bracket)
{
	before_value(j);
	buf_putc(j->to, bracket);
	j->comma = false;
}

void json_out_close(struct json_out *j, char bracket)
{
	buf_putc(j->to, bracket);
	j->comma = true;
}

/* Characters that some reader takes for a line break, a mark or a control: escaped, so that the text is also YAML and JavaScript.
 * Their code, 0 for all others. */
static unsigned invisible(const char *p, size_t len)
{
	const unsigned char *c = (const unsigned char *)p;
	unsigned rune = 0;

	if (len == 2)
		rune = (c[0] & 0x1fu) << 6 | (c[1] & 0x3fu);
	else if (len == 3)
		rune = (c[0] & 0x0fu) << 12 | (c[1] & 0x3fu) << 6 | (c[2] & 0x3fu);
	return (rune >= 0x80 && rune < 0xa0) || rune == 0x2028 || rune == 0x2029 || rune == 0xfeff || rune >= 0xfffe ? rune : 0;
}

/* Up to which byte the text needs no escape and is UTF-8. */
static size_t plain_run(struct str s)
{
	size_t i = 0, len;

	for (; i < s.n; i += len) {
		unsigned char c = (unsigned char)s.p[i];

		len = 1;
		if (c > '\\' && c < 0x7f)      /* most of what there is */
			continue;
		if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
			break;
		len = c < 0x80 ? 1 : str_utf8_len((struct str){ s.p + i, s.n - i });
		if (len == 0 || (len > 1 && invisible(s.p + i, len)))
			break;
	}
	return i;
}

/* All of the eight are: if not, one of these sums and differences sets the highest bit of a byte. */
static bool are_plain(uint64_t x)
{
	const uint64_t ones = 0x0101010101010101, highest = 0x80 * ones;

	return (((x + ones) | x | (x - ' ' * ones) | ((x ^ '"' * ones) - ones) | ((x ^ '\\' * ones) - ones)) & highest) == 0;
}

/* Less than eight: two halves that may overlap, or what there is and blanks. */
static bool copy_few(char *to, struct str s)
{
	uint64_t eight = ' ' * UINT64_C(0x0101010101010101);
	uint32_t first, last;

	if (s.n < sizeof first) {
		for (size_t i = 0; i < s.n; i++) {
			to[i] = s.p[i];
			eight = eight << 8 | (unsigned char)s.p[i];
		}
	} else {
		memcpy(&first, s.p, sizeof first);
		memcpy(&last, s.p + s.n - sizeof last, sizeof last);
		memcpy(to, &first, sizeof first);
		memcpy(to + s.n - sizeof last, &last, sizeof last);
		eight = (uint64_t)last << 32 | first;
	}
	return are_plain(eight);
}

/* False: it is not all plain, and what was written means nothing. */
static bool copy_plain(char *to, struct str s)
{
	uint64_t eight;
	size_t i = 0;

	for (; i + sizeof eight <= s.n; i += sizeof eight) {
		memcpy(&eight, s.p + i, sizeof eight);
		if (!are_plain(eight))
			return false;
		memcpy(to + i, &eight, sizeof eight);
	}
	if (s.n < sizeof eight)
		return copy_few(to, s);
	memcpy(&eight, s.p + s.n - sizeof eight, sizeof eight);
	memcpy(to + s.n - sizeof eight, &eight, sizeof eight);
	return are_plain(eight);
}

static void put_quoted(struct buf *to, struct str s)
{
	char *p = buf_reserve(to, s.n + 2);

	if (p == NULL || !copy_plain(p + 1, s)) {
		buf_putc(to, '"');
		json_escape(to, s);
		buf_putc(to, '"');
		return;
	}
	p[0] = p[s.n + 1] = '"';
	to->n += s.n + 2;
}

void json_out_key_str(struct json_out *j, struct str key)
{
	before_value(j);
	put_quoted(j->to, key);
	buf_putc(j->to, ':');
	j->comma = false;
}

void json_out_str(struct json_out *j, struct str s)
{
	before_value(j);
	put_quoted(j->to, s);
}

void json_out_strz(struct json_out *j, const char *z)
{
	if (z == NULL)
		json_out_null(j);
	else
		json_out_str(j, str_of(z));
}

void json_out_int(struct json_out *j, int64_t v)
{
	before_value(j);
	buf_printf(j->to, "%lld", (long long)v);
}

void json_out_num(struct json_out *j, double v)
{
	before_value(j);
	if (isfinite(v))
		buf_num(j->to, v);
	else
		buf_putz(j->to, "null");
}

static void put_num_text(struct json_out *j, double v, size_t (*format)(char *, double))
{
	char text[344];

	before_value(j);
	buf_putc(j->to, '"');
	buf_put(j->to, text, format(text, v));
	buf_putc(j->to, '"');
}

void json_out_num_text(struct json_out *j, double v)
{
	put_num_text(j, v, num_format_js);
}

void json_out_num_fixed(struct json_out *j, double v)
{
	put_num_text(j, v, num_format_fixed);
}

void json_out_seconds(struct json_out *j, int64_t ms)
{
	char text[NUM_MAX];

	before_value(j);
	buf_put(j->to, text, num_format_seconds(text, ms));
}

void json_out_time(struct json_out *j, int64_t ms)
{
	char text[32];

	json_out_str(j, (struct str){ text, clock_format_rfc3339(text, ms) });
}

void json_out_bool(struct json_out *j, bool v)
{
	before_value(j);
	buf_putz(j->to, v ? "true" : "false");
}

void json_out_null(struct json_out *j)
{
	before_value(j);
	buf_putz(j->to, "null");
}

void json_out_raw(struct json_out *j, struct str json)
{
	before_value(j);
	buf_puts(j->to, json);
}

void json_out_labels(struct json_out *j, struct labels l)
{
	json_out_open(j, '{');
	for (size_t i = 0; i < l.n; i++) {
		json_out_key_str(j, l.v[i].name);
		json_out_str(j, l.v[i].value);
	}
	json_out_close(j, '}');
}

/* One character that needs it, or one bad byte; returns its bytes. */
static size_t put_escaped(struct buf *to, struct str s)
{
	static const char from[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
	unsigned char c = (unsigned char)s.p[0];
	const char *hit = c ? strchr(from, c) : NULL;
	size_t len = str_utf8_len(s);

	if (hit != NULL)
		buf_printf(to, "\\%c", letters[hit - from]);
	else if (len == 0)
		buf_putz(to, "\xef\xbf\xbd");
	else
		buf_printf(to, "\\u%04x", len > 1 ? invisible(s.p, len) : c);
	return len ? len : 1;
}

void json_escape(struct buf *to, struct str s)
{
	while (s.n > 0) {
		size_t n = plain_run(s);

		buf_put(to, s.p, n);
		s = (struct str){ s.p + n, s.n - n };
		if (s.n == 0)
			return;
		n = put_escaped(to, s);
		s = (struct str){ s.p + n, s.n - n };
	}
}
