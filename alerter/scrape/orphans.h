/* What targets had before the start that are in the configuration no more: gone, as soon as nobody else may have it. Private to scrape; the
 * loop thread's. */
#ifndef TOCSIN_SCRAPE_ORPHANS_H
#define TOCSIN_SCRAPE_ORPHANS_H

#include "scrape/discover.h"
#include "scrape/target.h"

struct orphans {
	bool settled;        /* none are left */
	struct store_abandoning at;
	int64_t due_mono_ms; /* looking for them costs: some at a time, and not all the time */
};

/* <active>: the targets of <plan> there are. */
void orphans_end(struct orphans *, struct target_env *, const struct target_list *plan, struct target *const *active, size_t n,
                 const struct clock *);

/* Some were looked at, and others are next. */
static inline bool orphans_under_way(const struct orphans *o)
{
	return !o->settled && o->at.owner != 0;
}

#endif
