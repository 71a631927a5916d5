"""F7, C4, P5: Postgres servers watched at once; one that is down, silent, frozen or locked costs the others nothing."""
import os
import signal
import subprocess

import pytest
from exporter_text import Silent, scrape
from servers import Exporter, Postgres, wait_for


@pytest.fixture
def postgres(box):
    return box.start(Postgres, ["shared_preload_libraries=pg_stat_statements"])


def start(box, *sources):
    lines = ["postgres:"] + [f"  - {{ name: {name}, url: '{url}'{more} }}" for name, url, more in sources]
    return box.start(Exporter, box.write("exporter.yml", "\n".join(lines) + "\n"))


def test_default_families(box, postgres):
    postgres.sql("create extension pg_stat_statements; create table t (id serial primary key); insert into t select generate_series(1, 100); select * from t;")
    exporter = start(box, ("main", postgres.url(), ""))
    wait_for("sizes", lambda: scrape(exporter).value("pg_database_size_bytes", datname="postgres"))
    m = scrape(exporter)
    assert m.value("pg_up", source="main") == 1
    assert not [s for s in m.find("pg_scrape_collector_success") if s[1] != 1]
    assert m.value("pg_static", source="main", short_version=postgres.sql("select current_setting('server_version_num')::int / 10000 || '.' || "
                   "current_setting('server_version_num')::int % 10000 || '.0'")) == 1
    assert m.value("pg_settings_max_connections") == 40
    assert m.value("pg_settings_statement_timeout_seconds") == 0, "our own session's setting shows"
    assert m.value("pg_stat_user_tables_n_tup_ins", relname="t", schemaname="public", datname="postgres") == 100
    assert m.value("pg_stat_user_tables_table_size_bytes", relname="t") == float(postgres.sql("select pg_table_size('t')"))
    assert m.value("pg_replication_is_replica") == 0
    assert m.find("pg_stat_statements_calls_total")
    assert {tuple(sorted(had)) for had, _ in m.find("pg_locks_count")} == {("datname", "mode", "source")}


def test_the_slowest_statements(box, postgres):
    """C4: the statements with the longest mean time, and their texts, however the role has literals read."""
    postgres.sql("create extension pg_stat_statements; alter role postgres set standard_conforming_strings = off; select pg_stat_statements_reset()")
    for _ in range(20):
        postgres.sql("select count(*) from pg_class")
    postgres.sql("select\n\t pg_sleep(0.5)")
    exporter = start(box, ("main", postgres.url(), ", slow_interval: 1s, enable: [stat_statements_query]"))

    def means():
        m = scrape(exporter)
        calls = {had["queryid"]: v for had, v in m.find("pg_stat_statements_calls_total") if "queryid" in had}
        texts = {had["queryid"]: had["query"] for had, _ in m.find("pg_stat_statements_query_id")}
        seconds = {had["queryid"]: v for had, v in m.find("pg_stat_statements_seconds_total") if "queryid" in had}
        return sorted(((seconds[q] / calls[q], calls[q], texts[q]) for q in texts if calls.get(q)), reverse=True)

    mean, calls, text = wait_for("the statements", means)[0]
    assert text == "select pg_sleep($1)" and calls == 1 and mean >= 0.5
    assert [c for _, c, t in means() if t == "select count(*) from pg_class"] == [20]


def test_sessions_and_long_transactions(box, postgres):
    exporter = start(box, ("main", postgres.url(), ""))
    session = subprocess.Popen([postgres.bin / "psql", "-X", "-q", postgres.url()], stdin=subprocess.PIPE, text=True)
    session.stdin.write("begin; select 1 \\g /dev/null\n")
    session.stdin.flush()
    try:
        m = wait_for("the transaction", lambda: next((x for x in [scrape(exporter)]
                     if sum(v for _, v in x.find("pg_stat_activity_count", state="idle in transaction", datname="postgres"))), None))
        assert m.value("pg_long_running_transactions") == 1
        assert m.value("pg_long_running_transactions_oldest_timestamp_seconds") > 0
    finally:
        session.kill()
        session.wait()


def test_server_stopped_and_started_again(box, postgres):
    other = box.start(Postgres)
    exporter = start(box, ("main", postgres.url(), ""), ("other", other.url(), ""))
    assert scrape(exporter).value("pg_up", source="main") == 1
    postgres.stop()
    m = scrape(exporter)
    assert m.value("pg_up", source="main") == 0
    assert m.value("tocsin_exporter_collector_success", source="main", collector="postgres") == 0
    assert m.value("pg_up", source="other") == 1 and m.find("pg_stat_database_xact_commit", source="other")
    assert not m.find("pg_stat_database_xact_commit", source="main"), "values of a source that is down are repeated"
    scrape(exporter)
    postgres.start()
    wait_for("pg_up", lambda: scrape(exporter).value("pg_up", source="main") == 1)
    log = exporter.process.text()
    assert log.count("level=warn") == 1 and log.count('msg="source failed" name=main') == 1, log
    assert log.count('msg="source works again" name=main') == 1, log


def test_restart_between_scrapes_is_no_outage(box, postgres):
    exporter = start(box, ("main", postgres.url(), ""))
    assert scrape(exporter).value("pg_up") == 1
    postgres.stop()
    postgres.start()
    assert scrape(exporter).value("pg_up") == 1


def test_accepting_but_silent(box, postgres):
    with Silent() as silent:
        exporter = start(box, ("main", postgres.url(), ""), ("silent", f"postgres://u:hush@127.0.0.1:{silent.port}/db", ", timeout: 5m"))
        m = wait_for("what is well is there", lambda: next((m for m in [scrape(exporter, 2)] if m.value("pg_up", source="main") == 1), None))
        assert m.value("pg_up", source="silent") == 0 and m.find("pg_stat_database_xact_commit", source="main")
        assert "hush" not in exporter.process.text() + exporter.get("/")[2]


def test_frozen_in_mid_scrape(box, postgres):
    exporter = start(box, ("main", postgres.url(), ", timeout: 5m"))
    assert scrape(exporter).value("pg_up") == 1
    backends = [int(p) for p in postgres.sql("select pid from pg_stat_activity where application_name = 'tocsin-exporter'").split()]
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert scrape(exporter, 2).value("pg_up") == 0
        status, _, _ = exporter.get("/-/healthy")
        assert status == 200
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)
    wait_for("pg_up", lambda: scrape(exporter).value("pg_up") == 1)


def test_locked_table_hides_only_its_size(box, postgres):
    postgres.sql("create table free (a int); create table held (a int);")
    holder = subprocess.Popen([postgres.bin / "psql", "-X", "-q", postgres.url()], stdin=subprocess.PIPE, text=True)
    holder.stdin.write("begin; lock table held in access exclusive mode;\n")
    holder.stdin.flush()
    try:
        wait_for("the lock", lambda: postgres.sql("select 1 from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 'held'::regclass"))
        exporter = start(box, ("main", postgres.url(), ""))
        m = wait_for("sizes", lambda: next((x for x in [scrape(exporter)] if x.find("pg_stat_user_tables_table_size_bytes", relname="free")), None))
        assert not m.find("pg_stat_user_tables_table_size_bytes", relname="held")
        assert m.value("pg_up") == 1 and m.find("pg_stat_user_tables_n_live_tup", relname="held")
        assert not [s for s in m.find("pg_scrape_collector_success") if s[1] != 1]
    finally:
        holder.kill()
        holder.wait()


def test_a_missing_privilege_is_one_metric(box, postgres):
    postgres.sql("create role weak login")
    exporter = start(box, ("main", postgres.url(user="weak"), ""))
    for _ in range(3):
        m = scrape(exporter)
    assert m.value("pg_up") == 1
    assert m.value("tocsin_postgres_collector_unsupported", collector="wal", sqlstate="42501") == 1
    assert m.value("tocsin_postgres_reads_all_stats") == 0
    assert "level=warn" not in exporter.process.text()
    server_log = postgres.process.text()
    assert server_log.count("pg_ls_waldir") <= 2, server_log


def test_pg_monitor_is_enough(box, postgres):
    """Everything, with what has to be enabled and in another database, without a superuser."""
    postgres.sql("create extension pg_stat_statements; create role monitor login; grant pg_monitor to monitor; create database other")
    postgres.sql("create table hidden (id int primary key); revoke all on hidden from public; revoke all on schema public from public", "other")
    exporter = start(box, ("main", postgres.url(user="monitor"), ", databases: all, slow_interval: 1s, enable: [stat_user_indexes, statio_user_indexes, stat_statements_query, process_idle, "
                           "buffercache_summary]"))
    m = wait_for("the other database", lambda: next((m for m in [scrape(exporter)] if m.find("pg_stat_user_tables_table_size_bytes", relname="hidden")), None))
    assert not m.find("tocsin_postgres_collector_unsupported") and not [s for s in m.find("pg_scrape_collector_success") if s[1] != 1]
    assert m.value("tocsin_postgres_reads_all_stats") == 1
    assert m.value("pg_statio_user_indexes_idx_blks_hit_total", datname="other", indexrelname="hidden_pkey") is not None
    assert m.find("pg_process_idle_seconds_bucket", le="+Inf") and m.find("pg_stat_statements_query_id")
    assert "level=warn" not in exporter.process.text() and "permission denied" not in postgres.process.text()


def test_connections_are_replaced_by_age(box, postgres):
    exporter = start(box, ("main", postgres.url(), ", connection_max_age: 1s, slow_interval: 1h"))
    pids = "select pid from pg_stat_activity where application_name = 'tocsin-exporter'"
    scrape(exporter)
    first = set(postgres.sql(pids).split())
    seen = wait_for("new connections", lambda: scrape(exporter).value("pg_up") and set(postgres.sql(pids).split()) - first)
    assert len(seen) <= 2
    wait_for("the old ones are gone", lambda: len(postgres.sql(pids).split()) <= 2)


def test_session_protects_the_server(box, postgres):
    exporter = start(box, ("main", postgres.url(), ", statement_timeout: 1500ms, lock_timeout: 50ms"))
    scrape(exporter)
    assert postgres.sql("select count(*) > 0 from pg_stat_activity where application_name = 'tocsin-exporter'") == "t"
    assert int(postgres.sql("select count(*) from pg_stat_activity where application_name = 'tocsin-exporter'")) <= 2


def test_tables_of_other_databases(box, postgres):
    for name in ("other", "third", "refused"):
        postgres.sql(f"create database {name}")
        postgres.sql(f"create table in_{name} (id int primary key); insert into in_{name} select generate_series(1, 7)", name)
    postgres.sql("create role monitor login; grant pg_monitor to monitor; revoke connect on database refused from public")
    postgres.sql("create database shut allow_connections false")
    every = ", databases: all, enable: [stat_user_indexes], slow_interval: 1s"
    exporter = start(box, ("every", postgres.url(user="monitor"), every), ("some", postgres.url(), ", databases: [third, postgres, nowhere], slow_interval: 1s"))
    m = wait_for("tables", lambda: next((m for m in [scrape(exporter)] if m.value("tocsin_postgres_database_read", source="every", datname="third")
                                         and m.value("tocsin_postgres_database_read", source="some", datname="third")), None))
    assert m.value("pg_stat_user_tables_n_tup_ins", source="every", datname="other", relname="in_other") == 7
    assert m.value("pg_stat_user_tables_table_size_bytes", source="every", datname="other", relname="in_other") == float(postgres.sql("select pg_table_size('in_other')", "other"))
    assert m.value("pg_stat_user_indexes_idx_scan_total", source="every", datname="third", indexrelname="in_third_pkey") is not None
    assert {had["datname"]: v for had, v in m.find("tocsin_postgres_database_read", source="every")} == {"other": 1, "third": 1, "refused": 0, "shut": 0}
    assert {had["datname"] for had, v in m.find("pg_database_wraparound_age_datfrozenxid_seconds", source="every") if v > 0} >= {"template0", "shut", "refused", "postgres"}
    assert {had["datname"] for had, _ in m.find("pg_stat_user_tables_n_tup_ins", source="some")} == {"third"}
    assert {had["datname"]: v for had, v in m.find("tocsin_postgres_database_read", source="some")} == {"third": 1, "nowhere": 0}
    wait_for("no more than it needs", lambda: int(postgres.sql("select count(*) from pg_stat_activity where application_name = 'tocsin-exporter'")) <= 6)
    postgres.sql("drop database other with (force)")
    wait_for("the end of one", lambda: not scrape(exporter).find("pg_stat_user_tables_n_tup_ins", source="every", datname="other"))
    assert "level=warn" not in exporter.process.text()


def test_names_of_any_bytes(box, postgres):
    """A database without an encoding holds names that are no UTF-8; so do names with quotes and newlines arrive whole."""
    postgres.sql("create database bytes encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0")
    subprocess.run([postgres.bin / "psql", "-X", "-q", postgres.url("bytes")], check=True, input=b"set client_encoding = 'SQL_ASCII'; create table \"caf\xe9\" (i int);"
                   b"create table \"a \"\"b\"\"\\\nc\" (i int);")
    exporter = start(box, ("main", postgres.url("bytes"), ""), ("beside", postgres.url(), ", databases: [bytes], slow_interval: 1s"))
    for source in ("main", "beside"):
        m = wait_for("its tables", lambda: next((m for m in [scrape(exporter)] if m.find("pg_stat_user_tables_n_tup_ins", source=source)), None))
        assert {had["relname"] for had, _ in m.find("pg_stat_user_tables_n_tup_ins", source=source)} == {"caf\ufffd", r'a \"b\"\\\nc'}
    assert not [s for s in m.find("pg_scrape_collector_success") if s[1] != 1]


def test_statements_beyond_the_limit_are_one(box, postgres):
    """Each execution shows in the growth of one series; what was before we came is no growth, at a start or a reload of ours either."""
    postgres.sql("create extension pg_stat_statements; create table t (id int); " + "".join(f"select {', '.join(['id'] * n)} from t; " for n in range(1, 9)) * 20)
    more = ", max_statements: 3, slow_interval: 1s, enable: [stat_statements_query]"
    exporter = start(box, ("main", postgres.url(), more))
    def queryid(m):
        return next((had["queryid"] for had, _ in m.find("pg_stat_statements_query_id") if had["query"] == "select pg_sleep($1)"), None)
    def others(m):
        return m.value("pg_stat_statements_calls_total", queryid="other")
    def wait_others(what, accept):
        return wait_for(what, lambda: next((m for m in [scrape(exporter)] if others(m) is not None and accept(m)), None))

    assert others(wait_others("the first round", lambda m: True)) < 160
    postgres.sql("select pg_sleep(0.4); " + "".join(f"select {', '.join(['id'] * n)}, 1 from t; " for n in range(1, 9)) * 30)
    m = wait_others("the others", lambda m: others(m) >= 100 and queryid(m))
    sleep = queryid(m)
    assert 4 <= len(m.find("pg_stat_statements_calls_total")) <= 7
    assert m.value("pg_stat_statements_seconds_total", queryid=sleep, datname="postgres", user="postgres") >= 0.4
    postgres.sql("select pg_stat_statements_reset()")
    before = others(m)
    m = wait_others("the reset", lambda m: not m.find("pg_stat_statements_seconds_total", queryid=sleep))
    assert others(m) >= before
    (box.folder / "exporter.yml").write_text((box.folder / "exporter.yml").read_text().replace(more, more + ", statement_timeout: 3s"))
    before = others(scrape(exporter))
    exporter.process.send_signal(signal.SIGHUP)
    assert others(wait_others("the reload", lambda m: others(m) < before)) < 20
