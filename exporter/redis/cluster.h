/* All nodes of a Redis Cluster as one source. A thread of its own asks a node for CLUSTER NODES, connects to each, and connects
 * again to those that were lost; a scrape only uses connections that stand, so a node that is gone costs it nothing, and one that
 * is silent delays nobody else. Each node's samples carry the label `node`; keys belong to the cluster and do not: each is asked
 * of its slot's owner. */
#ifndef TOCSIN_REDIS_CLUSTER_H
#define TOCSIN_REDIS_CLUSTER_H

#include "redis/node.h"
#include "source.h"

#define CLUSTER_NODES_MAX 500           /* further ones are left out */

struct cluster;

/* Starts the thread. */
struct cluster *cluster_new(const struct redis_settings *settings);
void cluster_free(struct cluster *c);   /* NULL is fine */

/* Sends each node its questions, if that can be done without waiting. */
void cluster_begin(struct cluster *c);
/* False when no node answered. */
bool cluster_collect(struct cluster *c, const struct source_ask *ask, struct expo_set *out, struct err *e) MUST_CHECK;

/* The masters' addresses as of now, in <a>; just after the start, once they have been looked for. */
struct redis_urls {
	const struct redis_url **v;
	size_t n;
	size_t missing;                 /* shards whose master has failed, and no other took its place yet */
};
struct redis_urls cluster_masters(struct cluster *c, struct redis_wait wait, struct arena *a);

/* ---- slots.c ---- */

/* A line of CLUSTER NODES. */
struct cluster_line {
	struct str id, host, hostname, port, flags, master_id;
	struct { int first, last; } slots[64];  /* of a master */
	size_t n_slots;
	bool is_master, has_failed, has_address;
};
bool cluster_read_line(struct str line, struct cluster_line *out) MUST_CHECK;
/* "10.0.0.7:6379", "[::1]:6379". */
struct str cluster_address(struct arena *a, struct str host, struct str port);
/* Of a key: what stands between the first { and the next }, if anything does, else all of it. */
int cluster_slot(struct str key);

#endif
