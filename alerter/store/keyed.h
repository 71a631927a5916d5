/* Many numbers by their keys. Private to the store. */
#ifndef TOCSIN_STORE_KEYED_H
#define TOCSIN_STORE_KEYED_H

#include <stddef.h>
#include <stdint.h>

struct keyed {
	uint64_t key, value;
};

/* By rising key; those with the same one in the order they had. */
void keyed_sort(struct keyed *v, size_t n);

#endif
