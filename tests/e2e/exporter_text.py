"""Reading what the exporter serves, and upstreams that misbehave."""
import json
import re
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LINE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """value("pg_up", source="main"): the one sample of that name with (at least) those labels, None when there is none."""

    def __init__(self, text):
        self.samples, self.types = [], {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types, f"{name} comes in two pieces"
                self.types[name] = kind
            elif line and not line.startswith("#"):
                name, labels, value = LINE.match(line).groups()
                self.samples.append((name, dict(LABEL.findall(labels or "")), float(value)))

    def find(self, name, **labels):
        return [(had, v) for n, had, v in self.samples if n == name and all(had.get(k) == x for k, x in labels.items())]

    def value(self, name, **labels):
        found = self.find(name, **labels)
        assert len(found) <= 1, found
        return found[0][1] if found else None

    def names(self, **labels):
        return {n for n, had, _ in self.samples if all(had.get(k) == x for k, x in labels.items())}


def scrape(exporter, timeout=10, path="/metrics", **headers):
    """A page that waits for a silent source longer than the scraper does has not come after half a minute more: give that source minutes."""
    status, _, text = exporter.get(path, headers={"X-Prometheus-Scrape-Timeout-Seconds": str(timeout), **headers}, timeout=timeout + 30)
    assert status == 200, text
    return Metrics(text)


class Silent:
    """Lets people connect and never says a word."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.socket.getsockname()[1]

    def asked(self):
        return select.select([self.socket], [], [], 0)[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class Dead:
    """A port that is taken, and refuses every connection."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]


class Json:
    """An HTTP server with one JSON document a path; remembers the headers it got."""

    def __init__(self, documents):
        self.documents, self.headers = documents, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.headers.append(dict(self.headers))
                body = outer.documents.get(self.path)
                text = body if isinstance(body, str) else json.dumps(body)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
