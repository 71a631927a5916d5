/* What belongs to the server as a whole. */
#include "postgres/table.h"

static const struct pg_value static_values[] = {
	U("1", "pg_static", "Version of the server, as labels."),
};

static const struct pg_value postmaster_values[] = {
	G(EPOCH("pg_postmaster_start_time()"), "pg_postmaster_start_time_seconds", "When the server was started."),
	G("pg_has_role(current_user, 'pg_read_all_stats', 'usage')::int", "tocsin_postgres_reads_all_stats",
	  "1 when the exporter's role may see what others run (pg_monitor); else counts of sessions are too small."),
};

static const struct pg_value roles_values[] = {
	G("rolconnlimit", "pg_roles_connection_limit", "Connections the role may have; -1: no limit."),
};

static const struct pg_value archiver_values[] = {
	C("archived_count", "pg_stat_archiver_archived_count", "WAL files archived."),
	C("failed_count", "pg_stat_archiver_failed_count", "Failed attempts to archive a WAL file."),
	G(AGE("last_archived_time"), "pg_stat_archiver_last_archive_age", "Seconds since a WAL file was archived."),
	G(EPOCH("last_archived_time"), "pg_stat_archiver_last_archived_timestamp_seconds", "When a WAL file was last archived."),
	G(EPOCH("last_failed_time"), "pg_stat_archiver_last_failed_timestamp_seconds", "When archiving last failed."),
};
static const struct pg_value archive_status_values[] = {
	G("count(*)", "pg_stat_archiver_files_waiting", "WAL files that wait to be archived."),
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
/* Since 17 checkpoints have a view of their own; dashboards know them by the old names. */
static const struct pg_value bgwriter_checkpoints_values[] = {
	BGW("num_timed", "checkpoints_timed", "Scheduled checkpoints."),
	BGW("num_requested", "checkpoints_req", "Requested checkpoints."),
	BGW("write_time", "checkpoint_write_time", "Milliseconds checkpoints spent writing."),
	BGW("sync_time", "checkpoint_sync_time", "Milliseconds checkpoints spent syncing."),
	BGW("buffers_written", "buffers_checkpoint", "Buffers written by checkpoints."),
};

#define CKPT(expr, name, help) C(expr, "pg_stat_checkpointer_" name "_total", help)
#define CKPT_18(expr, name, help) C_IN(V(18), 0, expr, "pg_stat_checkpointer_" name "_total", help)
static const struct pg_value checkpointer_values[] = {
	CKPT("num_timed", "num_timed", "Scheduled checkpoints."),
	CKPT("num_requested", "num_requested", "Requested checkpoints."),
	CKPT_18("num_done", "num_done", "Checkpoints completed."),
	CKPT("restartpoints_timed", "restartpoints_timed", "Scheduled restartpoints."),
	CKPT("restartpoints_req", "restartpoints_req", "Requested restartpoints."),
	CKPT("restartpoints_done", "restartpoints_done", "Restartpoints completed."),
	CKPT("write_time", "write_time", "Milliseconds spent writing."),
	CKPT("sync_time", "sync_time", "Milliseconds spent syncing."),
	CKPT("buffers_written", "buffers_written", "Buffers written."),
	CKPT_18("slru_written", "slru_written", "Buffers of the small caches (SLRU) written."),
	CKPT("coalesce(" EPOCH("stats_reset") ", 0)", "stats_reset", "When these statistics were last reset; 0: never."),
};

static const struct pg_value wal_values[] = {
	G("count(*)", "pg_wal_segments", "WAL files."),
	G("sum(size)", "pg_wal_size_bytes", "Size of the WAL files."),
};

#define WAL_TO_17(expr, name, help) C_IN(0, V(18), expr, "pg_stat_wal_" name "_total", help)
static const struct pg_value stat_wal_values[] = {
	C("wal_records", "pg_stat_wal_records_total", "WAL records written."),
	C("wal_fpi", "pg_stat_wal_fpi_total", "Full page images written to WAL."),
	C("wal_bytes", "pg_stat_wal_bytes_total", "WAL written, in bytes."),
	C("wal_buffers_full", "pg_stat_wal_buffers_full_total", "Times WAL had to be written because its buffers were full."),
	WAL_TO_17("wal_write", "write", "Times WAL buffers were written out."),
	WAL_TO_17("wal_sync", "sync", "Times WAL was synced."),
	WAL_TO_17("wal_write_time / 1000", "write_seconds", "Time spent writing WAL (track_wal_io_timing)."),
	WAL_TO_17("wal_sync_time / 1000", "sync_seconds", "Time spent syncing WAL (track_wal_io_timing)."),
	G(EPOCH("stats_reset"), "pg_stat_wal_reset_timestamp_seconds", "When these statistics were last reset."),
};

#define IO(expr, name, help) C(expr, "pg_stat_io_" name "_total", help)
#define IO_16(expr, name, help) C_IN(0, V(18), expr, "pg_stat_io_" name "_total", help)
#define IO_18(expr, name, help) C_IN(V(18), 0, expr, "pg_stat_io_" name "_total", help)
static const struct pg_value stat_io_values[] = {
	IO("reads", "reads", "Reads."),
	IO_16("reads * op_bytes", "read_bytes", "Bytes read."),
	IO_18("read_bytes", "read_bytes", "Bytes read."),
	IO("read_time / 1000", "read_seconds", "Time spent reading (track_io_timing)."),
	IO("writes", "writes", "Writes."),
	IO_16("writes * op_bytes", "write_bytes", "Bytes written."),
	IO_18("write_bytes", "write_bytes", "Bytes written."),
	IO("write_time / 1000", "write_seconds", "Time spent writing (track_io_timing)."),
	IO("writebacks", "writebacks", "Blocks the kernel was asked to write."),
	IO("writeback_time / 1000", "writeback_seconds", "Time spent asking (track_io_timing)."),
	IO("extends", "extends", "Times a relation was made longer."),
	IO_16("extends * op_bytes", "extend_bytes", "Bytes relations grew by."),
	IO_18("extend_bytes", "extend_bytes", "Bytes relations grew by."),
	IO("extend_time / 1000", "extend_seconds", "Time spent growing them (track_io_timing)."),
	IO("hits", "hits", "Blocks found in a buffer."),
	IO("evictions", "evictions", "Blocks put out of a buffer to make room."),
	IO("reuses", "reuses", "Times a buffer of a ring was used again."),
	IO("fsyncs", "fsyncs", "Syncs."),
	IO("fsync_time / 1000", "fsync_seconds", "Time spent syncing (track_io_timing)."),
};

#define SLRU(expr, name, help) C(expr, "pg_stat_slru_" name "_total", help)
static const struct pg_value stat_slru_values[] = {
	SLRU("blks_zeroed", "blocks_zeroed", "Blocks made."),
	SLRU("blks_hit", "blocks_hit", "Blocks found in the cache."),
	SLRU("blks_read", "blocks_read", "Blocks read."),
	SLRU("blks_written", "blocks_written", "Blocks written."),
	SLRU("flushes", "flushes", "Times the cache was flushed."),
	SLRU("truncates", "truncates", "Times it was truncated."),
};

static const struct pg_value buffercache_values[] = {
	G("buffers_used", "pg_buffercache_summary_buffers_used", "Buffers in use."),
	G("buffers_unused", "pg_buffercache_summary_buffers_unused", "Buffers not in use."),
	G("buffers_dirty", "pg_buffercache_summary_buffers_dirty", "Dirty buffers."),
	G("buffers_pinned", "pg_buffercache_summary_buffers_pinned", "Pinned buffers."),
	G("usagecount_avg", "pg_buffercache_summary_usagecount_avg", "Average usage count of the buffers in use."),
};

/* What holds back the removal of dead rows and the advance of frozen ids, by cause: what a database's age alone does not tell. */
static const struct pg_value horizon_values[] = {
	G("h.age", "pg_xmin_horizon_age", "Transactions since the oldest snapshot held, by who holds it."),
};
#define HORIZON_FROM \
	"FROM (SELECT 'backend' AS holder, max(age(backend_xmin)) AS age FROM pg_stat_activity WHERE backend_type <> 'walsender' " \
	"UNION ALL SELECT 'standby', max(age(backend_xmin)) FROM pg_stat_replication " \
	"UNION ALL SELECT 'slot', max(age(xmin)) FROM pg_replication_slots " \
	"UNION ALL SELECT 'slot_catalog', max(age(catalog_xmin)) FROM pg_replication_slots " \
	"UNION ALL SELECT 'prepared', max(age(transaction)) FROM pg_prepared_xacts) h"
static const struct pg_value prepared_values[] = {
	G("count(*)", "pg_prepared_xacts", "Transactions prepared for a two-phase commit."),
	G("coalesce(max(" AGE("prepared") "), 0)", "pg_prepared_xacts_oldest_seconds", "Age of the oldest of them."),
};

#define VERSION_NUM "current_setting('server_version_num')::int"

const struct pg_statement pg_server_table[] = {
	{ "static", ROWS(static_values), "", .labels = { { "version", "version()" },
	    { "short_version", VERSION_NUM " / 10000 || '.' || " VERSION_NUM " % 10000 || '.0'" },
	    { "server", NULL } } },
	{ "postmaster", ROWS(postmaster_values), .from = "" },
	{ "settings", NULL, 0, .settings = true, .from = "" },
	{ "roles", ROWS(roles_values), "FROM pg_roles", .labels = { SAME("rolname") } },
	{ "stat_archiver", ROWS(archiver_values), .from = "FROM pg_stat_archiver" },
	{ "archive_status", ROWS(archive_status_values), .from = "FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'" },
	{ "stat_bgwriter", ROWS(bgwriter_values), .from = "FROM pg_stat_bgwriter" },
	{ "stat_bgwriter", ROWS(bgwriter_checkpoints_values), "FROM pg_stat_checkpointer", .min = V(17) },
	{ "stat_checkpointer", ROWS(checkpointer_values), "FROM pg_stat_checkpointer", .min = V(17) },
	{ "wal", ROWS(wal_values), .from = "FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'" },
	{ "stat_wal", ROWS(stat_wal_values), "FROM pg_stat_wal", .min = V(14) },
	{ "stat_io", ROWS(stat_io_values), "FROM pg_stat_io", .labels = { SAME("backend_type"), SAME("object"), SAME("context") },
	    .min = V(16) },
	{ "stat_slru", ROWS(stat_slru_values), "FROM pg_stat_slru", .labels = { SAME("name") }, .min = V(13) },
	{ "xmin_horizon", ROWS(horizon_values), HORIZON_FROM, .labels = { { "holder", "h.holder" } } },
	{ "prepared_xacts", ROWS(prepared_values), .from = "FROM pg_prepared_xacts" },
	{ "buffercache_summary", ROWS(buffercache_values), "FROM @.pg_buffercache_summary()", .min = V(16),
	    .extension = "pg_buffercache",
	    .when = PG_SLOW, .off = true },
	{ .collector = NULL, .next = pg_database_table },
};
