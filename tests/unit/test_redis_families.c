/* Our tables against the list of what redis_exporter shows: the same names and types. And a recorded INFO, read to samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "redis/families.h"
#include "redis/scanner.h"
#include "redis/show.h"

static const char *const type_names[] = {
	[EXPO_UNTYPED] = "untyped", [EXPO_GAUGE] = "gauge", [EXPO_COUNTER] = "counter", [EXPO_HISTOGRAM] = "histogram",
	    [EXPO_SUMMARY] = "summary",
	[EXPO_INFO] = "gauge",
};

static const struct expo_family *find_family(const char *name)
{
	for (size_t i = 0; i < info_rows_n; i++)
		if (strcmp(info_rows[i].family.name, name) == 0)
			return &info_rows[i].family;
	for (size_t i = 0; i < RF_N; i++)
		if (strcmp(redis_families[i].name, name) == 0)
			return &redis_families[i];
	for (size_t i = 0; i < redis_tile38_rows_n; i++)
		if (strcmp(redis_tile38_rows[i].family.name, name) == 0)
			return &redis_tile38_rows[i].family;
	for (size_t i = 0; i < redis_search_rows_n; i++)
		if (strcmp(redis_search_rows[i].family.name, name) == 0)
			return &redis_search_rows[i].family;
	return NULL;
}

/* ---- The peer's list ---- */

#define LINES_MAX 1000

struct lines {
	char text[LINES_MAX][1024];
	size_t n;
	bool used[LINES_MAX];
};

/* Of a table: no comments. False when the file is not there. */
static bool read_lines(const char *path, struct lines *out)
{
	FILE *f = fopen(path, "r");

	out->n = 0;
	if (f == NULL)
		return false;
	while (out->n < LINES_MAX && fgets(out->text[out->n], sizeof out->text[0], f) != NULL)
		out->n += out->text[out->n][0] != '#';
	fclose(f);
	return true;
}

/* A reason for <family> to be otherwise; "go_*" is of all that begin so. */
static const char *find_exception(struct lines *exceptions, const char *family)
{
	for (size_t i = 0; i < exceptions->n; i++) {
		const char *line = exceptions->text[i];
		const size_t n = strcspn(line, "\t");
		const bool all = n > 0 && line[n - 1] == '*';

		if (all ? strncmp(line, family, n - 1) != 0 : strlen(family) != n || strncmp(line, family, n) != 0)
			continue;
		exceptions->used[i] = true;
		return line + n + 1;
	}
	return NULL;
}

/* Fields of CLUSTER INFO become families by a rule: the field is said back by the samples it makes. */
static const char *type_by_rule(const char *family)
{
	static const struct redis_settings settings = { .latency_histograms = true };
	struct arena a = { 0 };
	struct redis_shown shown = { .settings = &settings, .set = expo_set_new(), .arena = &a };
	struct str text = arena_printf(&a, "%s:1\r\n", family);
	struct buf page = { 0 };
	const char *type = NULL;

	redis_show_cluster_info(&shown, &(struct resp_reply){ .type = RESP_STRING, .text = text });
	expo_write(&page, &(struct expo_part){ .set = shown.set }, 1, EXPO_TEXT);
	if (strstr(buf_z(&page), arena_printf(&a, "# TYPE redis_%s gauge\n", family).p) != NULL)
		type = "gauge";
	buf_fini(&page);
	expo_set_unref(shown.set);
	arena_fini(&a);
	return type;
}

static const char *process_families[] = { "process_cpu_seconds_total", "process_open_fds", "process_max_fds", "process_virtual_memory_bytes",
	"process_virtual_memory_max_bytes", "process_resident_memory_bytes", "process_start_time_seconds" };

/* NULL: we do not have it. */
static const char *our_type(const char *family)
{
	char name[256];
	const struct expo_family *ours;

	for (size_t i = 0; i < ARRAY_LEN(process_families); i++)
		if (strcmp(process_families[i], family) == 0)
			return strstr(family, "_total") != NULL ? "counter" : "gauge";
	if (strcmp(family, "up") == 0)
		return "gauge";
	snprintf(name, sizeof name, "redis_%s", family);
	ours = find_family(name);
	if (ours != NULL)
		return type_names[ours->type];
	return strncmp(family, "cluster_", 8) == 0 ? type_by_rule(family) : NULL;
}

static void same_names_and_types_as_the_peer(void **state)
{
	static struct lines peer, exceptions;
	int wrong = 0;

	(void)state;
	if (!read_lines("../shared/reference/redis_metrics.tsv", &peer)) {
		print_message("skipped: ../shared/reference/redis_metrics.tsv is not there, so names are not compared\n");
		skip();
	}
	assert_true(read_lines("tests/parity/redis.tsv", &exceptions));
	for (size_t i = 0; i < peer.n; i++) {
		char *rest = peer.text[i], *family = strsep(&rest, "\t"), *type = strsep(&rest, "\t");
		const char *ours = our_type(family);

		if (ours != NULL && strcmp(ours, type) == 0)
			continue;
		if (find_exception(&exceptions, family) != NULL)
			continue;
		print_error("redis_%s: %s, expected %s\n", family, ours == NULL ? "missing" : ours, type);
		wrong++;
	}
	for (size_t i = 0; i < exceptions.n; i++) {
		const char *how = strchr(exceptions.text[i], '\t') + 1;
		if (!exceptions.used[i] && (strncmp(how, "missing", 7) == 0 || strncmp(how, "type:", 5) == 0)) {
			print_error("no longer an exception: %s", exceptions.text[i]);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
	assert_true(peer.n > 400);
}

static void rows_are_sorted_and_names_unique(void **state)
{
	(void)state;
	for (size_t i = 1; i < info_rows_n; i++)
		if (str_cmp(info_rows[i - 1].field, info_rows[i].field) >= 0)
			fail_msg("%s stands before %s", info_rows[i - 1].field.p, info_rows[i].field.p);
	for (size_t i = 0; i < info_rows_n; i++)
		if (find_family(info_rows[i].family.name) != &info_rows[i].family)
			fail_msg("%s comes twice", info_rows[i].family.name);
	for (size_t i = 0; i < RF_N; i++)
		if (find_family(redis_families[i].name) != &redis_families[i])
			fail_msg("%s comes twice", redis_families[i].name);
}

/* ---- INFO to samples ---- */

static const char info_text[] =
	"# Server\r\nredis_version:7.0.15\r\nrun_id:abc\r\nserver_time_usec:1700000100500000\r\nuptime_in_seconds:100\r\n"
	"# Memory\r\nused_memory:1000\r\nused_memory_human:1K\r\nused_memory_peak_perc:99.58%\r\nmem_fragmentation_bytes:-5\r\n"
	"# Persistence\r\nrdb_last_bgsave_status:ok\r\naof_last_write_status:err\r\nrdb_last_bgsave_time_sec:-1\r\nloading:nan\r\n"
	"# Stats\r\nlatest_fork_usec:2500\r\n"
	"# Replication\r\nrole:master\r\nmaster_repl_offset:150\r\n"
	"slave0:ip=::1,port=7001,state=online,offset=100,lag=2\r\nslave1:port=1\r\nslave_priority:100\r\n"
	"# Commandstats\r\ncmdstat_config|get:calls=4,usec=8,usec_per_call=2.00,rejected_calls=1,failed_calls=0\r\n"
	"cmdstat_get:usec=x,calls=2\r\n"
	"# Latencystats\r\nlatency_percentiles_usec_config|get:p50=1.5,p99.9=2.5,p99.99=3\r\n"
	"# Errorstats\r\nerrorstat_ERR:count=3\r\n"
	"# Cluster\r\ncluster_enabled:0\r\ncluster_stats_messages_auth-req_sent:7\r\n"
	"# Keyspace\r\ndb0:keys=10,expires=4,avg_ttl=1500,subexpiry=1\r\ndb11:hits=1,keys=2\r\ndbx:keys=1\r\n:\r\nnonsense\r\n";

static const char info_shown[] =
	"redis_cluster_enabled 0\n"
	"redis_cluster_stats_messages_auth_req_sent 7\n"
	"redis_command_latency_quantiles_seconds{cmd=\"config|get\",quantile=\"0.5\"} 1.5e-06\n"
	"redis_command_latency_quantiles_seconds{cmd=\"config|get\",quantile=\"0.999\"} 2.5e-06\n"
	"redis_command_latency_quantiles_seconds{cmd=\"config|get\",quantile=\"0.9999\"} 3e-06\n"
	"redis_command_latency_quantiles_seconds_sum{cmd=\"config|get\"} 8e-06\n"
	"redis_command_latency_quantiles_seconds_count{cmd=\"config|get\"} 4\n"
	"redis_commands_duration_seconds_total{cmd=\"config|get\"} 8e-06\n"
	"redis_commands_failed_calls_total{cmd=\"config|get\"} 0\n"
	"redis_commands_rejected_calls_total{cmd=\"config|get\"} 1\n"
	"redis_commands_total{cmd=\"config|get\"} 4\n"
	"redis_commands_total{cmd=\"get\"} 2\n"
	"redis_connected_slave_lag_bytes{slave_ip=\"::1\",slave_port=\"7001\",slave_state=\"online\"} 50\n"
	"redis_connected_slave_lag_seconds{slave_ip=\"::1\",slave_port=\"7001\",slave_state=\"online\"} 2\n"
	"redis_connected_slave_offset_bytes{slave_ip=\"::1\",slave_port=\"7001\",slave_state=\"online\"} 100\n"
	"redis_db_avg_ttl_seconds{db=\"db0\"} 1.5\n"
	"redis_db_keys{db=\"db0\"} 10\n"
	"redis_db_keys{db=\"db11\"} 2\n"
	"redis_db_keys_expiring{db=\"db0\"} 4\n"
	"redis_db_keys_without_ttl{db=\"db0\"} 6\n"
	"redis_errors_total{err=\"ERR\"} 3\n"
	"redis_instance_info{redis_version=\"7.0.15\",role=\"master\",run_id=\"abc\"} 1\n"
	"redis_latency_percentiles_usec{cmd=\"config|get\",quantile=\"50\"} 1.5\n"
	"redis_latency_percentiles_usec{cmd=\"config|get\",quantile=\"99.9\"} 2.5\n"
	"redis_latency_percentiles_usec{cmd=\"config|get\",quantile=\"99.99\"} 3\n"
	"redis_latency_percentiles_usec_sum{cmd=\"config|get\"} 8\n"
	"redis_latency_percentiles_usec_count{cmd=\"config|get\"} 4\n"
	"redis_latest_fork_seconds 0.0025\n"
	"redis_aof_last_write_status 0\n"
	"redis_master_repl_offset 150\n"
	"redis_mem_fragmentation_bytes -5\n"
	"redis_memory_used_bytes 1000\n"
	"redis_rdb_last_bgsave_duration_sec -1\n"
	"redis_rdb_last_bgsave_status 1\n"
	"redis_slave_priority 100\n"
	"redis_start_time_seconds 1.7e+09\n"
	"redis_uptime_in_seconds 100\n";

static int compare_lines(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return str_cmp(*x, *y);
}

/* Lines of samples, sorted: order is the writer's business. */
static void sort_samples(struct buf *out, struct str page)
{
	struct str lines[256], line;
	size_t n = 0;

	while (str_cut(&page, '\n', &line))
		if (line.n != 0 && line.p[0] != '#' && n < ARRAY_LEN(lines))
			lines[n++] = line;
	qsort(lines, n, sizeof *lines, compare_lines);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, STR_FMT "\n", STR_ARG(lines[i]));
}

static void info_to_samples(void **state)
{
	static const struct redis_settings settings = { .latency_histograms = true, .latency_seconds = true };
	const struct resp_reply reply = { .type = RESP_STRING, .text = { info_text, sizeof info_text - 1 } };
	struct arena a = { 0 };
	struct redis_shown shown = { .settings = &settings, .set = expo_set_new(), .arena = &a, .now_ms = 1700000100000 };
	struct buf page = { 0 }, got = { 0 }, wanted = { 0 };

	(void)state;
	redis_show_info(&shown, &reply);
	redis_show_keyspace(&shown, NULL);
	expo_write(&page, &(struct expo_part){ .set = shown.set }, 1, EXPO_TEXT);
	sort_samples(&got, buf_str(&page));
	sort_samples(&wanted, str_of(info_shown));
	assert_string_equal(buf_z(&got), buf_z(&wanted));
	assert_int_equal(expo_set_stats(shown.set).invalid, 0);
	expo_set_unref(shown.set);
	info_fini(&shown.info);
	buf_fini(&page);
	buf_fini(&got);
	buf_fini(&wanted);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_names_and_types_as_the_peer),
		cmocka_unit_test(rows_are_sorted_and_names_unique), cmocka_unit_test(info_to_samples),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
