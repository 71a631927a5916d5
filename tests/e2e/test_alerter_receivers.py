"""Receivers through stand-ins that check who asks and answer as scripted: e-mail, and services that are one request."""
import base64
import hmac
import sys
from pathlib import Path

import pytest
from watched import Target, Watch, Webhook, alert_rule, job

sys.path.insert(0, str(Path(__file__).parent / "standin"))
from smtp import Smtp  # noqa: E402

BROKEN = [alert_rule("Broken", "broken == 1", summary="it is <b>{{ $value }}</b>")]


@pytest.fixture
def target(box):
    t = box.start(Target)
    t.set(broken=0)
    return t


class Service(Webhook):
    """Refuses what does not carry <authorization>."""

    authorization = None

    def carry_out(self, request, body):
        if self.authorization and request.headers.get("Authorization") != self.authorization:
            self.record(request, body, 401)
            return 401, {"error": "who are you"}, {}
        return super().carry_out(request, body)


def test_email(box, target):
    mail = Smtp("user", "secret")
    box.started.append(mail)
    mail.refuse += [("RCPT", "451 come back later")] * 2
    watch = Watch(box, [job("app", target)], BROKEN, receiver={"email_configs": [{
        "to": "Ops <ops@example.org>, oncall@example.org", "from": "tocsin@example.org", "smarthost": mail.address, "hello": "here.example.org",
        "auth_username": "user", "auth_password": "secret", "require_tls": False, "send_resolved": True}]})
    watch.scraped()
    target.set(broken=1)
    watch.until("the mail", lambda: mail.messages)
    target.set(broken=0)
    watch.until("its end", lambda: len(mail.messages) == 2)
    first, last = (m["message"] for m in mail.messages)
    assert mail.messages[0]["from"] == "tocsin@example.org" and mail.messages[0]["to"] == ["ops@example.org", "oncall@example.org"]
    assert "here.example.org" in mail.hello
    assert first["Subject"] == "[FIRING:1] Broken (127.0.0.1:%d app critical)" % target.port
    assert last["Subject"].startswith("[RESOLVED] Broken")
    assert first["References"] == last["References"] and first["Message-ID"] != last["Message-ID"]
    text, html = (first.get_body((kind,)).get_content() for kind in ("plain", "html"))
    assert "it is <b>1</b>" in text and "it is &lt;b&gt;1&lt;/b&gt;" in html


def test_one_address_that_is_refused_keeps_the_mail_from_nobody(box, target):
    """Who is unknown is named, who is refused for now gets it later, and nobody gets it twice."""
    mail = Smtp()
    box.started.append(mail)
    mail.unknown = {"gone@example.org": ["550-5.1.1 No such\r\n550 5.1.1 user here"], "slow@example.org": ["451 come back", "250 ok"]}
    watch = Watch(box, [job("app", target)], BROKEN, receiver={"email_configs": [{
        "to": '"Doe, Jané" <jane@example.org>, gone@example.org, Slow <slow@example.org> (night, too)', "from": "Tocsin é <tocsin@example.org>",
        "smarthost": mail.address, "require_tls": False}]})
    watch.scraped()
    target.set(broken=1)
    watch.until("both mails", lambda: len(mail.messages) == 2)
    assert [m["to"] for m in mail.messages] == [["jane@example.org"], ["slow@example.org"]]
    watch.until("the end of it", lambda: not watch.data("/api/v1/outbox")["waiting"])
    assert not watch.data("/api/v1/outbox")["dead"]
    first, second = (m["message"] for m in mail.messages)
    assert first["Message-ID"] == second["Message-ID"]
    for message in (first, second):
        assert [(a.display_name, a.addr_spec) for a in message["To"].addresses] == [
            ("Doe, Jané", "jane@example.org"), ("", "gone@example.org"), ("Slow", "slow@example.org")]
        assert [(a.display_name, a.addr_spec) for a in message["From"].addresses] == [("Tocsin é", "tocsin@example.org")]
    reasons = [e["reason"] for e in watch.data("/api/v1/history") if e["event"] in ("retry", "delivered")]
    assert reasons[-1] == "gone@example.org: 550-5.1.1 No such 5.1.1 user here; slow@example.org: 451 come back"


def test_a_long_answer_of_a_mail_server_is_cut(box, target):
    mail = Smtp()
    box.started.append(mail)
    mail.unknown = {"gone@example.org": ["550 " + 3000 * "z"]}
    watch = Watch(box, [job("app", target)], BROKEN, receiver={"email_configs": [{
        "to": "gone@example.org, jane@example.org", "from": "tocsin@example.org", "smarthost": mail.address, "require_tls": False}]})
    watch.scraped()
    target.set(broken=1)
    watch.until("the mail", lambda: [m["to"] for m in mail.messages] == [["jane@example.org"]])
    watch.until("its end", lambda: not watch.data("/api/v1/outbox")["waiting"])
    assert any(e["reason"].startswith("gone@example.org: 550 zzz") for e in watch.data("/api/v1/history"))


def test_email_with_a_wrong_password_waits(box, target):
    mail = Smtp("user", "secret")
    box.started.append(mail)
    watch = Watch(box, [job("app", target)], BROKEN, receiver={"email_configs": [{
        "to": "ops@example.org", "from": "tocsin@example.org", "smarthost": mail.address, "auth_username": "user", "auth_password": "wrong-word",
        "require_tls": False}]})
    watch.scraped()
    target.set(broken=1)
    waiting = watch.until("a failed attempt", lambda: [m for m in watch.data("/api/v1/outbox")["waiting"] if m["lastStatus"] == 401])
    assert not mail.messages and "wrong-word" not in str(waiting)


def test_pagerduty_and_slack(box, target):
    """One key from trigger to resolve; who is refused waits, a rate limit is honoured, and Slack's "ok": false is no success."""
    pager, slack = Service(), Service()
    box.started += [pager, slack]
    pager.misbehave({"status": 429, "retry_after": 1})
    watch = Watch(box, [job("app", target)], BROKEN, receiver={
        "pagerduty_configs": [{"routing_key": "KEY", "url": pager.url + "/v2/enqueue"}],
        "slack_configs": [{"api_url": slack.url + "/services/T/B/X", "channel": "#ops", "send_resolved": True}]})
    watch.scraped()
    target.set(broken=1)
    pager.wait_for(lambda h: h.accepted)
    slack.wait_for(lambda h: h.accepted)
    target.set(broken=0)
    pager.wait_for(lambda h: len(h.accepted) == 2)
    slack.wait_for(lambda h: len(h.accepted) == 2)
    refused, first, last = (r["body"] for r in pager.requests)
    assert refused == first and (first["event_action"], last["event_action"]) == ("trigger", "resolve")
    assert first["dedup_key"] == last["dedup_key"] and first["routing_key"] == last["routing_key"] == "KEY"
    assert first["payload"]["summary"].startswith("[FIRING:1] Broken")
    assert [r["body"]["attachments"][0]["color"] for r in slack.accepted] == ["danger", "good"]


def test_signature(box, target):
    """As Standard Webhooks says: over id, time and body, one signature a key, so that a key can be exchanged."""
    hook, keys = Webhook(), [bytes(range(32)), b"k" * 24]
    box.started.append(hook)
    hook.misbehave({"status": 500})
    secret = box.write("secret", " ".join("whsec_" + base64.b64encode(k).decode() for k in keys))
    bodies = []
    record = hook.record
    hook.record = lambda request, body, status: bodies.append(body) or record(request, body, status)
    watch = Watch(box, [job("app", target)], BROKEN, receiver={"webhook_configs": [{"url": hook.url, "signing_secret_file": str(secret)}]})
    watch.scraped()
    target.set(broken=1)
    hook.wait_for(lambda h: h.accepted)
    for request, body in zip(hook.requests, bodies):
        headers = request["headers"]
        assert headers["webhook-id"] == request["key"] == hook.requests[0]["key"] and abs(int(headers["webhook-timestamp"]) - request["time"]) < 60
        text = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
        assert headers["webhook-signature"].split(" ") == ["v1," + base64.b64encode(hmac.digest(k, text, "sha256")).decode() for k in keys]
    assert "signing_secret" not in watch.program.json("/api/v2/status")["config"]["original"]
    assert base64.b64encode(keys[0]).decode() not in watch.program.get("/api/v1/status/config")[2]


def test_authorization(box, target):
    service = Service()
    service.authorization = "GenieKey K"
    box.started.append(service)
    watch = Watch(box, [job("app", target)], BROKEN, receiver={"opsgenie_configs": [{"api_key": "K", "api_url": service.url}]})
    watch.scraped()
    target.set(broken=1)
    opened = service.wait_for(lambda h: h.accepted)[0]
    target.set(broken=0)
    closed = service.wait_for(lambda h: len(h.accepted) == 2 and h.accepted)[1]
    assert opened["path"] == "/v2/alerts" and closed["path"] == f"/v2/alerts/{opened['body']['alias']}/close?identifierType=alias"


def test_debians_alertmanager_yml_loads(box):
    import subprocess
    from servers import binary
    stock = Path("/etc/prometheus/alertmanager.yml")
    if not stock.exists():
        pytest.skip("Debian's prometheus-alertmanager is not installed: no /etc/prometheus/alertmanager.yml")
    path = box.write("tocsin.yml", f"alertmanager_config: {stock}\n")
    done = subprocess.run([str(binary("tocsin-alerter")), "check", "config", str(path)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
