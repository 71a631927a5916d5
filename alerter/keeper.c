/* A thread that calls store_maintain() every half a minute, and store_take_in() every second, until it is stopped. */
#include "keeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tocsin/mem.h"
#include "tocsin/wait.h"

enum { MAINTAIN_SECONDS = 30 }; /* times the second between two looks */

struct keeper {
	struct store *store;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
};

/* True when it is time to stop. */
static bool wait_for_next(struct keeper *k)
{
	int64_t until_ms = clock_mono_ms(&clock_system) + 1000;
	bool stop;

	pthread_mutex_lock(&k->lock);
	while (!k->stop && wait_until(&k->wake, &k->lock, until_ms))
		;
	stop = k->stop;
	pthread_mutex_unlock(&k->lock);
	return stop;
}

static void *run(void *arg)
{
	struct keeper *k = arg;

	for (unsigned second = 1; !wait_for_next(k); second++)
		if (second % MAINTAIN_SECONDS == 0)
			store_maintain(k->store);
		else
			store_take_in(k->store);
	return NULL;
}

static void keeper_free(struct keeper *k)
{
	pthread_cond_destroy(&k->wake);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

struct keeper *keeper_start(struct store *store, struct err *e)
{
	struct keeper *k = mem_alloc(sizeof *k);
	int rc;

	k->store = store;
	pthread_mutex_init(&k->lock, NULL);
	wait_cond_init(&k->wake);
	rc = pthread_create(&k->thread, NULL, run, k);
	if (rc == 0)
		return k;
	err_set(e, ERR_IO, -1, "cannot start the thread that keeps the store: %s", strerror(rc));
	keeper_free(k);
	return NULL;
}

void keeper_stop(struct keeper *k)
{
	if (k == NULL)
		return;
	store_hasten(k->store);
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	pthread_cond_signal(&k->wake);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	keeper_free(k);
}
