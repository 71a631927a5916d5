"""F7: a primary and its streaming standby, as each of them sees it, and the standby promoted."""
from exporter_text import scrape
from servers import Exporter, Postgres, wait_for


def until(exporter, what, check):
    """The first scrape of which <check> is true."""
    return wait_for(what, lambda: next((m for m in [scrape(exporter)] if check(m)), None))


def test_primary_and_standby(box):
    primary = box.start(Postgres)
    primary.sql("create table t (id int)")
    primary.sql("create role strict superuser login; alter role strict set default_transaction_isolation = 'serializable'")     # refused on a standby
    standby = box.start(Postgres, primary=primary)
    url = standby.url(user="strict")
    exporter = box.start(Exporter, box.write("exporter.yml", f"postgres:\n  - {{ name: primary, url: '{primary.url()}' }}\n  - {{ name: standby, url: '{url}' }}\n"))
    m = until(exporter, "streaming, say both", lambda m: m.value("pg_replication_streaming", source="standby") == 1
              and m.find("pg_stat_replication_pg_wal_lsn_diff", source="primary", state="streaming", slot_name="standby"))
    assert not [s for s in m.find("pg_scrape_collector_success") if s[1] != 1]
    assert not m.find("tocsin_postgres_collector_unsupported")
    assert m.value("pg_replication_is_replica", source="primary") == 0 and m.value("pg_replication_is_replica", source="standby") == 1
    assert m.value("pg_settings_in_hot_standby", source="standby") == 1
    assert m.value("pg_replication_last_message_age_seconds", source="standby") is not None and m.value("pg_replication_last_message_age_seconds", source="primary") is None
    assert m.value("pg_stat_wal_receiver_received_tli", source="standby", status="streaming", slot_name="standby", upstream_host="127.0.0.1") == 1
    assert m.value("pg_replication_slots_active", source="primary", slot_name="standby") == 1
    assert m.value("pg_stat_user_tables_n_live_tup", source="standby", relname="t") is not None

    standby.sql("select pg_wal_replay_pause()")
    primary.sql("insert into t select generate_series(1, 1000)")
    m = until(exporter, "the lag", lambda m: m.value("pg_replication_replay_lag_bytes", source="standby") > 10000)
    assert m.value("pg_replication_replay_paused", source="standby") == 1
    until(exporter, "the lag at the primary", lambda m: m.value("pg_stat_replication_pg_wal_lsn_diff", source="primary", state="streaming") > 10000)
    standby.sql("select pg_wal_replay_resume()")
    m = until(exporter, "replay", lambda m: m.value("pg_replication_replay_lag_bytes", source="standby") == 0)
    assert m.value("pg_replication_last_replay_timestamp_seconds", source="standby") > 1.6e9

    primary.stop()
    m = until(exporter, "the end of streaming", lambda m: m.value("pg_replication_streaming", source="standby") == 0)
    assert m.value("pg_up", source="primary") == 0 and m.value("pg_up", source="standby") == 1
    standby.sql("select pg_promote()")
    m = until(exporter, "promotion", lambda m: m.value("pg_replication_is_replica", source="standby") == 0)
    assert m.value("pg_settings_in_hot_standby", source="standby") == 0, "a parameter that changed with the role"
    assert m.value("pg_replication_lag_seconds", source="standby") == 0 and m.value("pg_replication_replay_lag_bytes", source="standby") is None
