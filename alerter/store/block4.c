/* Reading blocks of versions 4 and 5. */
#include "store/block4.h"

#include "store/bits.h"
#include "store/block.h"
#include "tocsin/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(sizeof(struct block4_entry) == 10 && sizeof(struct block4_series) == 16, "part of the file format");

/* A number of the pairs at <*at>. It ends before the section does. */
static uint64_t get_number(const struct block4 *b, size_t *at)
{
	uint64_t v = 0;

	for (unsigned shift = 0; *at < b->pair_bytes && shift < 64; shift += 7) {
		unsigned char c = b->pairs[(*at)++];

		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			break;
	}
	return v;
}

/* What stands before the pairs: how many there are; <*at> is moved to them. */
static uint64_t get_n_pairs(const struct block4 *b, uint32_t series, size_t *at, uint64_t *gap)
{
	uint64_t n;

	*at = b->series[series].first_pair;
	n = get_number(b, at);
	*gap = get_number(b, at);
	return n;
}

struct labels block4_labels(const struct block *b, uint32_t series, struct label *v, uint64_t *gap)
{
	size_t at;
	uint64_t n = get_n_pairs(b->old, series, &at, gap);

	n = n <= STORE_MAX_LABELS ? n : 0;
	for (uint64_t k = 0; k < n; k++) {
		struct str name = block_symbol(b, get_number(b->old, &at));

		v[k] = (struct label){ name, block_symbol(b, get_number(b->old, &at)) };
	}
	return (struct labels){ v, n };
}

uint32_t block4_find(const struct block *b, struct labels labels, uint64_t hash)
{
	struct label v[STORE_MAX_LABELS];
	size_t lo = 0, hi = b->n_series;
	uint64_t gap;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (b->old->series[mid].hash < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < b->n_series && b->old->series[lo].hash == hash; lo++)
		if (labels_eq(block4_labels(b, (uint32_t)lo, v, &gap), labels))
			return (uint32_t)lo;
	return BLOCK_NONE;
}

/* A checksum, at least one byte of length, and the slack of what comes. */
enum { CHUNK_HEAD = sizeof(uint32_t), CHUNK_LEAST = CHUNK_HEAD + 1 + BITS_SLACK };

bool block4_bytes(const struct block *b, uint32_t entry, bool verify, struct str *out)
{
	uint64_t at = block4_at(b->old, entry), room = b->header->section[BLOCK_CHUNKS].bytes - at - CHUNK_HEAD - BITS_SLACK, n = 0;
	const unsigned char *p = b->bytes + b->header->section[BLOCK_CHUNKS].at + at + CHUNK_HEAD;
	uint32_t check;
	unsigned used = 0;

	memcpy(&check, p - CHUNK_HEAD, sizeof check);
	while (used < room && used < 5) {
		n |= (uint64_t)(p[used] & 0x7f) << 7 * used;
		if (p[used++] < 0x80)
			break;
	}
	if (n > room - used || n > UINT32_MAX / 8)
		return false;
	*out = (struct str){ (const char *)p + used, n };
	return !verify || (uint32_t)XXH64(out->p, out->n, 0) == check;
}

/* ---- Checking ---- */

/* Every number is a symbol, and the names rise. */
static bool check_pairs(const struct block *b, uint32_t series)
{
	size_t at;
	uint64_t gap, n = get_n_pairs(b->old, series, &at, &gap);
	struct str before = { 0 };

	if (n > STORE_MAX_LABELS || at > b->old->pair_bytes || n > (b->old->pair_bytes - at) / 2)
		return false;
	for (uint64_t k = 0; k < n; k++) {
		uint64_t name = get_number(b->old, &at), value = get_number(b->old, &at);

		if (name >= b->n_symbols || value >= b->n_symbols || block_symbol(b, value).n == 0 ||
		    (k > 0 && str_cmp(before, block_symbol(b, name)) >= 0))
			return false;
		before = block_symbol(b, name);
	}
	return true;
}

static bool check_entry(const struct block *b, uint32_t i)
{
	uint64_t room = b->header->section[BLOCK_CHUNKS].bytes;
	unsigned last_kind = b->header->version == BLOCK_OLDEST ? CHUNK_HIST : CHUNK_DENSE;

	return block4_column(b->old, i) < b->n_columns && block4_kind(b->old, i) <= last_kind && room >= CHUNK_LEAST &&
	       block4_at(b->old, i) <= room - CHUNK_LEAST;
}

static bool check_series(const struct block *b, uint32_t i)
{
	const struct block4_series *s = &b->old->series[i];
	struct label v[STORE_MAX_LABELS];
	int64_t last_ms = INT64_MIN;
	uint64_t gap;

	if (!check_pairs(b, i) || s[1].first_entry <= s->first_entry || s[1].first_entry > b->n_entries ||
	    (i > 0 && s->hash < s[-1].hash))
		return false;
	for (uint32_t k = s->first_entry; k < s[1].first_entry; k++) {
		struct block_entry c;

		if (!check_entry(b, k))
			return false;
		c = block_entry(b, k);
		if (k > s->first_entry && c.min_ms <= last_ms)
			return false;
		last_ms = c.max_ms;
	}
	return series_hash(block4_labels(b, i, v, &gap)) == s->hash;
}

bool block4_check(struct block *b, struct err *e)
{
	const struct block_header *h = b->header;
	struct block4 *old = mem_alloc(sizeof *old);

	b->old = old;
	old->entries = (const void *)(b->bytes + h->section[BLOCK_ENTRIES].at);
	old->pairs = b->bytes + h->section[BLOCK_NAMES].at;
	old->series = (const void *)(b->bytes + h->section[BLOCK_SERIES].at);
	old->pair_bytes = h->section[BLOCK_NAMES].bytes;
	b->n_entries = h->section[BLOCK_ENTRIES].bytes / sizeof *old->entries;
	b->n_series = h->section[BLOCK_SERIES].bytes / sizeof *old->series;
	if (b->n_series == 0 || h->section[BLOCK_SERIES].bytes % sizeof *old->series != 0 ||
	    h->section[BLOCK_ENTRIES].bytes % sizeof *old->entries != 0)
		return block_bad(e, "nothing ends its series");
	b->n_series--;
	if (b->n_series >= BLOCK_NONE || old->pair_bytes > UINT32_MAX || b->n_entries > UINT32_MAX)
		return block_bad(e, "more series than a block holds");
	for (uint32_t i = 0; i < b->n_series; i++)
		if (!check_series(b, i))
			return block_bad(e, "a series that makes no sense");
	return true;
}
