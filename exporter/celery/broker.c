/* Keys and their form are kombu's: lists "<queue>" and "<queue><sep><step>", sets "_kombu.binding.<exchange>" of
 * "<routing key><sep><pattern><sep><queue>", hash "unacked", sorted set "unacked_index" by time of delivery. */
#include "celery/broker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "celery/families.h"
#include "tocsin/mem.h"

#define BINDING "_kombu.binding."
#define NAME_MAX_BYTES 200

void broker_init(struct broker *b, const struct celery_settings *s)
{
	*b = (struct broker){ .settings = s, .oldest_unacked_s = NAN };
	broker_queue_add(b, s->default_queue);
	for (size_t i = 0; i < s->queues.n; i++)
		broker_queue_add(b, s->queues.v[i]);
}

void broker_fini(struct broker *b)
{
	for (size_t i = 0; i < b->n_queues; i++)
		free(b->queues[i].name);
	free(b->queues);
}

/* Mailboxes and event queues of workers, and broadcast queues, are no lists anybody waits in. */
static bool is_task_queue(struct str name)
{
	return name.n != 0 && name.n <= NAME_MAX_BYTES && memchr(name.p, '\0', name.n) == NULL && !str_ends(name, STR(".pidbox"))
	    && !str_starts(name, STR("celeryev.")) && !str_starts(name, STR("bcast."));
}

struct broker_queue *broker_queue_add(struct broker *b, struct str name)
{
	for (size_t i = 0; i < b->n_queues; i++)
		if (str_eq(str_of(b->queues[i].name), name))
			return &b->queues[i];
	if (!is_task_queue(name) || b->n_queues == QUEUES_MAX)
		return NULL;
	b->queues = mem_grow(b->queues, &b->cap, b->n_queues + 1, sizeof *b->queues);
	b->queues[b->n_queues] = (struct broker_queue){ .name = mem_strndup(name.p, name.n), .consumers = NAN, .processes = NAN };
	return &b->queues[b->n_queues++];
}

static bool reply_or_error(struct redis_conn *c, struct arena *a, struct redis_wait wait, const struct resp_reply **reply,
                           struct err *e)
{
	if (!redis_conn_reply(c, a, wait, reply, e))
		return false;
	return (*reply)->type != RESP_ERROR || err_set(e, ERR_UPSTREAM, -1, STR_FMT, STR_ARG((*reply)->text));
}

/* The part behind the last separator. */
static struct str last_part(struct str entry, struct str sep)
{
	size_t at;

	while ((at = str_find(entry, sep)) < entry.n)
		entry = (struct str){ entry.p + at + sep.n, entry.n - at - sep.n };
	return entry;
}

/* ---- Discovery ---- */

static bool add_bound_queues(struct broker *b, struct redis_conn *c, struct arena *a, struct redis_wait wait, struct str key,
                             struct err *e)
{
	const struct resp_reply *entries;

	redis_conn_send(c, (struct str[]){ STR("SMEMBERS"), key }, 2);
	if (!redis_conn_reply(c, a, wait, &entries, e))
		return false;
	for (size_t i = 0; i < entries->n_items; i++)
		broker_queue_add(b, last_part(entries->items[i]->text, b->settings->separator));
	return true;
}

static bool is_internal_exchange(struct str key)
{
	return str_ends(key, STR(BINDING "celeryev")) || str_ends(key, STR(".pidbox"));
}

bool broker_discover(struct broker *b, struct redis_conn *c, struct redis_wait wait, struct err *e)
{
	struct arena a = { 0 };
	const struct str pattern = arena_printf(&a, STR_FMT BINDING "*", STR_ARG(b->settings->key_prefix));
	struct str cursor = STR("0");
	bool ok = true;

	do {
		const struct resp_reply *reply;

		redis_conn_send(c, (struct str[]){ STR("SCAN"), cursor, STR("MATCH"), pattern, STR("COUNT"), STR("1000") }, 6);
		ok = reply_or_error(c, &a, wait, &reply, e);
		if (ok && (reply->n_items != 2 || reply->items[0]->type != RESP_STRING))
			ok = err_set(e, ERR_UPSTREAM, -1, "not a cursor and keys");
		for (size_t i = 0; ok && i < reply->items[1]->n_items; i++)
			if (!is_internal_exchange(reply->items[1]->items[i]->text))
				ok = add_bound_queues(b, c, &a, wait, reply->items[1]->items[i]->text, e);
		if (ok)
			cursor = reply->items[0]->text;
	} while (ok && !str_eq(cursor, STR("0")));
	if (!ok)
		err_context(e, "looking for queues");
	arena_fini(&a);
	return ok;
}

/* ---- A look ---- */

static struct str list_of(const struct broker *b, struct arena *a, const char *queue, int step)
{
	const struct celery_settings *s = b->settings;

	if (step == 0)
		return arena_printf(a, STR_FMT "%s", STR_ARG(s->key_prefix), queue);
	return arena_printf(a, STR_FMT "%s" STR_FMT "%d", STR_ARG(s->key_prefix), queue, STR_ARG(s->separator), step);
}

static void send_look(const struct broker *b, struct redis_conn *c, struct arena *a)
{
	const struct celery_settings *s = b->settings;
	const struct str prefix = s->key_prefix;

	for (size_t i = 0; i < b->n_queues; i++)
		for (size_t k = 0; k < s->n_priority_steps; k++)
			redis_conn_send(c, (struct str[]){ STR("LLEN"), list_of(b, a, b->queues[i].name, s->priority_steps[k]) }, 2);
	redis_conn_send(c, (struct str[]){ STR("HLEN"), arena_printf(a, STR_FMT "unacked", STR_ARG(prefix)) }, 2);
	redis_conn_send(c, (struct str[]){ STR("ZRANGE"), arena_printf(a, STR_FMT "unacked_index", STR_ARG(prefix)), STR("0"), STR("0"),
	                                   STR("WITHSCORES") }, 5);
	redis_conn_send(c, (struct str[]){ STR("LLEN"), s->failed_list }, 2);
	redis_conn_send(c, (struct str[]){ STR("SMEMBERS"), arena_printf(a, STR_FMT BINDING "celery.pidbox", STR_ARG(prefix)) }, 2);
}

static bool read_lengths(struct broker *b, struct redis_conn *c, struct arena *a, struct redis_wait wait, struct err *e)
{
	for (size_t i = 0; i < b->n_queues; i++) {
		for (size_t k = 0; k < b->settings->n_priority_steps; k++) {
			const struct resp_reply *reply;
			if (!redis_conn_reply(c, a, wait, &reply, e))
				return false;
			if (reply->type == RESP_ERROR && !redis_reply_is_error(reply, "WRONGTYPE"))
				return err_set(e, ERR_UPSTREAM, -1, "LLEN: " STR_FMT, STR_ARG(reply->text));
			b->queues[i].lengths[k] = reply->type == RESP_INTEGER ? reply->integer : 0;
		}
	}
	return true;
}

static void take_mailboxes(const struct broker *b, const struct resp_reply *mailboxes, void (*node)(void *, struct str), void *user)
{
	const struct str suffix = STR(".celery.pidbox");

	for (size_t i = 0; i < mailboxes->n_items; i++) {
		const struct str name = last_part(mailboxes->items[i]->text, b->settings->separator);
		if (str_ends(name, suffix))
			node(user, (struct str){ name.p, name.n - suffix.n });
	}
}

bool broker_look(struct broker *b, struct redis_conn *c, struct redis_wait wait, void (*node)(void *user, struct str name),
                 void *user, struct err *e)
{
	struct arena a = { 0 };
	const struct resp_reply *unacked, *oldest, *failed, *mailboxes;
	bool ok;

	send_look(b, c, &a);
	ok = read_lengths(b, c, &a, wait, e) && redis_conn_reply(c, &a, wait, &unacked, e) && redis_conn_reply(c, &a, wait, &oldest, e)
	  && redis_conn_reply(c, &a, wait, &failed, e) && redis_conn_reply(c, &a, wait, &mailboxes, e);
	b->looked = ok;
	if (ok) {
		b->unacked = unacked->type == RESP_INTEGER ? unacked->integer : 0;
		if (oldest->n_items != 2 || !str_to_double(oldest->items[1]->text, &b->oldest_unacked_s))
			b->oldest_unacked_s = NAN;
		b->failed = failed->type == RESP_INTEGER ? failed->integer : -1;
		take_mailboxes(b, mailboxes, node, user);
	}
	arena_fini(&a);
	return ok;
}

/* ---- Showing ---- */

static void show_queue(const struct broker *b, const struct broker_queue *q, struct expo_set *set)
{
	const struct label name = { STR("queue_name"), str_of(q->name) };
	int64_t sum = 0;

	for (size_t k = 0; k < b->settings->n_priority_steps; k++) {
		char step[16];
		snprintf(step, sizeof step, "%d", b->settings->priority_steps[k]);
		EXPO_EMIT(set, &celery_families[CF_PRIORITY_LENGTH], (double)q->lengths[k], name, { STR("priority"), str_of(step) });
		sum += q->lengths[k];
	}
	expo_emit(set, &celery_families[CF_QUEUE_LENGTH], (double)sum, &name, 1);
	if (!isnan(q->consumers))
		expo_emit(set, &celery_families[CF_ACTIVE_WORKERS], q->consumers, &name, 1);
	if (!isnan(q->processes))
		expo_emit(set, &celery_families[CF_ACTIVE_PROCESSES], q->processes, &name, 1);
}

void broker_show(const struct broker *b, struct expo_set *set, int64_t now_ms)
{
	const double age = (double)now_ms * 1e-3 - b->oldest_unacked_s;

	for (size_t i = 0; i < b->n_queues; i++)
		show_queue(b, &b->queues[i], set);
	EXPO_EMIT0(set, &celery_families[CF_UNACKED], (double)b->unacked);
	EXPO_EMIT0(set, &celery_families[CF_UNACKED_AGE], isnan(age) ? 0 : fmax(0, age));
	if (b->failed >= 0)
		EXPO_EMIT(set, &celery_families[CF_FAILED_LIST], (double)b->failed, { STR("list"), b->settings->failed_list });
}
