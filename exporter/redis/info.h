/* The text that INFO and CLUSTER INFO answer: parsed once into pairs, found by exact name. Composite values ("calls=3,usec=17")
 * are read by key, never by position: servers add parts. */
#ifndef TOCSIN_REDIS_INFO_H
#define TOCSIN_REDIS_INFO_H

#include "tocsin/arena.h"
#include "tocsin/expo.h"
#include "tocsin/map.h"

/* A field that is a number and becomes one sample. */
struct info_row {
	struct str field;
	struct expo_family family;
	double divisor;
};
extern const struct info_row info_rows[];       /* sorted by field */
extern const size_t info_rows_n;
extern const struct info_row redis_tile38_rows[];       /* of SERVER EXT */
extern const size_t redis_tile38_rows_n;
extern const struct info_row redis_search_rows[];       /* of FT.INFO */
extern const size_t redis_search_rows_n;

struct info_pair {
	struct str key, value;
};

/* Borrows the text. When a key comes twice, info_get finds the first. */
struct info {
	struct info_pair *v;
	size_t n;
	struct map index;
};

void info_parse(struct arena *a, struct str text, struct info *out);
void info_fini(struct info *info);
/* Empty when absent. */
struct str info_get(const struct info *info, const char *key);
/* Whole of the value as a finite number; ok, true, err, fail and false are 1 and 0. */
bool info_number(struct str value, double *out) MUST_CHECK;
/* Part <key> of a composite value. */
bool info_part(struct str value, const char *key, struct str *out) MUST_CHECK;
bool info_part_number(struct str value, const char *key, double *out) MUST_CHECK;

const struct info_row *info_row_find(struct str field);

#endif
