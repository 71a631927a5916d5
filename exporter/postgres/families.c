/* The statements of a Postgres source. Ages use clock_timestamp(): now() is the start of the statement's transaction. Size
 * functions take locks on relations, so they are asked elsewhere (sizes.c); what is here waits for no user's lock. */
#include "postgres/families.h"

#include "tocsin/num.h"

#define V(major) ((major) * 10000)
#define G(expr, name, help) { expr, { name, EXPO_GAUGE, help, NULL }, 0, 0 }
#define C(expr, name, help) { expr, { name, EXPO_COUNTER, help, NULL }, 0, 0 }
#define U(expr, name, help) { expr, { name, EXPO_UNTYPED, help, NULL }, 0, 0 }
#define G_IN(min, max, expr, name, help) { expr, { name, EXPO_GAUGE, help, NULL }, min, max }
#define C_IN(min, max, expr, name, help) { expr, { name, EXPO_COUNTER, help, NULL }, min, max }
#define ROWS(values) values, ARRAY_LEN(values)
#define EPOCH(column) "extract(epoch from " column ")"
#define AGE(column) "extract(epoch from clock_timestamp() - " column ")"
#define WAL_NOW "(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)"

static const struct pg_value static_values[] = {
	U("1", "pg_static", "Version of the server, as labels."),
};

static const struct pg_value postmaster_values[] = {
	G(EPOCH("pg_postmaster_start_time()"), "pg_postmaster_start_time_seconds", "When the server was started."),
	G("pg_has_role(current_user, 'pg_read_all_stats', 'usage')::int", "tocsin_postgres_reads_all_stats",
	  "1 when the exporter's role may see what others run (pg_monitor); else counts of sessions are too small."),
};

static const struct pg_value role_values[] = {
	G("pg_is_in_recovery()::int", "pg_replication_is_replica", "1 on a standby."),
	G("CASE WHEN NOT pg_is_in_recovery() THEN 0 WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "
	  "ELSE greatest(0, " AGE("pg_last_xact_replay_timestamp()") ") END", "pg_replication_lag_seconds",
	  "Age of the last transaction replayed; 0 on a primary, and where everything received is replayed."),
	G("greatest(0, " AGE("pg_last_xact_replay_timestamp()") ")", "pg_replication_last_replay_seconds",
	  "Time since the last transaction was replayed."),
};

static const struct pg_value standby_values[] = {
	G("pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())", "pg_replication_replay_lag_bytes",
	  "WAL received and not yet replayed."),
	G("pg_is_wal_replay_paused()::int", "pg_replication_replay_paused", "1 while replay is paused."),
	G("(SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming')", "pg_replication_streaming",
	  "1 while WAL is being received from the primary."),
};

static const struct pg_value activity_values[] = {
	G("coalesce(a.n, 0)", "pg_stat_activity_count", "Sessions, without the exporter's own."),
	G("coalesce(a.age, 0)", "pg_stat_activity_max_tx_duration", "Age of the oldest transaction among them in seconds."),
};
#define ACTIVITY_FROM \
	"FROM pg_database d CROSS JOIN (VALUES ('active'), ('idle'), ('idle in transaction'), ('idle in transaction (aborted)'), " \
	"('fastpath function call'), ('disabled')) s (state) LEFT JOIN (SELECT datid, state, usename, application_name, backend_type, " \
	"wait_event_type, wait_event, count(*) AS n, max(" AGE("xact_start") ") AS age FROM pg_stat_activity " \
	"WHERE pid <> pg_backend_pid() GROUP BY 1, 2, 3, 4, 5, 6, 7) a ON a.datid = d.oid AND a.state = s.state"

static const struct pg_value transactions_values[] = {
	G("count(*)", "pg_long_running_transactions", "Open transactions."),
	G("coalesce(max(" AGE("xact_start") "), 0)", "pg_long_running_transactions_oldest_timestamp_seconds",
	  "Age of the oldest open transaction in seconds."),
};

static const struct pg_value database_values[] = {
	G("datconnlimit", "pg_database_connection_limit", "Connections the database allows; -1: no limit."),
};

static const struct pg_value wraparound_values[] = {
	G("age(datfrozenxid)", "pg_database_wraparound_age_datfrozenxid_seconds",
	    "Age of the oldest transaction id not frozen, in transactions."),
	G("mxid_age(datminmxid)", "pg_database_wraparound_age_datminmxid_seconds", "Age of the oldest multixact id, in multixacts."),
};

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
	G("coalesce(l.n, 0)", "pg_locks_count", "Locks held or waited for."),
};
#define LOCKS_FROM \
	"FROM pg_database d CROSS JOIN (VALUES ('accesssharelock'), ('rowsharelock'), ('rowexclusivelock'), " \
	"('shareupdateexclusivelock'), " \
	"('sharelock'), ('sharerowexclusivelock'), ('exclusivelock'), ('accessexclusivelock'), ('sireadlock')) m (mode) LEFT JOIN " \
	"(SELECT database, lower(mode) AS mode, count(*) AS n FROM pg_locks WHERE database <> 0 GROUP BY 1, 2) l " \
	"ON l.database = d.oid AND l.mode = m.mode"

static const struct pg_value roles_values[] = {
	G("rolconnlimit", "pg_roles_connection_limit", "Connections the role may have; -1: no limit."),
};

static const struct pg_value archiver_values[] = {
	C("archived_count", "pg_stat_archiver_archived_count", "WAL files archived."),
	C("failed_count", "pg_stat_archiver_failed_count", "Failed attempts to archive a WAL file."),
	G(AGE("last_archived_time"), "pg_stat_archiver_last_archive_age", "Seconds since a WAL file was archived."),
};

#define BGW(expr, name, help) C(expr, "pg_stat_bgwriter_" name "_total", help)
#define BGW_OLD(expr, name, help) C_IN(0, V(17), expr, "pg_stat_bgwriter_" name "_total", help)
static const struct pg_value bgwriter_values[] = {
	BGW_OLD("checkpoints_timed", "checkpoints_timed", "Scheduled checkpoints."),
	BGW_OLD("checkpoints_req", "checkpoints_req", "Requested checkpoints."),
	BGW_OLD("checkpoint_write_time", "checkpoint_write_time", "Milliseconds checkpoints spent writing."),
	BGW_OLD("checkpoint_sync_time", "checkpoint_sync_time", "Milliseconds checkpoints spent syncing."),
	BGW_OLD("buffers_checkpoint", "buffers_checkpoint", "Buffers written by checkpoints."),
	BGW("buffers_clean", "buffers_clean", "Buffers written by the background writer."),
	BGW("maxwritten_clean", "maxwritten_clean", "Times the background writer stopped because it had written too much."),
	BGW_OLD("buffers_backend", "buffers_backend", "Buffers written by backends."),
	BGW_OLD("buffers_backend_fsync", "buffers_backend_fsync", "Times a backend had to sync by itself."),
	BGW("buffers_alloc", "buffers_alloc", "Buffers allocated."),
	BGW("coalesce(" EPOCH("stats_reset") ", 0)", "stats_reset", "When these statistics were last reset; 0: never."),
};

#define CKPT(expr, name, help) C(expr, "pg_stat_checkpointer_" name "_total", help)
static const struct pg_value checkpointer_values[] = {
	CKPT("num_timed", "num_timed", "Scheduled checkpoints."),
	CKPT("num_requested", "num_requested", "Requested checkpoints."),
	C_IN(V(18), 0, "num_done", "pg_stat_checkpointer_num_done_total", "Checkpoints completed."),
	CKPT("restartpoints_timed", "restartpoints_timed", "Scheduled restartpoints."),
	CKPT("restartpoints_req", "restartpoints_req", "Requested restartpoints."),
	CKPT("restartpoints_done", "restartpoints_done", "Restartpoints completed."),
	CKPT("write_time", "write_time", "Milliseconds spent writing."),
	CKPT("sync_time", "sync_time", "Milliseconds spent syncing."),
	CKPT("buffers_written", "buffers_written", "Buffers written."),
	CKPT("coalesce(" EPOCH("stats_reset") ", 0)", "stats_reset", "When these statistics were last reset; 0: never."),
};

static const struct pg_value slots_values[] = {
	G("active::int", "pg_replication_slots_active", "1 while the slot is in use."),
	G("pg_wal_lsn_diff(" WAL_NOW ", restart_lsn)", "pg_replication_slots_pg_wal_lsn_diff", "Bytes of WAL the slot holds back."),
};
static const struct pg_value slots_lsn_values[] = {
	G(WAL_NOW " - '0/0'", "pg_replication_slots_slot_current_wal_lsn", "Position of the WAL."),
	G("confirmed_flush_lsn - '0/0'", "pg_replication_slots_slot_confirmed_flush_lsn", "Position the consumer has confirmed."),
	G("active::int", "pg_replication_slots_slot_is_active", "1 while the slot is in use."),
	G_IN(V(13), 0, "safe_wal_size", "pg_replication_slots_safe_wal_size_bytes",
	    "WAL that can still be written before the slot may be lost."),
};
static const struct pg_value slots_status_values[] = {
	G("1", "pg_replication_slots_wal_status", "State of the WAL the slot needs, as a label."),
};

#define PROGRESS(expr, name, help) G(expr, "pg_stat_progress_vacuum_" name, help)
static const struct pg_value vacuum_values[] = {
	PROGRESS("heap_blks_total", "heap_blks", "Heap blocks in the table."),
	PROGRESS("heap_blks_scanned", "heap_blks_scanned", "Heap blocks scanned."),
	PROGRESS("heap_blks_vacuumed", "heap_blks_vacuumed", "Heap blocks vacuumed."),
	PROGRESS("index_vacuum_count", "index_vacuums", "Index vacuum cycles completed."),
	G_IN(0, V(17), "max_dead_tuples", "pg_stat_progress_vacuum_max_dead_tuples", "Dead rows that fit before indexes are vacuumed."),
	G_IN(0, V(17), "num_dead_tuples", "pg_stat_progress_vacuum_num_dead_tuples", "Dead rows collected since the last index vacuum."),
	G_IN(V(17), 0, "max_dead_tuple_bytes", "pg_stat_progress_vacuum_max_dead_tuple_bytes",
	    "Room for dead rows before indexes are vacuumed."),
	G_IN(V(17), 0, "dead_tuple_bytes", "pg_stat_progress_vacuum_dead_tuple_bytes",
	    "Dead row data collected since the last index vacuum."),
};
static const struct pg_value vacuum_phase_values[] = {
	PROGRESS("(p.phase = s.phase)::int", "phase", "1 for the phase the vacuum is in."),
};
#define VACUUM_RELNAME \
	"coalesce(CASE WHEN n.nspname IN ('public', 'pg_catalog') THEN c.relname " \
	"ELSE n.nspname || '.' || c.relname END, p.relid::oid::text)"
#define VACUUM_FROM \
	"FROM pg_stat_progress_vacuum p LEFT JOIN pg_class c ON c.oid = p.relid AND p.datname = current_database() " \
	"LEFT JOIN pg_namespace n ON n.oid = c.relnamespace"

static const struct pg_value replication_values[] = {
	G("pg_wal_lsn_diff(" WAL_NOW ", '0/0')", "pg_stat_replication_pg_current_wal_lsn_bytes", "Position of the WAL."),
	G("pg_wal_lsn_diff(" WAL_NOW ", replay_lsn)", "pg_stat_replication_pg_wal_lsn_diff",
	    "WAL the standby has not replayed yet, in bytes."),
	G("extract(epoch from write_lag)", "pg_stat_replication_write_lag_seconds", "Delay until the standby has written recent WAL."),
	G("extract(epoch from flush_lag)", "pg_stat_replication_flush_lag_seconds", "Delay until the standby has flushed recent WAL."),
	G("extract(epoch from replay_lag)", "pg_stat_replication_replay_lag_seconds", "Delay until the standby has replayed recent WAL."),
};

#define TABLE(type, column, help) type("coalesce(" column ", 0)", "pg_stat_user_tables_" column, help)
#define TABLE_TIME(column, help) G("coalesce(" EPOCH(column) ", 0)", "pg_stat_user_tables_" column, help)
static const struct pg_value user_tables_values[] = {
	TABLE(C, "seq_scan", "Sequential scans."),
	TABLE(C, "seq_tup_read", "Rows fetched by sequential scans."),
	TABLE(C, "idx_scan", "Index scans."),
	TABLE(C, "idx_tup_fetch", "Rows fetched by index scans."),
	TABLE(C, "n_tup_ins", "Rows inserted."),
	TABLE(C, "n_tup_upd", "Rows updated."),
	TABLE(C, "n_tup_del", "Rows deleted."),
	TABLE(C, "n_tup_hot_upd", "Rows updated within their page."),
	TABLE(G, "n_live_tup", "Estimated live rows."),
	TABLE(G, "n_dead_tup", "Estimated dead rows."),
	TABLE(G, "n_mod_since_analyze", "Estimated rows changed since the last analyze."),
	TABLE_TIME("last_vacuum", "When the table was last vacuumed by hand; 0: never."),
	TABLE_TIME("last_autovacuum", "When autovacuum last vacuumed the table; 0: never."),
	TABLE_TIME("last_analyze", "When the table was last analyzed by hand; 0: never."),
	TABLE_TIME("last_autoanalyze", "When autovacuum last analyzed the table; 0: never."),
	TABLE(C, "vacuum_count", "Times the table was vacuumed by hand."),
	TABLE(C, "autovacuum_count", "Times autovacuum vacuumed the table."),
	TABLE(C, "analyze_count", "Times the table was analyzed by hand."),
	TABLE(C, "autoanalyze_count", "Times autovacuum analyzed the table."),
};

#define TABLE_IO(column, name, help) C("coalesce(" column ", 0)", "pg_statio_user_tables_" name, help)
static const struct pg_value statio_tables_values[] = {
	TABLE_IO("heap_blks_read", "heap_blocks_read", "Blocks of the table read."),
	TABLE_IO("heap_blks_hit", "heap_blocks_hit", "Blocks of the table found in the buffer cache."),
	TABLE_IO("idx_blks_read", "idx_blocks_read", "Blocks of its indexes read."),
	TABLE_IO("idx_blks_hit", "idx_blocks_hit", "Blocks of its indexes found in the buffer cache."),
	TABLE_IO("toast_blks_read", "toast_blocks_read", "Blocks of its TOAST table read."),
	TABLE_IO("toast_blks_hit", "toast_blocks_hit", "Blocks of its TOAST table found in the buffer cache."),
	TABLE_IO("tidx_blks_read", "tidx_blocks_read", "Blocks of its TOAST index read."),
	TABLE_IO("tidx_blks_hit", "tidx_blocks_hit", "Blocks of its TOAST index found in the buffer cache."),
};

static const struct pg_value statio_indexes_values[] = {
	C("idx_blks_read", "pg_statio_user_indexes_idx_blks_read_total", "Blocks of the index read."),
	C("idx_blks_hit", "pg_statio_user_indexes_idx_blks_hit_total", "Blocks of the index found in the buffer cache."),
};
static const struct pg_value user_indexes_values[] = {
	C("idx_scan", "pg_stat_user_indexes_idx_scan_total", "Scans of the index."),
	C("idx_tup_read", "pg_stat_user_indexes_idx_tup_read_total", "Entries returned by scans of the index."),
	C("idx_tup_fetch", "pg_stat_user_indexes_idx_tup_fetch_total", "Rows fetched by plain scans of the index."),
};

static const struct pg_value wal_values[] = {
	G("count(*)", "pg_wal_segments", "WAL files."),
	G("sum(size)", "pg_wal_size_bytes", "Size of the WAL files."),
};

#define RECEIVER(type, expr, name, help) type(expr, "pg_stat_wal_receiver_" name, help)
#define LSN(column) "(" column " - '0/0') % (2::numeric ^ 52)"
static const struct pg_value receiver_values[] = {
	RECEIVER(C, LSN("receive_start_lsn"), "receive_start_lsn", "Where receiving began, modulo 2^52."),
	RECEIVER(G, "receive_start_tli", "receive_start_tli", "Timeline receiving began on."),
	C_IN(V(13), 0, LSN("flushed_lsn"), "pg_stat_wal_receiver_flushed_lsn", "WAL flushed to disk, modulo 2^52."),
	RECEIVER(G, "received_tli", "received_tli", "Timeline of the WAL received."),
	RECEIVER(C, EPOCH("last_msg_send_time"), "last_msg_send_time", "When the last message was sent."),
	RECEIVER(C, EPOCH("last_msg_receipt_time"), "last_msg_receipt_time", "When the last message arrived."),
	RECEIVER(C, LSN("latest_end_lsn"), "latest_end_lsn", "Last position reported to the sender, modulo 2^52."),
	RECEIVER(C, EPOCH("latest_end_time"), "latest_end_time", "When that was reported."),
	RECEIVER(G, "substring(slot_name from 'repmgr_slot_([0-9]+)')::int", "upstream_node", "Number in a slot name made by repmgr."),
};

static const struct pg_value autovacuum_values[] = {
	G(EPOCH("min(xact_start)"), "pg_stat_activity_autovacuum_timestamp_seconds", "When the autovacuum worker began with the table."),
};

#define STATEMENTS(expr, name, help) C("sum(" expr ")", "pg_stat_statements_" name "_total", help)
static const struct pg_value statements_values[] = {
	STATEMENTS("s.calls", "calls", "Executions of the statement."),
	C_IN(0, V(13), "sum(s.total_time) / 1000", "pg_stat_statements_seconds_total", "Time spent executing it."),
	C_IN(V(13), 0, "sum(s.total_exec_time) / 1000", "pg_stat_statements_seconds_total", "Time spent executing it."),
	STATEMENTS("s.rows", "rows", "Rows it returned or changed."),
	C_IN(0, V(17), "sum(s.blk_read_time) / 1000", "pg_stat_statements_block_read_seconds_total", "Time spent reading blocks."),
	C_IN(0, V(17), "sum(s.blk_write_time) / 1000", "pg_stat_statements_block_write_seconds_total", "Time spent writing blocks."),
	C_IN(V(17), 0, "sum(s.shared_blk_read_time) / 1000", "pg_stat_statements_block_read_seconds_total", "Time spent reading blocks."),
	C_IN(V(17), 0, "sum(s.shared_blk_write_time) / 1000", "pg_stat_statements_block_write_seconds_total",
	    "Time spent writing blocks."),
};

static const struct pg_value buffercache_values[] = {
	G("buffers_used", "pg_buffercache_summary_buffers_used", "Buffers in use."),
	G("buffers_unused", "pg_buffercache_summary_buffers_unused", "Buffers not in use."),
	G("buffers_dirty", "pg_buffercache_summary_buffers_dirty", "Dirty buffers."),
	G("buffers_pinned", "pg_buffercache_summary_buffers_pinned", "Pinned buffers."),
	G("usagecount_avg", "pg_buffercache_summary_usagecount_avg", "Average usage count of the buffers in use."),
};

/* Of what our own session has set, the value others get. */
#define SETTINGS_FROM \
	"SELECT name, CASE WHEN source = 'session' OR name = 'transaction_read_only' THEN reset_val ELSE setting END, " \
	"coalesce(unit, ''), vartype " \
	"FROM pg_settings WHERE vartype IN ('bool', 'integer', 'real')"

#define VERSION_NUM "current_setting('server_version_num')::int"
#define SAME(name) { name, name }
#define TABLE_LABELS { { "datname", "current_database()" }, SAME("schemaname"), SAME("relname") }
#define SLOT_LABELS SAME("slot_name"), SAME("slot_type")

const struct pg_statement pg_statements[] = {
	{ "static", ROWS(static_values), "", .labels = { { "version", "version()" },
	    { "short_version", VERSION_NUM " / 10000 || '.' || " VERSION_NUM " % 10000 || '.0'" },
	    { "server", NULL } } },
	{ "postmaster", ROWS(postmaster_values), .from = "" },
	{ "replication", ROWS(role_values), .from = "" },
	{ "replication", ROWS(standby_values), .from = "WHERE pg_is_in_recovery()" },
	{ "stat_activity", ROWS(activity_values), ACTIVITY_FROM, .labels = { { "datname", "d.datname" }, { "state", "s.state" },
	    SAME("usename"), SAME("application_name"), SAME("backend_type"), SAME("wait_event_type"), SAME("wait_event") } },
	{ "long_running_transactions", ROWS(transactions_values), .from = "FROM pg_stat_activity WHERE state IS DISTINCT FROM 'idle' "
	    "AND xact_start IS NOT NULL AND query NOT LIKE 'autovacuum:%' AND pid <> pg_backend_pid()" },
	{ "stat_activity_autovacuum", ROWS(autovacuum_values), "FROM pg_stat_activity WHERE query LIKE 'autovacuum:%' GROUP BY 1",
	    .labels = { { "relname", "split_part(query, '.', 2)" } } },
	{ "database", ROWS(database_values), "FROM pg_database", .labels = { SAME("datname") } },
	{ "database_wraparound", ROWS(wraparound_values), "FROM pg_database WHERE datallowconn", .labels = { SAME("datname") } },
	{ "stat_database", ROWS(stat_database_values), "FROM pg_stat_database WHERE datname IS NOT NULL",
	    .labels = { SAME("datid"), SAME("datname") } },
	{ "stat_database_conflicts", ROWS(conflicts_values), "FROM pg_stat_database_conflicts",
	    .labels = { SAME("datid"), SAME("datname"), { "server", NULL } } },
	{ "locks", ROWS(locks_values), LOCKS_FROM, .labels = { { "datname", "d.datname" }, { "mode", "m.mode" } } },
	{ "settings", NULL, 0, SETTINGS_FROM, .settings = true },
	{ "roles", ROWS(roles_values), "FROM pg_roles", .labels = { SAME("rolname") } },
	{ "stat_archiver", ROWS(archiver_values), .from = "FROM pg_stat_archiver" },
	{ "stat_bgwriter", ROWS(bgwriter_values), .from = "FROM pg_stat_bgwriter" },
	{ "stat_checkpointer", ROWS(checkpointer_values), "FROM pg_stat_checkpointer", .min = V(17) },
	{ "replication_slots", ROWS(slots_values), "FROM pg_replication_slots", .labels = { SAME("slot_name"), SAME("database") } },
	{ "replication_slots", ROWS(slots_lsn_values), "FROM pg_replication_slots", .labels = { SLOT_LABELS } },
	{ "replication_slots", ROWS(slots_status_values), "FROM pg_replication_slots WHERE wal_status IS NOT NULL",
	    .labels = { SLOT_LABELS, SAME("wal_status") }, .min = V(13) },
	{ "stat_progress_vacuum", ROWS(vacuum_values), VACUUM_FROM, .labels = { { "datname", "p.datname" }, { "relname",
	    VACUUM_RELNAME } } },
	{ "stat_progress_vacuum", ROWS(vacuum_phase_values), VACUUM_FROM " CROSS JOIN (VALUES ('initializing'), ('scanning heap'), "
	    "('vacuuming indexes'), ('vacuuming heap'), ('cleaning up indexes'), ('truncating heap'), "
	    "('performing final cleanup')) s (phase)",
	    .labels = { { "datname", "p.datname" }, { "relname", VACUUM_RELNAME }, { "phase", "s.phase" } } },
	{ "stat_replication", ROWS(replication_values),
	    "FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid",
	    .labels = { SAME("application_name"), { "client_addr", "host(client_addr)" }, SAME("state"), SAME("slot_name"), { "pid",
	    "r.pid" } } },
	{ "stat_wal_receiver", ROWS(receiver_values), "FROM pg_stat_wal_receiver",
	    .labels = { { "upstream_host", "sender_host" }, SAME("slot_name"), SAME("status") } },
	{ "stat_user_tables", ROWS(user_tables_values), "FROM pg_stat_user_tables", .labels = TABLE_LABELS },
	{ "statio_user_tables", ROWS(statio_tables_values), "FROM pg_statio_user_tables", .labels = TABLE_LABELS },
	{ "stat_user_indexes", ROWS(user_indexes_values), "FROM pg_stat_user_indexes", .off = true,
	    .labels = { { "datname", "current_database()" }, SAME("schemaname"), SAME("relname"), SAME("indexrelname") } },
	{ "statio_user_indexes", ROWS(statio_indexes_values), "FROM pg_statio_user_indexes", .off = true,
	    .labels = { SAME("schemaname"), SAME("relname"), SAME("indexrelname") } },
	{ "wal", ROWS(wal_values), .from = "FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'" },
	{ "database_size", ROWS(database_size_values), "FROM pg_database WHERE datconnlimit <> -2", .labels = { SAME("datname") },
	    .when = PG_SLOW },
	{ "stat_statements", ROWS(statements_values), "FROM @.pg_stat_statements(false) s JOIN pg_database d ON d.oid = s.dbid "
	    "WHERE s.queryid IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 5 DESC LIMIT 100", .extension = "pg_stat_statements", .when = PG_SLOW,
	    .labels = { { "user", "pg_get_userbyid(s.userid)" }, { "datname", "d.datname" }, { "queryid", "s.queryid" } } },
	{ "buffercache_summary", ROWS(buffercache_values), "FROM @.pg_buffercache_summary()", .min = V(16), .extension = "pg_buffercache",
	    .when = PG_SLOW, .off = true },
};
const size_t pg_n_statements = ARRAY_LEN(pg_statements);

static bool in_range(int version, int min, int max)
{
	return version >= min && (max == 0 || version < max);
}

bool pg_statement_fits(const struct pg_statement *s, int version)
{
	return in_range(version, s->min, s->max);
}

bool pg_value_fits(const struct pg_value *v, int version)
{
	return in_range(version, v->min, v->max);
}

bool pg_label_is_column(const struct pg_label *l)
{
	return l->name != NULL && l->expr != NULL;
}

/* <text> with each '@' replaced by the schema, quoted. */
static void put_with_schema(struct buf *out, const char *text, struct str schema)
{
	for (; *text != '\0'; text++) {
		if (*text != '@' || schema.n == 0) {
			buf_putc(out, *text);
			continue;
		}
		buf_putc(out, '"');
		for (size_t i = 0; i < schema.n; i++) {
			if (schema.p[i] == '"')
				buf_putc(out, '"');
			buf_putc(out, schema.p[i]);
		}
		buf_putc(out, '"');
	}
}

void pg_statement_sql(struct buf *out, const struct pg_statement *s, int version, struct str schema)
{
	const char *sep = "SELECT ";

	for (const struct pg_label *l = s->labels; l < s->labels + PG_LABELS_MAX && l->name != NULL; l++) {
		if (!pg_label_is_column(l))
			continue;
		buf_printf(out, "%s%s", sep, l->expr);
		sep = ", ";
	}
	for (const struct pg_value *v = s->values; v < s->values + s->n_values; v++) {
		if (!pg_value_fits(v, version))
			continue;
		buf_printf(out, "%s%s", sep, v->expr);
		sep = ", ";
	}
	if (s->n_values > 0)
		buf_putc(out, ' ');
	put_with_schema(out, s->from, schema);
}

/* pg_settings.unit in base units. */
static const struct { const char *unit, *suffix; double factor; } units[] = {
	{ "", "", 1 },
	{ "ms", "_seconds", 0.001 }, { "s", "_seconds", 1 }, { "min", "_seconds", 60 }, { "h", "_seconds", 3600 }, { "d", "_seconds",
	    86400 },
	{ "B", "_bytes", 1 }, { "kB", "_bytes", 0x1p10 }, { "1kB", "_bytes", 0x1p10 }, { "2kB", "_bytes", 0x1p11 }, { "4kB", "_bytes",
	    0x1p12 },
	{ "8kB", "_bytes", 0x1p13 }, { "16kB", "_bytes", 0x1p14 }, { "32kB", "_bytes", 0x1p15 }, { "64kB", "_bytes", 0x1p16 },
	{ "MB", "_bytes", 0x1p20 }, { "16MB", "_bytes", 0x1p24 }, { "32MB", "_bytes", 0x1p25 }, { "64MB", "_bytes", 0x1p26 },
	{ "GB", "_bytes", 0x1p30 }, { "TB", "_bytes", 0x1p40 },
};

static void put_setting_name(struct buf *out, struct str name)
{
	buf_putz(out, "pg_settings_");
	for (size_t i = 0; i < name.n; i++)
		buf_putc(out, name.p[i] == '.' || name.p[i] == '-' ? '_' : name.p[i]);
}

bool pg_setting_convert(struct str name, struct str setting, struct str unit, struct str vartype, struct buf *family, double *v)
{
	put_setting_name(family, name);
	if (str_eq(vartype, STR("bool"))) {
		*v = str_eq(setting, STR("on")) ? 1 : 0;
		return true;
	}
	if (!str_to_double(setting, v))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!str_eq(unit, str_of(units[i].unit)))
			continue;
		buf_putz(family, units[i].suffix);
		if (*v != -1)                   /* "off" or "as another setting", whatever the unit */
			*v *= units[i].factor;
		return true;
	}
	return false;
}
