/* A scrape asks nobody: it prints what the two threads behind it have learned. The source is up while the last look at the
 * broker went well. */
#include "celery/celery.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "celery/families.h"
#include "celery/state.h"
#include "tocsin/mem.h"

static void *open_source(const void *settings, const struct clock *clock)
{
	struct celery_state *s = mem_alloc(sizeof *s);
	const struct celery_settings *set = settings;

	s->settings = set;
	s->clock = clock;
	s->first_look_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&s->lock, NULL);
	s->tasks = celery_tasks_new((struct celery_tasks_options){ .max_tasks = (size_t)set->max_tasks,
	                                                          .max_series = (size_t)set->max_series,
		.generic_hostname = set->generic_hostname, .zero_ms = set->zero_ms, .default_queue = set->default_queue, .runtime = &set->runtime_buckets,
		.wait = &set->wait_buckets });
	s->workers = celery_workers_new((struct celery_workers_options){ .retention_ms = set->worker_retention_ms,
		.offline_retention_ms = set->offline_retention_ms, .spared_ms = set->control_interval_ms });
	return s;
}

static void close_source(void *state)
{
	struct celery_state *s = state;

	celery_tasks_free(s->tasks);
	celery_workers_free(s->workers);
	pthread_mutex_destroy(&s->lock);
	if (s->first_look_fd >= 0)
		close(s->first_look_fd);
	free(s);
}

static struct str describe(struct arena *a, const void *settings)
{
	return celery_address_describe(a, settings);
}

struct listening {
	struct celery_state *state;
	int stop_fd;
};

static void *listen_thread(void *arg)
{
	const struct listening *l = arg;

	celery_listen(l->state, l->stop_fd);
	return NULL;
}

static void run(void *state, struct source_loop *loop)
{
	struct listening l = { state, source_loop_stop_fd(loop) };
	pthread_t thread;
	const bool listening = pthread_create(&thread, NULL, listen_thread, &l) == 0;

	celery_poll(state, loop);
	if (listening)
		pthread_join(thread, NULL);
}

/* Only the first scrape may have to: the look is under way. */
static bool await_first_look(const struct celery_state *s, const struct source_ask *ask, struct err *e)
{
	struct pollfd fds[] = { { .fd = s->first_look_fd, .events = POLLIN }, { .fd = ask->stop_fd, .events = POLLIN } };
	const int64_t left_ms = ask->deadline_mono_ms - clock_mono_ms(&clock_system);

	if (poll(fds, ARRAY_LEN(fds), left_ms > 0 ? (int)left_ms : 0) > 0 && fds[0].revents != 0)
		return true;
	return err_set(e, ERR_TIMEOUT, -1, "the broker has not answered yet");
}

static bool check_look(const struct celery_state *s, int64_t mono_ms, struct err *e)
{
	const int64_t age_ms = mono_ms - s->looked_mono_ms, limit_ms = 3 * s->settings->poll_interval_ms + 5000;

	if (s->look_err.code != ERR_NONE)
		return err_set(e, s->look_err.code, -1, "%s", s->look_err.msg);
	if (age_ms > limit_ms)
		return err_set(e, ERR_TIMEOUT, -1, "the broker was last looked at %lld s ago", (long long)age_ms / 1000);
	return true;
}

static bool collect(void *state, const struct source_ask *ask, struct expo_set *out, struct err *e)
{
	struct celery_state *s = state;
	const int64_t mono_ms = clock_mono_ms(s->clock);

	if (!await_first_look(s, ask, e))
		return false;
	pthread_mutex_lock(&s->lock);
	const bool ok = check_look(s, mono_ms, e);
	if (ok) {
		celery_tasks_show(s->tasks, out, clock_now_ms(s->clock));
		celery_workers_show(s->workers, out);
		EXPO_EMIT0(out, &celery_families[CF_EVENTS], s->events);
		EXPO_EMIT0(out, &celery_families[CF_EVENTS_BAD], s->unreadable);
		EXPO_EMIT0(out, &celery_families[CF_EVENTS_CONNECTED], s->listening_since != 0);
		EXPO_EMIT0(out, &celery_families[CF_EVENTS_RECONNECTS], s->reconnects);
		EXPO_EMIT0(out, &celery_families[CF_POLL_AGE], (double)(mono_ms - s->looked_mono_ms) * 1e-3);
	}
	pthread_mutex_unlock(&s->lock);
	return ok;
}

static void families(source_family *family, void *user)
{
	for (size_t i = 0; i < CF_N; i++)
		family(user, &celery_families[i]);
}

const struct source_kind celery_source_kind = {
	.name = "celery",
	.up_family = "celery_up",
	.up_help = "1: the broker answered when last looked at.",
	.env = "CELERY_BROKER_URL",
	.table = &celery_settings_table,
	.families = families,
	.describe = describe,
	.explain = celery_explain,
	.open = open_source,
	.collect = collect,
	.run = run,
	.close = close_source,
};
