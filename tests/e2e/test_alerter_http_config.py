"""http_config: whatever stands between us and a receiver: TLS under another name, tokens of OAuth 2, proxies, headers from files."""
import base64
import ssl
import subprocess
import urllib.parse

import pytest
from watched import Target, Watch, Webhook, alert_rule, job

BROKEN = [alert_rule("Broken", "broken == 1")]


@pytest.fixture
def target(box):
    return box.start(Target, "broken 1\n")


@pytest.fixture
def hook(box):
    hook = Webhook()
    box.started.append(hook)
    return hook


def watching(box, target, url, **http_config):
    return Watch(box, [job("app", target)], BROKEN, receiver={"webhook_configs": [{"url": url, "http_config": http_config}]})


class TokenGiver(Webhook):
    """Gives token-1, token-2 …, to who shows user and password, each encoded (RFC 6749, 2.3.1)."""

    given = 0

    def carry_out(self, request, body):
        entry = self.record(request, body, 200)
        entry["form"] = urllib.parse.parse_qs(body.decode())
        login = base64.b64decode(entry["headers"].get("authorization", "").removeprefix("Basic ")).decode()
        if [urllib.parse.unquote_plus(part) for part in login.split(":")] != ["tocsin", "open sesame"]:
            return 401, {"error": "invalid_client"}, {}
        self.given += 1
        return 200, {"access_token": f"token-{self.given}", "token_type": "Bearer", "expires_in": 3600}, {}


class Guarded(Webhook):
    """Takes only the token it is told to."""

    good = "token-2"

    def carry_out(self, request, body):
        if request.headers.get("Authorization") != f"Bearer {self.good}":
            self.record(request, body, 401)
            return 401, {}, {}
        return super().carry_out(request, body)


def test_oauth2(box, target):
    """A token is fetched and kept; one that is refused is fetched anew; the secret shows nowhere."""
    giver, hook = TokenGiver(), Guarded()
    box.started += [giver, hook]
    giver.misbehave({"status": 503})
    hook.good = "token-1"
    watch = watching(box, target, hook.url, oauth2={
        "client_id": "tocsin", "client_secret_file": str(box.write("secret", "open sesame\n")), "token_url": giver.url + "/token", "scopes": ["a", "b"],
        "endpoint_params": {"audience": "hooks"}})
    hook.wait_for(lambda h: h.accepted)
    assert giver.accepted[0]["form"] == {"grant_type": ["client_credentials"], "scope": ["a b"], "audience": ["hooks"]}
    target.text = "broken 0\n"
    hook.wait_for(lambda h: len(h.accepted) == 2)
    assert giver.given == 1
    events = watch.data("/api/v1/history")
    assert any("oauth2: no token: the token's giver answered HTTP 503" in e["reason"] for e in events)
    assert "sesame" not in str(events) + watch.program.get("/api/v1/status/config")[2] + watch.program.process.text()


def test_oauth2_a_refused_token_is_fetched_anew(box, target):
    giver, hook = TokenGiver(), Guarded()
    box.started += [giver, hook]
    watching(box, target, hook.url, oauth2={"client_id": "tocsin", "client_secret": "open sesame", "token_url": giver.url + "/token"})
    hook.wait_for(lambda h: h.accepted)                     # token-1 was refused
    assert [r["status"] for r in hook.requests] == [401, 200] and giver.given == 2


def test_tls_under_another_name(box, target, hook):
    """The certificate is for hooks.example, the address is not; a version too old is refused."""
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                           "/CN=hooks.example", "-addext", "subjectAltName=DNS:hooks.example", "-keyout", box.folder / "key", "-out", box.folder / "cert"],
                          capture_output=True)
    assert made.returncode == 0, made.stderr
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(box.folder / "cert", box.folder / "key")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    hook.server.socket = context.wrap_socket(hook.server.socket, server_side=True)
    url, cert = f"https://127.0.0.1:{hook.port}/x", (box.folder / "cert").read_text()
    good = {"ca": cert, "server_name": "hooks.example", "min_version": "TLS12"}
    watch = Watch(box, [job("app", target)], BROKEN, receiver={"webhook_configs": [
        {"url": url + "/good", "http_config": {"tls_config": good}},
        {"url": url + "/name", "http_config": {"tls_config": {"ca": cert}}},
        {"url": url + "/old", "http_config": {"tls_config": {**good, "min_version": "TLS13"}}}]})
    request = hook.wait_for(lambda h: h.accepted)[0]
    assert request["path"] == "/x/good" and request["headers"]["host"] == f"127.0.0.1:{hook.port}"
    watch.until("the others failed", lambda: len([m for m in watch.data("/api/v1/outbox")["waiting"] if m["lastError"]]) == 2)
    assert [r["path"] for r in hook.accepted] == ["/x/good"]


def test_proxy_and_headers(box, target, hook):
    """A request through the proxy names the address in full; headers come from values and files."""
    box.write("header", "from a file\n")
    watching(box, target, "http://far.example/hook", proxy_url=hook.url, http_headers={
        "X-A": {"values": ["1"], "secrets": ["2"]}, "X-B": {"files": [str(box.folder / "header")]}})
    request = hook.wait_for(lambda h: h.accepted)[0]
    assert request["path"] == "http://far.example/hook" and request["headers"]["x-b"] == "from a file"


def test_redirects_are_followed_only_when_wanted(box, target, hook):
    class Elsewhere(Webhook):
        def carry_out(self, request, body):
            self.record(request, body, 307)
            return 307, {}, {"Location": hook.url + "/new"}
    old = Elsewhere()
    box.started.append(old)
    Watch(box, [job("app", target)], BROKEN, receiver={"webhook_configs": [
        {"url": old.url + "/stay", "http_config": {"follow_redirects": False}}, {"url": old.url + "/follow"}]})
    hook.wait_for(lambda h: h.accepted)
    old.wait_for(lambda h: len(h.requests) >= 2)
    assert [r["path"] for r in hook.told("Broken", "firing")] == ["/new"]
