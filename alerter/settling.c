/* A rule knows when it was evaluated, and not in doubt, behind the first scrape of the last target. */
#include "settling.h"

#define GRACE_MS 5000
#define MOST_MS 60000

int64_t settling_longest_ms(const struct scrape_config *c, int64_t evaluation_interval_ms)
{
	int64_t longest_ms = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->jobs[i].interval_ms > longest_ms)
			longest_ms = c->jobs[i].interval_ms;
	longest_ms += evaluation_interval_ms + GRACE_MS;
	return longest_ms < MOST_MS ? longest_ms : MOST_MS;
}

/* When the last target had been asked; 0: one was not yet. */
static int64_t all_asked_ms(const struct settling *s, struct arena *a)
{
	int64_t at_ms = s->since_ms;
	size_t n;
	const struct scrape_target_info *v = scrape_targets(s->scrape, a, &n);

	for (size_t i = 0; i < n; i++) {
		int64_t end_ms = v[i].last_scrape_ms + (int64_t)(v[i].last_duration_s * 1e3) + 1;

		if (v[i].dropped)
			continue;
		if (end_ms < s->since_ms)
			return 0;
		at_ms = end_ms > at_ms ? end_ms : at_ms;
	}
	return at_ms;
}

bool settling_is_over(void *ctx, int64_t since_ms, struct arena *a, struct str **keys, size_t *n)
{
	struct settling *s = ctx;
	const struct rules_snapshot *rules;
	size_t n_rules = 0;

	if (s->asked_ms == 0 || s->since_ms != since_ms) {
		s->since_ms = since_ms;
		s->asked_ms = all_asked_ms(s, a);
	}
	if (s->asked_ms == 0)
		return false;
	rules = rules_snapshot_get(s->rules);
	for (size_t i = 0; i < rules->n_groups; i++)
		n_rules += rules->groups[i]->n_rules;
	*keys = ARENA_ARRAY(a, n_rules + 1, struct str);
	for (size_t i = 0; i < rules->n_groups; i++)
		for (size_t k = 0; k < rules->groups[i]->n_rules; k++) {
			const struct rule_view *r = &rules->groups[i]->rules[k];

			if (r->last_evaluation_ms >= s->asked_ms && !r->unknown)
				(*keys)[(*n)++] = arena_str(a, r->id->key);
		}
	rules_snapshot_release(rules);
	return *n == n_rules;
}
