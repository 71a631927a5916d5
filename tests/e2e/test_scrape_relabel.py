"""Relabelling of targets as Prometheus has it: every action on odd labels, at random, beside Debian's. (F3, P1)"""
import json
import random
import re
import shutil

import pytest
from servers import Alerter, http, wait_for
from test_scrape_protobuf import Prometheus

NAMES = ["a", "b", "c", "env", "job", "instance", "__meta_x", "__meta_y_z", "__param_m", "__param_new", "__tmp_q"]
SOURCES = [*NAMES, "__address__", "__metrics_path__", "__scheme__", "__name__"]
VALUES = ["", "a", "b", "ab", "A;b", "x:1", "web-01.example.com:9100", "ÄÖ", "İ", "ß", "1", "true", "$1", "a b", "foo/bar", "__x__"]
PATTERNS = ["(.*)", "(.+)", "a", "(a)(b)?", "([^:]+)(?::\\d+)?", ".*;.*", "", "__meta_(.+)", "(?i)A", "(.*):(.*)", "(?P<n>a+)b", "x|ab?", "[a-c]", "(a|b|)", ".", "\\w+"]
REPLACEMENTS = ["$1", "${1}", "$1x", "${1}_${2}", "", "${n}", "$0", "$$", "const", "${1", "$n", "$1$2", "a-$1", "${11}", "ÄÖ"]
PATHS = ["/metrics", "/a b", "/ä", "é.com:1", "/a%20b", "/a?b c=d&e", "/?", "/a#b", "/a;b,c=d&e$f+g@h:i", "/!*'()[]{}|^`\"<>\\~", "http", "//x", "/a/../b"]
WRITTEN = ["a", "b", "job", "new", "__tmp_q", "env", "__param_m", "instance"]
PARAMS = {"m": ["one", "two"], "k": ["v"], "e": [""], "z z": ["a b", "&"]}


def replace(r):
    return {"target_label": r.choice([*WRITTEN, "$1", "x_${1}"]), "replacement": r.choice(REPLACEMENTS)}


# What each action has besides its sources, and which patterns it is given.
ACTIONS = {
    "replace": (replace, PATTERNS), "hashmod": (lambda r: {"target_label": r.choice(WRITTEN), "modulus": r.choice([1, 7, 1000, 2**32, 2**62])}, PATTERNS),
    "keep": (lambda r: {}, ["(.*)", ".+", "a.*", "", "a|b|"]), "drop": (lambda r: {}, ["a.*", "b", "zz", ".*:.*"]),
    "lowercase": (lambda r: {"target_label": r.choice(WRITTEN)}, None), "uppercase": (lambda r: {"target_label": r.choice(WRITTEN)}, None),
    "keepequal": (lambda r: {"target_label": r.choice("abc")}, None), "dropequal": (lambda r: {"target_label": r.choice("abc")}, None),
    "labelmap": (lambda r: {"replacement": r.choice(["$1", "lm_$1", "${1}_x"])}, ["__meta_(.+)", "(a|b)", "(env)", "__(.+)"]),
    "labeldrop": (lambda r: {}, ["a", "__meta_.*", "__param_.*", "b|c"]), "labelkeep": (lambda r: {}, ["(__.*|a|b|job)", "__.*", "[a-z_]+"]),
}


def rule(r):
    action = r.choice([*ACTIONS, "replace", "replace"])
    more, patterns = ACTIONS[action]
    out = {"action": action, **more(r)}
    if not action.startswith("label"):
        out["source_labels"] = r.sample(SOURCES, r.randint(0, 3))
    if patterns:
        out["regex"] = r.choice(patterns)
    if action in ("replace", "keep", "drop", "hashmod") and r.random() < 0.4:
        out["separator"] = r.choice(["", ";", "-", "ß"])
    return out


def group(r, n):
    labels = {name: r.choice(VALUES) for name in r.sample(NAMES, r.randint(0, 6))}
    if r.random() < 0.3:
        labels["__metrics_path__"] = r.choice(PATHS)
    return {"targets": [r.choice(["h:1", "web-01.example.com:9100", "[::1]:81", "host:5"])], "labels": {**labels, "g": str(n)}}


def seen(server):
    """pool -> {(labels, URL)}, but for labels whose names only Prometheus 3 takes."""
    pools = {}
    for t in json.loads(http(server.url("/api/v1/targets"))[2])["data"]["activeTargets"]:
        labels = tuple(sorted((k, v) for k, v in t["labels"].items() if re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", k)))
        pools.setdefault(t["scrapePool"], set()).add((labels, t["scrapeUrl"]))
    return pools


@pytest.mark.skipif(not shutil.which("prometheus"), reason="Debian's prometheus is not installed")
def test_targets_are_relabelled_as_prometheus_does(box):
    r = random.Random(20261123)
    jobs = {f"j{n}": {"job_name": f"j{n}", "params": PARAMS, "scrape_interval": "1h", "static_configs": [group(r, i) for i in range(4)],
                      "relabel_configs": [rule(r) for _ in range(r.randint(1, 5))]} for n in range(200)}
    path = box.write("relabel.json", json.dumps({"scrape_configs": list(jobs.values())}))
    ours, peer = box.start(Alerter, path, ["--storage.path", box.folder / "data"]), box.start(Prometheus, path)
    mine = seen(ours)
    assert len(mine) > 100

    def compare():
        theirs = seen(peer)
        wrong = {pool: (jobs[pool]["relabel_configs"], mine.get(pool), theirs.get(pool)) for pool in mine.keys() | theirs.keys() if mine.get(pool) != theirs.get(pool)}
        assert not wrong, wrong
        return True

    wait_for("Prometheus says the same", compare, 60)       # it takes its targets over five seconds after the start
