#include "tocsin/wait.h"

#include <time.h>

#include "tocsin/clock.h"

void wait_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

bool wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t mono_ms)
{
	const struct timespec end = { .tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000 };

	return (mono_ms == INT64_MAX ? pthread_cond_wait(cond, lock) : pthread_cond_timedwait(cond, lock, &end)) == 0;
}

bool wait_for_ms(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t ms)
{
	return wait_until(cond, lock, clock_mono_ms(&clock_system) + (ms > 0 ? ms : 0));
}
