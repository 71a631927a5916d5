"""The application of the demonstration: /metrics as FairEdge exposes them, /health as its guide describes it. Port: first argument."""
import json
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5]
lock = threading.Lock()
requests = {"200": 0, "404": 0, "500": 0}
buckets, total, number = [0] * len(BUCKETS), 0.0, 0


def customers():
    """About twenty requests a second, one in a few thousand an error."""
    global total, number
    while True:
        with lock:
            status = random.choices(["200", "404", "500"], [0.97, 0.0297, 0.0003])[0]
            seconds = random.expovariate(1 / 0.08)
            requests[status] += 1
            total, number = total + seconds, number + 1
            for i, bound in enumerate(BUCKETS):
                buckets[i] += seconds <= bound
        time.sleep(0.05)


def metrics():
    with lock:
        lines = ["# TYPE http_requests_total counter"]
        lines += [f'http_requests_total{{status="{s}"}} {n}' for s, n in requests.items()]
        lines += ["# TYPE http_request_duration_seconds histogram"]
        lines += [f'http_request_duration_seconds_bucket{{le="{b}"}} {n}' for b, n in zip(BUCKETS, buckets)]
        lines += [f'http_request_duration_seconds_bucket{{le="+Inf"}} {number}', f"http_request_duration_seconds_sum {total}",
                  f"http_request_duration_seconds_count {number}", "# TYPE active_users_total gauge", f"active_users_total {20 + number // 100 % 30}"]
    return "\n".join(lines) + "\n"


HEALTH = {"status": "healthy", "version": "1.0.0", "services": {"database": "healthy", "redis": "healthy", "celery": "healthy"}}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        kind, text = ("application/json", json.dumps(HEALTH)) if self.path.startswith("/health") else ("text/plain; version=0.0.4", metrics())
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    threading.Thread(target=customers, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
