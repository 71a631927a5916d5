/* The link to a Redis broker. */
#ifndef TOCSIN_CELERY_REDIS_LINK_H
#define TOCSIN_CELERY_REDIS_LINK_H

#include "celery/master.h"
#include "celery/transport.h"

struct redis_link {
	const struct celery_settings *settings;
	struct celery_master master;
	char oid[PIDBOX_OID_BYTES];
	size_t searched;                /* of several servers, the one where queues were looked for */
	bool bound;                     /* something of ours may be in the broker */
	bool heads_refused;             /* LINDEX is; until the next discovery */
};

/* The reply, unless it is an error. In <a>. */
bool redis_link_reply(struct redis_link *l, struct arena *a, struct redis_wait wait, const struct resp_reply **reply,
                      struct err *e) MUST_CHECK;

bool redis_look(void *link, struct broker *b, bool discover, struct redis_wait wait, celery_node_fn *node, void *user,
                struct err *e);

/* The messages at the heads of lists that were not empty at the last look. redis_heads_send() decides which, before the lengths are
 * forgotten; redis_heads_read() reads the answers, one after the other, for one may be large. False when the source is to stop:
 * nothing else about a head makes a look fail. */
struct redis_head {
	size_t queue, step;
};
size_t redis_heads_send(struct redis_link *l, const struct broker *b, struct arena *a, struct redis_head **heads);
bool redis_heads_read(struct redis_link *l, struct broker *b, const struct redis_head *heads, size_t n, struct redis_wait wait,
                      struct err *e) MUST_CHECK;
/* The key of a queue's list. In <a>. */
struct str redis_list_key(const struct celery_settings *s, struct arena *a, const char *queue, int step);

bool redis_tell(void *link, const char *method, struct redis_wait wait, struct err *e);
bool redis_ask(void *link, const struct pidbox_question *q, struct redis_wait wait, pidbox_answer_fn *fn, void *user,
               struct pidbox_tally *tally, struct err *e);
/* Leaves nothing of ours behind in the broker. */
void redis_leave(struct redis_link *l, struct redis_wait wait);

void *redis_stream_new(const struct celery_settings *settings, size_t *used);
void redis_stream_free(void *stream);
bool redis_stream_open(void *stream, struct redis_wait wait, struct err *e);
void redis_stream_close(void *stream);
bool redis_stream_next(void *stream, int stop_fd, struct celery_message *out, struct err *e);

#endif
