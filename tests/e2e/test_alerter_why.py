"""Why it fired, why it ended, what became of each message: by subcommand, API and on the page, also after the alerter is gone."""
import json
import subprocess

import pytest
from servers import binary
from watched import Target, Watch, alert_rule, job

RULES = [alert_rule("Jobs", 'jobs > 10', summary="{{ $value }} jobs wait", runbook_url="https://runbooks/jobs")]


@pytest.fixture
def target(box):
    t = box.start(Target)
    t.set(jobs=1)
    return t


@pytest.fixture
def watch(box, target):
    w = Watch(box, [job("app", target)], RULES, args=["--web.external-url", "https://watch.example.com/"])
    w.scraped()
    return w


def history(box, *args, code=0):
    done = subprocess.run([binary("tocsin-alerter"), "history", "--storage.path", str(box.folder / "data"), *args], capture_output=True, text=True)
    assert done.returncode == code, done
    return done.stderr if code else done.stdout


def test_history(box, watch, target):
    """F14, O6: a page refused first, delivered, ended: transitions with value and reason, attempts with the answer's first bytes."""
    watch.hook.misbehave({"status": 503, "error": "come <b>back</b> later"})
    target.set(jobs=12)
    watch.told("Jobs")
    target.set(jobs=3)
    body, alert = watch.told("Jobs", "resolved")
    assert alert["annotations"] == {"summary": "12 jobs wait", "runbook_url": "https://runbooks/jobs", "tocsin_reason": "no longer returned: jobs is 3 now"}
    assert body["externalURL"] == "https://watch.example.com" and alert["generatorURL"].startswith("https://watch.example.com/graph?g0.expr=jobs")
    watch.until("all is recorded", lambda: not watch.data("/api/v1/outbox")["waiting"])

    lines = history(box).splitlines()
    events = [line.split()[1] for line in lines]
    assert events == ["firing", "retry", "delivered", "resolved", "delivered"] and [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)
    assert "Jobs{" in lines[0] and lines[0].endswith("returned 12: jobs > 10")
    assert 'to all/webhook[0]: HTTP 503: {"error": "come <b>back</b> later"}' in lines[1]
    assert lines[3].endswith("no longer returned: jobs is 3 now")

    entries = [json.loads(line) for line in history(box, "--json").splitlines()]
    api = watch.data("/api/v1/history")
    assert entries == api[::-1] and [e["value"] for e in entries if "value" in e] == ["12", "3"]
    assert [e["event"] for e in watch.data("/api/v1/history?receiver=all&event=delivered")] == ["delivered"] * 2
    for args, events in [(["--event=firing"], ["firing"]), (["--receiver=all"], ["retry", "delivered", "delivered"]), (["--limit=1"], ["delivered"]),
                         (["--alertname=Other"], []), (["--since=1h", 'job="app"', "severity=~crit.*"], ["firing", "retry", "delivered", "resolved", "delivered"]),
                         (['job!="app"'], ["retry", "delivered", "delivered"]), (["alertname=Jobs", "--event=resolved"], ["resolved"])]:
        assert [line.split()[1] for line in history(box, *args).splitlines()] == events, args

    page = watch.program.get("/")[2]
    assert "no longer returned: jobs is 3 now" in page and "&lt;b&gt;back" in page and "<b>back" not in page
    watch.program.kill()
    assert len(history(box).splitlines()) == 5


def test_mistakes(box):
    """A wrong flag is a command line that is wrong; a folder without data and a bad matcher are said."""
    assert "--limit=0: a number from 1 to 1000" in history(box, "--limit=0", code=2)
    assert "unable to open database file" in history(box, code=1)
    assert "is no matcher" in history(box, 'a=~"("', code=1)
