/* The planner for servers that cannot run here, the rule for parameters, and our table against the reference list of families. */
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>

#include "postgres/families.h"

static const struct pg_statement *find(const char *collector, size_t nth)
{
	for (const struct pg_statement *st = pg_statement_next(NULL); st != NULL; st = pg_statement_next(st))
		if (strcmp(st->collector, collector) == 0 && nth-- == 0)
			return st;
	return NULL;
}

static void sql_follows_the_version(void **state)
{
	static const struct {
		const char *name, *collector;
		int version;
		const char *has, *lacks;        /* a piece of the SQL; NULL: do not look */
		size_t nth;             /* statement of the collector */
	} cases[] = {
		{ "13 has no session columns", "stat_database", 130000, "deadlocks", "sessions", 0 },
		{ "14 has them", "stat_database", 140000, "sessions_abandoned", NULL, 0 },
		{ "15 checkpoints are the background writer's", "stat_bgwriter", 150000, "checkpoints_timed", NULL, 0 },
		{ "17 they are not", "stat_bgwriter", 170000, "buffers_clean", "checkpoint", 0 },
		{ "14 has no I/O bytes in the WAL statistics' place", "stat_wal", 140000, "wal_write_time", NULL, 0 },
		{ "18 moved WAL writes to pg_stat_io", "stat_wal", 180000, "wal_buffers_full", "wal_write", 0 },
		{ "16 multiplies by the size of an operation", "stat_io", 160000, "reads * op_bytes", "read_bytes", 0 },
		{ "18 counts bytes itself", "stat_io", 180000, "read_bytes", "op_bytes", 0 },
		{ "12 has no rows inserted since a vacuum", "stat_user_tables", 120000, "pg_stat_get_dead_tuples(c.oid)", "ins_since_vacuum", 0 },
		{ "15 has no updates onto another page", "stat_user_tables", 150000, "pg_stat_get_ins_since_vacuum(c.oid)", "newpage", 0 },
		{ "16 has them", "stat_user_tables", 160000, "pg_stat_get_tuples_newpage_updated(c.oid)", "total_vacuum_time", 0 },
		{ "18 adds up the time of vacuums", "stat_user_tables", 180000, "pg_stat_get_total_vacuum_time(c.oid)", NULL, 0 },
		{ "16 knows lost slots by wal_status", "replication_slots", 160000, "wal_status = 'lost'", "invalidation_reason", 2 },
		{ "17 by the reason", "replication_slots", 170000, "invalidation_reason", "wal_status", 2 },
		{ "13 does not know since when a lock is waited for", "lock_waits", 130000, "pg_blocking_pids", "waitstart", 0 },
		{ "14 does", "lock_waits", 140000, "l.waitstart", NULL, 1 },
		{ "17 skips rows of COPY", "stat_progress_copy", 170000, "tuples_skipped", NULL, 0 },
		{ "16 does not", "stat_progress_copy", 160000, "tuples_excluded", "tuples_skipped", 0 },
		{ "18 counts the sleep of vacuums", "stat_progress_vacuum", 180000, "delay_time", "max_dead_tuples", 0 },
		{ "18 counts parallel workers", "stat_database", 180000, "parallel_workers_launched", NULL, 0 },
		{ "18 counts what the checkpointer writes of the small caches", "stat_checkpointer", 180000, "slru_written", NULL, 0 },
		{ "17 checkpointer without num_done", "stat_checkpointer", 170000, "num_timed", "num_done", 0 },
		{ "18 with it", "stat_checkpointer", 180000, "num_done", NULL, 0 },
		{ "16 counts dead tuples", "stat_progress_vacuum", 160000, "max_dead_tuples", "bytes", 0 },
		{ "17 counts their bytes", "stat_progress_vacuum", 170000, "max_dead_tuple_bytes", "max_dead_tuples", 0 },
		{ "16 conflicts with logical slots", "stat_database_conflicts", 160000, "confl_active_logicalslot", NULL, 0 },
		{ "17 renamed the block times", "stat_statements", 170000, "s.shared_blk_read_time", "(s.blk_read_time", 0 },
		{ "the extension's schema is quoted", "stat_statements", 150000, "\"ex\"\"t\".pg_stat_statements(false)", "@", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf sql = { 0 };

		print_message("  %s\n", cases[i].name);
		pg_statement_sql(&sql, find(cases[i].collector, cases[i].nth),
		    &(struct pg_cut){ .version = cases[i].version, .schema = STR("ex\"t") });
		assert_non_null(strstr(buf_z(&sql), cases[i].has));
		if (cases[i].lacks != NULL)
			assert_null(strstr(buf_z(&sql), cases[i].lacks));
		buf_fini(&sql);
	}
}

static void statements_come_with_their_version(void **state)
{
	static const struct {
		const char *collector;
		size_t nth;
		int first, last;                /* majors of 13 to 18 */
	} cases[] = {
		{ "stat_checkpointer", 0, 17, 18 }, { "stat_bgwriter", 0, 13, 18 }, { "stat_bgwriter", 1, 17, 18 }, { "stat_wal", 0, 14, 18 },
		{ "stat_io", 0, 16, 18 }, { "stat_slru", 0, 13, 18 }, { "lock_waits", 0, 13, 13 }, { "lock_waits", 1, 14, 18 },
		{ "stat_progress_analyze", 0, 13, 18 }, { "stat_progress_copy", 0, 14, 18 }, { "stat_progress_basebackup", 0, 13, 18 },
		{ "stat_replication_slots", 0, 14, 18 }, { "stat_subscription", 1, 15, 18 }, { "buffercache_summary", 0, 16, 18 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (int major = 13; major <= 18; major++) {
			bool fits = pg_statement_fits(find(cases[i].collector, cases[i].nth), major * 10000);

			if (fits != (major >= cases[i].first && major <= cases[i].last))
				fail_msg("%s, statement %zu, on %d", cases[i].collector, cases[i].nth, major);
		}
}

/* A collector that is left out leaves no column behind. */
static void one_statement_serves_two_collectors(void **state)
{
	const struct pg_statement *st = find("stat_user_tables", 0);
	struct buf sql = { 0 };

	(void)state;
	assert_string_equal(st->also, "statio_user_tables");
	pg_statement_sql(&sql, st, &(struct pg_cut){ .version = 150000, .without_also = true });
	assert_null(strstr(buf_z(&sql), "reltoastrelid, 0"));
	assert_non_null(strstr(buf_z(&sql), "pg_stat_get_live_tuples"));
	buf_reset(&sql);
	pg_statement_sql(&sql, st, &(struct pg_cut){ .version = 150000, .without_main = true });
	assert_non_null(strstr(buf_z(&sql), "reltoastrelid, 0"));
	assert_null(strstr(buf_z(&sql), "pg_stat_get_live_tuples"));
	buf_fini(&sql);
}

/* Success is reported a collector, and its statements must stand together for that. */
static void statements_of_a_collector_are_neighbours(void **state)
{
	const char *seen[200], *last = "";
	size_t n = 0;

	(void)state;
	for (const struct pg_statement *st = pg_statement_next(NULL); st != NULL; st = pg_statement_next(st)) {
		if (strcmp(st->collector, last) == 0)
			continue;
		last = st->collector;
		for (size_t i = 0; i < n; i++)
			assert_string_not_equal(seen[i], last);
		seen[n++] = last;
	}
	assert_true(n > 30);
}

/* A family twice within one version would be two types or two meanings. */
static void families_are_unique_in_each_version(void **state)
{
	const struct pg_value *all[600];

	(void)state;
	for (int version = 130000; version <= 180000; version += 10000) {
		const struct pg_cut cut = { .version = version };
		size_t n = 0;

		for (const struct pg_statement *st = pg_statement_next(NULL); st != NULL; st = pg_statement_next(st))
			for (size_t v = 0; pg_statement_fits(st, version) && v < st->n_values; v++)
				if (pg_value_fits(&st->values[v], &cut))
					all[n++] = &st->values[v];
		for (size_t i = 0; i < n; i++)
			for (size_t j = 0; j < i; j++)
				assert_string_not_equal(all[i]->family.name, all[j]->family.name);
	}
}

static void parameters_in_base_units(void **state)
{
	static const struct {
		const char *name, *setting, *unit, *vartype;
		const char *family;             /* NULL: refused */
		double v;
	} cases[] = {
		{ "max_connections", "100", "", "integer", "pg_settings_max_connections", 100 },
		{ "shared_buffers", "16384", "8kB", "integer", "pg_settings_shared_buffers_bytes", 134217728 },
		{ "statement_timeout", "1500", "ms", "integer", "pg_settings_statement_timeout_seconds", 1.5 },
		{ "log_min_duration_statement", "-1", "ms", "integer", "pg_settings_log_min_duration_statement_seconds", -1 },
		{ "log_rotation_age", "1440", "min", "integer", "pg_settings_log_rotation_age_seconds", 86400 },
		{ "rds.x-y", "on", "", "bool", "pg_settings_rds_x_y", 1 },
		{ "fsync", "off", "", "bool", "pg_settings_fsync", 0 },
		{ "random_page_cost", "1.1", "", "real", "pg_settings_random_page_cost", 1.1 },
		{ "odd", "3", "us", "integer", NULL, 0 },
		{ "odd", "three", "", "integer", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf family = { 0 };
		double v = 0;
		bool ok;

		print_message("  %s %s\n", cases[i].name, cases[i].setting);
		ok = pg_setting_convert(str_of(cases[i].name), str_of(cases[i].setting), str_of(cases[i].unit), str_of(cases[i].vartype),
		    &family, &v);
		assert_int_equal(ok, cases[i].family != NULL);
		if (ok) {
			assert_string_equal(buf_z(&family), cases[i].family);
			assert_true(v == cases[i].v || (v > cases[i].v - 1e-9 && v < cases[i].v + 1e-9));
		}
		buf_fini(&family);
	}
}

/* ---- Against the reference list: name, type and labels of every family, on by default or not. ---- */

#define REFERENCE "../shared/reference/postgres_metrics.tsv"
#define EXCEPTIONS "tests/unit/postgres_exceptions.tsv"

/* Of a line of either file. */
struct row {
	char *cell[8];
	size_t n;
};

static bool read_row(FILE *f, char *line, size_t size, struct row *row)
{
	do {
		if (fgets(line, (int)size, f) == NULL)
			return false;
		line[strcspn(line, "\n")] = '\0';
	} while (line[0] == '#' || line[0] == '\0');
	row->n = 0;
	for (char *p = line; p != NULL && row->n < ARRAY_LEN(row->cell); row->n++)
		row->cell[row->n] = strsep(&p, "\t");
	return true;
}

static const char *type_name(enum expo_type t)
{
	return t == EXPO_GAUGE ? "gauge" : t == EXPO_COUNTER ? "counter" : t == EXPO_HISTOGRAM ? "histogram" : "untyped";
}

/* As "a,b", which is how the reference has them. */
static void put_label_names(struct buf *out, const struct pg_statement *st)
{
	for (const struct pg_label *l = st->labels; l < st->labels + PG_LABELS_MAX && l->name != NULL; l++)
		buf_printf(out, "%s%s", out->n > 0 ? "," : "", l->name);
}

static bool same_labels(const struct pg_statement *st, const char *want)
{
	struct buf ours = { 0 };
	bool same;

	put_label_names(&ours, st);
	same = strcmp(buf_z(&ours), want) == 0;
	buf_fini(&ours);
	return same;
}

static const struct expo_family *find_family(const struct pg_statement *st, const char *name)
{
	for (size_t v = 0; v < st->n_values; v++)
		if (strcmp(st->values[v].family.name, name) == 0)
			return &st->values[v].family;
	return st->histogram != NULL && strcmp(st->histogram->family.name, name) == 0 ? &st->histogram->family : NULL;
}

/* What differs: NULL when nothing does. */
static const char *difference(const struct row *want)
{
	const char *worst = "absent";

	for (const struct pg_statement *st = pg_statement_next(NULL); st != NULL; st = pg_statement_next(st)) {
		const struct expo_family *f = find_family(st, want->cell[0]);

		if (f == NULL)
			continue;
		if (strcmp(type_name(f->type), want->cell[1]) != 0)
			worst = "type";
		else if (!same_labels(st, want->cell[2]))
			worst = "labels";
		else
			return NULL;
	}
	return worst;
}

struct exceptions {
	char family[100][128], what[100][16];
	bool used[100];
	size_t n;
};

static void read_exceptions(struct exceptions *x)
{
	FILE *f = fopen(EXCEPTIONS, "r");
	char line[4096];
	struct row row;

	assert_non_null(f);
	for (; read_row(f, line, sizeof line, &row); x->n++) {
		assert_true(x->n < ARRAY_LEN(x->family));
		if (row.n != 3 || strlen(row.cell[2]) < 10)
			fail_msg(EXCEPTIONS ": family, what differs, why: %s", row.cell[0]);
		snprintf(x->family[x->n], sizeof x->family[0], "%s", row.cell[0]);
		snprintf(x->what[x->n], sizeof x->what[0], "%s", row.cell[1]);
	}
	fclose(f);
}

static bool is_excepted(struct exceptions *x, const char *family, const char *what)
{
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->family[i], family) == 0 && strcmp(x->what[i], what) == 0)
			return x->used[i] = true;
	return false;
}

static void families_of_the_reference_are_there(void **state)
{
	static struct exceptions x;
	FILE *f = fopen(REFERENCE, "r");
	size_t checked = 0, wrong = 0;
	char line[8192];
	struct row row;

	(void)state;
	if (f == NULL) {
		print_message("SKIPPED: %s is absent: our tables were not compared with the reference\n", REFERENCE);
		skip();
	}
	read_exceptions(&x);
	for (; read_row(f, line, sizeof line, &row); checked++) {
		const char *what = row.n < 5 || strcmp(row.cell[0], "family") == 0 ? NULL : difference(&row);

		if (what == NULL || is_excepted(&x, row.cell[0], what))
			continue;
		wrong++;
		print_error("%s: differs in: %s (%s, %s)\n", row.cell[0], what, row.cell[1], row.cell[2]);
	}
	fclose(f);
	for (size_t i = 0; i < x.n; i++)
		if (!x.used[i]) {
			wrong++;
			print_error(EXCEPTIONS ": %s is as there by now: no exception\n", x.family[i]);
		}
	assert_int_equal(wrong, 0);
	assert_true(checked > 140);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sql_follows_the_version),
		cmocka_unit_test(statements_come_with_their_version),
		cmocka_unit_test(one_statement_serves_two_collectors),
		cmocka_unit_test(statements_of_a_collector_are_neighbours),
		cmocka_unit_test(families_are_unique_in_each_version),
		cmocka_unit_test(parameters_in_base_units),
		cmocka_unit_test(families_of_the_reference_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
