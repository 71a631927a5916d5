/* How the tables of statements are written; for the table_*.c only. Expressions hold in every version they are cut to. */
#ifndef TOCSIN_POSTGRES_TABLE_H
#define TOCSIN_POSTGRES_TABLE_H

#include "postgres/families.h"

#define V(major) ((major) * 10000)
#define G(expr, name, help) { expr, { name, EXPO_GAUGE, help, NULL }, 0, 0, false }
#define C(expr, name, help) { expr, { name, EXPO_COUNTER, help, NULL }, 0, 0, false }
#define U(expr, name, help) { expr, { name, EXPO_UNTYPED, help, NULL }, 0, 0, false }
#define G_IN(min, max, expr, name, help) { expr, { name, EXPO_GAUGE, help, NULL }, min, max, false }
#define C_IN(min, max, expr, name, help) { expr, { name, EXPO_COUNTER, help, NULL }, min, max, false }
#define C_ALSO(expr, name, help) { expr, { name, EXPO_COUNTER, help, NULL }, 0, 0, true }
#define ROWS(values) values, ARRAY_LEN(values)

#define EPOCH(column) "extract(epoch from " column ")"
#define AGE(column) "extract(epoch from clock_timestamp() - " column ")"
#define WAL_NOW "(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END)"
#define SAME(name) { name, name }

/* Each ends with a row that names the next. */
extern const struct pg_statement pg_server_table[], pg_database_table[], pg_relation_table[], pg_replication_table[],
	pg_progress_table[];

#endif
