/* One line when an outage begins, one when it ends. */
#include "tocsin/complain.h"

#include <inttypes.h>
#include <stdio.h>

#include "tocsin/log.h"
#include "tocsin/num.h"

void complain_failed(struct complaint *c, const char *what, const char *name, const struct err *e, int64_t now_ms)
{
	char msg[96];

	if (c->failures++ > 0)
		return;
	c->since_ms = now_ms;
	snprintf(msg, sizeof msg, "%s failed", what);
	log_event(LOG_WARN, msg, "name", name, "err", e->msg, NULL);
}

void complain_works(struct complaint *c, const char *what, const char *name, int64_t now_ms)
{
	char msg[96], after[NUM_MAX], failures[24];

	if (c->failures == 0)
		return;
	num_format_duration(after, now_ms - c->since_ms);
	snprintf(msg, sizeof msg, "%s works again", what);
	snprintf(failures, sizeof failures, "%" PRIu64, c->failures);
	log_event(LOG_INFO, msg, "name", name, "after", after, "failures", failures, NULL);
	*c = (struct complaint){ 0 };
}
