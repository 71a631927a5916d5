/* Blocks of versions 4 and 5, which are read but not written any more. What differs from today's (block.h): a chunk has 32 bits of
 * checksum and its length (seven bits a byte) before its bytes, in version 4 of packed samples the values as packed.h has them;
 * entries and series are records of fixed size; pairs: of each series how many labels, how long before its last sample its last
 * good one was, and its labels as symbols, sorted by name, seven bits a byte. Private to the store. */
#ifndef TOCSIN_STORE_BLOCK4_H
#define TOCSIN_STORE_BLOCK4_H

#include "tocsin/err.h"
#include "tocsin/labels.h"
#include "tocsin/str.h"

struct block;

/* The column has 32 bits, <at> 46, and above them stands the kind. */
struct block4_entry {
	uint16_t column_low, column_high, at_low, at_mid, at_high;
};

/* One more stands behind the last and says where its entries end. */
struct block4_series {
	uint64_t hash;
	uint32_t first_pair, first_entry; /* first_pair: a byte */
};

struct block4 {
	const struct block4_entry *entries;
	const struct block4_series *series;
	const unsigned char *pairs;
	size_t pair_bytes;
};

static inline uint64_t block4_at(const struct block4 *b, uint32_t i)
{
	const struct block4_entry *p = &b->entries[i];

	return (uint64_t)(p->at_high & 0x3fff) << 32 | (uint64_t)p->at_mid << 16 | p->at_low;
}

static inline uint32_t block4_column(const struct block4 *b, uint32_t i)
{
	return (uint32_t)b->entries[i].column_high << 16 | b->entries[i].column_low;
}

static inline unsigned block4_kind(const struct block4 *b, uint32_t i)
{
	return b->entries[i].at_high >> 14;
}

/* As block_check(); <b> owns what it makes. */
bool block4_check(struct block *b, struct err *e);
/* As block_labels(), which says <*gap> too: 0 the last sample is good, 1 none is, else by how much more the last good one is
 * earlier. */
struct labels block4_labels(const struct block *b, uint32_t series, struct label *v, uint64_t *gap);
uint32_t block4_find(const struct block *b, struct labels labels, uint64_t hash);
/* The bytes of a chunk; false when they are not all there, or with <verify> when their checksum does not match. */
bool block4_bytes(const struct block *b, uint32_t entry, bool verify, struct str *out);

#endif
