/* The row of the RabbitMQ broker. Whether it is up is what its AMQP port says. Queues are read from its management API where that
 * is configured; else, and where it does not tell, they are declared passively one by one, which tells how many messages are
 * ready, and how many consumers there are, of queues whose names are known. */
#include "celery/rabbit_link.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tocsin/clock.h"
#include "tocsin/mem.h"

#define REQUESTS "celery.pidbox"
#define REPLIES "reply.celery.pidbox"
#define TOLD_EXPIRES_MS 5000
#define ANSWER_TTL_MS 60000
#define ANSWERS_MAX 10000
#define ANSWERS_MAX_BYTES (64 << 20)
#define LOOKS_UNTOLD 4                  /* in a row */

struct rabbit_link {
	const struct celery_settings *settings;
	struct rabbit rabbit;
	struct management *management;
	char oid[PIDBOX_OID_BYTES + PIDBOX_TICKET_BYTES], queue[160];
	uint64_t listening_on;          /* the channel (rabbit.channels) we listen to answers on; 0: none yet */
	int looks_untold;               /* in a row that told no length of any queue listed */
	int64_t mailboxes;              /* of workers, at the last look; -1: not told */
};

static void *link_new(const struct celery_settings *settings, size_t *used)
{
	struct rabbit_link *l = mem_alloc(sizeof *l);

	l->settings = settings;
	l->management = management_new(settings);
	rabbit_init(&l->rabbit, &settings->amqp, used, 0);
	return l;
}

static void link_free(void *link)
{
	struct rabbit_link *l = link;

	management_free(l->management);
	rabbit_fini(&l->rabbit);
	free(l);
}

/* ---- Queues ---- */

/* One that was not there is asked for again only when new queues are looked for, or a worker says that it consumes it: a miss is a
 * line in the server's log. */
static bool look_at_queue(struct rabbit_link *l, struct broker_queue *q, bool discover, struct err *e)
{
	uint32_t ready, consumers;

	if (!q->exists && !discover && !(q->workers > 0))
		return true;
	if (!rabbit_has_queue(&l->rabbit, q->name, &q->exists, &ready, &consumers, e))
		return false;
	q->length = ready;
	q->consumers = consumers;
	return true;
}

static bool look_at_queues(struct rabbit_link *l, struct broker *b, bool discover, struct err *e)
{
	for (size_t i = 0; i < b->n_queues; i++)
		if (!look_at_queue(l, &b->queues[i], discover, e))
			return false;
	b->queues_told = true;
	return true;
}

/* What the management API listed and did not tell the length of. When that is so of all, and not only because they are new or the
 * server is, it has no statistics. */
static bool look_at_untold(struct rabbit_link *l, struct broker *b, struct err *e)
{
	size_t listed = 0, untold = 0;

	for (size_t i = 0; i < b->n_queues; i++) {
		struct broker_queue *q = &b->queues[i];
		listed += q->exists;
		if (q->length >= 0)
			continue;
		untold++;
		if (!look_at_queue(l, q, true, e))
			return false;
	}
	l->looks_untold = untold != 0 && untold == listed ? l->looks_untold + 1 : 0;
	if (l->looks_untold >= LOOKS_UNTOLD)
		err_set(&b->queues_err, ERR_UPSTREAM, -1, "management API: it has no statistics of queues, so what is unacknowledged is "
		        "not known; management_agent.disable_metrics_collector?");
	return true;
}

struct counter {
	celery_node_fn *node;
	void *user;
	int64_t n;
};

static void count_node(void *user, struct str node)
{
	struct counter *c = user;

	c->n++;
	c->node(c->user, node);
}

static bool look_once(struct rabbit_link *l, struct broker *b, bool discover, struct redis_wait wait, celery_node_fn *node,
                      void *user, struct err *e)
{
	struct counter c = { node, user, 0 };

	b->queues_err = (struct err){ 0 };
	b->queues_told = false;
	b->unacked = b->delayed = NAN;
	l->mailboxes = -1;
	if (!rabbit_open(&l->rabbit, wait, e))
		return false;
	if (l->management == NULL) {
		if (!look_at_queues(l, b, discover, e))
			return false;
		broker_forget_gone(b);
		return true;
	}
	b->queues_told = management_look(l->management, b, wait, count_node, &c, &b->queues_err);
	if (b->queues_told)
		l->mailboxes = c.n;
	else
		b->unacked = b->delayed = NAN;
	if (b->queues_told && !look_at_untold(l, b, e))
		return false;
	if (b->queues_told)
		broker_forget_gone(b);
	return b->queues_err.code != ERR_CANCELED || err_set(e, ERR_CANCELED, -1, "stopped");
}

/* A connection that was cut since the last look is no broker that is down. */
static bool look(void *link, struct broker *b, bool discover, struct redis_wait wait, celery_node_fn *node, void *user,
                 struct err *e)
{
	struct rabbit_link *l = link;
	const bool was_open = rabbit_is_open(&l->rabbit);

	if (look_once(l, b, discover, wait, node, user, e))
		return true;
	if (!was_open || rabbit_is_open(&l->rabbit) || e->code != ERR_UPSTREAM)
		return false;
	*e = (struct err){ 0 };
	return look_once(l, b, discover, wait, node, user, e);
}

/* ---- Questions ---- */

static bool send_question(struct rabbit_link *l, const struct pidbox_question *q, const char *ticket, int64_t patience_ms,
                          struct err *e)
{
	struct buf body = { 0 };
	bool ok;

	pidbox_put_question(&body, q, l->oid, ticket);
	ok = rabbit_publish(&l->rabbit, REQUESTS, buf_str(&body), clock_now_ms(&clock_system) + patience_ms, e);
	buf_fini(&body);
	return ok;
}

/* Before the first worker there is no exchange to send questions to. */
static bool tell(void *link, const char *method, struct redis_wait wait, struct err *e)
{
	const struct pidbox_question q = { .method = method, .arguments = "{}" };
	struct rabbit_link *l = link;
	bool there;

	(void)wait;
	if (rabbit_has_exchange(&l->rabbit, REQUESTS, &there, e) && (!there || send_question(l, &q, NULL, TOLD_EXPIRES_MS, e)))
		return true;
	return err_context(e, "%s", method);
}

/* A name of its own each time: the queue of the last may not be gone yet. */
static bool listen_to_answers(struct rabbit_link *l, struct err *e)
{
	char id[PIDBOX_TICKET_BYTES], name[PIDBOX_OID_BYTES];

	if (l->listening_on == l->rabbit.channels)
		return true;
	pidbox_random_uuid(id);
	pidbox_oid(l->settings, name);
	snprintf(l->oid, sizeof l->oid, "%s-%s", name, id);
	snprintf(l->queue, sizeof l->queue, "%s." REPLIES, l->oid);
	if (!rabbit_make_exchange(&l->rabbit, REPLIES, "direct", false, e))
		return false;
	l->listening_on = l->rabbit.channels;
	return rabbit_consume(&l->rabbit, &(struct rabbit_mailbox){ .queue = l->queue, .exchange = REPLIES, .routing_key = l->oid,
	                              .ttl_ms = ANSWER_TTL_MS, .max_length = ANSWERS_MAX, .max_bytes = ANSWERS_MAX_BYTES }, e);
}

/* Answers to earlier questions that come late are not of this one. */
static bool await_answers(struct rabbit_link *l, const char *ticket, int64_t wanted, struct redis_wait patience,
                          pidbox_answer_fn *fn, void *user, struct pidbox_tally *tally, struct err *e)
{
	struct rabbit_delivery d;

	while (wanted < 0 || tally->answered + tally->unreadable < wanted) {
		if (!rabbit_next(&l->rabbit, PIDBOX_ANSWER_MAX, patience, &d, e)) {
			if (e->code != ERR_TIMEOUT)
				return false;
			*e = (struct err){ 0 };
			return true;
		}
		if (!str_eq(d.ticket, str_of(ticket)))
			continue;
		if (d.json && !d.too_big && pidbox_take_answer(d.body, fn, user))
			tally->answered++;
		else
			tally->unreadable++;
	}
	return true;
}

static bool ask(void *link, const struct pidbox_question *q, struct redis_wait wait, pidbox_answer_fn *fn, void *user,
                struct pidbox_tally *tally, struct err *e)
{
	struct rabbit_link *l = link;
	const int64_t patience_ms = wait.deadline_mono_ms - clock_mono_ms(&clock_system);
	const int64_t wanted = q->enough != 0 ? q->enough : l->mailboxes;
	char ticket[PIDBOX_TICKET_BYTES];
	bool there;

	*tally = (struct pidbox_tally){ .connected = l->mailboxes };
	pidbox_random_uuid(ticket);
	if (!rabbit_has_exchange(&l->rabbit, REQUESTS, &there, e))
		return err_context(e, "%s", q->method);
	if (!there)
		return true;
	if (!listen_to_answers(l, e) || !send_question(l, q, ticket, patience_ms, e))
		return err_context(e, "%s", q->method);
	return await_answers(l, ticket, wanted, wait, fn, user, tally, e) || err_context(e, "%s", q->method);
}

/* A worker's mailbox goes with its connection; that somebody consumes it tells of one whose mailbox was made to stay. */
static bool has_mailbox(void *link, struct str node, bool *there, struct err *e)
{
	struct rabbit_link *l = link;
	char name[256];
	uint32_t ready, consumers;

	snprintf(name, sizeof name, STR_FMT "." REQUESTS, STR_ARG(node));
	if (!rabbit_has_queue(&l->rabbit, name, there, &ready, &consumers, e))
		return err_context(e, "%s", name);
	*there &= consumers > 0;
	return true;
}

const struct celery_transport celery_rabbitmq = {
	.link_new = link_new, .link_free = link_free, .look = look, .tell = tell, .ask = ask, .has_mailbox = has_mailbox,
	.stream_new = rabbit_stream_new, .stream_free = rabbit_stream_free, .stream_open = rabbit_stream_open,
	.stream_close = rabbit_stream_close, .stream_next = rabbit_stream_next,
};
