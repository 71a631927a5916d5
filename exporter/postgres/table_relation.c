/* Tables and indexes of one database. The views over these functions join and call them twice, and the statistics of a relation are
 * looked up anew by each statement: so one pass over the catalog asks for all of a table. What the server made for itself has an
 * oid below 16384; as a bigint, for of plain oids a planner with statistics from before the first table expects none above, and
 * nests loops. */
#include "postgres/table.h"

#define STAT(type, function, name, help) type("pg_stat_get_" function "(c.oid)", "pg_stat_user_tables_" name, help)
#define STAT_IN(min, max, type, function, name, help) \
	{ "pg_stat_get_" function "(c.oid)", { "pg_stat_user_tables_" name, type, help, NULL }, min, max, false }
#define LAST(function, name, help) \
	G("coalesce(" EPOCH("pg_stat_get_" function "(c.oid)") ", 0)", "pg_stat_user_tables_" name, help)
#define READ(from, of) "coalesce(" from " - " of ", 0)"
#define HEAP(function) "pg_stat_get_blocks_" function "(c.oid)"
#define TOAST(function) "pg_stat_get_blocks_" function "(nullif(c.reltoastrelid, 0))"
#define IO(expr, name, help) C_ALSO(expr, "pg_statio_user_tables_" name, help)
static const struct pg_value tables_values[] = {
	STAT(C, "numscans", "seq_scan", "Sequential scans."),
	STAT(C, "tuples_returned", "seq_tup_read", "Rows fetched by sequential scans."),
	C("coalesce(i.scans, 0)", "pg_stat_user_tables_idx_scan", "Index scans."),
	C("coalesce(i.fetched + pg_stat_get_tuples_fetched(c.oid), 0)", "pg_stat_user_tables_idx_tup_fetch",
	  "Rows fetched by index scans."),
	STAT(C, "tuples_inserted", "n_tup_ins", "Rows inserted."),
	STAT(C, "tuples_updated", "n_tup_upd", "Rows updated."),
	STAT(C, "tuples_deleted", "n_tup_del", "Rows deleted."),
	STAT(C, "tuples_hot_updated", "n_tup_hot_upd", "Rows updated within their page."),
	STAT_IN(V(16), 0, EXPO_COUNTER, "tuples_newpage_updated", "n_tup_newpage_upd", "Rows updated onto another page."),
	STAT(G, "live_tuples", "n_live_tup", "Estimated live rows."),
	STAT(G, "dead_tuples", "n_dead_tup", "Estimated dead rows."),
	STAT(G, "mod_since_analyze", "n_mod_since_analyze", "Estimated rows changed since the last analyze."),
	STAT_IN(V(13), 0, EXPO_GAUGE, "ins_since_vacuum", "n_ins_since_vacuum", "Estimated rows inserted since the last vacuum."),
	LAST("last_vacuum_time", "last_vacuum", "When the table was last vacuumed by hand; 0: never."),
	LAST("last_autovacuum_time", "last_autovacuum", "When autovacuum last vacuumed the table; 0: never."),
	LAST("last_analyze_time", "last_analyze", "When the table was last analyzed by hand; 0: never."),
	LAST("last_autoanalyze_time", "last_autoanalyze", "When autovacuum last analyzed the table; 0: never."),
	STAT(C, "vacuum_count", "vacuum_count", "Times the table was vacuumed by hand."),
	STAT(C, "autovacuum_count", "autovacuum_count", "Times autovacuum vacuumed the table."),
	STAT(C, "analyze_count", "analyze_count", "Times the table was analyzed by hand."),
	STAT(C, "autoanalyze_count", "autoanalyze_count", "Times autovacuum analyzed the table."),
	STAT_IN(V(18), 0, EXPO_COUNTER, "total_vacuum_time", "total_vacuum_time", "Milliseconds spent vacuuming it by hand."),
	STAT_IN(V(18), 0, EXPO_COUNTER, "total_autovacuum_time", "total_autovacuum_time",
	    "Milliseconds autovacuum spent vacuuming it."),
	STAT_IN(V(18), 0, EXPO_COUNTER, "total_analyze_time", "total_analyze_time", "Milliseconds spent analyzing it by hand."),
	STAT_IN(V(18), 0, EXPO_COUNTER, "total_autoanalyze_time", "total_autoanalyze_time",
	    "Milliseconds autovacuum spent analyzing it."),
	IO(READ(HEAP("fetched"), HEAP("hit")), "heap_blocks_read", "Blocks of the table read."),
	IO(HEAP("hit"), "heap_blocks_hit", "Blocks of the table found in the buffer cache."),
	IO(READ("i.blocks", "i.hit"), "idx_blocks_read", "Blocks of its indexes read."),
	IO("coalesce(i.hit, 0)", "idx_blocks_hit", "Blocks of its indexes found in the buffer cache."),
	IO(READ(TOAST("fetched"), TOAST("hit")), "toast_blocks_read", "Blocks of its TOAST table read."),
	IO("coalesce(" TOAST("hit") ", 0)", "toast_blocks_hit", "Blocks of its TOAST table found in the buffer cache."),
	IO(READ("x.blocks", "x.hit"), "tidx_blocks_read", "Blocks of its TOAST index read."),
	IO("coalesce(x.hit, 0)", "tidx_blocks_hit", "Blocks of its TOAST index found in the buffer cache."),
};
/* A sum of bigints would be a numeric; a sample is a float anyway. */
#define OF_INDEXES(function) "sum(pg_stat_get_" function "(indexrelid)::float8)::bigint"
#define TABLES_WITH \
	"WITH i AS MATERIALIZED (SELECT indrelid, " OF_INDEXES("numscans") " AS scans, " OF_INDEXES("tuples_fetched") " AS fetched, " \
	OF_INDEXES("blocks_fetched") " AS blocks, " OF_INDEXES("blocks_hit") " AS hit " \
	"FROM pg_index WHERE indexrelid::bigint >= 16384 GROUP BY 1) "
#define USERS_SCHEMAS "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'"
#define TABLES_FROM \
	"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN i ON i.indrelid = c.oid " \
	"LEFT JOIN i x ON x.indrelid = c.reltoastrelid WHERE c.oid::bigint >= 16384 AND c.relkind IN ('r', 'm', 'p') AND " USERS_SCHEMAS

static const struct pg_value indexes_values[] = {
	C("pg_stat_get_numscans(x.oid)", "pg_stat_user_indexes_idx_scan_total", "Scans of the index."),
	C("pg_stat_get_tuples_returned(x.oid)", "pg_stat_user_indexes_idx_tup_read_total", "Entries returned by scans of the index."),
	C("pg_stat_get_tuples_fetched(x.oid)", "pg_stat_user_indexes_idx_tup_fetch_total", "Rows fetched by plain scans of the index."),
	C_ALSO("pg_stat_get_blocks_fetched(x.oid) - pg_stat_get_blocks_hit(x.oid)", "pg_statio_user_indexes_idx_blks_read_total",
	       "Blocks of the index read."),
	C_ALSO("pg_stat_get_blocks_hit(x.oid)", "pg_statio_user_indexes_idx_blks_hit_total",
	       "Blocks of the index found in the buffer cache."),
};
#define INDEXES_FROM \
	"FROM pg_index k JOIN pg_class x ON x.oid = k.indexrelid JOIN pg_class c ON c.oid = k.indrelid " \
	"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.indexrelid::bigint >= 16384 AND c.relkind IN ('r', 'm') " \
	"AND " USERS_SCHEMAS

#define TABLE_LABELS { "datname", "current_database()" }, { "schemaname", "n.nspname" }, { "relname", "c.relname" }

const struct pg_statement pg_relation_table[] = {
	{ "stat_user_tables", ROWS(tables_values), TABLES_FROM, .with = TABLES_WITH, .also = "statio_user_tables",
	    .labels = { TABLE_LABELS }, .each_database = true },
	{ "stat_user_indexes", ROWS(indexes_values), INDEXES_FROM, .also = "statio_user_indexes", .off = true,
	    .labels = { TABLE_LABELS, { "indexrelname", "x.relname" } }, .each_database = true },
	{ .collector = NULL, .next = pg_replication_table },
};
