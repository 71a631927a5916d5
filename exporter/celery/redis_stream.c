/* The event stream of a Redis broker: PSUBSCRIBE on a connection of its own. */
#include <stdlib.h>

#include "celery/redis_link.h"
#include "redis/scan.h"
#include "tocsin/clock.h"
#include "tocsin/mem.h"

#define QUIET_MS 15000          /* after so long without a message the server is asked whether it is there */
#define CHECK_MS 3000           /* how often Sentinel is asked whether it is still the master */
#define CHECK_WAIT_MS 500

struct redis_stream {
	const struct celery_settings *settings;
	struct celery_master master;
	struct arena arena;             /* of one message */
	int64_t checked_mono_ms;        /* that it is the master */
};

void *redis_stream_new(const struct celery_settings *settings, size_t *used)
{
	struct redis_conn_options options = REDIS_CONN_OPTIONS_DEFAULT;
	struct redis_stream *s = mem_alloc(sizeof *s);

	options.max_age_ms = 0;
	s->settings = settings;
	celery_master_init_broker(&s->master, settings, used, options);
	return s;
}

void redis_stream_free(void *stream)
{
	struct redis_stream *s = stream;

	celery_master_fini(&s->master);
	arena_fini(&s->arena);
	free(s);
}

void redis_stream_close(void *stream)
{
	struct redis_stream *s = stream;

	redis_conn_close(s->master.conn);
	arena_reset(&s->arena);
}

/* Sentinel clients of kombu before 5.4 leave "{db}" as it is. */
static void send_subscribe(struct redis_stream *s)
{
	const struct str prefix = redis_pattern_of(&s->arena, s->settings->key_prefix);
	const struct str numbered = arena_printf(&s->arena, STR_FMT "/%d.celeryev/*", STR_ARG(prefix), s->master.url.db);
	const struct str literal = arena_printf(&s->arena, STR_FMT "/{db}.celeryev/*", STR_ARG(prefix));

	redis_conn_send(s->master.conn, (struct str[]){ STR("PSUBSCRIBE"), numbered, literal },
	                s->settings->sentinels.n != 0 ? 3 : 2);
}

bool redis_stream_open(void *stream, struct redis_wait wait, struct err *e)
{
	struct redis_stream *s = stream;
	const struct resp_reply *reply;

	if (!celery_master_open(&s->master, wait, e))
		return false;
	send_subscribe(s);
	if (!redis_conn_message(s->master.conn, &s->arena, wait, &reply, e))
		return err_context(e, "PSUBSCRIBE");
	return reply->type != RESP_ERROR || err_set(e, ERR_UPSTREAM, -1, "PSUBSCRIBE: " STR_FMT, STR_ARG(reply->text));
}

/* pmessage, pattern, channel, payload; whatever else comes (confirmations, answers to PING) is a sign of life and no more. */
static bool is_event(const struct resp_reply *m)
{
	return m->n_items == 4 && str_eq(m->items[0]->text, STR("pmessage"));
}

static bool is_still_master(struct redis_stream *s, int stop_fd, struct err *e)
{
	const int64_t now_ms = clock_mono_ms(&clock_system);

	if (s->settings->sentinels.n == 0 || now_ms - s->checked_mono_ms < CHECK_MS)
		return true;
	s->checked_mono_ms = now_ms;
	return !celery_master_moved(&s->master, (struct redis_wait){ now_ms + CHECK_WAIT_MS, stop_fd })
	    || err_set(e, ERR_UPSTREAM, -1, "Sentinel names another master");
}

bool redis_stream_next(void *stream, int stop_fd, struct celery_message *out, struct err *e)
{
	struct redis_stream *s = stream;
	const struct resp_reply *m;
	bool asked = false;

	arena_reset(&s->arena);
	if (!is_still_master(s, stop_fd, e))
		return false;
	for (;;) {
		const int64_t quiet_ms = s->settings->sentinels.n == 0 ? QUIET_MS : CHECK_MS;
		const struct redis_wait wait = { clock_mono_ms(&clock_system) + quiet_ms, stop_fd };

		if (redis_conn_message(s->master.conn, &s->arena, wait, &m, e)) {
			if (is_event(m))
				break;
			arena_reset(&s->arena);
			asked = false;
			if (!is_still_master(s, stop_fd, e))
				return false;
			continue;
		}
		if (e->code != ERR_TIMEOUT || asked)
			return false;
		redis_conn_sendz(s->master.conn, "PING", NULL);
		*e = (struct err){ 0 };
		asked = true;
	}
	*out = (struct celery_message){ .text = m->items[3]->text, .enveloped = true };
	return true;
}
