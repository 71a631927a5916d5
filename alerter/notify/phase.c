/* What a status page shows the public is slower than what pages people: an alert counts once it has fired for a while, it is over once
 * it has been well for a while, and in between an incident moves through its statuses. For other receivers both whiles are 0. */
#include "notify/core.h"

/* A begin or an end in the future: the clock was set back. Rather told than held back by it. */
static bool lasts(int64_t since_ms, int64_t until_ms, int64_t least_ms)
{
	return until_ms < since_ms || until_ms - since_ms >= least_ms;
}

bool phase_ripe(const struct integration *in, const struct page_alert *a, int64_t now_ms)
{
	return lasts(a->starts_ms, a->ends_ms != 0 ? a->ends_ms : now_ms, in->bad_ms);
}

bool phase_over(const struct integration *in, const struct page_alert *a, int64_t now_ms)
{
	return a->ends_ms != 0 && lasts(a->ends_ms, now_ms, in->good_ms);
}

static bool any_fires(const struct group *g, const struct episode *e)
{
	for (struct map_slot *s = NULL; (s = map_next(&e->told, s)) != NULL;)
		if (((const struct page_alert *)s->value)->ends_ms == 0)
			return true;
	for (size_t i = 0; i < g->n; i++)
		if (g->members[i]->ends_ms == 0 && !g->members[i]->muted)
			return true;
	return false;
}

enum phase phase_of(const struct group *g, const struct episode *e, const struct integration *in, int64_t now_ms)
{
	if (in->good_ms > 0 && !any_fires(g, e))
		return PHASE_MONITORING;
	return in->identified_ms > 0 && now_ms - e->started_ms >= in->identified_ms ? PHASE_IDENTIFIED : PHASE_INVESTIGATING;
}

static void sooner(int64_t *due_ms, int64_t at_ms, int64_t now_ms)
{
	if (at_ms > now_ms && at_ms < *due_ms)
		*due_ms = at_ms;
}

int64_t phase_due_ms(const struct group *g, const struct integration *in, int64_t now_ms)
{
	const struct episode *e = episode_find(g, in);
	int64_t due_ms = INT64_MAX;

	for (size_t i = 0; i < g->n && in->bad_ms > 0; i++)
		sooner(&due_ms, g->members[i]->starts_ms + in->bad_ms, now_ms);
	if (e == NULL)
		return due_ms;
	if (in->identified_ms > 0)
		sooner(&due_ms, e->started_ms + in->identified_ms, now_ms);
	for (struct map_slot *s = NULL; in->good_ms > 0 && (s = map_next(&e->told, s)) != NULL;) {
		const struct page_alert *a = s->value;

		if (a->ends_ms != 0)
			sooner(&due_ms, a->ends_ms + in->good_ms, now_ms);
	}
	return due_ms;
}
