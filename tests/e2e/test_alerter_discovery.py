"""Targets that files and URLs name: they follow, a bad answer changes nothing, and who was never named since a restart is not known."""
import json
import os
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from watched import Target, Watch, alert_rule

PAIR = {"refresh_interval": "1s"}


class Lists:
    """An http_sd server: what a test says, with the type and status it says."""

    def __init__(self, _folder=None):
        self.body, self.status, self.type, self.headers = b"[]", 200, "application/json", []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                owner.headers.append(dict(self.headers))
                self.send_response(owner.status)
                self.send_header("Content-Type", owner.type)
                self.end_headers()
                self.wfile.write(owner.body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def say(self, *targets, **labels):
        self.body = json.dumps([{"targets": [t.address for t in targets], "labels": labels}]).encode()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/targets"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def addresses(watch):
    return {t["discoveredLabels"]["__address__"]: t for t in watch.data("/api/v1/targets")["activeTargets"]}


def is_failing(watch):
    return "tocsin_scrape_sd_failing 1" in str(watch.program.get("/metrics"))


@pytest.mark.parametrize("ending", ["json", "yml"])
def test_file_sd_follows_its_files(box, tmp_path, ending):
    one, two = box.start(Target, text="broken 1\n"), box.start(Target, text="broken 1\n")
    file = tmp_path / f"targets.{ending}"
    write = lambda *t: file.write_text(json.dumps([{"targets": [x.address for x in t], "labels": {"rack": "7"}}]))  # noqa: E731
    write(one)
    watch = Watch(box, [{"job_name": "app", "file_sd_configs": [{"files": [str(tmp_path / f"*.{ending}")]}]}],
                  [alert_rule("Broken", "broken == 1")])
    watch.told("Broken")
    assert addresses(watch)[one.address]["labels"] == {"instance": one.address, "job": "app", "rack": "7"}
    assert addresses(watch)[one.address]["discoveredLabels"]["__meta_filepath"] == str(file)
    write(one, two)
    watch.until("a second target", lambda: set(addresses(watch)) == {one.address, two.address})
    for bad in ("", "{", '[{"targets": 3}]'):
        file.write_text(bad)
        watch.until("it fails", lambda: is_failing(watch))
        assert set(addresses(watch)) == {one.address, two.address}, bad
    spare = tmp_path / "next"
    spare.write_text(json.dumps([{"targets": [two.address]}]))
    os.rename(spare, file)
    watch.until("one target left", lambda: set(addresses(watch)) == {two.address} and not is_failing(watch))
    file.unlink()                                           # as if what is mounted there were away
    watch.until("it fails", lambda: is_failing(watch))
    assert set(addresses(watch)) == {two.address}
    watch.program.stop()
    watch.program.start()                                   # nor is it an answer that none is there at the start
    watch.until("it fails", lambda: is_failing(watch))
    watch.ticks()
    assert not addresses(watch) and {a["state"] for a in watch.alerts("Broken")} == {"firing"}
    (tmp_path / f"other.{ending}").write_text("[]")         # one of several that is gone was taken away
    watch.until("no target", lambda: not addresses(watch) and not is_failing(watch))
    watch.told("Broken", "resolved")


def test_file_sd_goes_on_in_a_folder_made_anew(box, tmp_path):
    """Moved away or removed, and there again: the change takes a second, not the refresh_interval of five minutes."""
    target, folder = box.start(Target), tmp_path / "lists"
    folder.mkdir()
    say = lambda rack: (folder / "a1.yml").write_text(json.dumps([{"targets": [target.address], "labels": {"rack": rack}}]))  # noqa: E731
    watch = Watch(box, [{"job_name": "app", "file_sd_configs": [{"files": [str(folder / "[a]?.yml")]}]}], [alert_rule("Broken", "broken == 1")])
    seen = lambda rack: [t["labels"].get("rack") for t in addresses(watch).values()] == [rack]  # noqa: E731
    say("1")
    watch.until("the file is read", lambda: seen("1"))
    for rack, away in (("2", lambda: os.rename(folder, tmp_path / "old")), ("3", lambda: shutil.rmtree(folder))):
        away()
        folder.mkdir()
        say(rack)
        watch.until(f"rack {rack}", lambda: seen(rack))
    say("4")
    watch.until("rack 4", lambda: seen("4"))


def test_http_sd_fails_and_comes_back(box):
    """A discovery that fails keeps what it named, also when the alerter restarts meanwhile: nothing ends until it has answered."""
    lists, target, other = box.start(Lists), box.start(Target, text="broken 1\n"), box.start(Target, text="wrong 1\n")
    lists.say(target, rack="7")
    watch = Watch(box, [{"job_name": "app", "http_sd_configs": [{"url": lists.url, **PAIR}]},
                        {"job_name": "other", "static_configs": [{"targets": [other.address]}]}],
                  [alert_rule("Broken", "broken == 1"), alert_rule("Wrong", "wrong == 1")])
    watch.told("Broken")
    watch.told("Wrong")
    assert addresses(watch)[target.address]["discoveredLabels"]["__meta_url"] == lists.url
    assert lists.headers[-1]["X-Prometheus-Refresh-Interval-Seconds"] == "1"
    good = lists.body
    for status, kind, body in ((500, "application/json", good), (200, "text/html", good), (200, "application/json", b""),
                               (200, "application/json", good[:-1]), (200, "application/json", b'{"targets": []}')):
        lists.status, lists.type, lists.body = status, kind, body
        watch.until("it fails", lambda: is_failing(watch))
        assert set(addresses(watch)) == {target.address, other.address}
        lists.status, lists.type, lists.body = 200, "application/json", good
        watch.until("it works", lambda: not is_failing(watch))
    lists.status = 503
    watch.program.kill()
    watch.program.start()
    watch.until("it fails", lambda: is_failing(watch))
    watch.ticks(5)
    assert not watch.hook.told("Broken", "resolved") and watch.state("Broken") == "firing"
    lists.status = 200
    watch.until("named again", lambda: target.address in addresses(watch))
    target.set(broken=0)
    watch.told("Broken", "resolved")
    other.set(wrong=0)
    watch.told("Wrong", "resolved")
    assert [len(watch.hook.told(n, s)) for n in ("Broken", "Wrong") for s in ("firing", "resolved")] == [1, 1, 1, 1]


def test_a_target_that_discovery_takes_away_ends(box):
    lists, target = box.start(Lists), box.start(Target, text="broken 1\n")
    lists.say(target)
    watch = Watch(box, [{"job_name": "app", "http_sd_configs": [{"url": lists.url, **PAIR}]}], [alert_rule("Broken", "broken == 1")])
    watch.told("Broken")
    lists.body = b"[]"
    watch.told("Broken", "resolved")
