/* The link to a RabbitMQ. */
#ifndef TOCSIN_CELERY_RABBIT_LINK_H
#define TOCSIN_CELERY_RABBIT_LINK_H

#include "celery/rabbit.h"
#include "celery/transport.h"

struct management;

/* NULL without management_url. */
struct management *management_new(const struct celery_settings *settings);
void management_free(struct management *m);
/* Fills in the queues of the virtual host. Calls <node> for each worker that has a mailbox. */
bool management_look(struct management *m, struct broker *b, struct redis_wait wait, celery_node_fn *node, void *user,
                     struct err *e) MUST_CHECK;

/* What it answers, by itself. */
bool management_read(struct broker *b, struct str json, celery_node_fn *node, void *user, struct err *e) MUST_CHECK;

void *rabbit_stream_new(const struct celery_settings *settings, size_t *used);
void rabbit_stream_free(void *stream);
bool rabbit_stream_open(void *stream, struct redis_wait wait, struct err *e);
void rabbit_stream_close(void *stream);
bool rabbit_stream_next(void *stream, int stop_fd, struct celery_message *out, struct err *e);

#endif
