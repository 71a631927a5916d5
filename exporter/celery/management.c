/* RabbitMQ's management API: one request a look, GET /api/queues/<vhost>, of which only what is used is read. */
#include <math.h>
#include <stdlib.h>

#include "celery/jscan.h"
#include "celery/rabbit_link.h"
#include "fetch.h"
#include "tocsin/mem.h"

#define BODY_MAX (16u << 20)
#define COLUMNS "name,messages_ready,messages_unacknowledged,consumers,exclusive,auto_delete,durable,head_message_timestamp," \
	"arguments,backing_queue_status"

struct management {
	struct fetcher *fetcher;
};

static void put_encoded(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		const char c = *s;
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.~", c) != NULL)
			buf_putc(b, c);
		else
			buf_printf(b, "%%%02X", (unsigned char)c);
	}
}

struct management *management_new(const struct celery_settings *s)
{
	const struct amqp_url *u = &s->amqp.urls[0];
	struct str base = s->amqp.management_url;
	struct management *m;
	struct buf url = { 0 };

	if (base.n == 0)
		return NULL;
	while (str_ends(base, STR("/")))
		base.n--;
	buf_puts(&url, base);
	buf_putz(&url, "/api/queues/");
	put_encoded(&url, u->vhost);
	buf_putz(&url, "?columns=" COLUMNS);
	m = mem_alloc(sizeof *m);
	m->fetcher = fetcher_new((const char *const[]){ buf_z(&url) }, 1, &(struct fetch_options){ .body_max = BODY_MAX,
		.user = str_chr(base, '@') == base.n ? u->user : NULL, .password = u->password, .ca_file = s->amqp.tls.ca_file,
		.cert_file = s->amqp.tls.cert_file, .key_file = s->amqp.tls.key_file, .no_verify = s->amqp.tls.no_verify });
	buf_fini(&url);
	return m;
}

void management_free(struct management *m)
{
	if (m == NULL)
		return;
	fetcher_free(m->fetcher);
	free(m);
}

/* ---- Reading ---- */

struct told {
	struct str name;
	double ready, unacked, consumers, head_s;
	bool exclusive, auto_delete, durable;
	struct broker_step steps[QUEUE_PRIORITIES_MAX];
	size_t n_steps;
};

/* -1: not told. So it is without statistics (management_agent.disable_metrics_collector), and of each queue in the first seconds
 * after it was declared or the server started. */
static int64_t whole(double v)
{
	return v >= 0 && v < 1e15 ? (int64_t)v : -1;
}

static void read_lengths(struct jscan *j, struct told *t)
{
	struct str key;

	if (!jscan_enter(j))
		return;
	for (bool first = true; jscan_member(j, first, &key); first = false) {
		int64_t priority;
		double n = NAN;

		jscan_number(j, &n);
		if (t->n_steps < QUEUE_PRIORITIES_MAX && str_to_int64(key, &priority) && priority >= 0 && priority <= 255)
			t->steps[t->n_steps++] = (struct broker_step){ .priority = (int)priority, .length = whole(n), .sent_s = NAN };
	}
}

static void read_backing(struct jscan *j, struct told *t)
{
	struct str key;

	if (!jscan_enter(j))
		return;
	for (bool first = true; jscan_member(j, first, &key); first = false) {
		if (str_eq(key, STR("priority_lengths")))
			read_lengths(j, t);
		else
			jscan_skip(j);
	}
}

static void read_queue(struct jscan *j, struct arena *a, struct told *t)
{
	const struct {
		struct str name;
		double *number;
		bool *yes;
	} members[] = {
		{ STR("messages_ready"), &t->ready, NULL }, { STR("messages_unacknowledged"), &t->unacked, NULL },
		{ STR("consumers"), &t->consumers, NULL }, { STR("head_message_timestamp"), &t->head_s, NULL },
		{ STR("exclusive"), NULL, &t->exclusive }, { STR("auto_delete"), NULL, &t->auto_delete }, { STR("durable"), NULL,
		    &t->durable },
	};
	struct str key;

	*t = (struct told){ .name = STR(""), .ready = NAN, .unacked = NAN, .consumers = NAN, .head_s = NAN };
	jscan_open(j, '{');
	for (bool first = true; jscan_member(j, first, &key); first = false) {
		size_t i = 0;

		while (i < ARRAY_LEN(members) && !str_eq(key, members[i].name))
			i++;
		if (i < ARRAY_LEN(members) && members[i].number != NULL)
			jscan_number(j, members[i].number);
		else if (i < ARRAY_LEN(members))
			jscan_bool(j, members[i].yes);
		else if (str_eq(key, STR("name")))
			jscan_text(j, a, &t->name);
		else if (str_eq(key, STR("backing_queue_status")))
			read_backing(j, t);
		else
			jscan_skip(j);
	}
}

static bool is_uuid(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (strchr("0123456789abcdef-", s.p[i]) == NULL || s.p[i] == '\0')
			return false;
	return s.n == 36;
}

/* Reply queues of the rpc:// result backend bear the uuid of their process. */
static bool holds_no_tasks(const struct told *t)
{
	return t->exclusive || (is_uuid(t->name) && !t->durable);
}

static int by_priority(const void *a, const void *b)
{
	const struct broker_step *x = a, *y = b;

	return (x->priority > y->priority) - (x->priority < y->priority);
}

/* Of many priorities those are shown that have had messages, the first ones. */
static void keep_shown(const struct broker_queue *q, struct told *t)
{
	const bool same = q->n_steps == t->n_steps;
	size_t n = 0;

	for (size_t k = 0; k < t->n_steps; k++) {
		t->steps[k].shown = same && q->steps[k].shown;
		n += t->steps[k].shown;
	}
	for (size_t k = 0; k < t->n_steps && n < QUEUE_PRIORITIES_SHOWN; k++) {
		n += !t->steps[k].shown && t->steps[k].length > 0;
		t->steps[k].shown |= t->steps[k].length > 0;
	}
}

/* Of a queue whose priorities were known and are not told now they are not known. */
static void take_steps(struct broker_queue *q, struct told *t)
{
	if (t->n_steps == 0) {
		for (size_t k = 0; k < q->n_steps; k++)
			q->steps[k].length = -1;
		return;
	}
	qsort(t->steps, t->n_steps, sizeof t->steps[0], by_priority);
	keep_shown(q, t);
	broker_queue_set_steps(q, t->n_steps);
	memcpy(q->steps, t->steps, t->n_steps * sizeof t->steps[0]);
}

static void take_queue(struct broker *b, struct told *t)
{
	struct broker_queue *q = broker_queue_add(b, t->name);

	if (q == NULL)
		return;
	q->exists = true;
	q->length = whole(t->ready);
	q->unacked = t->unacked;
	q->consumers = t->consumers;
	q->head_s = t->head_s;
	take_steps(q, t);
}

static void take_told(struct broker *b, struct told *t, celery_node_fn *node, void *user)
{
	const struct str suffix = STR(".celery.pidbox");

	if (str_ends(t->name, suffix) && !str_ends(t->name, STR(".reply.celery.pidbox"))) {
		node(user, (struct str){ t->name.p, t->name.n - suffix.n });
		return;
	}
	if (holds_no_tasks(t))
		return;
	b->unacked += t->unacked;               /* NaN: nor is the sum told */
	if (str_starts(t->name, STR("celery_delayed_")))
		b->delayed += t->ready;
	else
		take_queue(b, t);
}

/* A queue that is not told of was deleted: it is as if it were empty. */
static void forget_numbers(struct broker *b)
{
	b->unacked = b->delayed = 0;
	b->n_refused = 0;
	for (size_t i = 0; i < b->n_queues; i++) {
		struct broker_queue *q = &b->queues[i];

		q->exists = false;
		q->length = 0;
		q->unacked = q->consumers = 0;
		q->head_s = NAN;
		for (size_t k = 0; k < q->n_steps; k++)
			q->steps[k].length = 0;
	}
}

bool management_read(struct broker *b, struct str json, celery_node_fn *node, void *user, struct err *e)
{
	struct jscan j = jscan_of(json);
	struct told *t = mem_alloc(sizeof *t);
	struct arena a = { 0 };

	forget_numbers(b);
	jscan_open(&j, '[');
	for (bool first = true; jscan_item(&j, first); first = false) {
		read_queue(&j, &a, t);
		if (!j.bad)
			take_told(b, t, node, user);
		arena_reset(&a);
	}
	arena_fini(&a);
	free(t);
	return !j.bad || err_set(e, ERR_UPSTREAM, -1, "what it says of queues is not JSON");
}

bool management_look(struct management *m, struct broker *b, struct redis_wait wait, celery_node_fn *node, void *user,
                     struct err *e)
{
	struct str body;
	long status;

	if (!fetcher_run(m->fetcher, wait.deadline_mono_ms, wait.stop_fd, e))
		return false;
	return (fetcher_body(m->fetcher, 0, &body, &status, e) && management_read(b, body, node, user, e))
	    || err_context(e, "management API");
}
