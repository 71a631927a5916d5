/* Blocks whose files are new, checked while others of them are taken in. Private to the store. */
#ifndef TOCSIN_STORE_ARRIVALS_H
#define TOCSIN_STORE_ARRIVALS_H

#include <pthread.h>

#include "store/block.h"

struct arrival {
	struct block *block; /* as block_map() gave it */
	bool whole;          /* it was checked and is good; otherwise <e> says why not */
	struct err e;
};

struct arrivals {
	struct arrival *v;
	size_t n, cap;
	pthread_t thread; /* checks all but the first, while <beside> */
	bool beside;
};

void arrivals_add(struct arrivals *, struct block *b);
/* The latest first, which is checked now; checking the others begins. No more are added. */
void arrivals_begin(struct arrivals *);
/* The <i>th, checked: waits for it. */
struct arrival *arrivals_checked(struct arrivals *, size_t i);
/* All are checked. Their blocks are the caller's. */
void arrivals_fini(struct arrivals *);

#endif
