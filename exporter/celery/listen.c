/* The event stream: PSUBSCRIBE on a connection of its own, read without pause, because the server drops whoever reads too
 * slowly. Lost connections are made again with a growing delay; what was published meanwhile is lost, and counted as such by the
 * workers' own counts. */
#include <math.h>
#include <poll.h>
#include <time.h>

#include "celery/state.h"
#include "redis/conn.h"
#include "tocsin/complain.h"

#define CONNECT_MS 5000
#define QUIET_MS 15000          /* after so long without a message the server is asked whether it is there */
#define DELAY_MIN_MS 500
#define DELAY_MAX_MS 15000

struct listener {
	struct celery_state *state;
	struct redis_conn *conn;
	struct arena arena;             /* of one message */
	int stop_fd;
};

static void take_event(void *user, const struct celery_event *ev)
{
	struct celery_state *s = user;
	const int64_t now_ms = clock_now_ms(s->clock);

	s->events++;
	if (celery_workers_event(s->workers, ev, clock_mono_ms(s->clock), now_ms))
		celery_tasks_forget_worker(s->tasks, ev->hostname);
	celery_tasks_event(s->tasks, ev, now_ms);
}

/* pmessage, pattern, channel, payload; whatever else comes (confirmations, answers to PING) is a sign of life and no more. */
static void take_message(struct celery_state *s, struct arena *a, const struct resp_reply *m)
{
	struct err ignored = { 0 };

	if (m->n_items != 4 || !str_eq(m->items[0]->text, STR("pmessage")))
		return;
	pthread_mutex_lock(&s->lock);
	if (!celery_message_decode(a, m->items[3]->text, take_event, s, &ignored))
		s->unreadable++;
	pthread_mutex_unlock(&s->lock);
}

static void set_listening(struct celery_state *s, int64_t since)
{
	pthread_mutex_lock(&s->lock);
	s->reconnects += since == 0 && s->listening_since != 0;
	s->listening_since = since;
	pthread_mutex_unlock(&s->lock);
}

/* Bytes of the prefix that mean something in a pattern are escaped. Sentinel clients of kombu before 5.4 leave "{db}" as it is. */
static void send_subscribe(struct listener *l)
{
	const struct celery_settings *settings = l->state->settings;
	struct buf prefix = { 0 };

	for (size_t i = 0; i < settings->key_prefix.n; i++) {
		if (strchr("*?[]\\", settings->key_prefix.p[i]) != NULL)
			buf_putc(&prefix, '\\');
		buf_putc(&prefix, settings->key_prefix.p[i]);
	}
	const struct str numbered = arena_printf(&l->arena, STR_FMT "/%d.celeryev/*", STR_ARG(buf_str(&prefix)), settings->broker.url.db);
	const struct str literal = arena_printf(&l->arena, STR_FMT "/{db}.celeryev/*", STR_ARG(buf_str(&prefix)));
	redis_conn_send(l->conn, (struct str[]){ STR("PSUBSCRIBE"), numbered, literal }, 3);
	buf_fini(&prefix);
}

static struct redis_wait within(const struct listener *l, int64_t ms)
{
	return (struct redis_wait){ clock_mono_ms(&clock_system) + ms, l->stop_fd };
}

static bool subscribe(struct listener *l, struct err *e)
{
	const struct resp_reply *reply;

	if (!redis_conn_open(l->conn, within(l, CONNECT_MS), e))
		return false;
	send_subscribe(l);
	if (!redis_conn_message(l->conn, &l->arena, within(l, CONNECT_MS), &reply, e))
		return err_context(e, "PSUBSCRIBE");
	return reply->type != RESP_ERROR || err_set(e, ERR_UPSTREAM, -1, "PSUBSCRIBE: " STR_FMT, STR_ARG(reply->text));
}

/* Until something fails. */
static void read_stream(struct listener *l, struct err *e)
{
	const struct resp_reply *message;
	bool asked = false;

	while (e->code == ERR_NONE) {
		if (redis_conn_message(l->conn, &l->arena, within(l, QUIET_MS), &message, e)) {
			take_message(l->state, &l->arena, message);
			arena_reset(&l->arena);
			asked = false;
		} else if (e->code == ERR_TIMEOUT && !asked) {
			redis_conn_sendz(l->conn, "PING", NULL);
			*e = (struct err){ 0 };
			asked = true;
		}
	}
}

/* False when told to stop. */
static bool pause_ms(const struct listener *l, int64_t ms)
{
	struct pollfd fd = { .fd = l->stop_fd, .events = POLLIN };

	return poll(&fd, 1, (int)ms) == 0;
}

void celery_listen(struct celery_state *s, int stop_fd)
{
	struct redis_conn_options options = REDIS_CONN_OPTIONS_DEFAULT;
	struct listener l = { .state = s, .stop_fd = stop_fd };
	struct complaint complaint = { 0 };
	const char *name = s->settings->common.name.p;
	int64_t delay_ms = DELAY_MIN_MS;
	bool go_on = true;

	options.max_age_ms = 0;
	l.conn = redis_conn_new(&s->settings->broker.url, options);
	while (go_on) {
		struct err e = { 0 };

		if (subscribe(&l, &e)) {
			complain_works(&complaint, "celery event stream", name, clock_now_ms(s->clock));
			set_listening(s, clock_mono_ms(s->clock));
			delay_ms = DELAY_MIN_MS;
			read_stream(&l, &e);
			set_listening(s, 0);
		}
		redis_conn_close(l.conn);
		arena_reset(&l.arena);
		if (e.code != ERR_CANCELED)
			complain_failed(&complaint, "celery event stream", name, &e, clock_now_ms(s->clock));
		go_on = e.code != ERR_CANCELED && pause_ms(&l, delay_ms);
		delay_ms = delay_ms * 2 < DELAY_MAX_MS ? delay_ms * 2 : DELAY_MAX_MS;
	}
	redis_conn_free(l.conn);
	arena_fini(&l.arena);
}
