/* Families that are not one number of INFO: those have rows in info_rows.c. Names, labels and types are redis_exporter's, but
 * for the ones it does not have, which the comment tells apart. */
#ifndef TOCSIN_REDIS_FAMILIES_H
#define TOCSIN_REDIS_FAMILIES_H

#include "tocsin/expo.h"

#define REDIS_FAMILIES(X) \
	X(INSTANCE_INFO, "redis_instance_info", GAUGE, "What the server is; always 1.") \
	X(START_TIME, "redis_start_time_seconds", GAUGE, "When the server started, unix time, by its own clock.") \
	X(COMMANDS, "redis_commands_total", COUNTER, "Calls of each command.") \
	X(COMMANDS_DURATION, "redis_commands_duration_seconds_total", COUNTER, "Time spent in each command.") \
	X(COMMANDS_REJECTED, "redis_commands_rejected_calls_total", COUNTER, \
	  "Calls refused before they ran (arguments, permissions, memory).") \
	X(COMMANDS_FAILED, "redis_commands_failed_calls_total", COUNTER, "Calls that ran and failed.") \
	X(LATENCY_PERCENTILES, "redis_latency_percentiles_usec", SUMMARY, \
	  "Latency of each command in microseconds; quantiles as percentages.") \
	X(LATENCIES, "redis_commands_latencies_usec", HISTOGRAM, "Latency of each command in microseconds.") \
	X(SPIKE_LAST, "redis_latency_spike_last", GAUGE, "When the latest latency spike of each event was, unix time.") \
	X(SPIKE_DURATION, "redis_latency_spike_duration_seconds", GAUGE, "Length of the latest latency spike of each event.") \
	X(ERRORS, "redis_errors_total", COUNTER, "Error replies by their first word.") \
	X(DB_KEYS, "redis_db_keys", GAUGE, "Keys in each database.") \
	X(DB_KEYS_EXPIRING, "redis_db_keys_expiring", GAUGE, "Keys with a time to live in each database.") \
	X(DB_AVG_TTL, "redis_db_avg_ttl_seconds", GAUGE, "Average time to live of the keys that have one.") \
	X(DB_KEYS_CACHED, "redis_db_keys_cached", GAUGE, "Keys held in memory (KeyDB FLASH).") \
	X(SLAVE_OFFSET, "redis_connected_slave_offset_bytes", GAUGE, "Offset each replica has acknowledged.") \
	X(SLAVE_LAG, "redis_connected_slave_lag_seconds", GAUGE, \
	  "Since each replica last acknowledged; means something while online only.") \
	X(MASTER_LINK_UP, "redis_master_link_up", GAUGE, "1: this replica is linked to its master.") \
	X(MASTER_LAST_IO, "redis_master_last_io_seconds_ago", GAUGE, "Since anything came from the master; -1 while the link is down.") \
	X(MASTER_SYNC, "redis_master_sync_in_progress", GAUGE, "1: a full sync from the master is running.") \
	X(SLAVE_OFFSET_OWN, "redis_slave_repl_offset", GAUGE, "Offset this replica has processed.") \
	X(SLAVE_INFO, "redis_slave_info", GAUGE, "Whose replica this is; always 1.") \
	X(CONFIG_KEY_VALUE, "redis_config_key_value", GAUGE, "Parameters that are text, but no secrets; always 1.") \
	X(CONFIG_VALUE, "redis_config_value", GAUGE, "Parameters that are numbers.") \
	X(CONFIG_IO_THREADS, "redis_config_io_threads", GAUGE, "Parameter io-threads.") \
	X(CONFIG_MAXCLIENTS, "redis_config_maxclients", GAUGE, "Parameter maxclients.") \
	X(CONFIG_MAXMEMORY, "redis_config_maxmemory", GAUGE, "Parameter maxmemory in bytes; 0: no limit.") \
	X(CONFIG_BACKLOG, "redis_config_repl_backlog_size", GAUGE, "Parameter repl-backlog-size in bytes.") \
	X(CONFIG_OUTPUT, "redis_config_client_output_buffer_limit_bytes", GAUGE, "Output buffer a client of the class may have.") \
	X(CONFIG_OVERCOME, "redis_config_client_output_buffer_limit_overcome_seconds", GAUGE, \
	  "How long a client may be over the soft limit.") \
	X(SLOWLOG_LENGTH, "redis_slowlog_length", GAUGE, "Entries of the slow log.") \
	X(SLOWLOG_LAST_ID, "redis_slowlog_last_id", GAUGE, "Id of the newest entry of the slow log; 0: there is none.") \
	X(SLOWLOG_LAST_DURATION, "redis_last_slow_execution_duration_seconds", GAUGE, "Time the newest entry of the slow log took.") \
	X(KEY_SIZE, "redis_key_size", GAUGE, \
	  "Length or size of each checked key; bytes for strings, 0 for a single key that does not exist.") \
	X(KEY_VALUE, "redis_key_value", GAUGE, "Value of each checked key that holds a number.") \
	X(KEY_VALUE_TEXT, "redis_key_value_as_string", GAUGE, "Value of each checked key that holds text; always 1.") \
	X(KEY_MEMORY, "redis_key_memory_usage_bytes", GAUGE, "Memory of each checked key.") \
	X(KEYS_COUNT, "redis_keys_count", GAUGE, "Keys that match each counted pattern.") \
	X(GROUPS_DURATION, "redis_last_key_groups_scrape_duration_milliseconds", GAUGE, \
	  "Always 0: keys are never grouped while a scrape waits.") \
	X(SCRAPE_ERROR, "redis_exporter_last_scrape_error", GAUGE, "Always 0: a scrape that fails shows nothing but redis_up 0.") \
	X(SCRAPE_DURATION, "redis_exporter_last_scrape_duration_seconds", GAUGE, "Time this scrape took.") \
	X(CONNECT_TIME, "redis_exporter_last_scrape_connect_time_seconds", GAUGE, "Time the last connect and authentication took.") \
	X(SCRAPES, "redis_exporter_scrapes_total", COUNTER, "Scrapes of this server.") \
	X(SCRAPE_DURATIONS, "redis_exporter_scrape_duration_seconds", SUMMARY, "Time all scrapes took.") \
	/* Ours alone. */ \
	X(DB_KEYS_WITHOUT_TTL, "redis_db_keys_without_ttl", GAUGE, "Keys that never expire in each database.") \
	X(SLAVE_LAG_BYTES, "redis_connected_slave_lag_bytes", GAUGE, "How far each replica's offset is behind the master's.") \
	X(COMMAND_ALLOWED, "redis_exporter_command_allowed", GAUGE, "0: the server refuses this command, so what it tells is missing.") \
	X(KEYS_CUT, "redis_check_keys_over_limit", GAUGE, "1: more keys match check_keys than max_keys allows to show.") \
	X(SCAN_DURATION, "redis_key_scan_duration_seconds", GAUGE, "Time the last background scan took.")

enum redis_family {
#define X(id, name, type, help) RF_##id,
	REDIS_FAMILIES(X)
#undef X
	RF_N,
};

extern const struct expo_family redis_families[RF_N];

#endif
