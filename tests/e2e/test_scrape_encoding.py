"""How a reply is packed: the limit is of its text, and an encoding that says nothing is none. (C2, P1)"""
import gzip
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from raw import HEAD, Raw
from watched import Watch, job

SMALL = b"a 1\n"
RANDOM = b"".join(b"# %s\na 1\n" % random.Random(i).randbytes(150).hex().encode() for i in range(20))
PACKED = gzip.compress(RANDOM, 0)           # larger than its text
CASES = {                                   # name: (body, Content-Encoding, body_size_limit, whether it is taken)
    "packed": (PACKED, "gzip", len(RANDOM) + 1, True),
    "packed_too_long": (PACKED, "gzip", len(RANDOM), False),
    "much_packed_too_long": (gzip.compress(b"#" * 100000 + b"\n"), "gzip", 10000, False),
    "plain": (RANDOM, None, len(RANDOM) + 1, True),
    "plain_too_long": (RANDOM, None, len(RANDOM), False),
    "empty": (SMALL, "", 0, True),
    "identity": (SMALL, "identity", 0, True),
    "other": (SMALL, "br", 0, False),
}


class Packed:
    def __init__(self, _folder):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body, encoding, _, _ = CASES[self.path[1:]]
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                if encoding is not None:
                    self.send_header("Content-Encoding", encoding)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None      # who hangs up in the middle
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def test_limits_are_of_the_text(box):
    server = box.start(Packed)
    targets = [{"targets": [f"127.0.0.1:{server.server.server_port}"]}]
    watch = Watch(box, [{"job_name": name, "metrics_path": f"/{name}", "static_configs": targets, "body_size_limit": f"{limit}B"}
                        for name, (_, _, limit, _) in CASES.items()], [])
    found = lambda: {labels["job"]: value == 1 for labels, value in watch.query("max_over_time(up[5m])")}  # noqa: E731
    watch.until("every case was scraped", lambda: len(found()) == len(CASES))
    assert found() == {name: taken for name, (_, _, _, taken) in CASES.items()}
    said = {t["labels"]["job"]: t["lastError"] for t in watch.data("/api/v1/targets")["activeTargets"]}
    for name in ("packed_too_long", "much_packed_too_long", "plain_too_long"):
        assert "body_size_limit exceeded" in said[name], said
    assert "\r" not in "".join(said.values())


LENGTHS = {"4": True, "4\r\nContent-Length: 4": True, "4\r\nContent-Length: 3": False, "3\r\nContent-Length: 4": False, "4, 4": False, "4x": False, "+4": False,
           "99999999999999999999": False}


def test_a_length_that_is_none(box):
    """Of a reply whose length is not clear a part could pass for the whole, and what it lacks would be gone: it is none."""
    targets = {text: box.start(Raw, HEAD + f"Content-Length: {text}\r\n\r\n".encode() + SMALL) for text in LENGTHS}
    watch = Watch(box, [job(str(n), targets[text]) for n, text in enumerate(LENGTHS)], [])
    found = lambda: {labels["job"]: value == 1 for labels, value in watch.query("max_over_time(up[5m])")}  # noqa: E731
    watch.until("every case was scraped", lambda: found() == {str(n): taken for n, taken in enumerate(LENGTHS.values())})
    said = {t["labels"]["job"]: t["lastError"] for t in watch.data("/api/v1/targets")["activeTargets"]}
    assert "Content-Length" in said["2"] and "Content-Length" in said["4"], said
