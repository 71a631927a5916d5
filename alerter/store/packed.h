/* Samples of fixed width, so that any of them is found without reading those before: the data of CHUNK_PACKED. Private to the
 * store.
 *
 * Times and values are whole numbers (fractions: of the smallest unit of ten that makes them whole), each near a straight line: of
 * each sample only how far it lies above the line is kept, in as few bits as the farthest needs. Both numbers of a sample lie side
 * by side. A stale marker has all bits of its value set. The head comes first, in as many bytes as its numbers need:
 *	t_bits, v_bits, decimals and what the slopes are shifted by, n_stale, n_falls: a byte each
 *	how many bytes base and slope of the times take (low and high half of a byte), the same of the values; these numbers, signed
 * Times are since the first sample of the chunk.
 *
 * A block keeps times and values apart, since the series of a target share their times (struct packed_parts):
 *	times: t_bits, its highest bit set when the slope is whole; sizes of the two numbers; these; rows of times
 *	values: as dense.h has them. Blocks of version 4 (CHUNK_PACKED): v_bits, its highest bit set when there are stale markers or falls;
 *	decimals and shift; sizes; n_stale and n_falls, if there are any; the two numbers; rows of values */
#ifndef TOCSIN_STORE_PACKED_H
#define TOCSIN_STORE_PACKED_H

#include <string.h>

#include "store/dense.h"
#include "tocsin/str.h"

struct packed_line {
	int64_t base, slope;    /* at sample i: base + (i * slope >> PACKED_FRACTION), modulo 2^64; slope a multiple of 2^8 */
};

struct packed_head {
	struct packed_line t, v;
	uint8_t t_bits, v_bits; /* up to 64 */
	uint8_t decimals;       /* values are in units of 10^-decimals */
	uint8_t n_stale;
	uint8_t n_falls;        /* samples below the one before; more are counted where a stale marker stands between */
	uint8_t bytes;          /* of the head as it is written */
};

/* PACKED_SLACK: bytes behind the last sample that must be readable. */
enum { PACKED_FRACTION = 16, PACKED_DECIMALS = 6, PACKED_SLACK = 9, PACKED_MAX = 120 };
enum { PACKED_HEAD_MIN = 7, PACKED_HEAD_MAX = PACKED_HEAD_MIN + 4 * 8 };
enum { PACKED_MAX_BYTES = PACKED_HEAD_MAX + PACKED_MAX * 16 + PACKED_SLACK };

/* Below it are all numbers of units. */
#define PACKED_MOST 0x1p50

/* Whether <v>, no stale marker, can be one of the numbers behind these <n>; with <n> 0 <data> is not read. */
bool packed_takes(const unsigned char *data, unsigned n, double v);
/* Puts samples behind the <n> there are, whose first is at <first_ms>: as many of <more> as fit as they are, which is returned; the first
 * of all never does, and packed_rewrite() must make room. There is room for all of them and PACKED_SLACK bytes. */
unsigned packed_append(unsigned char *data, unsigned n, int64_t first_ms, const int64_t *t_ms, const double *v, unsigned more);
/* All <n> samples and <more> into <out>, without those from the first on that is not taken. Returns how many went in. */
unsigned packed_rewrite(const unsigned char *data, unsigned n, int64_t first_ms, const int64_t *t_ms, const double *v,
                        unsigned more, unsigned char out[PACKED_MAX_BYTES]);
/* All samples into <out>, without the room kept for what might have come. */
void packed_tighten(const unsigned char *data, unsigned n, unsigned char out[PACKED_MAX_BYTES]);
/* The line through the first and the last of <x>, low enough for all, and how far above it the farthest lies. <skip>: which do not count;
 * NULL: all do. <level>: one that does not rise. */
struct packed_line packed_fit(const int64_t *x, const bool *skip, unsigned n, bool level, uint64_t *range);
double packed_unit(unsigned decimals); /* how many make 1 */
/* At bit <at>; what lies behind the value is made zero. */
void packed_put(unsigned char *rows, size_t at, uint64_t value, unsigned bits);
uint32_t packed_bits(const unsigned char *data, unsigned n);
/* Of one sample. */
uint32_t packed_row_bits(const unsigned char *data);

/* Both parts of <n> samples, without room for more; PACKED_SLACK bytes behind each are zero. */
struct packed_parts {
	unsigned char times[PACKED_MAX_BYTES], values[PACKED_MAX_BYTES];
	size_t n_times, n_values; /* bytes */
};
void packed_split(const unsigned char *data, unsigned n, struct packed_parts *out);

/* What is needed to read, made once a chunk. */
struct packed {
	struct packed_head head;
	const unsigned char *t_rows, *v_rows;
	unsigned t_step, v_step, v_first; /* bits: from sample to sample, and to the first value */
	unsigned n;
	double unit; /* 10^decimals */
	bool is_dense; /* then <dense> has its values, and the head of them only what they are like (n_stale: 2 if one is not at the end) */
	struct dense dense;
};
/* False when <bits> do not hold <n> samples; their times begin at <first_ms>. */
bool packed_open(struct packed *p, const unsigned char *data, uint32_t bits, unsigned n, int64_t first_ms);
/* The same of two parts of so many bytes. <is_dense>: the values are dense. */
bool packed_open_parts(struct packed *p, struct str times, struct str values, bool is_dense, unsigned n, int64_t first_ms);
/* Dense values made anew in fixed width, in <rows>; there are no stale markers among them but one at the end. */
void packed_widen(struct packed *p, unsigned char rows[PACKED_MAX_BYTES]);
/* How many of the samples are at or before <t_ms>. */
unsigned packed_until(const struct packed *p, int64_t t_ms);
void packed_decode(const struct packed *p, int64_t *t_ms, double *v);

static inline uint64_t packed_get(const unsigned char *rows, size_t at, unsigned bits)
{
	unsigned shift = (unsigned)(at & 7);
	const unsigned char *p = rows + (at >> 3);
	uint64_t word;

	if (bits == 0)
		return 0;
	memcpy(&word, p, sizeof word);
	word >>= shift;
	if (shift + bits > 64)
		word |= (uint64_t)p[8] << (64 - shift);
	return word & ~UINT64_C(0) >> (64 - bits);
}

static inline int64_t packed_on_line(const struct packed_line *l, unsigned i)
{
	return (int64_t)((uint64_t)l->base + (uint64_t)((int64_t)((uint64_t)l->slope * i) >> PACKED_FRACTION));
}

static inline int64_t packed_time(const struct packed *p, unsigned i)
{
	return (int64_t)((uint64_t)packed_on_line(&p->head.t, i) + packed_get(p->t_rows, (size_t)i * p->t_step, p->head.t_bits));
}

/* Not of dense values. */
static inline bool packed_is_stale(const struct packed *p, unsigned i)
{
	uint64_t v = packed_get(p->v_rows, (size_t)i * p->v_step + p->v_first, p->head.v_bits);

	return p->head.n_stale > 0 && (p->head.v_bits == 0 || v == ~UINT64_C(0) >> (64 - p->head.v_bits));
}

/* Of any values: no stale markers, or one at the very end: how a series ends. */
static inline bool packed_at_most_ended(const struct packed *p)
{
	return p->head.n_stale == 0 || (p->head.n_stale == 1 && p->n > 0 && (p->is_dense || packed_is_stale(p, p->n - 1)));
}

/* Sample <i> of a line, which lies at bit <at>; in units. */
static inline double packed_above(const struct packed_line *l, unsigned i, const unsigned char *rows, size_t at, unsigned bits)
{
	return (double)(int64_t)((uint64_t)packed_on_line(l, i) + packed_get(rows, at, bits));
}

/* Not of a stale marker, nor of dense values. */
static inline double packed_value(const struct packed *p, unsigned i)
{
	double v = packed_above(&p->head.v, i, p->v_rows, (size_t)i * p->v_step + p->v_first, p->head.v_bits);

	return p->head.decimals == 0 ? v : v / p->unit;
}

/* Of any values: those of samples <first> and <last>, first <= last, which are no stale markers. */
static inline void packed_ends(const struct packed *p, unsigned first, unsigned last, double v[2])
{
	if (p->is_dense) {
		dense_ends(&p->dense, first, last, v);
		return;
	}
	v[0] = packed_value(p, first);
	v[1] = packed_value(p, last);
}

#endif
