/* The table of queues, and its samples. Who looks (redis_look.c, management.c) fills it in. */
#include "celery/broker.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "celery/families.h"
#include "tocsin/mem.h"

#define NAME_MAX_BYTES 200

static void add_configured(struct broker *b, struct str name)
{
	struct broker_queue *q = broker_queue_add(b, name);

	if (q != NULL)
		q->configured = true;
}

void broker_init(struct broker *b, const struct celery_settings *s)
{
	*b = (struct broker){ .settings = s, .unacked = NAN, .oldest_unacked_s = NAN, .delayed = NAN, .failed = NAN };
	add_configured(b, s->default_queue);
	for (size_t i = 0; i < s->queues.n; i++)
		add_configured(b, s->queues.v[i]);
}

static void queue_fini(struct broker_queue *q)
{
	free(q->name);
	free(q->steps);
}

void broker_fini(struct broker *b)
{
	for (size_t i = 0; i < b->n_queues; i++)
		queue_fini(&b->queues[i]);
	free(b->queues);
}

void broker_forget_gone(struct broker *b)
{
	size_t kept = 0;

	for (size_t i = 0; i < b->n_queues; i++) {
		struct broker_queue *q = &b->queues[i];
		if (q->configured || q->exists || q->length != 0 || q->workers > 0)
			b->queues[kept++] = *q;
		else
			queue_fini(q);
	}
	b->n_queues = kept;
}

/* Mailboxes and event queues of workers, and broadcast queues, hold no tasks that wait for anybody. */
static bool is_task_queue(struct str name)
{
	return name.n != 0 && name.n <= NAME_MAX_BYTES && memchr(name.p, '\0', name.n) == NULL && !str_ends(name, STR(".pidbox"))
	    && !str_starts(name, STR("celeryev.")) && !str_starts(name, STR("bcast.")) && !str_starts(name, STR("amq."));
}

struct broker_queue *broker_queue_add(struct broker *b, struct str name)
{
	for (size_t i = 0; i < b->n_queues; i++)
		if (str_eq(str_of(b->queues[i].name), name))
			return &b->queues[i];
	if (!is_task_queue(name))
		return NULL;
	if (b->n_queues == QUEUES_MAX) {
		b->n_refused++;
		return NULL;
	}
	b->queues = mem_grow(b->queues, &b->cap, b->n_queues + 1, sizeof *b->queues);
	b->queues[b->n_queues] = (struct broker_queue){ .name = mem_strndup(name.p, name.n), .workers = NAN, .processes = NAN,
		.consumers = NAN, .unacked = NAN, .head_s = NAN };
	return &b->queues[b->n_queues++];
}

void broker_queue_set_steps(struct broker_queue *q, size_t n)
{
	assert(n <= QUEUE_PRIORITIES_MAX);
	if (n != q->n_steps) {
		free(q->steps);
		q->steps = n != 0 ? mem_alloc(n * sizeof *q->steps) : NULL;
		q->n_steps = n;
	}
	for (size_t i = 0; i < n; i++)
		q->steps[i] = (struct broker_step){ .sent_s = NAN };
}

/* ---- Showing ---- */

static void emit_known(struct expo_set *set, enum celery_family f, double v, const struct label *labels, size_t n)
{
	if (!isnan(v))
		expo_emit(set, &celery_families[f], v, labels, n);
}

static void show_step(int64_t length, const char *priority, const struct label *name, struct expo_set *set)
{
	if (length >= 0)
		EXPO_EMIT(set, &celery_families[CF_PRIORITY_LENGTH], (double)length, *name, { STR("priority"), str_of(priority) });
}

static void show_lengths(const struct broker_queue *q, const struct label *name, struct expo_set *set)
{
	const bool few = q->n_steps <= QUEUE_PRIORITIES_SHOWN;
	int64_t others = 0;

	for (size_t k = 0; k < q->n_steps; k++) {
		char priority[16];
		if (!few && !q->steps[k].shown) {
			others = others < 0 || q->steps[k].length < 0 ? -1 : others + q->steps[k].length;
			continue;
		}
		snprintf(priority, sizeof priority, "%d", q->steps[k].priority);
		show_step(q->steps[k].length, priority, name, set);
	}
	if (!few)
		show_step(others, "other", name, set);
	if (q->length >= 0)
		expo_emit(set, &celery_families[CF_QUEUE_LENGTH], (double)q->length, name, 1);
}

static void show_queue(const struct broker *b, const struct broker_queue *q, struct expo_set *set, int64_t now_ms)
{
	const struct label name = { STR("queue_name"), str_of(q->name) };

	if (b->queues_told) {
		show_lengths(q, &name, set);
		emit_known(set, CF_CONSUMERS, q->consumers, &name, 1);
		emit_known(set, CF_QUEUE_UNACKED, q->unacked, &name, 1);
		if (!isnan(q->head_s))
			expo_emit(set, &celery_families[CF_QUEUE_AGE], fmax(0, (double)now_ms * 1e-3 - q->head_s), &name, 1);
	}
	emit_known(set, CF_ACTIVE_WORKERS, q->workers, &name, 1);
	emit_known(set, CF_ACTIVE_PROCESSES, q->processes, &name, 1);
}

void broker_show(const struct broker *b, struct expo_set *set, int64_t now_ms)
{
	for (size_t i = 0; i < b->n_queues; i++)
		show_queue(b, &b->queues[i], set, now_ms);
	EXPO_EMIT0(set, &celery_families[CF_QUEUES_REFUSED], (double)b->n_refused);
	emit_known(set, CF_UNACKED, b->unacked, NULL, 0);
	if (!isnan(b->oldest_unacked_s))                        /* INFINITY: a negative age, so 0 */
		EXPO_EMIT0(set, &celery_families[CF_UNACKED_AGE], fmax(0, (double)now_ms * 1e-3 - b->oldest_unacked_s));
	if (b->settings->amqp.n == 0)
		EXPO_EMIT0(set, &celery_families[CF_VISIBILITY], (double)b->settings->visibility_timeout_ms * 1e-3);
	emit_known(set, CF_DELAYED, b->delayed, NULL, 0);
	if (!isnan(b->failed))
		EXPO_EMIT(set, &celery_families[CF_FAILED_LIST], b->failed, { STR("list"), b->settings->failed_list });
}
