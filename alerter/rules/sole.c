/* Which one target a rule reads, for evaluation on its arrival (semantics, 2): its selectors name it, or all series they find are of one. */
#include "rules/run.h"

/* False at the second target, and at what no target gave. */
static bool same_target(const struct selection *sel, struct str *job, struct str *instance)
{
	for (size_t i = 0; i < sel->n; i++) {
		struct str its_job = labels_get(sel->v[i].labels, STR("job")), its_instance = labels_get(sel->v[i].labels, STR("instance"));

		if (sel->v[i].state == SERIES_GONE)
			continue;
		if (its_job.n == 0 || its_instance.n == 0 || (job->n > 0 && !(str_eq(*job, its_job) && str_eq(*instance, its_instance))))
			return false;
		*job = its_job;
		*instance = its_instance;
	}
	return true;
}

void rule_find_sole(struct rule_run *run, struct querier *q, int64_t query_ms, struct arena *scratch)
{
	const struct promql_selector *s;
	size_t n = promql_query_selectors(run->def->query, &s);
	struct selection **found = ARENA_ARRAY(scratch, n, struct selection *);
	struct sole_target *sole = &run->sole;
	struct str job = STR(""), instance = STR("");
	uint64_t generation = 1;
	struct err e = { 0 };
	bool one = n > 0;

	for (size_t i = 0; i < n && one; i++) {
		int64_t to_ms = query_ms - s[i].offset_ms;
		const struct select_hints hints = { to_ms - s[i].range_ms - PROMQL_LOOKBACK_MS, to_ms, 0 };

		found[i] = q->ops->select(q, s[i].matchers, s[i].n_matchers, hints, &e);
		one = found[i] != NULL;
		generation = one ? (generation * 31 + found[i]->generation) * 31 + found[i]->n : 0;
	}
	for (size_t i = 0; one && generation != sole->generation && i < n; i++)
		one = same_target(found[i], &job, &instance);
	if (generation != sole->generation) {
		sole->generation = generation;
		rule_run_set_sole(run, one ? job : STR(""), one ? instance : STR(""));
	}
	for (size_t i = 0; i < n; i++)
		if (found[i] != NULL)
			q->ops->release(q, found[i]);
}

bool rule_reads_only(const struct rule_run *run, struct labels target)
{
	const struct promql_selector *s;
	size_t n = promql_query_selectors(run->def->query, &s);
	struct str instance = labels_get(target, STR("instance")), job = labels_get(target, STR("job"));

	for (size_t i = 0; i < n; i++) {
		bool by_job = false, by_instance = false;

		for (size_t m = 0; m < s[i].n_matchers; m++) {
			const struct matcher *x = &s[i].matchers[m];

			by_job |= x->op == MATCH_EQ && str_eq(x->name, STR("job")) && str_eq(x->value, job);
			by_instance |= x->op == MATCH_EQ && str_eq(x->name, STR("instance")) && str_eq(x->value, instance);
		}
		if (!by_job || !by_instance)
			return run->sole.job.n > 0 && str_eq(run->sole.job, job) && str_eq(run->sole.instance, instance);
	}
	return n > 0;
}
