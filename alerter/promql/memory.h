/* What a query remembers between evaluations: the label sets of each node's rows, and which input row goes to which output
 * row. A slot says which shapes it was made from; when those are the same again, it still holds. Private to promql/. */
#ifndef TOCSIN_PROMQL_MEMORY_H
#define TOCSIN_PROMQL_MEMORY_H

#include "eval.h"

enum memory_kind {
	MEMORY_SHAPE,           /* what the node itself makes: series of a selector, groups, matches */
	MEMORY_NAMES,           /* the same without metric names */
	MEMORY_KINDS
};

struct memory_slot {
	uint64_t made_from[2];
	bool valid;
	struct arena arena;     /* all that the slot holds; labels may borrow from the slots below in the tree */
	struct shape shape;
	const void *extra;      /* whatever the node's code keeps beside it */
};

/* The slot of a node (by id; <query>->n_nodes is the slot of the result). When it was made from these very inputs, <*fresh>
 * is set; else it was emptied, and the caller fills <shape> and calls memory_keep(). <fresh> NULL: emptied in any case. */
struct memory_slot *memory_slot(struct eval *, int node_id, enum memory_kind, uint64_t from_a, uint64_t from_b, bool *fresh);
void memory_keep(struct eval *, struct memory_slot *);
/* Whether the slot still holds for these inputs, without touching it. */
bool memory_holds(struct eval *, int node_id, enum memory_kind, uint64_t from_a, uint64_t from_b);
/* Memory for what lives no longer than one series is looked at; kept from one evaluation to the next. */
struct arena *memory_scratch(struct promql_query *);

/* Label sets numbered in the order of their first coming; copies of the arrays (not the texts) live in the arena. */
struct label_table {
	struct arena *arena;
	struct labels *v;
	uint64_t *hashes;
	size_t n, cap_v, cap_hashes;
	uint32_t *buckets;      /* index + 1; 0: free */
	size_t n_buckets;
};
void label_table_init(struct label_table *, struct arena *, size_t expected);
/* The number of <l>; <*added> (may be NULL) when it is new. */
size_t label_table_add(struct label_table *, struct labels l, bool *added);
/* The same without a copy: the array lives as long as the table. */
size_t label_table_add_borrowed(struct label_table *, struct labels l, bool *added);
size_t label_table_find(const struct label_table *, struct labels l);   /* SIZE_MAX when absent */

/* <l> without the metric name, type and unit. <out> holds at least <l>.n labels. */
struct labels labels_without_metric(struct label *out, struct labels l);

#endif
