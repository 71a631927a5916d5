/* What stands in the broker: queues and how long they are, deliveries that are not acknowledged, the list of failed tasks,
 * mailboxes of workers. One pipelined round trip a look. A queue once known stays known, with length 0 when it is empty. */
#ifndef TOCSIN_CELERY_BROKER_H
#define TOCSIN_CELERY_BROKER_H

#include "celery/settings.h"
#include "redis/conn.h"

#define QUEUES_MAX 1000

struct broker_queue {
	char *name;
	int64_t lengths[CELERY_STEPS_MAX];      /* by priority step */
	double consumers, processes;            /* by active_queues; NaN: never told */
};

struct broker {
	const struct celery_settings *settings;
	struct broker_queue *queues;
	size_t n_queues, cap;
	bool looked;                    /* the numbers below are of a look that went well */
	int64_t unacked;
	double oldest_unacked_s;        /* unix time; NaN: there is none */
	int64_t failed;                 /* -1: not a list */
};

void broker_init(struct broker *b, const struct celery_settings *settings);
void broker_fini(struct broker *b);
/* NULL when there are too many, or the name is none of a task queue. */
struct broker_queue *broker_queue_add(struct broker *b, struct str name);
/* Finds queues by their bindings: SCAN, so only now and then. */
bool broker_discover(struct broker *b, struct redis_conn *c, struct redis_wait wait, struct err *e) MUST_CHECK;
/* Calls <node> for each worker that has a mailbox. */
bool broker_look(struct broker *b, struct redis_conn *c, struct redis_wait wait, void (*node)(void *user, struct str name),
                 void *user, struct err *e) MUST_CHECK;
void broker_show(const struct broker *b, struct expo_set *set, int64_t now_ms);

#endif
