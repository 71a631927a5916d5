/* What a rule file says, once it is read: immutable, counted, shared by the running groups and by snapshots. Private to rules/. */
#ifndef TOCSIN_RULES_RULE_H
#define TOCSIN_RULES_RULE_H

#include <stdatomic.h>

#include "rules/rules.h"
#include "tocsin/conf.h"
#include "tocsin/template.h"

#define RULE_INTERVAL_MS 60000
#define RULE_NO_DATA_AFTER_MS 900000

/* A label or an annotation: its text is a template. */
struct rule_text {
	struct str name;
	struct str source;
	struct template *text;
};

struct rule {
	struct rule_identity id;
	bool recording;
	struct promql_query *query;             /* used by one thread at a time: who evaluates the group */
	int64_t for_ms, keep_firing_for_ms;
	struct rule_defaults policy;
	struct labels raw_labels, raw_annotations;
	const struct rule_text *labels;         /* the group's labels included */
	size_t n_labels;
	const struct rule_text *annotations;    /* without directives */
	size_t n_annotations, n_directives;     /* directives stand behind the annotations */
};

struct rule_group {
	struct str file, name;
	int64_t interval_ms, query_offset_ms;
	size_t limit;
	struct rule *rules;
	size_t n_rules;
};

struct rule_file {
	atomic_size_t refs;
	struct arena arena;
	struct str path, text;
	struct rule_group *groups;
	size_t n_groups;
};

/* Reads one file; every mistake and lint warning goes to <report>. NULL when there was a mistake. */
struct rule_file *rule_file_load(const char *path, const struct rules_options *, struct conf_report *report);
struct rule_file *rule_file_load_text(struct str path, struct str text, const struct rules_options *, struct conf_report *report);
struct rule_file *rule_file_ref(struct rule_file *);
void rule_file_unref(struct rule_file *);

/* Warnings about a rule that is valid but surely not meant so. <expr> is the scalar; <severity> NULL: none beside it. */
void rule_lint(const struct rule *, const struct conf_node *expr, const struct conf_node *severity, struct conf_report *report);

/* How rule texts see the world: variables and functions. */
extern const struct template_env rule_template_env;

#endif
