/* What stands in the broker: queues and how long they are, deliveries that are not acknowledged, the list of failed tasks. A queue
 * is known until it is gone; those that are configured stay, with length 0. */
#ifndef TOCSIN_CELERY_BROKER_H
#define TOCSIN_CELERY_BROKER_H

#include "celery/settings.h"
#include "tocsin/err.h"
#include "tocsin/expo.h"

#define QUEUES_MAX 1000
#define QUEUE_PRIORITIES_MAX 256
#define QUEUE_PRIORITIES_SHOWN 32       /* where there are more, those that have had messages; the rest is "other" */

#define TASK_ID_MAX 40

struct broker_step {
	int priority;
	int64_t length;                 /* -1: not told */
	bool shown;                     /* by itself, where there are too many; for ever */
	double sent_s;                  /* Redis: unix time the message at the head was sent, by itself; NaN: it does not say */
	char task_id[TASK_ID_MAX + 1];  /* of that message; empty: not told */
};

struct broker_queue {
	char *name;
	bool configured;                /* shown even where it does not exist */
	bool exists;                    /* RabbitMQ: it was declared; Redis: it was bound at the last discovery */
	int64_t length;                 /* ready, all priorities; -1: not told */
	bool head_too_big;              /* Redis: to be read; until the next discovery */
	struct broker_step *steps;      /* by priority; none: the queue has no priorities */
	size_t n_steps;
	double workers, processes;      /* by active_queues; NaN: never told */
	double consumers, unacked;      /* RabbitMQ; NaN: not told */
	double head_s;                  /* unix time of the message at the head; NaN: not told */
};

struct broker {
	const struct celery_settings *settings;
	struct broker_queue *queues;
	size_t n_queues, cap;
	size_t n_refused;               /* queues of the last discovery that are not shown, because of QUEUES_MAX */
	bool queues_told;               /* of the last look; false: how long they are is not known */
	struct err queues_err;          /* why, or what else could not be told, where the rest of the look went well */
	double unacked;                 /* NaN: not told */
	double oldest_unacked_s;        /* unix time; INFINITY: there is none; NaN: not told */
	double delayed;                 /* in RabbitMQ's queues for tasks with an eta; NaN: not told */
	double failed;                  /* NaN: not a list */
};

void broker_init(struct broker *b, const struct celery_settings *settings);
void broker_fini(struct broker *b);
/* Queues that are not there, that are empty and that no worker consumes are known no more, unless they are configured. */
void broker_forget_gone(struct broker *b);
/* NULL when there are too many, or the name is none of a task queue. */
struct broker_queue *broker_queue_add(struct broker *b, struct str name);
/* Room for <n> (at most QUEUE_PRIORITIES_MAX) priorities: lengths 0, nothing known of the heads. */
void broker_queue_set_steps(struct broker_queue *q, size_t n);
void broker_show(const struct broker *b, struct expo_set *set, int64_t now_ms);

#endif
