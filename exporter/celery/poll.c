/* Everything that asks, on one thread: the look at the queues every poll_interval, questions to workers every
 * control_interval, and between them, a portion at a time, the count of kept results. What it finds of queues and results goes to
 * source_loop_publish; what it learns of workers and tasks goes where the event stream's does. */
#include <math.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "celery/families.h"
#include "celery/master.h"
#include "celery/state.h"
#include "celery/transport.h"
#include "redis/scan.h"
#include "tocsin/mem.h"

#define LOOK_MS 5000
#define PATIENCE_MS 1000                /* for workers' answers */
#define ENABLE_EVENTS_MS 30000

struct results {
	struct celery_master master;
	char cursor[32];
	double counted;                 /* so far */
	int64_t begun_mono_ms;
	bool under_way;
	int64_t next_mono_ms;
};

struct poller {
	struct celery_state *state;
	const struct celery_settings *settings;
	struct source_loop *loop;
	const struct celery_transport *transport;
	void *link;
	struct broker broker;
	struct pidbox_tally tally;      /* of the last round of stats */
	struct celery_census census;    /* of the last question to all that says who lives */
	int64_t received;               /* workers that received it; -1: not told */
	int64_t others, others_before;  /* listeners that are no workers we know */
	bool asked;
	struct results results;
	int64_t asked_active_ms;        /* wall time */
	int64_t next_discovery, next_control, next_enable, greeted_since;
};

static struct redis_wait within(const struct poller *p, int64_t ms)
{
	return (struct redis_wait){ clock_mono_ms(&clock_system) + ms, source_loop_stop_fd(p->loop) };
}

static int64_t mono_ms(const struct poller *p)
{
	return clock_mono_ms(p->state->clock);
}

/* ---- The look ---- */

static void take_mailbox(void *user, struct str node)
{
	struct poller *p = user;

	pthread_mutex_lock(&p->state->lock);
	celery_workers_bound(p->state->workers, node, mono_ms(p));
	pthread_mutex_unlock(&p->state->lock);
}

/* How long the message has waited that has waited longest: known when each list with messages has a head that says when it was
 * sent, or whose event did. */
static void find_head_age(const struct poller *p, struct broker_queue *q)
{
	double oldest_s = INFINITY;

	q->head_s = NAN;
	for (size_t k = 0; k < q->n_steps; k++) {
		const struct broker_step *step = &q->steps[k];
		double sent_s = step->sent_s;

		if (step->length == 0)
			continue;
		if (isnan(sent_s) && step->task_id[0] != '\0')
			sent_s = celery_tasks_sent_s(p->state->tasks, str_of(step->task_id));
		if (isnan(sent_s))
			return;
		oldest_s = fmin(oldest_s, sent_s);
	}
	if (isfinite(oldest_s))
		q->head_s = oldest_s;
}

static void find_head_ages(struct poller *p)
{
	pthread_mutex_lock(&p->state->lock);
	for (size_t i = 0; i < p->broker.n_queues; i++)
		find_head_age(p, &p->broker.queues[i]);
	pthread_mutex_unlock(&p->state->lock);
}

/* Beside the look: on Redis keys that are not what they should be, else the management API. */
static void publish_untold(struct poller *p)
{
	const bool is_redis = p->settings->amqp.n == 0;
	const bool told = p->broker.queues_err.code == ERR_NONE && p->broker.queues_told;

	if (is_redis || p->settings->amqp.management_url.n != 0)
		source_loop_publish(p->loop, is_redis ? "keys" : "management", p->settings->poll_interval_ms, told ? expo_set_new() : NULL,
		                    &p->broker.queues_err);
}

static void publish_look(struct poller *p, bool ok, int64_t took_us, const struct err *e)
{
	struct expo_set *set = ok ? expo_set_new() : NULL;

	if (ok) {
		broker_show(&p->broker, set, clock_now_ms(p->state->clock));
		EXPO_EMIT0(set, &celery_families[CF_POLL_DURATION], (double)took_us * 1e-6);
		if (p->asked && p->tally.connected >= 0) {
			EXPO_EMIT0(set, &celery_families[CF_WORKERS_CONNECTED], (double)p->tally.connected);
			EXPO_EMIT0(set, &celery_families[CF_WORKERS_SILENT], fmax(0, (double)(p->tally.connected - p->tally.answered)));
		}
	}
	source_loop_publish(p->loop, "queues", p->settings->poll_interval_ms, set, e);
	if (ok)
		publish_untold(p);
}

static bool look(struct poller *p)
{
	const int64_t start_us = clock_mono_us();
	const bool discover = mono_ms(p) >= p->next_discovery;
	struct err e = { 0 };
	const bool ok = p->transport->look(p->link, &p->broker, discover, within(p, LOOK_MS), take_mailbox, p, &e);

	if (e.code == ERR_CANCELED)
		return false;
	if (ok && p->settings->amqp.n == 0)
		find_head_ages(p);
	if (ok && discover)
		p->next_discovery = mono_ms(p) + p->settings->discovery_interval_ms;
	publish_look(p, ok, clock_mono_us() - start_us, &e);
	pthread_mutex_lock(&p->state->lock);
	p->state->look_err = e;
	if (ok)
		p->state->looked_mono_ms = mono_ms(p);
	pthread_mutex_unlock(&p->state->lock);
	eventfd_write(p->state->first_look_fd, 1);
	return ok;
}

/* ---- Workers' answers ---- */

static void take_pong(void *user, struct str node, const json_t *answer)
{
	struct poller *p = user;

	(void)answer;
	pthread_mutex_lock(&p->state->lock);
	celery_workers_answered(p->state->workers, node, mono_ms(p), clock_now_ms(p->state->clock));
	pthread_mutex_unlock(&p->state->lock);
}

/* A solo pool runs tasks in the one thread there is: its processes are the worker itself. */
static bool is_solo(const json_t *stats)
{
	const json_t *processes = json_object_get(json_object_get(stats, "pool"), "processes");

	return json_array_size(processes) == 1
	    && json_integer_value(json_array_get(processes, 0)) == json_integer_value(json_object_get(stats, "pid"));
}

static double number_of(const json_t *object, const char *key)
{
	const json_t *n = json_object_get(object, key);

	return json_is_number(n) ? json_number_value(n) : NAN;
}

static void take_stats(void *user, struct str node, const json_t *stats)
{
	struct poller *p = user;
	const json_t *pool = json_object_get(stats, "pool");
	const char *task;
	json_t *total = json_object_get(stats, "total"), *n;

	take_pong(user, node, stats);
	pthread_mutex_lock(&p->state->lock);
	if (celery_workers_stats(p->state->workers, node, number_of(pool, "max-concurrency"), number_of(stats, "pid"), is_solo(stats)))
		celery_tasks_forget_worker(p->state->tasks, node);
	json_object_foreach(total, task, n)
		celery_workers_accepted(p->state->workers, node, str_of(task), json_number_value(n));
	pthread_mutex_unlock(&p->state->lock);
}

static struct str text_of(const json_t *object, const char *key)
{
	return str_of(json_string_value(json_object_get(object, key)));
}

static void take_active(void *user, struct str node, const json_t *answer)
{
	struct poller *p = user;
	struct arena a = { 0 };
	struct celery_running *v = ARENA_ARRAY(&a, json_array_size(answer), struct celery_running);
	size_t i, n = 0;
	json_t *task;

	json_array_foreach(answer, i, task) {
		const double since_s = json_number_value(json_object_get(task, "time_start"));
		const struct str queue = text_of(json_object_get(task, "delivery_info"), "routing_key");
		const bool told = celery_is_time(since_s);
		v[n++] = (struct celery_running){ text_of(task, "id"), text_of(task, "name"), queue,
			told ? (int64_t)(since_s * 1e3) : p->asked_active_ms };
	}
	pthread_mutex_lock(&p->state->lock);
	celery_tasks_are_running(p->state->tasks, node, v, n, p->asked_active_ms);
	pthread_mutex_unlock(&p->state->lock);
	arena_fini(&a);
}

static void take_reserved(void *user, struct str node, const json_t *answer)
{
	struct poller *p = user;

	pthread_mutex_lock(&p->state->lock);
	celery_workers_reserved(p->state->workers, node, (double)json_array_size(answer));
	pthread_mutex_unlock(&p->state->lock);
}

static void take_scheduled(void *user, struct str node, const json_t *answer)
{
	struct poller *p = user;

	pthread_mutex_lock(&p->state->lock);
	celery_workers_scheduled(p->state->workers, node, (double)json_array_size(answer));
	pthread_mutex_unlock(&p->state->lock);
}

struct consumers {
	struct poller *poller;
	const json_t *concurrency;      /* of each node, by the stats before; owned by the round */
};

static void take_queues(void *user, struct str node, const json_t *answer)
{
	const struct consumers *c = user;
	char *name = mem_strndup(node.p, node.n);
	const double processes = json_number_value(json_object_get(c->concurrency, name));
	size_t i;
	json_t *queue;

	json_array_foreach(answer, i, queue) {
		struct broker_queue *q = broker_queue_add(&c->poller->broker, text_of(queue, "name"));
		if (q == NULL)
			continue;
		q->workers = (isnan(q->workers) ? 0 : q->workers) + 1;
		q->processes = (isnan(q->processes) ? 0 : q->processes) + processes;
	}
	free(name);
}

static void note_concurrency(void *user, struct str node, const json_t *stats)
{
	struct consumers *c = user;
	char *name = mem_strndup(node.p, node.n);
	union { const json_t *in; json_t *out; } map = { .in = c->concurrency };

	take_stats(c->poller, node, stats);
	json_object_set(map.out, name, json_object_get(json_object_get(stats, "pool"), "max-concurrency"));
	free(name);
}

static bool ask_stats(struct poller *p, struct consumers *c, struct err *e)
{
	const struct pidbox_question q = { .method = "stats", .arguments = "{}" };

	return p->transport->ask(p->link, &q, within(p, PATIENCE_MS), note_concurrency, c, &p->tally, e);
}

/* Behind the stats: for who was silent then nobody waits. */
static bool ask_all(struct poller *p, const char *method, const char *arguments, pidbox_answer_fn *fn, void *user, struct err *e)
{
	const struct pidbox_question q = { .method = method, .arguments = arguments,
		.enough = p->tally.answered + p->tally.unreadable };
	struct pidbox_tally ignored;

	return q.enough == 0 || p->transport->ask(p->link, &q, within(p, PATIENCE_MS), fn, user, &ignored, e);
}

/* Where every worker we know of has answered, who is left of those that received the question is no worker, or hangs and is known
 * to: of two such counts the lower, for a worker may just be starting. */
static void count_workers(struct poller *p, const struct pidbox_tally *tally, int64_t asked_mono_ms)
{
	struct celery_census *c = &p->census;
	const int64_t silent = tally->connected - tally->answered - tally->unreadable;

	c->asked_mono_ms = asked_mono_ms;
	if (tally->connected < p->received)
		c->fell_mono_ms = mono_ms(p);
	pthread_mutex_lock(&p->state->lock);
	if (celery_workers_unanswered(p->state->workers, asked_mono_ms) == 0) {
		p->others = p->others_before < silent ? p->others_before : silent;
		p->others_before = silent;
	}
	pthread_mutex_unlock(&p->state->lock);
	c->silent = tally->connected >= 0 ? silent - p->others : -1;
	p->received = tally->connected;
}

/* Answers hold every argument of every task, so it is only asked while there cannot be many. */
static bool ask_what_is_held(struct poller *p, struct err *e)
{
	struct celery_state *s = p->state;

	if (p->settings->inspect_max > 0 && p->broker.unacked <= (double)p->settings->inspect_max)
		return ask_all(p, "reserved", "{}", take_reserved, p, e)
		    && ask_all(p, "scheduled", "{}", take_scheduled, p, e);
	pthread_mutex_lock(&s->lock);
	celery_workers_held_unknown(s->workers);
	pthread_mutex_unlock(&s->lock);
	return true;
}

static bool ask_workers(struct poller *p, struct err *e)
{
	json_t *concurrency = json_object();
	struct consumers c = { p, concurrency };
	const int64_t asked_mono_ms = mono_ms(p);
	bool ok = ask_stats(p, &c, e);

	if (ok && p->transport->has_mailbox == NULL)
		count_workers(p, &p->tally, asked_mono_ms);
	p->asked_active_ms = clock_now_ms(p->state->clock);
	ok = ok && ask_all(p, "active", "{\"safe\":true}", take_active, p, e);

	for (size_t i = 0; ok && i < p->broker.n_queues; i++)
		if (!isnan(p->broker.queues[i].workers))
			p->broker.queues[i].workers = p->broker.queues[i].processes = 0;
	ok = ok && ask_all(p, "active_queues", "{}", take_queues, &c, e) && ask_what_is_held(p, e);
	json_decref(concurrency);
	return ok;
}

/* After each connect of the event stream workers are asked for a heartbeat, and now and then for their events: new ones may have
 * come. */
static bool greet_workers(struct poller *p, struct err *e)
{
	int64_t since;

	pthread_mutex_lock(&p->state->lock);
	since = p->state->listening_since;
	pthread_mutex_unlock(&p->state->lock);
	if (since == 0 || (since == p->greeted_since && mono_ms(p) < p->next_enable))
		return true;
	if (since != p->greeted_since && !p->transport->tell(p->link, "heartbeat", within(p, LOOK_MS), e))
		return false;
	if (!p->transport->tell(p->link, "enable_events", within(p, LOOK_MS), e))
		return false;
	p->greeted_since = since;
	p->next_enable = mono_ms(p) + ENABLE_EVENTS_MS;
	return true;
}

static void control(struct poller *p)
{
	struct err e = { 0 };
	struct expo_set *none;

	if (!p->settings->control)
		return;
	bool ok = greet_workers(p, &e);
	if (ok && mono_ms(p) < p->next_control)
		return;
	ok = ok && ask_workers(p, &e);
	p->asked = ok;
	p->next_control = mono_ms(p) + p->settings->control_interval_ms;
	if (e.code == ERR_CANCELED)
		return;
	none = ok ? expo_set_new() : NULL;
	source_loop_publish(p->loop, "control", p->settings->control_interval_ms, none, &e);
}

/* ---- Who lives ---- */

static size_t list_suspects(struct poller *p, struct arena *a, struct str **nodes)
{
	struct celery_state *s = p->state;
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	if (s->listening_since != 0 || p->settings->control)
		n = celery_workers_suspects(s->workers, mono_ms(p), s->listening_since, a, nodes);
	pthread_mutex_unlock(&s->lock);
	return n;
}

/* Whether one that may be busy is gone. */
static bool is_gone(struct poller *p, struct str node, bool *gone, struct err *e)
{
	bool there;

	if (p->transport->has_mailbox != NULL) {
		if (!p->transport->has_mailbox(p->link, node, &there, e))
			return false;
		*gone = !there;
		return true;
	}
	pthread_mutex_lock(&p->state->lock);
	*gone = celery_workers_is_gone(p->state->workers, node, &p->census, mono_ms(p));
	pthread_mutex_unlock(&p->state->lock);
	return true;
}

static void condemn(struct poller *p, struct str node)
{
	struct celery_state *s = p->state;

	pthread_mutex_lock(&s->lock);
	celery_workers_condemn(s->workers, node, mono_ms(p));
	celery_tasks_forget_worker(s->tasks, node);
	pthread_mutex_unlock(&s->lock);
}

static bool may_be_busy(const struct poller *p, struct str node)
{
	struct celery_state *s = p->state;
	bool may;

	pthread_mutex_lock(&s->lock);
	may = p->settings->control && celery_workers_may_be_busy(s->workers, node);
	pthread_mutex_unlock(&s->lock);
	return may;
}

static void spare(struct poller *p, struct str node)
{
	pthread_mutex_lock(&p->state->lock);
	celery_workers_spare(p->state->workers, node, mono_ms(p));
	pthread_mutex_unlock(&p->state->lock);
}

static void settle(struct poller *p, const struct str *nodes, size_t n)
{
	struct err e = { 0 };

	for (size_t i = 0; i < n; i++) {
		bool gone = true;
		if (may_be_busy(p, nodes[i]) && !is_gone(p, nodes[i], &gone, &e))
			return;
		if (gone)
			condemn(p, nodes[i]);
		else
			spare(p, nodes[i]);
	}
}

static bool ask_suspects(struct poller *p, const struct str *nodes, size_t n)
{
	const bool all = p->transport->has_mailbox == NULL;     /* then those that receive it are counted */
	const struct pidbox_question q = { .method = "ping", .arguments = "{}", .nodes = all ? NULL : nodes, .n_nodes = n,
		.enough = all ? 0 : (int64_t)n };
	const int64_t asked_mono_ms = mono_ms(p);
	struct pidbox_tally tally;
	struct err e = { 0 };

	if (!p->transport->ask(p->link, &q, within(p, PATIENCE_MS), take_pong, p, &tally, &e))
		return false;
	if (all)
		count_workers(p, &tally, asked_mono_ms);
	return true;
}

/* Suspects are asked; who still is one after that is down, unless it may be busy and is connected. Where the question fails
 * nothing is decided. */
static void judge_workers(struct poller *p)
{
	struct arena a = { 0 };
	struct str *nodes = NULL;
	size_t n = list_suspects(p, &a, &nodes);

	if (n != 0 && p->settings->control)
		n = ask_suspects(p, nodes, n) ? list_suspects(p, &a, &nodes) : 0;
	settle(p, nodes, n);
	pthread_mutex_lock(&p->state->lock);
	celery_workers_expire(p->state->workers, mono_ms(p));
	pthread_mutex_unlock(&p->state->lock);
	arena_fini(&a);
}

/* ---- Results kept ---- */

static void finish_results(struct poller *p, const struct err *e)
{
	struct results *r = &p->results;
	struct expo_set *set = NULL;

	if (e->code == ERR_NONE) {
		set = expo_set_new();
		EXPO_EMIT0(set, &celery_families[CF_RESULTS], r->counted);
	}
	source_loop_publish(p->loop, "results", p->settings->results_interval_ms, set, e);
	redis_conn_close(r->master.conn);
	r->under_way = false;
	r->next_mono_ms = r->begun_mono_ms + p->settings->results_interval_ms;
}

static bool count_portion(struct poller *p, struct err *e)
{
	struct results *r = &p->results;
	struct arena a = { 0 };
	const struct str prefix = redis_pattern_of(&a, p->settings->result_prefix);
	struct str cursor = str_of(r->cursor);
	const struct resp_reply *keys;
	const struct str pattern = arena_printf(&a, STR_FMT "celery-task-meta-*", STR_ARG(prefix));
	bool ok = redis_scan_portion(r->master.conn, pattern, within(p, LOOK_MS), &a,
	                             &cursor, &keys, e);

	if (ok && cursor.n >= sizeof r->cursor)
		ok = err_set(e, ERR_UPSTREAM, -1, "SCAN: cursor of more than %zu digits", sizeof r->cursor - 1);
	if (ok) {
		r->counted += (double)keys->n_items;
		memcpy(r->cursor, cursor.p, cursor.n);
		r->cursor[cursor.n] = '\0';
	}
	arena_fini(&a);
	return ok;
}

/* As many portions as scan_keys_per_second allows for one poll_interval. */
static void count_results(struct poller *p)
{
	struct results *r = &p->results;
	int64_t left = p->settings->scan_keys_per_second * p->settings->poll_interval_ms / 1000;
	struct err e = { 0 };

	if (!r->under_way && mono_ms(p) < r->next_mono_ms)
		return;
	if (!r->under_way) {
		memcpy(r->cursor, "0", 2);
		r->counted = 0;
		r->begun_mono_ms = mono_ms(p);
		r->under_way = true;
	}
	bool ok = celery_master_open(&r->master, within(p, LOOK_MS), &e);
	do {
		ok = ok && count_portion(p, &e);
		left -= REDIS_SCAN_PORTION;
	} while (ok && left > 0 && strcmp(r->cursor, "0") != 0);
	if (e.code != ERR_CANCELED && (!ok || strcmp(r->cursor, "0") == 0))
		finish_results(p, &e);
}

/* ---- The round ---- */

void celery_poll(struct celery_state *s, struct source_loop *loop)
{
	const struct celery_settings *settings = s->settings;
	struct poller p = { .state = s, .settings = settings, .transport = settings->transport, .loop = loop };
	bool go_on = true;

	p.link = p.transport->link_new(settings, &s->used);
	broker_init(&p.broker, settings);
	if (settings->result_backend_text.n == 0)
		celery_master_init_broker(&p.results.master, settings, &s->used, REDIS_CONN_OPTIONS_DEFAULT);
	else
		celery_master_init(&p.results.master, &settings->result_backend, REDIS_CONN_OPTIONS_DEFAULT);
	while (go_on) {
		const int64_t next_ms = clock_mono_ms(&clock_system) + settings->poll_interval_ms;

		if (look(&p)) {
			control(&p);
			judge_workers(&p);
			if (settings->counts_results)
				count_results(&p);
		}
		go_on = source_loop_wait(loop, next_ms);
	}
	p.transport->link_free(p.link);
	broker_fini(&p.broker);
	celery_master_fini(&p.results.master);
}
