"""Configurations that Prometheus takes we take, and what it refuses we refuse; and jobs in files of their own. (C2, P1)"""
import json
import shutil
import subprocess

import pytest
from servers import Alerter, wait_for
from test_alerter_config import run
from test_scrape_protobuf import ask
from watched import Target

LOGIN = {"client_id": "x", "client_secret": "y", "token_url": "http://t/"}


def relabel(**rule):
    return {"relabel_configs": [{"source_labels": ["a"], "target_label": "b", **rule}]}


TAKEN = [relabel(action="Replace"), relabel(action="UpperCase"), {"proxy_url": "socks5://p:1080"}, {"proxy_url": ""}, {"body_size_limit": "1.5MB"}, {"body_size_limit": "3GB"},
         {"body_size_limit": "1EB"}, {"scheme": ""}, {"scrape_interval": "0s"}, {"scrape_timeout": "0s"}, {"file_sd_configs": [{"files": ["a.JSON", "b.YML", "g/[c]?.yaml"]}]},
         {"http_sd_configs": [{"url": "HTTP://x"}]}, {"oauth2": LOGIN}]
REFUSED = [relabel(action="lowercase", replacement="x"), relabel(action="nope"), {"authorization": {"credentials": "x"}, "bearer_token": "y"},
           {"authorization": {"credentials": "x"}, "bearer_token_file": "y"}, {"oauth2": {**LOGIN, "client_id": ""}}, {"static_configs": [{"targets": ["a:1"], "labels": {"": "x"}}]}]
WHOLE = ["", "global: {scrape_interval: 0s, scrape_timeout: 0s, evaluation_interval: 0s}\n"]


@pytest.mark.skipif(not shutil.which("promtool"), reason="Debian's promtool (package prometheus) is not installed")
def test_what_promtool_says_of_a_configuration(box):
    job = lambda more: json.dumps({"scrape_configs": [{"job_name": "j", **more}]})  # noqa: E731
    box.write("y", "token")
    cases = [(job(c), 0) for c in TAKEN] + [(c, 0) for c in WHOLE] + [(job(c), 1) for c in REFUSED]
    for i, (text, code) in enumerate(cases):
        path = box.write(f"{i}.yml", text)
        peer = subprocess.run(["promtool", "check", "config", "--syntax-only", path], capture_output=True, text=True, timeout=60)
        ours = run("check", "config", path)
        assert (ours.returncode, peer.returncode) == (code, code), (text, ours.stdout + ours.stderr, peer.stdout + peer.stderr)


def test_jobs_in_files_of_their_own(box):
    """Read with the main file and with each reload; a mistake names the file and changes nothing."""
    target = box.start(Target, text="a 1\n")
    jobs = lambda *names: json.dumps({"scrape_configs": [{"job_name": n, "scrape_interval": "1s", "scrape_timeout": "1s", "file_sd_configs": [{"files": ["list.json"]}]}  # noqa: E731
                                                         for n in names]})
    box.write("jobs/list.json", json.dumps([{"targets": [target.address]}]))
    box.write("jobs/one.yml", jobs("one"))
    path = box.write("tocsin.yml", json.dumps({"scrape_config_files": ["jobs/*.yml"], "scrape_configs": [{"job_name": "main", "static_configs": [{"targets": [target.address]}]}]}))
    alerter = box.start(Alerter, path, ["--storage.path", box.folder / "data"])
    seen = lambda: {t["labels"]["job"] for t in alerter.json("/api/v1/targets")["data"]["activeTargets"]}  # noqa: E731
    wait_for("the job of the file is scraped", lambda: ask(alerter, 'a{job="one"}'))
    assert seen() == {"main", "one"}
    box.write("jobs/two.yml", jobs("two"))
    assert alerter.get("/-/reload", method="POST", data=b"")[0] == 200
    wait_for("the job of the new file", lambda: seen() == {"main", "one", "two"})
    for text, says in ((jobs("main"), "job_name main occurs twice"), ("global: {}\n", 'move "global" to the main file'), ("- 1\n", "this is a list: write a map")):
        bad = box.write("jobs/bad.yml", text)
        checked = run("check", "config", path)
        assert checked.returncode == 1 and f"{bad}:1:" in checked.stdout + checked.stderr and says in checked.stdout + checked.stderr, (text, checked)
        assert alerter.get("/-/reload", method="POST", data=b"")[0] != 200
    assert seen() == {"main", "one", "two"}
    (box.folder / "jobs/bad.yml").unlink()
    assert run("check", "config", box.write("none.yml", "scrape_config_files: ['nothing/*.yml']\n")).returncode == 0
