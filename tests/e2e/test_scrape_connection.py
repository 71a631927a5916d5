"""How targets are reached: http_config as Prometheus has it, and a unix socket."""
import base64
import json
import socketserver
import ssl
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import raw
from listener import Listener, certificate
from watched import Target, Watch, alert_rule, job


class Server(Listener):
    """HTTP on 127.0.0.1, or on a unix socket: <answer> gets the handler and returns (status, type, body)."""

    def __init__(self, _folder, answer, path=None):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                status, kind, body = answer(self)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            do_POST = do_GET

            def address_string(self):
                return "somebody"

            def log_message(self, *_):
                pass

        class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        self.serve(UnixServer(str(path), Handler) if path else ThreadingHTTPServer(("127.0.0.1", 0), Handler))


def up(watch):
    return watch.value('up{job="app"}')


def test_through_a_proxy(box):
    seen = []

    def forward(request):
        seen.append((request.path, request.headers.get("Proxy-Authorization")))
        with urllib.request.urlopen(request.path, timeout=20) as answer:
            return answer.status, "text/plain; version=0.0.4", answer.read().decode()

    target, proxy = box.start(Target, text="fine 1\n"), box.start(Server, forward)
    login = "Basic " + base64.b64encode(b"us:pw").decode()
    watch = Watch(box, [job("app", target, proxy_url=f"http://{proxy.address}", proxy_connect_header={"Proxy-Authorization": [login]}),
                        job("direct", target, proxy_url="http://127.0.0.1:1", no_proxy="127.0.0.1")],
                  [alert_rule("Never", "fine == 2")])
    watch.until("it is up", lambda: up(watch) == 1)
    watch.until("without the proxy", lambda: watch.value('up{job="direct"}') == 1)
    assert seen[0] == (f"http://{target.address}/metrics", login)


def test_oauth2(box):
    """A token is fetched once, sent with each scrape, and fetched again when it is refused."""
    good, asked = ["one"], []

    def token(request):
        form = urllib.parse.parse_qs(request.rfile.read(int(request.headers["Content-Length"])).decode())
        asked.append(form)
        if request.headers["Authorization"] != "Basic " + base64.b64encode(b"tocsin:pssst").decode():
            return 401, "application/json", "{}"
        return 200, "application/json", json.dumps({"access_token": good[0], "token_type": "bearer", "expires_in": 3600})

    def metrics(request):
        if request.headers["Authorization"] != f"Bearer {good[0]}":
            return 401, "text/plain", "no"
        return 200, "text/plain; version=0.0.4", "fine 1\n"

    giver, target = box.start(Server, token), box.start(Server, metrics)
    box.write("secret", "pssst\n")
    watch = Watch(box, [job("app", target.address, oauth2={"client_id": "tocsin", "client_secret_file": "secret", "scopes": ["read", "more"],
                                                           "token_url": f"http://{giver.address}/token"})],
                  [alert_rule("Never", "fine == 2")])
    watch.until("it is up", lambda: up(watch) == 1)
    watch.scraped()
    assert len(asked) == 1 and asked[0] == {"grant_type": ["client_credentials"], "scope": ["read more"]}
    good[0] = "two"
    watch.until("a new token", lambda: len(asked) >= 2)
    watch.until("it is up again", lambda: up(watch) == 1)
    assert "pssst" not in str(watch.program.get("/api/v1/targets")) + str(watch.program.get("/api/v1/status/config"))


@pytest.mark.parametrize("in_body", [False, True], ids=["header", "body"])
def test_oauth2_odd_secrets(box, in_body):
    """Name and secret are encoded before they are joined (RFC 6749, 2.3.1); who wants them in the body gets them there, from then on at once."""
    name, secret, asked = "id+1: ä", "s%41cret+/=&", []

    def token(request):
        form = urllib.parse.parse_qs(request.rfile.read(int(request.headers["Content-Length"])).decode())
        login = base64.b64decode(request.headers.get("Authorization", "Basic ").split()[1] if request.headers.get("Authorization") else "").decode()
        asked.append("header" if login else "body")
        if len(asked) == 3:                                             # a bad moment is no refusal: the way stays
            return 503, "text/plain", "later"
        good = (form.get("client_id"), form.get("client_secret")) == ([name], [secret]) if in_body else [urllib.parse.unquote_plus(x) for x in login.split(":")] == [name, secret]
        return (200, "application/json", json.dumps({"access_token": "one", "expires_in": 2})) if good else (401, "application/json", "{}")

    def metrics(request):
        return (200, "text/plain; version=0.0.4", "fine 1\n") if request.headers["Authorization"] == "Bearer one" else (401, "text/plain", "no")

    giver, target = box.start(Server, token), box.start(Server, metrics)
    watch = Watch(box, [job("app", target.address, oauth2={"client_id": name, "client_secret": secret, "token_url": f"http://{giver.address}/token"})],
                  [alert_rule("Never", "fine == 2")])
    watch.until("it is up", lambda: up(watch) == 1)
    watch.until("the token ended", lambda: len(asked) >= 4)
    assert set(asked[1:]) == {"body" if in_body else "header"} and asked[0] == "header"
    watch.until("it is up again", lambda: up(watch) == 1)


def test_paths_are_asked_as_written(box):
    """As Prometheus has them: a question mark belongs to the path, and ".." is the server's to understand."""
    seen = set()

    def metrics(request):
        seen.add(request.path)
        return 200, "text/plain; version=0.0.4", "fine 1\n"

    target = box.start(Server, metrics)
    Watch(box, [job("odd", target.address, metrics_path="/m?x=a b", params={"q": ["0"]}), job("up", target.address, metrics_path="/a/../b/./c")],
          [alert_rule("Never", "fine == 2")]).until("both are asked", lambda: len(seen) == 2)
    assert seen == {"/m%3Fx=a%20b?q=0", "/a/../b/./c"}


def test_a_connection_stays(box):
    """F3: targets in many places, asked one after the other: each is asked over the connection it has."""
    seen = {}

    def metrics(request):
        seen.setdefault(request.server.server_port, []).append(request.client_address)
        return 200, "text/plain; version=0.0.4", "fine 1\n"

    targets = [box.start(Server, metrics) for _ in range(30)]
    watch = Watch(box, [job("app", *(t.address for t in targets), scrape_interval="1s")], [alert_rule("Never", "fine == 2")])
    watch.until("all were asked five times", lambda: len(seen) == 30 and all(len(asked) >= 5 for asked in seen.values()))
    assert {port: len(set(asked)) for port, asked in seen.items()} == {port: 1 for port in seen}


def test_a_connection_that_ends_as_it_is_asked(box):
    """The server was about to close it: the request goes out on another, and no scrape is lost, the sixth time either."""
    class Brief(raw.Talker):
        def __init__(self, _folder):
            super().__init__(None)

        def talk(self, connection):
            with connection:
                raw.request(connection)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nfine 1\n")
                raw.request(connection)

    target = box.start(Brief)
    watch = Watch(box, [job("app", target)], [alert_rule("Never", "fine == 2")])
    watch.until("it was asked again and again", lambda: target.connections >= 20)
    assert watch.value("min_over_time(up[1m])") == 1


UNASKED = {"408": (b"HTTP/1.0 408 Request Time-out\r\nConnection: close\r\n\r\n", True),
           "another answer": (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nfine 6\n", False)}


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("name", UNASKED)
def test_what_comes_before_it_was_asked_for(box, name, tls):
    """A proxy says 408 to an idle connection and closes it; that is no answer to the next scrape, nor is any other text."""
    more, closes = UNASKED[name]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if tls:
        context.load_cert_chain(*certificate(box.folder, "one"))

    class Hasty(raw.Talker):
        def __init__(self, _folder):
            self.asked = 0
            super().__init__(None)

        def talk(self, connection):
            try:
                with context.wrap_socket(connection, server_side=True) if tls else connection as connection:
                    while raw.request(connection):
                        self.asked += 1
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\nfine 1\n")
                        time.sleep(0.05)
                        connection.sendall(more)
                        if closes:
                            return
            except OSError:
                pass

    target = box.start(Hasty)
    watch = Watch(box, [job("app", target, scheme="https" if tls else "http", tls_config={"insecure_skip_verify": True})], [alert_rule("Never", "fine == 2")])
    watch.until("it is up", lambda: up(watch) == 1)
    watch.until("it was asked again and again", lambda: target.asked >= 20)
    assert watch.value("min_over_time(up[1m])") == 1
    assert watch.value("max_over_time(fine[1m])") == 1


def test_an_idle_connection_is_kept_alive(box):
    """Go probes it every 15 s: a firewall that forgets idle ones would lose every other scrape."""
    target = box.start(Server, lambda _: (200, "text/plain; version=0.0.4", "fine 1\n"))
    watch = Watch(box, [job("app", target.address, scrape_interval="30s")], [alert_rule("Never", "fine == 2")])

    def timers():
        """/proc/net/tcp's: 02 is keep-alive, and when it ends, in hundredths of a second."""
        rows = [line.split() for line in open("/proc/net/tcp")][1:]
        return [row[5].split(":") for row in rows if row[2].endswith(f":{target.server.server_port:04X}") and row[3] == "01"]
    watch.until("the connection is idle and probed", lambda: [kind for kind, _ in timers()] == ["02"] and int(timers()[0][1], 16) <= 1500)


def test_a_unix_socket_and_headers(box):
    seen = []

    def metrics(request):
        seen.append(dict(request.headers))
        return 200, "text/plain; version=0.0.4", "fine 1\n"

    path = box.folder / "metrics.sock"
    box.start(Server, metrics, path)
    watch = Watch(box, [job("app", "shop", http_headers={"X-Tenant": {"values": ["shop"]}},
                            relabel_configs=[{"target_label": "__unix_socket__", "replacement": str(path)}])],
                  [alert_rule("Never", "fine == 2")])
    watch.until("it is up", lambda: up(watch) == 1)
    assert seen[0]["Host"] == "shop" and seen[0]["X-Tenant"] == "shop"


def test_a_reload_while_scrapes_are_on_their_way(box):
    """They are answered after the configuration they began with is gone; the next ones go out as the new one says."""
    hold, held, go_on, tenants = threading.Event(), {}, threading.Event(), {"plain": [], "secret": []}

    def token(request):
        request.rfile.read(int(request.headers["Content-Length"]))
        return 200, "application/json", json.dumps({"access_token": "one", "expires_in": 3600})

    def metrics(request):
        name = request.path.strip("/")
        tenants[name].append(request.headers["X-Tenant"])
        if hold.is_set():
            held[name] = True
            go_on.wait(60)
        return 200, "text/plain; version=0.0.4", "fine 1\n"

    giver, target = box.start(Server, token), box.start(Server, metrics)
    oauth2 = {"client_id": "tocsin", "client_secret": "pssst", "token_url": f"http://{giver.address}/token"}

    def jobs(tenant):
        more = {"http_headers": {"X-Tenant": {"values": [tenant]}}, "scrape_timeout": "2s", "scrape_interval": "2s"}
        return [job("plain", target.address, metrics_path="/plain", **more), job("secret", target.address, metrics_path="/secret", oauth2=oauth2, **more)]

    watch = Watch(box, jobs("old"), [alert_rule("Never", "fine == 2")])
    watch.until("both are up", lambda: watch.value("sum(up)") == 2)
    hold.set()
    watch.until("both are on their way", lambda: len(held) == 2)
    box.write("tocsin.yml", json.dumps({**watch.config, "scrape_configs": jobs("new")}))
    assert watch.program.get("/-/reload", data=b"", method="POST")[0] == 200
    hold.clear()
    go_on.set()
    for name, seen in tenants.items():
        watch.until(f"{name} is asked as the new configuration says", lambda: seen[-1] == "new")
    watch.until("both are up again", lambda: watch.value("sum(up)") == 2)
