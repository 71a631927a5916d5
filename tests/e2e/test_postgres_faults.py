"""F7: what goes wrong with a Postgres costs what it must, and no more."""
import contextlib
import json
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from exporter_text import scrape
from servers import Exporter, PgBouncer, Postgres, hang_up, wait_for


@pytest.fixture
def postgres(box):
    return box.start(Postgres)


def start(box, *sources):
    return box.start(Exporter, box.write("exporter.yml", "postgres:\n" + "".join(f"  - {{ name: {name}, url: '{url}'{more} }}\n" for name, url, more in sources)))


class Session:
    """A psql that keeps what it has begun."""

    def __init__(self, server, text):
        self.psql = subprocess.Popen([server.bin / "psql", "-X", "-q", server.url()], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.say(text)

    def say(self, text):
        self.psql.stdin.write(text + "\n")
        self.psql.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.psql.kill()
        self.psql.wait()


class Relay:
    """Passes bytes on to a server; counts how often the client speaks after the server did."""

    def __init__(self, port):
        self.target, self.turns, self.speaker = port, 0, None
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            for args in ((client, server, "client"), (server, client, "server")):
                threading.Thread(target=self.copy, args=args, daemon=True).start()

    def copy(self, source, to, speaker):
        try:
            while data := source.recv(65536):
                with self.lock:
                    self.turns += speaker == "client" and self.speaker != "client"
                    self.speaker = speaker
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        hang_up(self.listener)


def test_a_scrape_is_one_round_trip(box, postgres):
    with Relay(postgres.port) as relay:
        exporter = start(box, ("main", f"postgresql://postgres@127.0.0.1:{relay.port}/postgres", ", slow_interval: 1h"))
        wait_for("sizes", lambda: scrape(exporter).find("pg_database_size_bytes"))

        def turns():                                    # what is slow may still be under way beside it
            before = relay.turns
            m = scrape(exporter)
            assert m.value("pg_up") == 1 and len(m.find("pg_scrape_collector_success")) > 30
            return relay.turns - before
        wait_for("one", lambda: turns() == 1)


def test_a_collector_that_waits_for_a_lock_fails_alone(box, postgres):
    exporter = start(box, ("main", postgres.url(), ", lock_timeout: 50ms"))
    assert scrape(exporter).value("pg_scrape_collector_success", collector="stat_subscription") == 1
    with Session(postgres, "begin; lock table pg_subscription in access exclusive mode;"):
        wait_for("the lock", lambda: postgres.sql("select 1 from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 'pg_subscription'::regclass"))
        for _ in range(2):                              # when it is met, and when it is known
            m = scrape(exporter)
            assert [had["collector"] for had, v in m.find("pg_scrape_collector_success") if v != 1] == ["stat_subscription"]
            assert m.value("pg_up") == 1 and m.value("pg_exporter_last_scrape_error") == 1
            assert m.find("pg_stat_replication_slots_txns_total") == [] and m.find("pg_stat_slru_blocks_hit_total")
    wait_for("success", lambda: scrape(exporter).value("pg_scrape_collector_success", collector="stat_subscription") == 1)


def test_an_outage_of_many_collectors_is_one_line(box, postgres):
    exporter = start(box, ("main", postgres.url(), ", lock_timeout: 20ms, slow_interval: 1h"))
    wait_for("sizes", lambda: scrape(exporter).find("pg_database_size_bytes"))
    with Session(postgres, "begin; lock table pg_class, pg_stat_activity, pg_subscription, pg_database in access exclusive mode;"):
        m = wait_for("the outage", lambda: next((m for m in [scrape(exporter)] if m.value("pg_exporter_last_scrape_error") == 1), None))
        failing = [had["collector"] for had, v in m.find("pg_scrape_collector_success") if v == 0]
        for _ in range(3):
            scrape(exporter)
    wait_for("its end", lambda: scrape(exporter).value("pg_exporter_last_scrape_error") == 0)
    said = [line for line in exporter.process.text().splitlines() if "collector" in line]
    assert len(failing) > 3 and len([s for s in said if "collectors failed" in s]) <= 2 < len(failing), said
    assert "stat_user_tables" in said[0] and "lock timeout" in said[0]
    assert len([s for s in said if "collectors work again" in s]) == 1


def test_waiters_and_blockers(box, postgres):
    postgres.sql("create table t (id int)")
    slow = ", slow_interval: 1s, lock_timeout: 15s"     # their sessions for sizes wait for the table too
    exporter = start(box, ("main", postgres.url(), slow), ("beside", postgres.url(), slow), ("named", postgres.url() + "?application_name=shop", slow))

    def own():
        return int(postgres.sql("select count(*) from pg_stat_activity where application_name in ('tocsin-exporter', 'shop') and wait_event_type = 'Lock'"))

    def settled():          # a name that was given may be the application's own: whose sessions they are nobody knows
        before, m, after = own(), scrape(exporter), own()
        return m if before == after == 3 and {m.value("pg_locks_waiters", datname="postgres", source=s) for s in ("main", "beside", "named")} == {3} else None

    m = scrape(exporter)
    assert m.value("pg_locks_waiters", datname="postgres", source="main") == 0 and m.value("pg_locks_blockers", datname="postgres", source="main") == 0
    with Session(postgres, "begin; lock table t in access exclusive mode;"):
        wait_for("the lock", lambda: postgres.sql("select 1 from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 't'::regclass"))
        with Session(postgres, "select * from t;"), Session(postgres, "alter table t add x int;"):
            m = wait_for("two waiters", settled)
            assert m.value("pg_locks_blockers", datname="postgres", source="main") >= 1 and m.value("pg_locks_max_wait_seconds", datname="postgres", source="main") > 0
            assert m.value("pg_up", source="main") == 1 and m.value("pg_stat_user_tables_n_live_tup", relname="t", source="main") is not None
            assert not [s for s in m.find("pg_scrape_collector_success") if s[1] != 1]
            assert m.value("pg_stat_activity_max_idle_in_transaction_seconds", datname="postgres", source="main") > 0


def test_the_address_of_the_application(box, postgres):
    """With its name in it: its transactions count all the same, and ours are none of them."""
    url = postgres.url() + "?application_name=shop"
    exporter = start(box, ("main", url, ""))
    wait_for("nobody's", lambda: scrape(exporter).value("pg_long_running_transactions") == 0)
    with contextlib.closing(psycopg2.connect(url)) as application, application.cursor() as c:
        c.execute("select 1")
        wait_for("the application's", lambda: scrape(exporter).value("pg_long_running_transactions") == 1)


def test_out_of_connections(box, postgres):
    postgres.sql("create role monitor login; grant pg_monitor to monitor; alter role monitor connection limit 0")
    other = box.start(Postgres)
    exporter = start(box, ("main", postgres.url(user="monitor"), ""), ("other", other.url(), ""))
    for _ in range(3):
        m = scrape(exporter)
    assert m.value("pg_up", source="main") == 0 and m.value("pg_up", source="other") == 1
    assert not m.find("pg_settings_max_connections", source="main") and m.find("pg_settings_max_connections", source="other")
    postgres.sql("alter role monitor connection limit -1")
    wait_for("pg_up", lambda: scrape(exporter).value("pg_up", source="main") == 1)
    assert exporter.process.text().count('msg="source failed" name=main') == 1


def test_no_slot_is_left(box, postgres):
    """max_connections reached (53300): the server refuses whoever is no superuser, and we say so and come back."""
    postgres.sql("create role monitor login; grant pg_monitor to monitor")
    with contextlib.ExitStack() as held:
        for _ in range(37):                     # of 40, three are kept for superusers
            held.enter_context(contextlib.closing(psycopg2.connect(postgres.url(user="monitor"))))
        exporter = start(box, ("main", postgres.url(user="monitor"), ""))
        assert scrape(exporter).value("pg_up") == 0
        assert "remaining connection slots are reserved" in exporter.process.text()
    wait_for("pg_up", lambda: scrape(exporter).value("pg_up") == 1)


def test_behind_a_pooler(box, postgres):
    """A session that is shared keeps nothing of ours: neither statements by name, nor that it is read-only or when it gives up."""
    postgres.sql("create table paid (n int); create database shop")
    pooler = box.start(PgBouncer, postgres, "transaction")
    exporter = box.start(Exporter, box.write("pooled.yml", f"""
postgres: [{{ name: main, url: '{pooler.url()}', slow_interval: 1s }}, {{ name: console, url: '{pooler.url("pgbouncer")}' }}]
gauges:
  - name: sums
    url: '{pooler.url()}'
    queries:
      - {{ sql: "select count(*) as value, current_setting('statement_timeout')::interval between '1ms' and '2.5s' as t from paid", metrics: [{{ name: paid, help: x, labels: [t] }}] }}
      - {{ sql: "insert into paid values (7) returning n as value", metrics: [{{ name: bought, help: x }}] }}
"""))
    with contextlib.closing(psycopg2.connect(pooler.url())) as application:
        application.autocommit = True
        for n in range(4):
            m = wait_for("all collectors", lambda: next((m for m in [scrape(exporter)] if m.value("pg_up", source="main") == 1), None))
            assert not [s for s in m.find("pg_scrape_collector_success", source="main") if s[1] != 1]
            assert m.value("paid", source="sums", t="t") == n and not m.find("bought")
            with application.cursor() as c:
                c.execute("insert into paid values (1)")
                c.execute("select current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('jit'), current_setting('search_path')")
                assert c.fetchone() == ("0", "0", "on", '"$user", public')
    wait_for("sizes", lambda: scrape(exporter).find("pg_database_size_bytes", source="main", datname="shop"))
    assert m.value("pg_up", source="console") == 0 and "the console of a PgBouncer" in exporter.process.text()


def test_a_password_changed(box, postgres):
    hba = postgres.folder / "data/pg_hba.conf"
    hba.write_text("host all monitor 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
    postgres.sql("create role monitor login password 'first-hush'; grant pg_monitor to monitor; select pg_reload_conf()")
    passfile = box.write("passfile", "*:*:*:monitor:first-hush\n")
    passfile.chmod(0o600)
    exporter = start(box, ("main", postgres.url(user="monitor") + f"?passfile={passfile}", ", slow_interval: 1s"))
    wait_for("pg_up", lambda: scrape(exporter).value("pg_up") == 1)
    postgres.sql("alter role monitor password 'second-hush'; select pg_terminate_backend(pid) from pg_stat_activity where usename = 'monitor'")
    wait_for("the refusal", lambda: scrape(exporter).value("pg_up") == 0)
    passfile.write_text("*:*:*:monitor:second-hush\n")
    wait_for("pg_up", lambda: scrape(exporter).value("pg_up") == 1)
    assert "hush" not in exporter.process.text() + exporter.get("/")[2]


def test_what_the_server_says_while_connecting(box, postgres):
    """F7. A warning is a line of the log, once a source; the rest is for those who debug the server."""
    postgres.sql("create database shop locale_provider icu icu_locale 'en' template template0; update pg_database set datcollversion = '1.1' where datname = 'shop'; "
                 "alter role postgres set client_min_messages = debug5")
    config = box.write("exporter.yml", f"""
postgres: [{{ name: main, url: '{postgres.url('shop')}', connection_max_age: 1s, slow_interval: 1s }}]
gauges: [{{ name: shop, url: '{postgres.url('shop')}', queries: [{{ sql: 'select 1 as value', metrics: [{{ name: one, help: x }}] }}] }}]
""")
    exporter = box.start(Exporter, config, ["--log.format=json"])

    def sessions():
        m = scrape(exporter)
        assert m.value("one") == 1 and m.value("pg_up") == 1 and m.find("pg_database_size_bytes")
        return {pid for pid in postgres.sql("select pid from pg_stat_activity where application_name = 'tocsin-exporter'").split()}
    first = wait_for("a connection", sessions)
    wait_for("connections of another age", lambda: len(sessions() - first) >= 2)
    lines = [json.loads(line) for line in exporter.process.text().splitlines()]
    warnings = [(line["name"], line["warning"]) for line in lines if line["msg"] == "the server warns"]
    assert sorted(name for name, _ in warnings) == ["main", "shop"] and all("collation version mismatch" in text for _, text in warnings)
    assert len(lines) < 50, "debug lines of the server come by the hundred"


def test_whose_transactions_would_wait_for_others(box, postgres):
    """Serializable and deferrable by default, those of a reader wait until nobody writes."""
    postgres.sql("create table z (a int); create role strict superuser login")
    postgres.sql("alter role strict set default_transaction_isolation = 'serializable'; alter role strict set default_transaction_deferrable = on")
    exporter = start(box, ("main", postgres.url(user="strict"), ""))
    with Session(postgres, "begin isolation level serializable; insert into z values (1); select count(*) from z;"):
        wait_for("it writes", lambda: postgres.sql("select 1 from pg_locks where relation = 'z'::regclass and granted and mode = 'RowExclusiveLock'"))
        assert scrape(exporter).value("pg_up") == 1


def test_read_only_and_parameters_that_change(box, postgres):
    exporter = start(box, ("main", postgres.url(), ""))
    m = scrape(exporter)
    assert m.value("pg_settings_default_transaction_read_only") == 0 and m.value("pg_settings_work_mem_bytes") == 4 << 20
    postgres.sql("alter system set default_transaction_read_only = on; alter system set work_mem = '5MB'")
    postgres.sql("select pg_reload_conf()")
    m = wait_for("the change", lambda: next((m for m in [scrape(exporter)] if m.value("pg_settings_work_mem_bytes") == 5 << 20), None))
    assert m.value("pg_settings_default_transaction_read_only") == 1 and m.value("pg_settings_max_connections") == 40
    assert m.value("pg_up") == 1 and not [s for s in m.find("pg_scrape_collector_success") if s[1] != 1]


def test_a_hundred_scrapes_at_once(box, postgres):
    exporter = start(box, ("main", postgres.url(), ""))
    scrape(exporter)
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: scrape(exporter, 30), range(100)))
    assert all(m.value("pg_up") == 1 and m.find("pg_stat_database_xact_commit") for m in answers)
    assert int(postgres.sql("select count(*) from pg_stat_activity where application_name = 'tocsin-exporter'")) <= 2


def test_what_runs_at_the_deadline_is_cancelled(box, postgres):
    """By the server itself; where a statement has put that off, by us."""
    exporter = box.start(Exporter, box.write("exporter.yml", f"""
gauges:
  - {{ name: slow, timeout: 60s, url: '{postgres.url()}', queries: [{{ sql: 'select 1 as value from pg_sleep(60)', metrics: [{{ name: x, help: x }}] }}] }}
  - name: stubborn
    url: '{postgres.url()}'
    queries:
      - {{ sql: "select 1 as value from set_config('statement_timeout', '0', false)", metrics: [{{ name: forever, help: x }}] }}
      - {{ sql: 'select 2 as value from pg_sleep(61)', metrics: [{{ name: y, help: x }}] }}
"""))
    m = scrape(exporter, 1)
    assert [v for _, v in m.find("tocsin_gauges_up")] == [1, 1] and m.value("forever") == 1
    assert {had["query"] for had, v in m.find("tocsin_gauges_collector_success") if v == 0} == {"x", "y"}
    wait_for("the cancel", lambda: postgres.sql("select count(*) from pg_stat_activity where query ~ 'pg_sleep.6' and state = 'active' and pid <> pg_backend_pid()") == "0")
    for why in "statement timeout", "user request":
        wait_for("its line in the log", lambda: f"canceling statement due to {why}" in postgres.process.text())


@pytest.mark.parametrize("sql", ["select repeat(chr(120), 100000000) as value", "select repeat(chr(120), 1000) as value from generate_series(1, 100000)"])
def test_a_reply_that_is_far_too_big(box, postgres, sql):
    where = postgres.url()
    exporter = box.start(Exporter, box.write("exporter.yml", f"gauges:\n  - {{ name: big, timeout: 60s, url: '{where}', queries: [{{ sql: '{sql}', metrics: [{{ name: x, help: x }}] }}] }}\n"
                                             f"postgres:\n  - {{ name: main, url: '{postgres.url()}' }}\n"))
    m = scrape(exporter, 60)
    assert m.value("tocsin_gauges_up", source="big") == 0 and m.value("pg_up", source="main") == 1
    assert "a reply of more than" in exporter.process.text()


class Babbler:
    """Answers whatever comes with the same bytes, and hangs up after."""

    def __init__(self, answer):
        self.answer, self.listener = answer, socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client = self.listener.accept()[0]
                client.recv(65536)
                client.sendall(self.answer)
                client.close()
            except OSError:
                return


GARBAGE = [b"\xff" * 5000, b"R\0\0\0\x08\0\0\0\0S\0\0\0\x16server_version\0", b"N" * 9, b"E\x7f\xff\xff\xff" + b"x" * 100, b""]


def test_garbage(box, postgres):
    babblers = [Babbler(answer) for answer in GARBAGE]
    exporter = start(box, ("main", postgres.url(), ""), *((f"odd{i}", f"postgresql://u@127.0.0.1:{b.port}/db", "") for i, b in enumerate(babblers)))
    try:
        m = scrape(exporter)
        assert m.value("pg_up", source="main") == 1 and m.find("pg_settings_max_connections", source="main")
        assert sorted((had["source"], v) for had, v in m.find("pg_up") if had["source"] != "main") == [(f"odd{i}", 0) for i in range(len(GARBAGE))]
    finally:
        for b in babblers:
            hang_up(b.listener)
