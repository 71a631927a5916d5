/* Celery's events: JSON, one event or a list of them; on Redis that is the body (base64) of kombu's envelope. Only the fields that
 * are used are read; everything else is stepped over. */
#ifndef TOCSIN_CELERY_EVENT_H
#define TOCSIN_CELERY_EVENT_H

#include "tocsin/arena.h"
#include "tocsin/conf.h"
#include "tocsin/err.h"

enum celery_event_type {
	EVENT_OTHER,            /* of no use to us: worker-elect, task types of the application's own */
	EVENT_TASK_SENT, EVENT_TASK_RECEIVED, EVENT_TASK_STARTED, EVENT_TASK_SUCCEEDED, EVENT_TASK_FAILED, EVENT_TASK_REJECTED,
	EVENT_TASK_REVOKED, EVENT_TASK_RETRIED,
	EVENT_WORKER_ONLINE, EVENT_WORKER_HEARTBEAT, EVENT_WORKER_OFFLINE,
};

/* Texts may be empty, numbers NaN: the event did not say. */
struct celery_event {
	enum celery_event_type type;
	struct str hostname;            /* of the worker (celery@host) or, sent, of the producer (gen123@host) */
	struct str uuid, name, queue, exception, eta;
	double timestamp;               /* unix time by the sender's clock; utcoffset has no part in it */
	double runtime;                 /* seconds, succeeded */
	double freq, active, processed, pid;
	bool requeue;                   /* rejected */
};

typedef void celery_event_fn(void *user, const struct celery_event *event);

/* Calls <fn> for each event of a body. What it is handed is in <a> or in the body. False and <e> when it cannot be read; the
 * events before that were handed over. */
bool celery_events_decode(struct arena *a, struct str body, celery_event_fn *fn, void *user, struct err *e) MUST_CHECK;
/* The same of a message in its envelope; another serializer cannot be read. */
bool celery_message_decode(struct arena *a, struct str message, celery_event_fn *fn, void *user, struct err *e) MUST_CHECK;
/* The body of any kombu message, out of its envelope; <ticket>: headers.ticket, NULL: not wanted. */
bool celery_envelope_open(struct arena *a, struct str message, struct str *body, struct str *ticket, struct err *e) MUST_CHECK;

/* Of the message of a task: its id, and when it was sent where one of <headers> says so (unix time or RFC 3339). What is not told,
 * or cannot be read, is left alone. */
void celery_message_sent(struct arena *a, struct str message, struct conf_strs headers, struct str *id, double *sent_s);

/* "ValueError" of "ValueError('x')", "mod.Error" of "mod.Error(1)" without the module; "UnknownException" when there is no name. */
struct str celery_exception_class(struct str repr);

/* Whether <s> is a unix time at which something may have happened, of whoever's clock. */
static inline bool celery_is_time(double s)
{
	return s > 0 && s < 1e11;
}

#endif
