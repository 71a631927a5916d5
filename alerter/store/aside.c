/* One place for what is to be done: <fn> stays there until it is done. */
#include "store/aside.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tocsin/mem.h"

struct aside {
	bool started, alone; /* alone: there can be no thread */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock: */
	void (*fn)(void *ctx); /* NULL: nothing to do */
	void *ctx;
	bool stop;
};

static void *run(void *arg)
{
	struct aside *a = arg;

	pthread_mutex_lock(&a->lock);
	while (!a->stop) {
		if (a->fn == NULL) {
			pthread_cond_wait(&a->changed, &a->lock);
			continue;
		}
		pthread_mutex_unlock(&a->lock);
		a->fn(a->ctx);
		pthread_mutex_lock(&a->lock);
		a->fn = NULL;
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

void aside_wait(struct aside *a)
{
	pthread_mutex_lock(&a->lock);
	while (a->fn != NULL)
		pthread_cond_wait(&a->changed, &a->lock);
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
	aside_wait(a);
	pthread_mutex_lock(&a->lock);
	a->fn = fn;
	a->ctx = ctx;
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
