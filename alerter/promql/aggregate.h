/* What the aggregation operators share. Private to promql/. */
#ifndef TOCSIN_PROMQL_AGGREGATE_H
#define TOCSIN_PROMQL_AGGREGATE_H

#include "eval.h"

/* Which group each row of the operand belongs to. */
struct grouping {
	const struct shape *shape;      /* the groups */
	const uint32_t *of;             /* by row */
};
/* Remembered with the node as long as the operand's shape stays. */
struct grouping aggregate_grouping(struct eval *, const struct node *, const struct shape *in);
/* The part of <l> that by() or without() leaves. <room> holds at least <l>.n labels. */
struct labels aggregate_labels(const struct node_aggregate *, struct label *room, struct labels l);

/* The name of a group goes at the end when that of any member does that has a sample. <out> (may be NULL): by group. */
void aggregate_drops(struct eval *, const struct grouping *, const struct value *x, struct value *out);

struct value *aggregate_rank(struct eval *, const struct node *, struct value *x, const struct value *param);
struct value *aggregate_quantile(struct eval *, const struct node *, const struct value *x, const struct value *param);
struct value *aggregate_count_values(struct eval *, const struct node *, const struct value *x, struct str label);
/* Where the operand and the parameter stand, without parentheses. */
int aggregate_operand_pos(const struct node *);
int aggregate_param_pos(const struct node *);
/* "ignored histogram in … aggregation". */
void aggregate_note_ignored(struct eval *, const struct node *, int pos);
/* What a parameter is over all steps. With a NaN among them the others are not looked at. */
struct param_range {
	double least, most;
	bool has_nan;
};
struct param_range aggregate_param_range(const struct value *param);

#endif
