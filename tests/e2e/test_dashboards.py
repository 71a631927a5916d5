"""The shipped dashboards: every panel's query runs against live data of the demonstration's business, read by both programs."""
import json
import re
import sys
import threading

import pytest
from conftest import Box
from servers import ROOT, Exporter
from watched import Watch, alert_rule, job

sys.path.insert(0, str(ROOT / "demo"))
DASHBOARDS = sorted((ROOT / "grafana").glob("*.json"))

# Panels with nothing to show while all is well; each still has to run.
MAY_BE_EMPTY = {
    "WAL that slots hold back": "the demonstration has no slots",
    "Lag of standbys": "nor standbys",
    "Memory used and allowed": "the second query: maxmemory is not set",
    "Replicas behind": "nor a replica of its Redis",
    "Nodes and masters that are down": "nor a cluster or Sentinels",
    "Stream groups behind": "nor streams",
    "Connections by group": "the first query: client_groups is not set",
    "Keys without expiry": "every key of the demonstration may expire",
    "Retried a second": "no task asks to be tried again",
}


def panels(node):
    for panel in node.get("panels", []):
        yield panel
        yield from panels(panel)


def queries():
    for path in DASHBOARDS:
        for panel in panels(json.loads(path.read_text())):
            for i, target in enumerate(panel.get("targets", [])):
                yield pytest.param(panel["title"], target["expr"], i, id=f"{path.stem}: {panel['title']} {i}")


def filled_in(expr):
    """Variables as Grafana fills them in for "All"."""
    expr = expr.replace("$__rate_interval", "1m").replace("$__range", "5m").replace("$__interval", "15s")
    return re.sub(r"\$\{?\w+\}?", ".*", expr)


@pytest.fixture(scope="module")
def watch():
    box, stop = Box(), threading.Event()
    try:
        yield start(box, stop)
    finally:
        stop.set()
        box.close()


def start(box, stop):
    from demo import HERE, Business
    business = Business(box.folder, box.started)
    own = "".join(f"{kind}: [{{ name: {kind}, url: '${{{name}}}', {more} }}]\n" for kind, name, more in (
        ("postgres", "DATABASE_URL", ""), ("redis", "REDIS_URL", ""), ("celery", "CELERY_BROKER_URL", "poll_interval: 1s, control_interval: 1s, zero_for: 0s")))
    exporter = box.start(Exporter, box.write("exporter.yml", own + (HERE / "gauges.yml").read_text()), env=business.environment())
    watch = Watch(box, [job("tocsin", exporter, scrape_interval="500ms", scrape_timeout="500ms"), job("fairedge-api", f"127.0.0.1:{business.api_port}")],
                  [alert_rule("Busy", "active_users_total > 0")])
    threading.Thread(target=business.load, args=(stop,), daemon=True).start()
    for what in ("sum(celery_task_succeeded_total) > 20", "sum(celery_task_failed_total) > 0", "pg_database_size_bytes", "min(count_over_time(up[1m])) > 8"):
        watch.until(what, lambda: watch.query(what))
    return watch


def test_there_are_dashboards():
    """F7, F8, F9, F5: one each for the business, Postgres, Redis and Celery; ids differ, each panel has a title and a datasource variable."""
    assert {p.stem for p in DASHBOARDS} >= {"fairedge", "postgres", "redis", "celery"}
    uids = [json.loads(p.read_text())["uid"] for p in DASHBOARDS]
    assert len(set(uids)) == len(uids)


@pytest.mark.parametrize("title, expr, number", queries())
def test_panel_shows_data(watch, title, expr, number):
    """F5, F7, F8, F9: the query runs and returns something, and numbers among it."""
    rows = watch.until("data", lambda: watch.query(filled_in(expr)) or title in MAY_BE_EMPTY and [({}, 0.0)])
    assert any(value == value for _, value in rows), rows


def test_variables_have_values(watch):
    """The selectors at the top of each dashboard find values with label_values()."""
    found = 0
    for path in DASHBOARDS:
        for variable in json.loads(path.read_text())["templating"]["list"]:
            asked = variable.get("query")
            asked = re.fullmatch(r"label_values\((.*), (\w+)\)", asked["query"] if isinstance(asked, dict) else asked or "")
            if asked:
                assert any(asked[2] in labels for labels, _ in watch.query(asked[1])), (path.name, variable["name"])
                found += 1
    assert found >= 6
