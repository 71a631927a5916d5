/* Questions over Redis: a kombu envelope with a base64 body, published; answers come into the list "<oid>.reply.celery.pidbox",
 * bound by an entry of a set. The list has one fixed name, is emptied before each question and expires by itself, so that answers
 * that come late never pile up. PUBLISH says how many workers there are to answer, so nothing waits for answers that cannot
 * come. */
#include "celery/base64.h"
#include "celery/event.h"
#include "celery/redis_link.h"
#include "tocsin/clock.h"

#define REPLY_SUFFIX ".reply.celery.pidbox"
#define LEFTOVER_TEXT_MS "60000"        /* answers later than that are thrown away by the server */
#define TOLD_EXPIRES_MS 5000
#define READ_MORE_MS 2000               /* for what the server itself has to say, beyond the patience with workers */

/* ---- The message ---- */

/* The clock is 0: workers take the greatest they see, and ours must not push theirs. */
static void put_message(struct buf *b, const struct redis_link *l, const struct pidbox_question *q, const char *ticket,
                        int64_t expires_ms)
{
	struct buf body = { 0 };
	char tag[PIDBOX_TICKET_BYTES];

	pidbox_random_uuid(tag);
	pidbox_put_question(&body, q, l->oid, ticket);
	buf_putz(b, "{\"body\":\"");
	base64_encode(b, buf_str(&body));
	buf_putz(b, "\",\"content-encoding\":\"utf-8\",\"content-type\":\"application/json\",");
	buf_printf(b, "\"headers\":{\"clock\":0,\"expires\":%.3f},\"properties\":{\"delivery_mode\":2,"
	           "\"delivery_info\":{\"exchange\":\"celery.pidbox\",\"routing_key\":\"\"},\"priority\":0,"
	           "\"body_encoding\":\"base64\",\"delivery_tag\":\"%s\"}}", (double)expires_ms * 1e-3, tag);
	buf_fini(&body);
}

/* Channels of one PUBLISH each: workers of kombu before 5.4 on Sentinel listen on one with "{db}" as it is. */
static size_t channels(const struct redis_link *l, struct arena *a, struct str out[2])
{
	const struct str prefix = l->settings->key_prefix;

	out[0] = arena_printf(a, STR_FMT "/%d.celery.pidbox", STR_ARG(prefix), l->master.url.db);
	out[1] = arena_printf(a, STR_FMT "/{db}.celery.pidbox", STR_ARG(prefix));
	return l->settings->sentinels.n != 0 ? 2 : 1;
}

/* Returns how many replies there will be. */
static size_t send_publish(struct redis_link *l, struct arena *a, const struct pidbox_question *q, const char *ticket,
                           int64_t expires_ms)
{
	struct buf message = { 0 };
	struct str to[2];
	const size_t n = channels(l, a, to);

	put_message(&message, l, q, ticket, expires_ms);
	for (size_t i = 0; i < n; i++)
		redis_conn_send(l->master.conn, (struct str[]){ STR("PUBLISH"), to[i], buf_str(&message) }, 3);
	buf_fini(&message);
	return n;
}

static bool read_receivers(struct redis_link *l, struct arena *a, size_t n, struct redis_wait wait, int64_t *receivers,
                           struct err *e)
{
	const struct resp_reply *reply;

	*receivers = 0;
	for (size_t i = 0; i < n; i++) {
		if (!redis_link_reply(l, a, wait, &reply, e))
			return false;
		*receivers += reply->integer;
	}
	return true;
}

bool redis_tell(void *link, const char *method, struct redis_wait wait, struct err *e)
{
	const struct pidbox_question q = { .method = method, .arguments = "{}" };
	struct arena a = { 0 };
	int64_t ignored;
	const size_t n = send_publish(link, &a, &q, NULL, clock_now_ms(&clock_system) + TOLD_EXPIRES_MS);
	const bool ok = read_receivers(link, &a, n, wait, &ignored, e);

	arena_fini(&a);
	return ok || err_context(e, "%s", method);
}

/* ---- Answers ---- */

static struct str reply_list(const struct redis_link *l, struct arena *a)
{
	return arena_printf(a, STR_FMT "%s" REPLY_SUFFIX, STR_ARG(l->settings->key_prefix), l->oid);
}

static struct str reply_binding(const struct redis_link *l, struct arena *a)
{
	return arena_printf(a, STR_FMT "_kombu.binding.reply.celery.pidbox", STR_ARG(l->settings->key_prefix));
}

static struct str reply_binding_entry(const struct redis_link *l, struct arena *a)
{
	const struct str sep = l->settings->separator;

	return arena_printf(a, "%s" STR_FMT STR_FMT "%s" REPLY_SUFFIX, l->oid, STR_ARG(sep), STR_ARG(sep), l->oid);
}

/* One pipeline: an empty list that workers find, and the question. */
static bool put_question(struct redis_link *l, struct arena *a, const struct pidbox_question *q, const char *ticket,
                         int64_t patience_ms, struct redis_wait wait, int64_t *connected, struct err *e)
{
	struct redis_conn *c = l->master.conn;
	const struct resp_reply *reply;
	size_t n;

	l->bound = true;
	redis_conn_send(c, (struct str[]){ STR("SADD"), reply_binding(l, a), reply_binding_entry(l, a) }, 3);
	redis_conn_send(c, (struct str[]){ STR("DEL"), reply_list(l, a) }, 2);
	n = send_publish(l, a, q, ticket, clock_now_ms(&clock_system) + patience_ms);
	return redis_link_reply(l, a, wait, &reply, e) && redis_link_reply(l, a, wait, &reply, e)
	    && read_receivers(l, a, n, wait, connected, e);
}

/* Answers to earlier questions that come late are not of this one. */
static void take_message(struct arena *a, struct str message, const char *ticket, pidbox_answer_fn *fn, void *user,
                         struct pidbox_tally *tally)
{
	struct str body, theirs = STR("");
	struct err ignored = { 0 };
	const bool opened = message.n <= PIDBOX_ANSWER_MAX && celery_envelope_open(a, message, &body, &theirs, &ignored);

	if (opened && !str_eq(theirs, str_of(ticket)))
		return;
	if (opened && pidbox_take_answer(body, fn, user))
		tally->answered++;
	else
		tally->unreadable++;
}

static bool await_answers(struct redis_link *l, struct arena *a, const char *ticket, int64_t wanted, struct redis_wait patience,
                          pidbox_answer_fn *fn, void *user, struct pidbox_tally *tally, struct err *e)
{
	const struct redis_wait wait = { patience.deadline_mono_ms + READ_MORE_MS, patience.stop_fd };

	while (tally->answered + tally->unreadable < wanted) {
		const int64_t left_ms = patience.deadline_mono_ms - clock_mono_ms(&clock_system);
		const struct resp_reply *reply;

		if (left_ms <= 0)
			return true;
		redis_conn_sendz(l->master.conn, "BRPOP", reply_list(l, a).p, arena_printf(a, "%lld", (long long)(left_ms + 999) / 1000).p,
		                 NULL);
		if (!redis_link_reply(l, a, wait, &reply, e))
			return false;
		if (reply->type != RESP_ARRAY || reply->n_items != 2)
			return true;
		take_message(a, reply->items[1]->text, ticket, fn, user, tally);
	}
	return true;
}

static bool expire_list(struct redis_link *l, struct arena *a, struct redis_wait wait, struct err *e)
{
	const struct resp_reply *reply;

	redis_conn_sendz(l->master.conn, "PEXPIRE", reply_list(l, a).p, LEFTOVER_TEXT_MS, NULL);
	return redis_link_reply(l, a, wait, &reply, e);
}

bool redis_ask(void *link, const struct pidbox_question *q, struct redis_wait patience, pidbox_answer_fn *fn, void *user,
               struct pidbox_tally *tally, struct err *e)
{
	const struct redis_wait wait = { patience.deadline_mono_ms + READ_MORE_MS, patience.stop_fd };
	const int64_t patience_ms = patience.deadline_mono_ms - clock_mono_ms(&clock_system);
	struct redis_link *l = link;
	struct arena a = { 0 };
	char ticket[PIDBOX_TICKET_BYTES];
	bool ok;

	*tally = (struct pidbox_tally){ 0 };
	pidbox_random_uuid(ticket);
	ok = put_question(l, &a, q, ticket, patience_ms, wait, &tally->connected, e);
	const int64_t wanted = q->enough != 0 && q->enough < tally->connected ? q->enough : tally->connected;
	ok = ok && await_answers(l, &a, ticket, wanted, patience, fn, user, tally, e) && expire_list(l, &a, wait, e);
	if (!ok)
		err_context(e, "%s", q->method);
	arena_fini(&a);
	return ok;
}

void redis_leave(struct redis_link *l, struct redis_wait wait)
{
	struct redis_conn *c = l->master.conn;
	struct arena a = { 0 };
	struct err e = { 0 };
	const struct resp_reply *reply;

	if (!l->bound || !redis_conn_is_open(c))
		return;
	redis_conn_send(c, (struct str[]){ STR("SREM"), reply_binding(l, &a), reply_binding_entry(l, &a) }, 3);
	redis_conn_send(c, (struct str[]){ STR("DEL"), reply_list(l, &a) }, 2);
	if (redis_link_reply(l, &a, wait, &reply, &e))
		(void)!redis_link_reply(l, &a, wait, &reply, &e);
	arena_fini(&a);
}
