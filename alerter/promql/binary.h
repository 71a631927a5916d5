/* What the binary operators share. Private to promql/. */
#ifndef TOCSIN_PROMQL_BINARY_H
#define TOCSIN_PROMQL_BINARY_H

#include "eval.h"
#include "memory.h"

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
	struct label_table groups;      /* the labels of on(), or all but those of ignoring() and the name */
	struct side {
		uint32_t *group;        /* of each row */
		size_t cap;
	} left, right;
};
/* The rows of both sides that are not in the slot yet; <m> is zeroed at first. */
void match_rows(struct eval *, struct memory_slot *, struct matching *m, const struct node_binary *, const struct shape *l,
                const struct shape *r);
struct value *binary_match(struct eval *, const struct node *, struct value *l, struct value *r);

/* setops.c */
struct value *binary_set(struct eval *, const struct node *, struct value *l, struct value *r);

#endif
