/* A borrowed piece of text: pointer and length, passed by value, not NUL-terminated. Never owns. */
#ifndef TOCSIN_STR_H
#define TOCSIN_STR_H

#include <string.h>

#include "tocsin/base.h"

struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_NULL ((struct str){ NULL, 0 })
#define STR_FMT "%.*s"              /* printf("x=" STR_FMT, STR_ARG(s)) */
#define STR_ARG(s) (int)(s).n, ((s).n ? (s).p : "")

static inline struct str str_of(const char *z)
{
	return (struct str){ z, z ? strlen(z) : 0 };
}

static inline struct str str_between(const char *beg, const char *end)
{
	return (struct str){ beg, (size_t)(end - beg) };
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_starts(struct str s, struct str prefix)
{
	return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(struct str s, struct str suffix)
{
	return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* Byte order, the order of Prometheus label values; <0, 0 or >0. */
int str_cmp(struct str a, struct str b);
/* Equal when ASCII case is ignored. */
bool str_eq_nocase(struct str a, struct str b);
/* Position of <needle> in <s>, or <s>.n when absent. */
size_t str_find(struct str s, struct str needle);
/* Position of byte <c> in <s>, or <s>.n when absent. */
size_t str_chr(struct str s, char c);
/* Without leading and trailing spaces, tabs, carriage returns and newlines. */
struct str str_trim(struct str s);
/* Cuts the part before the first <sep> off the front of <*rest>; false when <*rest> was already used up (p == NULL). */
bool str_cut(struct str *rest, char sep, struct str *part);
/* Whole of <s> as a number. Decimal, exponent, hexadecimal, Inf, NaN as strtod takes them, no surrounding space. */
bool str_to_double(struct str s, double *out) MUST_CHECK;
/* The same without hexadecimal, since what other programs write 0x10 is no quantity, and without what is too large to be one: 1e400. */
bool str_to_decimal(struct str s, double *out) MUST_CHECK;
bool str_to_int64(struct str s, int64_t *out) MUST_CHECK;
/* True when <s> is well-formed UTF-8 (no surrogates, no overlong forms). */
bool str_is_utf8(struct str s);
/* Length (1..4) of the UTF-8 sequence <s> begins with, 0 when it is malformed or <s> is empty. */
size_t str_utf8_len(struct str s);
/* The code point <s> begins with, which must be well-formed. */
uint32_t str_utf8_rune(struct str s);
/* Bytes of code point <c> into <out>; returns how many, 0 when it is no character. */
size_t str_utf8_put(char out[4], uint32_t c);
/* 64-bit hash (XXH3); stable within one build, never written to disk. */
uint64_t str_hash(struct str s);
/* One that nobody can foresee who does not know <seed>. */
uint64_t str_hash_seeded(struct str s, uint64_t seed);

#endif
