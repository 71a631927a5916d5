/* Maintenance of the store on a thread of its own: flushing and merging take seconds, and nobody shall wait for them. */
#ifndef TOCSIN_KEEPER_H
#define TOCSIN_KEEPER_H

#include "store/store.h"

struct keeper;

/* NULL and <e> when there can be no thread. */
struct keeper *keeper_start(struct store *store, struct err *e);
/* What can be left is left. NULL is none. */
void keeper_stop(struct keeper *k);

#endif
