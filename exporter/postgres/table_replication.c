/* Standbys and primaries: roles, lag, slots, what is sent and what is received. */
#include "postgres/table.h"

static const struct pg_value role_values[] = {
	G("pg_is_in_recovery()::int", "pg_replication_is_replica", "1 on a standby."),
	G("CASE WHEN NOT pg_is_in_recovery() THEN 0 WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "
	  "ELSE greatest(0, " AGE("pg_last_xact_replay_timestamp()") ") END", "pg_replication_lag_seconds",
	  "Age of the last transaction replayed; 0 on a primary, and where everything received is replayed."),
	G("greatest(0, " AGE("pg_last_xact_replay_timestamp()") ")", "pg_replication_last_replay_seconds",
	  "Time since the last transaction was replayed."),
	G(EPOCH("pg_last_xact_replay_timestamp()"), "pg_replication_last_replay_timestamp_seconds",
	  "When the last transaction replayed was committed on the primary; absent when none was."),
};

static const struct pg_value standby_values[] = {
	G("pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())", "pg_replication_replay_lag_bytes",
	  "WAL received and not yet replayed."),
	G("pg_is_wal_replay_paused()::int", "pg_replication_replay_paused", "1 while replay is paused."),
	G("(SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming')", "pg_replication_streaming",
	  "1 while WAL is being received from the primary."),
	G("(SELECT " AGE("last_msg_receipt_time") " FROM pg_stat_wal_receiver)", "pg_replication_last_message_age_seconds",
	  "Time since the primary was last heard of; absent without a connection to it."),
	G("pg_last_wal_receive_lsn() - '0/0'", "pg_replication_receive_lsn_bytes", "Position up to which WAL was received."),
	G("pg_last_wal_replay_lsn() - '0/0'", "pg_replication_replay_lsn_bytes", "Position up to which WAL was replayed."),
};

static const struct pg_value slots_values[] = {
	G("active::int", "pg_replication_slots_active", "1 while the slot is in use."),
	G("pg_wal_lsn_diff(" WAL_NOW ", restart_lsn)", "pg_replication_slots_pg_wal_lsn_diff", "Bytes of WAL the slot holds back."),
};
static const struct pg_value slots_lsn_values[] = {
	G(WAL_NOW " - '0/0'", "pg_replication_slots_slot_current_wal_lsn", "Position of the WAL."),
	G("confirmed_flush_lsn - '0/0'", "pg_replication_slots_slot_confirmed_flush_lsn", "Position the consumer has confirmed."),
	G("active::int", "pg_replication_slots_slot_is_active", "1 while the slot is in use."),
	G_IN(V(13), 0, "safe_wal_size", "pg_replication_slots_safe_wal_size_bytes",
	    "WAL that can still be written before the slot may be lost."),
};
static const struct pg_value slots_state_values[] = {
	G("age(xmin)", "pg_replication_slots_xmin_age", "Transactions since the oldest snapshot the slot holds."),
	G("age(catalog_xmin)", "pg_replication_slots_catalog_xmin_age", "The same for system tables, held by a logical slot."),
	G_IN(V(13), V(17), "(wal_status = 'lost')::int", "pg_replication_slots_invalidated",
	    "1 for a slot that cannot be used any more."),
	G_IN(V(17), 0, "(invalidation_reason IS NOT NULL)::int", "pg_replication_slots_invalidated",
	    "1 for a slot that cannot be used any more."),
	G_IN(V(17), 0, EPOCH("inactive_since"), "pg_replication_slots_inactive_since_timestamp_seconds",
	    "Since when the slot is not in use."),
	G_IN(V(17), 0, "synced::int", "pg_replication_slots_synced", "1 for a slot that is kept like the primary's."),
};
static const struct pg_value slots_status_values[] = {
	G("1", "pg_replication_slots_wal_status", "State of the WAL the slot needs, as a label."),
};

#define DECODE(expr, name, help) C(expr, "pg_stat_replication_slots_" name "_total", help)
static const struct pg_value decoding_values[] = {
	DECODE("spill_txns", "spill_txns", "Transactions decoded to disk for want of memory."),
	DECODE("spill_bytes", "spill_bytes", "Bytes of them."),
	DECODE("stream_txns", "stream_txns", "Transactions streamed before they ended."),
	DECODE("stream_bytes", "stream_bytes", "Bytes of them."),
	DECODE("total_txns", "txns", "Transactions decoded."),
	DECODE("total_bytes", "bytes", "Bytes decoded."),
};

static const struct pg_value subscription_values[] = {
	G("latest_end_lsn - '0/0'", "pg_stat_subscription_latest_end_lsn_bytes", "Last position reported to the publisher."),
	G(EPOCH("latest_end_time"), "pg_stat_subscription_latest_end_timestamp_seconds", "When that was reported."),
	G(EPOCH("last_msg_receipt_time"), "pg_stat_subscription_last_message_timestamp_seconds",
	  "When the publisher was last heard of; absent without a connection to it."),
};
static const struct pg_value subscription_errors_values[] = {
	C("apply_error_count", "pg_stat_subscription_apply_errors_total", "Errors while changes were applied."),
	C("sync_error_count", "pg_stat_subscription_sync_errors_total", "Errors while tables were first copied."),
};

static const struct pg_value replication_values[] = {
	G("pg_wal_lsn_diff(" WAL_NOW ", '0/0')", "pg_stat_replication_pg_current_wal_lsn_bytes", "Position of the WAL."),
	G("pg_wal_lsn_diff(" WAL_NOW ", replay_lsn)", "pg_stat_replication_pg_wal_lsn_diff",
	    "WAL the standby has not replayed yet, in bytes."),
	G("extract(epoch from write_lag)", "pg_stat_replication_write_lag_seconds", "Delay until the standby has written recent WAL."),
	G("extract(epoch from flush_lag)", "pg_stat_replication_flush_lag_seconds", "Delay until the standby has flushed recent WAL."),
	G("extract(epoch from replay_lag)", "pg_stat_replication_replay_lag_seconds",
	    "Delay until the standby has replayed recent WAL."),
};

#define RECEIVER(type, expr, name, help) type(expr, "pg_stat_wal_receiver_" name, help)
#define LSN(column) "(" column " - '0/0') % (2::numeric ^ 52)"
static const struct pg_value receiver_values[] = {
	RECEIVER(C, LSN("receive_start_lsn"), "receive_start_lsn", "Where receiving began, modulo 2^52."),
	RECEIVER(G, "receive_start_tli", "receive_start_tli", "Timeline receiving began on."),
	C_IN(V(13), 0, LSN("flushed_lsn"), "pg_stat_wal_receiver_flushed_lsn", "WAL flushed to disk, modulo 2^52."),
	RECEIVER(G, "received_tli", "received_tli", "Timeline of the WAL received."),
	RECEIVER(C, EPOCH("last_msg_send_time"), "last_msg_send_time", "When the last message was sent."),
	RECEIVER(C, EPOCH("last_msg_receipt_time"), "last_msg_receipt_time", "When the last message arrived."),
	RECEIVER(C, LSN("latest_end_lsn"), "latest_end_lsn", "Last position reported to the sender, modulo 2^52."),
	RECEIVER(C, EPOCH("latest_end_time"), "latest_end_time", "When that was reported."),
	RECEIVER(G, "substring(slot_name from 'repmgr_slot_([0-9]+)')::int", "upstream_node", "Number in a slot name made by repmgr."),
};

#define SLOT_LABELS SAME("slot_name"), SAME("slot_type")

const struct pg_statement pg_replication_table[] = {
	{ "replication", ROWS(role_values), .from = "" },
	{ "replication", ROWS(standby_values), .from = "WHERE pg_is_in_recovery()" },
	{ "replication_slots", ROWS(slots_values), "FROM pg_replication_slots", .labels = { SAME("slot_name"), SAME("database") } },
	{ "replication_slots", ROWS(slots_lsn_values), "FROM pg_replication_slots", .labels = { SLOT_LABELS } },
	{ "replication_slots", ROWS(slots_state_values), "FROM pg_replication_slots", .labels = { SLOT_LABELS } },
	{ "replication_slots", ROWS(slots_status_values), "FROM pg_replication_slots WHERE wal_status IS NOT NULL",
	    .labels = { SLOT_LABELS, SAME("wal_status") }, .min = V(13) },
	{ "stat_replication_slots", ROWS(decoding_values), "FROM pg_stat_replication_slots", .labels = { SAME("slot_name") },
	    .min = V(14) },
	{ "stat_replication", ROWS(replication_values),
	    "FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid",
	    .labels = { SAME("application_name"), { "client_addr", "host(client_addr)" }, SAME("state"), SAME("slot_name"), { "pid",
	    "r.pid" } } },
	{ "stat_wal_receiver", ROWS(receiver_values), "FROM pg_stat_wal_receiver",
	    .labels = { { "upstream_host", "sender_host" }, SAME("slot_name"), SAME("status") } },
	{ "stat_subscription", ROWS(subscription_values), "FROM pg_stat_subscription WHERE relid IS NULL",
	    .labels = { { "subscription", "subname" } } },
	{ "stat_subscription", ROWS(subscription_errors_values), "FROM pg_stat_subscription_stats",
	    .labels = { { "subscription", "subname" } }, .min = V(15) },
	{ .collector = NULL, .next = pg_progress_table },
};
