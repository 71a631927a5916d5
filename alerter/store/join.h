/* What a block has, and the index: which of its series are known there. Private to the store; under maintain_lock, or before anybody else
 * knows the store. */
#ifndef TOCSIN_STORE_JOIN_H
#define TOCSIN_STORE_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct block;
struct store;
struct store_series;

/* Which series go on resting that the index does not know. */
struct resting {
	bool all;
	struct block *const *later; /* of rest_goes_on() */
	size_t n_later;
	int64_t until_ms; /* INT64_MIN: none of them */
};

/* All series of a block that is not in the list yet. Returns how many the store does not take. */
size_t join_block(struct store *st, struct block *b, struct resting resting);
/* A block that left the list. Whoever wakes series and saw it there is waited for. */
void join_undo(struct store *st, const struct block *b);
/* The block has it as its <i>th series. Under the index lock, for writing unless nobody else knows the block. */
void join_series(struct store *st, struct store_series *s, struct block *b, uint32_t i);

#endif
