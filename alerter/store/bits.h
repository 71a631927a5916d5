/* Bits in a byte array, most significant first. Writers keep SLACK bytes behind what they wrote, so that both sides may touch eight
 * bytes at a time. */
#ifndef TOCSIN_STORE_BITS_H
#define TOCSIN_STORE_BITS_H

#include <string.h>

#include "tocsin/base.h"

enum { BITS_SLACK = 9 };

/* A double's bits, and back. */
static inline uint64_t bits_of(double v)
{
	uint64_t u;

	memcpy(&u, &v, sizeof u);
	return u;
}

static inline double of_bits(uint64_t u)
{
	double v;

	memcpy(&v, &u, sizeof v);
	return v;
}

/* How many bits a number up to <most> takes. */
static inline unsigned bits_needed(uint64_t most)
{
	return most == 0 ? 0 : 64u - (unsigned)__builtin_clzll(most);
}

/* Writes the low <n> bits of <value> (n <= 64) at bit <at>; the bytes from there on must be zero. */
static inline void bits_put(unsigned char *data, size_t at, uint64_t value, unsigned n)
{
	unsigned used = (unsigned)(at & 7);
	unsigned char *p = data + (at >> 3);
	uint64_t word;

	if (n == 0)
		return;
	value <<= 64 - n;
	memcpy(&word, p, sizeof word);
	word |= __builtin_bswap64(value >> used);
	memcpy(p, &word, sizeof word);
	if (used + n > 64)
		p[8] = (unsigned char)(value << (64 - used) >> 56);
}

struct bits_reader {
	const unsigned char *data;
	size_t at, end; /* bits */
	bool overrun;   /* sticky: something was read past the end */
};

/* The next 64 bits, as many as there are, zeros behind the slack; nothing is consumed. */
static inline uint64_t bits_peek(const struct bits_reader *r)
{
	unsigned used = (unsigned)(r->at & 7);
	const unsigned char *p = r->data + (r->at >> 3);
	uint64_t word;

	memcpy(&word, p, sizeof word);
	word = __builtin_bswap64(word);
	return used == 0 ? word : word << used | p[8] >> (8 - used);
}

static inline void bits_skip(struct bits_reader *r, unsigned n)
{
	if (r->end - r->at < n)
		r->overrun = true;
	else
		r->at += n;
}

static inline uint64_t bits_get(struct bits_reader *r, unsigned n)
{
	uint64_t v = n == 0 ? 0 : bits_peek(r) >> (64 - n);

	bits_skip(r, n);
	return v;
}

#endif
