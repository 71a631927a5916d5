/* Reading blocks. A file may be damaged or hostile: block_check_rest() holds everything against everything else before anything is used
 * (block_check.c), in time linear in the file; after that only chunks are doubted. */
#include "store/block.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/bits.h"
#include "store/guard.h"
#include "store/varint.h"
#include "tocsin/clock.h"
#include "tocsin/file.h"
#include "tocsin/log.h"
#include "tocsin/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "block files are little endian");
_Static_assert(sizeof(struct block_column) == 16, "part of the file format");

static const char *const section_names[BLOCK_SECTIONS] = {
	"chunks", "times", "columns", "entries", "names", "series", "ends", "symbols",
};

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

bool block_bad(struct err *e, const char *what)
{
	return err_set(e, ERR_IO, -1, "the block is damaged: %s", what);
}

static bool check_header(const struct block *b, struct err *e)
{
	const struct block_header *h = b->header;

	if (b->n_bytes < sizeof *h || memcmp(h->magic, BLOCK_MAGIC, sizeof h->magic) != 0)
		return err_set(e, ERR_IO, -1, "this is no block");
	if (h->version < BLOCK_OLDEST || h->version > BLOCK_VERSION)
		return err_set(e, ERR_BAD_INPUT, -1, "the block has version %u, this program reads %d to %d", h->version,
			       BLOCK_OLDEST, BLOCK_VERSION);
	if (XXH64(h, offsetof(struct block_header, check), 0) != h->check)
		return block_bad(e, "its header");
	if (h->n_sections != BLOCK_SECTIONS || h->min_ms > h->max_ms)
		return block_bad(e, "its header makes no sense");
	return true;
}

static const void *section(const struct block *b, enum block_section s, size_t item_bytes, size_t *n)
{
	*n = b->header->section[s].bytes / item_bytes;
	return b->bytes + b->header->section[s].at;
}

/* They lie one behind the other. */
static bool check_sections(const struct block *b, struct err *e)
{
	uint64_t before = sizeof *b->header;

	for (unsigned s = 0; s < BLOCK_SECTIONS; s++) {
		uint64_t at = b->header->section[s].at, bytes = b->header->section[s].bytes;

		if (at % 8 != 0 || at < before || at > b->n_bytes || bytes > b->n_bytes - at)
			return err_set(e, ERR_IO, -1, "the block is damaged: %s lie outside of it", section_names[s]);
		if (s != BLOCK_CHUNKS && XXH64(b->bytes + at, bytes, 0) != b->header->section[s].check)
			return err_set(e, ERR_IO, -1, "the block is damaged: its %s", section_names[s]);
		before = at + bytes;
	}
	return true;
}

static bool check_symbols(const struct block *b, size_t text_bytes)
{
	for (size_t i = 0; i < b->n_symbols; i++)
		if (b->ends[i] > text_bytes || (i > 0 && b->ends[i] < b->ends[i - 1]))
			return false;
	return b->n_symbols < BLOCK_NONE;
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

/* What every version has. */
static bool check_contents(struct block *b, struct err *e)
{
	size_t text_bytes, time_bytes;

	b->times = section(b, BLOCK_TIMES, 1, &time_bytes);
	b->columns = section(b, BLOCK_COLUMNS, sizeof *b->columns, &b->n_columns);
	b->ends = section(b, BLOCK_ENDS, sizeof *b->ends, &b->n_symbols);
	b->symbols = section(b, BLOCK_SYMBOLS, 1, &text_bytes);
	if (b->n_columns == 0)
		return block_bad(e, "nothing ends its columns");
	b->n_columns--;
	if (!check_symbols(b, text_bytes))
		return block_bad(e, "symbols that overlap");
	if (!check_columns(b, time_bytes))
		return block_bad(e, "columns that make no sense");
	return b->header->version < BLOCK_VERSION ? block4_check(b, e) : block_check(b, e);
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
	free((void *)(uintptr_t)b->old);
	free(b->hashes);
	free(b->joined);
	free(b->good);
	free(b->bad);
	free(b);
}

/* Frees it when its header is damaged. */
static struct block *with_header(struct block *b, struct err *e)
{
	memcpy(&b->head, b->bytes, b->n_bytes < sizeof b->head ? b->n_bytes : sizeof b->head);
	b->header = &b->head;
	if (check_header(b, e))
		return b;
	block_unref(b);
	return NULL;
}

bool block_check_rest(struct block *b, struct err *e)
{
	if (!check_sections(b, e) || !check_contents(b, e) || (atomic_load(&b->cut) && !block_bad(e, "it was cut short")))
		return false;
	b->good = mem_alloc(b->n_entries / 8 + 1);
	b->bad = mem_alloc(b->n_entries / 8 + 1);
	return true;
}

/* Frees it when it is damaged. */
static struct block *whole(struct block *b, struct err *e)
{
	if (b == NULL || block_check_rest(b, e))
		return b;
	block_unref(b);
	return NULL;
}

struct block *block_over(const void *bytes, size_t n, struct err *e)
{
	assert((uintptr_t)bytes % 8 == 0);
	return whole(with_header(block_new(bytes, n, NULL), e), e);
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

struct block *block_map(const char *path, struct err *e)
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
	return p != NULL ? with_header(block_new(p, n, path), e) : NULL;
}

struct block *block_open(const char *path, struct err *e)
{
	return whole(block_map(path, e), e);
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

static inline struct str symbol(const struct block *b, uint64_t i)
{
	uint64_t beg, end;

	if (i >= b->n_symbols)
		return (struct str){ 0 };
	beg = i > 0 ? b->ends[i - 1] : 0;
	end = b->ends[i];
	return (struct str){ b->symbols + beg, end > beg ? end - beg : 0 };
}

struct str block_symbol(const struct block *b, uint64_t i)
{
	return symbol(b, i);
}

/* A label set as it lies in the records. */
struct record {
	uint64_t gap;    /* as block4_labels() says it */
	size_t at;       /* of the next value: a bit */
	uint32_t member; /* of the next name */
	size_t n;        /* labels */
};

static struct record open_record(const struct block *b, uint32_t series)
{
	uint64_t after = block_series_row(b, series, BLOCK_HASH_BITS + b->entry_bits, b->record_bits);
	size_t at = b->groups[series / BLOCK_GROUP].record + after;
	struct str rest = { (const char *)b->records + at, at < b->record_bytes ? b->record_bytes - at : 0 };
	struct record r = { 0 };
	uint64_t head, shape;
	uint32_t end;

	if (!varint_take(&rest, &head) || ((head & 1) != 0 && !varint_take(&rest, &r.gap)) || (shape = head >> 1) >= b->n_shapes)
		return r;
	r.at = (b->record_bytes - rest.n) * 8;
	r.member = b->shapes[shape];
	end = b->shapes[shape + 1];
	r.n = end > r.member && end <= b->n_members && end - r.member <= STORE_MAX_LABELS ? end - r.member : 0;
	return r;
}

/* The next name, and which of its values it is. */
static inline const struct block_name *next_name(const struct block *b, struct record *r, unsigned *bits, uint64_t *value)
{
	uint32_t number = b->members[r->member++];
	const struct block_name *name = &b->names[number < b->n_names ? number : 0];

	*bits = block_value_bits(name);
	*value = r->at + *bits <= b->record_bytes * 8 ? packed_get(b->records, r->at, *bits) : 0;
	r->at += *bits;
	return name;
}

static inline struct label next_label(const struct block *b, struct record *r)
{
	unsigned bits;
	uint64_t value;
	const struct block_name *name = next_name(b, r, &bits, &value);

	return (struct label){ symbol(b, name->symbol), symbol(b, name->first_value + value) };
}

static struct labels labels_and_gap(const struct block *b, uint32_t series, struct label *v, uint64_t *gap)
{
	struct record r;

	if (b->old != NULL)
		return block4_labels(b, series, v, gap);
	r = open_record(b, series);
	*gap = r.gap;
	for (size_t k = 0; k < r.n; k++)
		v[k] = next_label(b, &r);
	return (struct labels){ v, r.n };
}

struct labels block_labels(const struct block *b, uint32_t series, struct label *v)
{
	uint64_t gap;

	return labels_and_gap(b, series, v, &gap);
}

size_t block_pairs(const struct block *b, uint32_t series, struct symbol_pair *v)
{
	struct record r = { 0 };

	if (b->old == NULL)
		r = open_record(b, series);
	for (size_t k = 0; k < r.n; k++) {
		unsigned bits;
		uint64_t value;
		const struct block_name *name = next_name(b, &r, &bits, &value);

		v[k] = (struct symbol_pair){ name->symbol, name->first_value + (uint32_t)value };
	}
	return r.n;
}

uint32_t block_hash(const struct block *b, uint32_t series)
{
	struct label v[STORE_MAX_LABELS];

	if (b->old != NULL)
		return (uint32_t)(b->old->series[series].hash >> 32);
	return b->hashes != NULL ? b->hashes[series] : (uint32_t)(series_hash(block_labels(b, series, v)) >> 32);
}

void block_drop_hashes(struct block *b)
{
	free(b->hashes);
	b->hashes = NULL;
}

uint64_t block_kinship(const struct block *b, uint32_t series)
{
	unsigned room = 48;
	struct record r;
	uint64_t key;

	if (b->old != NULL)
		return 0;
	r = open_record(b, series);
	key = r.member & 0xffff;
	for (size_t k = 0; k < r.n && room > 0; k++) {
		unsigned bits, shown;
		uint64_t value;

		(void)next_name(b, &r, &bits, &value);
		shown = bits < room ? bits : room;
		key = key << shown | value >> (bits - shown);
		room -= shown;
	}
	return key << room;
}

int64_t block_good_ms(const struct block *b, uint32_t series)
{
	struct label v[STORE_MAX_LABELS];
	uint32_t n = block_n_entries(b, series);
	uint64_t gap;

	if (b->old != NULL)
		block4_labels(b, series, v, &gap);
	else
		gap = open_record(b, series).gap;
	if (gap == 1 || n == 0)
		return INT64_MIN;
	return (int64_t)((uint64_t)block_entry(b, block_first(b, series) + n - 1).max_ms - (gap > 0 ? gap - 1 : 0));
}

static bool has_labels(const struct block *b, uint32_t series, struct labels l)
{
	struct record r = open_record(b, series);

	if (r.n != l.n)
		return false;
	for (size_t k = 0; k < l.n; k++) {
		struct label has = next_label(b, &r);

		if (!str_eq(has.name, l.v[k].name) || !str_eq(has.value, l.v[k].value))
			return false;
	}
	return true;
}

/* How the hash of a series compares with <hash>, as far as its row says: below 0, 0 or above. */
static int compare_hash(const struct block *b, uint32_t series, uint64_t hash)
{
	uint64_t first = b->groups[series / BLOCK_GROUP].hash, wanted, has;

	if (first > hash)
		return 1;
	wanted = (hash - first) >> b->hash_shift;
	has = block_series_row(b, series, 0, BLOCK_HASH_BITS);
	return (has > wanted) - (has < wanted);
}

uint32_t block_find(const struct block *b, struct labels labels, uint64_t hash)
{
	size_t lo = 0, hi = b->n_series;

	if (b->old != NULL)
		return block4_find(b, labels, hash);
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (compare_hash(b, (uint32_t)mid, hash) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < b->n_series && compare_hash(b, (uint32_t)lo, hash) == 0; lo++)
		if (has_labels(b, (uint32_t)lo, labels))
			return (uint32_t)lo;
	return BLOCK_NONE;
}

enum { CHECK_BYTES = sizeof(uint16_t) };

/* The bytes of an entry; false when they are not all there, or with <verify> when their checksum does not match. */
static bool entry_bytes(const struct block *b, uint32_t entry, bool verify, struct str *out)
{
	uint64_t beg, end, room = b->header->section[BLOCK_CHUNKS].bytes - BITS_SLACK;
	const unsigned char *p;
	uint16_t check;

	if (b->old != NULL)
		return block4_bytes(b, entry, verify, out);
	beg = block_at(b, entry);
	end = block_at(b, entry + 1);
	if (end > room || beg > end || end - beg < CHECK_BYTES || end - beg > UINT32_MAX / 8)
		return false;
	p = b->bytes + b->header->section[BLOCK_CHUNKS].at + beg;
	memcpy(&check, p, sizeof check);
	*out = (struct str){ (const char *)p + CHECK_BYTES, end - beg - CHECK_BYTES };
	return !verify || (uint16_t)XXH64(out->p, out->n, 0) == check;
}

/* The bytes of the entry, or of the one that has the same; <*kind> is theirs. */
static bool find_bytes(const struct block *b, uint32_t entry, bool verify, struct str *out, uint8_t *kind)
{
	uint32_t other;

	if (!entry_bytes(b, entry, verify, out))
		return false;
	if (*kind != BLOCK_SAME)
		return true;
	if (out->n != sizeof other)
		return false;
	memcpy(&other, out->p, sizeof other);
	*kind = CHUNK_DENSE;
	return other < entry && block_entry_row(b, other, 0, BLOCK_KIND_BITS) == CHUNK_DENSE && entry_bytes(b, other, verify, out);
}

static bool view_of(const struct block *b, uint32_t entry, struct block_entry c, bool verify, struct chunk_view *out)
{
	const struct block_column *column = &b->columns[c.column];
	uint32_t beg = column->at, end = column[1].at;
	struct str bytes;

	if (c.n == 0 || !find_bytes(b, entry, verify, &bytes, &c.kind))
		return false;
	*out = (struct chunk_view){ .min_ms = c.min_ms,
		                    .data = (const unsigned char *)bytes.p,
		                    .bits = (uint32_t)bytes.n * 8,
		                    .n = c.n,
		                    .kind = c.kind,
		                    .times = { (const char *)b->times + beg, end > beg ? end - beg : 0 } };
	return true;
}

size_t block_entry_bytes(const struct block *b, uint32_t entry)
{
	struct str bytes = { 0 };

	(void)entry_bytes(b, entry, false, &bytes);
	if (b->old != NULL)
		return sizeof *b->old->entries + sizeof(uint32_t) + bytes.n;
	return (BLOCK_KIND_BITS + b->column_bits + b->at_bits + 7) / 8 + CHECK_BYTES + bytes.n;
}

void block_warm(const struct block *b, const uint32_t *v, size_t n)
{
	const unsigned char *chunks = b->bytes + b->header->section[BLOCK_CHUNKS].at;
	size_t series_bits = BLOCK_HASH_BITS + b->entry_bits + b->record_bits;
	size_t entry_bits = BLOCK_KIND_BITS + b->column_bits + b->at_bits;

	for (size_t i = 0; i < n && b->old == NULL; i++)
		mem_warm(b->series_rows + v[i] * series_bits / 8);
	for (size_t i = 0; i < n && b->old == NULL; i++)
		mem_warm(b->entry_rows + block_first(b, v[i]) * entry_bits / 8);
	for (size_t i = 0; i < n; i++) {
		const unsigned char *chunk = chunks + block_at(b, block_first(b, v[i]));

		mem_warm(chunk);
		mem_warm(chunk + 64);
	}
}

void block_warm_labels(const struct block *b, const uint32_t *v, size_t n)
{
	size_t series_bits = BLOCK_HASH_BITS + b->entry_bits + b->record_bits;
	size_t entry_bits = BLOCK_KIND_BITS + b->column_bits + b->at_bits;

	for (size_t i = 0; i < n && b->old == NULL; i++) {
		mem_warm(b->series_rows + v[i] * series_bits / 8);
		mem_warm(&b->groups[v[i] / BLOCK_GROUP]);
	}
	for (size_t i = 0; i < n && b->old == NULL; i++) {
		mem_warm(b->records + b->groups[v[i] / BLOCK_GROUP].record + block_series_row(b, v[i], BLOCK_HASH_BITS + b->entry_bits, b->record_bits));
		mem_warm(b->entry_rows + block_first(b, v[i]) * entry_bits / 8);
	}
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
	snprintf(at, sizeof at, "%" PRIu64, b->header->section[BLOCK_CHUNKS].at + block_at(b, entry));
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
	struct chunk_view view;
	bool good = view_of(b, entry, c, true, &view) && chunk_view_decode(&view, t_ms, v, h, a) && t_ms[0] == c.min_ms &&
		    t_ms[c.n - 1] == c.max_ms;

	for (unsigned i = 1; i < c.n && good; i++)
		good = t_ms[i] > t_ms[i - 1];
	if (!good)
		note_bad(b, entry, &c);
	return good;
}

bool block_bytes(struct block *b, uint32_t entry, struct chunk_view *out)
{
	const struct block_entry c = block_entry(b, entry);
	bool good = view_of(b, entry, c, true, out);

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

	if ((atomic_load_explicit(good, memory_order_relaxed) >> entry % 8 & 1) != 0)
		return view_of(b, entry, c, false, out);
	if (c.kind == CHUNK_HIST || !block_read(b, entry, t_ms, v, NULL, NULL))
		return false;
	atomic_fetch_or_explicit(good, (unsigned char)(1u << entry % 8), memory_order_relaxed);
	return view_of(b, entry, c, false, out);
}
