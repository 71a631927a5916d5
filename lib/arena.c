/* Bump memory. Blocks form a list, newest first; <next> and <end> point into the newest. A request that does not fit opens a
 * block of at least BLOCK_BYTES, so the waste is bounded by half. Invariant: total_bytes is the sum of all blocks. */
#include "tocsin/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGN = 16, BLOCK_BYTES = 32 * 1024, BLOCK_MAX = 4 * 1024 * 1024 };

struct arena_block {
	struct arena_block *older;
	size_t bytes;           /* behind this header */
};

static char *block_data(struct arena_block *b)
{
	return (char *)b + ((sizeof *b + ALIGN - 1) & ~(size_t)(ALIGN - 1));
}

void arena_init(struct arena *a)
{
	*a = (struct arena){ 0 };
}

void arena_init_small(struct arena *a, size_t first_bytes)
{
	*a = (struct arena){ .first_bytes = first_bytes };
}

static void pop_block(struct arena *a)
{
	struct arena_block *b = a->blocks;

	a->blocks = b->older;
	a->total_bytes -= b->bytes;
	UNPOISON(block_data(b), b->bytes);
	free(b);
}

void arena_fini(struct arena *a)
{
	while (a->blocks != NULL)
		pop_block(a);
	*a = (struct arena){ .first_bytes = a->first_bytes };
}

void arena_reset(struct arena *a)
{
	if (a->blocks == NULL)
		return;
	while (a->blocks->older != NULL)
		pop_block(a);
	a->next = block_data(a->blocks);
	a->end = a->next + a->blocks->bytes;
	POISON(a->next, a->blocks->bytes);
}

static void push_block(struct arena *a, size_t need)
{
	size_t bytes = a->blocks != NULL ? a->blocks->bytes * 2 : a->first_bytes != 0 ? a->first_bytes : BLOCK_BYTES;
	struct arena_block *b;

	if (bytes > BLOCK_MAX)
		bytes = BLOCK_MAX;
	if (bytes < need)
		bytes = need;
	b = malloc(sizeof *b + ALIGN + bytes);
	if (b == NULL)
		mem_abort(bytes);
	b->older = a->blocks;
	b->bytes = bytes;
	a->blocks = b;
	a->total_bytes += bytes;
	a->next = block_data(b);
	a->end = a->next + bytes;
	POISON(a->next, bytes);
}

void *arena_alloc_raw(struct arena *a, size_t bytes)
{
	char *p;

	if (bytes > SIZE_MAX / 2)
		mem_abort(bytes);
	bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (a->blocks == NULL || (size_t)(a->end - a->next) < bytes)
		push_block(a, bytes);
	p = a->next;
	a->next += bytes;
	UNPOISON(p, bytes);
	return p;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	return memset(arena_alloc_raw(a, bytes), 0, bytes);
}

void *arena_array(struct arena *a, size_t n, size_t item_bytes)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, item_bytes, &bytes))
		mem_abort(SIZE_MAX);
	return arena_alloc(a, bytes);
}

void *arena_grow(struct arena *a, void *p, size_t used, size_t *cap, size_t need, size_t item_bytes)
{
	enum { FEW = 8, FEW_BYTES = 128 }; /* of large items mostly one comes, and what is outgrown stays */
	size_t few = item_bytes * FEW <= FEW_BYTES ? FEW : item_bytes < FEW_BYTES ? FEW_BYTES / item_bytes : 1;
	size_t cap2 = *cap ? *cap * 2 : few;
	void *q;

	assert(used <= *cap);
	if (need <= *cap)
		return p;
	if (cap2 < need)
		cap2 = need;
	q = arena_array(a, cap2, item_bytes);
	if (used > 0)
		memcpy(q, p, used * item_bytes);
	*cap = cap2;
	return q;
}

struct str arena_str(struct arena *a, struct str s)
{
	char *p = arena_alloc_raw(a, s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return (struct str){ p, s.n };
}

char *arena_strz(struct arena *a, struct str s)
{
	char *p = arena_alloc_raw(a, s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	p[s.n] = '\0';
	return p;
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	p = arena_alloc_raw(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return (struct str){ p, (size_t)n };
}

struct arena_mark arena_mark(const struct arena *a)
{
	return (struct arena_mark){ a->blocks, a->next };
}

void arena_rewind(struct arena *a, struct arena_mark m)
{
	if (m.block == NULL) {
		arena_reset(a);
		return;
	}
	while (a->blocks != m.block)
		pop_block(a);
	a->next = m.next;
	a->end = block_data(a->blocks) + a->blocks->bytes;
	POISON(a->next, (size_t)(a->end - a->next));
}
