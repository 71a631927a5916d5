"""100 targets of 1,005 series, every five seconds, two minutes: ours, Debian's Prometheus and VictoriaMetrics at once on the same targets. Memory, CPU a
sample, bytes a sample on disk, and how long after kill -9 everything can be queried again."""
import json
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TARGETS, SERIES, INTERVAL_S, ROUNDS = 100, 1005, 5, 24
SETTLE_S, POLL_S = 20, 0.01


def page(turn):
    """One target's text: histograms, counters and gauges, as an application has them."""
    lines = ["# TYPE http_request_duration_seconds histogram"]
    for i in range(50):
        for k, bound in enumerate(("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf")):
            lines.append(f'http_request_duration_seconds_bucket{{handler="/api/v1/items/{i}",le="{bound}"}} {1000 * i + turn * (k + 1) * (i % 7)}')
    lines.append("# TYPE http_requests_total counter")
    lines += [f'http_requests_total{{path="/api/v1/items/{i}",status="200"}} {7919 * i + turn * (i % 50) + (turn * i) % 13}' for i in range(300)]
    lines.append("# TYPE queue_depth gauge")
    lines += [f'queue_depth{{queue="queue-{i}",region="eu-west-1"}} {(i * turn) % 97 if i % 3 == 0 else i}' for i in range(SERIES - 800)]
    return ("\n".join(lines) + "\n").encode()


class Targets:
    """Every path under one port is a target; all say the same, something new each interval."""

    def __init__(self, how_many=TARGETS, interval_s=INTERVAL_S):
        self.made, self.interval_s = (-1, b""), interval_s
        began, body_at = time.monotonic(), self.body

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = body_at(time.monotonic() - began)
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.groups = [{"targets": [f"127.0.0.1:{self.server.server_port}"], "labels": {"n": str(n), "__metrics_path__": f"/{n}"}} for n in range(how_many)]

    def body(self, elapsed_s):
        turn = int(elapsed_s / self.interval_s)
        if self.made[0] != turn:
            self.made = (turn, page(turn))
        return self.made[1]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Peer:
    """One of the three: how it is started, what a count of the series is, where its samples lie."""

    def __init__(self, name, folder, args, storage, ready="/-/ready"):
        from servers import free_port
        self.name, self.folder, self.args, self.storage, self.ready_path, self.port = name, folder, args, storage, ready, free_port()
        self.start()

    def start(self):
        from servers import Process, http
        listen = f"-httpListenAddr=127.0.0.1:{self.port}" if self.name == "victoria-metrics" else f"--web.listen-address=127.0.0.1:{self.port}"
        self.process = Process(self.name, [*self.args, listen], self.folder)
        self.process.ready(lambda: http(self.url(self.ready_path))[0] == 200, 120, POLL_S)

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def count(self, at_s, what="count({})"):
        from servers import http
        query = what.replace("{}", '{n!="",__name__!~"up|scrape_.*"}')
        text = http(self.url("/api/v1/query?") + urllib.parse.urlencode({"query": query, "time": at_s}), timeout=120)[2]
        result = json.loads(text)["data"]["result"]
        return int(float(result[0]["value"][1])) if result else 0

    def restart_s(self):
        """From the start of the program, after kill -9, until everything that was there two seconds before can be queried."""
        at_s = time.time() - 2
        there = self.count(at_s)
        self.process.kill()
        began = time.monotonic()
        self.start()
        while self.count(at_s) < there:
            time.sleep(POLL_S)
            assert time.monotonic() - began < 120, f"{self.name} has not all its series after kill -9"
        return time.monotonic() - began

    def stop(self):
        self.process.stop()


def tree_bytes(path):
    return sum(f.stat().st_size for f in Path(path).rglob("*") if f.is_file())


def disk_bytes(peer):
    """What its samples take once they are at rest."""
    from servers import http
    if peer.name == "prometheus":
        said = json.loads(http(peer.url("/api/v1/admin/tsdb/snapshot"), method="POST", timeout=120)[2])
        return tree_bytes(peer.storage / "snapshots" / said["data"]["name"])
    if peer.name == "victoria-metrics":
        http(peer.url("/internal/force_flush"), timeout=120)
        http(peer.url("/internal/force_merge"), timeout=120)
        time.sleep(5)
    peer.process.stop()
    return tree_bytes(peer.storage / ("data" if peer.name == "victoria-metrics" else "blocks"))


def scrapes(folder, started, row, say, cpu_s, status_kb, binary):
    targets = Targets()
    started.append(targets)
    config = folder / "scrapes.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": f"{INTERVAL_S}s", "scrape_timeout": f"{INTERVAL_S}s"},
                                  "scrape_configs": [{"job_name": "bench", "static_configs": targets.groups}]}))
    say(f"scrapes: {TARGETS} targets of {SERIES} series, every {INTERVAL_S} s, {ROUNDS * INTERVAL_S} s, three programs at once")
    where = {name: folder / f"scrapes-{name}" for name in ("tocsin-alerter", "prometheus", "victoria-metrics")}
    peers = [Peer("tocsin-alerter", folder, [binary("tocsin-alerter"), "--config.file", config, "--storage.path", where["tocsin-alerter"]], where["tocsin-alerter"]),
             Peer("prometheus", folder, ["prometheus", "--config.file", config, "--storage.tsdb.path", where["prometheus"], "--web.enable-admin-api"], where["prometheus"]),
             Peer("victoria-metrics", folder, ["victoria-metrics", f"-promscrape.config={config}", f"-storageDataPath={where['victoria-metrics']}"],
                  where["victoria-metrics"], "/health")]
    started += peers
    time.sleep(SETTLE_S)
    before = [cpu_s(p.process.pid) for p in peers]
    time.sleep(ROUNDS * INTERVAL_S)
    spent = [cpu_s(p.process.pid) - b for p, b in zip(peers, before)]
    memory_mb = [status_kb(p.process.pid, "VmRSS") / 1024 for p in peers]
    measured = [p.count(time.time(), f"sum(count_over_time({{}}[{ROUNDS * INTERVAL_S}s]))") for p in peers]
    say("  samples scraped in that time, of those due: " + ", ".join(f"{n / (TARGETS * SERIES * ROUNDS):.1%} {p.name}" for p, n in zip(peers, measured)))
    cpu_us = [s / n * 1e6 for s, n in zip(spent, measured)]
    start_s = [p.restart_s() for p in peers]
    stored = [p.count(time.time(), "sum(count_over_time({}[30m]))") for p in peers]
    bytes_a_sample = [disk_bytes(p) / n for p, n in zip(peers, stored)]
    for i, short in ((1, "prometheus"), (2, "victoria")):
        row(f"scrapes_memory_{short}", memory_mb[0], memory_mb[i], "MB", 1)
        row(f"scrapes_cpu_{short}", cpu_us[0], cpu_us[i], "us", 1)
        row(f"scrapes_disk_{short}", bytes_a_sample[0], bytes_a_sample[i], "bytes", 1)
        row(f"scrapes_start_after_kill_{short}", start_s[0], start_s[i], "s", 2)
    row("scrapes_memory_goal", memory_mb[0], 40, "MB", 1)
    row("scrapes_cpu_goal", cpu_us[0], 0.3, "us", 1)
