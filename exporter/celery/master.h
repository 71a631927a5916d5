/* A connection to the Redis that is the broker. Where the address names Sentinels, they are asked for the master whenever the
 * connection is opened, and one to a server that is master no longer is given up. Where it names several servers, one is used until
 * it cannot be reached, then the next, as kombu does; all connections of a source go to the same. */
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
	size_t at;                      /* its place in the list; or that of <url> among <redises> */
	const struct celery_redises *redises;   /* NULL: there is but one */
	size_t *used;                   /* which of them; atomic */
};

/* To the server <url>. All is borrowed. */
void celery_master_init(struct celery_master *m, const struct redis_url *url, struct redis_conn_options options);
/* To the broker. Connections with the same <used> (0 at first) go to the same of several servers. */
void celery_master_init_broker(struct celery_master *m, const struct celery_settings *s, size_t *used,
    struct redis_conn_options options);
void celery_master_fini(struct celery_master *m);
bool celery_master_open(struct celery_master *m, struct redis_wait wait, struct err *e) MUST_CHECK;
/* Whether Sentinel says that another is master by now; <conn> is closed then. One that was replaced goes on for a while as if
 * nothing were. */
bool celery_master_moved(struct celery_master *m, struct redis_wait wait);

#endif
