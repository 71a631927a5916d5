/* Hostile block files. The checksums of a made-up file are put right first, so that what lies behind them is reached; the first byte
 * says of which sections. Whatever the file: no crash, and every series that was accepted is found by its labels. */
#include <stdlib.h>

#include "store/block.h"
#include "tocsin/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_right(unsigned char *p, size_t n, unsigned which)
{
	struct block_header h;

	if (n < sizeof h)
		return;
	memcpy(&h, p, sizeof h);
	for (unsigned s = BLOCK_CHUNKS + 1; s < BLOCK_SECTIONS; s++)
		if ((which >> s & 1) != 0 && h.section[s].at <= n && h.section[s].bytes <= n - h.section[s].at)
			h.section[s].check = XXH64(p + h.section[s].at, h.section[s].bytes, 0);
	h.check = XXH64(&h, offsetof(struct block_header, check), 0);
	memcpy(p, &h, sizeof h);
}

/* The checksum of a chunk whose length takes one byte or two. */
static void put_chunk_right(unsigned char *p, size_t n)
{
	uint32_t check;
	size_t head = n > 4 && p[4] < 0x80 ? 5 : 6, bytes;

	if (n < head)
		return;
	bytes = head == 5 ? p[4] : (size_t)(p[4] & 0x7f) | (size_t)p[5] << 7;
	if (bytes > n - head)
		return;
	check = (uint32_t)XXH64(p + head, bytes, 0);
	memcpy(p, &check, sizeof check);
}

/* Chunks too, in as far as they lie where they should; their checksum is not what is to be tested. */
static void put_chunks_right(unsigned char *p, size_t n)
{
	struct block_header h;

	if (n < sizeof h)
		return;
	memcpy(&h, p, sizeof h);
	if (h.section[BLOCK_ENTRIES].at > n || h.section[BLOCK_ENTRIES].bytes > n - h.section[BLOCK_ENTRIES].at ||
	    h.section[BLOCK_CHUNKS].at > n)
		return;
	for (uint64_t at = 0; at + sizeof(struct block_packed_entry) <= h.section[BLOCK_ENTRIES].bytes;
	     at += sizeof(struct block_packed_entry)) {
		struct block_packed_entry c;
		uint64_t first;

		memcpy(&c, p + h.section[BLOCK_ENTRIES].at + at, sizeof c);
		first = (uint64_t)(c.at_high & 0x3fff) << 32 | (uint64_t)c.at_mid << 16 | c.at_low;
		if (first <= n - h.section[BLOCK_CHUNKS].at)
			put_chunk_right(p + h.section[BLOCK_CHUNKS].at + first, n - h.section[BLOCK_CHUNKS].at - first);
	}
}

static void read_all(struct block *b)
{
	int64_t t[CHUNK_SAMPLES];
	double v[CHUNK_SAMPLES];
	const struct histogram *h[CHUNK_SAMPLES];
	struct label labels[STORE_MAX_LABELS];
	struct arena a = { 0 };

	for (uint32_t i = 0; i < b->n_series; i++) {
		if (block_find(b, block_labels(b, i, labels), block_hash(b, i)) == BLOCK_NONE)
			abort();
		for (uint32_t k = 0; k < block_n_entries(b, i); k++) {
			(void)!block_read(b, block_first(b, i) + k, t, v, h, &a);
			arena_reset(&a);
		}
	}
	arena_fini(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *copy;
	struct block *b;
	struct err e = { 0 };

	if (size == 0 || size > 1 << 20)
		return 0;
	copy = mem_alloc(size);
	memcpy(copy, data + 1, size - 1);
	if ((data[0] & 1) != 0) /* chunks have no checksum of their section */
		put_chunks_right(copy, size - 1);
	put_right(copy, size - 1, data[0]);
	b = block_over(copy, size - 1, &e);
	if (b != NULL)
		read_all(b);
	block_unref(b);
	free(copy);
	return 0;
}
