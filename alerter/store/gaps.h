/* Series that are known again after they were lost: from when to when nobody knew them. A window that begins in between lacks its
 * beginning, so what it does not show is not known to have ended (semantics, 1). Private to store/. */
#ifndef TOCSIN_STORE_GAPS_H
#define TOCSIN_STORE_GAPS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gap {
	uint64_t series;           /* its id */
	int64_t lost_ms, back_ms;  /* of its last good sample before, and of its first one behind, or when it was known to be gone; back_ms 0: a free place */
	uint64_t batch;            /* by which it ended; 0: the journal */
};

struct gaps {
	pthread_rwlock_t lock;
	struct gap *v;
	size_t cap;                /* a power of two, or 0 */
	_Atomic size_t n;
};

void gaps_init(struct gaps *);
void gaps_fini(struct gaps *);
/* Its last one; where the time known in between was shorter than the gap before, both are one. */
void gaps_put(struct gaps *, struct gap);
/* False: it has none. */
bool gaps_find(struct gaps *, uint64_t series, struct gap *out);
/* Forgets those that only windows see by now of which they are a small part. */
void gaps_prune(struct gaps *, int64_t now_ms);

#endif
