/* --explain of a gauges source: its queries as they stand in the configuration. */
#include "explain.h"

#include "gauges/gauges.h"

static void put_command(struct buf *out, const struct gauge_query *q)
{
	struct buf words = { 0 };

	for (size_t i = 0; i < q->command.n; i++)
		buf_printf(&words, " " STR_FMT, STR_ARG(q->command.v[i]));
	explain_ask(out, STR_FMT ":%s", STR_ARG(q->name), buf_z(&words));
	buf_fini(&words);
}

static void put_sql(struct buf *out, const struct gauge_query *q)
{
	if (q->columns != NULL && q->columns->keep_ms > 0)
		explain_ask(out, STR_FMT " (an answer is good for %s): " STR_FMT, STR_ARG(q->name), EXPLAIN_MS(q->columns->keep_ms),
		            STR_ARG(q->sql));
	else
		explain_ask(out, STR_FMT ": " STR_FMT, STR_ARG(q->name), STR_ARG(q->sql));
}

static void put_query(struct buf *out, const struct gauges_settings *s, const struct gauge_query *q)
{
	if (s->backend == &gauge_sql)
		put_sql(out, q);
	else if (s->backend == &gauge_redis)
		put_command(out, q);
	else                            /* behind '?' may stand a secret */
		explain_ask(out, STR_FMT ": GET " STR_FMT, STR_ARG(q->name), (int)str_chr(q->path, '?'), q->path.p);
}

void gauges_explain(struct buf *out, const void *settings)
{
	const struct gauges_settings *s = settings;
	const struct gauge_query *queries = s->queries.v;

	if (s->interval_ms > 0)
		explain_when(out, "every %s (interval), beside the scrapes", EXPLAIN_MS(s->interval_ms));
	else
		explain_when(out, "in each scrape");
	for (size_t i = 0; i < s->queries.n; i++)
		put_query(out, s, &queries[i]);
	if (s->backend == &gauge_sql)
		explain_note(out, "a role that may SELECT what the queries read; each runs in a read-only transaction of its own, "
		    "and one that takes over half of the time is cancelled");
	else if (s->backend == &gauge_redis)
		explain_note(out, "a user that may call these commands, +client|setname and +select");
	else
		explain_note(out, "an answer with status 200 and a JSON body; %zu headers are sent along", s->headers.n);
}
