/* After a start, or when we stood still: until when rules may not know of what fired before, and which of them do by now. */
#ifndef TOCSIN_ALERTER_SETTLING_H
#define TOCSIN_ALERTER_SETTLING_H

#include "rules/rules.h"
#include "scrape/scrape.h"

struct settling {
	struct scrape_loop *scrape;        /* borrowed, as are the rules */
	struct rules *rules;
	int64_t since_ms;               /* as was asked last */
	int64_t asked_ms;               /* all targets had been asked since; 0: not yet */
};

/* Each target is asked within its interval, each rule evaluated within its; never more than a minute. */
int64_t settling_longest_ms(const struct scrape_config *, int64_t evaluation_interval_ms);
/* A notify_settled: the keys of the rules that were evaluated with data since, in <a>; true: all are. <ctx> is a struct settling. */
bool settling_is_over(void *ctx, int64_t since_ms, struct arena *a, struct str **keys, size_t *n);

#endif
