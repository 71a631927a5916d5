"""The shipped rule packs: both tools accept them, and each alert has a timeline that fires and one that stays quiet (F3, F4, F5, F7, F8, F9, F10, F13, P4)."""
import subprocess

import pytest
import yaml
from servers import ROOT, binary

PACKS = sorted((ROOT / "rules").glob("*.yml"))


def alerts_of(pack):
    return [r["alert"] for g in yaml.safe_load(pack.read_text())["groups"] for r in g["rules"] if "alert" in r]


def test_there_are_packs():
    assert {p.stem for p in PACKS} >= {"fairedge", "postgres", "redis", "celery"}


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
