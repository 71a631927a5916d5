/* Allocation that cannot fail. The only place that answers "no memory". */
#include "tocsin/mem.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void mem_abort(size_t bytes)
{
	fprintf(stderr, "out of memory: %zu bytes asked for\n", bytes);
	abort();
}

void *mem_alloc(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (p == NULL)
		mem_abort(bytes);
	return p;
}

void *mem_realloc(void *p, size_t bytes)
{
	void *q = realloc(p, bytes ? bytes : 1);

	if (q == NULL)
		mem_abort(bytes);
	return q;
}

char *mem_strndup(const char *p, size_t n)
{
	char *z = mem_alloc(n + 1);

	if (n > 0)
		memcpy(z, p, n);
	return z;
}

static void *grow_to(void *p, size_t *cap, size_t cap2, size_t item_bytes)
{
	size_t bytes;

	if (__builtin_mul_overflow(cap2, item_bytes, &bytes))
		mem_abort(SIZE_MAX);
	p = mem_realloc(p, bytes);
	memset((char *)p + *cap * item_bytes, 0, (cap2 - *cap) * item_bytes);
	*cap = cap2;
	return p;
}

static size_t double_until(size_t cap, size_t need)
{
	for (cap = cap ? cap : 8; cap < need;)
		if (__builtin_mul_overflow(cap, (size_t)2, &cap))
			mem_abort(SIZE_MAX);
	return cap;
}

void *mem_grow(void *p, size_t *cap, size_t need, size_t item_bytes)
{
	return need <= *cap ? p : grow_to(p, cap, double_until(*cap, need), item_bytes);
}

char *mem_grow_raw(char *p, size_t *cap, size_t need)
{
	*cap = double_until(*cap, need);
	return mem_realloc(p, *cap);
}

void *mem_grow_tight(void *p, size_t *cap, size_t need, size_t item_bytes)
{
	size_t cap2;

	if (need <= *cap)
		return p;
	if (__builtin_add_overflow(need, need / 8 + 4, &cap2))
		mem_abort(SIZE_MAX);
	return grow_to(p, cap, cap2, item_bytes);
}

void mem_trim(void)
{
	malloc_trim(0);
}

/* Of the pages that lie within it. */
static void advise(void *p, size_t bytes, int what)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), beg = ((uintptr_t)p + page - 1) & ~(page - 1), end = ((uintptr_t)p + bytes) & ~(page - 1);

	if (beg < end)
		(void)!madvise((char *)p + (beg - (uintptr_t)p), end - beg, what); /* older kernels do not know it */
}

void mem_populate(void *p, size_t bytes)
{
	advise(p, bytes, MADV_POPULATE_WRITE);
}

void mem_let_go(void *p, size_t bytes)
{
	advise(p, bytes, MADV_DONTNEED);
}
