"""F7: beside Debian's postgres_exporter on the same server: its families, labels, types and values are ours, but for what the exceptions say."""
import fnmatch
import math
from pathlib import Path

from exporter_text import Metrics, scrape
from servers import Exporter, Postgres, Process, free_port, http, wait_for

EXCEPTIONS = Path(__file__).with_name("postgres_peer_exceptions.tsv")
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
    exceptions = Exceptions()
    theirs, ours = Metrics(peer.text()), scrape(exporter, path="/probe?target=main")
    assert len(theirs.names() & ours.names()) > 250
    found = list(differences(ours, theirs, exceptions))
    assert not found, "\n".join(found)
    assert not exceptions.unused(), "exceptions that are none any more"


QUERIES = """
shop_orders:
  query: "select state, count(*) as count, max(id) as newest, sum(id) as ids, 'x' as note from orders group by state"
  master: true
  cache_seconds: 30
  metrics:
    - state: { usage: "LABEL", description: "State" }
    - count: { usage: "GAUGE", description: "Orders" }
    - newest: { usage: "GAUGE", description: "Newest" }
    - ids: { usage: "COUNTER", description: "Sum" }
    - note: { usage: "DISCARD", description: "Nothing" }
shop_odd:
  query: "select interval '1s' as took, 3 as n"
  metrics:
    - took: { usage: "DURATION", description: "Time" }
    - n: { usage: "GAUGE", description: "Number" }
"""


def test_the_peers_file_of_queries_is_taken_as_it_is(box):
    server = box.start(Postgres)
    server.sql("create table orders (id int, state text); insert into orders values (1, 'new'), (2, 'new'), (3, 'paid')")
    queries = box.write("queries.yaml", QUERIES)
    peer = box.start(Peer, server.url(), [f"--extend.query-path={queries}"])
    exporter = box.start(Exporter, box.write("exporter.yml", f"gauges:\n  - {{ name: shop, url: '{server.url()}', queries_file: queries.yaml }}\n"))
    theirs, ours = Metrics(peer.text()), scrape(exporter, path="/probe?target=shop")
    for name in ("shop_orders_count", "shop_orders_newest", "shop_orders_ids", "shop_odd_n"):
        found = {key(name, labels): v for labels, v in ours.find(name)}
        assert found and found == {key(name, labels): v for labels, v in theirs.find(name)}
        assert ours.types[name] == theirs.types[name]
    assert not ours.find("shop_orders_note") and not ours.find("shop_odd_took")
    assert "cache_seconds is not honoured" in exporter.process.text() and 'is not taken over: GAUGE' in exporter.process.text()
