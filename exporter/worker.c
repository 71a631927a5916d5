/* Two threads at most: one collects when asked, one runs what the kind does beside. */
#include "worker.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tocsin/log.h"
#include "tocsin/mem.h"
#include "tocsin/wait.h"

#define MARGIN_MS 20            /* between a collection's deadline and its scrape's */
#define PATIENCE_MS 8000        /* with threads that are to end */
#define RETRY_MS 10000          /* after a failure, at the soonest */
#define RETRY_SHARE 10          /* of that time a failing task is at work at most */

struct source_loop {
	struct worker *worker;
};

/* ---- Results ---- */

struct result *result_ref(struct result *r)
{
	__atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
	return r;
}

void result_unref(struct result *r)
{
	if (r == NULL || __atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (r->set != NULL)
		expo_set_unref(r->set);
	free(r);
}

static struct result *result_new(struct expo_set *set, const struct err *e, int64_t took_us, int64_t done_mono_ms)
{
	struct result *r = mem_alloc(sizeof *r);

	*r = (struct result){ .refs = 1, .set = set, .e = *e, .took_us = took_us, .done_mono_ms = done_mono_ms };
	return r;
}

/* The calling thread has nothing more to do. The last one closes the source: who comes after it may wait for a file of its, and not
 * for others that take longer to end. */
static void end_thread(struct worker *w)
{
	bool last;

	pthread_mutex_lock(w->lock);
	last = --w->threads == 0;
	pthread_mutex_unlock(w->lock);
	if (!last)
		return;
	w->source->kind->close(w->state);
	pthread_mutex_lock(w->lock);
	w->closed = true;
	pthread_cond_signal(&w->ended);
	pthread_mutex_unlock(w->lock);
}

/* ---- The collector thread ---- */

static struct result *collect(struct worker *w, const struct source_ask *ask)
{
	/* Nobody else replaces the last result. */
	struct expo_set *set = w->last != NULL && w->last->set != NULL ? expo_set_like(w->last->set) : expo_set_new();
	struct err e = { 0 };
	int64_t began_us = clock_mono_us();
	bool ok = w->source->kind->collect(w->state, ask, set, &e);

	if (ok) {
		expo_set_close(set);
		complain_works(&w->complaint, "source", w->name, clock_now_ms(w->clock));
	} else {
		assert(e.code != ERR_NONE);
		expo_set_unref(set);
		if (e.code != ERR_CANCELED)
			complain_failed(&w->complaint, "source", w->name, &e, clock_now_ms(w->clock));
	}
	return result_new(ok ? set : NULL, &e, clock_mono_us() - began_us, clock_mono_ms(w->clock));
}

/* Under the lock, which it lets go meanwhile. Takes over <r>. */
static void finish(struct worker *w, struct result *r)
{
	struct result *before = w->last;

	w->busy = false;
	w->last = r;
	if (r->set != NULL)
		w->good_mono_ms = r->done_mono_ms;
	w->owner.on_result(w->owner.ctx, w, r);
	pthread_mutex_unlock(w->lock);
	if (w->owner.after_result != NULL)
		w->owner.after_result(w->owner.ctx);
	result_unref(before);
	pthread_mutex_lock(w->lock);
}

static void *collector_thread(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(w->lock);
	while (!w->stopping || w->beginning) {
		struct source_ask ask = { w->deadline_mono_ms, w->stop_fd, w->clock };
		struct result *r;

		if (!w->asked) {
			pthread_cond_wait(&w->wake, w->lock);
			continue;
		}
		w->asked = false;
		pthread_mutex_unlock(w->lock);
		r = collect(w, &ask);
		pthread_mutex_lock(w->lock);
		finish(w, r);
	}
	if (w->busy)
		finish(w, result_new(NULL, &(struct err){ ERR_CANCELED, -1, "stopped" }, 0, clock_mono_ms(w->clock)));
	pthread_mutex_unlock(w->lock);
	end_thread(w);
	return NULL;
}

bool worker_ask(struct worker *w, int64_t deadline_mono_ms, bool *begin)
{
	int64_t now = clock_mono_ms(w->clock), own = now + w->source->settings->timeout_ms;

	if (w->stopping)
		return false;
	if (w->busy)
		return now <= w->deadline_mono_ms + MARGIN_MS;
	w->busy = w->beginning = *begin = true;
	w->deadline_mono_ms = deadline_mono_ms - MARGIN_MS < own ? deadline_mono_ms - MARGIN_MS : own;
	return true;
}

void worker_begin(struct worker *w)
{
	const struct source_ask ask = { w->deadline_mono_ms, w->stop_fd, w->clock };

	if (w->source->kind->begin != NULL)
		w->source->kind->begin(w->state, &ask);
	pthread_mutex_lock(w->lock);
	w->beginning = false;
	w->asked = true;
	pthread_mutex_unlock(w->lock);
	pthread_cond_signal(&w->wake);
	worker_unref(w);
}

/* ---- The runner thread and its results ---- */

static void tell_rest(struct worker *w)
{
	pthread_mutex_lock(w->lock);
	if (w->owner.on_rest != NULL && !w->rested) {
		w->rested = true;
		w->owner.on_rest(w->owner.ctx, w);
	}
	pthread_mutex_unlock(w->lock);
}

static void *runner_thread(void *arg)
{
	struct worker *w = arg;
	struct source_loop loop = { w };

	w->source->kind->run(w->state, &loop);
	tell_rest(w);
	end_thread(w);
	return NULL;
}

int source_loop_stop_fd(const struct source_loop *loop)
{
	return loop->worker->stop_fd;
}

const struct clock *source_loop_clock(const struct source_loop *loop)
{
	return loop->worker->clock;
}

bool source_loop_wait(struct source_loop *loop, int64_t mono_ms)
{
	struct pollfd p = { .fd = loop->worker->stop_fd, .events = POLLIN };

	if (loop->worker->n_tasks > 0)          /* written by this thread alone */
		tell_rest(loop->worker);
	for (;;) {
		int64_t left = mono_ms - clock_mono_ms(loop->worker->clock);
		int n = poll(&p, 1, left <= 0 ? 0 : left > 60000 ? 60000 : (int)left);

		assert(n >= 0 || errno == EINTR);
		if (n > 0)
			return false;
		if (left <= 0)
			return true;
	}
}

int64_t source_loop_due(const struct source_loop *loop, int64_t began_mono_ms, int64_t interval_ms, bool ok)
{
	int64_t retry_ms = (clock_mono_ms(loop->worker->clock) - began_mono_ms) * RETRY_SHARE;

	retry_ms = retry_ms < RETRY_MS ? RETRY_MS : retry_ms;
	return began_mono_ms + (ok || interval_ms < retry_ms ? interval_ms : retry_ms);
}

/* The task's place; a new one when it has none. Under the lock. */
static struct worker_task *find_task(struct worker *w, const char *name)
{
	for (size_t i = 0; i < w->n_tasks; i++)
		if (strcmp(w->tasks[i].name, name) == 0)
			return &w->tasks[i];
	assert(w->n_tasks < WORKER_TASKS_MAX);
	w->tasks[w->n_tasks].name = name;
	return &w->tasks[w->n_tasks++];
}

void source_loop_publish(struct source_loop *loop, const char *task, int64_t interval_ms, struct expo_set *set, const struct err *e)
{
	struct worker *w = loop->worker;
	const struct err none = { 0 };
	struct worker_task *t;
	bool source_is_up;

	assert(set != NULL || (e != NULL && e->code != ERR_NONE));
	if (set != NULL)
		expo_set_close(set);
	pthread_mutex_lock(w->lock);
	t = find_task(w, task);
	t->interval_ms = interval_ms;
	t->e = set != NULL ? none : *e;
	if (set != NULL) {
		result_unref(t->good);
		t->good = result_new(set, &none, 0, clock_mono_ms(w->clock));
	}
	source_is_up = w->last != NULL && w->last->set != NULL;
	pthread_mutex_unlock(w->lock);
	if (set != NULL)
		complain_works(&t->complaint, task, w->name, clock_now_ms(w->clock));
	else if (source_is_up)                  /* else that is the outage, and complained of as such */
		complain_failed(&t->complaint, task, w->name, e, clock_now_ms(w->clock));
}

void worker_expire_tasks(struct worker *w, int64_t now_mono_ms)
{
	for (struct worker_task *t = w->tasks; t < w->tasks + w->n_tasks; t++) {
		if (t->good == NULL || now_mono_ms - t->good->done_mono_ms <= 2 * t->interval_ms)
			continue;
		result_unref(t->good);
		t->good = NULL;
	}
}

/* ---- Life ---- */

static void start_thread(pthread_t *thread, void *(*main)(void *), struct worker *w)
{
	int failed = pthread_create(thread, NULL, main, w);

	if (failed == 0)
		return;
	log_event(LOG_ERROR, "no thread for a source", "source", w->name, "err", strerror(failed), NULL);
	abort();
}

static void make_conditions(struct worker *w)
{
	pthread_cond_init(&w->wake, NULL);
	wait_cond_init(&w->ended);
}

struct worker *worker_start(struct sources *config, const struct sources_entry *source, const struct clock *clock,
                            const struct worker_owner *owner)
{
	struct worker *w = mem_alloc(sizeof *w);
	const bool has_runner = source->kind->run != NULL;

	*w = (struct worker){ .config = sources_ref(config), .source = source, .clock = clock, .refs = 1, .lock = owner->lock,
	    .owner = *owner, .threads = has_runner ? 2 : 1 };
	w->name = source->settings->title;
	w->stop_fd = eventfd(0, EFD_CLOEXEC);
	assert(w->stop_fd >= 0);
	make_conditions(w);
	w->state = source->kind->open(source->settings, clock);
	if (owner->on_rest != NULL && source->kind->make_dry != NULL)
		source->kind->make_dry(w->state);
	start_thread(&w->collector, collector_thread, w);
	if (has_runner)
		start_thread(&w->runner, runner_thread, w);
	return w;
}

static void tell_to_stop(struct worker *w)
{
	const uint64_t one = 1;
	ssize_t n;

	pthread_mutex_lock(w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(w->lock);
	n = write(w->stop_fd, &one, sizeof one);
	assert(n == sizeof one);
	(void)n;
}

static bool wait_for_end(struct worker *w, int64_t until_ms)
{
	bool ended;

	pthread_mutex_lock(w->lock);
	while (!w->closed && wait_until(&w->ended, w->lock, until_ms))
		continue;
	ended = w->closed;
	pthread_mutex_unlock(w->lock);
	if (!ended)
		log_event(LOG_ERROR, "a source hangs and does not let go: it is left behind", "source", w->name, NULL);
	return ended;
}

static void clear_away(struct worker *w)
{
	pthread_join(w->collector, NULL);
	if (w->source->kind->run != NULL)
		pthread_join(w->runner, NULL);
	worker_unref(w);
}

bool workers_stop(struct worker *const *v, size_t n)
{
	int64_t until_ms = clock_mono_ms(&clock_system) + PATIENCE_MS;
	bool all = true;

	for (size_t i = 0; i < n; i++)
		if (v[i] != NULL)
			tell_to_stop(v[i]);
	for (size_t i = 0; i < n; i++) {
		if (v[i] == NULL)
			continue;
		if (wait_for_end(v[i], until_ms))
			clear_away(v[i]);
		else
			all = false;
	}
	return all;
}

struct worker *worker_ref(struct worker *w)
{
	__atomic_add_fetch(&w->refs, 1, __ATOMIC_RELAXED);
	return w;
}

void worker_unref(struct worker *w)
{
	if (__atomic_sub_fetch(&w->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	result_unref(w->last);
	for (size_t i = 0; i < w->n_tasks; i++)
		result_unref(w->tasks[i].good);
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->ended);
	close(w->stop_fd);
	sources_unref(w->config);
	free(w);
}
