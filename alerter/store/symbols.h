/* Interned texts: every label name and value once, counted, with a small number. Guarded by the index lock. */
#ifndef TOCSIN_STORE_SYMBOLS_H
#define TOCSIN_STORE_SYMBOLS_H

#include "tocsin/map.h"

#define SYMBOL_NONE UINT32_MAX

struct symbol;

/* A label, as numbers of its texts. */
struct symbol_pair {
	uint32_t name, value;
};

struct symbols {
	struct map by_text;
	struct symbol **v;  /* by number; NULL: free */
	size_t cap, n;      /* n: highest number ever used + 1 */
	uint32_t free_head; /* chain of free numbers, SYMBOL_NONE ends it */
	uint32_t *next_free;
	size_t next_free_cap;
};

void symbols_init(struct symbols *s);
void symbols_fini(struct symbols *s);
/* The number of <text>, one reference more. */
uint32_t symbols_ref(struct symbols *s, struct str text);
/* The same when that is <id>, which may be any number; else false and nothing done. */
bool symbols_ref_again(struct symbols *s, uint32_t id, struct str text);
/* The same of a number that is in use. */
void symbols_ref_number(struct symbols *s, uint32_t id);
void symbols_unref(struct symbols *s, uint32_t id);
/* The number of <text>, SYMBOL_NONE when nobody uses it. */
uint32_t symbols_find(const struct symbols *s, struct str text);
/* Stays put while referenced. */
struct str symbols_text(const struct symbols *s, uint32_t id);

#endif
