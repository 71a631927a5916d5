/* --explain of a Postgres source: the statements as the newest server that has them would be asked. */
#include "explain.h"

#include "postgres/families.h"
#include "postgres/plan.h"
#include "postgres/postgres.h"

#define NEWEST 990000                   /* any version to come */

/* ", from 13, before 17, where pg_stat_statements is installed" */
static void put_where(struct buf *out, const struct pg_statement *st)
{
	if (st->min > 0)
		buf_printf(out, ", from %d", st->min / 10000);
	if (st->max > 0)
		buf_printf(out, ", before %d", st->max / 10000);
	if (st->extension != NULL)
		buf_printf(out, ", where %s is installed", st->extension);
}

static void put_statements(struct buf *out, const struct pg_settings *s, enum pg_when when)
{
	for (const struct pg_statement *st = pg_statement_next(NULL); st != NULL; st = pg_statement_next(st)) {
		struct buf sql = { 0 }, where = { 0 };
		struct pg_cut cut;

		if (st->when != when || !pg_statement_wanted(st, s))
			continue;
		pg_statement_cut(&cut, st, s, st->max > 0 ? st->max - 1 : NEWEST, STR("schema"));
		pg_statement_sql(&sql, st, &cut);
		put_where(&where, st);
		explain_ask(out, "%s%s: %s", st->collector, buf_z(&where), buf_z(&sql));
		buf_fini(&where);
		buf_fini(&sql);
	}
}

void pg_explain(struct buf *out, const void *settings)
{
	const struct pg_settings *s = settings;

	explain_when(out, "in each scrape, in one pipeline over one connection, which is replaced every %s "
	    "(connection_max_age); a statement may "
	             "take %s (statement_timeout) and wait %s for a lock (lock_timeout); in transactions that are read-only",
	             EXPLAIN_MS(s->max_age_ms), EXPLAIN_MS(s->statement_timeout_ms), EXPLAIN_MS(s->lock_timeout_ms));
	put_statements(out, s, PG_SCRAPE);
	explain_when(out, "every %s (slow_interval), over a second connection, with the same lock_timeout",
	    EXPLAIN_MS(s->slow_interval_ms));
	put_statements(out, s, PG_SLOW);
	if (s->max_tables > 0)
		explain_ask(out, "pg_table_size() and pg_indexes_size() of each of the %lld largest tables (max_tables), one by one",
		            (long long)s->max_tables);
	if (s->databases.n > 0)
		explain_ask(out, "the statements of stat_user_tables and stat_user_indexes, and sizes, in each of the "
		            "databases listed, over a connection of its own that lasts as long");
	explain_note(out, "a role that may log in and is granted pg_monitor; what it may not see is left out and shown in "
	             "tocsin_postgres_collector_unsupported");
}
