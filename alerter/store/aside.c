/* What is to be done stays in its place until it is done. */
#include "store/aside.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tocsin/mem.h"

enum { ASIDE_MOST = 2 };

struct job {
	void (*fn)(void *ctx);
	void *ctx;
};

struct aside {
	bool started, alone; /* alone: there can be no thread */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock: */
	struct job v[ASIDE_MOST]; /* the first one is being done */
	unsigned n;
	bool stop;
};

static void *run(void *arg)
{
	struct aside *a = arg;

	pthread_mutex_lock(&a->lock);
	while (!a->stop) {
		struct job job = a->v[0];

		if (a->n == 0) {
			pthread_cond_wait(&a->changed, &a->lock);
			continue;
		}
		pthread_mutex_unlock(&a->lock);
		job.fn(job.ctx);
		pthread_mutex_lock(&a->lock);
		a->v[0] = a->v[1];
		a->n--;
		pthread_cond_signal(&a->changed);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

struct aside *aside_new(void)
{
	struct aside *a = mem_alloc(sizeof *a);

	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	return a;
}

/* Under the lock. */
static void wait_for(struct aside *a, unsigned left)
{
	while (a->n > left)
		pthread_cond_wait(&a->changed, &a->lock);
}

void aside_wait(struct aside *a)
{
	pthread_mutex_lock(&a->lock);
	wait_for(a, 0);
	pthread_mutex_unlock(&a->lock);
}

static bool has_thread(struct aside *a)
{
	if (!a->started && !a->alone) {
		a->started = pthread_create(&a->thread, NULL, run, a) == 0;
		a->alone = !a->started;
	}
	return a->started;
}

void aside_do(struct aside *a, void (*fn)(void *ctx), void *ctx)
{
	if (!has_thread(a)) {
		fn(ctx);
		return;
	}
	pthread_mutex_lock(&a->lock);
	wait_for(a, ASIDE_MOST - 1);
	a->v[a->n++] = (struct job){ fn, ctx };
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

void aside_free(struct aside *a)
{
	aside_wait(a);
	if (a->started) {
		pthread_mutex_lock(&a->lock);
		a->stop = true;
		pthread_cond_signal(&a->changed);
		pthread_mutex_unlock(&a->lock);
		pthread_join(a->thread, NULL);
	}
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
