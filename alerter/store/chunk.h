/* A chunk: up to CHUNK_SAMPLES samples of one series, encoded. Private to the store.
 *
 * CHUNK_PACKED: numbers of few decimals, which nearly all are; any of them is found at once (packed.h).
 * CHUNK_XOR: any float. Times: the difference of differences, in steps of 7, 13, 20, 34 and 54 bits behind a prefix of ones (a zero
 * costs one bit); values: the bits that differ from the value before.
 * CHUNK_HIST: entries of time and histogram; in files as bytes that tell how each differs from the one before (chunk_hist.c).
 * CHUNK_DENSE: in blocks only, what CHUNK_PACKED is in memory, its values in fewer bytes (dense.h), its times apart.
 * A sealed chunk never changes; it is shared by reference count. The open one belongs to its writer. */
#ifndef TOCSIN_STORE_CHUNK_H
#define TOCSIN_STORE_CHUNK_H

#include <stdatomic.h>

#include "store/bits.h"
#include "tocsin/arena.h"
#include "tocsin/buf.h"
#include "tocsin/histogram.h"

enum { CHUNK_SAMPLES = 120 };
enum chunk_kind { CHUNK_PACKED, CHUNK_XOR, CHUNK_HIST, CHUNK_DENSE };

struct chunk_hist {
	int64_t t_ms;
	struct histogram *h; /* one block of memory */
};

/* There are many: its head is paid for by each. */
struct chunk {
	int64_t min_ms;
	uint32_t span_ms; /* to its last sample */
	uint16_t bits;    /* used of <data>; CHUNK_HIST: none */
	union {
		uint16_t cap;          /* open: bytes of <data>, slack included, which CHUNK_PACKED has not */
		_Atomic uint16_t refs; /* sealed: readers and a flush hold one each, for a moment; in a spool.h file it is 0 */
	};
	uint8_t n;
	uint8_t kind : 7, sealed : 1; /* enum chunk_kind */
	unsigned char data[]; /* CHUNK_HIST: chunk_entries() */
};

enum { CHUNK_FIXED = offsetof(struct chunk, data), CHUNK_HIST_AT = (CHUNK_FIXED + 7) / 8 * 8 - CHUNK_FIXED };
enum { CHUNK_HIST_BYTES = CHUNK_HIST_AT + CHUNK_SAMPLES * sizeof(struct chunk_hist) };

/* Of <data>, slack included if it has any. */
static inline size_t chunk_data_bytes(const struct chunk *c)
{
	if (c->kind == CHUNK_HIST)
		return CHUNK_HIST_BYTES;
	return c->sealed ? (c->bits + 7u) / 8 + BITS_SLACK : c->cap;
}

/* Of a CHUNK_HIST: room for CHUNK_SAMPLES. */
static inline struct chunk_hist *chunk_entries(const struct chunk *c)
{
	return (struct chunk_hist *)((uintptr_t)c->data + CHUNK_HIST_AT);
}

struct chunk_writer {
	struct chunk *open; /* NULL: none */
	uint64_t v_bits;    /* the last value as it was given, whatever the kind */
};

static inline int64_t chunk_max_ms(const struct chunk *c)
{
	return (int64_t)((uint64_t)c->min_ms + c->span_ms);
}

/* A sealed chunk as it lies in memory or in a mapped file; BITS_SLACK bytes behind <data> are readable. CHUNK_HIST: histograms as bytes
 * (chunk_hist.c). */
struct chunk_view {
	int64_t min_ms;
	const unsigned char *data;
	uint32_t bits;
	uint16_t n;
	uint8_t kind;
	struct str times; /* of a CHUNK_PACKED that lies in a block: then <data> has the values alone (packed.h); NULL: all is in <data> */
};

/* Appends; <t_ms> is later than everything before. When the open chunk is full or of the wrong kind it is returned sealed (the
 * caller keeps it) and a new one opened; else NULL. <h> is copied. */
struct chunk *chunk_append(struct chunk_writer *w, int64_t t_ms, double v, const struct histogram *h);
/* As many of <n> floats, ever later ones, as can lie in the open chunk, which is not sealed. Returns how many; the next one is
 * chunk_append()'s. */
unsigned chunk_append_some(struct chunk_writer *w, const int64_t *t_ms, const double *v, unsigned n);
/* Takes the open chunk away, sealed; NULL when there is none. */
struct chunk *chunk_seal(struct chunk_writer *w);
/* Where an open chunk, or NULL, is now: elsewhere if that brings its slab nearer to being empty. */
struct chunk *chunk_move(struct chunk *c);
void chunk_ref(struct chunk *c);
void chunk_unref(struct chunk *c);
size_t chunk_bytes(const struct chunk *c);
/* A private copy of an open float chunk, to decode without its lock. */
struct chunk *chunk_copy(const struct chunk *c, struct arena *a);
/* Decodes all c->n samples. <h> is filled for CHUNK_HIST only. False when the chunk is damaged. */
bool chunk_decode(const struct chunk *c, int64_t *t_ms, double *v, const struct histogram **h, struct arena *a);

/* The first <n> samples of an open float chunk, as a view; <room> has PACKED_MAX_BYTES, and is used. */
struct chunk_view chunk_view_open(const struct chunk *c, unsigned n, unsigned char *room);

/* An open chunk as the view has it, which may be hostile; <t_ms> and <v>: its samples, decoded. NULL when it is no CHUNK_PACKED that
 * chunk_append() could have made. */
struct chunk *chunk_adopt(const struct chunk_view *c, const int64_t *t_ms, const double *v);

/* A CHUNK_PACKED or CHUNK_DENSE, to be read where it is. False when it is damaged. */
struct packed;
bool chunk_open(const struct chunk_view *c, struct packed *p);

/* Appends the bytes a view of the chunk has as <data>, without slack, and returns how many bits they are. */
uint32_t chunk_write(const struct chunk *c, struct buf *out);
/* As chunk_decode. The bytes may be hostile: false when they are no chunk of view->n samples. */
bool chunk_view_decode(const struct chunk_view *c, int64_t *t_ms, double *v, const struct histogram **h, struct arena *a);

struct histogram *histogram_dup(const struct histogram *h);                      /* one block; free() it */
bool chunk_histogram_same(const struct histogram *a, const struct histogram *b); /* bit by bit */

/* chunk_hist.c: entries of a CHUNK_HIST as bytes and back. */
void chunk_hist_write_one(const struct histogram *h, int64_t t_ms, struct buf *out); /* NULL: a stale marker */
void chunk_hist_write(const struct chunk_hist *entry, unsigned n, struct buf *out);
bool chunk_hist_read(struct str bytes, unsigned n, int64_t *t_ms, double *v, const struct histogram **h, struct arena *a);

#endif
