"""F5, F17, O2, P3: business figures from SQL, Redis and JSON."""
import concurrent.futures
import gzip
import socket
import threading
import time
import zlib
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2
from exporter_text import Json, Silent, scrape
from servers import Exporter, Postgres, Redis, wait_for
from test_redis_source import Script


def test_sql(box):
    postgres = box.start(Postgres)
    postgres.sql("create table users (role text, changed timestamptz); insert into users values ('admin', now()), ('user', now()), ('user', null);"
                 "create table opportunities (id int);")
    exporter = box.start(Exporter, box.write("e.yml", f"""
postgres: [{{ name: main, url: '{postgres.url()}' }}]
gauges:
  - name: business
    postgres: main
    queries:
      - sql: select count(*) as n, max(id) as top from opportunities
        metrics:
          - {{ name: opportunities, help: Open ones., value: n }}
          - {{ name: opportunity_top, help: Newest., value: top, null: zero }}
          - {{ name: opportunity_maybe, help: Newest., value: top }}
      - sql: select role, count(*) as n, count(changed) as changed from users group by role
        metrics:
          - {{ name: users, help: By role., value: n, labels: [role] }}
          - {{ name: role_changes, help: By role., value: changed, labels: {{ who: role }} }}
      - sql: select 'v3' as version where true
        metrics: [{{ name: shop_build_info, help: Version., type: info, labels: [version] }}]
      - sql: delete from users returning 1 as value
        metrics: [{{ name: deleted, help: Never. }}]
      - sql: select nonsense
        metrics: [{{ name: wrong, help: Never. }}]
"""))
    m = scrape(exporter)
    assert m.value("opportunities", source="business") == 0
    assert m.value("opportunity_top") == 0 and m.value("opportunity_maybe") is None
    assert m.value("users", role="user") == 2 and m.value("users", role="admin") == 1
    assert m.value("role_changes", who="user") == 1 and m.value("shop_build_info", version="v3") == 1
    assert m.value("tocsin_gauges_up", source="business") == 1
    assert m.value("tocsin_gauges_collector_success", query="opportunities") == 1
    assert m.value("tocsin_gauges_collector_success", query="deleted") == 0 and m.value("tocsin_gauges_collector_success", query="wrong") == 0
    assert postgres.sql("select count(*) from users") == "3", "a gauge could write"
    scrape(exporter)
    assert exporter.process.text().count("query wrong") == 1
    postgres.sql("insert into opportunities values (5)")
    assert scrape(exporter).value("opportunities") == 1
    postgres.stop()
    m = scrape(exporter)
    assert m.value("tocsin_gauges_up") == 0 and not m.find("opportunities")


def test_interval_is_off_the_scrape_path(box):
    postgres = box.start(Postgres)
    exporter = box.start(Exporter, box.write("e.yml", f"""
gauges:
  - name: slow
    url: '{postgres.url()}'
    interval: 30s
    queries: [{{ sql: 'select 3 as value from pg_sleep(3)', metrics: [{{ name: slow_figure, help: x }}] }}]
"""))
    assert wait_for("the figure", lambda: scrape(exporter).value("slow_figure")) == 3
    m = scrape(exporter)
    assert m.value("tocsin_exporter_collector_duration_seconds", source="slow", collector="gauges") < 3
    assert m.value("tocsin_exporter_collector_age_seconds", source="slow", collector="queries") < 30


def test_a_server_that_comes_later_is_not_missed_for_an_interval(box):
    """Both were started together, and the exporter was the first."""
    redis = box.start(Redis)
    redis.stop()
    exporter = box.start(Exporter, box.write("e.yml", f"""
redis: [{{ name: cache, url: '{redis.url()}', count_keys: [a], scan_interval: 1d }}]
gauges: [{{ name: keys, redis: cache, interval: 1d, queries: [{{ command: [GET, a], metrics: [{{ name: a_figure, help: x }}] }}] }}]
"""))
    assert scrape(exporter).value("tocsin_gauges_up") == 0
    redis.start()
    redis.cli("set", "a", 7)
    m = wait_for("the figures", lambda: (lambda m: m.value("a_figure") and m.value("redis_keys_count") and m)(scrape(exporter)))
    assert m.value("a_figure") == 7 and m.value("tocsin_gauges_up") == 1


def test_redis(box):
    redis = box.start(Redis)
    redis.cli("rpush", "celery", "a", "b")
    redis.cli("hset", "tiers", "free", "10", "pro", "4")
    redis.cli("set", "refreshed", "1700000000.5")
    exporter = box.start(Exporter, box.write("e.yml", f"""
redis: [{{ name: cache, url: '{redis.url()}' }}]
gauges:
  - name: keys
    redis: cache
    queries:
      - {{ command: [LLEN, celery], metrics: [{{ name: queue_length, help: x }}] }}
      - {{ command: [HGETALL, tiers], rows: pairs, metrics: [{{ name: calls, help: x, labels: {{ tier: '@key' }} }}] }}
      - {{ command: [GET, refreshed], metrics: [{{ name: refreshed_seconds, help: x, unit: seconds }}] }}
      - {{ command: [GET, nothing], metrics: [{{ name: nothing, help: x, null: nan }}] }}
      - {{ command: [GET, tiers], metrics: [{{ name: wrong, help: x }}] }}
"""))
    m = scrape(exporter)
    assert m.value("queue_length", source="keys") == 2
    assert m.value("calls", tier="pro") == 4 and m.value("calls", tier="free") == 10
    assert m.value("refreshed_seconds") == 1700000000.5
    assert m.value("nothing") != m.value("nothing")
    assert m.value("tocsin_gauges_collector_success", query="wrong") == 0
    redis.stop()
    assert scrape(exporter).value("tocsin_gauges_up") == 0


def test_json(box):
    documents = {"/metrics": {"users": {"total": 12, "active": None}, "contests": [{"id": "a", "n": 1}, {"id": "b", "n": 2}]},
                 "/breaker": {"state": "OPEN", "by": {"db": "CLOSED", "api": "HALF_OPEN"}}, "/broken": "{", "/list": [{"id": "x", "n": 7}]}
    with Json(documents) as server:
        exporter = box.start(Exporter, box.write("e.yml", f"""
gauges:
  - name: api
    url: 'http://user:hush@127.0.0.1:{server.port}'
    headers_file: {box.write("headers", "apikey: s3cret")}
    queries:
      - path: /metrics
        metrics:
          - {{ name: users_total, help: x, type: counter, value: /users/total }}
          - {{ name: users_active, help: x, value: /users/active, null: zero }}
      - {{ path: /metrics, rows: /contests, metrics: [{{ name: contest_entries, help: x, value: n, labels: {{ contest: id }} }}] }}
      - {{ path: /list, rows: '', metrics: [{{ name: listed, help: x, value: n, labels: [id] }}] }}
      - path: /breaker
        metrics: [{{ name: breaker_state, help: x, value: state, map: {{ CLOSED: 0, HALF_OPEN: 1, OPEN: 2 }} }}]
      - path: /breaker
        rows: /by
        metrics: [{{ name: breaker_by, help: x, value: '', labels: {{ what: '@key' }}, map: {{ CLOSED: 0, HALF_OPEN: 1, OPEN: 2 }} }}]
      - {{ path: /broken, metrics: [{{ name: broken, help: x }}] }}
      - {{ path: /missing, metrics: [{{ name: missing, help: x }}] }}
"""))
        m = scrape(exporter)
        assert m.value("users_total", source="api") == 12 and m.types["users_total"] == "counter"
        assert m.value("users_active") == 0
        assert m.value("contest_entries", contest="b") == 2 and m.value("listed", id="x") == 7
        assert m.value("breaker_state") == 2 and m.value("breaker_by", what="api") == 1
        assert m.value("tocsin_gauges_collector_success", query="broken") == 0
        assert m.value("tocsin_gauges_collector_success", query="missing") == 0
        assert m.value("tocsin_gauges_up") == 1
        assert server.headers[-1]["apikey"] == "s3cret"
        shown = exporter.process.text() + exporter.get("/")[2]
        assert "hush" not in shown and "s3cret" not in shown
    assert scrape(exporter).value("tocsin_gauges_up") == 0


class Gate(dict):
    """Documents that are given out when the gate is open."""

    def __init__(self, documents):
        super().__init__(documents)
        self.open = threading.Event()

    def get(self, path):
        assert self.open.wait(60)
        return super().get(path)


def test_scrapes_at_once_share_their_page(box):
    """Forty clients that wait for one collection get one page, made once: what each says of the age of its figures is the same."""
    gate = Gate({"/": {"rows": [{"k": f"thing-{i}", "v": i} for i in range(10000)]}})
    with Json(gate) as server:
        exporter = box.start(Exporter, box.write("e.yml", f"""
gauges: [{{ name: big, url: 'http://127.0.0.1:{server.port}/', timeout: 50s, max_series: 20000,
  queries: [{{ rows: /rows, metrics: [{{ name: thing, help: x, value: /v, labels: {{ k: /k }} }}] }}] }}]
"""))
        clients = [HTTPConnection("127.0.0.1", exporter.port, timeout=60) for _ in range(40)]
        for i, client in enumerate(clients):
            client.request("GET", "/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "60", "Accept-Encoding": "gzip" if i % 2 else "identity"})
        for _ in range(5):
            assert exporter.get("/-/healthy")[0] == 200
        gate.open.set()
        pages = [client.getresponse() for client in clients]
        pages = [gzip.decompress(p.read()) if p.headers["Content-Encoding"] else p.read() for p in pages]
        for client in clients:
            client.close()
        assert all(page.count(b"\nthing{") == 10000 for page in pages) and len(set(pages)) <= 5, "those that came late aside"


def test_silent_http_server(box):
    with Silent() as silent:
        exporter = box.start(Exporter, box.write("e.yml", f"gauges: [{{ name: api, url: 'http://127.0.0.1:{silent.port}/', "
                             "queries: [{ metrics: [{ name: x, help: x }] }] }]\n"))
        assert scrape(exporter, 1).value("tocsin_gauges_up") == 0


def test_cap_is_named(box):
    postgres = box.start(Postgres)
    exporter = box.start(Exporter, box.write("e.yml", f"""
gauges:
  - name: many
    url: '{postgres.url()}'
    max_series: 10
    queries: [{{ sql: 'select i, i as value from generate_series(1, 11) i', metrics: [{{ name: rows, help: x, labels: [i] }}] }}]
  - name: twins
    url: '{postgres.url()}'
    queries: [{{ sql: "values ('a', 1), ('a', 2)", metrics: [{{ name: twice, help: x, labels: {{ l: column1 }}, value: column2 }}] }}]
"""))
    m = scrape(exporter)
    assert not m.find("twice") and m.value("tocsin_gauges_collector_success", query="twice") == 0
    assert 'twice{l=\\"a\\"} comes twice: rows must differ in their labels' in exporter.process.text()
    assert not m.find("rows") and m.value("tocsin_gauges_collector_success", query="rows") == 0
    assert "more than 10 series (max_series)" in exporter.process.text()


def test_a_bad_query_takes_no_other_along(box):
    """F7, F17: one that is too slow, one that ends the connection, one that is no query: each fails alone, and nothing hangs on it."""
    postgres, redis = box.start(Postgres), box.start(Redis)
    exporter = box.start(Exporter, box.write("e.yml", f"""
redis: [{{ name: cache, url: '{redis.url()}' }}]
gauges:
  - name: sql
    url: '{postgres.url()}'
    timeout: 1s
    queries:
      - {{ sql: "copy (select 1) to stdout", metrics: [{{ name: copied, help: x }}] }}
      - {{ sql: "select pg_terminate_backend(pg_backend_pid()) as value", metrics: [{{ name: ended, help: x }}] }}
      - {{ sql: "select 1 as value from pg_sleep(60)", metrics: [{{ name: slept, help: x }}] }}
      - {{ sql: "select 1 as value", metrics: [{{ name: first, help: x }}] }}
      - {{ sql: "select 2 as value", metrics: [{{ name: second, help: x }}] }}
  - name: redis
    redis: cache
    timeout: 1s
    queries:
      - {{ command: [LRANGE, nothing], metrics: [{{ name: ranged, help: x }}] }}
      - {{ command: [LLEN, nothing], metrics: [{{ name: listed, help: x }}] }}
"""))

    def failed(m):
        return {had["query"] for had, v in m.find("tocsin_gauges_collector_success") if v == 0}
    m = wait_for("the good ones", lambda: next((m for m in [scrape(exporter)] if len(failed(m)) == 4 and m.value("second") == 2), None))
    assert failed(m) == {"copied", "ended", "slept", "ranged"} and m.value("first") == 1 and m.value("listed") == 0
    assert [v for _, v in m.find("tocsin_gauges_up")] == [1, 1]
    assert "query copied: the statement is a COPY" in exporter.process.text()
    wait_for("a word of the slow one", lambda: scrape(exporter) and "query slept: canceling statement due to statement timeout" in exporter.process.text())
    assert exporter.stop() == 0


class Odd:
    """An HTTP server that misbehaves, a path each."""

    def __init__(self):
        outer = self
        outer.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                try:
                    getattr(self, self.path.strip("/"))()
                except OSError:
                    pass

            def redirect(self):
                self.send_response(302)
                self.send_header("Location", f"http://127.0.0.1:{outer.port}/stolen")
                self.end_headers()

            def stolen(self):
                self.begin(13)
                self.wfile.write(b'{"value": 1}\n')

            def begin(self, length):
                self.send_response(200)
                self.send_header("Content-Length", str(length))
                self.end_headers()

            def gigabyte(self):
                self.begin(1 << 30)
                for _ in range(1 << 10):
                    self.wfile.write(b" " * (1 << 20))

            def bomb(self):
                self.send_response(200)
                self.send_header("Content-Encoding", "gzip")
                self.end_headers()
                packer = zlib.compressobj(9, wbits=31)
                for _ in range(1 << 8):
                    self.wfile.write(packer.compress(b" " * (1 << 20)))
                self.wfile.write(packer.flush())

            def trickle(self):
                self.begin(1000)
                while True:
                    self.wfile.write(b" ")
                    time.sleep(0.1)

            def half(self):
                self.begin(1000)
                self.wfile.write(b'{"value": 1')
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)

            def deep(self):
                self.begin(200000)
                self.wfile.write(b"[" * 200000)

            def good(self):
                self.stolen()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def peak_kb(exporter):
    return int(next(line for line in open(f"/proc/{exporter.process.pid}/status") if line.startswith("VmHWM")).split()[1])


def test_http_servers_that_misbehave(box):
    server = box.start(lambda folder: Odd())
    faults = ["redirect", "gigabyte", "bomb", "trickle", "half", "deep"]
    queries = "".join(f"      - {{ path: /{p}, metrics: [{{ name: {p}_figure, help: x }}] }}\n" for p in ["good", *faults])
    exporter = box.start(Exporter, box.write("e.yml", f"""
gauges:
  - {{ name: alone, url: 'http://127.0.0.1:{server.port}/trickle', timeout: 5m, queries: [{{ metrics: [{{ name: slow_figure, help: x }}] }}] }}
  - name: all
    url: 'http://127.0.0.1:{server.port}'
    headers: ['apikey: hush']
    timeout: 5m
    queries:
{queries}"""))

    def all_is_said():
        m = scrape(exporter, 2)
        assert m.value("tocsin_gauges_up", source="all") == 1 and m.value("good_figure") == 1
        assert [m.value("tocsin_gauges_collector_success", query=f"{p}_figure") for p in faults] == [0] * len(faults)
        assert not [p for p in faults if m.find(f"{p}_figure")]
        text = exporter.process.text()
        return "HTTP status 302" in text and "the body is over 8388608 bytes" in text
    wait_for("all is said", all_is_said)
    assert "/stolen" not in server.asked and "hush" not in exporter.process.text()
    assert peak_kb(exporter) < 300_000
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        pages = list(pool.map(lambda _: scrape(exporter, 2), range(100)))
    assert all(m.value("tocsin_gauges_up", source="alone") is not None for m in pages)


def test_locked_table_and_too_much(box):
    postgres = box.start(Postgres)
    postgres.sql("create table orders (id int); insert into orders values (1); create table free (id int)")
    exporter = box.start(Exporter, box.write("e.yml", f"""
gauges:
  - name: shop
    url: '{postgres.url()}'
    queries:
      - {{ sql: 'select count(*) as value from orders', metrics: [{{ name: orders, help: x }}] }}
      - {{ sql: 'select count(*) as value from free', metrics: [{{ name: free_rows, help: x }}] }}
  - name: many
    url: '{postgres.url()}'
    timeout: 60s
    queries: [{{ sql: 'select i, i as value from generate_series(1, 3000000) i', metrics: [{{ name: rows, help: x, labels: [i] }}] }}]
  - name: long
    url: '{postgres.url()}'
    timeout: 60s
    queries: [{{ sql: "select repeat('1', 60000000) as value", metrics: [{{ name: digits, help: x }}] }}]
"""))
    m = scrape(exporter, 60)
    assert m.value("orders") == 1 and m.value("free_rows") == 0
    assert m.value("tocsin_gauges_up", source="many") == 0 and m.value("tocsin_gauges_up", source="long") == 0
    text = exporter.process.text()
    assert "query rows: a reply of more than" in text and "query digits: a reply of more than" in text
    assert peak_kb(exporter) < 400_000, f"{peak_kb(exporter)} kB"
    with psycopg2.connect(postgres.url()) as lock:
        lock.cursor().execute("alter table orders add column x int")
        m = scrape(exporter, 60)
        assert m.value("orders") is None and m.value("tocsin_gauges_collector_success", query="orders") == 0
        assert m.value("free_rows") == 0 and m.value("tocsin_gauges_up", source="shop") == 1
        lock.rollback()
    assert scrape(exporter, 60).value("orders") == 1
    assert "lock timeout" in exporter.process.text()


def test_redis_gauges_of_a_server_that_misbehaves(box):
    faults = {"silent": (None, None), "half": (b"+OK\r\n", b"$10\r\n1"), "garbage": (b"HTTP/1.1 400\r\n\r\n", None),
              "gigabyte": (b"+OK\r\n", b"$1000000000\r\n1")}
    redis, gauges = [], []
    for name, says in faults.items():
        port = box.start(lambda folder: Script(*says)).port
        redis.append(f"  - {{ name: redis-{name}, url: 'redis://127.0.0.1:{port}', timeout: 5m }}\n")
        gauges.append(f"  - {{ name: {name}, redis: redis-{name}, timeout: 5m, queries: [{{ command: [GET, x], metrics: [{{ name: x, help: x }}] }}] }}\n")
    exporter = box.start(Exporter, box.write("e.yml", "redis:\n" + "".join(redis) + "gauges:\n" + "".join(gauges)))
    m = scrape(exporter, 2)
    assert [m.value("tocsin_gauges_up", source=name) for name in faults] == [0] * len(faults) and not m.find("x")
