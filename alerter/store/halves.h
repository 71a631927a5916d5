/* Work on many of a kind, done by two threads. Private to the store. */
#ifndef TOCSIN_STORE_HALVES_H
#define TOCSIN_STORE_HALVES_H

#include <stddef.h>

/* Calls <fn> with both halves of <n>, at one time, and returns when both are done; with all of it when that is little, or there can be no
 * thread. The second half begins at a multiple of <group>. */
void halves_do(size_t n, size_t group, void (*fn)(void *ctx, size_t beg, size_t end), void *ctx);

#endif
