/* Snapshots: the series of a selection, shared by all who got it. Each holds a reference to its series, so that their memory (labels
 * too) outlives their place in the index. */
#include <stdlib.h>

#include "store/internal.h"
#include "tocsin/mem.h"

void store_series_release(struct store *st, struct store_series *s)
{
	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	pthread_mutex_lock(&st->unused_lock);
	s->next_unused = st->unused;
	st->unused = s;
	pthread_mutex_unlock(&st->unused_lock);
}

struct snapshot *snapshot_new(struct store *st, size_t n)
{
	struct snapshot *s = mem_alloc(sizeof *s);

	s->refs = 1;
	s->generation = atomic_fetch_add(&st->next_generation, 1) + 1;
	s->floor_ms = INT64_MIN;
	s->cap = n;
	s->series = ARENA_ARRAY(&s->arena, n, struct store_series *);
	s->labels = ARENA_ARRAY(&s->arena, n, struct labels);
	return s;
}

void snapshot_add(struct snapshot *s, struct store_series *series, struct labels labels)
{
	size_t cap = s->cap;
	struct label *copy = ARENA_ARRAY(&s->arena, labels.n, struct label);

	if (labels.n > 0)
		memcpy(copy, labels.v, labels.n * sizeof *copy);
	s->series = arena_grow(&s->arena, s->series, s->n, &cap, s->n + 1, sizeof(struct store_series *));
	s->labels = arena_grow(&s->arena, s->labels, s->n, &s->cap, s->n + 1, sizeof *s->labels);
	atomic_fetch_add(&series->refs, 1);
	s->series[s->n] = series;
	s->labels[s->n++] = (struct labels){ copy, labels.n };
}

struct view snapshot_view(struct snapshot *s)
{
	atomic_fetch_add(&s->refs, 1);
	return (struct view){ s, s->series, s->labels, s->n };
}

void snapshot_unref(struct store *st, struct snapshot *s)
{
	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	shelf_drop(st, s, INT64_MAX);
	for (size_t i = 0; i < s->n; i++)
		store_series_release(st, s->series[i]);
	arena_fini(&s->arena);
	free(s);
}
