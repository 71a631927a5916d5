/* Keys and their form are kombu's: lists "<queue>" and "<queue><sep><step>", sets "_kombu.binding.<exchange>" of
 * "<routing key><sep><pattern><sep><queue>", hash "unacked", sorted set "unacked_index" by time of delivery. One pipelined round
 * trip a look. */
#include <math.h>

#include "celery/event.h"
#include "celery/redis_link.h"
#include "redis/scan.h"

#define BINDING "_kombu.binding."

/* The part behind the last separator. */
static struct str last_part(struct str entry, struct str sep)
{
	size_t at;

	while ((at = str_find(entry, sep)) < entry.n)
		entry = (struct str){ entry.p + at + sep.n, entry.n - at - sep.n };
	return entry;
}

/* ---- Discovery ---- */

static bool add_bound_queues(struct redis_link *l, struct broker *b, struct arena *a, struct redis_wait wait, struct str key,
                             struct err *e)
{
	const struct resp_reply *entries;

	redis_conn_send(l->master.conn, (struct str[]){ STR("SMEMBERS"), key }, 2);
	if (!redis_conn_reply(l->master.conn, a, wait, &entries, e))
		return false;
	for (size_t i = 0; i < entries->n_items; i++) {
		struct broker_queue *q = broker_queue_add(b, last_part(entries->items[i]->text, b->settings->separator));
		if (q != NULL)
			q->exists = true;
	}
	return true;
}

static bool is_internal_exchange(struct str key)
{
	return str_ends(key, STR(BINDING "celeryev")) || str_ends(key, STR(".pidbox"));
}

static bool discover_portion(struct redis_link *l, struct broker *b, struct arena *a, struct redis_wait wait, struct str *cursor,
                             struct err *e)
{
	const struct str pattern = arena_printf(a, STR_FMT BINDING "*", STR_ARG(redis_pattern_of(a, b->settings->key_prefix)));
	const struct resp_reply *reply;

	redis_conn_send(l->master.conn, (struct str[]){ STR("SCAN"), *cursor, STR("MATCH"), pattern, STR("COUNT"), STR("1000") }, 6);
	if (!redis_link_reply(l, a, wait, &reply, e))
		return false;
	if (reply->n_items != 2 || reply->items[0]->type != RESP_STRING)
		return err_set(e, ERR_UPSTREAM, -1, "not a cursor and keys");
	for (size_t i = 0; i < reply->items[1]->n_items; i++) {
		const struct str key = reply->items[1]->items[i]->text;
		if (!is_internal_exchange(key) && !add_bound_queues(l, b, a, wait, key, e))
			return false;
	}
	*cursor = reply->items[0]->text;
	return true;
}

/* Queues by their bindings: SCAN, so only now and then. */
static bool discover_queues(struct redis_link *l, struct broker *b, struct redis_wait wait, struct err *e)
{
	struct arena a = { 0 };
	struct str cursor = STR("0");
	bool ok;

	b->n_refused = 0;
	do
		ok = discover_portion(l, b, &a, wait, &cursor, e);
	while (ok && !str_eq(cursor, STR("0")));
	if (!ok)
		err_context(e, "looking for queues");
	arena_fini(&a);
	return ok;
}

/* ---- A look ---- */

struct str redis_list_key(const struct celery_settings *s, struct arena *a, const char *queue, int step)
{
	if (step == 0)
		return arena_printf(a, STR_FMT "%s", STR_ARG(s->key_prefix), queue);
	return arena_printf(a, STR_FMT "%s" STR_FMT "%d", STR_ARG(s->key_prefix), queue, STR_ARG(s->separator), step);
}

static void send_look(struct redis_conn *c, const struct broker *b, struct arena *a)
{
	const struct celery_settings *s = b->settings;
	const struct str prefix = s->key_prefix;

	for (size_t i = 0; i < b->n_queues; i++)
		for (size_t k = 0; k < s->n_priority_steps; k++)
			redis_conn_send(c, (struct str[]){ STR("LLEN"), redis_list_key(s, a, b->queues[i].name, s->priority_steps[k]) }, 2);
	redis_conn_send(c, (struct str[]){ STR("HLEN"), arena_printf(a, STR_FMT "unacked", STR_ARG(prefix)) }, 2);
	redis_conn_send(c, (struct str[]){ STR("ZRANGE"), arena_printf(a, STR_FMT "unacked_index", STR_ARG(prefix)), STR("0"), STR("0"),
	                                   STR("WITHSCORES") }, 5);
	redis_conn_send(c, (struct str[]){ STR("LLEN"), s->failed_list }, 2);
	redis_conn_send(c, (struct str[]){ STR("SMEMBERS"), arena_printf(a, STR_FMT BINDING "celery.pidbox", STR_ARG(prefix)) }, 2);
}

/* What cannot be told is left out, and why is said once for all. */
static void note_untold(struct broker *b, const char *key, const struct resp_reply *reply)
{
	if (b->queues_err.code == ERR_NONE)
		err_set(&b->queues_err, ERR_UPSTREAM, -1, "\"%s\": " STR_FMT, key, STR_ARG(reply->text));
}

static bool read_queue(struct redis_link *l, struct broker *b, struct broker_queue *q, struct arena *a, struct redis_wait wait,
                       struct err *e)
{
	const struct celery_settings *s = l->settings;

	broker_queue_set_steps(q, s->n_priority_steps);
	q->length = 0;
	for (size_t k = 0; k < s->n_priority_steps; k++) {
		const struct resp_reply *reply;
		if (!redis_conn_reply(l->master.conn, a, wait, &reply, e))
			return false;
		if (reply->type == RESP_ERROR && !redis_reply_is_error(reply, "WRONGTYPE"))
			return err_set(e, ERR_UPSTREAM, -1, "LLEN: " STR_FMT, STR_ARG(reply->text));
		q->steps[k].priority = s->priority_steps[k];
		q->steps[k].length = reply->type == RESP_INTEGER ? reply->integer : -1;
		if (q->steps[k].length < 0)
			note_untold(b, q->name, reply);
		q->length = q->length < 0 || q->steps[k].length < 0 ? -1 : q->length + q->steps[k].length;
	}
	return true;
}

static void take_mailboxes(const struct broker *b, const struct resp_reply *mailboxes, celery_node_fn *node, void *user)
{
	const struct str suffix = STR(".celery.pidbox");

	for (size_t i = 0; i < mailboxes->n_items; i++) {
		const struct str name = last_part(mailboxes->items[i]->text, b->settings->separator);
		if (str_ends(name, suffix))
			node(user, (struct str){ name.p, name.n - suffix.n });
	}
}

static bool read_rest(struct redis_link *l, struct broker *b, struct arena *a, struct redis_wait wait, celery_node_fn *node,
                      void *user, struct err *e)
{
	const struct resp_reply *unacked, *oldest, *failed, *mailboxes;
	struct redis_conn *c = l->master.conn;
	double score_s;

	if (!redis_conn_reply(c, a, wait, &unacked, e) || !redis_conn_reply(c, a, wait, &oldest, e)
	    || !redis_conn_reply(c, a, wait, &failed, e) || !redis_conn_reply(c, a, wait, &mailboxes, e))
		return false;
	b->unacked = unacked->type == RESP_INTEGER ? (double)unacked->integer : NAN;
	b->oldest_unacked_s = oldest->type == RESP_ARRAY && oldest->n_items == 0 ? INFINITY : NAN;
	if (oldest->n_items == 2 && str_to_double(oldest->items[1]->text, &score_s) && celery_is_time(score_s))
		b->oldest_unacked_s = score_s;
	if (unacked->type == RESP_ERROR)
		note_untold(b, "unacked", unacked);
	if (oldest->type == RESP_ERROR)
		note_untold(b, "unacked_index", oldest);
	if (mailboxes->type == RESP_ERROR)
		note_untold(b, BINDING "celery.pidbox", mailboxes);
	b->failed = failed->type == RESP_INTEGER ? (double)failed->integer : NAN;
	take_mailboxes(b, mailboxes, node, user);
	return true;
}

/* Queues may be new, or gone, and what was refused or too big may be so no longer. */
static bool discover_anew(struct redis_link *l, struct broker *b, struct redis_wait wait, struct err *e)
{
	l->heads_refused = false;
	for (size_t i = 0; i < b->n_queues; i++)
		b->queues[i].head_too_big = b->queues[i].exists = false;
	return discover_queues(l, b, wait, e);
}

static bool look_once(struct redis_link *l, struct broker *b, bool discover, struct redis_wait wait, celery_node_fn *node,
                      void *user, struct err *e)
{
	struct arena a = { 0 };
	struct redis_head *heads = NULL;
	size_t n_heads = 0;
	bool ok = celery_master_open(&l->master, wait, e);
	const bool anew = ok && (discover || l->searched != l->master.at);

	ok = ok && (!anew || discover_anew(l, b, wait, e));

	b->queues_err = (struct err){ 0 };
	if (ok) {
		l->searched = l->master.at;
		send_look(l->master.conn, b, &a);
		n_heads = redis_heads_send(l, b, &a, &heads);
	}
	for (size_t i = 0; ok && i < b->n_queues; i++)
		ok = read_queue(l, b, &b->queues[i], &a, wait, e);
	ok = ok && read_rest(l, b, &a, wait, node, user, e) && redis_heads_read(l, b, heads, n_heads, wait, e);
	if (ok && anew)
		broker_forget_gone(b);
	b->queues_told = ok;
	arena_fini(&a);
	return ok;
}

bool redis_look(void *link, struct broker *b, bool discover, struct redis_wait wait, celery_node_fn *node, void *user,
                struct err *e)
{
	struct redis_link *l = link;

	if (look_once(l, b, discover, wait, node, user, e))
		return true;
	if (!redis_conn_was_cut(l->master.conn))
		return false;
	*e = (struct err){ 0 };
	return look_once(l, b, discover, wait, node, user, e);
}
