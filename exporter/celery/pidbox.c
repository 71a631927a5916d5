/* The wire form is kombu's, as recorded from 5.2 and 5.6: envelope, base64 body, reply list "<oid>.reply.celery.pidbox" bound by
 * an entry of a set. PUBLISH says how many workers there are to answer, so nothing waits for answers that cannot come. */
#include "celery/pidbox.h"

#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "celery/base64.h"
#include "celery/event.h"
#include "tocsin/clock.h"
#include "tocsin/json.h"

#define REPLY_SUFFIX ".reply.celery.pidbox"
#define LEFTOVER_TEXT_MS "60000"        /* answers later than that are thrown away by the server */
#define ANSWER_MAX_BYTES (8u << 20)

static void random_uuid(char out[37])
{
	unsigned char b[16] = { 0 };

	if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
		memset(b, 0x5a, sizeof b);
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6],
	         b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

void pidbox_init(struct pidbox *p, const struct celery_settings *settings, struct redis_conn *conn)
{
	char host[256] = "";
	uint64_t hash;

	*p = (struct pidbox){ .settings = settings, .conn = conn };
	gethostname(host, sizeof host - 1);
	hash = 1469598103934665603u;
	for (const char *c = host; *c != '\0'; c++)
		hash = (hash ^ (unsigned char)*c) * 1099511628211u;
	for (size_t i = 0; i < settings->common.name.n; i++)
		hash = (hash ^ (unsigned char)settings->common.name.p[i]) * 1099511628211u;
	snprintf(p->oid, sizeof p->oid, "tocsin-%016llx", (unsigned long long)hash);
}

/* ---- The message ---- */

static void put_body(struct buf *b, const struct pidbox *p, const struct pidbox_question *q, const char *ticket)
{
	struct json_out j = { .to = b };

	json_out_open(&j, '{');
	json_out_key(&j, "method");
	json_out_strz(&j, q->method);
	json_out_key(&j, "arguments");
	json_out_raw(&j, str_of(q->arguments));
	json_out_key(&j, "destination");
	if (q->nodes == NULL) {
		json_out_null(&j);
	} else {
		json_out_open(&j, '[');
		for (size_t i = 0; i < q->n_nodes; i++)
			json_out_str(&j, q->nodes[i]);
		json_out_close(&j, ']');
	}
	json_out_key(&j, "pattern");
	json_out_null(&j);
	json_out_key(&j, "matcher");
	json_out_null(&j);
	if (ticket != NULL) {
		json_out_key(&j, "ticket");
		json_out_strz(&j, ticket);
		json_out_key(&j, "reply_to");
		json_out_raw(&j, STR("{\"exchange\":\"reply.celery.pidbox\",\"routing_key\":\""));
		buf_printf(b, "%s\"}", p->oid);
	}
	json_out_close(&j, '}');
}

/* The clock is 0: workers take the greatest they see, and ours must not push theirs. */
static void put_message(struct buf *b, const struct pidbox *p, const struct pidbox_question *q, const char *ticket,
                        int64_t expires_ms)
{
	struct buf body = { 0 };
	char tag[37];

	random_uuid(tag);
	put_body(&body, p, q, ticket);
	buf_putz(b, "{\"body\":\"");
	base64_encode(b, buf_str(&body));
	buf_putz(b, "\",\"content-encoding\":\"utf-8\",\"content-type\":\"application/json\",");
	buf_printf(b, "\"headers\":{\"clock\":0,\"expires\":%.3f},\"properties\":{\"delivery_mode\":2,"
	           "\"delivery_info\":{\"exchange\":\"celery.pidbox\",\"routing_key\":\"\"},\"priority\":0,"
	           "\"body_encoding\":\"base64\",\"delivery_tag\":\"%s\"}}", (double)expires_ms * 1e-3, tag);
	buf_fini(&body);
}

static void send_publish(struct pidbox *p, struct arena *a, const struct pidbox_question *q, const char *ticket, int64_t expires_ms)
{
	const struct str channel = arena_printf(a, STR_FMT "/%d.celery.pidbox", STR_ARG(p->settings->key_prefix),
	                                        p->settings->broker.url.db);
	struct buf message = { 0 };

	put_message(&message, p, q, ticket, expires_ms);
	redis_conn_send(p->conn, (struct str[]){ STR("PUBLISH"), channel, buf_str(&message) }, 3);
	buf_fini(&message);
}

static bool read_ok(struct pidbox *p, struct arena *a, struct redis_wait wait, const struct resp_reply **reply, struct err *e)
{
	if (!redis_conn_reply(p->conn, a, wait, reply, e))
		return false;
	return (*reply)->type != RESP_ERROR || err_set(e, ERR_UPSTREAM, -1, STR_FMT, STR_ARG((*reply)->text));
}

bool pidbox_tell(struct pidbox *p, const char *method, struct redis_wait wait, struct err *e)
{
	const struct pidbox_question q = { .method = method, .arguments = "{}" };
	struct arena a = { 0 };
	const struct resp_reply *reply;

	send_publish(p, &a, &q, NULL, clock_now_ms(&clock_system) + 5000);
	const bool ok = read_ok(p, &a, wait, &reply, e) || err_context(e, "%s", method);
	arena_fini(&a);
	return ok;
}

/* ---- Answers ---- */

static struct str reply_list(const struct pidbox *p, struct arena *a)
{
	return arena_printf(a, STR_FMT "%s" REPLY_SUFFIX, STR_ARG(p->settings->key_prefix), p->oid);
}

static struct str reply_binding(const struct pidbox *p, struct arena *a)
{
	return arena_printf(a, STR_FMT "_kombu.binding.reply.celery.pidbox", STR_ARG(p->settings->key_prefix));
}

static struct str reply_binding_entry(const struct pidbox *p, struct arena *a)
{
	const struct str sep = p->settings->separator;

	return arena_printf(a, "%s" STR_FMT STR_FMT "%s" REPLY_SUFFIX, p->oid, STR_ARG(sep), STR_ARG(sep), p->oid);
}

/* One pipeline: an empty list that workers find, and the question. */
static bool ask(struct pidbox *p, struct arena *a, const struct pidbox_question *q, const char *ticket, int64_t patience_ms,
                struct redis_wait wait, int64_t *connected, struct err *e)
{
	const struct resp_reply *reply;

	redis_conn_send(p->conn, (struct str[]){ STR("SADD"), reply_binding(p, a), reply_binding_entry(p, a) }, 3);
	redis_conn_send(p->conn, (struct str[]){ STR("DEL"), reply_list(p, a) }, 2);
	send_publish(p, a, q, ticket, clock_now_ms(&clock_system) + patience_ms);
	if (!read_ok(p, a, wait, &reply, e) || !read_ok(p, a, wait, &reply, e) || !read_ok(p, a, wait, &reply, e))
		return false;
	*connected = reply->integer;
	return true;
}

/* {"celery@host": answer}, if it answers <ticket>. */
static bool take_answer(struct arena *a, struct str message, const char *ticket, pidbox_answer_fn *fn, void *user)
{
	struct str body, theirs = STR("");
	struct err ignored = { 0 };
	const char *node;
	json_t *root, *answer;
	bool ok;

	if (message.n > ANSWER_MAX_BYTES || !celery_envelope_open(a, message, &body, &theirs, &ignored))
		return false;
	if (!str_eq(theirs, str_of(ticket)))
		return false;
	root = json_loadb(body.p, body.n, JSON_ALLOW_NUL, NULL);
	ok = json_is_object(root);
	json_object_foreach(root, node, answer)
		fn(user, str_of(node), answer);
	json_decref(root);
	return ok;
}

static bool await_answers(struct pidbox *p, struct arena *a, const char *ticket, int64_t wanted, int64_t end_mono_ms, int stop_fd,
                          pidbox_answer_fn *fn, void *user, struct pidbox_tally *tally, struct err *e)
{
	while (tally->answered + tally->unreadable < wanted) {
		const int64_t left_ms = end_mono_ms - clock_mono_ms(&clock_system);
		const struct redis_wait wait = { end_mono_ms + 2000, stop_fd };
		const struct resp_reply *reply;

		if (left_ms <= 0)
			return true;
		redis_conn_sendz(p->conn, "BRPOP", reply_list(p, a).p, arena_printf(a, "%lld", (long long)(left_ms + 999) / 1000).p, NULL);
		if (!read_ok(p, a, wait, &reply, e))
			return false;
		if (reply->type != RESP_ARRAY || reply->n_items != 2)
			return true;
		if (take_answer(a, reply->items[1]->text, ticket, fn, user))
			tally->answered++;
		else
			tally->unreadable++;
	}
	return true;
}

static bool expire_list(struct pidbox *p, struct arena *a, struct redis_wait wait, struct err *e)
{
	const struct resp_reply *reply;

	redis_conn_sendz(p->conn, "PEXPIRE", reply_list(p, a).p, LEFTOVER_TEXT_MS, NULL);
	return read_ok(p, a, wait, &reply, e);
}

bool pidbox_ask(struct pidbox *p, const struct pidbox_question *q, int64_t patience_ms, int stop_fd, pidbox_answer_fn *fn,
                void *user, struct pidbox_tally *tally, struct err *e)
{
	const int64_t end_ms = clock_mono_ms(&clock_system) + patience_ms;
	const struct redis_wait wait = { end_ms + 2000, stop_fd };
	struct arena a = { 0 };
	char ticket[37];
	bool ok;

	*tally = (struct pidbox_tally){ 0 };
	random_uuid(ticket);
	ok = ask(p, &a, q, ticket, patience_ms, wait, &tally->connected, e);
	const int64_t wanted = q->nodes != NULL && (int64_t)q->n_nodes < tally->connected ? (int64_t)q->n_nodes : tally->connected;
	ok = ok && await_answers(p, &a, ticket, wanted, end_ms, stop_fd, fn, user, tally, e) && expire_list(p, &a, wait, e);
	if (!ok)
		err_context(e, "%s", q->method);
	arena_fini(&a);
	return ok;
}

void pidbox_leave(struct pidbox *p, struct redis_wait wait)
{
	struct arena a = { 0 };
	struct err e = { 0 };
	const struct resp_reply *reply;

	redis_conn_send(p->conn, (struct str[]){ STR("SREM"), reply_binding(p, &a), reply_binding_entry(p, &a) }, 3);
	redis_conn_send(p->conn, (struct str[]){ STR("DEL"), reply_list(p, &a) }, 2);
	if (redis_conn_is_open(p->conn) && read_ok(p, &a, wait, &reply, &e))
		(void)!read_ok(p, &a, wait, &reply, &e);
	arena_fini(&a);
}
