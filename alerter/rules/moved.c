/* Rules that a reload finds elsewhere: in a group or a file of another name. One whose old place is gone goes on with all it had; one whose file has
 * vanished, and is kept until another reload confirms it, is beside the new one, which begins with its alerts. What is alike is told apart by its
 * place alone, so an alert ends under the old key without a word where the same one fires under the new. */
#include "rules/run.h"

static bool is_like(const struct rule *a, const struct rule *b)
{
	return a->recording == b->recording && str_eq(a->id.name, b->id.name) && str_eq(a->id.expr, b->id.expr) &&
	       labels_eq(a->raw_labels, b->raw_labels);
}

struct rule_run *rule_run_like(struct group_run *const *groups, size_t n, const struct rule *def)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < groups[i]->def->n_rules; k++) {
			struct rule_run *run = &groups[i]->rules[k];

			if (run->def != NULL && run->def != def && run->loaded && !run->left && is_like(run->def, def))
				return run;
		}
	return NULL;
}

void rule_run_move(struct rule_run *to, struct rule_run *from, struct arena *scratch)
{
	const struct rule *def = to->def;
	struct rule_run left = { .def = from->def, .loaded = true, .left = true };

	rule_run_fini(to);
	*to = *from;
	to->def = def;
	to->fresh = true;
	*from = left;
	for (struct map_slot *s = NULL; (s = map_next(&to->alerts, s)) != NULL; ) {
		struct alert *a = s->value;

		a->changed = true;
		rule_run_add(from, a->record.labels, scratch)->changed = true;  /* inactive: its record goes */
	}
}

void rule_run_copy(struct rule_run *to, const struct rule_run *from, struct arena *scratch)
{
	to->loaded = true;
	for (struct map_slot *s = NULL; (s = map_next(&from->alerts, s)) != NULL; ) {
		const struct alert *a = s->value;
		struct alert *copy = rule_run_add(to, a->record.labels, scratch);
		struct labels own = copy->record.labels;

		copy->record = a->record;
		copy->record.labels = own;
		copy->record.annotations = labels_copy(&copy->said, a->record.annotations);
		copy->record.value_text = arena_str(&copy->said, a->record.value_text);
		copy->by_error = a->by_error;
		copy->no_data_told = a->no_data_told;
		copy->synthetic = a->synthetic;
		copy->interrupted = a->interrupted;
		copy->resumed_ms = a->resumed_ms;
		copy->changed = true;
	}
}
