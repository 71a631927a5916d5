/* Looking for keys in the background: SCAN, never faster than the configured number of keys a second, in portions that cost the
 * server next to nothing. Results go to source_loop_publish as task "keys", which gives them an age. */
#ifndef TOCSIN_REDIS_SCAN_H
#define TOCSIN_REDIS_SCAN_H

#include "redis/conn.h"
#include "redis/settings.h"

struct cluster;
/* Of the endpoint, or of all masters of <cluster>, unless NULL. Returns when the source is to stop. */
void redis_scan_run(const struct redis_settings *settings, struct cluster *cluster, struct source_loop *loop);

/* Whether keys or streams that scrapes read are in databases other than the address's: a scrape leaves out what is in one that is
 * refused, and the task "databases" says so. */
bool redis_scan_tries_databases(const struct redis_settings *settings);

/* One pass over a database. <each> is called with every portion of matching keys, in <a>; one may come twice, as SCAN has it. It
 * may ask further on the same connection. False and <e> when the server failed or the source is to stop (ERR_CANCELED). */
typedef bool redis_scan_each(void *user, struct arena *a, const struct resp_reply *keys, struct err *e);
struct redis_scan {
	struct redis_conn *conn;        /* open, in the right database */
	struct source_loop *loop;
	int64_t keys_per_second;
	struct str pattern;             /* empty: all */
};
/* A pattern that matches <text> alone, in <a>: SCAN's, and PSUBSCRIBE's. */
struct str redis_pattern_of(struct arena *a, struct str text);
/* One call of SCAN: about a thousand keys are passed over, those that match are <*keys>, in <a>; <cursor> begins as "0" and is
 * "0" again behind the last portion. */
#define REDIS_SCAN_PORTION 1000
bool redis_scan_portion(struct redis_conn *c, struct str pattern, struct redis_wait wait, struct arena *a, struct str *cursor,
                        const struct resp_reply **keys, struct err *e) MUST_CHECK;
bool redis_scan_pass(const struct redis_scan *scan, redis_scan_each *each, void *user, struct err *e) MUST_CHECK;

#endif
