/* Which alerts are nobody's news now: silenced, inhibited by another one, or of a route whose
 * time it is not. A muted alert lives on as
 * any other; only the flush leaves it out. A matcher that gives up counts as none: a page too many, not one too few. */
#include "notify/core.h"

struct source {                    /* firing alerts of a rule with the same values of <equal> */
	bool one_sided, two_sided; /* there is one that is no target itself; there is one that is */
	uint64_t one_sided_by, two_sided_by;
};

struct mute_index {
	struct map sources; /* struct source by source_key() */
};

static bool fits(const struct matchers *m, const struct page_alert *a)
{
	struct err e = {0};

	return matchers_test(m->v, m->n, a->labels, &e) && e.code == ERR_NONE;
}

/* Number of the rule, then each value; a length before each keeps them apart. */
static struct str source_key(struct core *c, size_t rule, const struct inhibit_rule *r, const struct page_alert *a)
{
	struct buf b = {0};
	struct str key;

	buf_printf(&b, "%zu", rule);
	for (size_t i = 0; i < r->equal.n; i++) {
		struct str value = labels_get(a->labels, r->equal.v[i]);

		buf_printf(&b, ";%zu:", value.n);
		buf_puts(&b, value);
	}
	key = arena_str(&c->scratch, buf_str(&b));
	buf_fini(&b);
	return key;
}

static void add_source(struct core *c, struct mute_index *index, size_t rule, const struct page_alert *a)
{
	const struct inhibit_rule *r = &c->config->inhibit_rules[rule];
	struct str key = source_key(c, rule, r, a);
	struct source *s = map_get(&index->sources, key);

	if (s == NULL) {
		s = ARENA_NEW(&c->scratch, struct source);
		map_put(&index->sources, key, s);
	}
	if (fits(&r->target, a)) {
		s->two_sided = true;
		s->two_sided_by = a->fingerprint;
	} else {
		s->one_sided = true;
		s->one_sided_by = a->fingerprint;
	}
}

struct mute_index *mute_index_new(struct core *c)
{
	struct mute_index *index = ARENA_NEW(&c->scratch, struct mute_index);

	for (struct map_slot *s = NULL; c->config->n_inhibit_rules > 0 && (s = map_next(&c->alerts, s)) != NULL;) {
		const struct page_alert *a = s->value;

		for (size_t i = 0; i < c->config->n_inhibit_rules && a->ends_ms == 0; i++)
			if (fits(&c->config->inhibit_rules[i].source, a))
				add_source(c, index, i, a);
	}
	return index;
}

void mute_index_free(struct mute_index *index)
{
	if (index != NULL)
		map_fini(&index->sources);
}

/* Of alerts that match both sides none inhibits another. */
bool mute_inhibitor(struct core *c, const struct mute_index *index, const struct page_alert *a, uint64_t *by)
{
	for (size_t i = 0; i < c->config->n_inhibit_rules; i++) {
		const struct inhibit_rule *r = &c->config->inhibit_rules[i];
		const struct source *s = fits(&r->target, a) ? map_get(&index->sources, source_key(c, i, r, a)) : NULL;

		if (s != NULL && (s->one_sided || !fits(&r->source, a))) {
			*by = s->one_sided ? s->one_sided_by : s->two_sided_by;
			return true;
		}
	}
	return false;
}

struct str mute_by_time(const struct core *c, const struct route *r)
{
	int64_t now_ms = core_now_ms(c);

	for (size_t i = 0; i < r->mute.n; i++)
		if (time_interval_holds(r->mute.v[i], now_ms))
			return r->mute.v[i]->name;
	for (size_t i = 0; i < r->active.n; i++)
		if (time_interval_holds(r->active.v[i], now_ms))
			return STR("");
	return r->active.n > 0 ? r->active.v[0]->name : STR("");
}

void mute_mark(struct core *c, const struct mute_index *index, const struct group *g)
{
	bool by_time = g->route != NULL && mute_by_time(c, g->route).n > 0;
	uint64_t by;

	for (size_t i = 0; i < g->n_episodes; i++)
		for (struct map_slot *s = NULL; (s = map_next(&g->episodes[i]->told, s)) != NULL;)
			((struct page_alert *)s->value)->muted = false;
	for (size_t i = 0; i < g->n; i++)
		g->members[i]->muted = by_time || mute_inhibitor(c, index, g->members[i], &by) ||
				       silence_matching(c, g->members[i]->labels, NULL, 1) > 0;
}
