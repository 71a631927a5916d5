/* Reading blocks. A file may be damaged or hostile: block_over() holds everything against everything else before anything is used, in time
 * linear in the file; after that only chunks are doubted. */
#include "store/block.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/bits.h"
#include "store/guard.h"
#include "tocsin/clock.h"
#include "tocsin/file.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "block files are little endian");
_Static_assert(sizeof(struct block_column) == 16 && sizeof(struct block_packed_entry) == 10 && sizeof(struct block_series) == 16, "part of the file format");

static const size_t item_bytes[BLOCK_SECTIONS] = { 1, 1, sizeof(struct block_column), sizeof(struct block_packed_entry), 1, sizeof(struct block_series),
	                                           sizeof(uint64_t), 1 };
static const char *const section_names[BLOCK_SECTIONS] = { "chunks", "times", "columns", "entries", "pairs", "series", "ends", "symbols" };

/* Each text's hash is chained with its length, so ("ab","c") and ("a","bc") differ. */
uint64_t series_hash(struct labels l)
{
	uint64_t h = l.n;

	for (size_t i = 0; i < l.n; i++) {
		h = XXH3_64bits_withSeed(l.v[i].name.p, l.v[i].name.n, h + l.v[i].name.n);
		h = XXH3_64bits_withSeed(l.v[i].value.p, l.v[i].value.n, h + l.v[i].value.n);
	}
	return h;
}

/* ---- Checking ---- */

static bool bad(struct err *e, const char *what)
{
	return err_set(e, ERR_IO, -1, "the block is damaged: %s", what);
}

static bool check_header(const struct block *b, struct err *e)
{
	const struct block_header *h = b->header;

	if (b->n_bytes < sizeof *h || memcmp(h->magic, BLOCK_MAGIC, sizeof h->magic) != 0)
		return err_set(e, ERR_IO, -1, "this is no block");
	if (h->version < BLOCK_OLDEST || h->version > BLOCK_VERSION)
		return err_set(e, ERR_BAD_INPUT, -1, "the block has version %u, this program reads %d and %d", h->version, BLOCK_OLDEST, BLOCK_VERSION);
	if (XXH64(h, offsetof(struct block_header, check), 0) != h->check)
		return bad(e, "its header");
	if (h->n_sections != BLOCK_SECTIONS || h->min_ms > h->max_ms)
		return bad(e, "its header makes no sense");
	return true;
}

static const void *section(const struct block *b, enum block_section s, size_t *n)
{
	*n = b->header->section[s].bytes / item_bytes[s];
	return b->bytes + b->header->section[s].at;
}

static bool check_sections(const struct block *b, struct err *e)
{
	for (unsigned s = 0; s < BLOCK_SECTIONS; s++) {
		uint64_t at = b->header->section[s].at, bytes = b->header->section[s].bytes;

		if (at % 8 != 0 || at < sizeof *b->header || at > b->n_bytes || bytes > b->n_bytes - at || bytes % item_bytes[s] != 0)
			return err_set(e, ERR_IO, -1, "the block is damaged: %s lie outside of it", section_names[s]);
		if (s != BLOCK_CHUNKS && XXH64(b->bytes + at, bytes, 0) != b->header->section[s].check)
			return err_set(e, ERR_IO, -1, "the block is damaged: its %s", section_names[s]);
	}
	return true;
}

static bool check_symbols(const struct block *b, size_t text_bytes)
{
	for (size_t i = 0; i < b->n_symbols; i++)
		if (b->ends[i] > text_bytes || (i > 0 && b->ends[i] < b->ends[i - 1]))
			return false;
	return true;
}

/* A checksum, at least one byte of length, and the slack of what comes. */
enum { CHUNK_HEAD = sizeof(uint32_t), CHUNK_LEAST = CHUNK_HEAD + 1 + BITS_SLACK };

static bool check_entry(const struct block *b, uint32_t i)
{
	const struct block_packed_entry *p = &b->entries[i];
	uint64_t room = b->header->section[BLOCK_CHUNKS].bytes;

	return ((uint32_t)p->column_high << 16 | p->column_low) < b->n_columns && p->at_high >> 14 <= (b->header->version == BLOCK_OLDEST ? CHUNK_HIST : CHUNK_DENSE) && room >= CHUNK_LEAST &&
	       block_at(b, i) <= room - CHUNK_LEAST;
}

static bool check_columns(const struct block *b, size_t time_bytes)
{
	uint64_t whole = (uint64_t)b->header->max_ms - (uint64_t)b->header->min_ms;

	for (size_t i = 0; i < b->n_columns; i++) {
		const struct block_column *c = &b->columns[i];
		uint64_t after = (uint64_t)c->after_high << 32 | c->after_low;

		if (c->n == 0 || c->n > CHUNK_SAMPLES || after > whole || c->span_ms > whole - after || c[1].at < c->at)
			return false;
	}
	return time_bytes >= BITS_SLACK && b->columns[b->n_columns].at <= time_bytes - BITS_SLACK;
}

static struct str symbol(const struct block *b, uint32_t i)
{
	uint64_t beg = i > 0 ? b->ends[i - 1] : 0;
	uint64_t end = b->ends[i];

	return (struct str){ b->symbols + beg, end > beg ? end - beg : 0 };
}

/* A number of the pairs at <*at>. It ends before the section does. */
static uint64_t get_number(const struct block *b, size_t *at)
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

static uint32_t get_symbol(const struct block *b, size_t *at)
{
	uint64_t v = get_number(b, at);

	return v < b->n_symbols ? (uint32_t)v : BLOCK_NONE;
}

/* What stands before the pairs: how many there are; <*at> is moved to them. <gap>: 0 the last sample is good, 1 none is, else by how much more
 * the last good one is earlier. */
static uint32_t get_n_pairs(const struct block *b, uint32_t series, size_t *at, uint64_t *gap)
{
	uint64_t n;

	*at = b->series[series].first_pair;
	n = get_number(b, at);
	*gap = get_number(b, at);
	return n <= STORE_MAX_LABELS ? (uint32_t)n : 0;
}

/* Every number is a symbol, and the names rise. */
static bool check_pairs(const struct block *b, uint32_t series)
{
	size_t at = b->series[series].first_pair;
	uint64_t n = get_number(b, &at), gap;
	uint32_t before = 0;

	(void)get_n_pairs(b, series, &at, &gap);
	if (n > STORE_MAX_LABELS || at > b->pair_bytes || n > (b->pair_bytes - at) / 2)
		return false;
	for (uint64_t k = 0; k < n; k++) {
		uint32_t name = get_symbol(b, &at), value = get_symbol(b, &at);

		if (name == BLOCK_NONE || value == BLOCK_NONE || symbol(b, value).n == 0 ||
		    (k > 0 && str_cmp(symbol(b, before), symbol(b, name)) >= 0))
			return false;
		before = name;
	}
	return true;
}

static bool check_one_series(const struct block *b, uint32_t i)
{
	const struct block_series *s = &b->series[i];
	struct label v[STORE_MAX_LABELS];
	int64_t last_ms = INT64_MIN;

	if (!check_pairs(b, i) || s[1].first_entry <= s->first_entry || s[1].first_entry > b->n_entries || (i > 0 && s->hash < s[-1].hash))
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
	return series_hash(block_labels(b, i, v)) == s->hash;
}

/* A file with good checksums may still be made up, and two entries may claim the same chunk: then both are served. */
static bool check_contents(struct block *b, struct err *e)
{
	size_t text_bytes, time_bytes;

	b->times = section(b, BLOCK_TIMES, &time_bytes);
	b->columns = section(b, BLOCK_COLUMNS, &b->n_columns);
	b->entries = section(b, BLOCK_ENTRIES, &b->n_entries);
	b->pairs = section(b, BLOCK_PAIRS, &b->pair_bytes);
	b->series = section(b, BLOCK_SERIES, &b->n_series);
	b->ends = section(b, BLOCK_ENDS, &b->n_symbols);
	b->symbols = section(b, BLOCK_SYMBOLS, &text_bytes);
	if (b->n_columns == 0 || b->n_series == 0)
		return bad(e, "nothing ends its columns or series");
	b->n_columns--;
	b->n_series--;
	if (!check_symbols(b, text_bytes))
		return bad(e, "symbols that overlap");
	if (b->n_series >= BLOCK_NONE || b->pair_bytes > UINT32_MAX || b->n_entries > UINT32_MAX || b->n_symbols >= BLOCK_NONE)
		return bad(e, "more series than a block holds");
	if (!check_columns(b, time_bytes))
		return bad(e, "columns that make no sense");
	for (uint32_t i = 0; i < b->n_series; i++)
		if (!check_one_series(b, i))
			return bad(e, "a series that makes no sense");
	return true;
}

static bool check(struct block *b, struct err *e)
{
	memcpy(&b->head, b->bytes, b->n_bytes < sizeof b->head ? b->n_bytes : sizeof b->head);
	b->header = &b->head;
	return check_header(b, e) && check_sections(b, e) && check_contents(b, e);
}

/* ---- Opening ---- */

static struct block *block_new(const void *bytes, size_t n, const char *path)
{
	struct block *b = mem_alloc(sizeof *b);

	b->refs = 1;
	b->bytes = bytes;
	b->n_bytes = n;
	b->path = path != NULL ? mem_strndup(path, strlen(path)) : NULL;
	if (path != NULL)
		guard_add(bytes, n, &b->cut);
	return b;
}

void block_unref(struct block *b)
{
	if (b == NULL || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	if (b->path != NULL)
		guard_remove(b->bytes);
	if (b->path != NULL)
		munmap((void *)(uintptr_t)b->bytes, b->n_bytes);
	free(b->path);
	free(b->joined);
	free(b->good);
	free(b->bad);
	free(b);
}

static struct block *checked(struct block *b, struct err *e)
{
	if (!check(b, e) || (atomic_load(&b->cut) && !bad(e, "it was cut short"))) {
		block_unref(b);
		return NULL;
	}
	b->good = mem_alloc(b->n_entries / 8 + 1);
	b->bad = mem_alloc(b->n_entries / 8 + 1);
	return b;
}

struct block *block_over(const void *bytes, size_t n, struct err *e)
{
	assert((uintptr_t)bytes % 8 == 0);
	return checked(block_new(bytes, n, NULL), e);
}

static void *map_file(int fd, size_t *n, struct err *e)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		err_set(e, ERR_BAD_INPUT, -1, FILE_NOT_REGULAR);
		return NULL;
	}
	if (fstat(fd, &st) != 0 || st.st_size == 0) {
		err_set(e, ERR_IO, -1, "this is no block");
		return NULL;
	}
	*n = (size_t)st.st_size;
	p = mmap(NULL, *n, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		err_set(e, ERR_IO, -1, "cannot map it: %s", strerror(errno));
	return p == MAP_FAILED ? NULL : p;
}

struct block *block_open(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t n;
	void *p;

	if (fd < 0) {
		err_set(e, ERR_IO, -1, "cannot open it: %s", strerror(errno));
		return NULL;
	}
	p = map_file(fd, &n, e);
	close(fd);
	return p != NULL ? checked(block_new(p, n, path), e) : NULL;
}

void block_cool(const struct block *b)
{
	if (b->path != NULL)
		(void)!madvise((void *)(uintptr_t)b->bytes, b->n_bytes, MADV_DONTNEED);
}

bool block_is_whole(struct block *b)
{
	struct stat st;

	if (b->path != NULL && (stat(b->path, &st) != 0 || (size_t)st.st_size != b->n_bytes))
		atomic_store(&b->cut, true);
	return !atomic_load(&b->cut);
}

/* ---- Reading ---- */

struct labels block_labels(const struct block *b, uint32_t series, struct label *v)
{
	uint64_t gap;
	size_t at;
	uint32_t n = get_n_pairs(b, series, &at, &gap);

	for (uint32_t k = 0; k < n; k++) {
		uint32_t name = get_symbol(b, &at), value = get_symbol(b, &at);

		v[k] = name != BLOCK_NONE && value != BLOCK_NONE ? (struct label){ symbol(b, name), symbol(b, value) } : (struct label){ 0 };
	}
	return (struct labels){ v, n };
}

int64_t block_good_ms(const struct block *b, uint32_t series)
{
	uint32_t n = block_n_entries(b, series);
	uint64_t gap;
	size_t at;

	(void)get_n_pairs(b, series, &at, &gap);
	if (gap == 1 || n == 0)
		return INT64_MIN;
	return (int64_t)((uint64_t)block_entry(b, block_first(b, series) + n - 1).max_ms - (gap > 0 ? gap - 1 : 0));
}

static bool has_labels(const struct block *b, uint32_t series, struct labels l)
{
	uint64_t gap;
	size_t at;

	if (get_n_pairs(b, series, &at, &gap) != l.n)
		return false;
	for (size_t k = 0; k < l.n; k++) {
		uint32_t name = get_symbol(b, &at), value = get_symbol(b, &at);

		if (name == BLOCK_NONE || value == BLOCK_NONE || !str_eq(symbol(b, name), l.v[k].name) || !str_eq(symbol(b, value), l.v[k].value))
			return false;
	}
	return true;
}

uint32_t block_find(const struct block *b, struct labels labels, uint64_t hash)
{
	size_t lo = 0, hi = b->n_series;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (block_hash(b, (uint32_t)mid) < hash)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < b->n_series && block_hash(b, (uint32_t)lo) == hash; lo++)
		if (has_labels(b, (uint32_t)lo, labels))
			return (uint32_t)lo;
	return BLOCK_NONE;
}

/* Where the chunk lies and what its bytes should give; no bytes when they cannot be all there. */
static struct chunk_view view_of(const struct block *b, const struct block_entry *c, uint32_t *check)
{
	const unsigned char *chunks = b->bytes + b->header->section[BLOCK_CHUNKS].at, *p = chunks + c->at + CHUNK_HEAD;
	const struct block_column *column = &b->columns[c->column];
	uint64_t room = b->header->section[BLOCK_CHUNKS].bytes - c->at - CHUNK_HEAD - BITS_SLACK, n = 0;
	uint32_t beg = column->at, end = column[1].at;
	unsigned used = 0;

	memcpy(check, p - CHUNK_HEAD, sizeof *check);
	while (used < room && used < 5) {
		n |= (uint64_t)(p[used] & 0x7f) << 7 * used;
		if (p[used++] < 0x80)
			break;
	}
	if (n > room - used || n > UINT32_MAX / 8)
		n = 0;
	return (struct chunk_view){ .min_ms = c->min_ms,
		                    .data = p + used,
		                    .bits = (uint32_t)n * 8,
		                    .n = c->n,
		                    .kind = c->kind,
		                    .times = { (const char *)b->times + beg, end > beg ? end - beg : 0 } };
}

size_t block_entry_bytes(const struct block *b, const struct block_entry *c)
{
	uint32_t check;

	return sizeof(struct block_packed_entry) + CHUNK_HEAD + view_of(b, c, &check).bits / 8;
}

enum { BAD_TOLD = 10 }; /* of a block; there may be thousands */

/* Of a block's file: others are made up, by tests. */
static void tell_bad(const struct block *b, uint32_t entry, const struct block_entry *c, uint32_t number)
{
	char at[24], from[32], until[32];
	struct label v[STORE_MAX_LABELS];
	struct buf labels = { .limit = 500 };

	if (b->path == NULL || number > BAD_TOLD)
		return;
	for (uint32_t i = 0; i < b->n_series && labels.n == 0; i++)
		if (entry >= block_first(b, i) && entry - block_first(b, i) < block_n_entries(b, i))
			labels_print(&labels, block_labels(b, i, v));
	snprintf(at, sizeof at, "%llu", (unsigned long long)(b->header->section[BLOCK_CHUNKS].at + c->at));
	clock_format_rfc3339(from, c->min_ms);
	clock_format_rfc3339(until, c->max_ms);
	log_event(LOG_ERROR, number < BAD_TOLD ? "a chunk is damaged: what it holds is missing"
	                                       : "a chunk is damaged: what it holds is missing; further ones of its file are only counted",
	          "block", b->path, "byte", at, "series", buf_z(&labels), "from", from, "until", until, NULL);
	buf_fini(&labels);
}

static void note_bad(struct block *b, uint32_t entry, const struct block_entry *c)
{
	unsigned char bit = (unsigned char)(1u << entry % 8);

	if ((atomic_fetch_or(&b->bad[entry / 8], bit) & bit) != 0)
		return;
	if (b->count_bad != NULL)
		atomic_fetch_add(b->count_bad, 1);
	tell_bad(b, entry, c, atomic_fetch_add(&b->n_bad, 1) + 1);
}

bool block_read(struct block *b, uint32_t entry, int64_t *t_ms, double *v, const struct histogram **h, struct arena *a)
{
	const struct block_entry c = block_entry(b, entry);
	uint32_t check;
	const struct chunk_view view = view_of(b, &c, &check);
	bool good = c.n > 0 && (uint32_t)XXH64(view.data, view.bits / 8, 0) == check && chunk_view_decode(&view, t_ms, v, h, a) &&
	            t_ms[0] == c.min_ms && t_ms[c.n - 1] == c.max_ms;

	for (unsigned i = 1; i < c.n && good; i++)
		good = t_ms[i] > t_ms[i - 1];
	if (!good)
		note_bad(b, entry, &c);
	return good;
}

bool block_bytes(struct block *b, uint32_t entry, struct chunk_view *out)
{
	const struct block_entry c = block_entry(b, entry);
	uint32_t check;
	bool good;

	*out = view_of(b, &c, &check);
	good = (uint32_t)XXH64(out->data, out->bits / 8, 0) == check;
	if (!good)
		note_bad(b, entry, &c);
	return good;
}

bool block_chunk(struct block *b, uint32_t entry, struct chunk_view *out)
{
	_Atomic unsigned char *good = &b->good[entry / 8];
	const struct block_entry c = block_entry(b, entry);
	int64_t t_ms[CHUNK_SAMPLES];
	double v[CHUNK_SAMPLES];
	uint32_t check;

	*out = view_of(b, &c, &check);
	if ((atomic_load_explicit(good, memory_order_relaxed) >> entry % 8 & 1) != 0)
		return true;
	if (c.kind == CHUNK_HIST || !block_read(b, entry, t_ms, v, NULL, NULL))
		return false;
	atomic_fetch_or_explicit(good, (unsigned char)(1u << entry % 8), memory_order_relaxed);
	return true;
}
