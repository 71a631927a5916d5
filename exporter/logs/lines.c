/* JSON is parsed at most once a line, and only when a rule asks for a field. */
#include "logs/lines.h"

#include <math.h>
#include <stdio.h>

#include "document.h"
#include "pointer.h"
#include "tocsin/num.h"

#define VALUE_MOST 0x1p900       /* no sum of lines is infinite then */

struct reading {
	const struct logs_settings *settings;
	struct lines_stats *stats;
	struct str line;
	json_t *json;                   /* NULL: not parsed yet, or no object */
	bool parsed;
	struct regex_group groups[LOGS_GROUPS_MAX + 1];
	size_t n_groups;                /* of the pattern last looked for, [0] included */
	struct str subject;             /* what the groups are of */
};

static const json_t *document(struct reading *r)
{
	if (!r->parsed) {
		r->parsed = true;
		r->json = document_read(r->line, NULL);
		if (r->json != NULL && !json_is_object(r->json)) {
			json_decref(r->json);
			r->json = NULL;
		}
		if (r->json == NULL && str_trim(r->line).n > 0)
			r->stats->lines_not_json++;
	}
	return r->json;
}

/* A field as text, numbers in <scratch>; false when it is absent, null, or made of others. */
static bool field_text(struct reading *r, struct str pointer, char scratch[NUM_MAX], struct str *out)
{
	const json_t *root = document(r), *v = root != NULL ? pointer_get(root, pointer) : NULL;

	if (json_is_string(v))
		*out = (struct str){ json_string_value(v), json_string_length(v) };
	else if (json_is_boolean(v))
		*out = json_is_true(v) ? STR("true") : STR("false");
	else if (json_is_integer(v))
		*out = (struct str){ scratch, (size_t)snprintf(scratch, NUM_MAX, "%lld", (long long)json_integer_value(v)) };
	else if (json_is_real(v))
		*out = (struct str){ scratch, num_format(scratch, json_real_value(v)) };
	else
		return false;
	return true;
}

static bool meets_conditions(struct reading *r, const struct logs_rule *rule)
{
	for (size_t i = 0; i < rule->where.n; i++) {
		char scratch[NUM_MAX];
		struct str text;
		enum regex_verdict v;

		if (!field_text(r, rule->where.v[i].field, scratch, &text))
			return false;
		v = regex_match(rule->where.v[i].re, text);
		r->stats->regex_limits += v == REGEX_LIMIT;
		if (v != REGEX_YES)
			return false;
	}
	return true;
}

/* <scratch> holds a number the pattern is looked for in, for as long as the groups are used. */
static bool matches(struct reading *r, const struct logs_rule *rule, char scratch[NUM_MAX])
{
	enum regex_verdict v;

	r->subject = r->line;
	if (rule->field.n > 0 && !field_text(r, rule->field, scratch, &r->subject))
		return false;
	if (rule->match == NULL)
		return true;
	r->n_groups = regex_group_count(rule->match) + 1;
	v = regex_find(rule->match, r->subject, 0, r->groups, r->n_groups);
	r->stats->regex_limits += v == REGEX_LIMIT;
	return v == REGEX_YES;
}

static bool read_value(struct reading *r, const struct logs_rule *rule, double *out)
{
	char scratch[NUM_MAX];
	struct buf group = { 0 };
	struct str text;
	bool ok = true;

	*out = 1;
	if (rule->value.n == 0)
		return true;
	if (rule->value_is_group) {
		regex_expand(rule->match, &group, r->subject, r->groups, r->n_groups, rule->value);
		text = buf_str(&group);
	} else {
		ok = field_text(r, rule->value, scratch, &text);
	}
	ok = ok && str_to_decimal(str_trim(text), out) && isfinite(*out);
	*out *= rule->scale;
	ok = ok && fabs(*out) < VALUE_MOST && (logs_rule_is_histogram(rule) || *out >= 0);
	buf_fini(&group);
	return ok;
}

static void put_label(struct reading *r, const struct logs_rule *rule, const struct logs_label *l, struct buf *out)
{
	char scratch[NUM_MAX];
	struct str text;

	if (l->origin == LOGS_CONSTANT)
		buf_puts(out, l->text);
	else if (l->origin == LOGS_GROUPS)
		regex_expand(rule->match, out, r->subject, r->groups, r->n_groups, l->text);
	else if (field_text(r, l->text, scratch, &text))
		buf_puts(out, text);
}

static void apply_rule(struct reading *r, struct counts *c, size_t i, int64_t now_ms)
{
	const struct logs_rule *rule = &logs_rules(r->settings)[i];
	struct buf texts[LOGS_LABELS_MAX] = { 0 };
	struct str values[LOGS_LABELS_MAX];
	char scratch[NUM_MAX];
	double v;

	if (!meets_conditions(r, rule) || !matches(r, rule, scratch))
		return;
	if (!read_value(r, rule, &v)) {
		r->stats->values_bad++;
		return;
	}
	for (size_t l = 0; l < rule->n_labels; l++) {
		put_label(r, rule, &rule->labels[l], &texts[l]);
		values[l] = buf_str(&texts[l]);
	}
	counts_add(c, i, values, v, now_ms);
	for (size_t l = 0; l < rule->n_labels; l++)
		buf_fini(&texts[l]);
}

void lines_take(const struct logs_settings *s, struct counts *c, struct lines_stats *stats, struct str line, int64_t now_ms)
{
	struct reading r = { .settings = s, .stats = stats, .line = line };

	stats->lines++;
	if (r.line.n > 0 && r.line.p[r.line.n - 1] == '\r')
		r.line.n--;
	for (size_t i = 0; i < s->metrics.n; i++)
		apply_rule(&r, c, i, now_ms);
	json_decref(r.json);
}
