/* Questions to workers, as Celery's remote control asks them: one message to all (or some), one answer a worker. Here is what does
 * not depend on the broker. */
#ifndef TOCSIN_CELERY_PIDBOX_H
#define TOCSIN_CELERY_PIDBOX_H

#include <jansson.h>

#include "celery/settings.h"
#include "tocsin/buf.h"

#define PIDBOX_OID_BYTES 48
#define PIDBOX_TICKET_BYTES 37
#define PIDBOX_ANSWER_MAX (8u << 20)

struct pidbox_question {
	const char *method;             /* "ping" */
	const char *arguments;          /* JSON object */
	const struct str *nodes;        /* only these; NULL: all */
	size_t n_nodes;
	int64_t enough;                 /* answers: more are not waited for; 0: as many as there may come */
};

struct pidbox_tally {
	int64_t connected;              /* workers that received the question; -1: the broker does not tell */
	int64_t answered;
	int64_t unreadable;             /* answers in another serializer, or too long */
};

/* <answer> is what the worker returned; borrowed. */
typedef void pidbox_answer_fn(void *user, struct str node, const json_t *answer);

/* Who we are to the workers: the same after a restart. */
void pidbox_oid(const struct celery_settings *settings, char oid[PIDBOX_OID_BYTES]);
void pidbox_random_uuid(char out[PIDBOX_TICKET_BYTES]);
/* The question as JSON; <ticket> NULL: no answer is wanted. */
void pidbox_put_question(struct buf *out, const struct pidbox_question *q, const char *oid, const char *ticket);
/* An answer, {"celery@host": answer}. False when it is none. */
bool pidbox_take_answer(struct str body, pidbox_answer_fn *fn, void *user);

#endif
