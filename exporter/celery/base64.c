/* Four characters at a time through one table; a byte that is no digit has the top bit set and is noticed once a group. */
#include "celery/base64.h"

#define X 0x80
static const unsigned char value_of[256] = {
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, 62, X, X, X, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, X, X, X, X, X, X,
	X, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, X, X, X, X, X,
	X, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
	X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X,
};

bool base64_decode(struct arena *a, struct str text, struct str *out)
{
	while (text.n > 0 && text.p[text.n - 1] == '=')
		text.n--;
	const size_t rest = text.n % 4;
	char *to = arena_alloc_raw(a, text.n / 4 * 3 + 3), *at = to;
	const char *p = text.p;
	unsigned char d[4] = { 0 }, seen = 0;

	for (size_t groups = text.n / 4; groups > 0; groups--, p += 4) {
		for (int i = 0; i < 4; i++)
			seen |= d[i] = value_of[(unsigned char)p[i]];
		*at++ = (char)(d[0] << 2 | d[1] >> 4);
		*at++ = (char)(d[1] << 4 | d[2] >> 2);
		*at++ = (char)(d[2] << 6 | d[3]);
	}
	for (size_t i = 0; i < rest; i++)
		seen |= d[i] = value_of[(unsigned char)p[i]];
	if (rest >= 2)
		*at++ = (char)(d[0] << 2 | d[1] >> 4);
	if (rest == 3)
		*at++ = (char)(d[1] << 4 | d[2] >> 2);
	*out = str_between(to, at);
	return (seen & X) == 0 && rest != 1;
}

void base64_encode(struct buf *out, struct str s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < s.n; i += 3) {
		unsigned v = 0;
		for (size_t k = 0; k < 3; k++)
			v = v << 8 | (i + k < s.n ? (unsigned char)s.p[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			buf_putc(out, i + k <= s.n ? digits[v >> (18 - 6 * k) & 63] : '=');
	}
}
