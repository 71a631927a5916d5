/* Relabelling as Prometheus does it: a list of rules turns one label set into another, or drops it. Source: Prometheus
 * documentation, "relabel_config". */
#ifndef TOCSIN_RELABEL_H
#define TOCSIN_RELABEL_H

#include "tocsin/conf.h"

#define RELABEL_ACTIONS(X) \
	X(REPLACE, "replace") \
	X(KEEP, "keep") X(DROP, "drop") X(KEEPEQUAL, "keepequal") X(DROPEQUAL, "dropequal") X(HASHMOD, "hashmod") \
		X(LABELMAP, "labelmap") X(LABELDROP, "labeldrop") X(LABELKEEP, "labelkeep") X(LOWERCASE, "lowercase") \
			X(UPPERCASE, "uppercase")

enum relabel_action {
#define X(id, text) RELABEL_##id,
	RELABEL_ACTIONS(X)
#undef X
};

struct relabel_rule {
	int action; /* enum relabel_action */
	struct conf_strs source_labels;
	struct str separator, target_label, replacement;
	struct regex *regex; /* anchored */
	int64_t modulus;
};

/* Reads one into a struct relabel_rule; for conf_sub_list. */
extern const struct conf_table relabel_table;

/* True when a rule may set, change or remove this label. */
bool relabel_may_change(const struct relabel_rule *, size_t n, struct str label);
/* False: dropped (or the result is empty). <*l> is replaced; new arrays and texts live in <a>. */
bool relabel_apply(const struct relabel_rule *, size_t n, struct labels *l, struct arena *a);

#endif
