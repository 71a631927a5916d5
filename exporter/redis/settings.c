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
	KEY("config_command", config_command, conf_str, "CONFIG", "Name of CONFIG, if it was renamed; \"-\": do not ask."),
	KEY("include_config_metrics", include_config_metrics, conf_bool, "false", "Every parameter as redis_config_value."),
	KEY("include_modules_metrics", include_modules_metrics, conf_bool, "false", "What modules add to INFO."),
	KEY("include_system_metrics", include_system_metrics, conf_bool, "false", "redis_total_system_memory_bytes."),
	KEY("latency_metrics", latency_histograms, conf_bool, "true", "Latency histograms of commands, and latency spikes."),
	KEY("include_metrics_for_empty_databases", empty_databases, conf_bool, "true", "Key counts of 0 for databases that hold nothing."),
	KEY("check_single_keys", check_single_keys_texts, conf_str_list, NULL,
	    "Keys, \"db0=name\", read in each scrape; one that does not exist has size 0."),
	KEY("check_keys", check_keys_texts, conf_str_list, NULL,
	    "Patterns, \"db0=cart:*\": each matching key, looked for in the background."),
	KEY("count_keys", count_keys_texts, conf_str_list, NULL,
	    "Patterns, \"db0=session:*\": how many keys match, counted in the background."),
	KEY("key_values", key_values, conf_bool, "true", "Also the values of checked keys that hold a number."),
	KEY("key_values_as_string", key_values_as_string, conf_bool, "false",
	    "Also values that are text, as a label: shows data, and makes a series a value."),
	KEY_ARG("scan_interval", scan_interval_ms, conf_duration_ms, "1m", "How often keys are looked for.", &interval_range),
	KEY_ARG("scan_keys_per_second", scan_keys_per_second, conf_int, "50000", "Keys passed over a second while looking.", &speed_range),
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

static bool check(struct conf_reader *rd, const struct conf_node *at, void *to)
{
	struct redis_settings *s = to;
	const bool endpoint_ok = redis_endpoint_check(rd, at, &s->endpoint);
	const int db = s->endpoint.url.db;
	const bool single_ok = parse_specs(rd, at, "check_single_keys", s->check_single_keys_texts, db, &s->check_single_keys);
	const bool check_ok = parse_specs(rd, at, "check_keys", s->check_keys_texts, db, &s->check_keys);
	const bool count_ok = parse_specs(rd, at, "count_keys", s->count_keys_texts, db, &s->count_keys);

	return endpoint_ok && single_ok && check_ok && count_ok;
}

const struct conf_table redis_settings_table = {
	.keys = keys, .n = ARRAY_LEN(keys), .bytes = sizeof(struct redis_settings), .check = check,
};
