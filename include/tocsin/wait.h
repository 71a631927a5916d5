/* Waiting for a condition on the monotonic clock: a step of the wall clock makes no wait longer or shorter. */
#ifndef TOCSIN_WAIT_H
#define TOCSIN_WAIT_H

#include <pthread.h>

#include "tocsin/base.h"

/* Of conditions that are waited for with an end. */
void wait_cond_init(pthread_cond_t *);
/* Until it is signalled, or now and then for nothing, or clock_mono_ms() of the system's clock is <mono_ms>; INT64_MAX: without an end. False: the end
 * has come. */
bool wait_until(pthread_cond_t *, pthread_mutex_t *, int64_t mono_ms);
/* The same, for so long at most. */
bool wait_for_ms(pthread_cond_t *, pthread_mutex_t *, int64_t ms);

#endif
