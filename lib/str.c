/* Text that is borrowed: comparing, cutting, converting. */
#include "tocsin/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "tocsin/mem.h"

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c != 0)
		return c;
	return (a.n > b.n) - (a.n < b.n);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

size_t str_find(struct str s, struct str needle)
{
	const char *hit;

	if (needle.n == 0)
		return 0;
	if (s.n < needle.n)
		return s.n;
	hit = memmem(s.p, s.n, needle.p, needle.n);
	return hit ? (size_t)(hit - s.p) : s.n;
}

size_t str_chr(struct str s, char c)
{
	const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

	return hit ? (size_t)(hit - s.p) : s.n;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.n > 0 && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool str_cut(struct str *rest, char sep, struct str *part)
{
	size_t at;

	if (rest->p == NULL)
		return false;
	at = str_chr(*rest, sep);
	*part = (struct str){ rest->p, at };
	*rest = at < rest->n ? (struct str){ rest->p + at + 1, rest->n - at - 1 } : STR_NULL;
	return true;
}

/* Digits, perhaps with a sign in front and a point among them, 15 at most: both the digits and the power of ten are exact, so the
 * quotient is rounded once, as strtod does it. */
static bool short_decimal(struct str s, double *out)
{
	static const double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
	const bool negative = s.n > 0 && s.p[0] == '-';
	size_t i = negative, digits = 0, point = 0;
	uint64_t whole = 0;

	for (; i < s.n; i++) {
		if (s.p[i] == '.' && point == 0 && digits > 0) {
			point = i + 1;
			continue;
		}
		if (s.p[i] < '0' || s.p[i] > '9' || ++digits > 15)
			return false;
		whole = whole * 10 + (uint64_t)(s.p[i] - '0');
	}
	if (digits == 0)
		return false;
	*out = (double)whole / powers[point != 0 ? s.n - point : 0];
	*out = negative ? -*out : *out;
	return true;
}

bool str_to_double(struct str s, double *out)
{
	char shorts[128], *z = shorts, *end;
	bool all;

	if (short_decimal(s, out))
		return true;
	if (s.n == 0 || is_space(s.p[0]))
		return false;
	if (s.n >= sizeof shorts)
		z = mem_alloc(s.n + 1);
	memcpy(z, s.p, s.n);
	z[s.n] = '\0';
	*out = strtod(z, &end);
	all = end == z + s.n;
	if (z != shorts)
		free(z);
	return all;
}

bool str_to_decimal(struct str s, double *out)
{
	bool good = str_chr(s, 'x') == s.n && str_chr(s, 'X') == s.n && str_chr(s, '(') == s.n && str_to_double(s, out);

	return good && (!isinf(*out) || s.p[s.n - 1] == 'f' || s.p[s.n - 1] == 'F' || s.p[s.n - 1] == 'y' || s.p[s.n - 1] == 'Y');
}

bool str_to_int64(struct str s, int64_t *out)
{
	char z[32], *end;
	long long v;

	if (s.n == 0 || s.n >= sizeof z || is_space(s.p[0]))
		return false;
	memcpy(z, s.p, s.n);
	z[s.n] = '\0';
	errno = 0;
	v = strtoll(z, &end, 10);
	*out = v;
	return end == z + s.n && errno == 0;
}

/* Table 3-7 of the Unicode standard. */
size_t str_utf8_len(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len;

	if (s.n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (s.n < len || p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

uint32_t str_utf8_rune(struct str s)
{
	static const unsigned char lead_mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	size_t len = str_utf8_len(s);
	uint32_t rune = len > 0 ? (unsigned char)s.p[0] & lead_mask[len] : 0;

	for (size_t i = 1; i < len; i++)
		rune = rune << 6 | ((unsigned char)s.p[i] & 0x3f);
	return rune;
}

/* Most text is ASCII: eight bytes at a time as long as that holds. */
static size_t skip_ascii(const char *p, size_t n)
{
	size_t i = 0;
	uint64_t word;

	for (; i + sizeof word <= n; i += sizeof word) {
		memcpy(&word, p + i, sizeof word);
		if ((word & 0x8080808080808080ULL) != 0)
			break;
	}
	while (i < n && (p[i] & 0x80) == 0)
		i++;
	return i;
}

size_t str_utf8_put(char out[4], uint32_t c)
{
	if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

bool str_is_utf8(struct str s)
{
	for (size_t i = 0, len; i < s.n; i += len) {
		i += skip_ascii(s.p + i, s.n - i);
		if (i == s.n)
			break;
		len = str_utf8_len((struct str){ s.p + i, s.n - i });
		if (len == 0)
			return false;
	}
	return true;
}

uint64_t str_hash(struct str s)
{
	return XXH3_64bits(s.p, s.n);
}

uint64_t str_hash_seeded(struct str s, uint64_t seed)
{
	return XXH3_64bits_withSeed(s.p, s.n, seed);
}
