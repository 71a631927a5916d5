/* A growing byte buffer. Overflow is sticky and leaves the text as it was: callers check once, at the end. */
#include "tocsin/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/mem.h"
#include "tocsin/num.h"

void buf_fini(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

void buf_reset(struct buf *b)
{
	b->n = 0;
	b->overflow = false;
}

char *buf_make_room(struct buf *b, size_t n)
{
	if (b->overflow || (b->limit != 0 && (n > b->limit || b->n > b->limit - n))) {
		b->overflow = true;
		return NULL;
	}
	if (b->cap - b->n <= n)
		b->p = mem_grow_raw(b->p, &b->cap, b->n + n + 1);
	return b->p + b->n;
}

void buf_put_utf8(struct buf *b, struct str s)
{
	while (s.n > 0) {
		size_t good = 0, len;

		while ((len = str_utf8_len((struct str){ s.p + good, s.n - good })) > 0)
			good += len;
		buf_put(b, s.p, good);
		s = (struct str){ s.p + good, s.n - good };
		if (s.n == 0)
			return;
		buf_put(b, "\xef\xbf\xbd", 3);
		s = (struct str){ s.p + 1, s.n - 1 };
	}
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	to = buf_reserve(b, (size_t)n);
	if (to == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

const char *buf_z(struct buf *b)
{
	if (b->p == NULL || b->n == b->cap)
		b->p = mem_grow_raw(b->p, &b->cap, b->n + 1);
	b->p[b->n] = '\0';
	return b->p;
}

void buf_num(struct buf *b, double v)
{
	char *to = buf_reserve(b, NUM_MAX);

	if (to != NULL)
		b->n += num_format(to, v);
}
