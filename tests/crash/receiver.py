"""The receiver of the crash test: a webhook that writes each request it takes to a file before it answers, answers in two pieces and
after a while, and now and then refuses. It is killed and started again; the file is what was received.

    python3 receiver.py PORT FILE SEED
"""
import json
import os
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            fate, first_s, second_s = self.server.random.random(), *(self.server.random.random() * 0.03 for _ in range(2))
        if fate < 0.04:
            self.wfile.write(b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n")
            return
        entry = {"time": time.time(), "key": self.headers.get("Idempotency-Key"), "marked": self.headers.get("X-Tocsin-Possible-Repeat") == "true",
                 "body": json.loads(body)}
        os.write(self.server.ledger, json.dumps(entry).encode() + b"\n")
        time.sleep(first_s)
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-")
        time.sleep(second_s)
        self.wfile.write(b"Length: 0\r\n\r\n")


class Server(ThreadingHTTPServer):
    daemon_threads, allow_reuse_address = True, True

    def handle_error(self, *_):
        pass                            # who asked was killed


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        server.lock, server.random = threading.Lock(), random.Random(int(sys.argv[3]))
        server.ledger = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        server.serve_forever()
