/* By one byte of the key after the other, from the lowest on: no comparisons, and bytes that all keys share cost nothing. */
#include "store/keyed.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tocsin/mem.h"

enum { BYTES = 8, VALUES = 256 };

/* False and nothing done when that byte is the same in all. */
static bool sort_byte(const struct keyed *from, struct keyed *to, size_t n, unsigned shift)
{
	size_t at[VALUES] = { 0 }, sum = 0;

	for (size_t i = 0; i < n; i++)
		at[from[i].key >> shift & 0xff]++;
	if (at[from[0].key >> shift & 0xff] == n)
		return false;
	for (size_t i = 0; i < VALUES; i++) {
		size_t here = at[i];

		at[i] = sum;
		sum += here;
	}
	for (size_t i = 0; i < n; i++)
		to[at[from[i].key >> shift & 0xff]++] = from[i];
	return true;
}

void keyed_sort(struct keyed *v, size_t n)
{
	struct keyed *other, *from = v, *to;

	if (n < 2)
		return;
	to = other = mem_alloc(n * sizeof *other);
	for (unsigned byte = 0; byte < BYTES; byte++)
		if (sort_byte(from, to, n, byte * 8)) {
			struct keyed *sorted = to;

			to = from;
			from = sorted;
		}
	if (from != v)
		memcpy(v, from, n * sizeof *v);
	free(other);
}
