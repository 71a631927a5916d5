/* Bump memory with one lifetime: allocate freely, free all at once. arena_reset() keeps the first block, so an
 * evaluation that runs again and again stops calling malloc. Not thread-safe; one owner. In ASan builds memory that was
 * rewound is poisoned. */
#ifndef TOCSIN_ARENA_H
#define TOCSIN_ARENA_H

#include "tocsin/str.h"

struct arena_block;

struct arena {
	struct arena_block *blocks;     /* newest first; the oldest one stays at reset */
	char *next, *end;
	size_t total_bytes;             /* of all blocks, for budgets and metrics */
	size_t first_bytes;             /* of the first block; 0: 32 KB */
};

void arena_init(struct arena *a);       /* allocates nothing; {0} is the same */
void arena_init_small(struct arena *a, size_t first_bytes);     /* for owners of which there are thousands */
void arena_fini(struct arena *a);
void arena_reset(struct arena *a);

/* 16-byte aligned, zeroed; never NULL. */
void *arena_alloc(struct arena *a, size_t bytes);
/* The same without zeroing, for big arrays that are written at once. */
void *arena_alloc_raw(struct arena *a, size_t bytes);
/* For <n> items; aborts when the product overflows. */
void *arena_array(struct arena *a, size_t n, size_t item_bytes);
/* Doubles an arena array: returns an array of at least <need> items holding the first <used>, updates <*cap>. */
void *arena_grow(struct arena *a, void *p, size_t used, size_t *cap, size_t need, size_t item_bytes);

struct str arena_str(struct arena *a, struct str s);            /* a copy, NUL-terminated behind its end */
char *arena_strz(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);

/* A place to go back to: everything allocated after the mark is gone after arena_rewind. */
struct arena_mark {
	struct arena_block *block;
	char *next;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark m);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, n, type) ((type *)arena_array((a), (n), sizeof(type)))

#endif
