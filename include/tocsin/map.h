/* Hash map from bytes to a pointer: open addressing, keys borrowed (they must outlive their entry), values never NULL.
 * {0} is an empty map. */
#ifndef TOCSIN_MAP_H
#define TOCSIN_MAP_H

#include "tocsin/str.h"

struct map_slot {
	struct str key;
	uint64_t hash;
	void *value;            /* NULL: free */
};

struct map {
	struct map_slot *slots;
	size_t cap, n;          /* cap is a power of two or 0 */
};

void map_fini(struct map *m);
void *map_get(const struct map *m, struct str key);
/* Returns the value that was there before, or NULL. */
void *map_put(struct map *m, struct str key, void *value);
/* The same unless there is one already: then that is returned, and nothing changed. */
void *map_add(struct map *m, struct str key, void *value);
/* Room for <n> entries, so that putting them does not grow the map step by step. */
void map_reserve(struct map *m, size_t n);
/* Returns the value removed, or NULL. */
void *map_del(struct map *m, struct str key);
/* for (struct map_slot *s = NULL; (s = map_next(&m, s)) != NULL; ): every entry, in no order; no change meanwhile. */
struct map_slot *map_next(const struct map *m, const struct map_slot *after);

#endif
