/* Where chunks lie that were written to a block, by a hash of their bytes, to find those that are the same. A table of fixed size:
 * of very many chunks some are forgotten. Private to block_write.c. */
#ifndef TOCSIN_STORE_BLOCK_SAME_H
#define TOCSIN_STORE_BLOCK_SAME_H

#include <stdlib.h>

#include "tocsin/mem.h"

struct block_same_place {
	uint64_t place; /* where it lies, and in the lowest 16 bits how many bytes it has. 0: nothing is here */
	uint32_t hash, entry;
};

struct block_same { /* {0}: none */
	struct block_same_place *v;
};

/* Shorter ones would gain nothing. */
enum { BLOCK_SAME_SLOTS = 1 << 17, BLOCK_SAME_TRIES = 4, BLOCK_SAME_LEAST = 16 };

static inline void block_same_fini(struct block_same *s)
{
	free(s->v);
}

static inline size_t block_same_bytes(const struct block_same_place *p)
{
	return p->place & UINT16_MAX;
}

/* The place of one with that hash and length, or one to be overwritten with it; NULL: it is too short. */
static inline struct block_same_place *block_same_find(struct block_same *s, uint64_t hash, size_t bytes)
{
	struct block_same_place *place = NULL;

	if (bytes < BLOCK_SAME_LEAST || bytes > UINT16_MAX)
		return NULL;
	if (s->v == NULL)
		s->v = mem_alloc(BLOCK_SAME_SLOTS * sizeof *s->v);
	for (unsigned i = 0; i < BLOCK_SAME_TRIES; i++) {
		struct block_same_place *p = &s->v[(hash + i) % BLOCK_SAME_SLOTS];

		if (block_same_bytes(p) == bytes && p->hash == (uint32_t)(hash >> 32))
			return p;
		if (place == NULL || (place->place != 0 && p->place == 0))
			place = p;
	}
	return place;
}

#endif
