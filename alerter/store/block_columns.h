/* The columns of a block that is being written: when chunks begin and end, how many samples they have, and the times of packed ones. Chunks whose
 * series are scraped together share one, so each is kept once, in the order in which they came first. Private to block_write.c. */
#ifndef TOCSIN_STORE_BLOCK_COLUMNS_H
#define TOCSIN_STORE_BLOCK_COLUMNS_H

#include "store/block.h"

struct block_new_column {
	int64_t min_ms;
	uint32_t span_ms, at, hash;
	uint8_t n;
};

struct block_columns { /* {0}: none */
	struct block_new_column *v;
	size_t n, cap;
	struct buf times;
	uint32_t *table; /* column + 1; open addressing, power of two */
	size_t table_cap;
};

void block_columns_fini(struct block_columns *c);
/* The number of the column; <times> may be empty. False and <e> (LIMIT): it is one too many. */
bool block_columns_add(struct block_columns *c, struct block_new_column column, struct str times, uint32_t *number, struct err *e);
/* Their sections, the block's first time being <begin_ms>. */
void block_columns_put(const struct block_columns *c, int64_t begin_ms, struct buf *out);
void block_columns_put_times(const struct block_columns *c, struct buf *out);

#endif
