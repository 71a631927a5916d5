"""A name server that says nothing holds who asks it for minutes: a target, a list of targets and a receiver whose names it should know stop
nobody else, nor us when we are told to reload or to end; and who asks it again and again does not pile up. (C2, D1)"""
import json
import os
import socket
import subprocess

import pytest
from servers import Alerter, Exporter, Process, binary, http, wait_for
from test_scrape_protobuf import ask
from watched import Target, Webhook, alert_rule, rule_file

NAME_SERVER = "127.53.0.1"
SLOW = f"nameserver {NAME_SERVER}\noptions timeout:30 attempts:5\n"
PACE = {"scrape_interval": "1s", "scrape_timeout": "1s"}
NAMES = 8
AT_ONCE = {"group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "2s"}


class SilentNames:
    """Of a program: it sees another /etc/resolv.conf than this machine's."""

    def start(self, wait=True):
        resolv = self.folder / "resolv.conf"
        resolv.write_text(SLOW)
        ours = [binary(self.name), "--web.listen-address", f"127.0.0.1:{self.port}", *self.args]
        self.process = Process(self.name, ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolv, *ours], self.folder)
        self.process.ready(lambda: http(self.url(self.ready_path))[0] == 200)

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))


class WithSilentNames(SilentNames, Alerter):
    pass


class ExporterWithSilentNames(SilentNames, Exporter):
    pass


@pytest.fixture
def silence():
    if subprocess.run(["unshare", "-m", "mount", "--bind", "/etc/resolv.conf", "/etc/resolv.conf"], capture_output=True).returncode != 0:
        pytest.skip("no file can be mounted here: a name server that says nothing was NOT tried")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((NAME_SERVER, 53))
        yield s


def test_names_nobody_answers_for(box, silence):
    target, hook = box.start(Target, text="a 1\n"), Webhook()
    box.started.append(hook)
    box.write("rules.yml", rule_file(alert_rule("Always", "a == 1")))
    dead = [f"h{i}.example:80" for i in range(NAMES)]
    config = {"global": {"evaluation_interval": "1s"}, "rule_files": ["rules.yml"],
              "scrape_configs": [{"job_name": "good", **PACE, "static_configs": [{"targets": [target.address]}]},
                                 {"job_name": "dead", **PACE, "static_configs": [{"targets": dead}]},
                                 {"job_name": "list", **PACE, "http_sd_configs": [{"url": "http://list.example/", "refresh_interval": "1s"}]},
                                 {"job_name": "file", **PACE, "file_sd_configs": [{"files": ["list.json"]}]}],
              "route": {"receiver": "bad", **AT_ONCE, "routes": [{"receiver": "bad", "continue": True}, {"receiver": "good"}]},
              "receivers": [{"name": "bad", "webhook_configs": [{"url": "http://hook.example/", "timeout": "1s"}]},
                            {"name": "good", "webhook_configs": [{"url": hook.url}]}]}
    alerter = box.start(WithSilentNames, box.write("tocsin.yml", json.dumps(config)), ["--storage.path", box.folder / "data"])
    failed = lambda: ask(alerter, f'count(count_over_time(up{{job="dead"}}[1m]) > 1 and up{{job="dead"}} == 0) == {NAMES}')  # noqa: E731
    wait_for("each dead target failed twice", failed)
    scraped, told = len(target.headers), len(hook.requests)
    wait_for("the other one goes on", lambda: len(target.headers) > scraped + 9)
    wait_for("the other receiver is told again", lambda: len(hook.requests) > told + 1)
    (box.folder / "list.json").write_text(json.dumps([{"targets": [target.address]}]))
    wait_for("a list that changed is read", lambda: ask(alerter, 'up{job="file"} == 1'))
    assert alerter.get("/-/reload", method="POST", data=b"")[0] == 200
    assert "does not answer" in str(alerter.get("/api/v1/targets")[2])
    assert alerter.threads() < 100
    assert alerter.stop() == 0


def test_an_exporter_that_gives_up_first(box, silence):
    """Its own deadline ends a request before libcurl says that a lookup took too long; asked again and again, it does not pile them up."""
    exporter = box.start(ExporterWithSilentNames, box.write("exporter.yml", "probe: [{name: dead, url: 'http://dead.example/', timeout: 100ms}]\n"))
    for _ in range(30):
        assert "probe_success{source=\"dead\"} 0" in exporter.get("/metrics")[2]
    hanging = int(next(line for line in exporter.get("/metrics")[2].splitlines() if line.startswith("process_name_lookups_hanging ")).split()[1])
    assert 1 <= hanging <= 13 and exporter.threads() < 30
