"""What both stand-ins share: an HTTP server in a thread, a script of misbehaviour, and a way to read it all back.

Misbehaviour is a list of steps, each used once, first come first served (GET requests only use steps that say so):
    {"status": 500}                          answers 500; the request is not carried out
    {"status": 429, "retry_after": 2}        with a Retry-After header
    {"hang": true}                           never answers (until the stand-in stops)
    {"late": 3}                              carries it out, answers 3 s later
    {"lose": true}                           carries it out, then closes the connection without an answer
    {"reset": true}                          resets the connection without carrying it out
and "method": "GET" to concern GET requests, "path": "text" to concern only paths that hold it, "times": n for n requests.
"""
import argparse
import json
import signal
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, body=b"", **headers):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def cut(self, reset):
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, OSError, ValueError):
            self.close_connection = True

    def finish(self):
        try:
            super().finish()
        except (ConnectionError, OSError, ValueError):
            pass

    def serve(self):
        owner, body = self.server.owner, self.body()
        if self.path.startswith("/standin/"):
            self.control(body)
            return
        step = owner.next_step(self.command, self.path)
        if step.get("hang"):
            owner.stopping.wait()
        if step.get("hang") or step.get("reset"):
            self.cut(True)
            return
        if "status" in step:
            headers = {"Retry_After": step["retry_after"]} if "retry_after" in step else {}
            owner.refused(self, body, step["status"])
            self.answer(step["status"], {"error": step.get("error", "scripted")}, **headers)
            return
        status, reply, headers = owner.carry_out(self, body)
        if step.get("late"):
            owner.stopping.wait(step["late"])
        if step.get("lose"):
            self.cut(False)
            return
        self.answer(status, reply, **headers)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = serve

    def control(self, body):
        """/standin/script (POST: a list of steps, appended) and /standin/state (GET: all that happened)."""
        if self.path == "/standin/script":
            self.server.owner.misbehave(*json.loads(body))
            self.answer(200, {})
        else:
            self.answer(200, self.server.owner.state())


class Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128


class Standin:
    def __init__(self, port=0, say=None):
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.script = []
        self.say = say
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.owner = self
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()

    def misbehave(self, *steps):
        with self.lock:
            for step in steps:
                self.script.extend(dict(step) for _ in range(step.get("times", 1)))

    def next_step(self, method, path):
        with self.lock:
            for i, step in enumerate(self.script):
                if step.get("path", "") in path and (step.get("method") or method) == method and (method != "GET" or "method" in step):
                    return self.script.pop(i)
        return {}

    def refused(self, request, body, status):
        pass

    def wait_for(self, condition, seconds=60, what="the stand-in to see it"):
        """Until condition(self) is true; returns its value."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with self.lock:
                value = condition(self)
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"waited {seconds} s for {what}; state: {json.dumps(self.state(), indent=1)[:4000]}")


def main(make, doc, configure=lambda parser: None):
    """Runs a stand-in as a program until SIGTERM or Ctrl-C; prints its address first."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--port", type=int, default=0)
    configure(parser)
    args = parser.parse_args()
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with make(args) as standin:
        print(standin.url, flush=True)
        done.wait()
