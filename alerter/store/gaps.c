/* An open hash table by the series' id. It is empty nearly always, and readers ask for that first. */
#include "store/gaps.h"

#include <stdlib.h>

#include "tocsin/mem.h"

enum { WINDOWS = 8, GRACE_MS = 60 * 1000 };

void gaps_init(struct gaps *g)
{
	pthread_rwlock_init(&g->lock, NULL);
}

void gaps_fini(struct gaps *g)
{
	pthread_rwlock_destroy(&g->lock);
	free(g->v);
}

/* Its place, or a free one; there is one. */
static struct gap *place_of(const struct gaps *g, uint64_t series)
{
	size_t i = (size_t)(series * 0x9e3779b97f4a7c15 >> 32) & (g->cap - 1);

	while (g->v[i].back_ms != 0 && g->v[i].series != series)
		i = (i + 1) & (g->cap - 1);
	return &g->v[i];
}

/* Into a table of <cap> places, those that <now_ms> still concerns. */
static void rebuild(struct gaps *g, size_t cap, int64_t now_ms)
{
	struct gaps old = { .v = g->v, .cap = g->cap };
	size_t n = 0;

	g->cap = cap;
	g->v = cap > 0 ? mem_alloc(cap * sizeof *g->v) : NULL;
	for (size_t i = 0; i < old.cap; i++) {
		const struct gap *x = &old.v[i];

		if (x->back_ms == 0 || now_ms - x->back_ms > WINDOWS * (x->back_ms - x->lost_ms) + GRACE_MS)
			continue;
		*place_of(g, x->series) = *x;
		n++;
	}
	atomic_store(&g->n, n);
	free(old.v);
}

void gaps_put(struct gaps *g, struct gap gap)
{
	struct gap *place;

	pthread_rwlock_wrlock(&g->lock);
	if ((atomic_load(&g->n) + 1) * 2 > g->cap)
		rebuild(g, g->cap > 0 ? g->cap * 2 : 64, gap.back_ms);
	place = place_of(g, gap.series);
	if (place->back_ms == 0)
		atomic_fetch_add(&g->n, 1);
	else if (gap.lost_ms - place->back_ms < place->back_ms - place->lost_ms)
		gap.lost_ms = place->lost_ms;
	*place = gap;
	pthread_rwlock_unlock(&g->lock);
}

bool gaps_find(struct gaps *g, uint64_t series, struct gap *out)
{
	if (atomic_load_explicit(&g->n, memory_order_relaxed) == 0)
		return false;
	pthread_rwlock_rdlock(&g->lock);
	*out = g->cap > 0 ? *place_of(g, series) : (struct gap){ 0 };
	pthread_rwlock_unlock(&g->lock);
	return out->back_ms != 0;
}

void gaps_prune(struct gaps *g, int64_t now_ms)
{
	size_t cap;

	if (atomic_load(&g->n) == 0)
		return;
	pthread_rwlock_wrlock(&g->lock);
	rebuild(g, g->cap, now_ms);
	for (cap = 64; cap < atomic_load(&g->n) * 4; cap *= 2)
		;
	if (cap < g->cap)
		rebuild(g, atomic_load(&g->n) > 0 ? cap : 0, now_ms);
	pthread_rwlock_unlock(&g->lock);
}
