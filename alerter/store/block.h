/* A block: sealed chunks of many series in one file, <first_ms>-<last_ms>-<n>.blk, which never changes. Private to the store.
 *
 *	header | chunks | times | columns | entries | names | series | ends | symbols
 *
 * Sections begin at multiples of eight. Opening a block does not read chunks; every other section has its checksum in the header,
 * and the header its own. Numbers are little endian.
 * chunks: one behind the other, those of one series together, in time order: 16 bits of a checksum, then the bytes that
 * chunk_write() gives, of packed samples only the values (dense.h). Of two dense chunks with the same bytes the second has the
 * number of the first in their place: a histogram's count is its last bucket.
 * columns: when chunks begin and end, and where in times the times of their samples are; series that are scraped together share
 * them.
 * entries: of each chunk its kind, its column, and where it lies.
 * series: sorted by series_hash(); of each 16 bits of that hash, its first entry, and where its record is.
 * Both have rows of as many bits as their numbers need beside those of their group of 64.
 * names: which label names series have together (shapes), which symbols are values of each name, and a record a series: its shape,
 * how long before its last sample its last good one was, and which value each of its labels has.
 * ends: where each symbol's text ends.
 * Versions 4 and 5 had wider records, and 4 other values (block4.h); they are read, and written no more.
 *
 * A block is opened by mapping it: chunks are read in place. It is shared by reference count. What was checked when it was opened
 * may turn to zeros, and <cut> be set, when the file is cut short: so zeros must do no harm, and who reads looks at <cut>
 * afterwards. */
#ifndef TOCSIN_STORE_BLOCK_H
#define TOCSIN_STORE_BLOCK_H

#include <stdatomic.h>

#include "store/bits.h"
#include "store/block4.h"
#include "store/chunk.h"
#include "store/packed.h"
#include "store/store.h"
#include "store/symbols.h"
#include "tocsin/err.h"
#include "tocsin/labels.h"
#include "tocsin/querier.h"

#define BLOCK_MAGIC "TOCSINB1"
#define BLOCK_NONE UINT32_MAX

enum { BLOCK_OLDEST = 4, BLOCK_VERSION = 6 };
enum block_section {
	BLOCK_CHUNKS, BLOCK_TIMES, BLOCK_COLUMNS, BLOCK_ENTRIES, BLOCK_NAMES, BLOCK_SERIES, BLOCK_ENDS, BLOCK_SYMBOLS, BLOCK_SECTIONS,
};

struct block_header {
	char magic[8];
	uint32_t version, n_sections;
	int64_t min_ms, max_ms;         /* of the samples */
	int64_t from_ms, until_ms;      /* nothing is missing in between: all that was known then is here or in an older block */
	uint64_t n_samples;
	struct {
		uint64_t at, bytes, check; /* check of BLOCK_CHUNKS: none */
	} section[BLOCK_SECTIONS];
	uint64_t check; /* of all before it */
};

/* As a file has it: <after> is since the block's min_ms. One more stands behind the last and says where its times end. */
struct block_column {
	uint32_t after_low, span_ms, at; /* at: in the times */
	uint16_t after_high;
	uint8_t n, spare; /* samples */
};

enum { BLOCK_GROUP = 64, BLOCK_KIND_BITS = 3, BLOCK_HASH_BITS = 16 };
enum { BLOCK_SAME = CHUNK_DENSE + 1 }; /* a kind of entries: the bytes are the number of an earlier one, which is dense */

/* Then comes where the first chunk of each group lies, 64 bits each; then the rows: kind, column, and how far behind that the chunk
 * lies. One more row says where the last one ends. */
struct block_entries_head {
	uint64_t n;
	uint8_t column_bits, at_bits, spare[6];
};

/* Then come the groups; then the rows: what the hash is more than that of the group's first, less its lowest hash_shift bits; the
 * first entry and the place of the record, both beside the group's. One more row says where the last one's end. */
struct block_series_head {
	uint64_t n;
	uint8_t hash_shift, entry_bits, record_bits, spare[5];
};

struct block_group {
	uint64_t hash;
	uint32_t first_entry, record;
};

/* Then come the names, and one more that says where the last one's values end; where the members of each shape begin, and where the
 * last one's end; the members, which are names; the records: twice the shape, and one more if there is a gap; the gap; of each
 * label the number of its value, in as many bits as the values of its name need. */
struct block_names_head {
	uint32_t n_names, n_shapes, n_members, spare;
};

struct block_name {
	uint32_t symbol, first_value; /* a symbol; the others follow it */
};

static inline unsigned block_value_bits(const struct block_name *name)
{
	return bits_needed((uint32_t)(name[1].first_value - name->first_value - 1));
}

struct block_entry {
	int64_t min_ms, max_ms;
	uint32_t column;
	uint8_t n, kind;
};

struct block {
	_Atomic uint32_t refs;
	_Atomic bool cut; /* something of it was not there any more: set aside at the next maintenance */
	_Atomic uint32_t n_bad; /* chunks that proved to be damaged */
	_Atomic uint64_t *count_bad; /* counted there too; NULL: nowhere */
	char *path;           /* NULL: in memory that is not ours */
	const unsigned char *bytes;
	size_t n_bytes;
	struct block_header head; /* a copy: what is mapped may turn to zeros (guard.h) */
	const struct block_header *header;
	const unsigned char *times;
	const struct block_column *columns;
	const uint64_t *ends;
	const char *symbols;
	size_t n_columns, n_entries, n_series, n_symbols;
	const struct block4 *old; /* versions 4 and 5: in place of what follows */
	const uint64_t *entry_groups;
	const struct block_group *groups;
	const unsigned char *entry_rows, *series_rows, *records;
	unsigned column_bits, at_bits, hash_shift, entry_bits, record_bits;
	const struct block_name *names;
	const uint32_t *shapes, *members;
	size_t n_names, n_shapes, n_members, record_bytes;
	uint32_t *hashes;      /* of each series, as they were checked: block_hash(). NULL: to be found anew. Not in old versions */
	unsigned char *joined; /* a bit a series: the store's index knows it; used by history.c and rest.c */
	_Atomic size_t n_joined; /* of them; likewise */
	uint32_t serial;       /* in the store that joined it; likewise */
	_Atomic unsigned char *good, *bad; /* a bit a chunk: it was read and found so */
};

/* Part of the file format. */
uint64_t series_hash(struct labels l);

/* Maps a file and checks all but its chunks. NULL and <e> when it is damaged or no block; BAD_INPUT: it is not ours to judge, of
 * another version or no regular file. */
struct block *block_open(const char *path, struct err *e);
/* The same in two steps, the second of which may be another thread's. Before it only header and path are to be used; when it fails,
 * nothing but block_unref(). */
struct block *block_map(const char *path, struct err *e);
bool block_check_rest(struct block *b, struct err *e);
/* The same over memory that is borrowed, at a multiple of eight. */
struct block *block_over(const void *bytes, size_t n, struct err *e);
void block_unref(struct block *b);
/* What of it lies in memory may be forgotten: it is read again when it is needed. */
void block_cool(const struct block *b);
/* False when its file is no longer as long as it was. */
bool block_is_whole(struct block *b);

/* BLOCK_NONE when the block has nothing of it. <hash>: series_hash() of the labels. */
uint32_t block_find(const struct block *b, struct labels labels, uint64_t hash);
/* <v> has room for n_pairs. Texts are borrowed from the block. */
struct labels block_labels(const struct block *b, uint32_t series, struct label *v);
/* The same as numbers of the block's symbols; returns how many, 0 in old versions. */
size_t block_pairs(const struct block *b, uint32_t series, struct symbol_pair *v);
/* Upper half of series_hash() of its labels. */
uint32_t block_hash(const struct block *b, uint32_t series);
/* Forgets what only tells it quickly. */
void block_drop_hashes(struct block *b);
/* Of series with the same label names and mostly the same values, numbers that are close together; 0 in old versions. */
uint64_t block_kinship(const struct block *b, uint32_t series);
/* Of the last sample of a series that is no stale marker; INT64_MIN: none. */
int64_t block_good_ms(const struct block *b, uint32_t series);

static inline uint64_t block_series_row(const struct block *b, uint32_t series, unsigned at, unsigned bits)
{
	return packed_get(b->series_rows, (size_t)series * (BLOCK_HASH_BITS + b->entry_bits + b->record_bits) + at, bits);
}

/* Its chunks are entries of the block: so many from that one on, in time order. */
static inline uint32_t block_first(const struct block *b, uint32_t series)
{
	if (b->old != NULL)
		return b->old->series[series].first_entry;
	return b->groups[series / BLOCK_GROUP].first_entry + (uint32_t)block_series_row(b, series, BLOCK_HASH_BITS, b->entry_bits);
}

static inline uint32_t block_n_entries(const struct block *b, uint32_t series)
{
	uint32_t beg = block_first(b, series), end = block_first(b, series + 1);

	return end > beg ? end - beg : 0;
}

static inline uint64_t block_entry_row(const struct block *b, uint32_t entry, unsigned at, unsigned bits)
{
	return packed_get(b->entry_rows, (size_t)entry * (BLOCK_KIND_BITS + b->column_bits + b->at_bits) + at, bits);
}

/* In the chunks. */
static inline uint64_t block_at(const struct block *b, uint32_t entry)
{
	if (b->old != NULL)
		return block4_at(b->old, entry);
	return b->entry_groups[entry / BLOCK_GROUP] + block_entry_row(b, entry, BLOCK_KIND_BITS + b->column_bits, b->at_bits);
}

static inline struct block_entry block_entry(const struct block *b, uint32_t i)
{
	uint64_t column = b->old != NULL ? block4_column(b->old, i) : block_entry_row(b, i, BLOCK_KIND_BITS, b->column_bits);
	uint64_t kind = b->old != NULL ? block4_kind(b->old, i) : block_entry_row(b, i, 0, BLOCK_KIND_BITS);
	const struct block_column *c = &b->columns[column];
	uint64_t min_ms = (uint64_t)b->header->min_ms + ((uint64_t)c->after_high << 32 | c->after_low);

	return (struct block_entry){ .min_ms = (int64_t)min_ms,
		                     .max_ms = (int64_t)(min_ms + c->span_ms),
		                     .column = (uint32_t)column,
		                     .n = c->n,
		                     .kind = (uint8_t)kind };
}
/* What the chunk takes, but for the times it shares. */
size_t block_entry_bytes(const struct block *b, uint32_t entry);
/* Decodes a chunk; <h> is filled for CHUNK_HIST only. False when it is damaged: times that do not rise are that too. A damaged
 * chunk is named in the log once; what it held is missing, and all else serves. */
bool block_read(struct block *b, uint32_t entry, int64_t *t_ms, double *v, const struct histogram **h, struct arena *a);

/* A chunk's bytes where they lie; false when their checksum does not match. */
bool block_bytes(struct block *b, uint32_t entry, struct chunk_view *out);
/* A chunk of floats where it lies, read and found good now or before; its times rise. False when it is damaged or holds histograms.
 * */
bool block_chunk(struct block *b, uint32_t entry, struct chunk_view *out);

/* Asks memory for what is needed of series <v>, in passes: their labels and first entries, or their chunks. */
void block_warm_labels(const struct block *b, const uint32_t *v, size_t n);
void block_warm(const struct block *b, const uint32_t *v, size_t n);

/* Whether all but the chunks and what every version has makes sense (block_check.c). */
bool block_check(struct block *b, struct err *e);
/* One of its symbols; nothing if there is none of that number. */
struct str block_symbol(const struct block *b, uint64_t i);
/* Damaged, and by what. False. */
bool block_bad(struct err *e, const char *what);

/* ---- Writing (block_write.c). One thread; nothing is seen of it before the commit, and all of it after. ---- */

struct block_writer;

/* A new file in the folder <dir>. */
struct block_writer *block_writer_new(const char *dir, struct err *e);
/* Gives up what was not committed. */
void block_writer_free(struct block_writer *w);
/* A series; each once. Labels are copied. */
uint32_t block_writer_series(struct block_writer *w, struct labels labels);
/* A sealed chunk of it, later than those before. <good_ms> as block_good_ms() will say, of all so far. */
bool block_writer_chunk(struct block_writer *w, uint32_t series, const struct chunk *c, int64_t good_ms, struct err *e);
/* The same of a chunk that lies in another block. */
bool block_writer_view(struct block_writer *w, uint32_t series, const struct chunk_view *c, int64_t max_ms, int64_t good_ms, struct err *e);
/* Series come by rising hash, each with all its chunks at once: what describes chunks need not stay in memory. Before the first. */
void block_writer_sorted(struct block_writer *w);
bool block_writer_is_empty(const struct block_writer *w);
/* Writes the rest, syncs, gives the file its name and syncs the folder. <path> gets the name, to be freed. */
bool block_writer_commit(struct block_writer *w, int64_t from_ms, int64_t until_ms, char **path, struct err *e);
/* The same in two steps: what is finished may prove to be in the folder already, byte for byte. Then it is not published. */
bool block_writer_finish(struct block_writer *w, int64_t from_ms, int64_t until_ms, struct err *e);
bool block_writer_is_there(const struct block_writer *w);
bool block_writer_publish(struct block_writer *w, struct err *e);
/* What is left out when blocks are merged: samples of series that match, from min_ms to max_ms. */
struct block_except {
	const struct matcher *matchers;
	size_t n;
	int64_t min_ms, max_ms;
};
bool block_excepts(const struct block_except *x, struct labels l);
/* Blocks by rising min_ms into one, in the same folder, but for <except> (NULL: none): <path> gets its name, to be freed; NULL when
 * nothing is left. Gives up when <stop> is set. (merge.c) */
bool block_merge(struct block *const *parts, size_t n, const struct block_except *except, const char *dir, const _Atomic bool *stop,
                 char **path, struct err *e);
/* Removes what writers left behind that were killed. */
void block_sweep(const char *dir);

#endif
