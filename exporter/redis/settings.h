/* Settings of one Redis source, `redis:` in the configuration. Other kinds find them by name (sources_find) for their endpoint. */
#ifndef TOCSIN_REDIS_SETTINGS_H
#define TOCSIN_REDIS_SETTINGS_H

#include "redis/endpoint.h"
#include "source.h"

/* "db3=sessions:*": a key or a pattern, and the database it is in. */
struct redis_key_spec {
	int db;
	char label[8];                  /* "db3" */
	struct str key;
};

struct redis_key_specs {
	struct redis_key_spec *v;
	size_t n;
};

struct redis_settings {
	struct source_settings common;
	struct redis_endpoint endpoint;
	struct str config_command;
	bool include_config_metrics, include_modules_metrics, include_system_metrics;
	bool latency_histograms, empty_databases;
	struct conf_strs check_single_keys_texts, check_keys_texts, count_keys_texts;
	struct redis_key_specs check_single_keys, check_keys, count_keys;       /* made of the texts */
	bool key_values, key_values_as_string;
	int64_t scan_interval_ms, scan_keys_per_second, max_keys;
};

extern const struct conf_table redis_settings_table;

#endif
