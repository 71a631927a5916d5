/* Settings of one logs source: which files, and what becomes of their lines. */
#ifndef TOCSIN_LOGS_SETTINGS_H
#define TOCSIN_LOGS_SETTINGS_H

#include "source.h"
#include "tocsin/regex.h"

#define LOGS_LABELS_MAX 16
#define LOGS_BUCKETS_MAX 64
#define LOGS_GROUPS_MAX 64             /* of a pattern */

enum logs_first { LOGS_FIRST_END, LOGS_FIRST_BEGINNING };

/* Where a label's value comes from. */
enum logs_origin { LOGS_CONSTANT, LOGS_GROUPS, LOGS_FIELD };

struct logs_label {
	struct str name, text;
	enum logs_origin origin;
};

/* The field must be there and match. */
struct logs_condition {
	struct str field;
	struct regex *re;
};

struct logs_conditions {
	struct logs_condition *v;
	size_t n;
};

struct logs_bounds {
	double v[LOGS_BUCKETS_MAX];
	size_t n;
};

/* One metric of the file: which lines it is about and what it makes of them. */
struct logs_rule {
	struct str name, help, unit;
	int type;                       /* 0: counter, 1: histogram */
	struct regex *match;            /* NULL: any line */
	struct str field;               /* what <match> reads; empty: the line */
	struct logs_conditions where;
	struct conf_labels label_texts;
	struct str value;               /* group or field; empty: 1 */
	double scale;
	struct logs_bounds buckets;
	int64_t top;                    /* label sets shown; the rest is "other" */

	struct logs_label labels[LOGS_LABELS_MAX];      /* made of the texts */
	size_t n_labels;
	bool value_is_group, has_variable_labels, reads_json;
	struct str key;                 /* name and labels, as the state file calls the rule */
	struct expo_family family;
};

struct logs_settings {
	struct source_settings common;
	struct conf_strs files;         /* patterns */
	struct str state;               /* the state file */
	int first;                      /* enum logs_first */
	int64_t interval_ms, max_line, max_files;
	struct conf_list metrics;       /* struct logs_rule */
};

extern const struct conf_table logs_settings_table;

static inline bool logs_rule_is_histogram(const struct logs_rule *r)
{
	return r->type == 1;
}

static inline const struct logs_rule *logs_rules(const struct logs_settings *s)
{
	return s->metrics.v;
}

#endif
