/* The state file: positions and counts, replaced whole. One process at a time owns it, by a lock beside it. */
#ifndef TOCSIN_LOGS_STATE_H
#define TOCSIN_LOGS_STATE_H

#include "logs/tail.h"

struct state_file {
	struct str path;
	int lock_fd;                    /* -1: not owned */
	bool loaded;
};

/* False and <e> when another owns it (ERR_UPSTREAM) or it cannot be made. */
bool state_file_lock(struct state_file *f, struct err *e) MUST_CHECK;
void state_file_unlock(struct state_file *f);
/* No file is a first start. */
bool state_file_load(struct state_file *f, struct tail *t, struct counts *c, struct lines_stats *stats, struct err *e) MUST_CHECK;
/* On disk when it returns true. */
bool state_file_save(const struct state_file *f, const struct tail *t, const struct counts *c, const struct lines_stats *stats,
                     struct err *e) MUST_CHECK;

#endif
