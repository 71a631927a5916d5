/* What a good reply no longer carries: gone, or lost when a health gauge explains it (health.c). Lost lines are kept and judged again by
 * each good scrape. */
#include "scrape/take.h"

static bool is_lost(struct take *k, const struct line *l, const struct bad_gauges *bad, struct arena *a)
{
	int64_t good_ms = store_series_last_ms(k->env->store, line_series(k->t, l));

	if (bad->n == 0 || good_ms == INT64_MIN || good_ms < k->t_ms - k->env->retention_ms)
		return false;
	return health_explains(k, bad, store_series_labels(k->env->store, line_series(k->t, l), a), good_ms);
}

void line_end(struct target_env *env, struct target *t, struct line *l, int64_t t_ms, enum series_state why)
{
	if (!l->live)
		store_append_state(env->app, line_series(t, l), why);
	else if (l->own_time && !t->tracks_own_times)
		store_append_state(env->app, line_series(t, l), why);
	else
		store_append_end(env->app, line_series(t, l), t_ms, why);
	t->n_live -= l->live;
	l->live = false;
	t->n_lost -= l->lost;
	l->lost = why == SERIES_LOST;
	t->n_lost += l->lost;
}

/* A series written under another text of this reply has a sample at this time already: then ending it does nothing. */
void take_judge_vanished(struct take *k)
{
	struct arena a = { 0 };
	struct bad_gauges bad = health_find_bad(k, &a);
	struct line **gone = ARENA_ARRAY(&a, k->t->n_lines, struct line *);
	size_t n_gone = 0;

	for (struct line *l = NULL; (l = line_next(k->t, l)) != NULL;) {
		if (line_is_seen(k->t, l))
			continue;
		if (line_series(k->t, l) != NULL && (l->live || l->lost)) {
			bool lost = is_lost(k, l, &bad, &a);

			if (l->live || !lost)
				line_end(k->env, k->t, l, k->t_ms, lost ? SERIES_LOST : SERIES_GONE);
			if (lost)
				continue;
		}
		gone[n_gone++] = l;
	}
	/* The references go only after the batch is in. */
	(void)!k->env->app->ops->commit(k->env->app, &k->err);
	for (size_t i = 0; i < n_gone; i++)
		line_drop(k->t, k->env->store, gone[i]);
	arena_fini(&a);
}

/* What was before the start is not known: the journal was lost or damaged. Gauges of a whole source, redis_up or probe_success, that are 0
 * since the start then stand for what nobody saw yet. One with a
 * longer name (node_network_up) may be 0 for ever, except our own (tocsin_gauges_up), whose metrics have any name. */
static bool blind_family(struct str gauge, struct str *family)
{
	size_t word = str_chr(gauge, '_') + 1;
	struct str rest;

	if (word > gauge.n)
		return false;
	*family = str_starts(gauge, STR("tocsin_")) ? STR("") : (struct str){ gauge.p, word };
	rest = (struct str){ gauge.p + word, gauge.n - word };
	return family->n == 0 || str_chr(rest, '_') >= rest.n;
}

void target_find_blind(struct target *t, struct store *store, size_t n)
{
	arena_reset(&t->blind_arena);
	t->blind = ARENA_ARRAY(&t->blind_arena, n, struct store_unseen);
	t->n_blind = 0;
	for (const struct line *l = NULL; t->n_blind < n && (l = line_next(t, l)) != NULL;) {
		struct store_unseen *u = &t->blind[t->n_blind];
		struct labels all;

		if (!l->health || l->was_up || !line_is_seen(t, l) || line_series(t, l) == NULL)
			continue;
		all = store_series_labels(store, line_series(t, l), &t->blind_arena);
		*u = (struct store_unseen){ .labels = labels_without(&t->blind_arena, all, STR(LABEL_NAME)), .part = true };
		t->n_blind += blind_family(labels_get(all, STR(LABEL_NAME)), &u->family);
	}
	t->n_blind_seen = n;
	t->blind_no++;
}
