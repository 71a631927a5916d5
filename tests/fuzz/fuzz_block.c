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

/* The checksums of its chunks: they have none of their section, and are not what is to be tested. */
static void put_chunks_right(const struct block *b, unsigned char *chunks)
{
	uint64_t room = b->header->section[BLOCK_CHUNKS].bytes;

	for (uint32_t i = 0; i < b->n_entries && b->old == NULL; i++) {
		uint64_t beg = block_at(b, i), end = block_at(b, i + 1);
		uint16_t check;

		if (end > room || beg > end || end - beg < sizeof check)
			continue;
		check = (uint16_t)XXH64(chunks + beg + sizeof check, end - beg - sizeof check, 0);
		memcpy(chunks + beg, &check, sizeof check);
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
		struct labels of = block_labels(b, i, labels);

		if (block_find(b, of, series_hash(of)) == BLOCK_NONE)
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
	put_right(copy, size - 1, data[0]);
	b = block_over(copy, size - 1, &e);
	if (b != NULL && (data[0] & 1) != 0)
		put_chunks_right(b, copy + b->header->section[BLOCK_CHUNKS].at);
	if (b != NULL)
		read_all(b);
	block_unref(b);
	free(copy);
	return 0;
}
