"""The world at its worst: full disk, locked database, a clock that jumps, no names, a receiver that trickles, ten thousand alerts at once.
Nothing is lost, memory stays bounded, and it says what is wrong. `make chaos` runs this alone, on what people run."""
import json
import os
import socket
import sqlite3
import struct
import subprocess
import threading
import time

import pytest
from raw import request
from servers import ROOT, Alerter, Process, free_port, hang_up
from watched import AT_ONCE, FAST, Target, Watch, Webhook, alert_rule, job, rule_file

BROKEN = [alert_rule("Broken", "broken == 1", summary="it is {{ $value }}")]
RELEASE = ROOT / "build/release/tocsin-alerter"


class Faults:
    """A program preloaded with faults.c (so not a sanitized one), and what happens to it."""

    def __init__(self, folder):
        self.path, library = folder / "faults", folder / "faults.so"
        subprocess.run(["gcc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library,
                        ROOT / "tests/chaos/faults.c"], check=True)
        self.path.write_bytes(bytes(4096))
        self.env = {"LD_PRELOAD": str(library), "FAULTS": str(self.path)}

    def set(self, step_s=0, full=0, dns_fails=0):
        with self.path.open("r+b") as f:
            f.write(struct.pack("qqq", step_s, full, dns_fails))


class Preloaded(Alerter):
    """The alerter of the release build."""

    def start(self, wait=True):
        self.process = Process(self.name, [RELEASE, "--web.listen-address", f"127.0.0.1:{self.port}", *self.args], self.folder, env=self.env)
        if wait:
            self.process.ready(lambda: self.get("/-/ready")[0] == 200)


def watch_with(box, faults, target, rules=BROKEN, **more):
    w = Watch(box, [job("app", target)], rules, start=False, **more)
    w.program = Preloaded(box.folder, w.path, ["--storage.path", box.folder / "data"], faults.env)
    box.started.append(w.program)
    w.scraped()
    return w


@pytest.fixture
def target(box):
    t = box.start(Target)
    t.set(broken=0)
    return t


def memory_mb(watch):
    with open(f"/proc/{watch.program.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def recorded(watch):
    watch.until("it is recorded", lambda: not watch.data("/api/v1/outbox")["waiting"])


def test_the_disk_is_full(box, target):
    """F13: pages go out from memory, an alert, the page and a metric say that the disk takes nothing; with room again all is on disk."""
    faults = Faults(box.folder)
    watch = watch_with(box, faults, target)
    faults.set(full=1)
    target.set(broken=1)
    watch.told("Broken")
    _, alert = watch.told("TocsinStateNotDurable")
    assert "disk" in alert["annotations"]["description"], alert
    assert "Alert state cannot be written to disk" in watch.program.get("/")[2] and "tocsin_state_not_durable 1" in watch.program.get("/metrics")[2]
    faults.set(full=0)
    watch.told("TocsinStateNotDurable", "resolved")
    recorded(watch)
    watch.program.kill()
    watch.program.start()
    watch.scraped()
    watch.ticks()
    assert watch.state("Broken") == "firing" and len(watch.hook.told("Broken", "firing")) == 1
    target.set(broken=0)
    watch.told("Broken", "resolved")


def test_the_database_is_locked(box, target):
    """F13: another program holds the database while alerts fire and end: both are told from memory, once, and are history afterwards.
    Whoever posts one meanwhile hears that it is in memory only, and may post it again: it is told once."""
    watch = Watch(box, [job("app", target)], BROKEN)
    watch.scraped()
    other = sqlite3.connect(box.folder / "data" / "alerts.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    target.set(broken=1)
    watch.told("Broken")
    post = lambda: watch.program.get("/api/v2/alerts", data=json.dumps([{"labels": {"alertname": "Posted"}}]).encode(),  # noqa: E731
                                     headers={"Content-Type": "application/json"})
    code, _, text = post()
    assert code == 503 and "told from memory, but not on disk: send it again" in text, text
    watch.told("Posted")
    target.set(broken=0)
    watch.told("Broken", "resolved")
    other.execute("ROLLBACK")
    watch.told("TocsinStateNotDurable", "resolved")
    assert post()[0] == 200 and len(watch.hook.told("Posted", "firing")) == 1
    assert {"firing", "resolved"} <= {e["event"] for e in watch.data("/api/v1/history?alertname=Broken")}


@pytest.mark.parametrize("hours", [1, -1])
def test_a_jump_of_the_clock_is_no_hang(box, target, hours):
    """F15: rules that are evaluated every few seconds are not late by an hour, so nobody is paged for it."""
    faults = Faults(box.folder)
    watch = watch_with(box, faults, target, rule_file(*BROKEN, interval="5s"))
    last = lambda: watch.data("/api/v1/rules")["groups"][0]["lastEvaluation"]
    watch.until("it was evaluated", lambda: not last().startswith(("0001", "1970")))
    before = last()
    faults.set(step_s=hours * 3600)
    watch.until("it noticed", lambda: "the wall clock stepped" in watch.program.process.text())
    watch.until("it was evaluated again", lambda: last() != before)
    watch.until("that was looked at", lambda: watch.data("/api/v1/groups") == [])
    assert watch.data("/api/v1/history?alertname=TocsinRulesNotEvaluated") == []


@pytest.mark.parametrize("hours", [1, -1])
def test_the_clock_jumps(box, target, hours):
    """F1: an hour is no hour that passed: nothing fires, ends or is repeated by it; what happens once it can be seen is told once and ends."""
    faults = Faults(box.folder)
    rules = [*BROKEN, alert_rule("Late", "late == 1", "5m")]
    watch = watch_with(box, faults, target, rules)
    target.set(broken=1, late=1)
    watch.told("Broken")
    watch.until_state("Late", "pending")
    faults.set(step_s=hours * 3600)
    watch.until("it noticed", lambda: "the wall clock stepped" in watch.program.process.text())
    watch.ticks(5)
    assert watch.state("Broken") == "firing" and watch.state("Late") == "pending"
    assert len([r for r in watch.hook.requests if r["body"]["groupLabels"]["alertname"] == "Broken"]) == 1
    if hours < 0:
        # Its samples are older than those it has: it cannot know until the clock has caught up, and says so.
        problem = watch.until("it says so", lambda: watch.data("/api/v1/targets")["activeTargets"][0]["lastError"])
        assert "older than" in problem and all("unknownSince" in a for a in watch.data("/api/v1/alerts")["alerts"]), problem
        faults.set()
        watch.until("it sees again", lambda: not any("unknownSince" in a for a in watch.data("/api/v1/alerts")["alerts"]))
    target.set(broken=0, late=0)
    watch.told("Broken", "resolved")
    watch.until_state("Late", "inactive")
    target.set(broken=1, late=0)
    watch.hook.wait_for(lambda h: len(h.told("Broken", "firing")) == 2)
    target.set(broken=0, late=0)
    watch.hook.wait_for(lambda h: [e["body"]["status"] for e in h.accepted if e["body"]["groupLabels"]["alertname"] == "Broken"] == ["firing", "resolved"] * 2)


def test_names_do_not_resolve(box, target):
    """F13: no name server: the message waits, says why, and arrives once there is one."""
    faults = Faults(box.folder)
    hook = Webhook()
    box.started.append(hook)
    faults.set(dns_fails=1)
    watch = watch_with(box, faults, target, receiver={"webhook_configs": [{"url": f"http://hook.test:{hook.port}/", "timeout": "2s"}]})
    target.set(broken=1)
    waiting, = watch.until("it waits", lambda: [m for m in watch.data("/api/v1/outbox")["waiting"] if m["lastError"]])
    assert waiting["state"] == "queued" and "hook.test" in waiting["lastError"], waiting
    faults.set()
    hook.wait_for(lambda h: h.told("Broken", "firing"))
    recorded(watch)
    assert len(hook.accepted) == 1 and not hook.accepted[0]["possible_repeat"]


class Trickle:
    """Takes a request and answers a byte a tenth of a second, for ever; with <well> set, as it should."""

    def __init__(self):
        self.listener, self.well, self.asked, self.keys = socket.create_server(("127.0.0.1", 0)), False, 0, []
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        text = request(connection).decode()
        self.asked += 1
        try:
            if self.well:
                self.keys.append(next(line.split(": ")[1] for line in text.split("\r\n") if line.lower().startswith("idempotency-key")))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                connection.close()
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while True:
                connection.sendall(b"x")
                time.sleep(0.1)
        except OSError:
            connection.close()

    def stop(self):
        hang_up(self.listener)


def test_a_receiver_trickles(box, target):
    """F13: its answer never ends: the time limit does, other receivers wait for nothing, and the message arrives in the end."""
    slow, hook = Trickle(), Webhook()
    box.started += [slow, hook]
    watch = Watch(box, [job("app", target)], BROKEN, receiver={"webhook_configs": [{"url": slow.url, "timeout": "2s"}, {"url": hook.url}]})
    watch.scraped()
    target.set(broken=1)
    hook.wait_for(lambda h: h.told("Broken", "firing"))
    watch.until("it gave up twice", lambda: slow.asked >= 2)
    waiting, = watch.data("/api/v1/outbox")["waiting"]
    assert "imed out" in waiting["lastError"] or "imeout" in waiting["lastError"], waiting
    slow.well = True
    recorded(watch)
    assert slow.keys == [waiting["key"]]


def test_ten_thousand_alerts(box):
    """F13: 10,000 alerts fire at once in 100 groups: all delivered within 5 s after group_wait, in less than 150 MB; all end."""
    target, hook = box.start(Target), Webhook()
    box.started.append(hook)

    def gauges(value):
        target.text = "".join(f'bad{{group="{n % 100}",n="{n}"}} {value}\n' for n in range(10000))

    gauges(0)
    rules = box.write("bad.yml", rule_file(alert_rule("Bad", "bad > 0", summary="{{ $labels.n }} is bad"), interval="1s"))
    config = {"global": {**FAST, "scrape_interval": "1s", "scrape_timeout": "1s"}, "rule_files": [str(rules)], "scrape_configs": [job("app", target)],
              "route": {"receiver": "all", **AT_ONCE, "group_by": ["group"], "group_wait": "1s", "group_interval": "1s"},
              "receivers": [{"name": "all", "webhook_configs": [{"url": hook.url}]}]}
    watch = Watch(box, [], BROKEN, receiver={"webhook_configs": [{"url": hook.url}]}, start=False)
    watch.path.write_text(json.dumps(config))
    watch.program = Preloaded(box.folder, watch.path, ["--storage.path", box.folder / "data"], {})
    box.started.append(watch.program)
    watch.scraped()
    gauges(1)

    def told(status):
        return {a["labels"]["n"] for e in hook.once() for a in e["body"]["alerts"] if a["status"] == status}

    watch.until("they fire", lambda: len(watch.alerts("Bad")) == 10000)
    begun = time.monotonic()
    hook.wait_for(lambda h: len(h.accepted) >= 100 and len(told("firing")) == 10000)
    took_s = time.monotonic() - begun
    print(f"10,000 alerts in 100 groups: delivered {took_s:.1f} s after they fired, at {memory_mb(watch):.0f} MB")
    assert took_s < 6 or "PYTEST_XDIST_WORKER" in os.environ, "measured where nothing else runs"
    assert memory_mb(watch) < 150
    gauges(0)
    hook.wait_for(lambda h: len(told("resolved")) == 10000)
    assert sum(len(e["body"]["alerts"]) for e in hook.once()) == 20000, "each begun once and ended once"
