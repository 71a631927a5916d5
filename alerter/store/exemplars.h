/* Exemplars of the samples of late, in memory alone: a ring that all series share, so that a busy one pushes out the oldest of all. Private to
 * the store. Invariant: a series is in <series> while the ring has something of it, and the entries of a series are chained in the order they
 * came, which is the ring's. */
#ifndef TOCSIN_STORE_EXEMPLARS_H
#define TOCSIN_STORE_EXEMPLARS_H

#include <pthread.h>

#include "store/store.h"
#include "tocsin/map.h"

struct exemplar_entry;

struct exemplars {
	pthread_mutex_t lock; /* taken last */
	struct map series;    /* by id: struct exemplar_series */
	struct exemplar_entry *ring;
	size_t max, n, at; /* at: where the next one goes; the oldest is <n> before it */
};

void exemplars_init(struct exemplars *x);
void exemplars_fini(struct exemplars *x);

#endif
