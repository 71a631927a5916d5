/* A connection to the Redis that is the broker. Where the address names Sentinels, they are asked for the master whenever the
 * connection is opened, and one to a server that is master no longer is given up. */
#ifndef TOCSIN_CELERY_MASTER_H
#define TOCSIN_CELERY_MASTER_H

#include "celery/settings.h"
#include "redis/conn.h"

struct celery_master {
	struct redis_conn *conn;        /* use it between celery_master_open and the next; NULL without an address */
	const struct celery_sentinels *sentinels;
	struct redis_url url;           /* <conn> goes there; with Sentinels host and port are the two below */
	char host[256], port[16];
	struct redis_conn *sentinel;    /* the last that answered; NULL: none yet */
	size_t at;                      /* its place in the list */
};

/* <url> and <settings> are borrowed. <sentinels> NULL: <url> says it all. */
void celery_master_init(struct celery_master *m, const struct redis_url *url, const struct celery_sentinels *sentinels,
                        struct redis_conn_options options);
void celery_master_fini(struct celery_master *m);
bool celery_master_open(struct celery_master *m, struct redis_wait wait, struct err *e) MUST_CHECK;
/* Whether Sentinel says that another is master by now; <conn> is closed then. One that was replaced goes on for a while as if
 * nothing were. */
bool celery_master_moved(struct celery_master *m, struct redis_wait wait);

#endif
