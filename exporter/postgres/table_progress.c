/* Work under way: vacuum, analyze, index builds, rewrites, base backups, COPY. Names of relations are known in the database that is
 * asked; of another one the oid stands there. What can run twice on a table is summed up. */
#include "postgres/table.h"

#define VACUUM(expr, name, help) G(expr, "pg_stat_progress_vacuum_" name, help)
static const struct pg_value vacuum_values[] = {
	VACUUM("heap_blks_total", "heap_blks", "Heap blocks in the table."),
	VACUUM("heap_blks_scanned", "heap_blks_scanned", "Heap blocks scanned."),
	VACUUM("heap_blks_vacuumed", "heap_blks_vacuumed", "Heap blocks vacuumed."),
	VACUUM("index_vacuum_count", "index_vacuums", "Index vacuum cycles completed."),
	G_IN(0, V(17), "max_dead_tuples", "pg_stat_progress_vacuum_max_dead_tuples", "Dead rows that fit before indexes are vacuumed."),
	G_IN(0, V(17), "num_dead_tuples", "pg_stat_progress_vacuum_num_dead_tuples",
	    "Dead rows collected since the last index vacuum."),
	G_IN(V(17), 0, "max_dead_tuple_bytes", "pg_stat_progress_vacuum_max_dead_tuple_bytes",
	    "Room for dead rows before indexes are vacuumed."),
	G_IN(V(17), 0, "num_dead_item_ids", "pg_stat_progress_vacuum_num_dead_item_ids",
	    "Dead rows collected since the last index vacuum."),
	G_IN(V(17), 0, "indexes_total", "pg_stat_progress_vacuum_indexes_total", "Indexes to be vacuumed or cleaned up."),
	G_IN(V(17), 0, "indexes_processed", "pg_stat_progress_vacuum_indexes_processed", "Indexes done."),
	G_IN(V(18), 0, "delay_time / 1000", "pg_stat_progress_vacuum_delay_seconds", "Time slept for vacuum_cost_delay."),
	G_IN(V(17), 0, "dead_tuple_bytes", "pg_stat_progress_vacuum_dead_tuple_bytes",
	    "Dead row data collected since the last index vacuum."),
};
static const struct pg_value vacuum_phase_values[] = {
	VACUUM("(p.phase = s.phase)::int", "phase", "1 for the phase the vacuum is in."),
};

#define ANALYZE(expr, name, help) G(expr, "pg_stat_progress_analyze_" name, help)
static const struct pg_value analyze_values[] = {
	ANALYZE("sample_blks_total", "sample_blks", "Blocks to be sampled."),
	ANALYZE("sample_blks_scanned", "sample_blks_scanned", "Blocks sampled."),
	ANALYZE("ext_stats_total", "ext_stats", "Extended statistics to be computed."),
	ANALYZE("ext_stats_computed", "ext_stats_computed", "Extended statistics computed."),
	ANALYZE("child_tables_total", "child_tables", "Child tables to be scanned."),
	ANALYZE("child_tables_done", "child_tables_done", "Child tables scanned."),
};

#define INDEX(expr, name, help) G("sum(" expr ")", "pg_stat_progress_create_index_" name, help)
static const struct pg_value create_index_values[] = {
	INDEX("lockers_total", "lockers", "Sessions to wait for."),
	INDEX("lockers_done", "lockers_done", "Sessions waited for."),
	INDEX("blocks_total", "blocks", "Blocks to be processed in this phase."),
	INDEX("blocks_done", "blocks_done", "Blocks processed in this phase."),
	INDEX("tuples_total", "tuples", "Rows to be processed in this phase."),
	INDEX("tuples_done", "tuples_done", "Rows processed in this phase."),
	INDEX("partitions_total", "partitions", "Partitions the index is built on."),
	INDEX("partitions_done", "partitions_done", "Partitions done."),
};

#define CLUSTER(expr, name, help) G(expr, "pg_stat_progress_cluster_" name, help)
static const struct pg_value cluster_values[] = {
	CLUSTER("heap_blks_total", "heap_blks", "Blocks of the table."),
	CLUSTER("heap_blks_scanned", "heap_blks_scanned", "Blocks scanned."),
	CLUSTER("heap_tuples_scanned", "heap_tuples_scanned", "Rows scanned."),
	CLUSTER("heap_tuples_written", "heap_tuples_written", "Rows written."),
	CLUSTER("index_rebuild_count", "index_rebuilds", "Indexes built again."),
};

#define BACKUP(expr, name, help) G("sum(" expr ")", "pg_stat_progress_basebackup_" name, help)
static const struct pg_value basebackup_values[] = {
	BACKUP("backup_total", "bytes", "Estimated size of what is sent."),
	BACKUP("backup_streamed", "bytes_streamed", "Bytes sent."),
	BACKUP("tablespaces_total", "tablespaces", "Tablespaces to be sent."),
	BACKUP("tablespaces_streamed", "tablespaces_streamed", "Tablespaces sent."),
};

#define COPY(expr, name, help) G("sum(" expr ")", "pg_stat_progress_copy_" name, help)
static const struct pg_value copy_values[] = {
	COPY("bytes_total", "bytes", "Size of the file; 0 when unknown."),
	COPY("bytes_processed", "bytes_processed", "Bytes processed."),
	COPY("tuples_processed", "tuples_processed", "Rows processed."),
	COPY("tuples_excluded", "tuples_excluded", "Rows left out by WHERE."),
	G_IN(V(17), 0, "sum(tuples_skipped)", "pg_stat_progress_copy_tuples_skipped", "Rows skipped because they are malformed."),
};

#define RELNAME \
	"coalesce(CASE WHEN n.nspname IN ('public', 'pg_catalog') THEN c.relname " \
	"ELSE n.nspname || '.' || c.relname END, p.relid::oid::text)"
#define FROM_VIEW(view) \
	"FROM pg_stat_progress_" view " p LEFT JOIN pg_class c ON c.oid = p.relid AND p.datname = current_database() " \
	"LEFT JOIN pg_namespace n ON n.oid = c.relnamespace"
#define TABLE_LABELS { "datname", "p.datname" }, { "relname", RELNAME }

const struct pg_statement pg_progress_table[] = {
	{ "stat_progress_vacuum", ROWS(vacuum_values), FROM_VIEW("vacuum"), .labels = { TABLE_LABELS } },
	{ "stat_progress_vacuum", ROWS(vacuum_phase_values), FROM_VIEW("vacuum") " CROSS JOIN (VALUES ('initializing'), "
	    "('scanning heap'), ('vacuuming indexes'), ('vacuuming heap'), ('cleaning up indexes'), ('truncating heap'), "
	    "('performing final cleanup')) s (phase)", .labels = { TABLE_LABELS, { "phase", "s.phase" } } },
	{ "stat_progress_analyze", ROWS(analyze_values), FROM_VIEW("analyze"), .labels = { TABLE_LABELS }, .min = V(13) },
	{ "stat_progress_create_index", ROWS(create_index_values), FROM_VIEW("create_index") " GROUP BY 1, 2, 3",
	    .labels = { TABLE_LABELS, { "command", "p.command" } } },
	{ "stat_progress_cluster", ROWS(cluster_values), FROM_VIEW("cluster"),
	    .labels = { TABLE_LABELS, { "command", "p.command" } } },
	{ "stat_progress_basebackup", ROWS(basebackup_values), "FROM pg_stat_progress_basebackup GROUP BY 1",
	    .labels = { SAME("phase") }, .min = V(13) },
	{ "stat_progress_copy", ROWS(copy_values), FROM_VIEW("copy") " GROUP BY 1, 2, 3, 4",
	    .labels = { TABLE_LABELS, { "command", "p.command" }, { "type", "p.type" } }, .min = V(14) },
	{ .collector = NULL, .next = NULL },
};
