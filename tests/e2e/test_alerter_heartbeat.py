"""F15, the dead man's switch both ways: our heartbeats stop when rules are not evaluated; others' that stop are an alert."""
import json
import signal

import pytest
from servers import Alerter, http
from watched import Target, Watch, Webhook, alert_rule, job

FINE = [alert_rule("Fine", "fine == 0")]


@pytest.fixture
def target(box):
    return box.start(Target, "fine 1\n")


def beats(hook):
    return [r for r in hook.accepted if r["path"] == "/ping/secret-id"]


def test_ours_stop_when_rules_are_not_evaluated(box, target):
    hook = Webhook()
    box.started.append(hook)
    hook.misbehave({"status": 500})
    watch = Watch(box, [job("app", target)], FINE, heartbeats={"send": [{"name": "watchdog", "url": hook.url + "/ping/secret-id", "method": "POST",
                                                                         "interval": "1s"}]})
    hook.wait_for(lambda h: len(beats(h)) >= 2)
    assert beats(hook)[0]["method"] == "POST"
    shown, = watch.data("/api/v1/heartbeats")
    assert (shown["name"], shown["direction"], shown["missed"]) == ("watchdog", "out", False)
    for path in ("/", "/metrics", "/api/v1/status/config", "/api/v1/heartbeats"):
        assert "secret-id" not in watch.program.get(path)[2]
    assert 'msg="sending the heartbeat failed" name=watchdog err="HTTP 500"' in watch.program.process.text()
    # Every rule fails: nobody could learn of anything, and so nothing says that all is well.
    broken = [alert_rule("Fine", 'label_replace(vector(1) or label_replace(vector(1), "a", "x", "", ""), "a", "", "a", ".*") == 0')]
    watch.rules_path.write_text(json.dumps({"groups": [{"name": "g", "interval": "200ms", "rules": broken}]}))
    assert watch.program.get("/-/reload", method="POST", data=b"")[0] == 200
    _, alert = watch.told("TocsinRulesNotEvaluated")
    assert "every rule fails" in alert["annotations"]["description"]
    count = len(beats(hook))
    watch.ticks(10)
    assert len(beats(hook)) <= count + 1
    # After a restart nothing is known at first, which is neither its end nor a sign of life.
    watch.until("all is delivered", lambda: not watch.data("/api/v1/outbox")["waiting"])
    count = len(beats(hook))
    watch.program.kill()
    watch.program.start()
    watch.ticks(10)
    assert len(beats(hook)) == count
    assert not watch.hook.told("TocsinRulesNotEvaluated", "resolved") and watch.told("TocsinRulesNotEvaluated")
    watch.rules_path.write_text(json.dumps({"groups": [{"name": "g", "interval": "200ms", "rules": FINE}]}))
    assert watch.program.get("/-/reload", method="POST", data=b"")[0] == 200
    _, alert = watch.told("TocsinRulesNotEvaluated", "resolved")
    assert "every rule fails" in alert["annotations"]["description"]
    hook.wait_for(lambda h: len(beats(h)) > count + 1)


def test_one_that_is_missed_is_an_alert(box, target):
    """By path, header or query, without logging in; a wrong token is refused; what was missed outlives kill -9."""
    token = box.write("token", "open-sesame\n")
    web = box.write("web.yml", "basic_auth_users: { bob: $2b$04$123456789012345678901u//h8y7tq3SNKU3W0iQ9NrkyT8n5fXPS }\n")
    watch = Watch(box, [job("app", target)], FINE, start=False, heartbeats={"expect": [
        {"name": "backup", "token_file": str(token), "every": "1s", "grace": "1s", "labels": {"team": "db"}, "summary": "The backup did not run"},
        {"name": "other", "token": "another-one", "every": "1h"}]})
    program = watch.program = Alerter(box.folder, watch.path, ["--storage.path", box.folder / "data", "--web.config.file", web], wait=False)
    box.started.append(program)
    program.process.ready(lambda: http(program.url("/-/ready"))[0] == 401)
    place = program.url("/api/v1/heartbeats/backup")
    assert http(place)[0] == 403 and http(place + "/open-sesamf")[0] == 403 and http(place + "/another-one")[0] == 403
    assert http(program.url("/api/v1/heartbeats/nobody/open-sesame"))[0] == 403
    assert http(program.url("/api/v1/heartbeats"))[0] == 401
    _, alert = watch.told("HeartbeatMissed")
    assert alert["labels"] == {"alertname": "HeartbeatMissed", "heartbeat": "backup", "severity": "critical", "team": "db"}
    assert alert["annotations"]["summary"] == "The backup did not run"
    program.process.p.send_signal(signal.SIGKILL)
    program.kill()
    program.start(wait=False)
    program.process.ready(lambda: http(program.url("/-/ready"))[0] == 401)
    assert http(place + "/open-sesame")[0] == 200
    watch.told("HeartbeatMissed", "resolved")
    for request in ((place + "?token=open-sesame", None), (place, {"Authorization": "Bearer open-sesame"})):
        assert http(request[0], headers=request[1])[0] == 200 and http(request[0], headers=request[1], data=b"log", method="POST")[0] == 200
