/* Settings of one Redis source, `redis:` in the configuration. Other kinds find them by name (sources_find) for their endpoint. */
#ifndef TOCSIN_REDIS_SETTINGS_H
#define TOCSIN_REDIS_SETTINGS_H

#include "redis/endpoint.h"
#include "source.h"
#include "tocsin/regex.h"

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

#define REDIS_CLIENT_FIELDS 5

struct redis_settings {
	struct source_settings common;
	struct redis_endpoint endpoint;
	bool cluster, cluster_hostnames;        /* all nodes, found by the one of the endpoint */
	int64_t discover_interval_ms;
	struct str config_command;
	bool include_config_metrics, include_modules_metrics, include_system_metrics, include_sentinel_peer_info, include_rdb_file_size;
	bool latency_histograms, latency_seconds, empty_databases, ping_on_connect, is_tile38;
	bool export_client_list, export_client_port, streams_exclude_consumer_metrics;
	struct conf_strs client_groups;         /* of: name, user, host, db, library */
	int64_t max_clients, max_client_groups, max_stream_consumers;
	struct conf_strs check_single_keys_texts, check_keys_texts, count_keys_texts, check_single_streams_texts, check_streams_texts;
	struct redis_key_specs check_single_keys, check_keys, count_keys, check_single_streams, check_streams;  /* made of the texts */
	struct regex *check_key_groups, *check_search_indexes;  /* the first NULL: no groups */
	int64_t max_distinct_key_groups;
	bool include_search_indexes_metrics, lua_script_read_only;
	struct conf_strs scripts;               /* paths */
	bool key_values, key_values_as_string;
	int64_t scan_interval_ms, scan_keys_per_second, max_keys;
};

extern const struct conf_table redis_settings_table;

#endif
