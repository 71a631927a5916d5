/* Whole numbers in as many bytes as they need, seven bits each, the lowest first; signed ones with the sign in the lowest bit. Part of the file
 * formats. */
#ifndef TOCSIN_STORE_VARINT_H
#define TOCSIN_STORE_VARINT_H

#include "tocsin/buf.h"

static inline void varint_put(struct buf *out, uint64_t v)
{
	unsigned char *to = (unsigned char *)buf_reserve(out, 10);
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		to[n++] = (unsigned char)(v | 0x80);
	to[n++] = (unsigned char)v;
	out->n += n;
}

static inline void varint_put_signed(struct buf *out, int64_t v)
{
	varint_put(out, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

/* Takes one from the front of <rest>; false when it does not end there, or after ten bytes. */
static inline bool varint_take(struct str *rest, uint64_t *v)
{
	*v = 0;
	for (size_t i = 0; i < rest->n && i < 10; i++) {
		*v |= (uint64_t)((unsigned char)rest->p[i] & 0x7f) << 7 * i;
		if (((unsigned char)rest->p[i] & 0x80) != 0)
			continue;
		*rest = (struct str){ rest->p + i + 1, rest->n - i - 1 };
		return true;
	}
	return false;
}

static inline bool varint_take_signed(struct str *rest, int64_t *v)
{
	uint64_t u;
	bool ok = varint_take(rest, &u);

	*v = (int64_t)(u >> 1 ^ (0 - (u & 1)));
	return ok;
}

#endif
