/* Moving sealed chunks of the head into blocks. Private to the store; under maintain_lock. */
#ifndef TOCSIN_STORE_FLUSH_H
#define TOCSIN_STORE_FLUSH_H

#include "tocsin/err.h"

struct shard;
struct store;
struct store_series;

/* Every two hours, or with <hurry> (the head is full) at once: chunks that ended minutes ago. After a failure again in a minute. True when a block was
 * written. */
bool flush_when_due(struct store *st, int64_t now_ms, bool hurry);
/* Everything the head has, open chunks too. */
bool flush_all(struct store *st, int64_t now_ms, struct err *e);
/* Seals the open chunk of a series, under the lock of its shard. */
void flush_close_open(struct shard *, struct store_series *);
/* Whether it has an open chunk that nothing will be added to, as far as is known: it was ended, by <until_ms>. Likewise. */
bool flush_has_ended(const struct store_series *, int64_t until_ms);

#endif
