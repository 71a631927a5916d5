"""What other programs read of the alerter besides answers of queries: /federate as a Prometheus gives it, a query's syntax tree, the flags, the features."""
import json
import shutil
import time
import urllib.parse

import pytest
from servers import Alerter, Process, free_port, http, wait_for
from test_alerter_promql import FEATURES, ask, start
from watched import Target

MATCH = [("match[]", '{__name__=~"a.*|m:.*",i!="9"}'), ("match[]", 'a_total{i="1"}'), ("match[]", "Zone")]


def page(port, accept=None):
    headers = {"Accept": accept} if accept else {}
    status, head, text = http(f"http://127.0.0.1:{port}/federate?" + urllib.parse.urlencode(MATCH), headers=headers)
    assert status == 200 and head["Content-Type"].startswith("text/plain; version=0.0.4"), (status, text)
    return text.splitlines()


@pytest.mark.skipif(not shutil.which("prometheus"), reason="Debian's prometheus is not installed")
def test_federation_as_prometheus_has_it(box):
    """The same lines in the same order: times of samples, external labels, an empty instance, ended series left out, old samples too."""
    now = int(time.time() * 1000)
    lines = [f'a_total{{i="{i}",zone="own"}} {i * 1e6} {now}' for i in range(3)] + [f'a_total{{i="old"}} 5 {now - 400000}', f'm:x{{l="q\\"\\\\\\n"}} NaN {now}',
             f"Zone 0.25 {now}", f"a_gauge -Inf {now}"]
    target = box.start(Target)
    target.text = "\n".join([*lines, "a_gone 1", ""])
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s", "external_labels": {"zone": "here", "Big": "b"}},
              "scrape_configs": [{"job_name": "j", "honor_labels": True, "static_configs": [{"targets": [target.address], "labels": {"instance": ""}}],
                                  "metric_relabel_configs": [{"source_labels": ["i"], "regex": "1", "target_label": "instance", "replacement": "one"}]}]}
    path = box.write("c.yml", json.dumps(config))
    ours = box.start(Alerter, path, ["--storage.path", box.folder / "data"])
    port = free_port()
    peer = Process("prometheus", ["prometheus", "--config.file", path, "--storage.tsdb.path", box.folder / "tsdb", f"--web.listen-address=127.0.0.1:{port}"],
                   box.folder)
    box.started.append(peer)
    peer.ready(lambda: http(f"http://127.0.0.1:{port}/-/ready")[0] == 200, 60)
    for side in (ours.port, port):
        wait_for("all is there", lambda side=side: any("a_gone" in line for line in page(side)))
    target.text = "\n".join([*lines, ""])
    for side in (ours.port, port):
        wait_for("it ended", lambda side=side: not any("a_gone" in line for line in page(side)))
    assert page(ours.port) == page(port) and len(page(port)) > 9
    assert http(f"http://127.0.0.1:{ours.port}/federate")[::2] == http(f"http://127.0.0.1:{port}/federate")[::2] == (200, "")
    assert http(f"http://127.0.0.1:{ours.port}/federate?match[]=x%7B")[0] == http(f"http://127.0.0.1:{port}/federate?match[]=x%7B")[0] == 400

    flags = [json.loads(http(f"http://127.0.0.1:{side}/api/v1/status/flags")[2])["data"] for side in (ours.port, port)]
    assert all(isinstance(v, str) for f in flags for v in f.values())
    for name in ("query.timeout", "query.lookback-delta", "query.max-samples", "web.enable-admin-api", "log.level", "config.file"):
        assert flags[0][name] == flags[1][name], name
    assert "help" not in flags[0] and "version" not in flags[0]


def test_any_name_is_federated(box):
    """Who reads quoted names gets them; others underscores. Many series come in pieces, each once, packed or not."""
    target = box.start(Target)
    target.text = '{"a.b","c d"="e"} 1\n' + "".join(f'a{{i="{i}"}} {i}\n' for i in range(20000))
    path = box.write("c.yml", json.dumps({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [
        {"job_name": "j", "static_configs": [{"targets": [target.address]}]}]}))
    ours = box.start(Alerter, path, ["--storage.path", box.folder / "data"])
    wait_for("all is there", lambda: len(page(ours.port)) > 19999)
    plain, quoted = page(ours.port), page(ours.port, "text/plain;version=1.0.0;escaping=allow-utf-8")
    assert "# TYPE a_b untyped" in plain and any(line.startswith('a_b{c_d="e",') for line in plain)
    assert '# TYPE "a.b" untyped' in quoted and any(line.startswith('{"a.b","c d"="e",') for line in quoted)
    assert len({line.split("} ")[0] for line in plain if line.startswith("a{")}) == 19999 and plain.count("# TYPE a untyped") == 1
    series = ours.json("/api/v1/series?match[]=a&match[]=%7Bi=%221%22%7D")["data"]
    assert len(series) == 20000 == len({s["i"] for s in series}) and [s["i"] for s in series] == sorted(s["i"] for s in series)


def selector(name, **more):
    return {"type": "vectorSelector", "name": name, "offset": 0, "timestamp": None, "startOrEnd": None, "anchored": False, "smoothed": False,
            "matchers": [{"type": "=", "name": "__name__", "value": name}], **more}


def number(text):
    return {"type": "numberLiteral", "val": text}


MATCHING = {"card": "one-to-one", "on": False, "labels": [], "include": [], "fillValues": {"lhs": None, "rhs": None}}
TREES = [
    ("1 - -2", {"type": "binaryExpr", "op": "-", "lhs": number("1"), "rhs": number("-2"), "matching": None, "bool": False}),
    ("-a", {"type": "unaryExpr", "op": "-", "expr": selector("a")}),
    ("a + b * on (x) group_left (y) c == bool 1",
     {"type": "binaryExpr", "op": "==", "rhs": number("1"), "bool": True, "matching": None, "lhs":
      {"type": "binaryExpr", "op": "+", "lhs": selector("a"), "bool": False, "matching": MATCHING, "rhs":
       {"type": "binaryExpr", "op": "*", "lhs": selector("b"), "rhs": selector("c"), "bool": False,
        "matching": {**MATCHING, "card": "many-to-one", "on": True, "labels": ["x"], "include": ["y"]}}}}),
    ("a and b or c", {"type": "binaryExpr", "op": "or", "rhs": selector("c"), "bool": False, "matching": {**MATCHING, "card": "many-to-many"}, "lhs":
                      {"type": "binaryExpr", "op": "and", "lhs": selector("a"), "rhs": selector("b"), "bool": False, "matching": {**MATCHING, "card": "many-to-many"}}}),
    ("topk without (i) (2, rate(x[1m] offset 5s @ 3.5))",
     {"type": "aggregation", "op": "topk", "param": number("2"), "grouping": ["i"], "without": True, "expr":
      {"type": "call", "func": {"name": "rate", "argTypes": ["matrix"], "variadic": 0, "returnType": "vector"}, "args":
       [selector("x", type="matrixSelector", range=60000, offset=5000, timestamp=3500)]}}),
    ("(x[1h:5m] @ end())", {"type": "parenExpr", "expr": {"type": "subquery", "expr": selector("x"), "range": 3600000, "step": 300000, "offset": 0,
                                                         "timestamp": None, "startOrEnd": "end"}}),
    ('"text"', {"type": "stringLiteral", "val": "text"}),
]


def test_syntax_trees(box):
    """As Prometheus 3 answers parse_query; mistakes as for a query."""
    program = start(box)
    for query, tree in TREES:
        status, answer = ask(program, query, "/api/v1/parse_query")
        assert status == 200 and answer["data"] == tree, (query, answer)
    status, answer = ask(program, "rate(x)", "/api/v1/parse_query")
    assert status == 400 and answer == ask(program, "rate(x)")[1]


def test_features(box):
    """What the program can do, as Prometheus 3 tells it; what a flag switches on is on then."""
    found = []
    for flags in ((), (FEATURES, "--web.enable-admin-api")):
        program = start(box, *flags)
        found.append(program.json("/api/v1/features")["data"])
        program.stop()
    plain, rich = found
    assert plain["api"]["admin"] is False and rich["api"]["admin"] is True
    assert plain["promql"].pop("fill") is False and rich["promql"].pop("fill") is True
    assert plain["promql"]["subqueries"] is plain["promql"]["duration_expr"] is True
    functions = plain["promql_functions"]
    assert len(functions) == 90 and functions["rate"] is True and functions["info"] is False and all(rich["promql_functions"].values())
    assert set("+ - * / % ^ == != < <= > >= =~ !~ @ and or unless atan2 sum topk".split()) < set(plain["promql_operators"])
    assert plain["promql_operators"]["limitk"] is False and rich["promql_operators"]["limitk"] is True
    assert plain["templating_functions"]["humanizeDuration"] is True and plain["service_discovery_providers"]["dns"] is True
