/* Mapped files that may be cut short while they are read. Private to the store. */
#ifndef TOCSIN_STORE_GUARD_H
#define TOCSIN_STORE_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From now on what is missing of the <n> mapped bytes at <p> reads as zeros and sets <mark>. */
void guard_add(const void *p, size_t n, _Atomic bool *mark);
/* Before they are unmapped. */
void guard_remove(const void *p);

#endif
