/* What a rule reads of other rules. A recording rule that was not evaluated well since the start, or not over all targets, has
 * outputs that nobody has seen yet: who reads them cannot tell "ended" from "not recorded yet" (semantics, 1: losses propagate).
 * Groups run at once, so what one tells another is under <inputs_lock>; the list of groups stands still while any of them runs. */
#include "rules/run.h"

static bool test(const struct matcher *m, struct str value)
{
	struct err limit = { 0 };

	return matcher_test(m, value, &limit) || limit.code != ERR_NONE;
}

/* False when a label of <of> keeps the selector from matching a series that has it. */
static bool may_match(const struct promql_selector *s, struct labels of)
{
	for (size_t i = 0; i < s->n_matchers; i++)
		if (labels_has(of, s->matchers[i].name) && !test(&s->matchers[i], labels_get(of, s->matchers[i].name)))
			return false;
	return true;
}

static bool may_name(const struct promql_selector *s, struct str name)
{
	for (size_t i = 0; i < s->n_matchers; i++)
		if (str_eq(s->matchers[i].name, STR(LABEL_NAME)) && !test(&s->matchers[i], name))
			return false;
	return true;
}

static void take_unseen(struct promql_result *r, const struct promql_selector *s, const struct rule_run *from, struct arena *scratch)
{
	struct labels *all = ARENA_ARRAY(scratch, r->n_unseen + from->n_unseen, struct labels);
	size_t n = r->n_unseen;

	for (size_t i = 0; i < n; i++)
		all[i] = r->unseen[i];
	for (size_t i = 0; i < from->n_unseen; i++)
		if (may_match(s, from->unseen[i]))
			all[n++] = labels_copy(scratch, from->unseen[i]);
	r->unseen = all;
	r->n_unseen = n;
}

static void read_run(struct promql_result *r, const struct rule_run *reader, const struct rule_run *from, struct arena *scratch)
{
	const struct promql_selector *s;
	size_t n = promql_query_selectors(reader->def->query, &s);

	for (size_t i = 0; i < n; i++) {
		if (!may_name(&s[i], from->def->id.name))
			continue;
		r->incomplete |= !from->settled || from->incomplete;
		r->unasked |= !from->settled || from->unasked;
		take_unseen(r, &s[i], from, scratch);
	}
}

void rule_inputs_read(const struct rule_run *reader, const struct eval_env *env, struct promql_result *r)
{
	pthread_mutex_lock(env->inputs_lock);
	for (size_t g = 0; g < env->n_groups; g++)
		for (size_t i = 0; i < env->groups[g]->def->n_rules; i++) {
			const struct rule_run *from = &env->groups[g]->rules[i];

			if (from != reader && from->def->recording && (!from->settled || from->incomplete || from->unasked || from->n_unseen > 0))
				read_run(r, reader, from, env->scratch);
		}
	pthread_mutex_unlock(env->inputs_lock);
}

void rule_inputs_tell(struct rule_run *run, const struct eval_env *env, const struct promql_result *r, bool settled)
{
	pthread_mutex_lock(env->inputs_lock);
	run->settled |= settled;
	run->incomplete = r->incomplete;
	run->unasked = r->unasked;
	arena_reset(&run->unseen_arena);
	run->unseen = ARENA_ARRAY(&run->unseen_arena, r->n_unseen, struct labels);
	run->n_unseen = r->n_unseen;
	for (size_t i = 0; i < r->n_unseen; i++)
		run->unseen[i] = labels_copy(&run->unseen_arena, r->unseen[i]);
	pthread_mutex_unlock(env->inputs_lock);
}
