/* Two threads, so that what is largest does not hold up what is only large; each has its jobs, in the order they came. It is
 * started by its first job, and has an environment of its own whose memory goes after each: the next one that large may be a day
 * away. */
#include "scrape/heavy.h"

#include <stdlib.h>

#include "tocsin/mem.h"

/* A line that is new takes 3 us or more, one that is known a tenth of that. */
enum { LARGE_BYTES = 256 << 10, LARGEST_BYTES = 4 << 20, LINE_BYTES = 80 };

struct jobs {
	struct heavy_job *first, *last;
};

struct worker {
	struct target_env env; /* the thread's */
	void (*woken)(void *ctx);
	void *ctx;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t come;
	struct jobs waiting, done;
	size_t n; /* not handed back */
	bool stop;
};

enum { LARGE, LARGEST, WORKERS };

struct heavy {
	struct worker workers[WORKERS];
};

static void add(struct jobs *list, struct heavy_job *job)
{
	job->next = NULL;
	if (list->last != NULL)
		list->last->next = job;
	else
		list->first = job;
	list->last = job;
}

static struct heavy_job *take(struct jobs *list)
{
	struct heavy_job *job = list->first;

	if (job == NULL)
		return NULL;
	list->first = job->next;
	if (list->first == NULL)
		list->last = NULL;
	return job;
}

struct heavy *heavy_new(const struct target_env *env, void (*woken)(void *ctx), void *ctx)
{
	struct heavy *h = mem_alloc(sizeof *h);

	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &h->workers[i];

		w->env = *env;
		w->env.app = NULL;
		w->woken = woken;
		w->ctx = ctx;
		pthread_mutex_init(&w->lock, NULL);
		pthread_cond_init(&w->come, NULL);
	}
	return h;
}

static void stop(struct worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->come);
	pthread_mutex_unlock(&w->lock);
	if (w->started)
		pthread_join(w->thread, NULL);
}

void heavy_stop(struct heavy *h)
{
	for (int i = 0; i < WORKERS; i++)
		stop(&h->workers[i]);
}

void heavy_free(struct heavy *h)
{
	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &h->workers[i];
		struct heavy_job *job;

		while ((job = take(&w->waiting)) != NULL)
			free(job);
		pthread_cond_destroy(&w->come);
		pthread_mutex_destroy(&w->lock);
	}
	free(h);
}

/* ---- A thread ---- */

static void forget(struct target_env *env)
{
	store_appender_free(env->app);
	env->app = NULL;
	arena_fini(&env->scratch);
	line_texts_fini(&env->texts);
}

static void work(struct worker *w, struct heavy_job *job)
{
	struct buf plain = { 0 };

	w->env.app = store_appender_new(w->env.store);
	if (job->ends) {
		target_end(job->target, &w->env, job->t_ms);
		target_free(job->target, w->env.store);
		job->target = NULL;
	} else {
		if (job->fetch != NULL)
			fetch_unpack(job->fetch, &plain, &job->reply);
		else
			job->reply.transport_error = job->why.msg;
		job->taken = target_take(job->target, &w->env, &job->reply, job->t_ms);
	}
	forget(&w->env);
	buf_fini(&plain);
}

static void *run(void *arg)
{
	struct worker *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		struct heavy_job *job = take(&w->waiting);

		if (job == NULL) {
			pthread_cond_wait(&w->come, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		work(w, job);
		pthread_mutex_lock(&w->lock);
		add(&w->done, job);
		w->woken(w->ctx);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- The loop's side ---- */

size_t heavy_bytes(struct heavy *h, const struct target *t, size_t reply_bytes)
{
	size_t lines = t->n_lines + (t->claimed ? 0 : store_claims_of(h->workers[LARGE].env.store, t->owner));

	return lines * LINE_BYTES > reply_bytes ? lines * LINE_BYTES : reply_bytes;
}

bool heavy_push(struct heavy *h, size_t bytes, const struct heavy_job *what)
{
	struct worker *w = &h->workers[bytes < LARGEST_BYTES ? LARGE : LARGEST];
	struct heavy_job *job;

	if (bytes < LARGE_BYTES || (!w->started && pthread_create(&w->thread, NULL, run, w) != 0))
		return false;
	w->started = true;
	job = mem_alloc(sizeof *job);
	*job = *what;
	pthread_mutex_lock(&w->lock);
	add(&w->waiting, job);
	w->n++;
	pthread_cond_signal(&w->come);
	pthread_mutex_unlock(&w->lock);
	return true;
}

struct heavy_job *heavy_done(struct heavy *h)
{
	struct heavy_job *job = NULL;

	for (int i = 0; i < WORKERS && job == NULL; i++) {
		struct worker *w = &h->workers[i];

		pthread_mutex_lock(&w->lock);
		job = take(&w->done);
		w->n -= job != NULL;
		pthread_mutex_unlock(&w->lock);
	}
	return job;
}

bool heavy_is_idle(struct heavy *h)
{
	bool idle = true;

	for (int i = 0; i < WORKERS; i++) {
		pthread_mutex_lock(&h->workers[i].lock);
		idle = idle && h->workers[i].n == 0;
		pthread_mutex_unlock(&h->workers[i].lock);
	}
	return idle;
}

void heavy_set_gauges(struct heavy *h, struct conf_strs health_gauges)
{
	for (int i = 0; i < WORKERS; i++)
		h->workers[i].env.health_gauges = health_gauges;
}
