"""The alerter stops and starts again: what it knew it still knows, and nobody hears of it."""
import socket
import time
from datetime import datetime

import pytest
from servers import wait_for
from watched import Target, Watch, alert_rule, job


@pytest.fixture
def target(box):
    t = box.start(Target)
    t.set(broken=0, waiting=0)
    return t


@pytest.fixture
def watch(box, target):
    return Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1"), alert_rule("Waiting", "waiting == 1", "4s")])


def test_restart_tells_nobody(watch, target):
    """F1, F16: firing stays firing since the same time, pending stays pending; the time away, longer than `for`, does not count."""
    watch.scraped()
    target.set(broken=1, waiting=1)
    watch.told("Broken")
    watch.until_state("Waiting", "pending")
    firing, pending = watch.alert("Broken"), watch.alert("Waiting")
    begin = datetime.fromisoformat(pending["activeAt"].replace("Z", "+00:00")).timestamp()
    time.sleep(1)
    watch.program.stop()
    left = time.time()
    time.sleep(4.5)
    back = time.time()
    watch.program.start()
    assert watch.state("Waiting") in ("pending", "firing"), "pending is pending after the start"
    assert watch.alert("Broken")["activeAt"] == firing["activeAt"] and watch.state("Broken") == "firing"
    watch.told("Waiting")
    fired = watch.hook.told("Waiting", "firing")[0]["time"]
    assert (left - begin) + (fired - back) >= 3.5, "`for` was measured in known time"
    assert watch.alert("Broken")["activeAt"] == firing["activeAt"]
    watch.until("it is known", lambda: "unknownSince" not in watch.alert("Broken"))
    watch.ticks()
    assert len(watch.hook.requests) == 2 and pending["activeAt"] < watch.alert("Waiting")["activeAt"]
    target.set(broken=0, waiting=0)
    watch.told("Broken", "resolved")
    watch.told("Waiting", "resolved")


def test_restart_while_the_target_is_away(watch, target):
    """Nothing resolves because we were away, nor because the target is; what ended meanwhile ends once it is known."""
    target.set(broken=1, waiting=0)
    watch.told("Broken")
    watch.program.kill()
    target.down()
    watch.program.start()
    watch.ticks(5)
    alert = watch.alert("Broken")
    assert alert["state"] == "firing" and "unknownSince" in alert
    assert not watch.hook.told("Broken", "resolved")
    target.set(broken=0, waiting=0)
    target.up()
    watch.told("Broken", "resolved")
    assert len({r["key"] for r in watch.hook.requests}) == 2, "killed before it noted the answer, it may repeat a message, with its key"


def test_what_ended_while_we_were_away_is_told(watch, target):
    """The end of what was told is told, also when it came while nobody looked."""
    target.set(broken=1, waiting=0)
    watch.told("Broken")
    watch.program.stop()
    target.set(broken=0, waiting=0)
    watch.program.start()
    watch.told("Broken", "resolved")
    assert len(watch.hook.requests) == 2


def test_rule_deleted_while_we_were_away(box, watch, target):
    """A page whose rule is gone is followed by its end, which says why."""
    target.set(broken=1, waiting=0)
    watch.told("Broken")
    watch.program.stop()
    box.write("rules.yml", box.folder.joinpath("rules.yml").read_text().replace('"Broken"', '"Other"'))
    watch.program.start()
    _, alert = watch.told("Broken", "resolved")
    assert alert["annotations"]["tocsin_reason"] == "rule deleted"
    reasons = [e["reason"] for e in watch.data("/api/v1/history?alertname=Broken") if e["event"] == "resolved"]
    assert reasons == ["rule deleted"]
    watch.told("Other")


def test_a_port_in_use_is_noticed_before_anything_is_sent(box):
    """Messages wait in the outbox; an alerter that cannot listen ends without having sent one, and leaves them to the next."""
    target = box.start(Target, "broken 1\n")
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")])
    watch.hook.misbehave({"status": 429, "times": 100, "retry_after": 1})
    watch.hook.wait_for(lambda h: h.requests)
    watch.program.kill()
    with socket.create_server(("127.0.0.1", watch.program.port)):
        time.sleep(1.1)                                         # what waits is due
        asked = len(watch.hook.requests)
        watch.program.start(wait=False)
        wait_for("its end", lambda: watch.program.process.p.poll() is not None)
        assert watch.program.process.p.returncode == 1 and "in use" in watch.program.process.text()
        assert len(watch.hook.requests) == asked
    watch.hook.script.clear()
    watch.program.start()
    watch.told("Broken")


def test_stop_before_all_was_asked(box):
    """F1: an evaluation holds up the stop, and it is not known yet whether what fired before still does: nobody asks the targets that have gone."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        w = Watch(box, [job("silent", f"127.0.0.1:{silent.getsockname()[1]}", scrape_interval="1m", scrape_timeout="1m")],
                  [alert_rule("Long", "max_over_time((vector(1) + vector(1))[4h:10ms]) > 9")])
        w.ticks(1)
        assert w.program.stop() == 0
