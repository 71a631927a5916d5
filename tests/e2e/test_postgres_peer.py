"""F7: beside Debian's postgres_exporter on the same server: its families, labels, types and values are ours, but for what the exceptions say."""
import fnmatch
import json
import math
import re
from pathlib import Path

import pytest
from exporter_text import Metrics, scrape
from servers import Exporter, Postgres, Process, free_port, http, wait_for

EXCEPTIONS = Path(__file__).with_name("postgres_peer_exceptions.tsv")
EXAMPLE = Path("/usr/share/doc/prometheus-postgres-exporter/examples/queries.yaml")
# What moves while both are asked one after the other, and how far.
MOVING = ("pg_stat_database_*", "pg_database_size_bytes", "pg_stat_bgwriter_*")


class Peer:
    def __init__(self, folder, url, flags=()):
        self.port = free_port()
        self.process = Process("postgres_exporter", ["prometheus-postgres-exporter", f"--web.listen-address=127.0.0.1:{self.port}", *flags], folder,
                               env={"DATA_SOURCE_NAME": url + "?sslmode=disable"})
        self.process.ready(lambda: "pg_up 1" in self.text())

    def text(self):
        return http(f"http://127.0.0.1:{self.port}/metrics")[2]

    def stop(self):
        self.process.stop()


class Exceptions:
    def __init__(self):
        self.rows = [line.split("\t") for line in EXCEPTIONS.read_text().splitlines() if not line.startswith("#")]
        self.used = set()

    def has(self, family, what):
        found = [i for i, row in enumerate(self.rows) if row[1] == what and fnmatch.fnmatch(family, row[0])]
        self.used.update(found)
        return bool(found)

    def unused(self):
        """Values may happen to be the same."""
        return [row[:2] for i, row in enumerate(self.rows) if i not in self.used and row[1] != "value"]


def key(name, labels):
    return name, tuple(sorted((k, v) for k, v in labels.items() if k != "server" and v))


def same(name, ours, theirs):
    if any(fnmatch.fnmatch(name, p) for p in MOVING):
        return math.isclose(ours, theirs, rel_tol=0.2, abs_tol=1000)
    return ours == theirs


def differences(ours, peer, exceptions):
    had = {key(name, labels): v for name, labels, v in ours.samples}
    for name, labels, v in peer.samples:
        if not name.startswith("pg_") or labels.get("datid") == "0":        # of no database: later versions leave it out, too
            continue
        if key(name, labels) not in had:
            if not exceptions.has(name, "absent"):
                yield f"{name}{labels} is missing"
        elif not same(name, had[key(name, labels)], v) and not exceptions.has(name, "value"):
            yield f"{name}{labels} is {had[key(name, labels)]}, there {v}"
    for name, kind in peer.types.items():
        if name.startswith("pg_") and ours.types.get(name, kind) != kind and not exceptions.has(name, "type"):
            yield f"{name} is a {ours.types[name]}, there {kind}"


def test_superset_of_the_peer(box):
    server = box.start(Postgres)
    server.sql("create table t (id int primary key, x text); insert into t select g, g from generate_series(1, 1000) g; update t set x = 'y'; delete from t where id < 10; "
               "alter system set log_min_duration_statement = '250ms'; select pg_reload_conf()")
    server.sql("create database other connection limit 7")
    peer = box.start(Peer, server.url())
    exporter = box.start(Exporter, box.write("exporter.yml", f"postgres:\n  - {{ name: main, url: '{server.url()}' }}\n"))
    wait_for("sizes", lambda: scrape(exporter).find("pg_database_size_bytes"))

    def same_at_a_time():
        exceptions, theirs, ours = Exceptions(), Metrics(peer.text()), scrape(exporter, path="/probe?target=main")
        assert len(theirs.names() & ours.names()) > 250
        found = list(differences(ours, theirs, exceptions))
        assert not found, "\n".join(found)
        return exceptions
    assert not wait_for("both say the same", same_at_a_time).unused(), "exceptions that are none any more"


QUERIES = """
shop_orders:
  query: "select state, count(*) as count, max(id) as newest, sum(id) as ids, 'x' as note from orders group by state"
  master: true
  cache_seconds: 3600
  metrics:
    - state: { usage: "LABEL", description: "State" }
    - count: { usage: "GAUGE", description: "Orders" }
    - newest: { usage: "GAUGE", description: "Newest" }
    - ids: { usage: "COUNTER", description: "Sum" }
    - note: { usage: "DISCARD", description: "Nothing" }
shop_odd:
  query: "select interval '1s' as took, 3 as n, 'abc' as text, null::int as nothing, 7 as unlisted, 'x' as comment, date '2020-01-02' as day, timestamp '2020-01-02 03:04:05' as at,
          timestamptz '2020-01-02 03:04:05+02' as tz, 'infinity'::timestamptz as never, true as yes, true as flag, timestamptz '2020-01-02 03:04:05.5+02' as born, 12.5::numeric as amount"
  metrics:
    - flag: { usage: "LABEL", description: "A boolean" }
    - born: { usage: "LABEL", description: "A time" }
    - took: { usage: "DURATION", description: "Time" }
    - n: { usage: "GAUGE", description: "Number" }
    - text: { usage: "GAUGE", description: "Text" }
    - nothing: { usage: "GAUGE", description: "NULL" }
    - day: { usage: "GAUGE", description: "Day" }
    - at: { usage: "COUNTER", description: "Time" }
    - missing: { usage: "GAUGE", description: "No column" }
shop_unlisted:
  query: "select 5 as ms, 7 as figure, 2 as again"
  runonserver: ">=99.0.0"
  metrics:
    - ms: { usage: "DURATION", description: "Time" }
    - figure: { usage: "MAPPEDMETRIC", description: "Figure" }
shop_age:
  query: "select 'a' as kind, array[10, 1, 2.5] as days, array[9, 2, 4] as days_bucket, 31.5 as days_sum, 12 as days_count union all select 'b', array[1, 2], array[0, 0], 0, 0"
  metrics:
    - kind: { usage: "LABEL", description: "Kind" }
    - days: { usage: "HISTOGRAM", description: "Age" }
"""


def missing(prefix, ours, theirs):
    """Samples and types of the peer that are not ours; of a NULL there is NaN there, and no sample here; times there are whole seconds."""
    had = {key(name, labels): v for name, labels, v in ours.samples}
    for name, labels, v in theirs.samples:
        if re.match(prefix, name) and not math.isnan(v) and not math.isclose(had.get(key(name, labels), math.nan), v, rel_tol=0, abs_tol=0.999 if v > 1e9 else 0):
            yield f"{name}{labels} is {had.get(key(name, labels))}, there {v}"
    for name, kind in theirs.types.items():
        if re.match(prefix, name) and ours.types.get(name, kind) != kind:
            yield f"{name} is a {ours.types[name]}, there {kind}"


def test_the_peers_file_of_queries_is_taken_as_it_is(box):
    """F7. Whatever its DateStyle, a role's times are times."""
    server = box.start(Postgres)
    server.sql("create table orders (id int, state text); insert into orders values (1, 'new'), (2, 'new'), (3, 'paid'); alter role postgres set datestyle = 'German'")
    queries = box.write("queries.yaml", QUERIES)
    peer = box.start(Peer, server.url(), [f"--extend.query-path={queries}"])
    exporter = box.start(Exporter, box.write("exporter.yml", f"gauges:\n  - {{ name: shop, url: '{server.url()}', queries_file: queries.yaml }}\n"))
    theirs, ours = Metrics(peer.text()), scrape(exporter, path="/probe?target=shop")
    assert len([name for name in theirs.types if name.startswith("shop_")]) > 14
    assert not list(missing("shop_", ours, theirs))
    names = {name for name in ours.names() if name.startswith("shop_")}
    assert not names - theirs.names() and ours.find("shop_unlisted_again") and ours.find("shop_age_days_count")
    assert all(v == 1 for labels, v in ours.find("tocsin_gauges_collector_success"))
    assert exporter.process.text().count("column of a gauge query failed") == 1 and 'no column \\"missing\\"' in exporter.process.text()
    # cache_seconds: shop_orders is not asked again, its neighbours are
    server.sql("insert into orders values (4, 'paid')")
    assert scrape(exporter, path="/probe?target=shop").value("shop_orders_count", state="paid") == 1
    server.stop()
    m = scrape(exporter, path="/probe?target=shop")
    assert m.value("tocsin_gauges_up") == 0 and not m.find("shop_orders_count")


@pytest.mark.skipif(not EXAMPLE.exists(), reason="a machine without documentation")
def test_the_peers_example_of_queries(box):
    """F7: every metric that Debian's file gives there, it gives here; what fails there (a view of before Postgres 13) fails here."""
    server = box.start(Postgres)
    server.sql("create table t (id int primary key); insert into t select generate_series(1, 100); vacuum analyze t")
    queries = box.write("queries.yaml", EXAMPLE.read_text())
    peer = box.start(Peer, server.url(), [f"--extend.query-path={queries}"])
    exporter = box.start(Exporter, box.write("exporter.yml", f"gauges:\n  - {{ name: shop, url: '{server.url()}', queries_file: queries.yaml }}\n"))
    wanted = "pg_replication_lag|pg_postmaster|pg_stat_user_tables|pg_statio_user_tables"

    def same_at_a_time():                               # a session tells its statistics when it ends, which is after psql has
        theirs, ours = Metrics(peer.text()), scrape(exporter, path="/probe?target=shop")
        assert not list(missing(wanted, ours, theirs))
        return ours
    m = wait_for("both say the same", same_at_a_time)
    assert m.find("pg_stat_user_tables_last_vacuum") and m.types["pg_process_idle_seconds"] == "histogram"
    assert {labels["query"] for labels, v in m.find("tocsin_gauges_collector_success") if v == 0} == {"pg_stat_statements"}


def test_tables_and_indexes_as_the_views_have_them(box):
    """We ask the functions below the views: nobody may see a difference."""
    server = box.start(Postgres, ["autovacuum=off"])
    server.sql("""create table plain (id int primary key, x text, y int); create index on plain (y); alter table plain alter x set storage external; insert into plain select g, repeat(md5(g::text), 200), g from generate_series(1, 300) g;
        create table parted (id int, x text) partition by range (id); create table part1 partition of parted for values from (0) to (1000); create index on parted (id);
        insert into parted select g, g from generate_series(1, 500) g; create materialized view counted as select count(*) from plain; create schema s; create table s.bare (a int);
        update plain set y = y + 1 where id < 50; delete from plain where id > 290; vacuum plain; analyze part1""")
    server.sql("set enable_seqscan = off; select length(x || 1) from plain where id = 7; select count(*) from plain where y between 3 and 9; select * from parted where id = 3; select pg_stat_force_next_flush()")
    exporter = box.start(Exporter, box.write("exporter.yml", f"postgres:\n  - {{ name: main, url: '{server.url()}', enable: [stat_user_indexes, statio_user_indexes] }}\n"))
    views = {  # view: our prefix, the columns that are called otherwise, of what its rows are
        "pg_stat_user_tables": ("pg_stat_user_tables_", {}, ["schemaname", "relname"]),
        "pg_statio_user_tables": ("pg_statio_user_tables_", {f"{of}_blks_{how}": f"{of}_blocks_{how}" for of in ("heap", "idx", "toast", "tidx") for how in ("read", "hit")}, ["schemaname", "relname"]),
        "pg_stat_user_indexes": ("pg_stat_user_indexes_", {c: f"{c}_total" for c in ("idx_scan", "idx_tup_read", "idx_tup_fetch")}, ["schemaname", "relname", "indexrelname"]),
        "pg_statio_user_indexes": ("pg_statio_user_indexes_", {c: f"{c}_total" for c in ("idx_blks_read", "idx_blks_hit")}, ["schemaname", "relname", "indexrelname"])}

    def wrong(m):
        for view, (prefix, renamed, names) in views.items():
            rows = json.loads(server.sql(f"select json_agg(v) from (select *, (select json_object_agg(k, extract(epoch from e::timestamptz)) from json_each_text(row_to_json(u)) as t (k, e) "
                                         f"where k like 'last\\_%' and e is not null) as epochs from {view} u) v"))
            assert len(rows) >= 3
            for row in rows:
                labels = {name: row[name] for name in names}
                for column, value in row.items():
                    if column not in ("relid", "indexrelid", "epochs", *names):
                        want = (row["epochs"] or {}).get(column, 0) if column.startswith("last_") else value or 0
                        if m.value(prefix + renamed.get(column, column), **labels) != want:
                            yield f"{view} {labels} {column}: {want}, not {m.value(prefix + renamed.get(column, column), **labels)}"

    def right():                                        # a session tells its statistics when it ends, which is after psql has
        m = scrape(exporter)
        assert m.value("pg_stat_user_tables_idx_scan", relname="plain") and not list(wrong(m)), list(wrong(m))
        return m
    m = wait_for("both say the same", right)
    assert m.value("pg_stat_user_tables_idx_scan", relname="plain") > 0 and m.value("pg_statio_user_tables_toast_blocks_hit", relname="plain") > 0
