/* Capital and small letters of all scripts, one for one, as Go's unicode package maps them. The C library knows them by a locale
 * that comes with it; where that was removed only ASCII has a case. */
#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "tocsin/buf.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t unicode;

static void load(void)
{
	unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static uint32_t map(uint32_t c, bool upper)
{
	wint_t wide = (wint_t)c;

	if (c < 0x80)
		return upper ? (c >= 'a' && c <= 'z' ? c - 32 : c) : c >= 'A' && c <= 'Z' ? c + 32 : c;
	if (unicode == (locale_t)0)
		return c;
	return (uint32_t)(upper ? towupper_l(wide, unicode) : towlower_l(wide, unicode));
}

void buf_put_case(struct buf *b, struct str s, bool upper)
{
	char out[4];

	pthread_once(&once, load);
	for (size_t i = 0; i < s.n;) {
		struct str rest = { s.p + i, s.n - i };
		size_t len = str_utf8_len(rest);

		if (len > 0)
			buf_put(b, out, str_utf8_put(out, map(str_utf8_rune(rest), upper)));
		else
			buf_putc(b, s.p[i]);
		i += len > 0 ? len : 1;
	}
}
