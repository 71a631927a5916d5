/* Relabelling as Prometheus does it: a list of rules turns one label set into another, or drops it. Source: Prometheus
 * documentation, "relabel_config". */
#ifndef TOCSIN_RELABEL_H
#define TOCSIN_RELABEL_H

#include "tocsin/conf.h"
#include "tocsin/regex.h"

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
/* RELABEL_DROPPED: by a rule, or nothing is left. RELABEL_TOO_LONG: a rule's regular expression ran into a limit (regex.h), and what it would do is
 * not known; it and those behind it did nothing. <*l> is replaced; new arrays and texts live in <a>. */
enum relabel_outcome { RELABEL_KEPT, RELABEL_DROPPED, RELABEL_TOO_LONG };
#define RELABEL_TOO_LONG_TEXT "a regular expression needs more than " REGEX_LIMIT_NAME " of backtracking: write a simpler one"
enum relabel_outcome relabel_apply(const struct relabel_rule *, size_t n, struct labels *l, struct arena *a);

#endif
