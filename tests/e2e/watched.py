"""An alerter with all around it: targets whose metrics a test sets, a webhook, a status page, and what the alerter says of itself."""
import json
import subprocess
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from servers import Alerter, binary, free_port, wait_for

sys.path.insert(0, str(Path(__file__).parent / "standin"))
from statuspage import Statuspage  # noqa: E402,F401
from webhook import Webhook  # noqa: E402

FAST = {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"}
EVERY_SECOND = {"scrape_interval": "1s", "scrape_timeout": "1s"}       # for an exporter that has servers to ask
AT_ONCE = {"group_by": ["alertname"], "group_wait": "0s", "group_interval": "200ms", "repeat_interval": "1h"}


class Target:
    """/metrics with the text a test gives it. down(): nobody listens any more; up(): the same port again."""

    def __init__(self, _folder=None, text="", answer=None):
        self.text, self.answer, self.port, self.server, self.headers = text, answer, free_port(), None, []
        self.up()

    def up(self):
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                owner.headers.append(dict(self.headers))
                status, text = owner.reply(self.path)
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None          # who was killed while asking
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def reply(self, _path):
        return self.answer or 200, self.text

    def down(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def set(self, **gauges):
        self.text = "".join(f"{name} {value}\n" for name, value in gauges.items())

    stop = down

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"


def alert_rule(name, expr, seconds="0s", severity="critical", **annotations):
    return {"alert": name, "expr": expr, "for": seconds, "labels": {"severity": severity}, "annotations": annotations}


def rule_file(*rules, interval="200ms", name="test"):
    return json.dumps({"groups": [{"name": name, "interval": interval, "rules": list(rules)}]}, indent=1)


def job(name, *things, **more):
    addresses = [t if isinstance(t, str) else f"127.0.0.1:{t.port}" for t in things]
    return {"job_name": name, "static_configs": [{"targets": addresses}], **more}


def statuspage_config(page, component=None):
    components = [{"id": component}] if component else []
    return {"api_url": page.url, "page_id": page.page_id, "api_key": page.key, "components": components}


class Watch:
    """The alerter, its tocsin.yml and rules.yml in <box>, and a webhook as its receiver (none when <receiver> is given), which may take <timeout>."""

    def __init__(self, box, jobs, rules, page=None, component="db", receiver=None, timeout="20s", args=(), start=True, **more):
        self.box, self.hook = box, None
        self.rules_path = box.write("rules.yml", rule_file(*rules) if isinstance(rules, (list, tuple)) else rules)
        if receiver is None:
            self.hook = Webhook()
            box.started.append(self.hook)
            receiver = {"webhook_configs": [{"url": self.hook.url, "timeout": timeout}]}
        if page:
            receiver["statuspage_configs"] = [{"timeout": "20s", **statuspage_config(page, component)}]
        self.config = {"global": dict(FAST), "rule_files": ["rules.yml"], "scrape_configs": list(jobs),
                       "route": {"receiver": "all", **AT_ONCE}, "receivers": [{"name": "all", **receiver}], **more}
        self.path = box.write("tocsin.yml", json.dumps(self.config, indent=1))
        self.program = box.start(Alerter, self.path, ["--storage.path", box.folder / "data", *args]) if start else None

    def data(self, path):
        answer = self.program.json(path)
        assert answer["status"] == "success", answer
        return answer["data"]

    def alerts(self, name, **labels):
        return [a for a in self.data("/api/v1/alerts")["alerts"] if {"alertname": name, **labels}.items() <= a["labels"].items()]

    def alert(self, name, **labels):
        found = self.alerts(name, **labels)
        assert len(found) <= 1, found
        return found[0] if found else None

    def state(self, name, **labels):
        found = self.alert(name, **labels)
        return found["state"] if found else "inactive"

    def query(self, expr):
        """[(labels, value)] of an instant query."""
        result = self.data("/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
        return [(r["metric"], float(r["value"][1])) for r in result["result"]]

    def value(self, expr):
        found = self.query(expr)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def until(self, what, condition, seconds=60):
        return wait_for(what, condition, seconds)

    def until_state(self, name, state, seconds=60, **labels):
        self.until(f"{name} is {state}", lambda: self.state(name, **labels) == state, seconds)

    def told(self, name, status="firing", seconds=60):
        """The one message about <name> with this status; fails when there are several or none."""
        self.hook.wait_for(lambda h: h.told(name, status), seconds, f"{name} {status}")
        messages = self.hook.told(name, status)
        assert len(messages) == 1, messages
        return messages[0]["body"], next(a for a in messages[0]["body"]["alerts"] if a["labels"]["alertname"] == name)

    def ticks(self, n=3):
        """Waits until every group was evaluated <n> times more."""
        def count():
            return [g["lastEvaluation"] for g in self.data("/api/v1/rules")["groups"]]
        for _ in range(n):
            before = count()
            self.until("a tick", lambda: all(a != b for a, b in zip(before, count())))

    def kept(self):
        """Waits until what is known now would outlive a kill."""
        now = time.time()

        def last():
            done = subprocess.run([binary("tocsin-alerter"), "export", "openmetrics", "up", "--storage.path", self.box.folder / "data"], capture_output=True, text=True)
            return max(float(line.split()[-1]) for line in done.stdout.splitlines() if line.startswith("up"))
        self.scraped()
        self.until("it is on disk", lambda: last() > now)

    def scraped(self):
        """Waits until every target was scraped once more, well."""
        def times():
            return [(t["lastScrape"], t["health"]) for t in self.data("/api/v1/targets")["activeTargets"]]
        before = times()
        self.until("a scrape", lambda: all(a != b and b[1] == "up" for a, b in zip(before, times())))
