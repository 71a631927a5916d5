/* Laying one configuration file over another, as trees, before anything is read from them. Private to the alerter's main folder. */
#ifndef TOCSIN_CONFIG_MERGE_H
#define TOCSIN_CONFIG_MERGE_H

#include "tocsin/conf.h"

/* <over> laid over <base> (either may be NULL or not a map): receivers of one name join their integrations, other lists are put behind
 * each other, maps are laid over each other, and of anything else <over>'s is taken. Shares nodes with both. */
struct conf_node *config_merge(struct arena *a, struct conf_node *base, struct conf_node *over);
/* A copy with every secret replaced by <secret>: passwords, tokens, keys, credentials, and the addresses receivers are reached at. */
struct conf_node *config_redact(struct arena *a, const struct conf_node *node);
/* A copy of a map with only the keys among <names>, or (not <those>) without them; room for those left out. Shares nodes. Of anything
 * else a copy as it is. */
struct conf_node *config_pick(struct arena *a, const struct conf_node *map, const char *const *names, size_t n, bool those);

#endif
