/* Which routes an alert takes, and which group of a route it falls into. Pure functions over the configuration. */
#ifndef NOTIFY_ROUTE_H
#define NOTIFY_ROUTE_H

#include "notify/config/config.h"

struct route_list {
	const struct route **v;         /* free() it */
	size_t n, cap;
};

/* The routes that handle <labels>: the deepest match of each branch, in order. All of them: none is told less for being many. */
struct route_list route_match(const struct route *root, struct labels labels);
/* The labels of <labels> the route groups by (shares texts). */
struct labels route_group_labels(const struct route *, struct labels labels, struct arena *);
/* Alertmanager's group key: {}/{team="a"}:{alertname="X"} */
struct str route_group_key(const struct route *, struct labels group_labels, struct arena *);

#endif
