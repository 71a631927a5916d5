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
	X(MASTER_LAST_IO, "redis_master_last_io_seconds_ago", GAUGE, \
	  "Since anything came from the master; -1 while the link is down.") \
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
	X(IO_THREAD_TIME, "redis_active_time_io_thread_seconds_total", COUNTER, "Time each I/O thread was at work.") \
	X(MODULE_INFO, "redis_module_info", GAUGE, "Modules that are loaded; always 1.") \
	X(RDB_SIZE, "redis_rdb_current_size_bytes", GAUGE, "Size of the dump file, where it is on this machine; 0: there is none.") \
	X(PING_TIME, "redis_exporter_last_scrape_ping_time_seconds", GAUGE, "Time PING took.") \
	X(EXPORTER_BUILD, "redis_exporter_build_info", GAUGE, "Version of what answers in the place of redis_exporter; always 1.") \
	X(TARGET_ERRORS, "redis_target_scrape_request_errors_total", COUNTER, \
	  "Always 0: a target is checked when the configuration is read.") \
	X(COMMANDLOG_SLOW, "redis_commandlog_slow_length", GAUGE, "Entries of the log of slow commands.") \
	X(COMMANDLOG_REQUEST, "redis_commandlog_large_request_length", GAUGE, "Entries of the log of large requests.") \
	X(COMMANDLOG_REPLY, "redis_commandlog_large_reply_length", GAUGE, "Entries of the log of large replies.") \
	X(COMMANDLOG_SLOWER, "redis_commandlog_execution_slower_than", GAUGE, "Microseconds from which a command is slow.") \
	X(COMMANDLOG_SLOW_MAX, "redis_commandlog_slow_execution_max_len", GAUGE, "Entries the log of slow commands may have.") \
	X(COMMANDLOG_REQUEST_OVER, "redis_commandlog_request_larger_than", GAUGE, "Bytes from which a request is large.") \
	X(COMMANDLOG_REQUEST_MAX, "redis_commandlog_large_request_max_len", GAUGE, "Entries the log of large requests may have.") \
	X(COMMANDLOG_REPLY_OVER, "redis_commandlog_reply_larger_than", GAUGE, "Bytes from which a reply is large.") \
	X(COMMANDLOG_REPLY_MAX, "redis_commandlog_large_reply_max_len", GAUGE, "Entries the log of large replies may have.") \
	X(STREAM_LENGTH, "redis_stream_length", GAUGE, "Entries of each stream; 0 for a configured one that does not exist.") \
	X(STREAM_RADIX_KEYS, "redis_stream_radix_tree_keys", GAUGE, "Keys of the stream's radix tree.") \
	X(STREAM_RADIX_NODES, "redis_stream_radix_tree_nodes", GAUGE, "Nodes of the stream's radix tree.") \
	X(STREAM_GROUPS, "redis_stream_groups", GAUGE, "Consumer groups of each stream.") \
	X(STREAM_LAST_GENERATED, "redis_stream_last_generated_id", GAUGE, "Time part of the id given last, in milliseconds.") \
	X(STREAM_MAX_DELETED, "redis_stream_max_deleted_entry_id", GAUGE, \
	  "Time part of the highest id that was deleted, in milliseconds.") \
	X(STREAM_FIRST_ENTRY, "redis_stream_first_entry_id", GAUGE, "Time part of the first entry's id, in milliseconds; 0: empty.") \
	X(STREAM_LAST_ENTRY, "redis_stream_last_entry_id", GAUGE, "Time part of the last entry's id, in milliseconds; 0: empty.") \
	X(STREAM_ENTRIES_ADDED, "redis_stream_entries_added_total", COUNTER, "Entries ever added.") \
	X(GROUP_CONSUMERS, "redis_stream_group_consumers", GAUGE, "Consumers of each group.") \
	X(GROUP_PENDING, "redis_stream_group_messages_pending", GAUGE, "Entries delivered to the group and not acknowledged.") \
	X(GROUP_LAST_DELIVERED, "redis_stream_group_last_delivered_id", GAUGE, "Time part of the id delivered last, in milliseconds.") \
	X(GROUP_ENTRIES_READ, "redis_stream_group_entries_read", GAUGE, \
	  "Entries the group has read; missing when the server does not know.") \
	X(GROUP_LAG, "redis_stream_group_lag", GAUGE, \
	  "Entries not delivered to the group yet; missing when the server does not know.") \
	X(CONSUMER_PENDING, "redis_stream_group_consumer_messages_pending", GAUGE, \
	  "Entries delivered to the consumer and not acknowledged.") \
	X(CONSUMER_IDLE, "redis_stream_group_consumer_idle_seconds", GAUGE, "Since the consumer last asked.") \
	X(CLIENT_INFO, "redis_connected_client_info", GAUGE, "Each connection; always 1.") \
	X(CLIENT_OMEM, "redis_connected_client_output_buffer_memory_usage_bytes", GAUGE, "Memory of the output buffer.") \
	X(CLIENT_TOTMEM, "redis_connected_client_total_memory_consumed_bytes", GAUGE, "Memory of all buffers.") \
	X(CLIENT_CREATED, "redis_connected_client_created_at_timestamp", GAUGE, "When it was opened, unix time.") \
	X(CLIENT_IDLE_SINCE, "redis_connected_client_idle_since_timestamp", GAUGE, "Its last command, unix time.") \
	X(CLIENT_SUB, "redis_connected_client_channel_subscriptions_count", GAUGE, "Channels it is subscribed to.") \
	X(CLIENT_PSUB, "redis_connected_client_pattern_matching_subscriptions_count", GAUGE, "Patterns it is subscribed to.") \
	X(CLIENT_QBUF, "redis_connected_client_query_buffer_length_bytes", GAUGE, "Query buffer in use.") \
	X(CLIENT_QBUF_FREE, "redis_connected_client_query_buffer_free_space_bytes", GAUGE, "Query buffer that is free.") \
	X(CLIENT_OBL, "redis_connected_client_output_buffer_length_bytes", GAUGE, "Output buffer in use.") \
	X(CLIENT_OLL, "redis_connected_client_output_list_length", GAUGE, "Replies queued behind the output buffer.") \
	X(CLIENT_SSUB, "redis_connected_client_shard_channel_subscriptions_count", GAUGE, "Shard channels it is subscribed to.") \
	X(CLIENT_WATCH, "redis_connected_client_shard_channel_watched_keys", GAUGE, "Keys it watches.") \
	X(KEY_GROUP_COUNT, "redis_key_group_count", GAUGE, "Keys of each group.") \
	X(KEY_GROUP_MEMORY, "redis_key_group_memory_usage_bytes", GAUGE, "Memory of the keys of each group.") \
	X(KEY_GROUPS, "redis_number_of_distinct_key_groups", GAUGE, "Groups there are, those shown as overflow included.") \
	X(SCRIPT_VALUES, "redis_script_values", GAUGE, "What each script returned under each name.") \
	X(SCRIPT_RESULT, "redis_script_result", GAUGE, "1: the script answered, 0: it failed, 2: it answered nothing.") \
	X(SENTINEL_STATUS, "redis_sentinel_master_status", GAUGE, "1: the master is ok.") \
	X(SENTINEL_SLAVES, "redis_sentinel_master_slaves", GAUGE, "Replicas of the master.") \
	X(SENTINEL_SENTINELS, "redis_sentinel_master_sentinels", GAUGE, "Sentinels that watch the master, the one asked included.") \
	X(SENTINEL_CKQUORUM, "redis_sentinel_master_ckquorum_status", GAUGE, \
	  "1: there is a quorum; the label is what the Sentinel said.") \
	X(SENTINEL_QUORUM, "redis_sentinel_master_setting_ckquorum", GAUGE, "Sentinels that must agree that the master is down.") \
	X(SENTINEL_FAILOVER_TIMEOUT, "redis_sentinel_master_setting_failover_timeout", GAUGE, \
	  "Parameter failover-timeout, milliseconds.") \
	X(SENTINEL_PARALLEL_SYNCS, "redis_sentinel_master_setting_parallel_syncs", GAUGE, "Parameter parallel-syncs.") \
	X(SENTINEL_DOWN_AFTER, "redis_sentinel_master_setting_down_after_milliseconds", GAUGE, "Parameter down-after-milliseconds.") \
	X(SENTINEL_CONFIG_EPOCH, "redis_sentinel_master_config_epoch", GAUGE, "Counts failovers.") \
	X(SENTINEL_LAST_PING, "redis_sentinel_master_last_ok_ping_reply_seconds", GAUGE, "Since the master last answered PING.") \
	X(SENTINEL_OK_SENTINELS, "redis_sentinel_master_ok_sentinels", GAUGE, "Sentinels that are not down, the one asked included.") \
	X(SENTINEL_OK_SLAVES, "redis_sentinel_master_ok_slaves", GAUGE, "Replicas that are not down.") \
	X(SENTINEL_PEER, "redis_sentinel_peer_info", GAUGE, "The other Sentinels; always 1.") \
	X(SENTINEL_CONFIG_KEY_VALUE, "redis_sentinel_config_key_value", GAUGE, \
	  "Parameters of the Sentinel, but no secrets; always 1.") \
	X(SENTINEL_CONFIG_VALUE, "redis_sentinel_config_value", GAUGE, "Parameters of the Sentinel that are numbers.") \
	/* Ours alone. */ \
	X(SENTINEL_MASTER_OK, "redis_sentinel_master_ok", GAUGE, \
	  "1: the Sentinel finds the master well; the series does not change with what is wrong.") \
	X(SENTINEL_QUORUM_OK, "redis_sentinel_master_quorum_ok", GAUGE, "1: enough Sentinels are there to agree and to fail over.") \
	X(GROUP_CLIENTS, "redis_client_group_connections", GAUGE, "Connections of each group of clients.") \
	X(GROUP_MEMORY, "redis_client_group_memory_bytes", GAUGE, "Memory of the connections of each group.") \
	X(GROUP_OUTPUT, "redis_client_group_output_buffer_bytes", GAUGE, "Memory of the output buffers of each group.") \
	X(GROUP_IDLE, "redis_client_group_idle_seconds_max", GAUGE, "Since the idlest connection of each group last asked.") \
	X(STREAMS_CUT, "redis_check_streams_over_limit", GAUGE, "1: more keys match check_streams than max_keys allows to show.") \
	X(NODE_UP, "redis_up", GAUGE, "1: the server answered the last scrape.") \
	X(CLUSTER_NODE, "redis_cluster_node_info", GAUGE, "Nodes of the cluster; always 1.") \
	X(CLUSTER_NODE_FAILED, "redis_cluster_node_failed", GAUGE, "1: most of the cluster's masters say that this node has failed.") \
	X(CLIENTS_CUT, "redis_connected_client_over_limit", GAUGE, "1: there are more connections than max_clients allows to show.") \
	X(COMMAND_LATENCY, "redis_command_latency_seconds", HISTOGRAM, "Latency of each command, all with the same buckets.") \
	X(COMMAND_QUANTILES, "redis_command_latency_quantiles_seconds", SUMMARY, "Latency of each command since the server started.") \
	X(DB_KEYS_WITHOUT_TTL, "redis_db_keys_without_ttl", GAUGE, "Keys that never expire in each database.") \
	X(SLAVE_LAG_BYTES, "redis_connected_slave_lag_bytes", GAUGE, "How far each replica's offset is behind the master's.") \
	X(COMMAND_ALLOWED, "redis_exporter_command_allowed", GAUGE, \
	  "0: the server refuses this command, so what it tells is missing.") \
	X(KEYS_CUT, "redis_check_keys_over_limit", GAUGE, "1: more keys match check_keys than max_keys allows to show.") \
	X(SHARDS_MISSING, "redis_key_scan_shards_missing", GAUGE, \
	  "Shards of the cluster without a master that answers: their keys are missing from what was counted and looked for.") \
	X(SCAN_DURATION, "redis_key_scan_duration_seconds", GAUGE, "Time the last background scan took.")

enum redis_family {
#define X(id, name, type, help) RF_##id,
	REDIS_FAMILIES(X)
#undef X
	RF_N,
};

extern const struct expo_family redis_families[RF_N];

#endif
