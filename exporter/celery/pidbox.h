/* Questions to workers, as Celery's remote control asks them: one message to all (or some), one answer a worker into a list of
 * ours. The list has one fixed name, is emptied before each question and expires by itself, so that answers that come late never
 * pile up. */
#ifndef TOCSIN_CELERY_PIDBOX_H
#define TOCSIN_CELERY_PIDBOX_H

#include <jansson.h>

#include "celery/settings.h"
#include "redis/conn.h"

struct pidbox {
	const struct celery_settings *settings;
	struct redis_conn *conn;        /* to the broker, open */
	char oid[48];                   /* who we are to the workers */
};

struct pidbox_question {
	const char *method;             /* "ping" */
	const char *arguments;          /* JSON object */
	const struct str *nodes;        /* only these; NULL: all */
	size_t n_nodes;
};

struct pidbox_tally {
	int64_t connected;              /* workers that received the question */
	int64_t answered;
	int64_t unreadable;             /* answers in another serializer */
};

/* <answer> is what the worker returned; borrowed. */
typedef void pidbox_answer_fn(void *user, struct str node, const json_t *answer);

void pidbox_init(struct pidbox *p, const struct celery_settings *settings, struct redis_conn *conn);
/* Calls <fn> for each answer, until all that received the question answered or <patience_ms> is over: no answer is no failure. */
bool pidbox_ask(struct pidbox *p, const struct pidbox_question *q, int64_t patience_ms, int stop_fd, pidbox_answer_fn *fn,
                void *user, struct pidbox_tally *tally, struct err *e) MUST_CHECK;
/* Wants no answer: enable_events, heartbeat. */
bool pidbox_tell(struct pidbox *p, const char *method, struct redis_wait wait, struct err *e) MUST_CHECK;
/* Leaves nothing of ours behind in the broker. */
void pidbox_leave(struct pidbox *p, struct redis_wait wait);

#endif
