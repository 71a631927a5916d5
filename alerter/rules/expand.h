/* Labels and annotations of a rule, expanded for one sample. Private to rules/. */
#ifndef TOCSIN_RULES_EXPAND_H
#define TOCSIN_RULES_EXPAND_H

#include "rules/rule.h"

struct expand_env {
	struct querier *querier;
	const struct rules_options *options;
	int64_t query_ms;               /* `query` is evaluated at this time */
	int64_t now_ms;
	struct arena *arena;            /* results live here */
};

/* The expansion of one text. A text that cannot be expanded becomes "<error expanding template: …>". */
struct str rule_expand_text(const struct rule *, const struct rule_text *, const struct promql_sample *, const struct expand_env *);
/* The final labels of an alert: the sample's without its name, the rule's over them, alertname last. */
struct labels rule_alert_labels(const struct rule *, const struct promql_sample *, const struct expand_env *);
/* The final labels of a recorded sample. */
struct labels rule_record_labels(const struct rule *, const struct promql_sample *, struct arena *);
struct labels rule_alert_annotations(const struct rule *, const struct promql_sample *, const struct expand_env *);
/* What {{ $value }} shows of a histogram. */
struct str rule_value_text(const struct promql_sample *, struct arena *);

#endif
