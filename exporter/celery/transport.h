/* What a Celery source wants of a broker, whatever it speaks: looks and questions on the poller's thread (a link), events on the
 * listener's (a stream). Redis and RabbitMQ each fill in one row. */
#ifndef TOCSIN_CELERY_TRANSPORT_H
#define TOCSIN_CELERY_TRANSPORT_H

#include "celery/broker.h"
#include "celery/pidbox.h"
#include "redis/conn.h"

/* A worker that has a mailbox in the broker. */
typedef void celery_node_fn(void *user, struct str node);

/* What came from the event stream; valid until the next is asked for. */
struct celery_message {
	struct str text;                /* JSON: an envelope with the events in its body, or the events themselves */
	bool enveloped;
	bool unreadable;                /* another serializer, compressed, over a limit: <text> is empty */
};

struct celery_transport {
	/* <used>, of link and stream alike: which of several addresses is the broker's now. */
	/* ---- The link; one thread. ---- */
	void *(*link_new)(const struct celery_settings *settings, size_t *used);
	/* Leaves nothing of ours in the broker. */
	void (*link_free)(void *link);
	/* Makes sure of the connection and fills <b>; with <discover> it also looks for queues. Calls <node> for each mailbox. */
	bool (*look)(void *link, struct broker *b, bool discover, struct redis_wait wait, celery_node_fn *node, void *user,
	             struct err *e) MUST_CHECK;
	/* After a look that went well. Wants no answer: enable_events, heartbeat. */
	bool (*tell)(void *link, const char *method, struct redis_wait wait, struct err *e) MUST_CHECK;
	/* After a look that went well. Calls <fn> for each answer, until all that received the question have answered or the deadline
	 * has come: no answer is no failure. */
	bool (*ask)(void *link, const struct pidbox_question *q, struct redis_wait wait, pidbox_answer_fn *fn, void *user,
	            struct pidbox_tally *tally, struct err *e) MUST_CHECK;
	/* After a look that went well. Whether the worker is connected; NULL: the broker tells only how many are, with a question to
	 * all. */
	bool (*has_mailbox)(void *link, struct str node, bool *there, struct err *e) MUST_CHECK;

	/* ---- The stream; one thread, another. ---- */
	void *(*stream_new)(const struct celery_settings *settings, size_t *used);
	void (*stream_free)(void *stream);
	bool (*stream_open)(void *stream, struct redis_wait wait, struct err *e) MUST_CHECK;
	void (*stream_close)(void *stream);
	/* Waits for the next message, as long as the broker shows that it is there. */
	bool (*stream_next)(void *stream, int stop_fd, struct celery_message *out, struct err *e) MUST_CHECK;
};

extern const struct celery_transport celery_redis, celery_rabbitmq;

#endif
