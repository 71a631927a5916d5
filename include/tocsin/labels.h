/* A label set: names unique, sorted by name in byte order, no empty values. Plain data over borrowed text; who makes one
 * says in which lifetime it lives. The metric name is the label "__name__". */
#ifndef TOCSIN_LABELS_H
#define TOCSIN_LABELS_H

#include "tocsin/arena.h"
#include "tocsin/buf.h"

#define LABEL_NAME "__name__"

struct label {
	struct str name, value;
};

struct labels {
	const struct label *v;
	size_t n;
};

/* Value of <name>, or an empty str. */
struct str labels_get(struct labels l, struct str name);
bool labels_has(struct labels l, struct str name);
bool labels_eq(struct labels a, struct labels b);
/* Prometheus's order: label by label, name then value, then the shorter first. */
int labels_cmp(struct labels a, struct labels b);
uint64_t labels_hash(struct labels l);
/* Deep copy into <a>. */
struct labels labels_copy(struct arena *a, struct labels l);

/* Sorts <v> by name and drops empty values. False when a name occurs twice (then <*dup> names it, if not NULL). */
bool labels_from(struct label *v, size_t n, struct labels *out, struct str *dup) MUST_CHECK;
/* <l> with <name> set to <value> (dropped when empty). New array in <a>; texts are borrowed. */
struct labels labels_with(struct arena *a, struct labels l, struct str name, struct str value);
struct labels labels_without(struct arena *a, struct labels l, struct str name);

/* metric_name{a="b",c="d"}, as PromQL and the API print it; names that are not plain identifiers come quoted. */
void labels_print(struct buf *b, struct labels l);
/* Escapes \ " and newline, without the quotes (exposition format, PromQL and labels_print share it). */
void labels_escape(struct buf *b, struct str value);
/* [a-zA-Z_][a-zA-Z0-9_]* ; metric names may hold ':' too. */
bool labels_name_is_plain(struct str name);
bool labels_metric_is_plain(struct str name);

#endif
