"""As an Alertmanager: Debian's amtool and Debian's Prometheus talk to the alerter; silences outlive kill -9 and hide no end."""
import json
import shutil
import subprocess

import pytest
from servers import Alerter, Process, free_port, http
from watched import Target, Watch, Webhook, alert_rule, job, rule_file

BROKEN = [alert_rule("Broken", "broken == 1", summary="it is {{ $value }}")]
ROUTES = [{"matchers": ['team="db"'], "receiver": "db"}]

needs_amtool = pytest.mark.skipif(not shutil.which("amtool"), reason="Debian's amtool (package prometheus-alertmanager) is not installed")


@pytest.fixture
def target(box):
    t = box.start(Target)
    t.set(broken=0)
    return t


@pytest.fixture
def watch(box, target):
    w = Watch(box, [job("app", target)], BROKEN)
    w.scraped()
    return w


def amtool(watch, *args, fails=False):
    done = subprocess.run(["amtool", "--alertmanager.url", watch.program.url(), *args], capture_output=True, text=True, timeout=120,
                          env={"HOME": str(watch.box.folder), "PATH": "/usr/bin:/bin"})
    assert (done.returncode != 0) == fails, (args, done.stdout, done.stderr)
    return done.stdout


@needs_amtool
def test_amtool_silences(watch, target):
    """A silence keeps quiet what begins, not the end of what was told; it outlives kill -9; when it expires, what still fires is told."""
    target.set(broken=1)
    watch.told("Broken")
    silence = amtool(watch, "silence", "add", "--author", "me", "--comment", "maintenance", "--duration", "1h", "alertname=~Bro.*").strip()
    assert len(silence) == 36
    watch.program.kill()
    watch.program.start()
    assert silence in amtool(watch, "silence", "query")
    assert "Broken" not in amtool(watch, "alert", "query")
    assert "Broken" in amtool(watch, "alert", "query", "--silenced")
    target.set(broken=0)
    watch.told("Broken", "resolved")
    target.set(broken=1)
    watch.until_state("Broken", "firing")
    watch.ticks(5)
    assert len(watch.hook.accepted) == 2
    amtool(watch, "silence", "expire", silence)
    watch.hook.wait_for(lambda h: len(h.accepted) == 3)
    assert silence in amtool(watch, "silence", "query", "--expired")
    amtool(watch, "silence", "expire", silence)
    amtool(watch, "silence", "expire", "nope", fails=True)
    assert amtool(watch, "silence", "expire", amtool(watch, "silence", "add", "-c", "all but these", "severity!=critical").strip()) == ""


@needs_amtool
def test_amtool_alerts(watch):
    amtool(watch, "alert", "add", "Typed", "severity=warning", "--annotation", "summary=by hand")
    message, alert = watch.told("Typed")
    assert alert["labels"] == {"alertname": "Typed", "severity": "warning"} and alert["annotations"]["summary"] == "by hand"
    shown, = json.loads(amtool(watch, "alert", "query", "-o", "json", "severity=warning"))
    assert shown["labels"]["alertname"] == "Typed" and [r["name"] for r in shown["receivers"]] == ["all"]
    assert "Typed" not in amtool(watch, "alert", "query", "severity=critical")


@needs_amtool
def test_amtool_updates_a_silence(watch):
    silence = amtool(watch, "silence", "add", "--author", "me", "--comment", "short", "--duration", "1h", "alertname=Typed").strip()
    before, = json.loads(amtool(watch, "silence", "query", "-o", "json"))
    amtool(watch, "silence", "update", "--duration", "5h", "--comment", "longer", silence)
    after, = json.loads(amtool(watch, "silence", "query", "-o", "json"))
    assert (after["id"], after["comment"], after["startsAt"]) == (silence, "longer", before["startsAt"]) and after["endsAt"] > before["endsAt"]
    assert amtool(watch, "silence", "query", "--quiet", "alertname=Typed").strip() == silence
    assert amtool(watch, "silence", "query", "--quiet", "alertname=Other").strip() == ""
    (watch.box.folder / "silences").write_text(amtool(watch, "silence", "query", "-o", "json"))
    amtool(watch, "silence", "expire", silence)
    amtool(watch, "silence", "import", "--force", str(watch.box.folder / "silences"))
    assert len(amtool(watch, "silence", "query", "--quiet").split()) == 1


def test_alerts_by_filter_and_group(box, target):
    """API v2: each filter of alerts and groups, receivers, and what a silenced and an inhibited one show."""
    target.set(broken=1)
    watch = Watch(box, [job("app", target)], BROKEN, start=False)
    watch.config["receivers"].append({"name": "db", "webhook_configs": [{"url": watch.hook.url}]})
    watch.config["route"]["routes"] = [{**ROUTES[0], "group_by": ["severity"], "labels": {"owner": "{{ .CommonLabels.team }}"}}]
    watch.config["inhibit_rules"] = [{"source_matchers": ['alertname="Broken"'], "target_matchers": ['alertname="Symptom"']}]
    watch.path.write_text(json.dumps(watch.config))
    watch.program = box.start(Alerter, watch.path, ["--storage.path", box.folder / "data"])
    watch.told("Broken")
    post = [{"labels": {"alertname": name, **labels}} for name, labels in (("Symptom", {}), ("Slow", {"team": "db"}), ("Quiet", {}))]
    assert watch.program.get("/api/v2/alerts", data=post)[0] == 200
    times = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
    status, _, text = watch.program.get("/api/v2/silences", data={"matchers": [{"name": "alertname", "value": "Quiet", "isRegex": False}],
                                                                  "createdBy": "me", "comment": "c", **times})
    assert status == 200
    silence = json.loads(text)["silenceID"]

    def names(query, what="alerts"):
        found = watch.program.json(f"/api/v2/{what}?{query}")
        return sorted(a["labels"]["alertname"] for a in (found if what == "alerts" else [a for g in found for a in g["alerts"]]))
    watch.until("all are there", lambda: len(names("")) == 4)
    for query, found in {"": ["Broken", "Quiet", "Slow", "Symptom"], "silenced=false": ["Broken", "Slow", "Symptom"], "inhibited=false": ["Broken", "Quiet", "Slow"],
                         "active=false": ["Quiet", "Symptom"], "filter=team%3D%22db%22": ["Slow"], "filter=alertname%3D~%22S.*%22&filter=team%3D%22%22": ["Symptom"],
                         "receiver=d.": ["Slow"], "receiver=d": [], "unprocessed=false&filter=severity%3Dcritical": ["Broken"]}.items():
        assert names(query) == found and names(query, "alerts/groups") == found, query
    for query, reason in {"alerts?filter=team": "bad matcher format: team", "alerts/groups?filter=": "one matcher", "silences?filter=a%3Db,c%3Dd": "one matcher",
                          "alerts?filter=a%3D~%28": "a=~(", "alerts?receiver=%28": "failed to parse receiver param: ", "alerts?" + "filter=a%3Db&" * 65: "MAX_FILTERS",
                          "alerts?active=maybe": "active is neither true nor false: maybe", "silences?expired=2": "expired is neither"}.items():
        status, _, text = watch.program.get(f"/api/v2/{query}")
        assert status == 400 and reason in json.loads(text), (query, text)
    assert names("active=no&silenced=1&muted=") == ["Quiet", "Symptom"]
    states = {a["labels"]["alertname"]: a["status"] for a in watch.program.json("/api/v2/alerts")}
    assert states["Quiet"] == {"state": "suppressed", "silencedBy": [silence], "inhibitedBy": [], "mutedBy": []}
    assert states["Symptom"]["state"] == "suppressed" and len(states["Symptom"]["inhibitedBy"]) == 1 and states["Slow"]["state"] == "active"
    group, = watch.program.json("/api/v2/alerts/groups?receiver=db")
    assert group["labels"] == {} and group["routeLabels"] == {"owner": "db"} and group["receiver"] == {"name": "db"} and group["alerts"][0]["receivers"] == [{"name": "db"}]
    assert watch.program.json("/api/v2/receivers") == [{"name": "all"}, {"name": "db"}]
    assert set(watch.program.json("/api/v2/status")) == {"cluster", "config", "uptime", "versionInfo"}


@needs_amtool
def test_amtool_config(box, target):
    hook = box.start(lambda _folder: Webhook())
    watch = Watch(box, [job("app", target)], BROKEN, receiver={"webhook_configs": [{"url": hook.url + "/secret"}]})
    routes = [{**ROUTES[0], "escalation": []}]
    escalation = [{"after": "1h", "receiver": "db"}]        # is ours, and so nothing amtool gets to see
    config = dict(watch.config, route={**watch.config["route"], "routes": routes, "escalation": escalation}, receivers=[*watch.config["receivers"], {"name": "db"}])
    watch.path.write_text(json.dumps(config))
    assert watch.program.get("/-/reload", method="POST", data=b"")[0] == 200
    assert amtool(watch, "config", "routes", "test", "team=db").strip() == "db"
    assert amtool(watch, "config", "routes", "test", "team=web").strip() == "all"
    assert "db" in amtool(watch, "config", "show")
    original = watch.program.json("/api/v2/status")["config"]["original"]
    assert hook.url not in original
    amtool(watch, "check-config", str(box.write("alertmanager.yml", original)))


def test_a_silence_is_checked(watch):
    def post(**silence):
        status, _, text = watch.program.get("/api/v2/silences", data={"createdBy": "me", "comment": "c", **silence})
        return status, text
    matchers = [{"name": "a", "value": "b", "isRegex": False}]
    times = {"startsAt": "2090-01-01T00:00:00Z", "endsAt": "2090-01-02T00:00:00Z"}
    assert post(matchers=matchers, **times)[0] == 200
    assert post(matchers=[], **times)[0] == 422
    assert post(matchers=[{"name": "a", "value": "", "isRegex": False}], **times)[0] == 400
    assert post(matchers=[{"name": "a", "value": "(", "isRegex": True}], **times)[0] == 400
    assert post(matchers=matchers, startsAt="2090-01-02T00:00:00Z", endsAt="2090-01-01T00:00:00Z")[0] == 400
    assert post(matchers=matchers, startsAt="2020-01-01T00:00:00Z", endsAt="2020-01-02T00:00:00Z")[0] == 400
    assert post(matchers=matchers, id="nope", **times)[0] == 404
    for method in ("GET", "DELETE"):
        assert watch.program.get("/api/v2/silence/nope", method=method)[0] == 422
        assert watch.program.get("/api/v2/silence/00000000-0000-0000-0000-000000000000", method=method)[0] == 404
    status, _, _ = http(watch.program.url("/api/v2/silences"), data={"matchers": matchers, **times}, headers={"Origin": "http://elsewhere"})
    assert status == 403


@pytest.mark.skipif(not shutil.which("prometheus"), reason="Debian's prometheus is not installed")
def test_prometheus_sends_its_alerts(box, watch, target):
    """Debian's Prometheus evaluates, we deliver: begun, and ended when it says so."""
    target.set(broken=0, other=1)
    box.write("p-rules.yml", rule_file(alert_rule("Other", "other == 1", summary="theirs"), interval="1s"))
    config = box.write("prometheus.yml", json.dumps({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "external_labels": {"site": "here"}}, "rule_files": ["p-rules.yml"],
        "scrape_configs": [job("app", target)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{watch.program.port}"]}]}]}}))
    port = free_port()
    prometheus = Process("prometheus", ["prometheus", "--config.file", config, "--storage.tsdb.path", box.folder / "tsdb",
                                        "--web.listen-address", f"127.0.0.1:{port}", "--rules.alert.resend-delay", "5s"], box.folder)         # four of them is how long it lets one live
    box.started.append(prometheus)
    _, alert = watch.told("Other")
    assert alert["labels"]["site"] == "here" and alert["annotations"]["summary"] == "theirs"
    watch.program.kill()
    watch.program.start()
    target.set(broken=0, other=0)
    watch.told("Other", "resolved")
    assert len(watch.hook.once()) == 2
