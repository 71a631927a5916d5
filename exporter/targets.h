/* Targets that scrapers named lately, each a worker made by a module. Bounded; one that nobody asks for any more is let go. */
#ifndef TOCSIN_EXPORTER_TARGETS_H
#define TOCSIN_EXPORTER_TARGETS_H

#include "worker.h"

struct targets;

/* <owner>'s lock guards what is said to need it. */
struct targets *targets_new(const struct worker_owner *owner, const struct clock *clock);
/* Under the lock: the worker for <target>, made when there is none. NULL and <e>: not allowed (ERR_BAD_INPUT), or there are too
 * many (ERR_LIMIT). */
struct worker *targets_get(struct targets *t, struct sources *c, const struct sources_module *m, struct str target,
                           struct err *e) MUST_CHECK;
/* Without the lock, from one thread at a time; waits for workers to end. Lets go of what is idle, and of what <c> would make
 * otherwise, but not while somebody waits for it: the next sweep finds it. False when some were left behind, as workers_stop() has it. */
bool targets_sweep(struct targets *t, const struct sources *c);
/* All workers end, likewise. Without the lock. */
bool targets_free(struct targets *t);
/* Under the lock: how many targets each module of <c> has at work, and how often one was refused. */
void targets_emit(const struct targets *t, const struct sources *c, struct expo_set *out);

#endif
