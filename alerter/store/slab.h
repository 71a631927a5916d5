/* Memory of pieces that are small and many: series and sealed chunks. A piece has no bytes of its own beside it, so who frees it says
 * how long it is. Private to the store; one of it for the process; any thread. */
#ifndef TOCSIN_STORE_SLAB_H
#define TOCSIN_STORE_SLAB_H

#include "tocsin/base.h"

void *slab_alloc(size_t bytes); /* zeroed */
/* A copy of what will not change any more, beside what was kept lately, since that goes about the same time. */
void *slab_keep(const void *p, size_t bytes);
void slab_free(void *p, size_t bytes); /* NULL: nothing */
/* What is empty goes back to the system. */
void slab_trim(void);
/* Pieces there are. */
size_t slab_pieces(void);

#endif
