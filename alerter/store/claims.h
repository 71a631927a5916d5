/* Which series each owner (a target) had before the start, until the owner asks for them. Private to the store. */
#ifndef TOCSIN_STORE_CLAIMS_H
#define TOCSIN_STORE_CLAIMS_H

#include "store/store.h"

struct claim {
	uint64_t owner;
	struct store_series *series; /* pinned */
};

struct claims {
	struct claim *v; /* by owner */
	size_t n, cap;
};

/* From the series the journal had; once, before anybody else knows the store. */
void claims_make(struct store *st);
void claims_fini(struct store *st);

#endif
