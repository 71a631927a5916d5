/* The event stream of a RabbitMQ: a queue of our own at the exchange "celeryev". It ends with the connection and is bounded; when
 * we are too slow the server drops the oldest. */
#include <stdio.h>
#include <stdlib.h>

#include "celery/rabbit_link.h"
#include "tocsin/clock.h"
#include "tocsin/mem.h"

#define EXCHANGE "celeryev"
#define HEARTBEAT_S 10          /* a server that is silent for twice as long is gone */
#define FOREVER_MS (365LL * 86400000)
#define TTL_MS 60000
#define QUEUE_MAX 100000
#define QUEUE_MAX_BYTES (64 << 20)
#define EVENT_MAX (8u << 20)

struct rabbit_stream {
	struct rabbit rabbit;
	char queue[64];
};

void *rabbit_stream_new(const struct celery_settings *settings, size_t *used)
{
	struct rabbit_stream *s = mem_alloc(sizeof *s);

	rabbit_init(&s->rabbit, &settings->amqp, used, HEARTBEAT_S);
	return s;
}

void rabbit_stream_free(void *stream)
{
	struct rabbit_stream *s = stream;

	rabbit_fini(&s->rabbit);
	free(s);
}

void rabbit_stream_close(void *stream)
{
	struct rabbit_stream *s = stream;

	rabbit_close(&s->rabbit);
}

/* A name of its own for each connection: the queue of the last one may not be gone yet. */
bool rabbit_stream_open(void *stream, struct redis_wait wait, struct err *e)
{
	struct rabbit_stream *s = stream;
	char id[PIDBOX_TICKET_BYTES];

	pidbox_random_uuid(id);
	snprintf(s->queue, sizeof s->queue, "celeryev.tocsin-%s", id);
	return rabbit_open(&s->rabbit, wait, e) && rabbit_make_exchange(&s->rabbit, EXCHANGE, "topic", true, e)
	    && rabbit_consume(&s->rabbit, &(struct rabbit_mailbox){ .queue = s->queue, .exchange = EXCHANGE, .routing_key = "#",
	                      .ttl_ms = TTL_MS, .max_length = QUEUE_MAX, .max_bytes = QUEUE_MAX_BYTES }, e);
}

bool rabbit_stream_next(void *stream, int stop_fd, struct celery_message *out, struct err *e)
{
	struct rabbit_stream *s = stream;
	const struct redis_wait wait = { clock_mono_ms(&clock_system) + FOREVER_MS, stop_fd };
	struct rabbit_delivery d;

	if (!rabbit_next(&s->rabbit, EVENT_MAX, wait, &d, e))
		return false;
	*out = (struct celery_message){ .text = d.body, .unreadable = !d.json || d.too_big };
	return true;
}
