"""Receivers that misbehave: whatever they do, each message is delivered once in the end, and a repeat says so by its key."""
import json
import re
import sqlite3
import subprocess
import time

import pytest
from servers import Alerter, binary, http
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
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1", summary="it is {{ $value }}")], timeout="2s" if "hang" in step else "20s")
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
    said = re.findall(r'msg="delivery (failed|works again)" name=all/webhook\[0\]', watch.program.process.text())
    assert said == ["failed", "works again"], "one line when it begins to fail, one when that is over"


def test_one_that_hangs_holds_up_no_other(box):
    """A receiver that never answers costs the others nothing, and queries neither."""
    target, dead = box.start(Target, "broken 1\n"), Webhook()
    box.started.append(dead)
    dead.misbehave({"hang": True, "times": 100})
    good = Webhook()
    box.started.append(good)
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")], receiver={"webhook_configs": [
        {"url": dead.url, "timeout": "10m"}, {"url": good.url, "timeout": "20s"}]})
    good.wait_for(lambda h: h.told("Broken", "firing"))
    watch.until("it is asked", lambda: watch.value("broken") == 1)


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


def test_given_up_and_sent_again_by_command_and_page(box):
    target = box.start(Target, text="broken 1\nother 1\n")
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1"), alert_rule("Other", "other == 1"), alert_rule("Third", "other == 1")],
                  start=False, receiver={"webhook_configs": []})
    hook = Webhook()
    box.started.append(hook)
    hook.misbehave({"status": 400, "times": 3})
    watch.config["receivers"] = [{"name": "all", "webhook_configs": [{"url": hook.url}]}, {"name": "nobody"}]
    watch.config["route"] = {**watch.config["route"], "group_interval": "1h", "routes": [{"matchers": ['alertname=~"Tocsin.*"'], "receiver": "nobody"}]}
    watch.path.write_text(json.dumps(watch.config))
    watch.program = box.start(Alerter, watch.path, ["--storage.path", box.folder / "data"])
    dead = watch.until("all are given up", lambda: len(watch.data("/api/v1/outbox")["dead"]) == 3 and watch.data("/api/v1/outbox")["dead"])

    def resend(*args):
        return subprocess.run([str(binary("tocsin-alerter")), "resend", "--url", watch.program.url(), *args], capture_output=True, text=True, timeout=120)
    third = dead.pop()
    gone = resend("--discard", str(third["id"]))
    assert gone.returncode == 0 and gone.stdout == f"{third['id']} is discarded\n"
    listed = resend().stdout
    assert listed.count("\n") == 2 and "all/webhook[0]\tfiring\tHTTP 400" in listed
    done = resend(str(dead[0]["id"]))
    assert done.returncode == 0 and done.stdout == f"{dead[0]['id']} is queued again\n"
    hook.wait_for(lambda h: [r["key"] for r in h.accepted] == [dead[0]["key"]])
    assert resend(str(dead[0]["id"])).returncode == 1 and resend("x").returncode == 1
    page = watch.program.get("/")[2]
    form, = re.findall(r'<form method="post" action="(api/v1/outbox/resend)">.*?name="(page)" value="(1)".*?<button name="(id)" value="(\d+)">', page)
    status, _, _ = http(watch.program.url("/" + form[0]), data=f"{form[1]}={form[2]}&{form[3]}={form[4]}".encode(), headers={"Origin": watch.program.url()})
    assert status == 200                                    # led back to the page
    hook.wait_for(lambda h: sorted(r["key"] for r in h.accepted) == sorted(d["key"] for d in dead))


class Flood(Webhook):
    """Takes the message, and then answers what nobody asked for."""

    def carry_out(self, request, body):
        super().carry_out(request, body)
        if "flood" in request.path:
            request.send_response(200)
            request.send_header("Content-Length", str(1 << 30))
            request.end_headers()
            for _ in range(1 << 10):
                request.wfile.write(b"x" * (1 << 20))
        elif "trickle" in request.path:
            request.send_response(200)
            request.send_header("Content-Length", "1000")
            request.end_headers()
            for _ in range(1000):           # longer than anybody waits here
                request.wfile.write(b"x")
                request.wfile.flush()
                self.stopping.wait(0.2)
        elif "found" in request.path:
            return 302, {}, {"Location": "/new"}
        return 200, {}, {}


def test_strange_answers(box):
    """A gigabyte, a trickle, a redirect: each message is delivered once, in little time and memory; a redirected POST stays one."""
    target, hook = box.start(Target, "broken 1\n"), Flood()
    box.started.append(hook)
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")], receiver={"webhook_configs": [
        {"url": f"{hook.url}/{path}", "timeout": "5s"} for path in ("flood", "trickle", "found")]})
    hook.wait_for(lambda h: "/new" in [r["path"] for r in h.accepted])
    watch.until("all is delivered", lambda: len(hook.accepted) >= 4 and not watch.data("/api/v1/outbox")["waiting"])
    assert sorted(r["path"] for r in hook.requests) == ["/flood", "/found", "/new", "/trickle"]
    moved = next(r for r in hook.requests if r["path"] == "/new")
    assert moved["method"] == "POST" and moved["body"]["alerts"][0]["labels"]["alertname"] == "Broken"
    memory = {k: float(v) for k, v in re.findall(r"^(process_resident_memory_bytes) (\S+)", watch.program.get("/metrics")[2], re.M)}
    assert memory["process_resident_memory_bytes"] < 600e6, "sanitizers included"


def test_a_full_disk_holds_up_no_page(box):
    """Real: the storage path is a file system of 2 MB that is filled up. Pages go out from memory, it says so, and nothing is lost."""
    place = box.folder / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here: a full disk was NOT tried")
    try:
        target = box.start(Target)
        target.set(broken=0)
        watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")], start=False)
        watch.program = program = Alerter(box.folder, watch.path, ["--storage.path", place])
        try:
            watch.scraped()
            with (place / "filler").open("wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(b"x" * 4096)
                except OSError:
                    pass
            target.set(broken=1)
            watch.told("Broken")
            _, alert = watch.told("TocsinStateNotDurable")
            assert "full" in alert["annotations"]["description"]
            assert "cannot be written to disk" in program.get("/")[2] and "tocsin_state_not_durable 1" in program.get("/metrics")[2]
            (place / "filler").unlink()
            watch.told("TocsinStateNotDurable", "resolved")
            program.kill()
            target.set(broken=0)
            program.start()
            watch.told("Broken", "resolved")
            assert len(watch.hook.told("Broken", "firing")) == 1, "what memory held was on disk before the kill"
        finally:
            program.stop()
    finally:
        subprocess.run(["umount", "-l", place], check=True)


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
    watch.until("all is delivered", lambda: not watch.data("/api/v1/outbox")["waiting"])
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
    watch.until("all is delivered", lambda: not watch.data("/api/v1/outbox")["waiting"])
    page.human_edits(mine, status="identified", body="We know what it is.")
    page.human_sets_component("db", "under_maintenance")
    target.set(broken=0)
    watch.told("Broken", "resolved")
    watch.until("all is delivered", lambda: not watch.data("/api/v1/outbox")["waiting"])
    assert page.incidents[mine]["status"] == "identified" and page.components["db"]["status"] == "under_maintenance"
    assert page.incidents[others]["status"] == "investigating" and not page.broken()


@pytest.mark.parametrize("order", ["before", "swapped"])
def test_a_place_in_the_list_is_no_identity(box, order):
    """F13: a receiver put before another, or two that change places, take over nothing: each is told once and hears its own end."""
    target, one, two = box.start(Target, text="broken 1\n"), Webhook(), Webhook()
    box.started += [one, two]

    def receiver(*hooks):
        return [{"name": "all", "webhook_configs": [{"url": h.url} for h in hooks]}]

    first = [one] if order == "before" else [one, two]
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")], receiver={"webhook_configs": receiver(*first)[0]["webhook_configs"]})
    for hook in first:
        watch.until("told", lambda hook=hook: hook.told("Broken", "firing"))
    watch.until("all of it is recorded", lambda: not watch.data("/api/v1/outbox")["waiting"])
    watch.config["receivers"] = receiver(two, one)
    watch.path.write_text(json.dumps(watch.config))
    assert watch.program.get("/-/reload", data=b"", method="POST")[0] == 200
    watch.until("both are told", lambda: one.told("Broken", "firing") and two.told("Broken", "firing"))
    target.text = "broken 0\n"
    for hook in (one, two):
        watch.until("the end", lambda hook=hook: hook.told("Broken", "resolved"))
        statuses = [(r["body"]["status"], r["key"].rsplit("-", 1)[0]) for r in hook.accepted]
        assert [s for s, _ in statuses] == ["firing", "resolved"], statuses
        assert len({episode for _, episode in statuses}) == 1, statuses
    assert one.accepted[0]["key"] != two.accepted[0]["key"]
