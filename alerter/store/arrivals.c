/* The latest block brings most series, and making them takes one thread: meanwhile another one checks the others. */
#include "store/arrivals.h"

#include <assert.h>
#include <stdlib.h>

#include "tocsin/mem.h"

void arrivals_add(struct arrivals *all, struct block *b)
{
	all->v = mem_grow(all->v, &all->cap, all->n + 1, sizeof *all->v);
	all->v[all->n++].block = b;
}

static int by_end(const void *a, const void *b)
{
	int64_t l = ((const struct arrival *)a)->block->header->max_ms, r = ((const struct arrival *)b)->block->header->max_ms;

	return (l < r) - (l > r);
}

static void check(struct arrival *x)
{
	x->whole = block_check_rest(x->block, &x->e);
}

static void *check_others(void *arg)
{
	struct arrivals *all = arg;

	for (size_t i = 1; i < all->n; i++)
		check(&all->v[i]);
	return NULL;
}

void arrivals_begin(struct arrivals *all)
{
	if (all->n == 0)
		return;
	qsort(all->v, all->n, sizeof *all->v, by_end);
	check(&all->v[0]);
	all->beside = all->n > 1 && pthread_create(&all->thread, NULL, check_others, all) == 0;
	if (!all->beside)
		check_others(all);
}

struct arrival *arrivals_checked(struct arrivals *all, size_t i)
{
	if (i > 0 && all->beside) {
		pthread_join(all->thread, NULL);
		all->beside = false;
	}
	return &all->v[i];
}

void arrivals_fini(struct arrivals *all)
{
	assert(!all->beside);
	free(all->v);
}
