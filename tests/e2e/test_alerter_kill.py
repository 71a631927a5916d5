"""kill -9 of the alerter at every point of a message's way: nothing is lost, and what may have arrived is not told as new."""
import time

import pytest
from watched import Statuspage, Target, Watch, alert_rule, job

BROKEN = [alert_rule("Broken", "broken == 1", summary="it is {{ $value }}")]


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


def restart(watch):
    watch.program.kill()
    watch.program.start()


def test_between_fire_and_delivery(watch, target):
    """F13: killed while the receiver refuses, the condition over before the next start: both the beginning and the end are told."""
    watch.hook.misbehave({"status": 500, "times": 1000})
    target.set(broken=1)
    watch.hook.wait_for(lambda h: h.requests)
    watch.program.kill()
    target.set(broken=0)
    watch.hook.script.clear()
    watch.program.start()
    watch.told("Broken")
    watch.told("Broken", "resolved")
    refused, told = watch.hook.requests[0], watch.hook.accepted[0]
    assert refused["status"] == 500 and (refused["key"], refused["body"]) == (told["key"], told["body"])
    assert [a["body"]["status"] for a in watch.hook.accepted] == ["firing", "resolved"]


def test_between_delivery_and_its_record(watch, target):
    """F13: killed when the receiver has it and before we know: it comes again with its key, and says it may be a repeat."""
    watch.hook.misbehave({"late": 30})
    target.set(broken=1)
    watch.hook.wait_for(lambda h: h.accepted)
    restart(watch)
    first, second = watch.hook.wait_for(lambda h: h.accepted if len(h.accepted) == 2 else None)
    assert first["key"] == second["key"] and first["body"] == second["body"]
    assert not first["possible_repeat"] and second["possible_repeat"]
    watch.ticks()
    assert len(watch.hook.accepted) == 2
    target.set(broken=0)
    watch.told("Broken", "resolved")


def test_after_its_record(watch, target):
    """F13: killed after all is recorded: nothing is told again, the end is told once."""
    target.set(broken=1)
    watch.told("Broken")
    watch.until("it is recorded", lambda: not watch.data("/api/v1/outbox")["waiting"])
    for _ in range(2):
        restart(watch)
        watch.scraped()
        watch.ticks()
        assert watch.state("Broken") == "firing"
    assert len(watch.hook.requests) == 1
    target.set(broken=0)
    watch.told("Broken", "resolved")
    assert len(watch.hook.requests) == 2


def test_at_any_moment(watch, target):
    """F13: killed some milliseconds after the condition begins, and after it ends: each is told exactly once, by its key."""
    for n, seconds in enumerate((0, 0.03, 0.1, 0.2, 0.25, 0.3, 0.4), 1):
        for broken, status in ((1, "firing"), (0, "resolved")):
            target.set(broken=broken)
            time.sleep(seconds)
            restart(watch)
            watch.hook.wait_for(lambda h: len(h.told("Broken", status)) == n, what=f"{n} times {status}, the last after {seconds} s")
            watch.until("it is recorded", lambda: not watch.data("/api/v1/outbox")["waiting"])
            watch.until_state("Broken", "firing" if broken else "inactive")
    watch.ticks()
    assert [e["body"]["status"] for e in watch.hook.once()] == ["firing", "resolved"] * 7
    bodies = {}
    for e in watch.hook.accepted:
        assert bodies.setdefault(e["key"], e["body"]) == e["body"], "a repeat is the same message"


def test_statuspage_is_asked_before_it_is_told_again(box, target):
    """F14: killed while the page carries out the creation, and again while it does the end: one incident, no update twice."""
    page = Statuspage(components={"db": "Database"})
    box.started.append(page)
    watch = Watch(box, [job("app", target)], BROKEN, page=page)
    watch.scraped()
    page.misbehave({"late": 30, "method": "POST"})
    target.set(broken=1)
    page.wait_for(lambda p: p.open_incidents())
    before = len(page.log)
    restart(watch)
    watch.until("all is delivered", lambda: not watch.data("/api/v1/outbox")["waiting"])
    after = [(e["method"], e["path"].split("?")[0].rsplit("/", 1)[1]) for e in page.log[before:]]
    assert ("GET", "unresolved") in after and ("POST", "incidents") not in after, after
    page.misbehave({"late": 30, "method": "PATCH"})
    target.set(broken=0)
    page.wait_for(lambda p: not p.open_incidents())
    restart(watch)
    watch.until("all is delivered", lambda: not watch.data("/api/v1/outbox")["waiting"] and watch.state("Broken") == "inactive")
    incident, = page.incidents.values()
    assert [u["status"] for u in incident["incident_updates"]] == ["resolved", "investigating"]
    assert page.components["db"]["status"] == "operational" and not page.broken() and not page.over
