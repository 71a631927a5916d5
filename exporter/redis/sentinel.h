/* What a Sentinel knows of the masters it watches. Their names are remembered, so that a scrape asks for everything at once; one
 * that is new takes a second trip, once. */
#ifndef TOCSIN_REDIS_SENTINEL_H
#define TOCSIN_REDIS_SENTINEL_H

#include "redis/conn.h"
#include "redis/show.h"

#define SENTINEL_MASTERS_MAX 200        /* further ones are left out, and redis_sentinel_masters tells how many there are */

/* {0} knows nothing yet. */
struct sentinel {
	struct arena arena;             /* of the names */
	struct str *names;
	size_t n;
};

void sentinel_fini(struct sentinel *s);

/* Queues the questions. */
void sentinel_ask(const struct sentinel *s, struct redis_conn *c);
/* Reads their answers in the place of the pipeline where they were queued. */
bool sentinel_show(struct sentinel *s, struct redis_conn *c, struct redis_wait wait, struct redis_shown *shown,
    struct err *e) MUST_CHECK;

/* SENTINEL CONFIG GET *. */
struct redis_node;
void sentinel_send_config(struct redis_node *n);
void redis_show_sentinel_config(struct redis_shown *shown, const struct resp_reply *reply);

/* A masterN line of INFO: name=…,status=ok,address=…,slaves=…,sentinels=…. */
void sentinel_show_master_line(const struct redis_shown *shown, struct str line);

#endif
