/* The planner for servers that cannot run here, the rule for parameters, and our table against the reference list of families. */
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>

#include "postgres/families.h"

static const struct pg_statement *find(const char *collector, size_t nth)
{
	for (size_t i = 0; i < pg_n_statements; i++)
		if (strcmp(pg_statements[i].collector, collector) == 0 && nth-- == 0)
			return &pg_statements[i];
	return NULL;
}

static void sql_follows_the_version(void **state)
{
	static const struct {
		const char *name, *collector;
		int version;
		const char *has, *lacks;        /* a piece of the SQL; NULL: do not look */
	} cases[] = {
		{ "13 has no session columns", "stat_database", 130000, "deadlocks", "sessions" },
		{ "14 has them", "stat_database", 140000, "sessions_abandoned", NULL },
		{ "15 checkpoints are the background writer's", "stat_bgwriter", 150000, "checkpoints_timed", NULL },
		{ "17 they are not", "stat_bgwriter", 170000, "buffers_clean", "checkpoint" },
		{ "17 checkpointer without num_done", "stat_checkpointer", 170000, "num_timed", "num_done" },
		{ "18 with it", "stat_checkpointer", 180000, "num_done", NULL },
		{ "16 counts dead tuples", "stat_progress_vacuum", 160000, "max_dead_tuples", "bytes" },
		{ "17 counts their bytes", "stat_progress_vacuum", 170000, "max_dead_tuple_bytes", "max_dead_tuples" },
		{ "16 conflicts with logical slots", "stat_database_conflicts", 160000, "confl_active_logicalslot", NULL },
		{ "17 renamed the block times", "stat_statements", 170000, "s.shared_blk_read_time", "(s.blk_read_time" },
		{ "the extension's schema is quoted", "stat_statements", 150000, "\"ex\"\"t\".pg_stat_statements(false)", "@" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf sql = { 0 };

		print_message("  %s\n", cases[i].name);
		pg_statement_sql(&sql, find(cases[i].collector, 0), cases[i].version, STR("ex\"t"));
		assert_non_null(strstr(buf_z(&sql), cases[i].has));
		if (cases[i].lacks != NULL)
			assert_null(strstr(buf_z(&sql), cases[i].lacks));
		buf_fini(&sql);
	}
	assert_false(pg_statement_fits(find("stat_checkpointer", 0), 160000));
	assert_true(pg_statement_fits(find("stat_checkpointer", 0), 170000));
}

/* Success is reported a collector, and its statements must stand together for that. */
static void statements_of_a_collector_are_neighbours(void **state)
{
	(void)state;
	for (size_t i = 1; i < pg_n_statements; i++)
		for (size_t j = 0; j + 1 < i; j++)
			if (strcmp(pg_statements[i].collector, pg_statements[j].collector) == 0)
				assert_string_equal(pg_statements[i].collector, pg_statements[i - 1].collector);
}

/* A family twice within one version would be two types or two meanings. */
static void families_are_unique_in_each_version(void **state)
{
	const struct pg_value *all[400];

	(void)state;
	for (int version = 130000; version <= 180000; version += 10000) {
		size_t n = 0;

		for (size_t i = 0; i < pg_n_statements; i++)
			for (size_t v = 0; v < pg_statements[i].n_values; v++)
				if (pg_value_fits(&pg_statements[i].values[v], version))
					all[n++] = &pg_statements[i].values[v];
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

static bool is_ours(const char *family)
{
	for (size_t i = 0; i < pg_n_statements; i++)
		for (size_t v = 0; v < pg_statements[i].n_values; v++)
			if (strcmp(pg_statements[i].values[v].family.name, family) == 0)
				return true;
	return false;
}

/* Made elsewhere (self.c, plan.c, postgres.c, sizes.c, pg_setting_convert), or gone: servers before 10, the other program's own. */
static const char *const elsewhere[] = {
	"pg_up", "pg_exporter_last_scrape_duration_seconds", "pg_exporter_scrapes_total", "pg_exporter_last_scrape_error",
	"pg_scrape_collector_duration_seconds", "pg_scrape_collector_success", "pg_stat_user_tables_index_size_bytes",
	"pg_stat_user_tables_table_size_bytes", "pg_settings_<name>[_seconds|_bytes]", "pg_replication_slots_pg_xlog_location_diff",
	"pg_stat_replication_pg_xlog_location_diff", "postgres_exporter_build_info", "postgres_exporter_config_last_reload_successful",
	"postgres_exporter_config_last_reload_success_timestamp_seconds",
};

static void default_families_of_the_reference_are_there(void **state)
{
	static const char path[] = "../shared/reference/postgres_metrics.tsv";
	FILE *f = fopen(path, "r");
	char line[4096], family[256], rest[3800];
	size_t checked = 0;

	(void)state;
	if (f == NULL) {
		print_message("SKIPPED: %s is absent: our table was not compared with the reference\n", path);
		skip();
	}
	while (fgets(line, sizeof line, f) != NULL) {
		bool known = false;

		if (line[0] == '#' || sscanf(line, "%255[^\t]\t%*[^\t]\t%[^\n]", family, rest) != 2 || strstr(rest, "\tyes") == NULL)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
			known |= strcmp(elsewhere[i], family) == 0;
		if (!known && !is_ours(family))
			fail_msg("%s is on by default there, and not in our table", family);
		checked++;
	}
	fclose(f);
	assert_true(checked > 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sql_follows_the_version),
		cmocka_unit_test(statements_of_a_collector_are_neighbours),
		cmocka_unit_test(families_are_unique_in_each_version),
		cmocka_unit_test(parameters_in_base_units),
		cmocka_unit_test(default_families_of_the_reference_are_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
