/* What a block that is being written puts aside: a file without a name, written from front to end and read again. Private to
 * block_write.c. */
#ifndef TOCSIN_STORE_BLOCK_SCRATCH_H
#define TOCSIN_STORE_BLOCK_SCRATCH_H

#include "tocsin/buf.h"
#include "tocsin/err.h"

enum { SPILL_BYTES = 256 << 10 };

struct scratch {
	int fd; /* -1: nothing was written */
	uint64_t written;
	struct buf out; /* bytes behind them */
};

/* <path> is the block's: it stands in errors, and the file lies beside it. */
bool scratch_put(struct scratch *s, const char *path, const void *p, size_t n, struct err *e);
/* Before it is read. */
bool scratch_spill(struct scratch *s, const char *path, struct err *e);
void scratch_fini(struct scratch *s);

/* All of it, or false and <e>. */
bool scratch_write_at(int fd, const char *path, const char *p, size_t n, uint64_t at, struct err *e);
bool scratch_read_at(int fd, const char *path, void *to, size_t n, uint64_t at, struct err *e);
/* Says why, from errno. False. */
bool scratch_cannot(struct err *e, const char *what, const char *path);

#endif
