/* What blocks hold around a time that the same series are asked about again and again, side by side in the order of the selection:
 * then a window's ends are found in memory that is read from front to back, not in a dozen places a series. Private to the store.
 *
 * A shelf belongs to a snapshot and never changes. It has one chunk of each series, values in fixed width as packed.h has them, and
 * says for which windows nothing else matters; it holds as long as the list of blocks does. It is made when a selection was read the
 * long way some times, and goes when nobody used it for a while. Invariant: <bytes> of the store is the sum over all shelves and never
 * over SHELVES_BYTES. */
#ifndef TOCSIN_STORE_SHELF_H
#define TOCSIN_STORE_SHELF_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "tocsin/querier.h"

struct store;
struct store_selection;
struct snapshot;
struct shelf;
struct shelf_cuts;

struct shelves { /* of a store */
	pthread_mutex_t lock; /* guards every snapshot's <shelf>, references to it, and <bytes>; taken last */
	size_t bytes;
};

void shelves_init(struct shelves *);
void shelves_fini(struct shelves *);

/* Before the ends of (min_ms, max_ms] of its first rows are asked for: the selection gets the shelf of its snapshot, if there is one
 * that holds; it is made when it is due. */
void shelf_attach(struct store *, struct store_selection *, int64_t min_ms, int64_t max_ms);
void shelf_detach(struct store *, struct store_selection *);
/* As querier_ops.ends; rows it cannot tell of, all where there is none, are not known. */
void shelf_ends(struct store_selection *, size_t row, size_t n, int64_t min_ms, int64_t max_ms, bool last_only, struct window_ends *out);
/* Takes away that of <s>; <unless_used_since_ms>: but not if it still serves and was used after that. INT64_MAX: in any case. */
void shelf_drop(struct store *, struct snapshot *s, int64_t unless_used_since_ms);

#endif
