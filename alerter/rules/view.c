/* What others see of a group: an immutable copy made at the end of each tick, counted, so that nobody waits for an evaluation. */
#include "rules/run.h"

#include <stdlib.h>

#include "tocsin/mem.h"

static const char *const policy_names[] = { [RULE_KEEP] = "keep", [RULE_FIRE] = "fire", [RULE_RESOLVE] = "resolve" };
static const char *const health_names[] = { [RULE_HEALTH_UNKNOWN] = "unknown", [RULE_HEALTH_OK] = "ok", [RULE_HEALTH_ERR] = "err" };

bool rule_policy_parse(struct str s, enum rule_policy *out)
{
	for (size_t i = 0; i < ARRAY_LEN(policy_names); i++)
		if (str_eq(s, str_of(policy_names[i]))) {
			*out = (enum rule_policy)i;
			return true;
		}
	return false;
}

const char *rule_policy_name(enum rule_policy p)
{
	return policy_names[p];
}

const char *rule_health_name(enum rule_health h)
{
	return health_names[h];
}

static int by_labels(const void *a, const void *b)
{
	return labels_cmp(((const struct alert_record *)a)->labels, ((const struct alert_record *)b)->labels);
}

static void view_alerts(struct arena *a, const struct rule_run *run, struct rule_view *v)
{
	struct alert_record *records = ARENA_ARRAY(a, run->alerts.n, struct alert_record);

	for (struct map_slot *s = NULL; (s = map_next(&run->alerts, s)) != NULL; ) {
		struct alert_record r = ((const struct alert *)s->value)->record;

		if (r.state == ALERT_INACTIVE)
			continue;
		r.labels = labels_copy(a, r.labels);
		r.annotations = labels_copy(a, r.annotations);
		r.value_text = arena_str(a, r.value_text);
		records[v->n_alerts++] = r;
		if (r.state > v->state)
			v->state = r.state;
	}
	if (v->n_alerts > 1)
		qsort(records, v->n_alerts, sizeof *records, by_labels);
	v->alerts = records;
}

static void view_notes(struct arena *a, const struct rule_run *run, struct rule_view *v)
{
	struct promql_note *notes = ARENA_ARRAY(a, run->n_notes, struct promql_note);

	for (size_t i = 0; i < run->n_notes; i++) {
		notes[i] = run->notes[i];
		notes[i].text = arena_str(a, notes[i].text);
	}
	v->notes = notes;
	v->n_notes = run->n_notes;
}

static struct rule_view view_rule(struct arena *a, const struct rule_run *run)
{
	const struct rule *def = run->def;
	struct rule_view v = {
		.id = &def->id, .recording = def->recording, .for_ms = def->for_ms, .keep_firing_for_ms = def->keep_firing_for_ms,
		.policy = def->policy, .labels = def->raw_labels, .annotations = def->raw_annotations, .n_over_limit = run->n_over_limit,
		.health = run->health, .last_error = arena_str(a, str_of(run->last_error.msg)), .unknown = run->unknown,
		.last_evaluation_ms = run->last_evaluation_ms, .evaluation_seconds = run->seconds, .samples = run->samples,
	};

	view_alerts(a, run, &v);
	view_notes(a, run, &v);
	return v;
}

struct group_view *group_view_new(const struct group_run *g)
{
	struct group_view *v = mem_alloc(sizeof *v);
	struct rule_view *rules = ARENA_ARRAY(&v->arena, g->def->n_rules, struct rule_view);

	atomic_init(&v->refs, 1);
	v->file = rule_file_ref(g->file);
	for (size_t i = 0; i < g->def->n_rules; i++)
		rules[i] = view_rule(&v->arena, &g->rules[i]);
	v->view = (struct rule_group_view){
		.file = g->def->file, .name = g->def->name, .interval_ms = g->def->interval_ms, .query_offset_ms = g->def->query_offset_ms,
		.limit = g->def->limit, .last_evaluation_ms = g->last_evaluation_ms, .evaluation_seconds = g->seconds,
		.iterations = g->iterations, .iterations_missed = g->missed, .evaluations = g->evaluations, .failures = g->failures,
		.rules = rules, .n_rules = g->def->n_rules,
	};
	return v;
}

void group_view_unref(struct group_view *v)
{
	if (v == NULL || atomic_fetch_sub(&v->refs, 1) != 1)
		return;
	rule_file_unref(v->file);
	arena_fini(&v->arena);
	free(v);
}
