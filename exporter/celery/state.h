/* What the three threads of a Celery source share: the listener (event stream), the poller (everything that asks), and whoever
 * collects. Held under one lock, for a message or a page at a time and never while waiting for the broker. */
#ifndef TOCSIN_CELERY_STATE_H
#define TOCSIN_CELERY_STATE_H

#include <pthread.h>

#include "celery/settings.h"
#include "celery/tasks.h"
#include "celery/workers.h"

struct celery_state {
	const struct celery_settings *settings;
	const struct clock *clock;
	size_t used;                    /* which of several addresses is the broker's now; atomic */
	int first_look_fd;              /* readable once the broker was looked at, well or not */

	pthread_mutex_t lock;           /* of all below */
	struct celery_tasks *tasks;
	struct celery_workers *workers;
	int64_t listening_since;        /* monotonic; 0: the event stream is not being read */
	double events, unreadable, reconnects;
	int64_t looked_mono_ms;         /* last look that went well; 0: none */
	struct err look_err;            /* of the last look */
};

/* Reads the event stream until <stop_fd> is readable. */
void celery_listen(struct celery_state *s, int stop_fd);
/* Asks the broker and the workers until the source is to stop. */
void celery_poll(struct celery_state *s, struct source_loop *loop);

#endif
