/* What sets (expo.c) and pages (expo_page.c) know of each other.
 *
 * A set is a shape and values. The shape (which samples there are, in which order, with which labels) is mostly that of the scrape
 * before: then it is shared, and what is emitted is only compared with it. Shapes are counted; one that is shared never changes. */
#ifndef TOCSIN_EXPO_PRIVATE_H
#define TOCSIN_EXPO_PRIVATE_H

#include "tocsin/expo.h"

enum { EXPO_LABELS_MAX = 64, EXPO_VALUE_MAX = 24 };

/* Rendered without braces. Samples share it: those of a row of a table, and neighbours with the same labels. */
struct expo_labels {
	const struct expo_shape *home;  /* whose arena it lies in; NULL: a set's */
	uint64_t hash;
	size_t n;
	uint32_t n_labels;
	bool escaped;                   /* holds a backslash */
	char text[];
};

enum expo_suffix { EXPO_NONE, EXPO_BUCKET, EXPO_SUM, EXPO_COUNT };
extern const struct str expo_suffixes[];

#define EXPO_NO_SAMPLE UINT32_MAX

/* The <i>th sample; its value is the set's <i>th. */
struct expo_sample {
	struct expo_shape_family *family;
	const struct expo_labels *labels;
	uint32_t next;                  /* of the same family */
	enum expo_suffix suffix;
};

struct expo_shape_family {
	struct expo_shape_family *next;
	uint64_t prefix[3];             /* of the name, so that most comparisons are of integers */
	uint64_t hash;                  /* of the name */
	struct str name, help;          /* help.p NULL: none */
	struct str head;                /* HELP and TYPE of the text format */
	enum expo_type type;
	const char *unit;
	uint32_t first, last;           /* samples */
};

struct expo_label_name {
	struct expo_label_name *next;
	struct str name;
};

struct expo_shape {
	int refs;                       /* atomic */
	struct arena arena;
	struct expo_shape_family *families, *last_family;
	size_t n_families;
	struct expo_shape_family **sorted;      /* by name; NULL: the set is not closed */
	struct expo_sample *samples;
	size_t n, cap;
	struct expo_label_name *label_names;    /* every one that occurs: tells whether a page's labels collide */
};

struct expo_value {
	double v;
	uint8_t n;
	char text[EXPO_VALUE_MAX];
};

const struct expo_shape *expo_set_shape(const struct expo_set *s);
const struct expo_value *expo_set_values(const struct expo_set *s);

/* <families> sorted by name into <sorted>. */
void expo_sort_families(const struct expo_shape *shape, struct expo_shape_family **sorted);
int expo_compare_families(const struct expo_shape_family *a, const struct expo_shape_family *b);

struct str expo_labels_text(const struct expo_labels *l);
/* name="value",… ; malformed UTF-8 becomes U+FFFD. */
void expo_put_labels(struct buf *b, const struct label *v, size_t n);
/* HELP and TYPE of a family called <name> of that <type>. */
void expo_put_head(struct buf *b, struct str name, struct str help, bool quotes, const char *type);
const char *expo_type_text(enum expo_type type);        /* in the text format */

#endif
