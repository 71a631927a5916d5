/* What is done in the background, one round each scan_interval, over a connection of its own (scan.c). Each function fills <set>;
 * false and <e> when the server failed or the source is to stop (ERR_CANCELED): then the whole round counts for nothing. */
#ifndef TOCSIN_REDIS_SCANNER_H
#define TOCSIN_REDIS_SCANNER_H

#include "redis/scan.h"

struct redis_scanner {
	const struct redis_settings *settings;
	struct source_loop *loop;
	struct cluster *cluster;        /* NULL: one server */
	struct redis_conn **conns;      /* to each server of the round */
	size_t n_conns;
	size_t missing;                 /* shards of the cluster without one */
	struct redis_conn *conn;        /* whose turn it is */
	struct arena arena;             /* of one round */
	struct expo_set *set;
	struct err refused;             /* a database of this round was, the last one */
	struct err no_search;           /* why indexes are not known */
};

/* For one reply. */
struct redis_wait redis_scanner_wait(const struct redis_scanner *s);
/* Makes the <i>th server the one that is asked; false when there is none. */
bool redis_scanner_turn(struct redis_scanner *s, size_t i);
/* Makes <db> the connection's. */
bool redis_scanner_select(struct redis_scanner *s, int db, struct err *e) MUST_CHECK;

bool redis_scan_search(struct redis_scanner *s, struct err *e) MUST_CHECK;
bool redis_scan_groups(struct redis_scanner *s, struct err *e) MUST_CHECK;
bool redis_scan_scripts(struct redis_scanner *s, struct err *e) MUST_CHECK;

#endif
