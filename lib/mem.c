/* Allocation that cannot fail. The only place that answers "no memory". */
#include "tocsin/mem.h"

#include <link.h>
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

void *mem_grow(void *p, size_t *cap, size_t need, size_t item_bytes)
{
	size_t cap2 = *cap ? *cap : 8;

	if (need <= *cap)
		return p;
	while (cap2 < need) {
		if (__builtin_mul_overflow(cap2, (size_t)2, &cap2))
			mem_abort(SIZE_MAX);
	}
	return grow_to(p, cap, cap2, item_bytes);
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

static bool has_own_pages(const struct dl_phdr_info *object)
{
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &object->dlpi_phdr[i];
		const ElfW(Dyn) *d = (const ElfW(Dyn) *)(object->dlpi_addr + h->p_vaddr);

		for (; h->p_type == PT_DYNAMIC && d->d_tag != DT_NULL; d++)
			if (d->d_tag == DT_TEXTREL || (d->d_tag == DT_FLAGS && (d->d_un.d_val & DF_TEXTREL) != 0))
				return true;
	}
	return false;
}

/* Code and constants of the program and its libraries are as the file has them, so the kernel maps a page again when somebody wants it. What
 * was only needed to begin, which is most, stays away. */
static int forget_code(struct dl_phdr_info *object, size_t size, void *ctx)
{
	const uintptr_t page = *(const uintptr_t *)ctx;

	(void)size;
	for (size_t i = 0; i < object->dlpi_phnum && !has_own_pages(object); i++) {
		const ElfW(Phdr) *h = &object->dlpi_phdr[i];
		uintptr_t begin = (object->dlpi_addr + h->p_vaddr + page - 1) & ~(page - 1);
		uintptr_t end = (object->dlpi_addr + h->p_vaddr + h->p_memsz) & ~(page - 1);

		if (h->p_type == PT_LOAD && (h->p_flags & PF_W) == 0 && begin < end)
			(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
	return 0;
}

void mem_trim(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	malloc_trim(0);
	dl_iterate_phdr(forget_code, &page);
}
