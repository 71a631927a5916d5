/* What a query remembers between evaluations: the label sets of each node's rows, and which input row goes to which output
 * row. A slot says which shapes it was made from; when those are the same again, it still holds. Shapes only ever grow at their end:
 * when those it was made from did, the slot is given their new rows and nothing else. Private to promql/. */
#ifndef TOCSIN_PROMQL_MEMORY_H
#define TOCSIN_PROMQL_MEMORY_H

#include "eval.h"

enum memory_kind {
	MEMORY_SHAPE,           /* what the node itself makes: series of a selector, groups, matches */
	MEMORY_NAMES,           /* the same without metric names */
	MEMORY_KINDS
};

/* What a slot is made from: an input, and how many rows it has. Of the same input the first rows are the same. */
struct memory_input {
	uint64_t id;
	size_t n;
};

struct memory_slot {
	struct memory_input from[2];
	size_t done[2];         /* rows of each that are in */
	bool valid;
	struct arena arena;     /* all that the slot holds; labels may borrow from the slots below in the tree */
	size_t counted_bytes;   /* of it, in memory_bytes() */
	struct shape shape;
	void *extra;            /* whatever the node's code keeps beside it; NULL when the slot is empty */
};

static inline struct memory_input memory_of_shape(const struct shape *s)
{
	return (struct memory_input){ s->version, s->n };
}

/* The slot of a node (by id; from <query>->n_nodes on come two of the result), emptied unless it was made from these inputs. When
 * memory_is_due(), the caller puts in the rows from <done> on and calls memory_keep(). */
struct memory_slot *memory_slot(struct eval *, int node_id, enum memory_kind, struct memory_input a, struct memory_input b);
/* The same for what has no inputs but the samples: emptied in any case. */
struct memory_slot *memory_slot_anew(struct eval *, int node_id, enum memory_kind);
static inline bool memory_is_due(const struct memory_slot *s)
{
	return !s->valid || s->done[0] < s->from[0].n || s->done[1] < s->from[1].n;
}
void memory_keep(struct eval *, struct memory_slot *);
/* Empties it: new rows would change old ones. */
void memory_restart(struct memory_slot *);
/* Empties it and gives back its memory: what failed is not remembered. */
void memory_discard(struct eval *, struct memory_slot *);
/* Whether the slot has all of these inputs, without touching it. */
bool memory_holds(struct eval *, int node_id, enum memory_kind, struct memory_input a, struct memory_input b);
/* Bytes of all slots. */
size_t memory_bytes(const struct promql_query *);

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

/* Number of labels of the longest set of <s> from <row> on, at least 1. */
size_t shape_longest(const struct shape *s, size_t row);

/* <l> without the metric name, type and unit. <out> holds at least <l>.n labels. */
struct labels labels_without_metric(struct label *out, struct labels l);

#endif
