"""Configuration and rule files: every mistake with its place, nothing half applied, and other people's files taken as they are."""
import json
import os
import re
import signal
import subprocess

import pytest
from servers import ROOT, Alerter, binary, http
from watched import Target, Watch, Webhook, alert_rule, job, rule_file

SEED = ROOT.parent / "shared/seeds/002_85d0b39ea99c5d85.txt"
CORPUS = ROOT.parent / "shared/rules-corpus"

FIVE_MISTAKES = """global:
  scrape_interval: 1x
scrape_configs:
  - job_name: app
    static_configs:
      - targets: ['127.0.0.1:1']
    relabel_configs:
      - { source_labels: [a], regex: '(', target_label: b }
    scrape_intervall: 1s
rule_files: [rules.yml]
route: { receiver: nobody }
receivers:
  - name: all
    webhook_configs:
      - { url: 'hooks.example.com/hush', http_config: { bearer_token: hush } }
"""
PLACES = [(2, 20, "1x"), (8, 39, ")"), (9, 5, "scrape_interval"), (11, 20, "nobody"), (15, 16, "url")]

BAD_RULES = """groups:
  - name: g
    rules:
      - alert: A
        expr: sum(rate(x[5m])
      - alert: B
        expr: up == 0
        fo: 5m
      - alert: C
        expr: rate(up) > 1
        for: soon
      - alert: D
        expr: up == 0
        annotations: { summary: '{{ .Nope' }
"""
BAD_RULES_PLACES = [(5, 30), (8, 9), (10, 20), (11, 14), (14, 42)]


def run(*args):
    return subprocess.run([binary("tocsin-alerter"), *map(str, args)], capture_output=True, text=True, timeout=120)


def places(path, text):
    return [(int(line), int(col), what) for line, col, what in re.findall(rf"^{re.escape(str(path))}:(\d+):(\d+): (.*)$", text, re.M)]


def test_five_mistakes_five_messages(box):
    """Each mistake has one message with file, line, column and the source line; check and start say the same and exit 1; no secret shows."""
    path = box.write("five.yml", FIVE_MISTAKES)
    checked, started = run("check", "config", path), run("--config.file", path, "--storage.path", box.folder / "data")
    for done in (checked, started):
        assert done.returncode == 1 and "hush" not in done.stdout + done.stderr
        found = places(path, done.stderr)
        assert [f[:2] for f in found] == [p[:2] for p in PLACES], done.stderr
        assert all(word in message for (_, _, word), (_, _, message) in zip(PLACES, found))
        assert "  scrape_interval: 1x\n                       ^\n" in done.stderr, "the line and a caret"
    assert "5 errors" in checked.stdout and not (box.folder / "data").exists(), "nothing was begun"
    assert run("check", "config", box.folder / "absent.yml").returncode == 1
    assert run("check", "config").returncode == 2 and run("--no-such-flag").returncode == 2 and run("check", "nonsense").returncode == 2


def test_rule_files_are_checked(box):
    """Expressions, keys, durations and templates of rules: each mistake in its place; warnings exit 0."""
    path = box.write("bad.yml", BAD_RULES)
    done = run("check", "rules", path)
    assert done.returncode == 1 and [f[:2] for f in places(path, done.stderr)] == BAD_RULES_PLACES, done.stderr
    assert "did you mean rate(up[5m])?" in done.stderr and 'did you mean "for"?' in done.stderr
    path = box.write("lint.yml", rule_file(alert_rule("X", "up")))
    done = run("check", "rules", path)
    assert done.returncode == 0 and "warning" in done.stderr


def test_a_pipe_that_a_wildcard_finds_holds_nobody_up(box):
    """Rules and templates: it is a mistake with a name."""
    for kind in ("rule_files", "templates"):
        (box.folder / kind).mkdir()
        os.mkfifo(box.folder / kind / "x.yml")
        done = run("check", "config", box.write("pipes.yml", f"{kind}: ['{box.folder}/{kind}/*.yml']\n"))
        assert done.returncode == 1 and "x.yml: it is no regular file" in done.stderr, done.stderr


def test_what_is_surely_not_meant_is_a_warning(box):
    """A glob of rule files that fits nothing, a path without a slash, a template nobody defines: each in its place, and exit 0."""
    path = box.write("odd.yml", """rule_files: ['rules/*.yml']
scrape_configs:
  - { job_name: a, metrics_path: 7 }
route: { receiver: a }
receivers:
  - { name: a, slack_configs: [{ channel: x, api_url: 'http://x/', title: '{{ template "mine" . }}' }] }
""")
    done = run("check", "config", path)
    assert done.returncode == 0 and [f[0] for f in places(path, done.stderr)] == [1, 3, 6], done.stderr
    assert all(text in done.stderr for text in ("no file fits", '"/7" is asked for', 'template "mine" is not defined'))


def reload_by_post(watch):
    status, _, text = watch.program.get("/-/reload", data=b"", method="POST")
    assert status == 500 and "unchanged" in text


def reload_by_signal(watch):
    watch.program.process.p.send_signal(signal.SIGHUP)


def good(watch):
    text = watch.program.get("/metrics")[2]
    return re.search(r"^prometheus_config_last_reload_successful (\d)$", text, re.M)[1] == "1"


@pytest.mark.parametrize("way", [reload_by_post, reload_by_signal])
def test_a_bad_reload_changes_nothing(box, way):
    """A reload with five mistakes: the old configuration goes on, and metric, log, page and API say so; a good one mends it."""
    target = box.start(Target, text="broken 1\n")
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")])
    watch.told("Broken")
    active, config, text = watch.alert("Broken"), watch.data("/api/v1/status/config"), watch.path.read_text()
    assert good(watch)
    watch.path.write_text(FIVE_MISTAKES)
    way(watch)
    watch.until("it was refused", lambda: not good(watch))
    watch.until("each mistake is logged", lambda: all(f"at={line}:{col}" in watch.program.process.text() for line, col, _ in PLACES))
    page = watch.program.get("/")[2]
    assert "The last reload failed" in page and "did you mean" in page and "hush" not in page + watch.program.process.text()
    assert watch.data("/api/v1/status/runtimeinfo")["reloadConfigSuccess"] is False
    watch.scraped()
    watch.ticks()
    assert watch.alert("Broken") == active and watch.data("/api/v1/status/config") == config
    assert len(watch.hook.requests) == 1

    watch.path.write_text(text.replace('"app"', '"renamed"'))
    if way is reload_by_post:
        assert watch.program.get("/-/reload", data=b"", method="POST")[0] == 200
    else:
        way(watch)
    watch.until("it was taken", lambda: good(watch) and "The last reload failed" not in watch.program.get("/")[2])
    watch.until("the new job is scraped", lambda: watch.value('up{job="renamed"}') == 1)
    assert watch.program.get("/-/reload")[0] == 405, "a GET reloads nothing"


def test_a_rule_file_keeps_its_last_good_version(box):
    """One bad rule file of two: it keeps its last good version, the other is taken over; a file that vanished keeps its rules once."""
    target = box.start(Target, text="broken 1\nother 0\n")
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")])
    watch.told("Broken")
    watch.path.write_text(json.dumps({**watch.config, "rule_files": ["rules.yml", "more*.yml"]}))
    box.write("more.yml", rule_file(alert_rule("Other", "other == 1")))
    box.write("rules.yml", BAD_RULES)
    status, _, text = watch.program.get("/-/reload", data=b"", method="POST")
    assert status == 500 and "5 mistake" in text and not good(watch)
    names = {r["name"] for g in watch.data("/api/v1/rules")["groups"] for r in g["rules"]}
    assert names == {"Broken", "Other"}
    watch.ticks()
    assert watch.state("Broken") == "firing" and len(watch.hook.told("Broken", "firing")) == 1
    target.set(broken=1, other=1)
    watch.told("Other")

    (box.folder / "more.yml").unlink()
    box.write("rules.yml", rule_file(alert_rule("Broken", "broken == 1")))
    watch.program.get("/-/reload", data=b"", method="POST")
    watch.ticks()
    assert watch.state("Other") == "firing" and len(watch.hook.told("Other", "resolved")) == 0, "a glob that became empty may be a mistake"
    watch.program.get("/-/reload", data=b"", method="POST")
    _, alert = watch.told("Other", "resolved")
    assert alert["annotations"]["tocsin_reason"] == "rule deleted"
    assert watch.state("Broken") == "firing" and not watch.hook.told("Broken", "resolved")


def seed_rules():
    text = SEED.read_text().split("### Alerting Rules")[1].split("## Log Management")[0]
    return "".join(re.findall(r"```yaml\n(.*?)```", text, re.S))


@pytest.mark.skipif(not SEED.exists(), reason="../shared/seeds is absent: the rules of FairEdge's guide were NOT loaded")
def test_the_rules_of_the_guide_verbatim(box):
    """F1: the six rules of FairEdge's guide, both blocks as they stand: checked, loaded, severity a label; ServiceDown has its own `for`."""
    rules = seed_rules()
    done = run("check", "rules", box.write("guide.yml", rules))
    assert done.returncode == 0 and "6 rules" in done.stdout, done.stderr
    assert "sum(rate(http_requests_total{status=~" in done.stderr and "http_request_duration_seconds_bucket" in done.stderr, "both are corrected"
    target = box.start(Target, text='fairedge_database_health 1\nfairedge_opportunities_count 14\n')
    watch = Watch(box, [job("fairedge-api", target)], rules)
    watch.scraped()
    groups = watch.data("/api/v1/rules")["groups"]
    loaded = {r["name"]: (r["labels"], r["duration"]) for g in groups for r in g["rules"]}
    assert loaded == {"ServiceDown": ({"severity": "critical"}, 60), "HighErrorRate": ({"severity": "critical"}, 120),
                      "DatabaseDown": ({"severity": "critical"}, 30), "HighResponseTime": ({"severity": "warning"}, 300),
                      "LowOpportunityCount": ({"severity": "warning"}, 600), "HighMemoryUsage": ({"severity": "warning"}, 300)}
    target.set(fairedge_database_health=0, fairedge_opportunities_count=9)
    watch.until_state("DatabaseDown", "pending", severity="critical")
    watch.until_state("LowOpportunityCount", "pending", severity="warning")
    target.down()
    watch.until_state("ServiceDown", "pending", severity="critical")
    assert watch.state("DatabaseDown") == "pending" and not watch.hook.requests
    assert {r["health"] for g in watch.data("/api/v1/rules")["groups"] for r in g["rules"]} == {"ok"}


PROMETHEUS = """# As a person keeps it.
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
  evaluation_interval: 200ms
  external_labels: {{ site: '${{SITE}}$WIND' }}     # north
rule_files: ['rules/*.yml']
alerting:
  alertmanagers: [{{ static_configs: [{{ targets: ['127.0.0.1:1'] }}] }}]
storage: {{ tsdb: {{ out_of_order_time_window: 10m }}, exemplars: {{ max_exemplars: 10 }} }}
scrape_configs:
  - job_name: app
    metrics_path: /metrics
    static_configs:
      - targets: ['{target}']
        labels: {{ team: shop }}
    metric_relabel_configs:
      - {{ source_labels: [__name__], regex: 'noise_.*', action: drop }}
"""


def test_prometheus_and_alertmanager_files_as_they_are(box):
    """prometheus.yml, a rule file and alertmanager.yml that promtool and amtool accept run unchanged; what is not honoured is said."""
    target = box.start(Target, text='broken{a="1"} 1\nnoise_level 3\n')
    hook = Webhook()
    box.started.append(hook)
    prometheus = box.write("prometheus.yml", PROMETHEUS.format(target=target.address))
    rules = box.write("rules/app.yml", """groups:
  - name: app
    rules:
      - record: broken:sum
        expr: sum by (team) (broken)
        labels: { level: team }
      - alert: Broken
        expr: broken:sum > 0
        labels: { severity: page }
        annotations: { summary: '{{ $labels.team }} at {{ $externalLabels.site }}: {{ $value | humanize }}' }
""")
    alertmanager = box.write("alertmanager.yml", f"""global: {{ resolve_timeout: 5m }}
route:
  receiver: nobody
  group_by: [alertname]
  group_wait: 0s
  routes:
    - matchers: [ severity="page", site=~"n.*" ]
      receiver: shop
      group_interval: 1s
receivers:
  - name: nobody
  - name: shop
    webhook_configs: [{{ url: '{hook.url}/shop', send_resolved: true }}]
""")
    for args in (["promtool", "check", "config", prometheus], ["promtool", "check", "rules", rules], ["amtool", "check-config", alertmanager]):
        done = subprocess.run(list(map(str, args)), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    done = run("check", "config", prometheus)
    assert done.returncode == 0 and "not honoured" not in done.stderr and "alerting" not in done.stderr, done.stderr
    alerter = box.start(Alerter, prometheus, ["--alertmanager.config.file", alertmanager, "--storage.path", box.folder / "data"], env={"SITE": "nor", "WIND": "th"})
    entry = hook.wait_for(lambda h: h.told("Broken", "firing"))[0]
    alert = entry["body"]["alerts"][0]
    assert entry["path"] == "/shop" and alert["annotations"]["summary"] == "shop at north: 1"
    assert alert["labels"] == {"alertname": "Broken", "level": "team", "severity": "page", "site": "north", "team": "shop"}
    query = json.loads(http(alerter.url("/api/v1/query?query=noise_level"))[2])
    assert query["data"]["result"] == []
    prometheus.write_text(prometheus.read_text().replace("'${SITE}$WIND'", "south, zone: b"))
    assert alerter.get("/-/reload", data=b"", method="POST")[0] == 200
    alerter.kill()
    alerter.start()
    target.set(broken=0)
    end = hook.wait_for(lambda h: h.told("Broken", "resolved"))[0]["body"]["alerts"][0]
    assert (end["labels"], end["fingerprint"]) == (alert["labels"], alert["fingerprint"]), "an end goes by the labels of its beginning"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/rules-corpus is absent: other people's rule files were NOT checked")
def test_rule_files_of_other_people(box):
    """Every rule file of the corpus that promtool accepts, we accept."""
    files = sorted(CORPUS.glob("*.yml"))
    fine = [f for f in files if subprocess.run(["promtool", "check", "rules", str(f)], capture_output=True).returncode == 0]
    assert len(fine) > len(files) / 2
    done = run("check", "rules", *fine)
    assert done.returncode == 0, [line for line in done.stderr.splitlines() if ".yml:" in line and " warning: " not in line]


def test_a_bad_rule_file_keeps_nobody_from_starting(box):
    """F14: of three rule files one is broken and one is missing at a start: the third is evaluated, alerts of the others go on, and log, page, metric
    and an alert say so; what was good at the last stop is in use. Mended, the alert ends."""
    target = box.start(Target, text="broken 1\nother 1\n")
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")])
    watch.path.write_text(json.dumps({**watch.config, "rule_files": ["rules.yml", "other.yml", "never.yml"]}))
    box.write("other.yml", rule_file(alert_rule("Other", "other == 1")))
    status, _, text = watch.program.get("/-/reload", data=b"", method="POST")
    assert status == 500 and f"{box.folder}/never.yml: none of its rules is in use" in text and "never.yml:0:0" not in text, text
    watch.told("Broken")
    watch.told("Other")
    watch.hook.wait_for(lambda h: h.told("TocsinRuleFileNotLoaded", "firing"))

    watch.program.stop()
    box.write("rules.yml", BAD_RULES)
    (box.folder / "other.yml").unlink()
    watch.program.start()
    assert not good(watch) and "its last good version is in use" in watch.program.get("/")[2]
    assert all(f"at={line}:{col}" in watch.program.process.text() for line, col, *_ in BAD_RULES_PLACES)
    assert {r["name"] for g in watch.data("/api/v1/rules")["groups"] for r in g["rules"]} == {"Broken", "Other"}
    files = {f"{box.folder}/{n}.yml" for n in ("rules", "other", "never")}
    watch.until("an alert for each file", lambda: {a["labels"]["file"] for r in watch.hook.told("TocsinRuleFileNotLoaded", "firing") for a in r["body"]["alerts"]
                                                   if a["status"] == "firing"} == files)
    target.set(broken=0, other=0)
    watch.told("Broken", "resolved")
    watch.told("Other", "resolved")

    box.write("rules.yml", rule_file(alert_rule("Broken", "broken == 1")))
    for name in ("other", "never"):
        box.write(f"{name}.yml", rule_file(alert_rule(name, "other == 1")))
    assert watch.program.get("/-/reload", data=b"", method="POST")[0] == 200 and good(watch)
    watch.until("the alert ends", lambda: {a["labels"]["file"] for r in watch.hook.requests for a in r["body"]["alerts"] if a["status"] == "resolved" and
                                           a["labels"]["alertname"] == "TocsinRuleFileNotLoaded"} == files)


def test_alerts_of_a_rule_file_that_never_loaded_go_on(box):
    """The version that was good is lost: its alerts are neither evaluated nor ended, over a reload too; deleted from the list they end."""
    target = box.start(Target, text="broken 1\n")
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")])
    watch.told("Broken")
    watch.program.stop()
    (box.folder / "data" / "rules.json").unlink()
    box.write("rules.yml", BAD_RULES)
    watch.program.start()
    watch.hook.wait_for(lambda h: h.told("TocsinRuleFileNotLoaded", "firing"))
    assert watch.program.get("/-/reload", data=b"", method="POST")[0] == 500
    watch.scraped()
    assert not watch.hook.told("Broken", "resolved")
    watch.path.write_text(json.dumps({**watch.config, "rule_files": []}))
    assert watch.program.get("/-/reload", data=b"", method="POST")[0] == 200
    _, alert = watch.told("Broken", "resolved")
    assert alert["annotations"]["tocsin_reason"] == "rule deleted"
