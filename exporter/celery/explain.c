/* --explain of a Celery source. */
#include "explain.h"

#include "celery/celery.h"
#include "celery/settings.h"

#define RULE "-@all +client|setname +select +ping +llen +lindex +hlen +zrange +smembers +scan +psubscribe"

static void explain_redis(struct buf *out, const struct celery_settings *s)
{
	explain_ask(out, "PSUBSCRIBE to them%s", s->control ? "" : ": workers must run with -E");
	explain_when(out, "every %s (poll_interval), in one pipeline", EXPLAIN_MS(s->poll_interval_ms));
	if (s->sentinels.n != 0)
		explain_ask(out, "SENTINEL get-master-addr-by-name " STR_FMT " of one of %zu Sentinels", STR_ARG(s->sentinels.master_name),
		            s->sentinels.n);
	explain_ask(out, "LLEN of each queue and priority, and of " STR_FMT " (failed_list); HLEN unacked, ZRANGE unacked_index, "
	            "SMEMBERS of the workers' mailboxes; LINDEX -1 of lists that are not empty", STR_ARG(s->failed_list));
	explain_when(out, "every %s (discovery_interval): SCAN for queues", EXPLAIN_MS(s->discovery_interval_ms));
}

static void explain_rabbitmq(struct buf *out, const struct celery_settings *s)
{
	explain_ask(out, "a queue of its own, bound to the exchange celeryev%s", s->control ? "" : ": workers must run with -E");
	explain_when(out, "every %s (poll_interval)", EXPLAIN_MS(s->poll_interval_ms));
	if (s->amqp.management_url.n != 0)
		explain_ask(out, "GET /api/queues of the virtual host (management_url)");
	else
		explain_ask(out, "each queue known by name, declared passively; with management_url priorities, what is "
		            "not acknowledged and queues nobody named are told, too");
}

static void explain_needs(struct buf *out, const struct celery_settings *s)
{
	if (s->amqp.n == 0)
		explain_note(out, "a user with %s%s", RULE, s->control ? " +publish +brpop +sadd +srem +del +pexpire ~* &*" : " %R~* &*");
	else
		explain_note(out, "a user that may, in the virtual host, configure '^(celeryev|tocsin-|reply\\.celery).*', write "
		             "'^(celeryev\\.tocsin-|tocsin-|celery\\.pidbox).*' and read '^(celeryev|tocsin-|reply\\.celery).*'%s",
		             s->amqp.management_url.n != 0 ? ", with the tag management" : "");
}

void celery_explain(struct buf *out, const void *settings)
{
	const struct celery_settings *s = settings;

	explain_when(out, "in a scrape nobody is asked: it shows what was learned beside it");
	explain_when(out, "all the time, over a connection of its own: the events that workers send");
	if (s->amqp.n == 0)
		explain_redis(out, s);
	else
		explain_rabbitmq(out, s);
	if (s->counts_results)
		explain_when(out, "every %s (results_interval): SCAN for kept results, at most %lld keys a second (scan_keys_per_second)",
		             EXPLAIN_MS(s->results_interval_ms), (long long)s->scan_keys_per_second);
	if (s->control) {
		explain_when(out, "every %s (control_interval), as celery inspect does, by messages through the broker",
		             EXPLAIN_MS(s->control_interval_ms));
		explain_ask(out, "stats, active, active_queues; reserved and scheduled while no more than %lld (inspect_max) messages are "
		            "unacknowledged; enable_events where workers do not send them", (long long)s->inspect_max);
	}
	explain_needs(out, s);
}
