/* The Redis source kind: `redis:` in the configuration, or REDIS_URL. */
#ifndef TOCSIN_REDIS_REDIS_H
#define TOCSIN_REDIS_REDIS_H

#include "source.h"

extern const struct source_kind redis_source_kind;

/* source_kind.nodes, by CLUSTER NODES. */
bool redis_nodes(const void *settings, struct source_nodes known, const struct source_ask *ask, source_node *node, void *user,
                 struct err *e);

/* ---- For explain.c ---- */

void redis_explain(struct buf *out, const void *settings);

#endif
