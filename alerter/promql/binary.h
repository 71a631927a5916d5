/* What the binary operators share. Private to promql/. */
#ifndef TOCSIN_PROMQL_BINARY_H
#define TOCSIN_PROMQL_BINARY_H

#include "eval.h"

enum outcome {
	OUTCOME_KEEP,           /* a value, or a comparison that holds */
	OUTCOME_FALSE,          /* a comparison that does not hold: the sample goes, or is 0 with bool */
	OUTCOME_NONE,           /* the operator is not made for these kinds: the sample goes, and a note tells why */
};

double binop_floats(enum binop, double l, double r, enum outcome *);
enum outcome binop_points(struct eval *, const struct node *, struct point l, struct point r, struct point *out);
const char *binop_text(enum binop);
/* The operator makes another quantity of its operands: the metric name does not fit any more. Trimming leaves a part of the same. */
static inline bool binop_changes_name(enum binop op)
{
	return op > OP_TRIM_LOWER;
}

/* match.c: which rows of two vectors belong together. */
struct matching {
	size_t n_groups;
	const uint32_t *left, *right;   /* group of each row: the labels of on(), or all but those of ignoring() and the name */
	const struct labels *labels;    /* of each group */
};
struct value *binary_match(struct eval *, const struct node *, struct value *l, struct value *r);
struct matching match_groups(struct arena *, const struct node_binary *, const struct shape *l, const struct shape *r);

/* setops.c */
struct value *binary_set(struct eval *, const struct node *, struct value *l, struct value *r);

#endif
