/* The Redis source kind: `redis:` in the configuration, or REDIS_URL. */
#ifndef TOCSIN_REDIS_REDIS_H
#define TOCSIN_REDIS_REDIS_H

#include "source.h"

extern const struct source_kind redis_source_kind;

/* source_kind.nodes, by CLUSTER NODES. */
bool redis_nodes(const void *settings, const struct source_ask *ask, source_node *node, void *user, struct err *e);

/* ---- For explain.c ---- */

void redis_explain(struct buf *out, const void *settings);
struct redis_settings;
/* The commands a scrape asks with these settings, by the names ACL rules have for them. */
void redis_each_ask(const struct redis_settings *settings, void (*each)(void *user, const char *name), void *user);

#endif
