"""Not knowing is no end: what we cannot see keeps its alerts, visibly, and only those."""
import shutil
import signal
import threading
import time

import pytest
from servers import Exporter, Process, Redis, free_port, http
from watched import EVERY_SECOND, Target, Watch, alert_rule, job


def test_redis_dies_behind_a_live_exporter(box):
    """P5, F8: one of two Redis dies: its alert is unknown and stays, the other's resolves, and RedisDown is told. Then the exporter dies too.
    When all is back, what is over ends properly."""
    nodes = {name: box.start(Redis) for name in ("a", "b")}
    config = "redis:\n" + "".join(f"  - {{ name: {name}, url: '{r.url()}' }}\n" for name, r in nodes.items())
    exporter = box.start(Exporter, box.write("exporter.yml", config))
    for r in nodes.values():
        r.cli("mset", "k1", 1, "k2", 2, "k3", 3)
    watch = Watch(box, [job("tocsin", exporter, **EVERY_SECOND)], [
        alert_rule("ManyKeys", 'redis_db_keys{db="db0"} > 2', summary="{{ $labels.source }}: {{ $value }}"),
        alert_rule("RedisDown", "redis_up == 0", summary="{{ $labels.source }}"),
        alert_rule("ExporterDown", "up == 0", "2s"),
    ], route={"receiver": "all", "group_by": ["alertname", "source"], "group_wait": "0s", "group_interval": "200ms"})
    watch.hook.wait_for(lambda h: len(h.told("ManyKeys", "firing")) == 2)
    since = watch.alert("ManyKeys", source="a")["activeAt"]

    nodes["a"].stop()
    watch.until_state("RedisDown", "firing", source="a")
    watch.until("its alert is unknown", lambda: "unknownSince" in watch.alert("ManyKeys", source="a"))
    nodes["b"].cli("flushall")
    watch.hook.wait_for(lambda h: h.told("ManyKeys", "resolved"))
    watch.ticks(5)
    alert, = watch.alerts("ManyKeys")
    assert alert["labels"]["source"] == "a" and alert["state"] == "firing" and alert["activeAt"] == since
    assert "no data for" in watch.program.get("/")[2]
    assert watch.value('redis_db_keys{db="db0", source="a"}') is None, "a query shows what Prometheus would show"

    exporter.kill()
    watch.told("ExporterDown")
    watch.ticks(5)
    assert watch.state("RedisDown", source="a") == "firing" and "unknownSince" in watch.alert("RedisDown", source="a")
    assert watch.state("ManyKeys", source="a") == "firing"
    assert [len(watch.hook.told(n, "resolved")) for n in ("ManyKeys", "RedisDown")] == [1, 0]

    exporter.start()
    watch.told("ExporterDown", "resolved")
    watch.until("Redis is known to be down", lambda: "unknownSince" not in watch.alert("RedisDown", source="a"))
    assert watch.state("RedisDown", source="a") == "firing"
    nodes["a"].start()
    watch.told("RedisDown", "resolved")
    watch.hook.wait_for(lambda h: len(h.told("ManyKeys", "resolved")) == 2)
    assert [len(watch.hook.told(n, "firing")) for n in ("ManyKeys", "RedisDown", "ExporterDown")] == [2, 1, 1]


@pytest.mark.parametrize("way", ["gone", "answers 500", "answers nonsense"])
def test_one_target_of_several_dies(box, way):
    """P1: it freezes its own alerts and no other; `up == 0` fires for it alone; back again, its alert ends."""
    targets = [box.start(Target, text="broken 1\nload 5\n") for _ in range(3)]
    watch = Watch(box, [job("app", *targets)], [alert_rule("Broken", "broken == 1"), alert_rule("Down", "up == 0", "1s"),
                                                alert_rule("LoadOfAll", "sum(load) > 14")],
                  route={"receiver": "all", "group_by": ["alertname", "instance"], "group_wait": "0s", "group_interval": "200ms"})
    watch.hook.wait_for(lambda h: len(h.told("Broken", "firing")) == 3 and h.told("LoadOfAll", "firing"))
    dead, *others = targets
    if way == "gone":
        dead.down()
    elif way == "answers 500":
        dead.answer = 500
    else:
        dead.text = "<html>broken 0</html>\n"
    _, alert = watch.told("Down")
    assert alert["labels"]["instance"] == dead.address
    for t in others:
        t.set(broken=0, load=5)
    watch.hook.wait_for(lambda h: len(h.told("Broken", "resolved")) == 2)
    watch.ticks(5)
    alert, = watch.alerts("Broken")
    assert alert["labels"]["instance"] == dead.address and alert["state"] == "firing" and "unknownSince" in alert
    assert watch.state("LoadOfAll") == "firing" and "unknownSince" in watch.alert("LoadOfAll"), "ten of fifteen is what we see, not what is"
    dead.answer = None
    dead.set(broken=0, load=5)
    if way == "gone":
        dead.up()
    watch.told("Down", "resolved")
    watch.hook.wait_for(lambda h: len(h.told("Broken", "resolved")) == 3)
    assert watch.state("LoadOfAll") == "firing"
    dead.set(broken=0, load=1)
    watch.told("LoadOfAll", "resolved")


def test_gone_is_not_lost(box):
    """A series that a healthy target no longer carries is gone, and so is a target that left the configuration: their alerts end."""
    targets = [box.start(Target, text="broken 1\n") for _ in range(2)]
    watch = Watch(box, [job("app", targets[0]), job("other", targets[1])], [alert_rule("Broken", "broken == 1")],
                  route={"receiver": "all", "group_by": ["alertname", "job"], "group_wait": "0s", "group_interval": "200ms"})
    watch.hook.wait_for(lambda h: len(h.told("Broken", "firing")) == 2)
    targets[0].set(fine=1)
    watch.hook.wait_for(lambda h: len(h.told("Broken", "resolved")) == 1)
    assert watch.alert("Broken")["labels"]["job"] == "other"
    watch.path.write_text(watch.path.read_text().replace('"other"', '"another"').replace(targets[1].address, targets[0].address))
    assert watch.program.get("/-/reload", data=b"", method="POST")[0] == 200
    watch.hook.wait_for(lambda h: len(h.told("Broken", "resolved")) == 2)


def test_a_rule_that_fails_resolves_nothing(box):
    """An evaluation that fails (two series on one side of a match) is no end of the alert it had."""
    target = box.start(Target, text='broken 1\nside{a="1"} 1\n')
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken * on (instance) side == 1")])
    watch.told("Broken")
    target.text = 'broken 0\nside{a="1"} 1\nside{a="2"} 1\n'
    watch.until("it fails", lambda: watch.data("/api/v1/rules")["groups"][0]["rules"][0]["health"] == "err")
    watch.ticks(3)
    assert watch.state("Broken") == "firing" and "unknownSince" in watch.alert("Broken")
    assert "side" in watch.data("/api/v1/rules")["groups"][0]["rules"][0]["lastError"], "the error says where it is"
    target.text = 'broken 0\nside{a="1"} 1\n'
    watch.told("Broken", "resolved")


class Hundred(Target):
    """A hundred targets of one address, /0 to /99, each with its own number; None: it is dead."""

    def __init__(self, _folder=None):
        self.broken = [1] * 100
        super().__init__()

    def reply(self, path):
        value = self.broken[int(path[1:])]
        return (503, "") if value is None else (200, f"broken {value}\n")

    def job(self):
        groups = [{"targets": [self.address], "labels": {"__metrics_path__": f"/{i}", "instance": f"t{i}"}} for i in range(100)]
        return {"job_name": "app", "static_configs": groups, **EVERY_SECOND}


def test_one_target_of_a_hundred_dies(box):
    """P1: 99 end, one is unknown and stays, over a restart too; back again, it ends."""
    targets = box.start(Hundred)
    watch = Watch(box, [targets.job()], [alert_rule("Broken", "broken == 1"), alert_rule("Down", "up == 0")])
    watch.until("all fire", lambda: len(watch.alerts("Broken")) == 100)
    targets.broken[42] = None
    watch.until_state("Down", "firing", instance="t42")

    def told(status):
        return {a["labels"]["instance"] for r in watch.hook.requests for a in r["body"]["alerts"] if a["labels"]["alertname"] == "Broken" and a["status"] == status}
    targets.broken[:] = [None if v is None else 0 for v in targets.broken]
    others = {f"t{i}" for i in range(100)} - {"t42"}
    watch.until("99 have ended", lambda: told("resolved") == others)
    for _ in range(2):
        watch.until("one is unknown", lambda: "unknownSince" in watch.alert("Broken"))
        watch.ticks(5)
        assert watch.alert("Broken")["labels"]["instance"] == "t42" and watch.state("Broken") == "firing"
        assert told("resolved") == others and told("firing") == others | {"t42"}
        watch.program.stop()
        watch.program.start()
    targets.broken[42] = 0
    watch.until("it ends too", lambda: told("resolved") == told("firing"))
    watch.until_state("Down", "inactive", instance="t42")


@pytest.mark.skipif(not shutil.which("prometheus-node-exporter"), reason="Debian's prometheus-node-exporter is not installed")
def test_what_ends_behind_a_real_node_exporter(box):
    """Links and collectors that are always down freeze nothing: a series that goes is gone, and its alert ends."""
    port, folder = free_port(), box.write("text/app.prom", "broken 1\n").parent
    node = Process("node", ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}", f"--collector.textfile.directory={folder}",
                            "--collector.systemd"], box.folder)
    box.started.append(node)
    node.ready(lambda: http(f"http://127.0.0.1:{port}/metrics")[0] == 200)
    watch = Watch(box, [job("node", f"127.0.0.1:{port}", **EVERY_SECOND)], [alert_rule("Broken", "broken == 1")])
    watch.told("Broken")
    assert watch.query('{__name__=~".+_up|.+_collector_success"} == 0'), "some gauge is down, or this test shows nothing"
    (folder / "app.prom").unlink()
    watch.told("Broken", "resolved")


def test_a_target_that_never_answered(box):
    """P1: one dead host in any job keeps no alert over a sum from ending, at the first start and after a kill."""
    target = box.start(Target, text="m 5\n")
    watch = Watch(box, [job("a", target), job("z", f"127.0.0.1:{free_port()}")], [alert_rule("Sum", "sum(m) > 2")])
    for kill in (True, False):
        watch.until_state("Sum", "firing")
        target.text = "m 0\n"
        watch.until("it ended", lambda: not watch.alerts("Sum"))
        target.text = "m 5\n"
        watch.until_state("Sum", "firing")
        if kill:
            watch.program.kill()
            watch.program.start()


class HeldTarget(Target):
    """Answers at once, or not before it is let go."""

    def __init__(self, _folder=None, text=""):
        self.free = threading.Event()
        self.free.set()
        self.asked = 0
        super().__init__(text=text)

    def reply(self, path):
        self.asked += 1
        self.free.wait(60)
        return super().reply(path)


@pytest.mark.parametrize("in_a_scrape", [False, True], ids=["between scrapes", "in a scrape"])
def test_a_process_that_stood_still_pages_nobody(box, in_a_scrape):
    """P1: stopped for longer than the lookback: nothing is there when it goes on, but nobody has asked yet, and what was asked before that tells of
    then. What fired goes on, and that no rule was evaluated is no news."""
    target = box.start(HeldTarget, text="broken 1\n")
    rules = [alert_rule("Broken", "broken > 0"), alert_rule("Gone", "absent(up)"), alert_rule("Few", "count(up) < 1 or absent(broken)")]
    watch = Watch(box, [job("app", target, scrape_interval="2s", scrape_timeout="2s")], rules, args=["--query.lookback-delta=3s"])
    watch.told("Broken")
    if in_a_scrape:
        target.free.clear()
        before = target.asked
        watch.until("it is being asked", lambda: target.asked > before)
    watch.program.process.send_signal(signal.SIGSTOP)
    time.sleep(8)
    watch.program.process.send_signal(signal.SIGCONT)
    watch.ticks(4 if in_a_scrape else 0)
    target.free.set()
    watch.scraped()
    watch.ticks(8)
    assert [(a["labels"]["alertname"], a["status"]) for r in watch.hook.requests for a in r["body"]["alerts"]] == [("Broken", "firing")]
