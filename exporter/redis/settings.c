/* The table of settings. Flags of redis_exporter keep their names where they mean the same. */
#include "redis/settings.h"

#include <stdio.h>

#define KEY(name, field, parse, fallback, help) CONF_KEY(struct redis_settings, name, field, parse, fallback, CONF_RELOAD, help)
#define KEY_ARG(name, field, parse, fallback, help, arg) \
	CONF_KEY_ARG(struct redis_settings, name, field, parse, fallback, CONF_RELOAD, help, arg)

static const struct conf_range interval_range = { 1000, 86400000 }, speed_range = { 100, 10000000 }, keys_range = { 1, 100000 };

static const struct conf_key keys[] = {
	SOURCE_KEYS(struct redis_settings),
	REDIS_ENDPOINT_KEYS(struct redis_settings, endpoint),
	KEY("cluster", cluster, conf_bool, "false",
	    "A Redis Cluster: all its nodes are found and read, each with a label `node`; the address is that of any."),
	KEY("cluster_discover_hostnames", cluster_hostnames, conf_bool, "false",
	    "Nodes by the names they announce, not by their addresses."),
	KEY_ARG("discover_interval", discover_interval_ms, conf_duration_ms, "30s",
	    "How often the nodes are looked for; at once when one is lost.",
	        &interval_range),
	KEY("config_command", config_command, conf_str, "CONFIG", "Name of CONFIG, if it was renamed; \"-\": do not ask."),
	KEY("include_config_metrics", include_config_metrics, conf_bool, "false", "Every parameter as redis_config_value."),
	KEY("include_modules_metrics", include_modules_metrics, conf_bool, "false", "What modules add to INFO."),
	KEY("include_system_metrics", include_system_metrics, conf_bool, "false", "redis_total_system_memory_bytes."),
	KEY("include_sentinel_peer_info", include_sentinel_peer_info, conf_bool, "false",
	    "Of a Sentinel: the others, one series each."),
	KEY("include_rdb_file_size", include_rdb_file_size, conf_bool, "false",
	    "Size of the dump file, read from this machine's disk."),
	KEY("ping_on_connect", ping_on_connect, conf_bool, "false", "Time of a PING of its own in each scrape: one more round trip."),
	KEY("is_tile38", is_tile38, conf_bool, "false", "The server is a Tile38: SERVER EXT too."),
	KEY("latency_metrics", latency_histograms, conf_bool, "true", "Latency histograms of commands, and latency spikes."),
	KEY("latency_seconds", latency_seconds, conf_bool, "false",
	    "Also redis_command_latency_seconds: the same buckets for each command, and quantiles from 0 to 1."),
	KEY("export_client_list", export_client_list, conf_bool, "false", "Series for each connection, as redis_exporter has them."),
	KEY("export_client_port", export_client_port, conf_bool, "false", "Its port, as a label of redis_connected_client_info."),
	KEY_ARG("max_clients", max_clients, conf_int, "1000", "Connections export_client_list shows at most.", &keys_range),
	KEY("client_groups", client_groups, conf_str_list, NULL,
	    "Connections summed up by what they have in common: some of name, user, host, db, library."),
	KEY_ARG("max_client_groups", max_client_groups, conf_int, "100", "Groups of clients at most; the rest is one, \"other\".",
	        &keys_range),
	KEY("include_metrics_for_empty_databases", empty_databases, conf_bool, "true",
	    "Key counts of 0 for databases that hold nothing."),
	KEY("check_single_keys", check_single_keys_texts, conf_str_list, NULL,
	    "Keys, \"db0=name\", read in each scrape; one that does not exist has size 0."),
	KEY("check_keys", check_keys_texts, conf_str_list, NULL,
	    "Patterns, \"db0=cart:*\": each matching key, looked for in the background."),
	KEY("count_keys", count_keys_texts, conf_str_list, NULL,
	    "Patterns, \"db0=session:*\": how many keys match, counted in the background."),
	KEY("check_single_streams", check_single_streams_texts, conf_str_list, NULL,
	    "Streams, \"db0=events\", with groups and consumers, read in each scrape."),
	KEY("check_streams", check_streams_texts, conf_str_list, NULL,
	    "Patterns, \"db0=events:*\": each matching stream, looked for in the background."),
	KEY("streams_exclude_consumer_metrics", streams_exclude_consumer_metrics, conf_bool, "false", "Groups, but not each consumer."),
	KEY_ARG("max_stream_consumers", max_stream_consumers, conf_int, "1000", "Consumers of streams shown at most.", &keys_range),
	KEY("check_key_groups", check_key_groups, conf_regex_search, NULL,
	    "Counts all keys, and their memory, by what this captures of their names, in the background."),
	KEY_ARG("max_distinct_key_groups", max_distinct_key_groups, conf_int, "100",
	    "Groups of keys shown at most; the rest is one, \"overflow\".",
	        &keys_range),
	KEY("include_search_indexes_metrics", include_search_indexes_metrics, conf_bool, "false",
	    "Indexes of the search module, in the background."),
	KEY("check_search_indexes", check_search_indexes, conf_regex, ".*", "Of those, which names."),
	KEY("scripts", scripts, conf_path_list, NULL,
	    "Lua files run on the server in the background; they return names and numbers in turn."),
	KEY("lua_script_read_only", lua_script_read_only, conf_bool, "false", "Run them by EVAL_RO, from Redis 7.0 on."),
	KEY("key_values", key_values, conf_bool, "true", "Also the values of checked keys that hold a number."),
	KEY("key_values_as_string", key_values_as_string, conf_bool, "false",
	    "Also values that are text, as a label: shows data, and makes a series a value."),
	KEY_ARG("scan_interval", scan_interval_ms, conf_duration_ms, "1m", "How often keys are looked for.", &interval_range),
	KEY_ARG("scan_keys_per_second", scan_keys_per_second, conf_int, "50000", "Keys passed over a second while looking.",
	    &speed_range),
	KEY_ARG("max_keys", max_keys, conf_int, "1000", "Keys shown at most of all check_keys together.", &keys_range),
};

/* A key may begin with anything: only "db", digits and '=' in front of it name a database. */
static bool parse_spec(struct str text, int fallback_db, struct redis_key_spec *out)
{
	const size_t eq = str_chr(text, '=');
	int64_t db;

	*out = (struct redis_key_spec){ .db = fallback_db, .key = text };
	if (eq < text.n && str_starts(text, STR("db")) && str_to_int64((struct str){ text.p + 2, eq - 2 }, &db)) {
		if (db < 0 || db > 9999)
			return false;
		out->db = (int)db;
		out->key = (struct str){ text.p + eq + 1, text.n - eq - 1 };
	}
	snprintf(out->label, sizeof out->label, "db%d", out->db % 10000);
	return out->key.n != 0;
}

static bool parse_specs(struct conf_reader *rd, const struct conf_node *at, const char *name, struct conf_strs texts, int db,
                        struct redis_key_specs *out)
{
	const struct conf_node *node = conf_get(at, name);
	bool ok = true;

	out->v = ARENA_ARRAY(rd->arena, texts.n, struct redis_key_spec);
	out->n = texts.n;
	for (size_t i = 0; i < texts.n; i++)
		if (!parse_spec(texts.v[i], db, &out->v[i]))
			ok = conf_error(rd->report, node, "'" STR_FMT "' names no key: it would be \"db0=name\"", STR_ARG(texts.v[i]));
	return ok;
}

static bool check_client_groups(struct conf_reader *rd, const struct conf_node *at, const struct conf_strs *fields)
{
	static const struct str known[REDIS_CLIENT_FIELDS] = { { "name", 4 }, { "user", 4 }, { "host", 4 }, { "db", 2 },
	    { "library", 7 } };
	const struct conf_node *node = conf_get(at, "client_groups");
	bool ok = true;

	for (size_t i = 0; i < fields->n; i++) {
		bool found = false, twice = false;
		for (size_t k = 0; k < ARRAY_LEN(known); k++)
			found |= str_eq(fields->v[i], known[k]);
		for (size_t k = 0; k < i; k++)
			twice |= str_eq(fields->v[i], fields->v[k]);
		if (!found || twice)
			ok = conf_error(rd->report, node, "'" STR_FMT "' %s: some of name, user, host, db, library are", STR_ARG(fields->v[i]),
			                twice ? "comes twice" : "is nothing connections have in common");
	}
	return ok;
}

static bool check(struct conf_reader *rd, const struct conf_node *at, void *to)
{
	struct redis_settings *s = to;
	bool ok = redis_endpoint_check(rd, at, &s->endpoint);
	const struct {
		const char *name;
		struct conf_strs texts;
		struct redis_key_specs *specs;
	} lists[] = {
		{ "check_single_keys", s->check_single_keys_texts, &s->check_single_keys },
		{ "check_keys", s->check_keys_texts, &s->check_keys },
		{ "count_keys", s->count_keys_texts, &s->count_keys },
		{ "check_single_streams", s->check_single_streams_texts, &s->check_single_streams },
		{ "check_streams", s->check_streams_texts, &s->check_streams },
	};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		ok = parse_specs(rd, at, lists[i].name, lists[i].texts, s->endpoint.url.db, lists[i].specs) && ok;
	if (s->cluster && (s->endpoint.url.socket_path != NULL || s->endpoint.url.db != 0))
		ok = conf_error(rd->report, at, "a cluster has addresses of hosts and ports, and database 0 only");
	if (s->cluster_hostnames && !s->cluster)
		ok = conf_error(rd->report, conf_get(at, "cluster_discover_hostnames"),
		    "only nodes of a cluster are looked for: write cluster: true");
	return check_client_groups(rd, at, &s->client_groups) && ok;
}

const struct conf_table redis_settings_table = {
	.keys = keys, .n = ARRAY_LEN(keys), .bytes = sizeof(struct redis_settings), .check = check,
};
