/* A growing byte buffer on the heap, for text that is built piece by piece. {0} is an empty one.
 * With <limit> set, appending past it sets <overflow> and keeps what was there: check once at the end. */
#ifndef TOCSIN_BUF_H
#define TOCSIN_BUF_H

#include "tocsin/str.h"

struct buf {
	char *p;
	size_t n, cap;
	size_t limit;           /* 0: none */
	bool overflow;
};

void buf_fini(struct buf *b);
void buf_reset(struct buf *b);                          /* empty, memory kept */
/* With each malformed byte replaced by U+FFFD, so that the result is UTF-8. */
void buf_put_utf8(struct buf *b, struct str s);
/* In capitals or small letters, of any script. */
void buf_put_case(struct buf *b, struct str s, bool upper);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* The slow half of buf_reserve. */
char *buf_make_room(struct buf *b, size_t n);
/* NUL behind the text; valid until the next append. */
const char *buf_z(struct buf *b);

/* Room for <n> more bytes; returns where they go. The caller adds what it wrote to <b>->n. NULL on overflow. */
static inline char *buf_reserve(struct buf *b, size_t n)
{
	return b->limit == 0 && b->cap - b->n > n ? b->p + b->n : buf_make_room(b, n);
}

static inline void buf_put(struct buf *b, const void *p, size_t n)
{
	char *to = buf_reserve(b, n);

	if (to == NULL || n == 0)
		return;
	memcpy(to, p, n);
	b->n += n;
}

static inline void buf_putc(struct buf *b, char c)
{
	char *to = buf_reserve(b, 1);

	if (to == NULL)
		return;
	*to = c;
	b->n++;
}

static inline void buf_puts(struct buf *b, struct str s)
{
	buf_put(b, s.p, s.n);
}

static inline void buf_putz(struct buf *b, const char *z)
{
	buf_put(b, z, strlen(z));
}

static inline struct str buf_str(const struct buf *b)
{
	return (struct str){ b->p, b->n };
}

#endif
