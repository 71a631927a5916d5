"""Receivers that misbehave: whatever they do, each message is delivered once in the end, and a repeat says so by its key."""
import json
import sqlite3
import time

import pytest
from servers import Alerter, http
from watched import Statuspage, Target, Watch, Webhook, alert_rule, job

CASES = {
    "500 three times": ({"status": 500, "times": 3}, 3, False),
    "429 with Retry-After": ({"status": 429, "retry_after": 2}, 1, False),
    "no answer": ({"hang": True}, 0, True),
    "a reset": ({"reset": True, "times": 2}, 0, True),
    "an answer that is lost": ({"lose": True}, 1, True),
}


@pytest.mark.parametrize("step, seen, doubtful", CASES.values(), ids=CASES.keys())
def test_delivered_once_in_the_end(box, step, seen, doubtful):
    """F13: the receiver answers 500, 429 with Retry-After, nothing, or a reset: one message in the end, one key for all attempts."""
    target = box.start(Target)
    target.set(broken=0)
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1", summary="it is {{ $value }}")])
    watch.scraped()
    watch.hook.misbehave(step)
    target.set(broken=1)
    begin = time.monotonic()
    watch.told("Broken")
    last = watch.hook.wait_for(lambda h: len(h.requests) > seen and h.requests[-1]["status"] == 200 and h.requests[-1])
    if "retry_after" in step:
        assert time.monotonic() - begin >= 2, "Retry-After was not honoured"
    assert last["possible_repeat"] is doubtful, "whether it may have arrived before is said"
    target.set(broken=0)
    watch.told("Broken", "resolved")
    watch.until("the outbox is empty", lambda: not watch.data("/api/v1/outbox")["waiting"])
    keys = [r["key"] for r in watch.hook.requests]
    assert all(keys) and len(set(keys)) == 2, "one key for the message, one for its end, whatever happened"
    assert keys == sorted(keys, key=keys.index), "the end does not overtake the beginning"
    bodies = {r["key"]: json.dumps(r["body"]) for r in watch.hook.requests}
    assert all(json.dumps(r["body"]) == bodies[r["key"]] for r in watch.hook.requests), "a repeat is the same message"
    events = [e["event"] for e in watch.data("/api/v1/history?alertname=Broken")]
    assert events.count("firing") == 1 and events.count("resolved") == 1


def test_one_that_hangs_holds_up_no_other(box):
    """A receiver that never answers costs the others nothing, and queries neither."""
    target, dead = box.start(Target, "broken 1\n"), Webhook()
    box.started.append(dead)
    dead.misbehave({"hang": True, "times": 100})
    good = Webhook()
    box.started.append(good)
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")], receiver={"webhook_configs": [
        {"url": dead.url, "timeout": "5s"}, {"url": good.url, "timeout": "5s"}]})
    begin = time.monotonic()
    good.wait_for(lambda h: h.told("Broken", "firing"), 10)
    assert time.monotonic() - begin < 4 and watch.value("broken") == 1


def test_refused_for_good_is_kept_and_can_be_sent_again(box):
    """400 is no reason to repeat: the message is kept as dead, shown, and sent again when somebody asks."""
    target = box.start(Target, text="broken 1\n")
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")], start=False)
    watch.hook.misbehave({"status": 400})
    watch.program = box.start(Alerter, watch.path, ["--storage.path", box.folder / "data"])
    dead = watch.until("it is given up", lambda: watch.data("/api/v1/outbox")["dead"])[0]
    assert dead["lastStatus"] == 400 and [r["key"] for r in watch.hook.requests].count(dead["key"]) == 1
    _, alert = watch.told("TocsinMessageGivenUp")
    assert alert["labels"]["integration"] == "all/webhook[0]" and "HTTP 400" in alert["annotations"]["description"]
    assert "given up" in watch.program.get("/")[2]
    assert http(watch.program.url("/api/v1/outbox/resend"), data=f"id={dead['id']}".encode())[0] == 200
    watch.hook.wait_for(lambda h: dead["key"] in [r["key"] for r in h.accepted])


def test_statuspage_rate_and_lost_answers(box):
    """F14: the page answers 420, then carries out the creation without an answer: one incident, ended."""
    page = Statuspage(components={"db": "Database"})
    box.started.append(page)
    target = box.start(Target)
    target.set(broken=0)
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1", summary="broken")], page=page)
    watch.scraped()
    page.misbehave({"status": 420, "retry_after": 1, "method": "POST"}, {"lose": True, "method": "POST"})
    target.set(broken=1)
    page.wait_for(lambda p: p.open_incidents() and p.components["db"]["status"] == "major_outage")
    watch.until("all is delivered", lambda: not watch.data("/api/v1/outbox")["waiting"], 30)
    target.set(broken=0)
    page.wait_for(lambda p: not p.open_incidents() and p.components["db"]["status"] == "operational")
    assert len(page.incidents) == 1 and not page.broken() and not page.over


def test_a_state_that_cannot_be_written_holds_up_no_page(box):
    """Another program sits on the database: the page goes out from memory, and so does an alert about it, until all is on disk."""
    target = box.start(Target)
    target.set(broken=0)
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")])
    watch.scraped()
    watch.ticks()
    other = sqlite3.connect(box.folder / "data/alerts.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    target.set(broken=1)
    watch.told("Broken")
    watch.told("TocsinStateNotDurable")
    other.execute("ROLLBACK")
    other.close()
    watch.told("TocsinStateNotDurable", "resolved")
    watch.program.kill()
    watch.program.start()
    watch.scraped()
    watch.ticks()
    assert watch.state("Broken") == "firing" and len(watch.hook.told("Broken", "firing")) == 1, "what memory held is on disk now"
    target.set(broken=0)
    watch.told("Broken", "resolved")


def test_what_a_person_did_on_the_page_stays(box):
    """F14: an incident that a person moved on, a component that a person set, and incidents of others are left as they are."""
    page = Statuspage(components={"db": "Database"})
    box.started.append(page)
    others = page.human_opens("Planned move")
    target = box.start(Target)
    target.set(broken=1)
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1", summary="broken")], page=page)
    mine = page.wait_for(lambda p: [i["id"] for i in p.open_incidents() if i["id"] != others])[0]
    watch.until("all is delivered", lambda: not watch.data("/api/v1/outbox")["waiting"], 30)
    page.human_edits(mine, status="identified", body="We know what it is.")
    page.human_sets_component("db", "under_maintenance")
    target.set(broken=0)
    watch.told("Broken", "resolved")
    watch.until("all is delivered", lambda: not watch.data("/api/v1/outbox")["waiting"], 30)
    assert page.incidents[mine]["status"] == "identified" and page.components["db"]["status"] == "under_maintenance"
    assert page.incidents[others]["status"] == "investigating" and not page.broken()
