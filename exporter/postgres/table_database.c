/* Databases, and the sessions and locks in them. Ages use clock_timestamp(): now() is the start of the transaction. */
#include "postgres/table.h"

static const struct pg_value activity_values[] = {
	G("coalesce(a.n, 0)", "pg_stat_activity_count", "Sessions, without the exporter's own."),
	G("coalesce(a.age, 0)", "pg_stat_activity_max_tx_duration", "Age of the oldest transaction among them in seconds."),
};
#define ACTIVITY_FROM \
	"FROM pg_database d CROSS JOIN (VALUES ('active'), ('idle'), ('idle in transaction'), ('idle in transaction (aborted)'), " \
	"('fastpath function call'), ('disabled')) s (state) LEFT JOIN (SELECT datid, state, usename, " \
	    "application_name, backend_type, " \
	"wait_event_type, wait_event, count(*) AS n, max(" AGE("xact_start") ") AS age FROM pg_stat_activity " \
	"WHERE pid <> pg_backend_pid() GROUP BY 1, 2, 3, 4, 5, 6, 7) a ON a.datid = d.oid AND a.state = s.state"

/* Our own sessions, of which a source has two, and those of other sources. An address that names an application is likely to be
 * that application's, whose sessions are not to be overlooked: under such a name only the session that asks is ours. */
#define NOT_OURS(a) a "pid <> pg_backend_pid() AND coalesce(" a "application_name, '') <> 'tocsin-exporter'"

static const struct pg_value transactions_values[] = {
	G("count(*)", "pg_long_running_transactions", "Open transactions."),
	G("coalesce(max(" AGE("xact_start") "), 0)", "pg_long_running_transactions_oldest_timestamp_seconds",
	  "Age of the oldest open transaction in seconds."),
};

static const struct pg_value sessions_values[] = {
	G("coalesce(max(CASE WHEN a.state LIKE 'idle in transaction%' THEN " AGE("a.state_change") " END), 0)",
	  "pg_stat_activity_max_idle_in_transaction_seconds", "Longest time a session has been idle within a transaction."),
	G("coalesce(max(CASE WHEN a.state = 'active' THEN " AGE("a.query_start") " END), 0)", "pg_stat_activity_max_query_seconds",
	  "Longest time a statement has been running."),
	G("count(CASE WHEN a.state = 'active' AND a.query_start < clock_timestamp() - interval '5 minutes' THEN 1 END)",
	  "pg_stat_activity_long_queries", "Statements running for more than five minutes."),
};
#define SESSIONS_FROM \
	"FROM pg_database d LEFT JOIN pg_stat_activity a ON a.datid = d.oid AND a.pid <> pg_backend_pid() " \
	"AND a.backend_type = 'client backend' WHERE d.datallowconn GROUP BY 1"

static const double idle_bounds[] = { 1, 2, 5, 15, 30, 60, 90, 120, 300 };
static const struct pg_histogram idle_histogram = {
	{ "pg_process_idle_seconds", EXPO_HISTOGRAM, "Time idle sessions have been idle.", "seconds" },
	idle_bounds, ARRAY_LEN(idle_bounds),
	"count(*) FILTER (WHERE i.s <= 1), count(*) FILTER (WHERE i.s > 1 AND i.s <= 2), count(*) FILTER (WHERE i.s > 2 AND i.s <= 5), "
	"count(*) FILTER (WHERE i.s > 5 AND i.s <= 15), count(*) FILTER (WHERE i.s > 15 AND i.s <= 30), "
	"count(*) FILTER (WHERE i.s > 30 AND i.s <= 60), count(*) FILTER (WHERE i.s > 60 AND i.s <= 90), "
	"count(*) FILTER (WHERE i.s > 90 AND i.s <= 120), count(*) FILTER (WHERE i.s > 120 AND i.s <= 300), "
	"count(*) FILTER (WHERE i.s > 300), coalesce(sum(i.s), 0)",
};
#define IDLE_FROM \
	"FROM (SELECT state, application_name, " AGE("state_change") " AS s FROM pg_stat_activity WHERE state LIKE 'idle%') i " \
	"GROUP BY 1, 2"

static const struct pg_value autovacuum_values[] = {
	G(EPOCH("min(xact_start)"), "pg_stat_activity_autovacuum_timestamp_seconds",
	    "When the autovacuum worker began with the table."),
};

static const struct pg_value database_values[] = {
	G("datconnlimit", "pg_database_connection_limit", "Connections the database allows; -1: no limit."),
};

static const struct pg_value wraparound_values[] = {
	G("age(datfrozenxid)", "pg_database_wraparound_age_datfrozenxid_seconds",
	    "Age of the oldest transaction id not frozen, in transactions."),
	G("mxid_age(datminmxid)", "pg_database_wraparound_age_datminmxid_seconds", "Age of the oldest multixact id, in multixacts."),
};

/* Of databases nobody may connect to as well: template0 holds back the oldest id as any other does. */
#define WRAPAROUND_FROM "FROM pg_database WHERE datconnlimit <> -2"

static const struct pg_value database_size_values[] = {
	G("CASE WHEN has_database_privilege(oid, 'CONNECT') OR pg_has_role(current_user, 'pg_read_all_stats', 'usage') "
	  "THEN pg_database_size(oid) END", "pg_database_size_bytes", "Disk space of the database."),
};

#define DB(type, column, help) type(column, "pg_stat_database_" column, help)
static const struct pg_value stat_database_values[] = {
	DB(G, "numbackends", "Sessions connected."),
	DB(C, "xact_commit", "Transactions committed."),
	DB(C, "xact_rollback", "Transactions rolled back."),
	DB(C, "blks_read", "Blocks read from outside the buffer cache."),
	DB(C, "blks_hit", "Blocks found in the buffer cache."),
	DB(C, "tup_returned", "Live rows fetched by sequential scans and index entries returned by index scans."),
	DB(C, "tup_fetched", "Live rows fetched by index scans."),
	DB(C, "tup_inserted", "Rows inserted."),
	DB(C, "tup_updated", "Rows updated."),
	DB(C, "tup_deleted", "Rows deleted."),
	DB(C, "conflicts", "Queries cancelled by conflicts with recovery."),
	DB(C, "temp_files", "Temporary files made by queries."),
	DB(C, "temp_bytes", "Bytes written to temporary files."),
	DB(C, "deadlocks", "Deadlocks detected."),
	DB(C, "blk_read_time", "Milliseconds spent reading blocks (track_io_timing)."),
	DB(C, "blk_write_time", "Milliseconds spent writing blocks (track_io_timing)."),
	C("coalesce(" EPOCH("stats_reset") ", 0)", "pg_stat_database_stats_reset", "When these statistics were last reset; 0: never."),
	C_IN(V(12), 0, "checksum_failures", "pg_stat_database_checksum_failures", "Damaged pages found."),
	C_IN(V(14), 0, "active_time / 1000", "pg_stat_database_active_time_seconds_total", "Time spent executing statements."),
	C_IN(V(14), 0, "session_time", "pg_stat_database_session_time", "Milliseconds sessions were connected."),
	C_IN(V(14), 0, "active_time", "pg_stat_database_active_time", "Milliseconds spent executing statements."),
	C_IN(V(14), 0, "idle_in_transaction_time", "pg_stat_database_idle_in_transaction_time",
	    "Milliseconds spent idle in a transaction."),
	C_IN(V(14), 0, "sessions", "pg_stat_database_sessions", "Sessions begun."),
	C_IN(V(14), 0, "sessions_abandoned", "pg_stat_database_sessions_abandoned", "Sessions whose client was lost."),
	C_IN(V(14), 0, "sessions_fatal", "pg_stat_database_sessions_fatal", "Sessions ended by fatal errors."),
	G_IN(V(12), 0, EPOCH("checksum_last_failure"), "pg_stat_database_checksum_last_failure",
	    "When a damaged page was last found."),
	C_IN(V(18), 0, "parallel_workers_to_launch", "pg_stat_database_parallel_workers_to_launch", "Parallel workers planned."),
	C_IN(V(18), 0, "parallel_workers_launched", "pg_stat_database_parallel_workers_launched", "Parallel workers launched."),
	C_IN(V(14), 0, "sessions_killed", "pg_stat_database_sessions_killed", "Sessions ended by an operator."),
};

#define CONFLICT(column, help) C(column, "pg_stat_database_conflicts_" column, help)
static const struct pg_value conflicts_values[] = {
	CONFLICT("confl_tablespace", "Queries cancelled because a tablespace was dropped."),
	CONFLICT("confl_lock", "Queries cancelled because of lock timeouts."),
	CONFLICT("confl_snapshot", "Queries cancelled because of old snapshots."),
	CONFLICT("confl_bufferpin", "Queries cancelled because of pinned buffers."),
	CONFLICT("confl_deadlock", "Queries cancelled because of deadlocks."),
	C_IN(V(16), 0, "confl_active_logicalslot", "pg_stat_database_conflicts_confl_active_logicalslot",
	     "Uses of logical slots cancelled by recovery."),
};

static const struct pg_value locks_values[] = {
	G("coalesce(l.n, 0)", "pg_locks_count", "Locks held or waited for, by others than the exporter."),
};
#define LOCKS_FROM \
	"FROM pg_database d CROSS JOIN (VALUES ('accesssharelock'), ('rowsharelock'), ('rowexclusivelock'), " \
	"('shareupdateexclusivelock'), " \
	"('sharelock'), ('sharerowexclusivelock'), ('exclusivelock'), ('accessexclusivelock'), ('sireadlock')) m (mode) LEFT JOIN " \
	"(SELECT database, lower(mode) AS mode, count(*) AS n FROM pg_locks WHERE database <> 0 " \
	"AND pid <> pg_backend_pid() GROUP BY 1, 2) l " \
	"ON l.database = d.oid AND l.mode = m.mode"

/* Who waits for a lock of another session, how long already, and how many stand in the way. pg_blocking_pids() stops the lock
 * manager for a moment, so it is asked for those who wait only. Sessions of an exporter that wait for a table's size are no one's
 * trouble. */
static const struct pg_value lock_waits_values[] = {
	G("count(DISTINCT w.pid)", "pg_locks_waiters", "Sessions waiting for a lock, the exporter's aside."),
	G("count(DISTINCT b.pid)", "pg_locks_blockers", "Sessions others wait for."),
	G_IN(V(14), 0, "coalesce(max(" AGE("w.since") "), 0)", "pg_locks_max_wait_seconds", "Longest time one has been waiting."),
};
#define LOCK_WAITS_FROM(since) \
	"FROM pg_database d LEFT JOIN (SELECT a.datid, l.pid, " since " AS since FROM pg_locks l " \
	"JOIN pg_stat_activity a ON a.pid = l.pid WHERE NOT l.granted AND " NOT_OURS("a.") ") w ON w.datid = d.oid " \
	"LEFT JOIN LATERAL unnest(pg_blocking_pids(w.pid)) b (pid) ON true " \
	"WHERE d.datallowconn GROUP BY 1"

#define STATEMENTS(expr, name, help) C("sum(" expr ")", "pg_stat_statements_" name "_total", help)
static const struct pg_value statements_values[] = {
	STATEMENTS("s.calls", "calls", "Executions of the statement."),
	C_IN(0, V(13), "sum(s.total_time) / 1000", "pg_stat_statements_seconds_total", "Time spent executing it."),
	C_IN(V(13), 0, "sum(s.total_exec_time) / 1000", "pg_stat_statements_seconds_total", "Time spent executing it."),
	STATEMENTS("s.rows", "rows", "Rows it returned or changed."),
	C_IN(0, V(17), "sum(s.blk_read_time) / 1000", "pg_stat_statements_block_read_seconds_total", "Time spent reading blocks."),
	C_IN(0, V(17), "sum(s.blk_write_time) / 1000", "pg_stat_statements_block_write_seconds_total", "Time spent writing blocks."),
	C_IN(V(17), 0, "sum(s.shared_blk_read_time) / 1000", "pg_stat_statements_block_read_seconds_total",
	    "Time spent reading blocks."),
	C_IN(V(17), 0, "sum(s.shared_blk_write_time) / 1000", "pg_stat_statements_block_write_seconds_total",
	    "Time spent writing blocks."),
};

/* Utility statements stand there as they were typed: none that could hold a password. */
static const struct pg_value statement_texts_values[] = {
	C("1", "pg_stat_statements_query_id", "Text of the statement, as a label."),
};

const struct pg_statement pg_database_table[] = {
	{ "stat_activity", ROWS(activity_values), ACTIVITY_FROM, .labels = { { "datname", "d.datname" }, { "state", "s.state" },
	    SAME("usename"), SAME("application_name"), SAME("backend_type"), SAME("wait_event_type"), SAME("wait_event") } },
	{ "sessions", ROWS(sessions_values), SESSIONS_FROM, .labels = { { "datname", "d.datname" } } },
	{ "long_running_transactions", ROWS(transactions_values), .from = "FROM pg_stat_activity WHERE state IS DISTINCT FROM 'idle' "
	    "AND xact_start IS NOT NULL AND query NOT LIKE 'autovacuum:%' AND backend_type IS DISTINCT FROM 'autovacuum worker' AND "
	    NOT_OURS("") },
	{ "process_idle", NULL, 0, IDLE_FROM, .histogram = &idle_histogram, .off = true,
	    .labels = { { "state", "i.state" }, { "application_name", "i.application_name" } } },
	{ "stat_activity_autovacuum", ROWS(autovacuum_values), "FROM pg_stat_activity WHERE query LIKE 'autovacuum:%' GROUP BY 1",
	    .labels = { { "relname", "split_part(query, '.', 2)" } } },
	{ "database", ROWS(database_values), "FROM pg_database", .labels = { SAME("datname") } },
	{ "database_wraparound", ROWS(wraparound_values), WRAPAROUND_FROM, .labels = { SAME("datname") } },
	{ "stat_database", ROWS(stat_database_values), "FROM pg_stat_database WHERE datname IS NOT NULL",
	    .labels = { SAME("datid"), SAME("datname") } },
	{ "stat_database_conflicts", ROWS(conflicts_values), "FROM pg_stat_database_conflicts",
	    .labels = { SAME("datid"), SAME("datname"), { "server", NULL } } },
	{ "locks", ROWS(locks_values), LOCKS_FROM, .labels = { { "datname", "d.datname" }, { "mode", "m.mode" } } },
	{ "lock_waits", ROWS(lock_waits_values), LOCK_WAITS_FROM("NULL::timestamptz"), .labels = { { "datname", "d.datname" } },
	    .max = V(14) },
	{ "lock_waits", ROWS(lock_waits_values), LOCK_WAITS_FROM("l.waitstart"), .labels = { { "datname", "d.datname" } },
	    .min = V(14) },
	{ "database_size", ROWS(database_size_values), "FROM pg_database WHERE datconnlimit <> -2", .labels = { SAME("datname") },
	    .when = PG_SLOW },
	{ "stat_statements", ROWS(statements_values), "FROM @.pg_stat_statements(false) s JOIN pg_database d ON d.oid = s.dbid "
	    "WHERE s.queryid IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 5 DESC", .extension = "pg_stat_statements", .when = PG_SLOW,
	    .labels = { { "user", "pg_get_userbyid(s.userid)" }, { "datname", "d.datname" }, { "queryid", "s.queryid" } },
	    .ranked = true },
	{ "stat_statements_query", ROWS(statement_texts_values), "FROM @.pg_stat_statements(true) s WHERE s.queryid IS NOT NULL "
	    "AND s.query !~* 'password' GROUP BY 1 ORDER BY sum(s.total_exec_time) DESC LIMIT 200", .extension = "pg_stat_statements",
	    .when = PG_SLOW, .off = true, .min = V(13),
	    .labels = { { "queryid", "s.queryid" }, { "query", "left(regexp_replace(min(s.query), '[[:space:]]+', ' ', 'g'), 120)" } } },
	{ .collector = NULL, .next = pg_relation_table },
};
