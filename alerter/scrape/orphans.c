/* A series of an owner that is no target is ended unless
 *   - a discovery of its job has not answered: it may yet name the owner;
 *   - a target that was not read since the start may carry it: then that one decides (it may have another address or path by now). */
#include "scrape/orphans.h"

#include <stdlib.h>

#include "tocsin/mem.h"

enum { COST_FACTOR = 20, AT_ONCE = 4096 }; /* no more than a twentieth of the time is spent looking */

struct search {
	struct target_env *env;
	const struct target_list *plan;
	uint64_t *owners; /* sorted */
	size_t n_owners;
	struct target *const *active;
	struct arena arena;
};

static int by_number(const void *a, const void *b)
{
	uint64_t l = *(const uint64_t *)a, r = *(const uint64_t *)b;

	return (l > r) - (l < r);
}

static bool may_claim(void *ctx, uint64_t owner)
{
	const struct search *s = ctx;

	for (size_t i = 0; i < s->plan->n_waiting; i++)
		if (target_owner_is_of(owner, s->plan->waiting[i]->name))
			return true;
	return s->n_owners > 0 && bsearch(&owner, s->owners, s->n_owners, sizeof owner, by_number) != NULL;
}

static bool may_carry(const struct target *t, struct labels series)
{
	if (t->ever_good)
		return false;
	for (size_t i = 0; i < t->labels.n; i++)
		if (target_keeps_label(t, t->labels.v[i].name) && !str_eq(labels_get(series, t->labels.v[i].name), t->labels.v[i].value))
			return false;
	return true;
}

static bool is_carried(void *ctx, const struct store_series *series)
{
	struct search *s = ctx;
	struct labels labels;

	arena_reset(&s->arena);
	labels = store_series_labels(s->env->store, series, &s->arena);
	for (size_t i = 0; i < s->n_owners; i++)
		if (may_carry(s->active[i], labels))
			return true;
	return false;
}

static bool end_some(struct search *s, struct store_abandoning *at, int64_t t_ms)
{
	const struct store_keeper keeper = { may_claim, is_carried, s };
	struct store_series **v;
	struct arena a = { 0 };
	struct err e = { 0 };
	size_t n;
	bool left = store_abandon(s->env->store, at, AT_ONCE, &keeper, &a, &v, &n);

	for (size_t i = 0; i < n; i++)
		store_append_end(s->env->app, v[i], t_ms, SERIES_GONE);
	(void)!s->env->app->ops->commit(s->env->app, &e);
	for (size_t i = 0; i < n; i++)
		store_series_unref(s->env->store, v[i]);
	arena_fini(&a);
	return !left;
}

void orphans_end(struct orphans *o, struct target_env *env, const struct target_list *plan, struct target *const *active, size_t n,
                 const struct clock *clock)
{
	struct search s = { .env = env, .plan = plan, .n_owners = n, .active = active };
	int64_t mono_ms = clock_mono_ms(clock);

	if (o->settled || mono_ms < o->due_mono_ms)
		return;
	s.owners = mem_alloc(n * sizeof *s.owners);
	for (size_t i = 0; i < n; i++)
		s.owners[i] = active[i]->owner;
	if (n > 1)
		qsort(s.owners, n, sizeof *s.owners, by_number);
	o->settled = end_some(&s, &o->at, clock_now_ms(clock));
	o->due_mono_ms = mono_ms + COST_FACTOR * (clock_mono_ms(clock) - mono_ms);
	free(s.owners);
	arena_fini(&s.arena);
}
