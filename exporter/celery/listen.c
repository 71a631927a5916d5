/* The event stream, read without pause: who reads too slowly is dropped by a Redis, and loses the oldest from a RabbitMQ. Lost
 * connections are made again with a growing delay; what was sent meanwhile is lost, and counted as such by the workers' own
 * counts. */
#include <math.h>
#include <poll.h>
#include <time.h>

#include "celery/state.h"
#include "celery/transport.h"
#include "tocsin/complain.h"

#define CONNECT_MS 5000
#define DELAY_MIN_MS 500
#define DELAY_MAX_MS 5000

struct listener {
	struct celery_state *state;
	const struct celery_transport *transport;
	void *stream;
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

static void take_message(struct listener *l, const struct celery_message *m)
{
	struct celery_state *s = l->state;
	struct err ignored = { 0 };
	bool ok = !m->unreadable;

	pthread_mutex_lock(&s->lock);
	if (ok && m->enveloped)
		ok = celery_message_decode(&l->arena, m->text, take_event, s, &ignored);
	else if (ok)
		ok = celery_events_decode(&l->arena, m->text, take_event, s, &ignored);
	s->unreadable += !ok;
	pthread_mutex_unlock(&s->lock);
	arena_reset(&l->arena);
}

static void set_listening(struct celery_state *s, int64_t since)
{
	pthread_mutex_lock(&s->lock);
	s->reconnects += since == 0 && s->listening_since != 0;
	s->listening_since = since;
	pthread_mutex_unlock(&s->lock);
}

/* Until something fails. */
static void read_stream(struct listener *l, struct err *e)
{
	struct celery_message m;

	while (l->transport->stream_next(l->stream, l->stop_fd, &m, e))
		take_message(l, &m);
}

/* False when told to stop. */
static bool pause_ms(const struct listener *l, int64_t ms)
{
	struct pollfd fd = { .fd = l->stop_fd, .events = POLLIN };

	return poll(&fd, 1, (int)ms) == 0;
}

void celery_listen(struct celery_state *s, int stop_fd)
{
	struct listener l = { .state = s, .transport = s->settings->transport, .stop_fd = stop_fd };
	struct complaint complaint = { 0 };
	const char *name = s->settings->common.title;
	int64_t delay_ms = DELAY_MIN_MS;
	bool go_on = true;

	l.stream = l.transport->stream_new(s->settings, &s->used);
	while (go_on) {
		const struct redis_wait wait = { clock_mono_ms(&clock_system) + CONNECT_MS, stop_fd };
		struct err e = { 0 };

		if (l.transport->stream_open(l.stream, wait, &e)) {
			complain_works(&complaint, "celery event stream", name, clock_now_ms(s->clock));
			set_listening(s, clock_mono_ms(s->clock));
			delay_ms = DELAY_MIN_MS;
			read_stream(&l, &e);
			set_listening(s, 0);
		}
		l.transport->stream_close(l.stream);
		if (e.code != ERR_CANCELED)
			complain_failed(&complaint, "celery event stream", name, &e, clock_now_ms(s->clock));
		go_on = e.code != ERR_CANCELED && pause_ms(&l, delay_ms);
		delay_ms = delay_ms * 2 < DELAY_MAX_MS ? delay_ms * 2 : DELAY_MAX_MS;
	}
	l.transport->stream_free(l.stream);
	arena_fini(&l.arena);
}
