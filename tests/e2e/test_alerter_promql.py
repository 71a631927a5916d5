"""PromQL as people meet it: over HTTP and in rule files; what is wrong, where, and what would be right; experimental syntax; limits."""
import gzip
import json
import select
import socket
import subprocess
import time
import urllib.parse
import urllib.request

from servers import Alerter, binary, free_port, http, wait_for

# query, and what its error says: the first line, then the query's line with a caret under the fault
MISTAKES = [
    ("rate(x)", "1:6: parse error: rate() needs a range vector, not an instant vector: did you mean rate(x[5m])?", "         ^"),
    ("sum(x) by (job) +", "1:18: parse error: unexpected end of query: expected an expression after '+'", "                     ^"),
    ("x = 1", "1:3: parse error: unexpected '=': '==' compares", "      ^"),
    ("\n  rat(x[5m])", "2:3: parse error: unknown function rat: did you mean rate?", "      ^"),
    ("x{a=~\"(?=b)\"}", "1:7: parse error: bad regular expression: lookahead is not part of RE2", "          ^"),
    ("x{a=~\"b{1001}\"}", "1:8: parse error: bad regular expression: ", "           ^"),
    ("limitk(1, x)", "1:1: parse error: limitk() is experimental: it needs the feature promql-experimental-functions", "    ^"),
    ("x > 1e309", "1:5: parse error: number 1e309 is out of range: the largest is 1.7976931348623157e308", "        ^"),
    ("x + fill(0) x", "1:5: parse error: fill modifiers are experimental: they need the feature promql-binop-fill-modifiers", "        ^"),
]
FEATURES = "--enable-feature=promql-experimental-functions,promql-extended-range-selectors,promql-binop-fill-modifiers"


def data(folder):
    now = time.time()
    lines = ["# TYPE x gauge"] + [f'x{{i="{i}",g="{i % 2}"}} {k} {now - 600 + 10 * k:.3f}' for i in range(4) for k in range(59)]
    (folder / "x.txt").write_text("\n".join([*lines, "# EOF", ""]))
    subprocess.run([binary("tocsin-alerter"), "import", "openmetrics", folder / "x.txt", "--storage.path", folder / "data"], check=True, capture_output=True)


def start(box, *flags):
    data(box.folder)
    (box.folder / "c.yml").write_text("global: { evaluation_interval: 30s }\n")
    return box.start(Alerter, box.folder / "c.yml", ["--storage.path", box.folder / "data", *flags])


def ask(program, query, path="/api/v1/query", **params):
    status, _, text = http(program.url(path), data=urllib.parse.urlencode({"query": query, **params}).encode())
    return status, json.loads(text)


def test_mistakes_are_shown_where_they_are(box):
    """Over HTTP: position, message, line and caret; in rule files the same at the file's own line."""
    program = start(box)
    for query, said, caret in MISTAKES:
        status, answer = ask(program, query)
        lines = answer["error"].split("\n")
        assert status == 400 and answer["errorType"] == "bad_data" and lines[0].startswith('invalid parameter "query": ' + said), answer
        assert lines[-1] == caret and lines[-2].strip() == query.split("\n")[-1].strip(), answer["error"]
        assert ask(program, query, "/api/v1/format_query")[1]["error"] == answer["error"]
    status, answer = ask(program, "x + on (g) x")
    assert status == 422 and answer["error"].startswith("1:1: found duplicate series") and "hint: they differ in i" in answer["error"], answer
    status, _, text = http(program.url("/api/v1/series?match[]=x%7Ba%3D%7D"))
    assert status == 400 and json.loads(text)["error"].startswith('invalid parameter "match[]": 1:5: parse error: ')
    (box.folder / "r.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": [{"alert": f"A{i}", "expr": q} for i, (q, _, _) in enumerate(MISTAKES)]}]}))
    done = subprocess.run([binary("tocsin-alerter"), "check", "rules", box.folder / "r.yml"], capture_output=True, text=True)
    assert done.returncode == 1 and "did you mean rate(x[5m])?" in done.stderr and done.stderr.count("^") >= len(MISTAKES) - 1, done.stderr

    (box.folder / "r.yml").write_text("groups: [{name: g, rules: [{alert: A, expr: 'x[5m]'}]}]\n")
    done = subprocess.run([binary("tocsin-alerter"), "check", "rules", box.folder / "r.yml"], capture_output=True, text=True)
    assert done.returncode == 1 and "the expression yields a range vector" in done.stderr, done.stderr


def test_experimental_syntax(box):
    """--enable-feature, as Prometheus names its features; an unknown one is refused."""
    program = start(box, FEATURES, "--enable-feature=promql-at-modifier,auto-gomaxprocs")       # what people's command lines still have
    assert "feature=promql-at-modifier" in program.process.text() and "it is always on" in program.process.text()
    assert len(ask(program, "limitk(2, x)")[1]["data"]["result"]) == 2
    assert ask(program, "sum(x) + on () fill_right(5) nosuch")[1]["data"]["result"][0]["value"][1] == str(4 * 58 + 5)
    assert len(ask(program, "increase(x[1m] anchored)", time=time.time() - 60)[1]["data"]["result"]) == 4
    assert len(ask(program, "max_over_time(x[2*1m])")[1]["data"]["result"]) == 4
    (box.folder / "r.yml").write_text("groups: [{name: g, rules: [{alert: A, expr: 'limitk(2, x) > 1'}]}]\n")
    for flags, code in (([FEATURES], 0), ([], 1), (["--enable-feature=nosuch"], 2)):
        assert subprocess.run([binary("tocsin-alerter"), "check", "rules", *flags, box.folder / "r.yml"], capture_output=True).returncode == code
    for name, said in (("nosuch", "no such feature: nosuch"), ("use-start-timestamps", "start timestamps of samples are not kept")):
        done = subprocess.run([binary("tocsin-alerter"), f"--enable-feature={name}"], capture_output=True, text=True)
        assert done.returncode == 2 and said in done.stderr
    for n in ("0", "65"):
        done = subprocess.run([binary("tocsin-alerter"), f"--query.max-concurrency={n}"], capture_output=True, text=True)
        assert done.returncode == 2 and f"--query.max-concurrency={n} is out of range: write 1 to 64" in done.stderr


def test_types_as_labels(box):
    """--enable-feature=type-and-unit-labels: what is scraped says its type, and rate() goes by it."""
    port = free_port()
    (box.folder / "c.yml").write_text(f"""global: {{ scrape_interval: 1s }}
scrape_configs: [{{ job_name: j, static_configs: [{{ targets: ["127.0.0.1:{port}"] }}] }}]""")
    program = box.start(Alerter, box.folder / "c.yml", ["--enable-feature=type-and-unit-labels"], port=port)
    wait_for("types", lambda: ask(program, 'process_cpu_seconds_total{__type__="counter"}')[1]["data"]["result"])
    assert [s["metric"]["__type__"] for s in ask(program, "process_open_fds")[1]["data"]["result"]] == ["gauge"]
    wait_for("a rate", lambda: ask(program, "rate(process_open_fds[1m])")[1]["data"]["result"])
    assert '__type__ label is not set to "counter"' in ask(program, "rate(process_open_fds[1m])")[1]["infos"][0]
    assert "infos" not in ask(program, "rate(process_cpu_seconds_total[1m])")[1]


def test_limits_and_options(box):
    """--query.max-samples, and for one query timeout, lookback_delta and limit; [5m:] goes in steps of the evaluation interval."""
    program = start(box, "--query.max-samples=300", "--query.lookback-delta=30s")
    status, answer = ask(program, "count_over_time(x[10m:1s])")
    assert status == 422 and "max_samples=300" in answer["error"], answer
    now = time.time()
    assert ask(program, "x", time=now + 100)[1]["data"]["result"] == []
    assert len(ask(program, "x", time=now + 100, lookback_delta="5m")[1]["data"]["result"]) == 4
    assert len(ask(program, "x", time=now + 100, lookback_delta="5m", limit=3)[1]["data"]["result"]) == 3
    assert ask(program, "x", time=now + 100, timeout=0)[0] == 503 == ask(program, "x", timeout="-1")[0]
    said = ["results truncated due to limit"]
    asked = {"start": now - 60, "end": now, "limit": 3}
    assert ask(program, "x", time=now, limit=3)[1]["warnings"] == said and "warnings" not in ask(program, "x", time=now, limit=4)[1]
    assert ask(program, "x", "/api/v1/query_range", step=10, **asked)[1]["warnings"] == said
    for path in ("series?match[]=x&", "labels?", "label/i/values?"):
        cut, whole = (program.json(f"/api/v1/{path}limit={n}") for n in (2, 4))
        assert (len(cut["data"]), cut.get("warnings"), whole.get("warnings")) == (2, said, None), (path, cut, whole)
    assert json.loads(http(program.url("/api/v1/query?query=1&time=2"), data=b"query=time()&time=7")[2])["data"]["result"] == [7, "7"]
    assert ask(program, "count_over_time(vector(1)[5m:])")[1]["data"]["result"][0]["value"][1] == "10"
    status, answer = ask(program, "x", timeout="abc")
    assert status == 400 and "timeout" in answer["error"]
    status, answer = ask(program, "+".join(["1"] * 60000))
    assert status == 422 and "limit nodes" in answer["error"], answer["error"][:200]
    status, answer = ask(program, "x", "/api/v1/query_range", start=0, end=1000000, step=1)
    assert status == 400 and answer["errorType"] == "bad_data" and "max_points=11000" in answer["error"], answer


def test_what_queries_keep_is_bounded(box):
    """A query is kept with what it remembers, to answer sooner: not one that remembers more than all may together."""
    program = start(box)

    def kept():
        return next(int(float(line.split()[1])) for line in program.get("/metrics")[2].splitlines() if line.startswith("tocsin_api_query_bytes "))
    assert kept() == 0
    assert ask(program, "x")[0] == 200
    small = kept()
    assert 0 < small < 1 << 20
    status, answer = ask(program, " or ".join(f'label_replace(x, "a", "{i}", "", "")' for i in range(900)))
    assert status == 200 and len(answer["data"]["result"]) == 3600
    assert kept() == small
    assert ask(program, '"text"', time=1234.5)[1]["data"] == {"resultType": "string", "result": [1234.5, "text"]}


def ask_slowly(program, path):
    """Asks and reads only the head of the answer."""
    client = socket.create_connection(("127.0.0.1", program.port))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    head = client.recv(1024)
    return client, int(head.split()[1])


def test_long_answers_come_in_pieces(box):
    """Each series whole, packed or not; what clients have not read yet is bounded by one limit, which the error names."""
    box.folder.joinpath("y.txt").write_text("# TYPE y gauge\n" + "".join(f'y{{i="{i}"}} {i}.25 {time.time() - 250:.3f}\n' for i in range(1600)) + "# EOF\n")
    subprocess.run([binary("tocsin-alerter"), "import", "openmetrics", box.folder / "y.txt", "--storage.path", box.folder / "data"], check=True, capture_output=True)
    program = start(box)
    path = f"/api/v1/query_range?query=y&start={time.time() - 240:.3f}&end={time.time() - 20:.3f}&step=0.02"

    def held():
        return next(float(line.split()[1]) for line in program.get("/metrics")[2].splitlines() if line.startswith("tocsin_api_answer_bytes "))
    few = program.json(path.replace("query=y", urllib.parse.urlencode({"query": 'y{i=~"1..."}'})) + "&limit=20")["data"]["result"]
    assert [s["metric"]["i"] for s in few] == [str(i) for i in range(1000, 1020)] and all(len(s["values"]) == 11001 for s in few)
    assert all(s["values"][-1][1] == s["metric"]["i"] + ".25" for s in few)
    with urllib.request.urlopen(urllib.request.Request(program.url(path + "&limit=20"), headers={"Accept-Encoding": "gzip"})) as reply:
        assert reply.headers["Content-Encoding"] == "gzip"
        assert len(json.loads(gzip.decompress(reply.read()))["data"]["result"]) == 20
    wait_for("all were read", lambda: held() == 0)
    assert ask(program, "1", "/api/v1/query_range", start=0, end=11001, step=1)[0] == 400
    client, status = ask_slowly(program, path)
    assert status == 200 and 1600 * 11000 * 8 < held() < 256 << 20
    status, _, text = http(program.url(path), timeout=120)
    assert status == 503 and "answer_bytes=268435456" in text, text
    client.close()
    wait_for("nobody reads", lambda: held() == 0)
    client, status = ask_slowly(program, path)
    assert status == 200
    client.close()


def test_short_queries_pass_long_ones(box):
    """Long queries take turns; what is short, and what is no query, waits for none of them. Nor does the program when it stops."""
    program = start(box, "--query.max-concurrency=1")
    now = time.time()

    def send(path):
        client = socket.create_connection(("127.0.0.1", program.port))
        client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return client

    def long_ones(n):
        texts = [urllib.parse.urlencode({"query": f"sum(stddev_over_time(x[9m:50ms])) + {i}"}) for i in range(n)]
        return [send(f"/api/v1/query_range?{text}&start={now - 50:.3f}&end={now - 10:.3f}&step=0.1") for text in texts]
    for _ in range(2):      # the second time it is known how long they take
        waiting = long_ones(8)
        assert len(ask(program, "x + 0")[1]["data"]["result"]) == 4
        assert program.get("/api/v2/receivers")[0] == 200
        answered, _, _ = select.select(waiting, [], [], 0)
        assert len(answered) < 6
        for client in waiting:
            assert b'"status":"success"' in client.makefile("rb").read()
            client.close()
    waiting = long_ones(14)
    assert ask(program, "x - 0")[0] == 200
    assert program.stop() == 0
    assert sum(b'"status":"success"' in client.makefile("rb").read() for client in waiting) < 12


def test_who_hangs_up_ends_his_query(box):
    """A query whose client is gone lets others have its turn at once, begun or not."""
    program = start(box, "--query.max-concurrency=1")

    def cpu_ticks():
        return sum(int(n) for n in open(f"/proc/{program.process.pid}/stat").read().rpartition(")")[2].split()[11:13])
    before = cpu_ticks()
    clients = [socket.create_connection(("127.0.0.1", program.port)) for _ in range(3)]
    for i, client in enumerate(clients):
        text = urllib.parse.urlencode({"query": f"sum_over_time(stddev_over_time(vector(time() % 17)[4h:1s])[48h:1s]) + {i}"})
        client.sendall(f"GET /api/v1/query?{text} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    wait_for("one of them has its turn", lambda: cpu_ticks() > before + 50)
    for client in clients:
        client.close()
    assert ask(program, "count(stddev_over_time(x[9m:2ms]))")[1]["data"]["result"][0]["value"][1] == "4"


def test_label_text_is_bounded(box):
    """A label joined of itself doubles each time: the query ends with the limit's name, not the program."""
    program = start(box)
    text = 'label_replace(x, "a", "aaaaaaaaaa", "", "")'
    for _ in range(28):
        text = f'label_join({text}, "a", "", "a", "a")'
    for _ in range(2):
        status, answer = ask(program, f"count({text})")
        assert status == 422 and "label_join() makes a label value of more than 1048576 bytes" in answer["error"], answer
    assert ask(program, "x")[0] == 200


RANGE = {"query": "x", "start": 1, "end": 100, "step": 10}
# path, parameters, status: as Prometheus answers, in its newest version where versions differ
REQUESTS = [
    ("query", {}, 400), ("query", {"query": "x{"}, 400), ("query", {"query": "x", "time": "abc"}, 400), ("query", {"query": "x", "time": "2023-02-30T00:00:00Z"}, 400), ("query", {"query": "x", "time": "0x10"}, 400),
    ("query", {"query": "x", "timeout": "-1s"}, 400),
    ("query", {"query": "x", "limit": "-1"}, 400), ("query", {"query": "x", "time": ""}, 200), ("query", {"query": "topk(NaN, x)"}, 422),
    ("query", {"query": "{}"}, 400), ("query", {"query": 'count_values("", x)'}, 422), ("query_range", {**RANGE, "step": "0"}, 400),
    ("query_range", {**RANGE, "step": "1ms"}, 400), ("query_range", {**RANGE, "end": 0}, 400), ("query_range", {**RANGE, "query": "x[5m]"}, 400),
    ("query_range", {**RANGE, "query": '"a"'}, 400), ("query_range", {**RANGE, "start": ""}, 400), ("query_range", RANGE, 200),
    ("series", {}, 400), ("series", {"match[]": "{}"}, 400), ("series", {"match[]": "x[5m]"}, 400), ("series", {"match[]": "x", "start": "a"}, 400),
    ("series", {"match[]": "x", "end": "a"}, 400), ("labels", {"start": "a"}, 400), ("labels", {"match[]": "{"}, 400), ("labels", {}, 200),
    ("label/i/values", {"end": "a"}, 400), ("label/%FF/values", {}, 400), ("label/a-b/values", {}, 200), ("metadata", {"limit": "a"}, 400),
    ("format_query", {}, 400), ("format_query", {"query": "x{"}, 400),
]


def test_bad_requests(box):
    """What is refused, and with which status; numbers as Prometheus writes them: samples as JavaScript would, scalars in full."""
    program = start(box)
    for path, params, wanted in REQUESTS:
        status, _, text = http(program.url(f"/api/v1/{path}?{urllib.parse.urlencode(params)}"))
        kind = json.loads(text).get("errorType")
        assert (status, kind) == (wanted, {200: None, 400: "bad_data", 422: "execution"}[wanted]), (path, params, text)
    for value, sample, scalar in (("1e21", "1e+21", "1" + 21 * "0"), ("1e20", "1" + 20 * "0", "1" + 20 * "0"), ("0.0000005", "5e-07", "0.0000005")):
        assert ask(program, value, time=1)[1]["data"]["result"] == [1, scalar]
        assert ask(program, f"vector({value})", time=1)[1]["data"]["result"][0]["value"] == [1, sample]
        assert ask(program, value, "/api/v1/query_range", start=1, end=1, step=1)[1]["data"]["result"][0]["values"] == [[1, sample]]
    assert "i" in program.json(f"/api/v1/labels?start={time.time() - 60:.0f}&end={time.time():.0f}")["data"]
    assert program.json("/api/v1/label/U__i/values")["data"] == ["0", "1", "2", "3"] == program.json("/api/v1/label/U___69_/values")["data"]


def test_long_lists_of_hosts(box):
    """Dashboards write all hosts into one expression, larger than what is compiled at once. What needs too many steps names the limit."""
    program = start(box)
    hosts = "|".join(f"host-{i:04d}.example.com:9100" for i in range(4000))
    for regex in (f"({hosts}|2)", f"{hosts}|2", hosts.replace(".", "\\\\.") + "|2", hosts.replace("com", ".*") + "|2"):
        assert [s["metric"]["i"] for s in ask(program, f'x{{i=~"{regex}"}}')[1]["data"]["result"]] == ["2"]
        assert len(ask(program, f'x{{i!~"{regex}"}}')[1]["data"]["result"]) == 3
    replaced = 'label_replace(label_replace(x, "a", "' + 40 * "a" + '", "", ""), "b", "$1", "a", "%s")'
    status, answer = ask(program, replaced % "(?:a+a+)+[bc]")
    assert status == 200 and not any("b" in s["metric"] for s in answer["data"]["result"])
    status, answer = ask(program, replaced % "(?:a+a+)+[bc]|(a+)")      # it matches, and what its group has is asked
    assert status == 422 and "regex_steps=5000000" in answer["error"], answer


def test_the_functions_are_listed(box):
    """On the page and in --help, from one table: all 90, each with a line of help."""
    program = start(box)
    page = program.get("/functions")[2]
    text = subprocess.run([binary("tocsin-alerter"), "--help"], capture_output=True, text=True, check=True).stdout
    listed = text[text.index("PromQL functions"):].splitlines()[1:]
    assert len(listed) == 90 and page.count("<tr id=") == 90
    for line in listed:
        name, said = line[2:].split("(")[0], line[55:].strip()
        assert said.endswith(".") and f'<tr id="{name}">' in page, line
    assert "/functions" in program.get("/")[2]
