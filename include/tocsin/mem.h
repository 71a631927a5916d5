/* malloc that cannot fail: no memory ends the process, in one place, with one line on stderr. */
#ifndef TOCSIN_MEM_H
#define TOCSIN_MEM_H

#include "tocsin/base.h"

void *mem_alloc(size_t bytes);                                  /* zeroed; free() it */
void *mem_realloc(void *p, size_t bytes);
char *mem_strndup(const char *p, size_t n);
/* Grows the array <p> of <*cap> items so that it holds at least <need>; doubles. Returns the array, updates <*cap>. */
void *mem_grow(void *p, size_t *cap, size_t need, size_t item_bytes);
/* The same for bytes that are written before they are read: they are not zeroed. */
char *mem_grow_raw(char *p, size_t *cap, size_t need);
/* mem_grow() with an eighth to spare, for arrays that are many or large and live long. */
void *mem_grow_tight(void *p, size_t *cap, size_t need, size_t item_bytes);
/* What is free goes back to the system: after much was let go that will not come back soon. Takes milliseconds. */
void mem_trim(void);
/* All of it will be written soon: so its pages come now, and not each when it is touched, which takes five times as long. */
void mem_populate(void *p, size_t bytes);
/* What lies there is not needed any more, though it is not freed yet: whole pages go back to the system now. */
void mem_let_go(void *p, size_t bytes);
/* Asks for the cache line there. A function that did only that would be none to gcc: it leaves out calls of it, without a word. */
static inline void mem_warm(const void *p)
{
	__builtin_prefetch(p);
	__asm__ volatile("" : : "r"(p));
}
NORETURN void mem_abort(size_t bytes);

#endif
