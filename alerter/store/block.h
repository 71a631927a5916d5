/* A block: sealed chunks of many series in one file, <first_ms>-<last_ms>-<n>.blk, which never changes. Private to the store.
 *
 *	header | chunks | times | columns | entries | pairs | series | ends | symbols
 *
 * Sections begin at multiples of eight. Chunks lie one behind the other: a checksum, the length (seven bits a byte), the bytes that chunk_write()
 * gives, of packed samples only the values (dense.h; blocks of version 4: packed.h). Opening a block does not read them; every other section has its checksum in the header, and the
 * header its own. columns: when chunks begin and end, and where in times the times of their samples are; series that are scraped together share
 * them. entries: where each chunk is, those of one series together, in time order. pairs: of each series how many labels, how long before its
 * last sample its last good one was, and its labels as symbols, sorted by name, each number in as few bytes as it needs, seven bits each.
 * series: sorted by series_hash(). ends: where each symbol's text ends. Numbers are little endian.
 *
 * A block is opened by mapping it: chunks are read in place. It is shared by reference count. What was checked when it was opened may turn to zeros,
 * and <cut> be set, when the file is cut short: so zeros must do no harm, and who reads looks at <cut> afterwards. */
#ifndef TOCSIN_STORE_BLOCK_H
#define TOCSIN_STORE_BLOCK_H

#include <stdatomic.h>

#include "store/chunk.h"
#include "store/store.h"
#include "tocsin/err.h"
#include "tocsin/labels.h"
#include "tocsin/querier.h"

#define BLOCK_MAGIC "TOCSINB1"
#define BLOCK_NONE UINT32_MAX

enum { BLOCK_OLDEST = 4, BLOCK_VERSION = 5 };
enum block_section { BLOCK_CHUNKS, BLOCK_TIMES, BLOCK_COLUMNS, BLOCK_ENTRIES, BLOCK_PAIRS, BLOCK_SERIES, BLOCK_ENDS, BLOCK_SYMBOLS, BLOCK_SECTIONS };

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

/* Likewise: the column has 32 bits, <at> 46, and above them stands the kind. */
struct block_packed_entry {
	uint16_t column_low, column_high, at_low, at_mid, at_high;
};

struct block_entry {
	int64_t min_ms, max_ms;
	uint64_t at; /* in the chunks */
	uint32_t column;
	uint8_t n, kind;
};

/* One more stands behind the last and says where its entries end. */
struct block_series {
	uint64_t hash;
	uint32_t first_pair, first_entry; /* first_pair: a byte */
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
	const struct block_packed_entry *entries;
	const unsigned char *pairs;
	const struct block_series *series;
	const uint64_t *ends;
	const char *symbols;
	size_t n_columns, n_entries, pair_bytes, n_series, n_symbols;
	unsigned char *joined; /* a bit a series: the store's index knows it; used by history.c and rest.c */
	size_t n_joined;       /* of them; likewise */
	uint32_t serial;       /* in the store that joined it; likewise */
	_Atomic unsigned char *good, *bad; /* a bit a chunk: it was read and found so */
};

/* Part of the file format. */
uint64_t series_hash(struct labels l);

/* Maps a file and checks all but its chunks. NULL and <e> when it is damaged or no block; BAD_INPUT: it is not ours to judge, of another version
 * or no regular file. */
struct block *block_open(const char *path, struct err *e);
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
/* Of the last sample of a series that is no stale marker; INT64_MIN: none. */
int64_t block_good_ms(const struct block *b, uint32_t series);
static inline uint64_t block_hash(const struct block *b, uint32_t series)
{
	return b->series[series].hash;
}

/* Its chunks are entries of the block: so many from that one on, in time order. */
static inline uint32_t block_first(const struct block *b, uint32_t series)
{
	return b->series[series].first_entry;
}

static inline uint32_t block_n_entries(const struct block *b, uint32_t series)
{
	uint32_t beg = block_first(b, series), end = block_first(b, series + 1);

	return end > beg ? end - beg : 0;
}

static inline uint64_t block_at(const struct block *b, uint32_t entry)
{
	const struct block_packed_entry *p = &b->entries[entry];

	return (uint64_t)(p->at_high & 0x3fff) << 32 | (uint64_t)p->at_mid << 16 | p->at_low;
}

static inline struct block_entry block_entry(const struct block *b, uint32_t i)
{
	const struct block_packed_entry *p = &b->entries[i];
	uint32_t column = (uint32_t)p->column_high << 16 | p->column_low;
	const struct block_column *c = &b->columns[column];
	uint64_t min_ms = (uint64_t)b->header->min_ms + ((uint64_t)c->after_high << 32 | c->after_low);

	return (struct block_entry){ .min_ms = (int64_t)min_ms,
		                     .max_ms = (int64_t)(min_ms + c->span_ms),
		                     .at = block_at(b, i),
		                     .column = column,
		                     .n = c->n,
		                     .kind = (uint8_t)(p->at_high >> 14) };
}
/* What the chunk takes, but for the times it shares. */
size_t block_entry_bytes(const struct block *b, const struct block_entry *c);
/* Decodes a chunk; <h> is filled for CHUNK_HIST only. False when it is damaged: times that do not rise are that too. A damaged chunk is named
 * in the log once; what it held is missing, and all else serves. */
bool block_read(struct block *b, uint32_t entry, int64_t *t_ms, double *v, const struct histogram **h, struct arena *a);

/* A chunk's bytes where they lie, with their checksum. False when it is damaged. */
bool block_bytes(struct block *b, uint32_t entry, struct chunk_view *out);
/* A chunk of floats where it lies, read and found good now or before; its times rise. False when it is damaged or holds histograms. */
bool block_chunk(struct block *b, uint32_t entry, struct chunk_view *out);

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
bool block_writer_sorted(struct block_writer *w, struct err *e);
size_t block_writer_bytes(const struct block_writer *w); /* of chunks so far */
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
/* Blocks by rising min_ms into one, in the same folder, but for <except> (NULL: none): <path> gets its name, to be freed; NULL when nothing is
 * left. Gives up when <stop> is set. (merge.c) */
bool block_merge(struct block *const *parts, size_t n, const struct block_except *except, const char *dir, const _Atomic bool *stop,
                 char **path, struct err *e);
/* Removes what writers left behind that were killed. */
void block_sweep(const char *dir);

#endif
