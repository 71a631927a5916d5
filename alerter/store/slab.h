/* Memory of pieces that are small and many: series and chunks. A piece has no bytes of its own beside it, so who frees it says
 * how long it is. Private to the store; one of it for the process; any thread. */
#ifndef TOCSIN_STORE_SLAB_H
#define TOCSIN_STORE_SLAB_H

#include "tocsin/base.h"

void *slab_alloc(size_t bytes); /* zeroed */
/* The same of one that will be moved when asked for, see below. */
void *slab_alloc_movable(size_t bytes);
/* A copy of what will not change any more, beside what was kept lately, since that goes about the same time. */
void *slab_keep(const void *p, size_t bytes);
void slab_free(void *p, size_t bytes); /* NULL: nothing */
/* Frees a movable piece for one of <more> bytes, with what it had in front and zeros behind. */
void *slab_grow(void *p, size_t bytes, size_t more);
/* Pieces that grew leave slabs with many holes. In those nothing is allocated from slab_begin_moving() to slab_end_moving(): what
 * is movable there is to be allocated anew, copied and freed. False: there are few. */
bool slab_begin_moving(void);
void slab_end_moving(void);
/* Whether a piece lies in such a slab. */
bool slab_is_sparse(const void *p, size_t bytes);
/* Pieces of so many bytes together will come at once. */
void slab_expect(size_t bytes);
/* What is empty goes back to the system. */
void slab_trim(void);
/* Pieces there are. */
size_t slab_pieces(void);

#endif
