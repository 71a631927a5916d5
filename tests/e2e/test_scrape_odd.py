"""Texts at the edge of the formats: what Debian's Prometheus takes, and as what, we take too, and what it refuses we refuse. (C2, P1)"""
import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from servers import Alerter, wait_for
from test_scrape_protobuf import Prometheus, ask

TEXT, OPENMETRICS = "text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0"
CASES = [
    # Text.
    (TEXT, b"a 1\n\n\nb 2\n"), (TEXT, b"a 1"), (TEXT, b"a 1\r\nb 2\r\n"), (TEXT, b"  a 1\n\tb 2\n"), (TEXT, b"a   1   \n"), (TEXT, b"a\t1\n"),
    (TEXT, b"a{} 1\n"), (TEXT, b"a {x=\"1\"} 1\n"), (TEXT, b"a{x=\"1\",} 1\n"), (TEXT, b"a{x=\"1\",,} 1\n"), (TEXT, b"a{,} 1\n"), (TEXT, b"a{ x = \"1\" , y = \"2\" } 1\n"),
    (TEXT, b'a{x="q\\"b\\\\n\\n."} 1\n'), (TEXT, b'a{x="\\t\\x"} 1\n'), (TEXT, b'a{x=""} 1\n'), (TEXT, b'a{x="1",x="2"} 1\n'), (TEXT, b'a{x="1"y="2"} 1\n'), (TEXT, b"a{x='1'} 1\n"),
    (TEXT, b'a{x="1} 1\n'), (TEXT, b'a{x="1" 1\n'), (TEXT, b'a{1x="1"} 1\n'), (TEXT, b'a{x:y="1"} 1\n'), (TEXT, b"a:b 1\n"), (TEXT, b"1a 1\n"), (TEXT, b"a-b 1\n"), (TEXT, "ä 1\n".encode()),
    (TEXT, 'a{x="ä€"} 1\n'.encode()), (TEXT, b'a{x="\xff"} 1\n'), (TEXT, b'a{x="}{,="} 1\n'), (TEXT, b'a{x="#"} 1\n'),
    (TEXT, b"a nan\n"), (TEXT, b"a NaN\n"), (TEXT, b"a +Inf\nb -inf\nc inf\nd Infinity\n"), (TEXT, b"a 0x10\n"), (TEXT, b"a 0x1p4\n"), (TEXT, b"a 1_000\n"), (TEXT, b"a 1e400\n"), (TEXT, b"a 1e-400\n"),
    (TEXT, b"a .5\nb 5.\nc +5\nd 1E3\ne -0\n"), (TEXT, b"a 1,5\n"), (TEXT, b"a --1\n"), (TEXT, b"a\n"), (TEXT, b"a \n"), (TEXT, b"a x\n"), (TEXT, b"a 1 x\n"), (TEXT, b"a 1 2 3\n"), (TEXT, b"a 1 1.5\n"),
    (TEXT, b"a 123456789012345678901234567890\n"), (TEXT, b"a 0.1234567890123456789012345\n"), (TEXT, b"a 9007199254740993\n"), (TEXT, b"a 1797693134862315700000000e284\n"),
    (TEXT, b"# a comment\na 1\n#\n#x\n"), (TEXT, b"# TYPE a counter\na 1\n# TYPE a gauge\n"), (TEXT, b"# TYPE a thing\na 1\n"), (TEXT, b"# TYPE a\na 1\n"), (TEXT, b"# HELP a\na 1\n"), (TEXT, b"# HELP\na 1\n"),
    (TEXT, b"#HELP a b\na 1\n"), (TEXT, b"# HELP a x\\ny \\\\ z\na 1\n"), (TEXT, b"#\tTYPE\ta\tgauge\na 1\n"), (TEXT, b"# TYPE a gauge   \na 1\n"), (TEXT, b"# HELP a \xff\na 1\n"), (TEXT, b"# EOF\na 1\n"),
    (TEXT, b"a 1\na 1\n"), (TEXT, b"a 1\na 2\n"), (TEXT, b"a 1\nb x\n"), (TEXT, b"a 1 # {} 1\n"), (TEXT, b'{x="1"} 1\n'), (TEXT, b"{} 1\n"), (TEXT, b"}\n"), (TEXT, b"a{x=\"1\"}1\n"), (TEXT, b"a{x=\"1\"} 1\n" * 3),
    (TEXT, b""), (TEXT, b"\n"), (TEXT, b"a\x00b 1\n"), (TEXT, b'a{x="\x00"} 1\n'), (TEXT, b"a 1\x00\n"), (TEXT, b"\xef\xbb\xbfa 1\n"),
    (TEXT, b"a +nan\n"), (TEXT, b"a -nan\n"), (TEXT, b"a nan(5)\n"), (TEXT, b"a 0." + b"3" * 300 + b"\n"), (TEXT, b"a 0." + b"3" * 70000 + b"\n"), (TEXT, b"a 0." + b"0" * 400 + b"1\n"),
    (TEXT, b"# TYPE a,b gauge\na 1\n"), (TEXT, b"# TYPE 1a gauge\na 1\n"), (TEXT, b"# HELP a,b c\na 1\n"), (TEXT, b"# HELP a\x00b c\na 1\n"), (TEXT, b'a{x="\\\x00"} 1\n'), (TEXT, b'a{x="b\\\nc"} 1\n'),
    # OpenMetrics.
    (OPENMETRICS, b'a{x="1" } 1\n# EOF\n'), (OPENMETRICS, b'a{ x="1"} 1\n# EOF\n'), (OPENMETRICS, b'a{x ="1"} 1\n# EOF\n'), (OPENMETRICS, b'a{x= "1"} 1\n# EOF\n'), (OPENMETRICS, b'a{x="1", y="2"} 1\n# EOF\n'),
    (OPENMETRICS, b'a{x=" {1} "} 1\n# EOF\n'), (OPENMETRICS, b"# HELP  a b\na 1\n# EOF\n"), (OPENMETRICS, b"#  HELP a b\na 1\n# EOF\n"), (OPENMETRICS, b"# HELP a\na 1\n# EOF\n"), (OPENMETRICS, b"# HELP a \na 1\n# EOF\n"),
    (OPENMETRICS, b"# TYPE  a gauge\na 1\n# EOF\n"), (OPENMETRICS, b"# TYPE a gauge \na 1\n# EOF\n"), (OPENMETRICS, b"# UNIT a b\na 1\n# EOF\n"), (OPENMETRICS, b"# UNIT a_b\na_b 1\n# EOF\n"), (OPENMETRICS, b"# UNIT a_b  b\na_b 1\n# EOF\n"),
    (OPENMETRICS, b"# UNIT a_b \na_b 1\n# EOF\n"), (OPENMETRICS, b"# UNIT a_bc c\na_bc 1\n# EOF\n"), (OPENMETRICS, b'a 1 # {t="x"} 1\n# EOF\n'), (OPENMETRICS, b'a_count 1 # {t="x"} 1\n# EOF\n'), (OPENMETRICS, b'a_total{x="1"} 1 # {t="x"} 1\n# EOF\n'),
    (OPENMETRICS, b"a +nan\n# EOF\n"), (OPENMETRICS, b"a 0." + b"3" * 300 + b"\n# EOF\n"),
    (OPENMETRICS, b"a 1\n# EOF\n"), (OPENMETRICS, b"a 1\n# EOF"), (OPENMETRICS, b"a 1\n"), (OPENMETRICS, b"# EOF\na 1\n"), (OPENMETRICS, b"# EOF\n\n"), (OPENMETRICS, b"\n# EOF\n"), (OPENMETRICS, b"a 1\n\n# EOF\n"),
    (OPENMETRICS, b"a 1 \n# EOF\n"), (OPENMETRICS, b"a  1\n# EOF\n"), (OPENMETRICS, b" a 1\n# EOF\n"), (OPENMETRICS, b"a\t1\n# EOF\n"), (OPENMETRICS, b"a 1\r\n# EOF\n"), (OPENMETRICS, b"# x\na 1\n# EOF\n"),
    (OPENMETRICS, b"# TYPE a counter\na_total 1\na_created 12.5\n# EOF\n"), (OPENMETRICS, b"# TYPE a unknown\na 1\n# EOF\n"), (OPENMETRICS, b"# TYPE a untyped\na 1\n# EOF\n"), (OPENMETRICS, b"# UNIT a_s s\na_s 1\n# EOF\n"),
    (OPENMETRICS, b'# TYPE a histogram\na_bucket{le="1"} 1 # {t="x"} 0.5\na_bucket{le="+Inf"} 2 # {t="x",u="y"} 0.5 12.5\n# EOF\n'), (OPENMETRICS, b"a_total 1 # {} 0.5\n# EOF\n"),
    (OPENMETRICS, b"a_total 1 # {t=\"x\"}\n# EOF\n"), (OPENMETRICS, b"a_total 1 #{t=\"x\"} 1\n# EOF\n"), (OPENMETRICS, b"a_total 1 # {t=\"x\"} 1 \n# EOF\n"), (OPENMETRICS, b"a{x=\"1\",} 1\n# EOF\n"), (OPENMETRICS, b"a{} 1\n# EOF\n"),
    (OPENMETRICS, b'a{x="a\\nb\\\\\\""} 1\n# EOF\n'), (OPENMETRICS, b"a NaN\nb +Inf\nc -Inf\n# EOF\n"), (OPENMETRICS, b"a 1 x\n# EOF\n"), (OPENMETRICS, b""), (OPENMETRICS, b"# EOF\n# EOF\n"), (OPENMETRICS, b"a {x=\"1\"} 1\n# EOF\n"),
]


# Where we differ: "leading and trailing whitespace is ignored", says the description of the text format, and a carriage return is nothing else; a
# comma behind the last label is harmless; labels without one between them are a mistake of whoever wrote them; and an empty reply is an empty scrape.
OURS = {(TEXT, b"a 1\r\nb 2\r\n"): {"a": 1, "b": 2, "up": 1}, (TEXT, b"  a 1\n\tb 2\n"): {"a": 1, "b": 2, "up": 1}, (TEXT, b"# TYPE a gauge   \na 1\n"): {"a": 1, "up": 1},
        (TEXT, b'a{x="1"y="2"} 1\n'): {"up": 0}, (OPENMETRICS, b'a{x="1",} 1\n# EOF\n'): {"a": 1, "up": 1}, (OPENMETRICS, b""): {"up": 1}}


class Pages:
    """Case number <n> at /<n>."""

    def __init__(self, _folder):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                kind, body = CASES[int(self.path[1:])]
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def seen(server):
    """What became of each case: up, and its series."""
    out = {n: {} for n in range(len(CASES))}
    for m, s in ask(server, '{n!="",__name__!~"scrape_.*"}'):
        v = float(s["value"][1])
        labels = {k: (repr(float(x)) if k == "le" else x) for k, x in m.items() if k != "n"}
        out[int(m["n"])][json.dumps(labels, sort_keys=True)] = "NaN" if math.isnan(v) else v
    return out


def test_odd_texts(box):
    pages = box.start(Pages)
    targets = [{"targets": [f"127.0.0.1:{pages.server.server_port}"], "labels": {"n": str(n), "__metrics_path__": f"/{n}"}} for n in range(len(CASES))]
    path = box.write("odd.yml", json.dumps({"global": {"scrape_interval": "2s", "scrape_timeout": "2s"}, "scrape_configs": [{"job_name": "odd", "static_configs": targets}]}))
    ours, peer = box.start(Alerter, path, ["--storage.path", box.folder / "data"]), box.start(Prometheus, path)
    for server in (ours, peer):
        wait_for("every case was scraped", lambda: len(ask(server, 'up')) == len(CASES), 60)
    wait_for("both say what they should", lambda: compare(seen(ours), seen(peer)), 60)      # a scrape may have timed out meanwhile


def compare(a, b):
    for n, case in enumerate(CASES):
        if case in OURS:
            assert {json.loads(m)["__name__"]: v for m, v in a[n].items()} == OURS[case], case
            assert a[n] != b[n], f"{case}: no exception any more"
    wrong = "".join(f"\n{CASES[n]}\n  ours       {a[n]}\n  Prometheus {b[n]}" for n in a if a[n] != b[n] and CASES[n] not in OURS)
    assert not wrong, wrong
    return True
