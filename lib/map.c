/* Open addressing with linear probing; deletion moves later entries of the run back, so there are no tombstones.
 * Invariant: at most three quarters of the slots are used. */
#include "tocsin/map.h"

#include <assert.h>
#include <stdlib.h>

#include "tocsin/mem.h"

void map_fini(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}

/* The slot that holds <key>, or the free one where it belongs. */
static struct map_slot *find(const struct map *m, struct str key, uint64_t hash)
{
	size_t i = hash & (m->cap - 1);

	while (m->slots[i].value != NULL && (m->slots[i].hash != hash || !str_eq(m->slots[i].key, key)))
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

void *map_get(const struct map *m, struct str key)
{
	return m->cap == 0 ? NULL : find(m, key, str_hash(key))->value;
}

static void rehash(struct map *m, size_t cap)
{
	struct map old = *m;

	m->slots = mem_alloc(cap * sizeof *m->slots);
	m->cap = cap;
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].value != NULL)
			*find(m, old.slots[i].key, old.slots[i].hash) = old.slots[i];
	free(old.slots);
}

void map_reserve(struct map *m, size_t n)
{
	size_t cap = m->cap ? m->cap : 16;

	while (n * 4 > cap * 3)
		cap *= 2;
	if (cap > m->cap)
		rehash(m, cap);
}

static void *put(struct map *m, struct str key, void *value, bool replace)
{
	uint64_t hash = str_hash(key);
	struct map_slot *s;
	void *before;

	assert(value != NULL);
	map_reserve(m, m->n + 1);
	s = find(m, key, hash);
	before = s->value;
	if (before == NULL || replace)
		*s = (struct map_slot){ key, hash, value };
	m->n += before == NULL;
	return before;
}

void *map_put(struct map *m, struct str key, void *value)
{
	return put(m, key, value, true);
}

void *map_add(struct map *m, struct str key, void *value)
{
	return put(m, key, value, false);
}

void *map_del(struct map *m, struct str key)
{
	struct map_slot *s;
	size_t hole, i;
	void *value;

	if (m->cap == 0)
		return NULL;
	s = find(m, key, str_hash(key));
	value = s->value;
	if (value == NULL)
		return NULL;
	hole = (size_t)(s - m->slots);
	for (i = (hole + 1) & (m->cap - 1); m->slots[i].value != NULL; i = (i + 1) & (m->cap - 1)) {
		size_t home = m->slots[i].hash & (m->cap - 1);

		if (((i - home) & (m->cap - 1)) < ((i - hole) & (m->cap - 1)))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct map_slot){ 0 };
	m->n--;
	return value;
}

struct map_slot *map_next(const struct map *m, const struct map_slot *after)
{
	size_t i = after ? (size_t)(after - m->slots) + 1 : 0;

	while (i < m->cap && m->slots[i].value == NULL)
		i++;
	return i < m->cap ? &m->slots[i] : NULL;
}
