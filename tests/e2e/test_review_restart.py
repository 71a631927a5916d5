"""After a restart nothing that was told is told again or ended before what feeds its rule has been seen."""
import json
import shutil
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
    assert not watch.hook.told("Broken", "resolved") and watch.state("Broken") == "firing"
    target.text = 'broken 0\nside{a="1"} 1\n'
    watch.told("Broken", "resolved")


@pytest.mark.parametrize("metric, expr", [("redis_keys", "redis_keys > 2"), ("redis_keys", "sum(redis_keys) > 2"),
                                          ("orders", 'orders{source="shop"} > 2')])
def test_source_down_behind_a_live_exporter_and_a_lost_journal(box, metric, expr):
    """The exporter answers, its source does not: an alerter that knows nothing of before has not seen the source either. Others' alerts end
    meanwhile."""
    gauge = "redis_up" if metric.startswith("redis") else "tocsin_gauges_up"
    up = f'{gauge}{{source="shop"}} 1\n{metric}{{source="shop"}} 5\n'
    target, other = box.start(Target, text=up + "fine 1\n"), box.start(Target, text="broken 1\n")
    watch = Watch(box, [job("shop", target), job("app", other)], [alert_rule("Many", expr), alert_rule("Broken", 'broken{job="app"} == 1')])
    watch.told("Many")
    watch.told("Broken")
    target.text = f'{gauge}{{source="shop"}} 0\nfine 1\n'
    watch.program.kill()
    shutil.rmtree(box.folder / "data" / "journal")
    watch.program.start()
    watch.scraped()
    other.set(broken=0)
    watch.told("Broken", "resolved")
    watch.ticks(5)
    assert not watch.hook.told("Many", "resolved") and "unknownSince" in watch.alert("Many")
    target.text = up.replace(" 5", " 1")
    watch.told("Many", "resolved")
    assert len(watch.hook.told("Many", "firing")) == 1


# What a target said before, and what it says when the alerter is back.
AWAY = {"Vanished": ("shop_up 1\nshop_keys 5\n", "fine 1\n"),
        "Collector": ('shop_collector_success{collector="keys"} 1\nshop_keys 5\n', 'shop_collector_success{collector="keys"} 0\nfine 1\n'),
        "LongName": ('node_shop_net_up{device="a"} 1\nshop_keys{device="a"} 5\n', 'node_shop_net_up{device="a"} 0\nfine 1\n'),
        "OneOfMany": ('db_up{source="a"} 1\ndb_up{source="b"} 1\nshop_keys{source="a"} 5\n', 'db_up{source="b"} 1\nfine 1\n')}


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_vanished_while_the_alerter_was_away(box, end):
    """A restarted alerter knows which series and health gauges a target had: what is missing in its first answer is lost or gone like at any
    other time. Lost, it is so after the next restart too."""
    targets = {name: box.start(Target, text=before) for name, (before, _) in AWAY.items()}
    well = box.start(Target, text='shop_up 1\nshop_keys{queue="a"} 5\nshop_keys{queue="b"} 5\n')
    rules = [alert_rule(name, f'shop_keys{{job="{name}"}} > 2') for name in AWAY]
    rules += [alert_rule("Gone", 'shop_keys{queue="a"} > 2'), alert_rule("Stays", 'shop_keys{queue="b"} > 2')]
    watch = Watch(box, [*(job(name, t) for name, t in targets.items()), job("well", well)], rules)
    for name in (*AWAY, "Gone", "Stays"):
        watch.told(name)
    watch.kept()
    getattr(watch.program, end)()
    for name, target in targets.items():
        target.text = AWAY[name][1]
    well.text = 'shop_up 1\nshop_keys{queue="b"} 5\n'
    watch.program.start()
    watch.told("Gone", "resolved")
    for _ in range(2):
        watch.scraped()
        watch.ticks(5)
        assert [n for n in AWAY if watch.hook.told(n, "resolved") or "unknownSince" not in watch.alert(n)] == []
        watch.until("what stays is known", lambda: "unknownSince" not in watch.alert("Stays"))
        assert not watch.hook.told("Stays", "resolved")
        watch.program.kill()
        watch.program.start()
    for name, target in targets.items():
        target.text = AWAY[name][0].replace(" 5", " 1")
    for name in AWAY:
        watch.told(name, "resolved")
        assert len(watch.hook.told(name, "firing")) == 1
