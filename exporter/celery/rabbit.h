/* A connection to a RabbitMQ: librabbitmq's, with deadlines, limits and one channel. One thread uses it. Whatever fails closes it;
 * the next rabbit_open makes a new one, to the next address where there are several. */
#ifndef TOCSIN_CELERY_RABBIT_H
#define TOCSIN_CELERY_RABBIT_H

#include <amqp.h>

#include "celery/settings.h"
#include "redis/conn.h"
#include "tocsin/buf.h"

struct rabbit {
	const struct celery_amqp *settings;
	amqp_connection_state_t state;  /* NULL: closed */
	size_t *used;                   /* which of the addresses; atomic, of link and stream alike */
	int heartbeat_s;                /* 0: none; else rabbit_next must be called again and again */
	uint64_t channels;              /* opened so far: what is consumed ends with its channel */
	struct buf body, ticket;        /* of the last delivery */
};

/* Valid until the next call. */
struct rabbit_delivery {
	struct str body;
	bool json;                      /* by its content type, and not compressed */
	bool too_big;                   /* over the limit: <body> is empty */
	struct str ticket;              /* header of that name */
};

void rabbit_init(struct rabbit *r, const struct celery_amqp *settings, size_t *used, int heartbeat_s);
void rabbit_fini(struct rabbit *r);
/* Makes sure of a connection that is logged in and has a channel. */
bool rabbit_open(struct rabbit *r, struct redis_wait wait, struct err *e) MUST_CHECK;
void rabbit_close(struct rabbit *r);
bool rabbit_is_open(const struct rabbit *r);

/* <*there> false: there is no such exchange; that is no failure. */
bool rabbit_has_exchange(struct rabbit *r, const char *name, bool *there, struct err *e) MUST_CHECK;
bool rabbit_has_queue(struct rabbit *r, const char *name, bool *there, uint32_t *ready, uint32_t *consumers,
                      struct err *e) MUST_CHECK;
/* Makes it where it is not there yet. */
bool rabbit_make_exchange(struct rabbit *r, const char *name, const char *type, bool durable, struct err *e) MUST_CHECK;

/* A queue of our own, which ends with the connection: bound to <exchange>, consumed without acknowledgements. */
struct rabbit_mailbox {
	const char *queue, *exchange, *routing_key;
	int32_t ttl_ms, max_length, max_bytes;
};
bool rabbit_consume(struct rabbit *r, const struct rabbit_mailbox *m, struct err *e) MUST_CHECK;
bool rabbit_publish(struct rabbit *r, const char *exchange, struct str json, int64_t expires_ms, struct err *e) MUST_CHECK;
/* The next delivery; bodies over <limit> bytes are passed over. ERR_TIMEOUT leaves the connection open. */
bool rabbit_next(struct rabbit *r, size_t limit, struct redis_wait wait, struct rabbit_delivery *out, struct err *e) MUST_CHECK;

#endif
