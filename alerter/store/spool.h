/* Sealed chunks that lie in files without a name, mapped to be read: what of them nobody reads takes no memory. They are in the
 * journal too, so such a file may go with the program. A chunk there never changes; references are counted for all chunks of a file
 * together, and the file goes with the last one. Private to the store. */
#ifndef TOCSIN_STORE_SPOOL_H
#define TOCSIN_STORE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SPOOL_FILE_BYTES = 4 << 20, SPOOL_FILES = 64 };

/* Maps the first <n> bytes of a file, SPOOL_FILE_BYTES at most, with so many references to chunks there, none of which begins
 * before <oldest_ms>. NULL: there is no room, or the system refuses. */
char *spool_map(int fd, size_t n, uint32_t refs, int64_t oldest_ms);
/* Whether the place is in such a file, without looking there. */
bool spool_has(const void *p);
/* Of a place in one. */
void spool_ref(const void *p);
void spool_unref(const void *p);
/* No chunk of that file begins earlier. INT64_MIN when the place is in none. */
int64_t spool_oldest_ms(const void *p);
/* How many there are. */
size_t spool_files(void);
/* Pages that were read since are given back. */
void spool_cool(void);

#endif
