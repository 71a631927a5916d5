"""F15: on call, lead, owner: each told in turn unless somebody acknowledges, by API or by the link in a message; each told the end."""
import json
import re
import urllib.parse

import pytest
from servers import Alerter, http
from watched import AT_ONCE, Target, Watch, Webhook, alert_rule, job

BROKEN = [alert_rule("Broken", "broken == 1", summary="it is {{ $value }}")]


@pytest.fixture
def target(box):
    return box.start(Target, "broken 0\n")


class Team:
    def __init__(self, box, target, steps):
        self.lead, self.owner = Webhook(), Webhook()
        box.started += [self.lead, self.owner]
        self.watch = Watch(box, [job("app", target)], BROKEN, start=False)
        receivers = self.watch.config["receivers"] + [{"name": n, "webhook_configs": [{"url": h.url}]} for n, h in (("lead", self.lead), ("owner", self.owner))]
        config = {**self.watch.config, "route": {"receiver": "all", **AT_ONCE, "escalation": [{"after": a, "receiver": r} for a, r in steps]},
                  "receivers": receivers}
        self.watch.path.write_text(json.dumps(config))
        self.watch.program = box.start(Alerter, self.watch.path, ["--storage.path", box.folder / "data"])
        self.hook = self.watch.hook

    def alarm(self):
        return self.watch.data("/api/v1/groups")[0]


def statuses(hook):
    return [r["body"]["status"] for r in hook.once()]


def test_each_in_turn_and_each_the_end(box, target):
    team = Team(box, target, [("1s", "lead"), ("2s", "owner")])
    target.set(broken=1)
    first = team.hook.wait_for(lambda h: h.accepted)[0]["body"]
    team.lead.wait_for(lambda h: h.accepted)
    team.watch.program.kill()                               # the clock of the second step runs on
    team.watch.program.start()
    owner = team.owner.wait_for(lambda h: h.accepted)[0]
    assert (owner["body"]["receiver"], owner["body"]["escalationStep"]) == ("owner", 2) and "escalationStep" not in first
    target.set(broken=0)
    for hook in (team.hook, team.lead, team.owner):
        hook.wait_for(lambda h: statuses(h) == ["firing", "resolved"])
    events = [(e["event"], e.get("integration")) for e in reversed(team.watch.data("/api/v1/history"))]
    assert [i for e, i in events if e == "escalated"] == ["lead", "owner"]


def test_acknowledged_by_the_api(box, target):
    """Nobody else is told; it outlives kill -9, shows wherever people look, and ends with the alarm."""
    team = Team(box, target, [("2s", "lead")])
    post = lambda path, **fields: team.watch.program.get(path, data=urllib.parse.urlencode(fields).encode())
    target.set(broken=1)
    team.hook.wait_for(lambda h: h.accepted)
    alarm = team.alarm()
    assert alarm["nextReceiver"] == "lead" and alarm["acknowledgedAt"] is None
    assert "acknowledge</a>" in team.watch.program.get("/")[2]
    assert post("/api/v1/groups/ack", id="nope", by="Ann")[0] == 404
    assert post("/api/v1/groups/ack", id=alarm["id"], by="Ann <b>")[0] == 200
    team.watch.program.kill()
    team.watch.program.start()
    alarm = team.alarm()
    assert alarm["acknowledgedBy"] == "Ann <b>" and alarm["acknowledgedAt"] and alarm["nextStepAt"] is None
    assert "Ann &lt;b&gt;" in team.watch.program.get("/")[2]
    target.set(broken=0)
    end = team.hook.wait_for(lambda h: len(h.once()) == 2 and h.once()[1])
    assert end["body"]["acknowledgedBy"] == "Ann <b>" and "ackURL" not in end["body"]
    assert "acknowledged" in [e["event"] for e in team.watch.data("/api/v1/history")]
    target.set(broken=1)                                    # another alarm is nobody's yet
    team.lead.wait_for(lambda h: h.accepted)
    assert [r["body"]["status"] for r in team.lead.accepted] == ["firing"]


USERS = "basic_auth_users: { bob: $2b$04$123456789012345678901u//h8y7tq3SNKU3W0iQ9NrkyT8n5fXPS }\n"


def test_acknowledged_by_the_link(box, target):
    """GET shows and changes nothing, POST acknowledges; without logging in, for the signature says enough; a foreign page's POST is refused."""
    web = box.write("web.yml", USERS)
    team = Team(box, target, [("1h", "lead")])
    program = team.watch.program
    program.stop()
    program.args += ["--web.config.file", web, "--web.external-url", program.url("/")]
    program.start(wait=False)
    program.process.ready(lambda: http(program.url("/-/ready"))[0] == 401)
    target.set(broken=1)
    url = team.hook.wait_for(lambda h: h.accepted)[0]["body"]["ackURL"]
    assert url.startswith(program.url("/ack?"))
    for _ in range(2):
        status, headers, text = http(url)
        assert status == 200 and "<button>Acknowledge" in text and headers["Cache-Control"] == "no-store" and headers["X-Frame-Options"] == "DENY"
    fields = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query), by="Ann")
    form = urllib.parse.urlencode(fields).encode()
    action = program.url("/ack")
    assert re.search(r'<form method="post" action="ack">', text)
    assert http(action, data=form, headers={"Origin": "http://evil.example"})[0] == 403
    assert http(action, data=form, headers={"Host": "evil.example"})[0] == 403
    assert http(action, data=form, headers={"Content-Type": "text/plain"})[0] == 415
    assert http(action, data=urllib.parse.urlencode({**fields, "sig": "0" * 32}).encode())[0] == 403
    assert "<button>Acknowledge" in http(url)[2]
    status, _, text = http(action, data=form, headers={"Origin": program.url()})
    assert status == 200 and "Acknowledged by <b>Ann</b>" in text
    target.set(broken=0)
    team.hook.wait_for(lambda h: len(h.once()) == 2)
    team.watch.hook.wait_for(lambda h: http(url)[0] == 404)
    assert http(program.url("/api/v1/groups"))[0] == 401
