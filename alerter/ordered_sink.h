/* Between rules and notify: the samples that led to an event are on disk before the event is. Otherwise a crash could leave an alert ended, told,
 * and the sample that ended it lost: it would fire again from the one before. */
#ifndef TOCSIN_ORDERED_SINK_H
#define TOCSIN_ORDERED_SINK_H

#include "store/store.h"
#include "tocsin/alert.h"

struct ordered_sink {
	struct alert_sink sink; /* first */
	struct alert_sink *next;
	struct store *store;
};

void ordered_sink_init(struct ordered_sink *s, struct alert_sink *next, struct store *store);

#endif
