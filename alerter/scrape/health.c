/* Health gauges: by them an exporter that answers says what it could not read. One that is 0, or not there any more, explains why a series
 * is missing when
 *   - its labels do not contradict the series', and
 *   - it was not 0 already, long before the series ended: many gauges are 0 all their life (node_network_up of "lo", collectors that find
 *     nothing), and say nothing of what comes and goes beside them.
 * "Long" is a day where the series has all the gauge's labels: figures of a dead source may be shown until their interval has passed twice.
 * Where it lacks some (collector="systemd") nobody can tell what belongs to the gauge, so it must have turned bad with the series.
 * Names longer than redis_up are states of parts (node_network_up, haproxy_server_up): they speak only for what has all of their
 * labels, and to vanish says no more than that the part was taken away. */
#include "scrape/glob.h"
#include "scrape/take.h"
#include "tocsin/mem.h"

enum { LONG_MS = 86400000, SCRAPES = 2 };

/* ---- Which lines are gauges, and when they were up ---- */

static bool is_health_gauge(const struct target_env *env, struct str metric)
{
	for (size_t i = 0; i < env->health_gauges.n; i++)
		if (glob_match(env->health_gauges.v[i], metric))
			return true;
	return false;
}

/* Beyond 65535 a target has no more. */
void health_mark(struct target *t, const struct target_env *env, struct line *l, struct labels labels)
{
	uint16_t gauge = t->unused_gauge;

	if (!is_health_gauge(env, labels_get(labels, STR(LABEL_NAME))) || (gauge == 0 && t->n_gauges >= UINT16_MAX))
		return;
	if (gauge == 0) {
		t->gauges = mem_grow(t->gauges, &t->gauges_cap, t->n_gauges + 1, sizeof *t->gauges);
		gauge = (uint16_t)++t->n_gauges;
	} else {
		t->unused_gauge = t->gauges[gauge - 1].next;
	}
	t->gauges[gauge - 1] = (struct gauge){ .up_ms = INT64_MIN, .looked_ms = INT64_MAX, .series = near_get(l->series) };
	l->health = true;
	l->gauge = gauge;
}

void health_unmark(struct target *t, struct line *l)
{
	uint16_t gauge = l->gauge;

	if (!l->health)
		return;
	l->health = false;
	l->series = near_to(t->gauges[gauge - 1].series);
	t->gauges[gauge - 1] = (struct gauge){ .next = t->unused_gauge };
	t->unused_gauge = gauge;
}

void health_put(struct take *k, struct line *l, double v)
{
	l->is_down = v == 0;
	l->was_up |= v != 0;
	k->n_blind += !l->was_up;
	if (v != 0)
		k->t->gauges[l->gauge - 1].up_ms = k->t_ms;
}

/* True when it was not 0 at some time from <from_ms> on. */
static bool was_up_since(struct take *k, struct gauge *g, int64_t from_ms)
{
	struct arena a = { 0 };
	struct samples s;
	struct err e = { 0 };

	if (g->up_ms == INT64_MIN && g->looked_ms > from_ms) {
		g->looked_ms = from_ms;
		if (!store_series_samples(k->env->store, g->series, from_ms - 1, k->t_ms, &a, &s, &e))
			g->up_ms = k->t_ms; /* not known: rather lost than gone */
		else
			for (size_t i = s.n; i-- > 0 && g->up_ms == INT64_MIN;)
				if (s.v[i] != 0 && !value_is_stale(s.v[i]))
					g->up_ms = s.t_ms[i];
		arena_fini(&a);
	}
	return g->up_ms >= from_ms;
}

/* ---- What they explain ---- */

/* a_b_up. Our own exporter's metrics have longer names. */
static bool is_of_part(struct str metric)
{
	size_t word = str_chr(metric, '_') + 1;

	return str_ends(metric, STR("_up")) && !str_starts(metric, STR("tocsin_")) && word + 2 < metric.n;
}

static bool has_more_labels(struct labels gauge, struct labels target)
{
	for (size_t i = 0; i < gauge.n; i++)
		if (!labels_has(target, gauge.v[i].name))
			return true;
	return false;
}

/* (Orphans were taken away by a reload, not by the exporter.) */
struct bad_gauges health_find_bad(struct take *k, struct arena *a)
{
	struct bad_gauges bad = { 0 };

	for (const struct line *l = NULL; (l = line_next(k->t, l)) != NULL;) {
		bool there = line_is_seen(k->t, l);
		struct labels labels;
		struct str metric;

		if (!l->health || l->orphan || (there && !l->is_down))
			continue;
		labels = store_series_labels(k->env->store, line_series(k->t, l), a);
		metric = labels_get(labels, STR(LABEL_NAME));
		if (!there && is_of_part(metric))
			continue;
		labels = labels_without(a, labels, STR(LABEL_NAME));
		bad.v = arena_grow(a, bad.v, bad.n, &bad.cap, bad.n + 1, sizeof *bad.v);
		bad.v[bad.n++] = (struct bad_gauge){ l->gauge, labels, is_of_part(metric), str_starts(metric, STR("tocsin_")),
			                             has_more_labels(labels, k->t->labels) };
	}
	return bad;
}

enum reach { NOT, WITH_IT, ALWAYS };

/* Whether it speaks for the series, or only for what ends together with it. */
static enum reach reach_of(const struct bad_gauge *g, struct labels series)
{
	bool lacks = false;

	for (size_t i = 0; i < g->labels.n; i++) {
		struct str value = labels_get(series, g->labels.v[i].name);

		if (value.n > 0 && !str_eq(value, g->labels.v[i].value))
			return NOT;
		lacks |= value.n == 0;
	}
	if (lacks && g->part)
		return NOT;
	return (lacks && !g->own) || (g->part && !g->named) ? WITH_IT : ALWAYS;
}

bool health_explains(struct take *k, const struct bad_gauges *bad, struct labels series, int64_t good_ms)
{
	/* Half an interval more: scrapes are not quite on time. */
	const int64_t before_ms[] = { [WITH_IT] = k->t->interval_ms * (2 * SCRAPES + 1) / 2, [ALWAYS] = LONG_MS };

	for (size_t i = 0; i < bad->n; i++) {
		enum reach reach = reach_of(&bad->v[i], series);

		if (reach != NOT && was_up_since(k, &k->t->gauges[bad->v[i].gauge - 1], good_ms - before_ms[reach]))
			return true;
	}
	return false;
}
