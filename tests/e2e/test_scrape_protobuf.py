"""The protobuf format and native histograms, from the wire to a query; beside Debian's Prometheus where it can do the same. (F1, F3, P2, M2)"""
import json
import math
import subprocess
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import protobuf as pb
from servers import Alerter, Process, free_port, http, wait_for

LATENCIES = [0.004 * 1.07 ** (i % 60) for i in range(600)]


class Application:
    """/metrics as protobuf for those who want it first, else as text. What it says: <families> or <text>."""

    def __init__(self, _folder, families=b"", text="", content_type=None):
        self.families, self.text, self.content_type, self.accepts = families, text, content_type, []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                accept = self.headers["Accept"]
                owner.accepts.append(accept)
                protobuf = owner.families and (accept.startswith("application/vnd.google.protobuf") or not owner.text)
                self.send_response(200)
                self.send_header("Content-Type", owner.content_type or (pb.CONTENT_TYPE if protobuf else "text/plain; version=0.0.4"))
                self.end_headers()
                self.wfile.write(owner.families if protobuf else owner.text.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Prometheus:
    """Debian's, which must be told to take native histograms by a flag."""

    def __init__(self, folder, config):
        self.port = free_port()
        self.process = Process("prometheus", ["prometheus", "--config.file", config, "--storage.tsdb.path", folder / "tsdb", "--enable-feature=native-histograms,exemplar-storage",
                                              f"--web.listen-address=127.0.0.1:{self.port}"], folder)
        self.process.ready(lambda: http(f"http://127.0.0.1:{self.port}/-/ready")[0] == 200, 60)

    def url(self, path=""):
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self):
        self.process.stop()


def ask(server, query, **params):
    text = http(server.url("/api/v1/query?") + urllib.parse.urlencode({"query": query, **params}))[2]
    return [({k: v for k, v in s["metric"].items() if k not in ("instance", "job")}, s) for s in json.loads(text)["data"]["result"]]


def values(server, query):
    return {tuple(sorted(m.items())): float(s["value"][1]) for m, s in ask(server, query) if "value" in s}


def job(name, address, **more):
    return {"job_name": name, "static_configs": [{"targets": [address]}], **more}


def config(box, name, *jobs, every="1s"):
    return box.write(name, json.dumps({"global": {"scrape_interval": every, "scrape_timeout": every}, "scrape_configs": list(jobs)}))


def families(round_no=1):
    latencies = LATENCIES * round_no
    return b"".join([
        pb.family("up_since", pb.GAUGE, pb.metric(pb.gauge(1700000000.5))),
        pb.family("requests_total", pb.COUNTER, pb.metric(pb.counter(41, exemplar="abc", created=1700000000), code="200"),
                  pb.metric(pb.counter(2), code='5"\\\n'), help="Requests.", unit="requests"),
        pb.family("odd", pb.UNTYPED, pb.metric(pb.untyped(math.nan), kind="nan"), pb.metric(pb.untyped(-math.inf), kind="inf")),
        pb.family("size_bytes", pb.SUMMARY, pb.metric(pb.summary(7, 70.5, **{"0.5": 3.25, "1": 9}))),
        pb.family("old_seconds", pb.HISTOGRAM, pb.metric(pb.classic_histogram(5, 4.5, (0.5, 2), (1, 4)), path="/a")),
        pb.family("latency_seconds", pb.HISTOGRAM, pb.metric(pb.histogram(pb.observations(latencies), total=sum(latencies), classic=[(0.1, 9), (1, 20)]))),
        pb.family("both_sides", pb.HISTOGRAM,
                  pb.metric(pb.histogram({-3: 2, 5: 1, 6: 4, 20: 1}, {1: 3, 9: 2}, zero=6, total=1.5, schema=1, threshold=0.001, packed=True), side="both")),
        pb.family("queue", pb.GAUGE_HISTOGRAM, pb.metric(pb.histogram({0: 3, 2: 5}, total=9, schema=0))),
    ])


SAME = ["up_since", "requests_total", "old_seconds_bucket", "old_seconds_sum", "old_seconds_count", "size_bytes", "size_bytes_count", "latency_seconds_bucket",
        "latency_seconds", "both_sides", "queue", "histogram_count(both_sides)", "histogram_sum(latency_seconds)", "histogram_quantile(1, latency_seconds)"]


def numbers(s):
    """Of a sample: its value, or all that its histogram says."""
    if "value" in s:
        return [float(s["value"][1])]
    h = s["histogram"][1]
    return [float(h["count"]), float(h["sum"])] + [float(x) for b in h["buckets"] for x in b]


def found(server, query):
    """Prometheus 2 kept le="1"; since 3 it is le="1.0"."""
    return {tuple((k, repr(float(v)) if k in ("le", "quantile") and v != "+Inf" else v) for k, v in sorted(m.items())): numbers(s) for m, s in ask(server, query)}


def test_beside_prometheus(box):
    """Every metric type and native histograms: the same answers as Debian's Prometheus, which scraped the same."""
    app = box.start(Application, families())
    ours = box.start(Alerter, config(box, "ours.yml", job("app", app.address, scrape_native_histograms=True)), ["--storage.path", box.folder / "data"])
    peer = box.start(Prometheus, config(box, "peer.yml", job("app", app.address)))
    for query in SAME:
        wait_for(f"{query} is the same", lambda: same(ours, peer, query), 60)
    wait_for("-Inf", lambda: values(ours, 'odd{kind="inf"}')[(("__name__", "odd"), ("kind", "inf"))] == -math.inf, 60)
    assert app.accepts[0].startswith("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"), app.accepts[0]
    meta = ours.json("/api/v1/metadata")["data"]
    assert meta["queue"][0]["type"] == "gaugehistogram" and meta["requests_total"] == [{"type": "counter", "help": "Requests.", "unit": "requests"}]
    assert ask(ours, "latency_seconds_bucket") == [], "a native histogram's classic buckets are not wanted"


def same(ours, peer, query):
    a, b = found(ours, query), found(peer, query)
    assert a.keys() == b.keys() and (a or query == "latency_seconds_bucket"), (query, a, b)
    assert all(len(a[k]) == len(b[k]) and all(math.isclose(x, y, rel_tol=1e-12) for x, y in zip(a[k], b[k])) for k in a), (query, a, b)
    return True


def test_choices(box):
    """Not asked for: classic buckets alone. Both, fewer buckets, converted classic ones, floats; each target by its own label."""
    both = pb.family("h", pb.HISTOGRAM, pb.metric(pb.histogram({i: i for i in range(1, 41)}, total=3, schema=3, classic=[(1, 400), (8, 600)])))
    floats = pb.family("h", pb.HISTOGRAM, pb.metric(pb.histogram({1: 0.5, 2: 2.25}, total=3, schema=0, floats=True)))
    text = '# TYPE t histogram\nt_bucket{le="1",x="a"} 3\nt_bucket{le="2",x="a"} 5\nt_bucket{le="+Inf",x="a"} 6\nt_sum{x="a"} 7\nt_count{x="a"} 6\n'
    app, floating, written = box.start(Application, both), box.start(Application, floats), box.start(Application, text=text)
    unknown = box.start(Application, both, content_type="application/octet-stream")
    native = {"scrape_native_histograms": True}
    label = [{"target_label": "__scrape_native_histograms__", "replacement": "true"}]
    ours = box.start(Alerter, config(
        box, "ours.yml", job("plain", app.address), job("native", app.address, **native), job("label", app.address, relabel_configs=label),
        job("both", app.address, **native, always_scrape_classic_histograms=True), job("old", app.address, **native, scrape_classic_histograms=True),
        job("few", app.address, **native, native_histogram_bucket_limit=10), job("coarse", app.address, **native, native_histogram_min_bucket_factor=2),
        job("floats", floating.address, **native), job("text", written.address, convert_classic_histograms_to_nhcb=True),
        job("texts", written.address, convert_classic_histograms_to_nhcb=True, always_scrape_classic_histograms=True),
        job("converted", app.address, convert_classic_histograms_to_nhcb=True),
        job("unknown", unknown.address, **native, fallback_scrape_protocol="PrometheusProto"), job("refused", unknown.address, **native),
        job("listed", app.address, **native, scrape_protocols=["PrometheusText0.0.4", "PrometheusProto"]), every="4s"), ["--storage.path", box.folder / "data"])

    def classic(name, metric="h_bucket"):
        return {m["le"]: float(s["value"][1]) for m, s in ask(ours, f'{metric}{{job="{name}"}}')}

    def buckets(name, metric="h"):
        return [s["histogram"][1] for _, s in ask(ours, f'{metric}{{job="{name}"}}') if "histogram" in s]

    wait_for("everything was scraped", lambda: len(ask(ours, "scrape_samples_scraped")) == 14, 60)
    wait_for("all but one are up", lambda: len(ask(ours, "up == 1")) == 13, 60)
    assert classic("plain") == {"1.0": 400, "8.0": 600, "+Inf": 820} and not buckets("plain")
    for name in ("native", "label", "unknown", "listed"):
        assert not classic(name) and buckets(name)[0]["count"] == "820" and len(buckets(name)[0]["buckets"]) == 40, name
    for name in ("both", "old"):
        assert classic(name) == {"1.0": 400, "8.0": 600, "+Inf": 820} and len(buckets(name)[0]["buckets"]) == 40, name
    assert len(buckets("few")[0]["buckets"]) == 10 and buckets("few")[0]["count"] == "820"
    assert len(buckets("coarse")[0]["buckets"]) == 5 and buckets("coarse")[0]["buckets"][0] == [0, "1", "2", "36"]
    assert buckets("floats")[0] == {"count": "2.75", "sum": "3", "buckets": [[0, "1", "2", "0.5"], [0, "2", "4", "2.25"]]}
    for name in ("text", "texts"):
        assert buckets(name, "t")[0] == {"count": "6", "sum": "7", "buckets": [[3, "-Inf", "1", "3"], [0, "1", "2", "2"], [0, "2", "+Inf", "1"]]}, name
    assert not classic("text", "t_bucket") and classic("texts", "t_bucket") == {"1.0": 3, "2.0": 5, "+Inf": 6}
    assert buckets("converted")[0]["count"] == "820" and not classic("converted")
    assert ask(ours, 'histogram_quantile(0.5, t{job="text"})')[0][1]["value"][1] == "1"
    refused = next(t for t in ours.json("/api/v1/targets")["data"]["activeTargets"] if t["labels"]["job"] == "refused")
    assert refused["lastError"] == 'received unsupported Content-Type "application/octet-stream" and no fallback_scrape_protocol is set'
    assert any(a == "text/plain;version=0.0.4;q=0.6,application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,*/*;q=0.4"
               for a in app.accepts), set(app.accepts)


def test_a_histogram_ends_and_outlives_kill_9(box):
    """A rate over two scrapes; a series that vanished is stale at once; what was scraped is there after kill -9."""
    app = box.start(Application, families(1))
    ours = box.start(Alerter, config(box, "ours.yml", job("app", app.address, scrape_native_histograms=True)), ["--storage.path", box.folder / "data"])
    wait_for("the first scrape", lambda: ask(ours, "latency_seconds"), 60)
    app.families = families(3)
    wait_for("a rate", lambda: values(ours, "histogram_count(increase(latency_seconds[1m])) > 0"), 60)
    wait_for("the same quantile", lambda: math.isclose(*(values(ours, f"histogram_quantile(0.9, {q})").popitem()[1]
                                                         for q in ("rate(latency_seconds[1m])", "latency_seconds")), rel_tol=1e-9), 60)
    app.families = pb.family("left", pb.GAUGE, pb.metric(pb.gauge(1)))
    wait_for("it ended", lambda: ask(ours, "left") and not ask(ours, "latency_seconds"), 60)
    held = ask(ours, "latency_seconds[10m]")[0][1]["histograms"]
    ours.kill()
    ours.start()
    assert ask(ours, "latency_seconds[10m]")[0][1]["histograms"][:len(held)] == held


def test_the_real_thing(box):
    """Debian's Alertmanager serves both formats with a Go client: what is read as protobuf is what is read as text."""
    port = free_port()
    am = box.start(lambda folder: Process("alertmanager", ["prometheus-alertmanager", "--config.file", box.write("am.yml", "route: {receiver: a}\nreceivers: [{name: a}]\n"),
                                                           "--storage.path", folder / "am", f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="], folder))
    am.ready(lambda: http(f"http://127.0.0.1:{port}/-/ready")[0] == 200, 60)
    jobs = [job(name, f"127.0.0.1:{port}", scrape_protocols=[name]) for name in ("PrometheusProto", "PrometheusText0.0.4")]
    ours = box.start(Alerter, config(box, "ours.yml", *jobs), ["--storage.path", box.folder / "data"])
    moves = 'up|scrape_.*|go_.*|process_.*|promhttp_.*|.*_http_.*|alertmanager_silences_quer.*'

    def read(name, but):
        return {json.dumps(m, sort_keys=True): s["value"][1] for m, s in ask(ours, f'{{job="{name}",__name__!~"{but}"}}')}

    def same(but, told):
        a, b = read("PrometheusProto", but), read("PrometheusText0.0.4", but)
        assert told(a) == told(b)
        return len(a)

    assert wait_for("the same series", lambda: same("up|scrape_.*", set), 60) > 200
    assert wait_for("the same values of what rests", lambda: same(moves, dict), 60) > 100


def test_bad_messages_fail_the_scrape(box):
    """Cut off, nonsense, impossible histograms: up is 0 and the reason is told; nothing of the reply is kept."""
    good = pb.family("fine", pb.GAUGE, pb.metric(pb.gauge(1)))
    lies = pb.message(4, pb.message(7, pb.uint(1, 9) + pb.double(2, 1) + pb.sint(5, 0) + pb.double(6, 0.1) + pb.message(12, pb.sint(1, 0) + pb.uint(2, 3)) + pb.sint(13, 1)))
    cases = {"cut": (good + good[:-3], "protobuf: the reply is cut off"), "text": (b"fine 1\n", "protobuf: the reply is cut off"),
             "lies": (good + pb.family("h", pb.HISTOGRAM, lies), "protobuf: a native histogram has another number of buckets than its spans say in h"),
             "count": (pb.family("h", pb.HISTOGRAM, pb.metric(pb.histogram({1: 2}).replace(pb.uint(1, 2), pb.uint(1, 3), 1))),
                       "protobuf: a native histogram counts other observations than are in its buckets in h"),
             "name": (good + pb.family("", pb.GAUGE, pb.metric(pb.gauge(1))), "protobuf: a metric family without a name"),
             "kind": (good + pb.family("x", 9, pb.metric(pb.gauge(1))), "protobuf: an unknown metric type in x")}
    apps = {name: box.start(Application, body) for name, (body, _) in cases.items()}
    ours = box.start(Alerter, config(box, "ours.yml", *(job(n, a.address, scrape_native_histograms=True) for n, a in apps.items())))
    wait_for("all were tried", lambda: len(ask(ours, "up == 0")) == len(cases), 60)
    expect = {name: error for name, (_, error) in cases.items()}
    wait_for("the reasons are told", lambda: {t["labels"]["job"]: t["lastError"] for t in ours.json("/api/v1/targets")["data"]["activeTargets"]} == expect, 60)
    assert not ask(ours, "fine")


def test_configuration_is_checked(box):
    path = config(box, "bad.yml", job("a", "h:1", scrape_protocols=["PrometheusProto", "Xml"]), job("b", "h:1", scrape_protocols=[]),
                  job("c", "h:1", scrape_protocols=["PrometheusProto", "PrometheusProto"]))
    from servers import binary
    done = subprocess.run([binary("tocsin-alerter"), "check", "config", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    for said in ("scrape_protocols: Xml is no protocol", "scrape_protocols is empty", "PrometheusProto occurs twice"):
        assert said in done.stdout + done.stderr, done


OPENMETRICS = """# TYPE seen counter
seen_total{path="/a"} 3 # {trace_id="one"} 0.5
seen_total{path="/b"} 1 # {trace_id="two",span="2"} 1.5 1700000000.25
# TYPE took histogram
took_bucket{le="0.5"} 1 # {trace_id="three"} 0.25 1700000001
took_bucket{le="+Inf"} 2 # {} 9 1700000002
took_count 2
took_sum 9.25
# EOF
"""


def test_exemplars_as_prometheus_has_them(box):
    """The same answers, whatever is asked for; those without a time of their own bear the scrape's."""
    app = box.start(Application, text=OPENMETRICS, content_type="application/openmetrics-text; version=1.0.0; charset=utf-8")
    ours = box.start(Alerter, config(box, "ours.yml", job("app", app.address)))
    theirs = box.start(Prometheus, config(box, "theirs.yml", job("app", app.address)))

    def exemplars(server, **params):
        status, _, text = http(server.url("/api/v1/query_exemplars?" + urllib.parse.urlencode(params)))
        answer = json.loads(text)
        for series in answer.get("data", []):
            for e in series["exemplars"]:
                if e["labels"].get("trace_id") == "one":
                    assert time.time() - 60 < e.pop("timestamp") < time.time() + 60
        return status, answer["status"], answer.get("data")
    for server in (ours, theirs):
        wait_for("exemplars", lambda: len(exemplars(server, query="seen_total")[2]) == 2)
    for params in ({"query": "seen_total"}, {"query": 'sum(rate(seen_total{path="/b"}[5m])) / took_bucket'}, {"query": "nosuch"},
                   {"query": "took_bucket", "start": 1700000001, "end": 1700000001.5}, {"query": "("}, {"query": "took_bucket", "start": 2, "end": 1}):
        wait_for(f"the same exemplars of {params}", lambda: exemplars(ours, **params) == exemplars(theirs, **params))


def test_exemplars_of_protobuf(box):
    """Of counters and classic buckets as Prometheus has them; of native histograms, for which its version of today has them, those with a time."""
    now = int(time.time()) * 1000
    classic = pb.message(7, pb.uint(1, 5), pb.double(2, 4.5), pb.bucket(1, 0.5, pb.exemplar_at(3, "low", 0.25, now)), pb.bucket(4, 2.0), pb.bucket(5, math.inf, pb.exemplar_at(3, "high", 9)))
    plain = pb.histogram(pb.observations(LATENCIES), total=1, classic=[(0.1, 9)])
    told = pb.message(7, pb.uint(1, 5), pb.sint(5, 3), pb.double(6, 1e-9), pb.message(12, pb.sint(1, 0) + pb.uint(2, 1)), pb.sint(13, 5), pb.bucket(1, 0.5, pb.exemplar_at(3, "of a bucket", 0.25, now)),
                      pb.exemplar_at(16, "own", 0.25, now + 1), pb.exemplar_at(16, "second", 0.5, now + 2), pb.exemplar_at(16, "timeless"))
    app = box.start(Application, families=b"".join([
        pb.family("seen_total", pb.COUNTER, pb.metric(pb.counter(41, exemplar='o"ne', t_ms=now), path="/a"), pb.metric(pb.counter(7), path="/b")),
        pb.family("took", pb.HISTOGRAM, pb.metric(classic)), pb.family("native", pb.HISTOGRAM, pb.metric(told)), pb.family("plain", pb.HISTOGRAM, pb.metric(plain))]))
    ours = box.start(Alerter, config(box, "ours.yml", job("app", app.address, scrape_protocols=["PrometheusProto"], scrape_native_histograms=True)))
    theirs = box.start(Prometheus, config(box, "theirs.yml", job("app", app.address)))

    def exemplars(server, query):
        data = json.loads(http(server.url("/api/v1/query_exemplars?" + urllib.parse.urlencode({"query": query})))[2])["data"]
        return sorted((sorted(s["seriesLabels"].items()), e["labels"]["trace_id"], float(e["value"]), round(e["timestamp"] * 1000) if e["labels"]["trace_id"] != "high" else 0)
                      for s in data for e in s["exemplars"])
    for query, n in (("seen_total", 1), ("took_bucket", 2)):
        wait_for(f"exemplars of {query}", lambda: len({e[1] for e in exemplars(ours, query)}) == n and len({e[1] for e in exemplars(theirs, query)}) == n)
        wait_for(f"the same exemplars of {query}", lambda: {e[1:] for e in exemplars(ours, query)} == {e[1:] for e in exemplars(theirs, query)})
    assert [e[1:] for e in exemplars(ours, "native")] == [("own", 0.25, now + 1), ("second", 0.5, now + 2)]
    assert exemplars(ours, "plain") == [] and list(values(ours, "up").values()) == [1.0]
