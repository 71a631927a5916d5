/* Moving sealed chunks of the head into blocks. Private to the store; under maintain_lock. */
#ifndef TOCSIN_STORE_FLUSH_H
#define TOCSIN_STORE_FLUSH_H

#include "tocsin/err.h"

struct store;

/* Every two hours, or with <hurry> (the head is full) at once: chunks that ended minutes ago. After a failure again in a minute. True when a block was
 * written. */
bool flush_when_due(struct store *st, int64_t now_ms, bool hurry);
/* Everything the head has, open chunks too. */
bool flush_all(struct store *st, int64_t now_ms, struct err *e);

#endif
