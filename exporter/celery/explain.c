/* --explain of a Celery source. */
#include "explain.h"

#include "celery/celery.h"
#include "celery/settings.h"

#define RULE "-@all +client|setname +select +ping +llen +hlen +zrange +smembers +scan +psubscribe"

void celery_explain(struct buf *out, const void *settings)
{
	const struct celery_settings *s = settings;

	explain_when(out, "in a scrape nobody is asked: it shows what was learned beside it");
	explain_when(out, "all the time, over a connection of its own: the events that workers send");
	explain_ask(out, "PSUBSCRIBE to them%s", s->control ? "" : ": workers must run with -E");
	explain_when(out, "every %s (poll_interval), in one pipeline", EXPLAIN_MS(s->poll_interval_ms));
	explain_ask(out, "LLEN of each queue and priority, and of " STR_FMT " (failed_list); HLEN unacked, ZRANGE unacked_index, SMEMBERS of "
	            "the workers' mailboxes", STR_ARG(s->failed_list));
	explain_when(out, "every %s (discovery_interval): SCAN for queues; every %s (results_interval): SCAN for kept results, at most %lld "
	             "keys a second (scan_keys_per_second)", EXPLAIN_MS(s->discovery_interval_ms), EXPLAIN_MS(s->results_interval_ms),
	             (long long)s->scan_keys_per_second);
	if (s->control) {
		explain_when(out, "every %s (control_interval), as celery inspect does, by messages through the broker",
		             EXPLAIN_MS(s->control_interval_ms));
		explain_ask(out, "stats, active, active_queues; enable_events where workers do not send them");
	}
	explain_note(out, "a user with %s%s", RULE, s->control ? " +publish +brpop +sadd +srem +del +pexpire ~* &*" : " %R~* &*");
}
