"""From a gauge turning bad to the webhook: scrape and evaluation every second, `for: 0`, group_wait 0; ours beside Debian's Prometheus
with its Alertmanager, in the same run, on the same turns of the same gauge."""
import json
import random
import statistics
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TURNS = 30


class Hook:
    """Notes when the n-th turn was first told."""

    def __init__(self):
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                at, body = time.monotonic(), json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                for a in body["alerts"]:
                    owner.told.setdefault((a["status"], int(a["annotations"]["turn"])), at)

            def log_message(self, *_):
                pass

        self.told = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def stop(self):
        self.server.shutdown()


def write_config(folder, target, hooks, am_port):
    base = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}, "rule_files": [str(folder / "latency-rules.yml")],
            "scrape_configs": [{"job_name": "app", "static_configs": [{"targets": [target.address]}]}]}
    route = {"receiver": "hook", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"}
    files = {
        "latency-rules.yml": {"groups": [{"name": "g", "rules": [{"alert": "Bad", "expr": "bad > 0", "annotations": {"turn": "{{ $value }}"}}]}]},
        "latency-tocsin.yml": {**base, "route": route, "receivers": [{"name": "hook", "webhook_configs": [{"url": hooks[0].url}]}]},
        "latency-prometheus.yml": {**base, "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{am_port}"]}]}]}},
        "latency-alertmanager.yml": {"route": route, "receivers": [{"name": "hook", "webhook_configs": [{"url": hooks[1].url}]}]},
    }
    for name, what in files.items():
        (folder / name).write_text(json.dumps(what))


def start(folder, am_port):
    from servers import Alerter, Process, free_port, http
    port = free_port()
    ours = Alerter(folder, folder / "latency-tocsin.yml", ["--storage.path", folder / "latency"])
    am = Process("alertmanager", ["prometheus-alertmanager", f"--config.file={folder / 'latency-alertmanager.yml'}", f"--storage.path={folder / 'am'}",
                                  f"--web.listen-address=127.0.0.1:{am_port}", "--cluster.listen-address="], folder)
    prometheus = Process("prometheus", ["prometheus", "--config.file", folder / "latency-prometheus.yml", "--storage.tsdb.path", folder / "latency-tsdb",
                                        f"--web.listen-address=127.0.0.1:{port}"], folder)
    prometheus.ready(lambda: http(f"http://127.0.0.1:{port}/-/ready")[0] == 200, 60)
    am.ready(lambda: http(f"http://127.0.0.1:{am_port}/-/ready")[0] == 200, 60)
    return [ours, am, prometheus]


def turn(n, target, hooks):
    """Seconds until each was told; then back to good, and until both have told that."""
    from servers import wait_for
    time.sleep(random.random())                         # scrapes and ticks stand anywhere
    begun = time.monotonic()
    target.set(bad=n)
    wait_for("both are told", lambda: all(("firing", n) in h.told for h in hooks), 30, 0.01)
    target.set(bad=0)
    wait_for("both are told the end", lambda: all(("resolved", n) in h.told for h in hooks), 30, 0.02)
    return [h.told[("firing", n)] - begun for h in hooks]


def latency(folder, started, row, say):
    from servers import free_port
    from watched import Target
    target, hooks, am_port = Target(), [Hook(), Hook()], free_port()
    started += [target, *hooks]
    target.set(bad=0)
    write_config(folder, target, hooks, am_port)
    started += start(folder, am_port)
    time.sleep(3)
    say(f"latency: from a gauge turning bad to the webhook, {TURNS} times")
    ours, peer = zip(*(turn(n, target, hooks) for n in range(1, TURNS + 1)))
    say("  of ours the worst was {:.2f} s, of the peer's {:.2f} s".format(max(ours), max(peer)))
    row("latency_to_webhook", statistics.median(ours), statistics.median(peer), "s", 1)
    row("latency_within_0.6_s", statistics.median(ours), 0.6, "s", 1)
