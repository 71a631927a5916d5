/* The values of a packed chunk as a block has them: in as few bytes as will do, and found without decoding all. Private to the store.
 *
 * Values are whole numbers, as in packed.h, told in one of three ways, whichever is smallest:
 *	LINE: how far each lies above a straight line, by a digit (gauges)
 *	STEPS: how much more than the least step each step is, by a digit (counters)
 *	CHANGES: the same, only of the steps that are not zero, and where they are (what seldom changes)
 * Digits are of a base that the largest fits; as many share a word as fit its width: digits of base 400 take 8.67 bits, not 9. Bytes:
 *	way (2 bits), width of a word (6 bits). Way PLAIN: STEPS, whole numbers, no stale marker
 *	unless PLAIN: decimals (3 bits), ENDED, SOME_STALE, FALLS, WHOLE
 *	signed, the first value or the line's base; signed, the least step or the line's slope; the base of the digits less one
 *	CHANGES: how many, a byte; at which samples, a byte each
 *	words of digits, the first one lowest; the last word is as wide as its digits need
 * ENDED: the last sample is a stale marker, the only one, and has no digit. SOME_STALE (LINE only): the highest digit is a stale marker.
 * FALLS: some value is below the one before. WHOLE: the slope is a whole number, else of units of 2^-8. */
#ifndef TOCSIN_STORE_DENSE_H
#define TOCSIN_STORE_DENSE_H

#include "tocsin/str.h"

/* Digits in words. */
struct digits {
	const unsigned char *words;
	unsigned n, width, per_word; /* per_word 0: the only digit is zero, and there are no words */
	uint64_t base, inverse;      /* inverse: 2^64 / base, rounded up */
};

struct dense {
	struct digits digits;
	const unsigned char *places; /* CHANGES: of which samples */
	int64_t first, step;         /* LINE: as struct packed_line has them */
	unsigned n, way;             /* n: samples with a value, or all if SOME_STALE */
	uint8_t decimals;
	bool ended, some_stale, falls;
	double unit;
};

enum { DENSE_MAX_BYTES = 2 + 3 * 10 + 1 + 120 + 120 * 8 + 9 };

/* What is written. */
struct dense_values {
	const int64_t *v;
	const bool *stale; /* their values do not count */
	unsigned n, n_stale;
	uint8_t decimals;
	bool falls;
};

/* Returns how many bytes; PACKED_SLACK more behind them are zero. */
size_t dense_write(const struct dense_values *from, unsigned char out[DENSE_MAX_BYTES]);
/* Of <n> samples; PACKED_SLACK bytes behind are readable. False when they are no such values. */
bool dense_open(struct dense *d, struct str bytes, unsigned n);
/* All <n> of dense_open(). */
void dense_decode(const struct dense *d, double *v);
/* The whole numbers they are, but of stale markers. */
void dense_units(const struct dense *d, int64_t *units);
/* Of samples <first> and <last>, first <= last, which are no stale markers. */
void dense_ends(const struct dense *d, unsigned first, unsigned last, double v[2]);

#endif
