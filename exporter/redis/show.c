/* INFO's composite values and the other commands' replies. Replies are hostile: every index is checked, every number read whole. */
#include "redis/show.h"

#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#include "redis/families.h"
#include "redis/sentinel.h"
#include "tocsin/num.h"

#define MASTERS_MAX 16          /* of one replica: KeyDB */

static const struct expo_family *family(enum redis_family f)
{
	return &redis_families[f];
}

static struct str behind(struct str s, const char *prefix)
{
	const size_t n = strlen(prefix);

	return (struct str){ s.p + n, s.n - n };
}

/* A part that is missing or no number is left out. */
static void emit_part(const struct redis_shown *sh, enum redis_family f, struct str value, const char *part, double divisor,
                      const struct label *labels, size_t n)
{
	double v;

	if (info_part_number(value, part, &v))
		expo_emit(sh->set, family(f), v / divisor, labels, n);
}

static void show_command(const struct redis_shown *sh, const struct info_pair *p)
{
	const struct label cmd = { STR("cmd"), behind(p->key, "cmdstat_") };

	emit_part(sh, RF_COMMANDS, p->value, "calls", 1, &cmd, 1);
	emit_part(sh, RF_COMMANDS_DURATION, p->value, "usec", 1e6, &cmd, 1);
	emit_part(sh, RF_COMMANDS_REJECTED, p->value, "rejected_calls", 1, &cmd, 1);
	emit_part(sh, RF_COMMANDS_FAILED, p->value, "failed_calls", 1, &cmd, 1);
}

static void show_error(const struct redis_shown *sh, const struct info_pair *p)
{
	const struct label err = { STR("err"), behind(p->key, "errorstat_") };

	emit_part(sh, RF_ERRORS, p->value, "count", 1, &err, 1);
}

/* Time all calls of a command took, and how many there were; 0 when it has no statistics. */
static void command_totals(const struct redis_shown *sh, struct str cmd, double *usec, double *calls)
{
	char key[128] = "cmdstat_";
	const size_t n = strlen(key);

	*usec = *calls = 0;
	if (cmd.n == 0 || cmd.n >= sizeof key - n)
		return;
	memcpy(key + n, cmd.p, cmd.n);
	key[n + cmd.n] = '\0';
	const struct str stat = info_get(&sh->info, key);
	if (!info_part_number(stat, "usec", usec) || !info_part_number(stat, "calls", calls))
		*usec = *calls = 0;
}

/* "99.9" as 0.999: divided by 100 it would be its neighbour, and the label another. */
static double part_of_hundred(struct str percent)
{
	char text[40];
	double v;

	snprintf(text, sizeof text, STR_FMT "e-2", STR_ARG(percent));
	return percent.n < 32 && str_to_decimal(str_of(text), &v) ? v : (double)NAN;
}

/* latency_percentiles_usec_get:p50=1.003,p99=2.007,p99.9=2.007 */
static void show_percentiles(const struct redis_shown *sh, const struct info_pair *p)
{
	const struct label cmd = { STR("cmd"), behind(p->key, "latency_percentiles_usec_") };
	double quantiles[16], parts[16], values[16], usec, calls;
	struct str rest = p->value, part;
	size_t n = 0;

	while (n < ARRAY_LEN(quantiles) && str_cut(&rest, ',', &part)) {
		const size_t eq = str_chr(part, '=');
		if (eq < part.n && part.p[0] == 'p' && info_number((struct str){ part.p + 1, eq - 1 }, &quantiles[n])
		    && info_number((struct str){ part.p + eq + 1, part.n - eq - 1 }, &values[n]))
			parts[n++] = part_of_hundred((struct str){ part.p + 1, eq - 1 });
	}
	command_totals(sh, cmd.value, &usec, &calls);
	expo_emit_summary(sh->set, family(RF_LATENCY_PERCENTILES), quantiles, values, n, usec, calls, &cmd, 1);
	if (!sh->settings->latency_seconds)
		return;
	for (size_t i = 0; i < n; i++)
		values[i] /= 1e6;
	expo_emit_summary(sh->set, family(RF_COMMAND_QUANTILES), parts, values, n, usec / 1e6, calls, &cmd, 1);
}

/* slave0:ip=10.0.0.2,port=6379,state=online,offset=1234,lag=0 */
static void show_replica(const struct redis_shown *sh, const struct info_pair *p)
{
	struct label labels[] = { { STR("slave_ip"), STR("") }, { STR("slave_port"), STR("") }, { STR("slave_state"), STR("") } };
	double offset, master;

	if (!info_part(p->value, "ip", &labels[0].value) || !info_part(p->value, "port", &labels[1].value)
	    || !info_part(p->value, "state", &labels[2].value))
		return;
	emit_part(sh, RF_SLAVE_OFFSET, p->value, "offset", 1, labels, ARRAY_LEN(labels));
	emit_part(sh, RF_SLAVE_LAG, p->value, "lag", 1, labels, ARRAY_LEN(labels));
	if (info_part_number(p->value, "offset", &offset) && info_number(info_get(&sh->info, "master_repl_offset"), &master))
		expo_emit(sh->set, family(RF_SLAVE_LAG_BYTES), fmax(0, master - offset), labels, ARRAY_LEN(labels));
}

static bool has_number_behind(struct str key, const char *prefix)
{
	int64_t n;

	return str_starts(key, str_of(prefix)) && str_to_int64(behind(key, prefix), &n) && n >= 0;
}

/* Fields the peers export whatever they are called: cluster_connections, cluster_stats_messages_auth-req_sent … */
static void show_cluster_field(const struct redis_shown *sh, const struct info_pair *p)
{
	struct arena *a = expo_set_arena(sh->set);
	struct expo_family *made;
	double v;

	if (!info_number(p->value, &v))
		return;
	char *name = arena_strz(a, arena_printf(a, "redis_" STR_FMT, STR_ARG(p->key)));
	for (char *c = name; *c != '\0'; c++)
		if (*c == '-')
			*c = '_';
	made = ARENA_NEW(a, struct expo_family);
	*made = (struct expo_family){ name, EXPO_GAUGE, "Field of the same name of INFO or CLUSTER INFO.", NULL };
	expo_emit(sh->set, made, v, NULL, 0);
}

static void show_io_thread(const struct redis_shown *sh, const struct info_pair *p)
{
	double v;

	if (info_number(p->value, &v))
		EXPO_EMIT(sh->set, family(RF_IO_THREAD_TIME), v, { STR("thread"), behind(p->key, "used_active_time_io_thread_") });
}

/* module:name=search,ver=20600,api=1,filters=0,usedby=[],using=[ReJSON],options=[…]: lists hold no commas but '|'. */
static void show_module(const struct redis_shown *sh, const struct info_pair *p)
{
	static const char *const names[] = { "name", "ver", "api", "filters", "usedby", "using" };
	struct label labels[ARRAY_LEN(names)];

	if (!str_eq(p->key, STR("module")))
		return;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		labels[i] = (struct label){ str_of(names[i]), STR("") };
		if (!info_part(p->value, names[i], &labels[i].value))
			return;
	}
	expo_emit(sh->set, family(RF_MODULE_INFO), 1, labels, ARRAY_LEN(labels));
}

static bool is_wanted(const struct redis_shown *sh, const struct info_row *row)
{
	return sh->settings->include_system_metrics || !str_eq(row->field, STR("total_system_memory"));
}

/* The row of the <i>th line; NULL: it has none. */
static const struct info_row *find_row(const struct redis_shown *sh, const struct info_pair *p, size_t i)
{
	struct info_guess *g = sh->guess;

	if (str_starts(p->key, STR("cmdstat_")) || str_starts(p->key, STR("latency_percentiles_usec_")))
		return NULL;            /* half of all lines */
	if (g == NULL || i >= ARRAY_LEN(g->rows))
		return info_row_find(p->key);
	if (g->rows[i] == NULL || !str_eq(g->rows[i]->field, p->key))
		g->rows[i] = info_row_find(p->key);
	return g->rows[i];
}

static void show_pair(const struct redis_shown *sh, const struct info_pair *p, const struct info_row *row)
{
	static const struct {
		const char *prefix;
		void (*show)(const struct redis_shown *, const struct info_pair *);
	} prefixes[] = {
		{ "cmdstat_", show_command },
		{ "errorstat_", show_error },
		{ "latency_percentiles_usec_", show_percentiles },
		{ "cluster_", show_cluster_field },
		{ "used_active_time_io_thread_", show_io_thread },
		{ "module", show_module },
	};
	double v;

	if (row != NULL) {
		if (is_wanted(sh, row) && info_number(p->value, &v))
			expo_emit(sh->set, &row->family, v / row->divisor, NULL, 0);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts(p->key, str_of(prefixes[i].prefix)))
			prefixes[i].show(sh, p);
	if (has_number_behind(p->key, "slave"))
		show_replica(sh, p);
	if (has_number_behind(p->key, "master"))
		sentinel_show_master_line(sh, p->value);
}

static void show_instance(const struct redis_shown *sh)
{
	static const char *const fields[] = { "role", "redis_version", "redis_build_id", "redis_mode", "os", "maxmemory_policy",
	                                     "tcp_port",
		"run_id", "process_id", "master_replid", "valkey_version", "valkey_release_stage" };
	struct label labels[ARRAY_LEN(fields)];

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		labels[i] = (struct label){ str_of(fields[i]), info_get(&sh->info, fields[i]) };
	expo_emit(sh->set, family(RF_INSTANCE_INFO), 1, labels, ARRAY_LEN(labels));
}

/* Both numbers come from the server's one clock, so the result does not flap as a difference to our own would. */
static void show_start_time(const struct redis_shown *sh)
{
	double uptime, server_usec;

	if (!info_number(info_get(&sh->info, "uptime_in_seconds"), &uptime))
		return;
	if (!info_number(info_get(&sh->info, "server_time_usec"), &server_usec))
		server_usec = (double)sh->now_ms * 1e3;
	EXPO_EMIT0(sh->set, family(RF_START_TIME), floor(server_usec / 1e6) - uptime);
}

/* A KeyDB with several masters numbers them from the second on: master_1_host. <n>: 0 is the first. */
static struct str master_field(const struct redis_shown *sh, int n, const char *name)
{
	char key[64];

	if (n == 0)
		snprintf(key, sizeof key, "master_%s", name);
	else
		snprintf(key, sizeof key, "master_%d_%s", n, name);
	return info_get(&sh->info, key);
}

static bool show_master(const struct redis_shown *sh, int n)
{
	static const struct {
		const char *field;
		enum redis_family family;
	} numbers[] = {
		{ "last_io_seconds_ago", RF_MASTER_LAST_IO },
		{ "sync_in_progress", RF_MASTER_SYNC },
	};
	const struct label master[] = {
		{ STR("master_host"), master_field(sh, n, "host") },
		{ STR("master_port"), master_field(sh, n, "port") },
		{ STR("read_only"), info_get(&sh->info, "slave_read_only") },
	};
	double v;

	if (master[0].value.n == 0)
		return false;
	expo_emit(sh->set, family(RF_SLAVE_INFO), 1, master, 3);
	expo_emit(sh->set, family(RF_MASTER_LINK_UP), str_eq(master_field(sh, n, "link_status"), STR("up")), master, 2);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (info_number(master_field(sh, n, numbers[i].field), &v))
			expo_emit(sh->set, family(numbers[i].family), v, master, 2);
	if (n == 0 && info_number(info_get(&sh->info, "slave_repl_offset"), &v))
		expo_emit(sh->set, family(RF_SLAVE_OFFSET_OWN), v, master, 2);
	return true;
}

static void show_own_replication(const struct redis_shown *sh)
{
	for (int n = 0; n < MASTERS_MAX && show_master(sh, n); n++)
		continue;
}

void redis_show_info(struct redis_shown *sh, const struct resp_reply *reply)
{
	info_parse(sh->arena, reply->text, &sh->info);
	for (size_t i = 0; i < sh->info.n; i++)
		show_pair(sh, &sh->info.v[i], find_row(sh, &sh->info.v[i], i));
	show_instance(sh);
	show_start_time(sh);
	show_own_replication(sh);
}

void redis_show_cluster_info(struct redis_shown *sh, const struct resp_reply *reply)
{
	struct info cluster;

	info_parse(sh->arena, reply->text, &cluster);
	for (size_t i = 0; i < cluster.n; i++)
		show_pair(sh, &cluster.v[i], info_row_find(cluster.v[i].key));
	info_fini(&cluster);
}

/* ---- Keyspace ---- */

static void show_database(const struct redis_shown *sh, struct str db, struct str value)
{
	const struct label label = { STR("db"), db };
	double keys, expires;

	emit_part(sh, RF_DB_KEYS, value, "keys", 1, &label, 1);
	emit_part(sh, RF_DB_KEYS_EXPIRING, value, "expires", 1, &label, 1);
	emit_part(sh, RF_DB_KEYS_CACHED, value, "cached_keys", 1, &label, 1);
	if (info_part_number(value, "keys", &keys) && info_part_number(value, "expires", &expires))
		expo_emit(sh->set, family(RF_DB_KEYS_WITHOUT_TTL), keys - expires, &label, 1);
	emit_part(sh, RF_DB_AVG_TTL, value, "avg_ttl", 1e3, &label, 1);
}

/* One without keys has no line. */
static void show_empty_database(const struct redis_shown *sh, struct str db)
{
	static const enum redis_family zeros[] = { RF_DB_KEYS, RF_DB_KEYS_EXPIRING, RF_DB_KEYS_WITHOUT_TTL };
	const struct label label = { STR("db"), db };

	for (size_t i = 0; i < ARRAY_LEN(zeros); i++)
		expo_emit(sh->set, family(zeros[i]), 0, &label, 1);
}

static const struct resp_reply *config_value(const struct resp_reply *config, const char *key)
{
	for (size_t i = 0; config != NULL && i + 1 < config->n_items; i += 2)
		if (str_eq(config->items[i]->text, str_of(key)))
			return config->items[i + 1];
	return NULL;
}

static int64_t count_databases(const struct redis_shown *sh, const struct resp_reply *config)
{
	const struct resp_reply *databases = config_value(config, "databases");
	int64_t n = 16;

	if (str_eq(info_get(&sh->info, "cluster_enabled"), STR("1")))
		return 1;
	if (databases != NULL && str_to_int64(databases->text, &n) && (n < 0 || n > 1024))
		n = 1024;
	return n;
}

void redis_show_keyspace(struct redis_shown *sh, const struct resp_reply *config)
{
	const int64_t n = sh->settings->empty_databases ? count_databases(sh, config) : 0;
	char name[2 + NUM_MAX] = "db";

	for (size_t i = 0; i < sh->info.n; i++)
		if (has_number_behind(sh->info.v[i].key, "db"))
			show_database(sh, sh->info.v[i].key, sh->info.v[i].value);
	for (int64_t i = 0; i < n; i++) {
		const struct str db = { name, 2 + num_format(name + 2, (double)i) };

		if (map_get(&sh->info.index, db) == NULL)
			show_empty_database(sh, db);
	}
}

/* ---- CONFIG GET ---- */

bool redis_is_secret_parameter(struct str key)
{
	static const char *const secrets[] = { "masterauth", "requirepass", "tls-key-file-pass", "tls-client-key-file-pass",
	    "primaryauth",
		"sentinel-pass" };

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		if (str_eq(key, str_of(secrets[i])))
			return true;
	return false;
}

/* normal 0 0 0 slave 268435456 67108864 60 …: class, hard bytes, soft bytes, soft seconds */
static void show_output_limits(const struct redis_shown *sh, struct str value)
{
	struct str word[4];
	double v;

	while (str_cut(&value, ' ', &word[0]) && str_cut(&value, ' ', &word[1]) && str_cut(&value, ' ', &word[2])
	       && str_cut(&value, ' ', &word[3])) {
		struct label labels[] = { { STR("class"), word[0] }, { STR("limit"), STR("hard") } };
		if (info_number(word[1], &v))
			expo_emit(sh->set, family(RF_CONFIG_OUTPUT), v, labels, 2);
		labels[1].value = STR("soft");
		if (info_number(word[2], &v))
			expo_emit(sh->set, family(RF_CONFIG_OUTPUT), v, labels, 2);
		if (info_number(word[3], &v))
			expo_emit(sh->set, family(RF_CONFIG_OVERCOME), v, labels, 2);
	}
}

static void show_parameter(const struct redis_shown *sh, struct str key, struct str value)
{
	static const struct {
		const char *key;
		enum redis_family family;
	} numbers[] = {
		{ "io-threads", RF_CONFIG_IO_THREADS },
		{ "maxclients", RF_CONFIG_MAXCLIENTS },
		{ "maxmemory", RF_CONFIG_MAXMEMORY },
		{ "repl-backlog-size", RF_CONFIG_BACKLOG },
		{ "commandlog-execution-slower-than", RF_COMMANDLOG_SLOWER },
		{ "commandlog-slow-execution-max-len", RF_COMMANDLOG_SLOW_MAX },
		{ "commandlog-request-larger-than", RF_COMMANDLOG_REQUEST_OVER },
		{ "commandlog-large-request-max-len", RF_COMMANDLOG_REQUEST_MAX },
		{ "commandlog-reply-larger-than", RF_COMMANDLOG_REPLY_OVER },
		{ "commandlog-large-reply-max-len", RF_COMMANDLOG_REPLY_MAX },
	};
	const struct label labels[] = { { STR("key"), key }, { STR("value"), value } };
	double v = 0;
	const bool is_number = str_to_double(value, &v) && isfinite(v);

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (is_number && str_eq(key, str_of(numbers[i].key)))
			EXPO_EMIT0(sh->set, family(numbers[i].family), v);
	if (str_eq(key, STR("client-output-buffer-limit")))
		show_output_limits(sh, value);
	if (!sh->settings->include_config_metrics || redis_is_secret_parameter(key))
		return;
	expo_emit(sh->set, family(RF_CONFIG_KEY_VALUE), 1, labels, 2);
	if (is_number)
		expo_emit(sh->set, family(RF_CONFIG_VALUE), v, labels, 1);
}

/* Of this machine's file system: of use where the server runs beside us. */
static void show_rdb_size(const struct redis_shown *sh, const struct resp_reply *config)
{
	const struct resp_reply *dir = config_value(config, "dir"), *name = config_value(config, "dbfilename");
	struct stat st;

	if (dir == NULL || name == NULL)
		return;
	const char *path = arena_strz(sh->arena, arena_printf(sh->arena, STR_FMT "/" STR_FMT, STR_ARG(dir->text), STR_ARG(name->text)));
	EXPO_EMIT0(sh->set, family(RF_RDB_SIZE), stat(path, &st) == 0 ? (double)st.st_size : 0);
}

void redis_show_config(struct redis_shown *sh, const struct resp_reply *reply)
{
	for (size_t i = 0; i + 1 < reply->n_items; i += 2)
		show_parameter(sh, reply->items[i]->text, reply->items[i + 1]->text);
	if (sh->settings->include_rdb_file_size)
		show_rdb_size(sh, reply);
}

/* ---- Slow log and latency ---- */

static void show_length(const struct redis_shown *sh, enum redis_family f, const struct resp_reply *reply)
{
	if (reply->type == RESP_INTEGER)
		EXPO_EMIT0(sh->set, family(f), (double)reply->integer);
}

void redis_show_commandlog_slow(struct redis_shown *sh, const struct resp_reply *reply)
{
	show_length(sh, RF_COMMANDLOG_SLOW, reply);
}

void redis_show_commandlog_request(struct redis_shown *sh, const struct resp_reply *reply)
{
	show_length(sh, RF_COMMANDLOG_REQUEST, reply);
}

void redis_show_commandlog_reply(struct redis_shown *sh, const struct resp_reply *reply)
{
	show_length(sh, RF_COMMANDLOG_REPLY, reply);
}

void redis_show_slowlog_length(struct redis_shown *sh, const struct resp_reply *reply)
{
	show_length(sh, RF_SLOWLOG_LENGTH, reply);
}

void redis_show_slowlog_entry(struct redis_shown *sh, const struct resp_reply *reply)
{
	const struct resp_reply *entry = reply->n_items > 0 ? reply->items[0] : NULL;
	const bool known = entry != NULL && entry->n_items > 2;

	if (reply->type != RESP_ARRAY)
		return;
	EXPO_EMIT0(sh->set, family(RF_SLOWLOG_LAST_ID), known ? (double)entry->items[0]->integer : 0);
	EXPO_EMIT0(sh->set, family(RF_SLOWLOG_LAST_DURATION), known ? (double)entry->items[2]->integer / 1e6 : 0);
}

void redis_show_latency_latest(struct redis_shown *sh, const struct resp_reply *reply)
{
	for (size_t i = 0; i < reply->n_items; i++) {
		const struct resp_reply *event = reply->items[i];
		if (event->n_items < 3)
			continue;
		const struct label name = { STR("event_name"), event->items[0]->text };
		expo_emit(sh->set, family(RF_SPIKE_LAST), (double)event->items[1]->integer, &name, 1);
		expo_emit(sh->set, family(RF_SPIKE_DURATION), (double)event->items[2]->integer / 1e3, &name, 1);
	}
}

/* The server's buckets end at these microseconds (and others between); it sends only those where the count grew, which makes
 * sums over commands wrong. Here each command has the same, in seconds. */
static void show_seconds(const struct redis_shown *sh, const struct label *cmd, const double *bounds, const uint64_t *counts,
    size_t n,
                         double usec)
{
	static const double ends_us[] = { 16, 66, 264, 1056, 4227, 16908, 67633, 270532, 1082130, 4328521 };
	double ends[ARRAY_LEN(ends_us)];
	uint64_t sums[ARRAY_LEN(ends_us) + 1] = { 0 };
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_LEN(ends_us); i++)
		ends[i] = ends_us[i] / 1e6;
	for (size_t i = 0; i < n; i++) {
		while (at < ARRAY_LEN(ends_us) && bounds[i] > ends_us[at])
			at++;
		sums[at] += counts[i];
	}
	expo_emit_histogram(sh->set, family(RF_COMMAND_LATENCY), ends, ARRAY_LEN(ends), sums, usec / 1e6, cmd, 1);
}

/* <pairs>: upper bound and calls up to it, rising; only bounds where the count grew are sent. */
static void show_histogram(const struct redis_shown *sh, struct str command, const struct resp_reply *pairs)
{
	const size_t n = pairs->n_items / 2;
	const struct label cmd = { STR("cmd"), command };
	double *bounds = ARENA_ARRAY(sh->arena, n, double), usec, calls;
	uint64_t *counts = ARENA_ARRAY(sh->arena, n + 1, uint64_t);
	int64_t below = 0;

	for (size_t i = 0; i < n; i++) {
		const int64_t bound = pairs->items[2 * i]->integer, upto = pairs->items[2 * i + 1]->integer;
		bounds[i] = (double)bound;
		if (upto < below || (i > 0 && bounds[i] <= bounds[i - 1]))
			return;
		counts[i] = (uint64_t)(upto - below);
		below = upto;
	}
	command_totals(sh, command, &usec, &calls);
	expo_emit_histogram(sh->set, family(RF_LATENCIES), bounds, n, counts, usec, &cmd, 1);
	if (sh->settings->latency_seconds)
		show_seconds(sh, &cmd, bounds, counts, n, usec);
}

/* [command, ["calls", n, "histogram_usec", [bound, count …]], command …] */
void redis_show_latency_histogram(struct redis_shown *sh, const struct resp_reply *reply)
{
	for (size_t i = 0; i + 1 < reply->n_items; i += 2) {
		const struct resp_reply *parts = reply->items[i + 1];
		for (size_t k = 0; k + 1 < parts->n_items; k += 2)
			if (str_eq(parts->items[k]->text, STR("histogram_usec")))
				show_histogram(sh, reply->items[i]->text, parts->items[k + 1]);
	}
}
