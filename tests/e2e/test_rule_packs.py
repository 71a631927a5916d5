"""The shipped rule packs: both tools accept them, and each alert has a timeline that fires and one that stays quiet (F3, F4, F5, F6, F7, F8, F9, F10,
F11, F12, F13, O1, O3, O4, O5, O6, C2, C5, P2, P4, M1, M4, M5, M6)."""
import re
import subprocess

import pytest
import yaml
from exporter_text import Json, Metrics, scrape
from servers import ROOT, Exporter, binary

PACKS = sorted((ROOT / "rules").glob("*.yml"))


def alerts_of(pack):
    return [r["alert"] for g in yaml.safe_load(pack.read_text())["groups"] for r in g["rules"] if "alert" in r]


def test_there_are_packs():
    assert {p.stem for p in PACKS} >= {"fairedge", "postgres", "redis", "celery", "host", "probe", "files", "logs", "exporter", "circuit_breaker", "mongodb", "tocsin"}


@pytest.mark.parametrize("pack", PACKS, ids=lambda p: p.stem)
def test_both_tools_accept_it(pack):
    for tool in (["promtool", "check", "rules", pack], [binary("tocsin-alerter"), "check", "rules", pack]):
        done = subprocess.run([str(a) for a in tool], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("pack", PACKS, ids=lambda p: p.stem)
def test_each_alert_fires_and_stays_quiet(pack):
    test_file = pack.parent / "tests" / pack.name
    done = subprocess.run(["promtool", "test", "rules", str(test_file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    fires, quiet = set(), set()
    for test in yaml.safe_load(test_file.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            (fires if case.get("exp_alerts") else quiet).add(case["alertname"])
    assert set(alerts_of(pack)) == fires & quiet


def test_metrics_of_the_exporter_exist(box):
    """F4, F6, F11, F12, O5: what the packs of host, probes, files, logs and the exporter ask for is what the exporter serves, logs by the example in docs/."""
    example = re.search(r"^```yaml\n(logs:.*?)^```", (ROOT / "docs/exporter-logs.md").read_text(), re.S | re.M)[1]
    example = example.replace("/var/log/app/*.log", f"{box.folder}/*.log").replace("/var/lib/tocsin/app.state", f"{box.folder}/state\n    first: beginning")
    box.write("a.log", "auth_failed user=x ip=10.0.0.1\nSlow query: 1.2s\n" + '{"level": "ERROR", "service": "api", "status_code": 500, "duration_ms": 3}\n')
    with Json({"/": {"status": "ok"}}) as site:
        exporter = box.start(Exporter, box.write("e.yml", f"""
host: [{{ name: here }}]
files: [{{ name: backups, sets: [{{ name: daily, glob: '{box.folder}/*.log' }}] }}]
probe: [{{ name: site, url: 'http://127.0.0.1:{site.port}/', require_headers: [Content-Length], require_json: {{ /status: ok }} }}]
{example}"""))
        names = scrape(exporter).names()
        assert {had["event"] for had, _ in Metrics(exporter.get("/metrics")[2]).find("app_events_total")} >= {"database", "odds_api", "auth", "rate_limit", "memory", "suspicious_url"}
    by_chance = {"tocsin_cgroup_memory_limit_bytes", "tocsin_cgroup_oom_kills_total", "tocsin_cgroup_cpu_throttled_seconds_total", "tocsin_cgroup_memory_usage_bytes",
                 "probe_ssl_earliest_cert_expiry"}           # not of this machine's control group, not without TLS
    for pack in ("host", "probe", "files", "logs", "exporter"):
        asked = set(re.findall(r"\b((?:node|tocsin|probe|app)_\w+)", " ".join(r["expr"] for g in yaml.safe_load((ROOT / f"rules/{pack}.yml").read_text())["groups"] for r in g["rules"])))
        assert asked - by_chance - names == set(), pack
