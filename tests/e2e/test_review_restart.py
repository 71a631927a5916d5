"""After a restart nothing that was told is told again or ended before what feeds its rule has been seen."""
import json
import time

import pytest
from watched import Target, Watch, alert_rule, job


def groups(recording, alerting, slow="4s"):
    return json.dumps({"groups": [{"name": "records", "interval": slow, "rules": recording}, {"name": "alerts", "interval": "200ms", "rules": alerting}]})


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_recording_group_slower_than_the_alerts(box, end):
    """Alerts over a recording rule (and one over that) are unknown until it was evaluated again, with all its targets."""
    target = box.start(Target, text="broken 1\n")
    watch = Watch(box, [job("app", target)], groups(
        [{"record": "r:broken", "expr": "broken"}, {"record": "r:broken:sum", "expr": "sum(r:broken)"}],
        [alert_rule("One", "r:broken == 1"), alert_rule("All", "r:broken:sum > 0")]))
    watch.told("One")
    watch.told("All")
    for _ in range(2):
        getattr(watch.program, end)()
        watch.program.start()
        watch.scraped()
        time.sleep(4.5)
        assert [len(watch.hook.told(n, s)) for n in ("One", "All") for s in ("firing", "resolved")] == [1, 0, 1, 0]
    watch.until("known again", lambda: "unknownSince" not in watch.alert("One"))
    target.set(broken=0)
    watch.told("One", "resolved")
    watch.told("All", "resolved")


def test_recording_rule_fails_before_and_behind_a_restart(box):
    """A recording rule that fails has no outputs, and whoever reads them cannot know."""
    target = box.start(Target, text='broken 1\nside{a="1"} 1\n')
    watch = Watch(box, [job("app", target)], [
        {"record": "r:broken", "expr": "broken * on (instance) side"}, {"record": "r:broken:sum", "expr": "sum(r:broken)"},
        alert_rule("Broken", "r:broken:sum == 1")])
    watch.told("Broken")
    target.text = 'broken 1\nside{a="1"} 1\nside{a="2"} 1\n'
    watch.until("it fails", lambda: watch.data("/api/v1/rules")["groups"][0]["rules"][0]["health"] == "err")
    watch.program.kill()
    watch.program.start()
    watch.scraped()
    watch.ticks(5)
    assert not watch.hook.told("Broken", "resolved") and "unknownSince" in watch.alert("Broken")
    target.text = 'broken 0\nside{a="1"} 1\n'
    watch.told("Broken", "resolved")


@pytest.mark.parametrize("metric, expr", [("redis_keys", "redis_keys > 2"), ("redis_keys", "sum(redis_keys) > 2"),
                                          ("orders", 'orders{source="shop"} > 2')])
def test_source_down_behind_a_live_exporter_and_a_restart(box, metric, expr):
    """The exporter answers, its source does not: a restarted alerter has not seen the source either. Others' alerts end meanwhile."""
    gauge = "redis_up" if metric.startswith("redis") else "tocsin_gauges_up"
    up = f'{gauge}{{source="shop"}} 1\n{metric}{{source="shop"}} 5\n'
    target, other = box.start(Target, text=up + "fine 1\n"), box.start(Target, text="broken 1\n")
    watch = Watch(box, [job("shop", target), job("app", other)], [alert_rule("Many", expr), alert_rule("Broken", 'broken{job="app"} == 1')])
    watch.told("Many")
    watch.told("Broken")
    target.text = f'{gauge}{{source="shop"}} 0\nfine 1\n'
    watch.program.kill()
    watch.program.start()
    watch.scraped()
    other.set(broken=0)
    watch.told("Broken", "resolved")
    watch.ticks(5)
    assert not watch.hook.told("Many", "resolved") and "unknownSince" in watch.alert("Many")
    target.text = up.replace(" 5", " 1")
    watch.told("Many", "resolved")
    assert len(watch.hook.told("Many", "firing")) == 1
