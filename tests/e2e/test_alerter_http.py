"""The alerter over HTTP: what Prometheus's tools and people ask of it, and the page."""
import gzip
import json
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
from servers import binary, http
from watched import Target, Watch, alert_rule, job

HOSTILE = '<script>alert("x")</script>&'


@pytest.fixture
def target(box):
    return box.start(Target, text='broken{what="<b>bold</b>"} 1\n# HELP hits Requests.\n# TYPE hits counter\nhits 7\n')


@pytest.fixture
def watch(box, target):
    w = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1", summary=HOSTILE), alert_rule("Waiting", "hits > 1", "1h"),
                                          {"record": "hits:sum", "expr": "sum(hits)"}])
    w.told("Broken")
    w.scraped()
    w.ticks(2)
    return w


def test_health_and_command_line(box, watch):
    """/-/healthy, /-/ready, --version, --help; an unknown path is 404, a wrong method 405; a port in use is said."""
    assert watch.program.get("/-/healthy")[0] == 200 and watch.program.get("/-/ready")[0] == 200
    assert watch.program.get("/nowhere")[0] == 404 and http(watch.program.url("/metrics"), data=b"", method="POST")[0] == 405
    for args, code, word in ((["--version"], 0, "tocsin-alerter "), (["--help"], 0, "--storage.path"), (["--log.level", "loud"], 2, "debug, info, warn or error"),
                             (["--web.external-url=tocsin.example.org"], 2, "--web.external-url=tocsin.example.org: write it like https://"),
                             (["--config.file", watch.path, "--storage.path", box.folder / "d2", "--web.listen-address", watch.program.url()[7:]], 1, "in use")):
        done = subprocess.run([binary("tocsin-alerter"), *map(str, args)], capture_output=True, text=True, timeout=120)
        assert done.returncode == code and word in done.stdout + done.stderr, done.stdout + done.stderr
    done = subprocess.run([binary("tocsin-alerter"), "--config.file", watch.path, "--storage.path", box.folder / "data"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and "another tocsin-alerter" in done.stderr, "two alerters on one state would tell everything twice"


def test_metrics(watch):
    """Both formats, gzip, promtool's own check; the figures of rules, scrapes and deliveries."""
    status, headers, text = watch.program.get("/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain; version=0.0.4")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert done.returncode in (0, 3), done.stderr     # 3: names that are a matter of taste; 1: not readable
    for line in ('tocsin_alerts{state="firing"} 1', 'tocsin_alerts{state="pending"} 1', "prometheus_config_last_reload_successful 1", "tocsin_scrape_targets 1"):
        assert f"\n{line}\n" in text
    assert 'alertmanager_notifications_total{' in text and 'prometheus_rule_evaluations_total{rule_group="' in text
    _, headers, text = watch.program.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert headers["Content-Type"].startswith("application/openmetrics-text") and text.endswith("# EOF\n")
    with urllib.request.urlopen(urllib.request.Request(watch.program.url("/metrics"), headers={"Accept-Encoding": "gzip"})) as r:
        assert r.headers["Content-Encoding"] == "gzip" and b"tocsin_alerts" in gzip.decompress(r.read())


def test_queries(watch):
    """/api/v1/query by GET and POST, at a time, ranges, series, labels; an error names the place in Prometheus's envelope."""
    assert watch.value("hits * 2") == 14 and watch.value("hits:sum") == 7
    status, headers, text = http(watch.program.url("/api/v1/query"), data=urllib.parse.urlencode({"query": "count(up == 1)"}).encode())
    answer = json.loads(text)
    assert status == 200 and headers["Content-Type"].startswith("application/json")
    assert answer["status"] == "success" and answer["data"]["resultType"] == "vector" and answer["data"]["result"][0]["value"][1] == "1"
    assert watch.data("/api/v1/query?query=1")["resultType"] == "scalar"
    assert watch.data("/api/v1/query?query=hits&time=" + str(time.time() - 3600))["result"] == []
    now = time.time()
    series, = watch.data(f"/api/v1/query_range?query=hits&start={now - 1}&end={now}&step=0.5")["result"]
    assert series["values"][-1][1] == "7"
    assert {s["__name__"] for s in watch.data("/api/v1/series?match[]=hits")} == {"hits"}
    assert "job" in watch.data("/api/v1/labels") and watch.data("/api/v1/label/job/values") == ["app"]
    assert watch.data("/api/v1/metadata?metric=hits")["hits"] == [{"type": "counter", "help": "Requests.", "unit": ""}]
    for path, code, words in (("/api/v1/query?query=sum(", 400, ["bad_data", "unexpected end"]), ("/api/v1/query", 400, ["bad_data"]),
                              ("/api/v1/query?query=hits%20*%20on()%20up&time=x", 400, ["bad_data", "time"]),
                              ("/api/v1/query_range?query=up&start=0&end=1000000&step=0", 400, ["bad_data", "step"])):
        status, _, text = watch.program.get(path)
        answer = json.loads(text)
        assert status == code and answer["status"] == "error" and all(w in answer["errorType"] + answer["error"] for w in words), text
    done = subprocess.run(["promtool", "query", "instant", watch.program.url(), "hits"], capture_output=True, text=True)
    assert done.returncode == 0 and "=> 7 @" in done.stdout, done.stdout + done.stderr


def test_alerts_rules_targets(watch, target):
    """What Grafana reads: alerts, rules with their alerts, targets, in Prometheus's shapes; filters."""
    alert = watch.alert("Broken")
    assert alert["labels"] == {"alertname": "Broken", "instance": target.address, "job": "app", "severity": "critical", "what": "<b>bold</b>"}
    assert alert["state"] == "firing" and alert["value"] == "1e+00" and alert["annotations"] == {"summary": HOSTILE}
    assert watch.state("Waiting") == "pending"
    group, = watch.data("/api/v1/rules")["groups"]
    assert (group["name"], group["file"], group["interval"]) == ("test", str(watch.rules_path), 0.2)
    rule = group["rules"][0]
    assert (rule["type"], rule["state"], rule["health"], rule["duration"]) == ("alerting", "firing", "ok", 0) and rule["alerts"] == [alert]
    assert group["rules"][2]["type"] == "recording" and group["rules"][2]["name"] == "hits:sum"
    assert [r["name"] for r in watch.data("/api/v1/rules?type=record")["groups"][0]["rules"]] == ["hits:sum"]
    one, = watch.data("/api/v1/targets")["activeTargets"]
    assert (one["health"], one["scrapePool"], one["scrapeInterval"], one["lastError"]) == ("up", "app", "200ms", "")
    assert one["labels"] == {"instance": target.address, "job": "app"} and one["scrapeUrl"] == f"http://{target.address}/metrics"
    target.down()
    watch.until("it is seen", lambda: watch.data("/api/v1/targets")["activeTargets"][0]["health"] == "down")
    assert watch.data("/api/v1/targets")["activeTargets"][0]["lastError"], "and why"


def test_the_page(watch, target):
    """Targets, rules and alerts on one page; nothing from outside becomes markup."""
    status, headers, page = watch.program.get("/")
    assert status == 200 and headers["Content-Type"].startswith("text/html") and headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "script-src 'none'; frame-ancestors 'none'"
    for text in ("Broken", "Waiting", "hits:sum", target.address, "broken == 1", "firing", "pending", "&lt;script&gt;", "&lt;b&gt;bold&lt;/b&gt;"):
        assert text in page, text
    assert "<script" not in page and "<b>bold" not in page
    assert watch.program.get("/style.css")[1]["Content-Type"].startswith("text/css")
    target.down()
    watch.until("it shows", lambda: "target down" in watch.program.get("/")[2] and "no data for" in watch.program.get("/")[2])


def test_keep_firing_for(box, target):
    """keep_firing_for: the alert goes on for that long after the condition ended; templates see labels, values and queries."""
    rule = alert_rule("Broken", "broken == 1", summary='{{ $labels.what }} {{ $value | printf "%.1f" }} {{ with query "hits" }}{{ . | first | value | humanize }}{{ end }}')
    watch = Watch(box, [job("app", target)], [{**rule, "keep_firing_for": "5s"}])
    _, alert = watch.told("Broken")
    assert alert["annotations"]["summary"] == "<b>bold</b> 1.0 7"
    begin = time.monotonic()
    target.set(broken=0)
    watch.until("it is kept", lambda: "keepFiringSince" in watch.alert("Broken"))
    watch.told("Broken", "resolved")
    assert time.monotonic() - begin >= 4         # an evaluation may come late, and counts from when it was due


def test_stops_cleanly(watch):
    """SIGTERM: ends with 0, and resolves nothing."""
    assert watch.program.stop() == 0
    assert len(watch.hook.requests) == 1
    assert "ERROR: " not in (watch.box.folder / "tocsin-alerter.log").read_text()
