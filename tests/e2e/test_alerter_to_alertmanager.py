"""To Debian's Alertmanager: an alert arrives, stays through outages of its source, of the Alertmanager and of ours, and ends once."""
import json
import shutil
import time

import pytest
from servers import Process, free_port, http
from watched import Target, Watch, Webhook, alert_rule, job

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
pytestmark = pytest.mark.skipif(not PROGRAM, reason="Debian's prometheus-alertmanager is not installed")
BROKEN = [alert_rule("Broken", "broken == 1", summary="it is {{ $value }}")]


class Alertmanager:
    """Debian's, telling <hook> at once; its web.config.file wants user and password."""

    def __init__(self, folder, hook):
        self.folder, self.port, self.process = folder, free_port(), None
        (folder / "am.yml").write_text(json.dumps({
            "route": {"receiver": "r", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"},
            "receivers": [{"name": "r", "webhook_configs": [{"url": hook.url}]}]}))
        self.start()

    def start(self):
        self.process = Process("alertmanager", [PROGRAM, "--config.file", self.folder / "am.yml", "--storage.path", self.folder / "am",
                                                "--web.listen-address", f"127.0.0.1:{self.port}", "--cluster.listen-address=",
                                                "--web.route-prefix=/am"], self.folder)
        self.process.ready(lambda: http(f"http://127.0.0.1:{self.port}/am/-/ready")[0] == 200)

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def alerts(self):
        return json.loads(http(f"http://127.0.0.1:{self.port}/am/api/v2/alerts")[2])


def test_it_stays_and_ends_once(box):
    target, hook = box.start(Target, "broken 0\n"), Webhook()
    box.started.append(hook)
    manager = box.start(Alertmanager, hook)
    dead = Webhook()
    box.started.append(dead)
    dead.misbehave({"hang": True, "times": 100})
    found = box.write("am.json", "[]")                      # it comes to be there while we run
    watch = Watch(box, [job("app", target)], BROKEN, receiver={}, args=["--rules.alert.resend-delay", "3s"], alerting={"alertmanagers": [
        {"static_configs": [{"targets": [f"127.0.0.1:{dead.port}"]}], "timeout": "60s"},
        {"file_sd_configs": [{"files": [str(found)]}], "path_prefix": "am",
         "alert_relabel_configs": [{"target_label": "via", "replacement": "tocsin"}]}]})
    config = dict(watch.config, **{"global": {**watch.config["global"], "external_labels": {"site": "here"}}})
    watch.path.write_text(json.dumps(config))
    assert watch.program.get("/-/reload", method="POST", data=b"")[0] == 200
    watch.scraped()
    assert len(watch.data("/api/v1/alertmanagers")["activeAlertmanagers"]) == 1
    found.write_text(json.dumps([{"targets": [f"127.0.0.1:{manager.port}"]}]))
    watch.until("it is found", lambda: len(watch.data("/api/v1/alertmanagers")["activeAlertmanagers"]) == 2)
    target.set(broken=1)
    hook.wait_for(lambda h: h.accepted)
    alert, = manager.alerts()
    assert alert["labels"] == {"alertname": "Broken", "site": "here", "via": "tocsin", "severity": "critical", "job": "app",
                               "instance": target.address}
    assert alert["annotations"] == {"summary": "it is 1"} and "g0.expr=broken" in alert["generatorURL"]
    begun = alert["startsAt"]

    target.down()                                           # nothing is known of it, for longer than its endsAt lay ahead
    watch.until("it is unknown", lambda: (watch.alert("Broken") or {}).get("unknownSince"))
    ends = manager.alerts()[0]["endsAt"]
    watch.until("what endsAt was has passed", lambda: time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 1)) > ends[:19])
    assert [a["startsAt"] for a in manager.alerts()] == [begun]

    manager.stop()                                          # the Alertmanager forgets, we do not
    watch.until("it is said", lambda: watch.data("/api/v1/alertmanagers")["activeAlertmanagers"][1]["lastError"])
    manager.start()
    watch.until("it is back", lambda: [a["startsAt"] for a in manager.alerts()] == [begun])

    watch.program.kill()
    watch.program.start()
    target.text = "broken 1\n"
    target.up()
    watch.until_state("Broken", "firing")
    watch.scraped()
    target.set(broken=0)
    hook.wait_for(lambda h: h.accepted[-1]["body"]["status"] == "resolved")
    watch.until("it has ended", lambda: not manager.alerts())
    statuses = [r["body"]["status"] for r in hook.accepted]
    assert statuses == ["firing", "resolved"]
    metrics = watch.program.get("/metrics")[2]
    assert "prometheus_notifications_alertmanagers_discovered 2" in metrics


def test_changed_external_labels_end_the_old_ones(box):
    """F15: what an Alertmanager knows under the old labels ends, and what fires it hears of under the new ones."""
    target, hook = box.start(Target, "broken 1\n"), Webhook()
    box.started.append(hook)
    manager = box.start(Alertmanager, hook)
    watch = Watch(box, [job("app", target)], BROKEN, receiver={},
                  alerting={"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager.port}"]}], "path_prefix": "am"}]})
    watch.until("it fires there", lambda: ["site" in a["labels"] for a in manager.alerts()] == [False])
    begun = manager.alerts()[0]["startsAt"]
    for site in ("here", "there"):
        watch.path.write_text(json.dumps({**watch.config, "global": {**watch.config["global"], "external_labels": {"site": site}}}))
        assert watch.program.get("/-/reload", method="POST", data=b"")[0] == 200
        watch.until(f"it fires {site} alone", lambda: [(a["labels"].get("site"), a["startsAt"]) for a in manager.alerts()] == [(site, begun)])


def test_it_says_who_it_is(box):
    """Credentials, a header of its own, and a relabelled address."""
    target, hook = box.start(Target, "broken 1\n"), Webhook()
    box.started.append(hook)
    word = box.write("word", "open sesame\n")
    watch = Watch(box, [job("app", target)], BROKEN, receiver={}, alerting={"alertmanagers": [
        {"static_configs": [{"targets": ["am.example:1"], "labels": {"at": f"127.0.0.1:{hook.port}"}}], "authorization": {"credentials_file": str(word)},
         "relabel_configs": [{"source_labels": ["at"], "target_label": "__address__"}], "http_headers": {"X-Tenant": {"values": ["t"]}}}]})
    request = hook.wait_for(lambda h: h.accepted)[0]
    assert request["path"] == "/api/v2/alerts" and request["headers"]["authorization"] == "Bearer open sesame" and request["headers"]["x-tenant"] == "t"
    assert request["body"][0]["labels"]["alertname"] == "Broken"
    assert "sesame" not in watch.program.get("/api/v1/status/config")[2] + watch.program.get("/")[2]
