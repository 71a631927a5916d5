/* The names of a block that is being written: label names, the values of each, which names series have together (shapes). Each is
 * numbered as it comes; symbols get their numbers at the end, those of one name together, so that a series' value is a small
 * number. Private to block_write.c. */
#ifndef TOCSIN_STORE_BLOCK_NAMES_H
#define TOCSIN_STORE_BLOCK_NAMES_H

#include "store/symbols.h"
#include "tocsin/buf.h"
#include "tocsin/labels.h"

struct block_names {
	struct symbols names, shapes; /* a shape: numbers of names, 32 bits each */
	struct symbols values;        /* the number of a name, 32 bits, and a text */
	uint32_t *number;             /* of a value, among those of its name */
	uint32_t *count;              /* of values, by name */
	size_t cap_numbers, cap_counts;
	struct buf key;
};

void block_names_init(struct block_names *n);
void block_names_fini(struct block_names *n);
/* What a series' labels are, for block_names_put_record(). */
void block_names_add(struct block_names *n, struct labels labels, struct buf *out);
/* Now that all are known. <gap> as block4_labels() says it. */
void block_names_put_tables(const struct block_names *n, struct buf *out);
void block_names_put_record(const struct block_names *n, struct str added, uint64_t gap, struct buf *out);
void block_names_put_ends(const struct block_names *n, struct buf *out);
void block_names_put_texts(const struct block_names *n, struct buf *out);

#endif
