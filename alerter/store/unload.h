/* Moves sealed chunks from memory into files (spool.h) when enough of them have gathered. Private to the store. */
#ifndef TOCSIN_STORE_UNLOAD_H
#define TOCSIN_STORE_UNLOAD_H

#include <stdbool.h>
#include <stdint.h>

struct chunk;
struct store;

/* Whether the sealed chunk is one of those, and still in memory. */
bool unload_takes(const struct chunk *);

/* Under maintain_lock. */
void unload_when_due(struct store *, int64_t now_ms);
/* All of them, if there is a disk. Likewise. */
void unload_all(struct store *, int64_t now_ms);

#endif
