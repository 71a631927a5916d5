#!/usr/bin/python3
"""kill -9 again and again while alerts fire, resolve and are silenced and configuration reloads: is every page told once and ended?

    make crash N=500 [SEED=7] [TARGET=alertmanager] [LIES=1]

In half of its lives the alerter runs on power.c: all that was not synced is lost with it. In a share of them the receiver is killed
too, in the middle of its answers. LIES: the disk says that it synced and did not; then losses must show. Ends with 0 when nothing is
lost, repeated, unended or doubled; prints the seed, and with what is wrong the folder in which all of it can be read.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tests/e2e"), str(ROOT / "tests/e2e/standin")]

from judge import Judge  # noqa: E402
from programs import POWER_C, PROGRAMS  # noqa: E402
from servers import PYTHON, Process, free_port  # noqa: E402
from statuspage import Statuspage  # noqa: E402
from watched import Target  # noqa: E402

ALERTS = {"Single": 8, "Slow": 4, "Shared": 6, "Page": 3}


class Page(Statuspage):
    """Answers late, loses answers, refuses: at random."""

    def __init__(self, rng):
        self.rng = rng
        super().__init__(components={"c": "Component"})

    def next_step(self, method, path):
        fate = self.rng.random() if method != "GET" else 1
        return {"lose": True} if fate < 0.15 else {"status": 500} if fate < 0.2 else {"late": 2 * self.rng.random()} if fate < 0.7 else {}


class Alert:
    def __init__(self, i, kind):
        self.i, self.kind, self.n, self.state = i, kind, 0, "off"
        self.since, self.silences, self.whole = time.time(), {}, None   # id -> its end; (n, id) of one that hides n from the start

    @property
    def hushed_until(self):
        return max(self.silences.values(), default=0)

    @property
    def what(self):
        return self.i, self.n

    def go(self, state):
        self.state, self.since = state, time.time()


class Run:
    def __init__(self, target, kills, seed, lies):
        self.rng, self.lies = random.Random(seed), lies
        self.drain_s, self.long_life_s = 10 if lies else 150, 15 if kills >= 50 else 4
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-crash-"))
        self.power = self.folder / "power.so"
        subprocess.run(["gcc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", self.power, POWER_C,
                        "-lsqlite3"], check=True)
        self.target, self.hook_port, self.ledger = Target(), free_port(), self.folder / "received"
        self.ledger.touch()
        kinds = [k for k, n in ALERTS.items() for _ in range(n)]
        self.alerts = {str(i): Alert(str(i), k) for i, k in enumerate(kinds)}
        self.pages = {i: Page(self.rng) for i, a in self.alerts.items() if a.kind == "Page"}
        self.choice = {"group_interval": "200ms", "shared_by": ["alertname"], "extra": 0, "bad": False}
        self.program = PROGRAMS[target](self.folder, self.target, f"http://127.0.0.1:{self.hook_port}/", self.pages, self.rng)
        if target != "tocsin":
            self.alerts = {i: a for i, a in self.alerts.items() if a.kind != "Page"}
        self.judge, self.receiver, self.receiver_back, self.receiver_kills, self.reloads = Judge(self.program.keyed), None, 0, 0, 0
        self.silences, self.silences_gone, self.ready_since = {}, set(), None
        self.opened = {}                                # (i, n) -> incidents
        self.set_gauges()
        self.program.configure(self.choice)
        self.start_receiver()

    # ---- the world ----

    def set_gauges(self):
        on = ("on", "told", "blink?")
        self.target.text = "".join(f'x{{kind="{a.kind}",i="{a.i}",shard="{int(a.i) % 2}"}} {a.n if a.state in on else 0}\n' for a in self.alerts.values())

    def start_receiver(self):
        self.receiver = Process("receiver", [PYTHON, HERE / "receiver.py", self.hook_port, self.ledger, self.rng.randrange(1 << 30)], self.folder)

    def kill_receiver(self):
        self.receiver.kill()
        self.receiver_kills += 1
        self.receiver, self.receiver_back = None, time.time() + self.rng.random() * 0.5

    def is_over(self, what):
        alert = self.alerts[what[0]]
        return alert.n != what[1] or alert.state in ("ending", "blinked", "off")

    def hushed(self, what, at):
        alert = self.alerts[what[0]]
        return alert.whole and alert.whole[0] == what[1] and at < alert.silences[alert.whole[1]] - 0.2

    # ---- what is seen ----

    def look(self):
        """Reads the receiver's file and asks the program; moves each alert on."""
        self.judge.read(self.ledger, self.is_over, self.hushed)
        for i, page in self.pages.items():
            with page.lock:
                for incident in page.incidents.values():
                    what, at = (i, int(incident["name"])), time.time()
                    self.judge.told.setdefault(what, at)
                    self.opened.setdefault(what, set()).add(incident["id"])
                    if incident["status"] == "resolved" and self.judge.ended.setdefault(what, at) == at and not self.is_over(what):
                        self.judge.wrong["ended while it fires"].append(what)
        firing = self.ask_program()
        for alert in self.alerts.values():
            self.move(alert, firing)
        self.set_gauges()

    def ask_program(self):
        """{i: n} of what it says fires; None when it does not answer."""
        try:
            if not self.program.ready():
                raise ConnectionError("not ready")
            self.ready_since = self.ready_since or time.time()
            firing = self.program.firing()
            known = self.program.silences()
            self.silences_gone |= {s for s in self.silences if s not in known}
            return firing
        except OSError:
            self.ready_since = None
            return None

    def move(self, alert, firing):
        told, ended, now = self.judge.told, self.judge.ended, time.time()
        if alert.state == "on" and firing is not None and firing.get(alert.i) == alert.n and now > alert.hushed_until + 0.5:
            self.judge.owed.add(alert.what)
        if alert.state == "on" and alert.what in told:
            alert.go("told")
        if alert.state in ("ending", "blinked") and alert.what in ended:
            alert.go("off")
        if alert.state == "blinked" and alert.what not in self.judge.owed and alert.what not in told and firing is not None \
                and alert.i not in firing and now - max(self.ready_since, alert.since) > 1.5 and self.safely_idle():
            alert.go("off")

    def safely_idle(self):
        try:
            return self.program.idle()
        except OSError:
            return False

    # ---- what is done ----

    def act(self):
        alert, chance = self.rng.choice(list(self.alerts.values())), self.rng.random()
        if alert.state == "off" and alert.what not in self.unsettled() and chance < 0.8:
            if chance < 0.15:
                self.hush(alert, "whole")
            alert.n += 1
            alert.go("on")
        elif alert.state == "told" and chance < 0.7:
            if chance < 0.12:
                self.hush(alert, "end")
            alert.go("ending")
        elif alert.state == "on" and alert.kind in ("Single", "Slow") and chance < 0.15 and time.time() > alert.hushed_until + 0.5:
            alert.go("blinked")                         # before it was told
        elif alert.whole and chance > 0.9:
            self.unhush(alert)
        elif chance > 0.96:
            self.reload()
        self.set_gauges()

    def unsettled(self):
        return (self.judge.owed | self.judge.told.keys()) - self.judge.ended.keys()

    def hush(self, alert, why):
        end, alert.whole = time.time() + 1 + 3 * self.rng.random(), None
        try:
            number = self.program.silence(alert.i, end)
        except OSError:
            number = None                               # it may have been taken, or not
        alert.silences[number or f"perhaps {end}"] = end
        if number is None:
            return
        self.silences[number] = alert.i
        if why == "end":
            self.judge.silenced_end.add(alert.what)
        else:
            alert.whole = alert.n + 1, number

    def unhush(self, alert):
        number = alert.whole[1]
        alert.whole = None
        try:
            self.program.unsilence(number)
            alert.silences[number] = time.time()
        except OSError:
            pass                                        # it may be over, or not until its time

    def reload(self):
        self.choice = {"group_interval": self.rng.choice(["200ms", "300ms"]), "shared_by": self.rng.choice([["alertname"], ["alertname", "shard"]]),
                       "extra": self.rng.randrange(3), "bad": self.rng.random() < 0.2 and bool(self.ready_since)}     # one that is starting would rightly end
        self.program.configure(self.choice)
        self.choice["bad"] = False
        self.program.reload()
        self.reloads += 1

    # ---- a life ----

    def life(self):
        power = self.power if self.rng.random() < 0.5 else None
        self.program.start(power, self.lies)
        kind, at_delivery = self.rng.random(), self.rng.random() < 0.4
        length_s = (self.rng.random() * 0.15 if kind < 0.15 else 0.3 + 1.4 * self.rng.random() if kind < 0.85
                    else 2 + 2 * self.rng.random() if kind < 0.97 else self.long_life_s)
        kills_receiver = self.rng.random() < 0.25
        end, looked = time.time() + length_s, 0
        while time.time() < end:
            self.act()
            if time.time() - looked > 0.1:
                self.look()
                looked = time.time()
            if kills_receiver and self.receiver and time.time() > end - length_s / 2:
                self.kill_receiver()
                kills_receiver = False
            self.revive_receiver()
            time.sleep(0.02)
        if at_delivery:
            self.wait_for_a_delivery()
        if not self.program.alive():
            raise RuntimeError(f"{self.program.name} ended by itself")
        self.program.kill()
        self.ready_since = None

    def wait_for_a_delivery(self):
        """Between what the receiver takes and what the program has written down of it, if there is one soon."""
        size, until = self.ledger.stat().st_size, time.time() + 1
        while time.time() < until and self.ledger.stat().st_size == size:
            time.sleep(0.001)
        time.sleep(self.rng.random() * 0.07)

    def revive_receiver(self):
        if self.receiver is None and time.time() > self.receiver_back:
            self.start_receiver()

    def drain(self):
        """All up and left alone: what is owed is told, then all ends."""
        self.receiver_back = 0
        self.revive_receiver()
        for page in self.pages.values():
            page.next_step = lambda *_: {}
        self.program.configure(self.choice)
        self.program.start(None)
        self.until(lambda: not self.judge.lost() and all(a.state != "on" for a in self.alerts.values()))
        for alert in self.alerts.values():
            if alert.state in ("on", "told"):
                alert.go("ending")
        self.until(lambda: not self.judge.ends_missing() and self.ready_since and self.safely_idle())
        time.sleep(1)                                   # what should not come has a moment to come
        self.look()

    def until(self, condition):
        end = time.time() + self.drain_s
        while time.time() < end and not condition():
            self.look()
            time.sleep(0.1)

    def report(self, kills):
        wrong, judge = self.judge.wrong, self.judge
        doubled = [what for what, ids in self.opened.items() if len(ids) > 1]
        broken = [text for page in self.pages.values() for text in page.broken()]
        missing = judge.ends_missing()
        print(f"kills {kills}: lost {len(judge.lost())}, repeated {len(wrong['repeated'])}, ends missing {len(missing)}, "
              f"incidents doubled {len(doubled) if self.pages and self.program.keyed else 'none to double'}", flush=True)
        print(f"  {len(judge.told)} told ({len(self.opened)} of them as incidents), {len(judge.owed)} owed, {len(judge.ended)} ended; {self.program.power_cuts} lives with "
              f"power cuts, {self.receiver_kills} kills of the receiver, {self.reloads} reloads, {len(self.silences)} silences; "
              f"{len(wrong['same key again'])} times the same key again (marked, so the receiver knows); 420s: {sum(p.over for p in self.pages.values())}")
        details = {"lost": judge.lost(), "ends missing": missing, "ends missing, silenced": [w for w in missing if w in judge.silenced_end],
                   "incidents doubled": doubled, "status page": broken, "silences lost": sorted(self.silences_gone),
                   **{k: v for k, v in wrong.items() if k != "same key again"}}
        details = {k: v for k, v in details.items() if v}
        for name, all_of_it in details.items():
            print(f"  {name}: {len(all_of_it)}: {json.dumps(all_of_it[:8])}")
        return not details

    def close(self, good):
        self.program.stop()
        if self.receiver:
            self.receiver.stop()
        for page in self.pages.values():
            page.stop()
        self.target.stop()
        if good:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"  all of it is in {self.folder}")


def main():
    kills, seed = int(os.environ.get("N") or 50), int(os.environ.get("SEED") or time.time_ns() % 1000000)
    target = os.environ.get("TARGET") or "tocsin"
    if target not in PROGRAMS:
        raise SystemExit(f"TARGET is one of {', '.join(PROGRAMS)}")
    run, good = Run(target, kills, seed, bool(os.environ.get("LIES"))), False
    print(f"{run.program.name}, {kills} kills, SEED={seed}", flush=True)
    try:
        for k in range(kills):
            run.life()
            if (k + 1) % 50 == 0:
                print(f"  {k + 1} kills, {len(run.judge.told)} told, {len(run.judge.ended)} ended", flush=True)
        run.drain()
        good = run.report(kills)
    finally:
        run.close(good)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
