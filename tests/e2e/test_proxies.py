"""Proxies as http_config names them, for scrapes, discovery, tokens and messages alike: SOCKS5 with user and password, HTTP, the environment."""
import json
import socket
import ssl
import subprocess
import threading

from raw import Talker, request
from servers import Alerter, wait_for
from test_scrape_connection import Server
from watched import FAST, Target, Webhook, alert_rule, job, rule_file

LOGIN = (b"us", b"p@ss")


def pass_on(one, other):
    """What <one> says to <other>, and back, until both have ended."""
    def copy(come, go):
        try:
            while piece := come.recv(65536):
                go.sendall(piece)
            go.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    with other:
        back = threading.Thread(target=copy, args=(other, one))
        back.start()
        copy(one, other)
        back.join()


class Proxy(Talker):
    """SOCKS5 (RFC 1928, 1929), for whom knows LOGIN, and HTTP: it alone knows the names, host:port -> address."""

    def __init__(self, _folder, names):
        self.names, self.asked, self.heads = names, [], []
        super().__init__(None)

    def reach(self, name):
        self.asked.append(name)
        host, port = self.names[name].rsplit(":", 1)
        return socket.create_connection((host, int(port)))

    def talk(self, connection):
        try:
            with connection:
                (self.socks if connection.recv(1, socket.MSG_PEEK) == b"\5" else self.http)(connection)
        except OSError:
            pass

    def socks(self, connection):
        def take(n):
            return connection.recv(n, socket.MSG_WAITALL)
        assert 2 in take(take(2)[1])
        connection.sendall(b"\5\2")
        take(1)
        login = (take(take(1)[0]), take(take(1)[0]))
        connection.sendall(b"\1\0" if login == LOGIN else b"\1\1")
        if login != LOGIN:
            return
        kind = take(4)[3]
        host = take(take(1)[0]).decode() if kind == 3 else socket.inet_ntoa(take(4))
        there = self.reach(f"{host}:{int.from_bytes(take(2), 'big')}")
        connection.sendall(b"\5\0\0\1\0\0\0\0\0\0")
        pass_on(connection, there)

    def http(self, connection):
        head = request(connection)
        self.heads.append(head.decode())
        method, address, _ = head.decode().split(" ", 2)
        if method == "CONNECT":
            there = self.reach(address)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            name = address.split("/")[2]
            there = self.reach(name if ":" in name else name + ":80")
            there.sendall(head.replace(b"Proxy-Connection: Keep-Alive", b"Connection: close"))
        pass_on(connection, there)


def start(box, jobs, env=None, **more):
    box.write("rules.yml", rule_file(alert_rule("Fine", "fine == 1")))
    path = box.write("tocsin.yml", json.dumps({"global": FAST, "rule_files": ["rules.yml"], "scrape_configs": jobs, **more}))
    return box.start(Alerter, path, ["--storage.path", box.folder / "data"], env)


def ups(alerter):
    return {v["metric"]["job"]: v["value"][1] for v in alerter.json("/api/v1/query?query=up")["data"]["result"]}


def errors(alerter):
    return {t["labels"]["job"]: t["lastError"] for t in alerter.json("/api/v1/targets")["data"]["activeTargets"]}


def test_everything_through_socks5(box):
    """Names are the proxy's to look up, and user and password are those of its URL. (C2, P1)"""
    target, hook = box.start(Target, text="fine 1\n"), Webhook()
    box.started.append(hook)
    giver = box.start(Server, lambda _: (200, "application/json", json.dumps({"access_token": "t", "expires_in": 3600})))
    finder = box.start(Server, lambda _: (200, "application/json", json.dumps([{"targets": ["target.example"]}])))
    proxy = box.start(Proxy, {"target.example:80": target.address, "hook.example:80": f"127.0.0.1:{hook.port}", "giver.example:80": giver.address, "finder.example:80": finder.address})
    through = {"proxy_url": f"socks5://us:p%40ss@127.0.0.1:{proxy.port}"}
    token = {"client_id": "a", "client_secret": "b", "token_url": "http://giver.example/token", **through}
    found = {**job("found", "x", **through), "http_sd_configs": [{"url": "http://finder.example/list", **through}]}
    del found["static_configs"]
    alerter = start(box, [job("plain", "target.example", **through), job("token", "target.example", oauth2=token, **through), found,
                          job("stranger", "target.example", proxy_url=f"socks5://us:wrong@127.0.0.1:{proxy.port}")],
                    route={"receiver": "r", "group_wait": "0s"},
                    receivers=[{"name": "r", "webhook_configs": [{"url": "http://hook.example/x", "http_config": {"oauth2": token, **through}}]}])
    hook.wait_for(lambda h: h.accepted)
    wait_for("three are up, and who has the wrong password is not", lambda: ups(alerter) == {"plain": "1", "token": "1", "found": "1", "stranger": "0"})
    assert set(proxy.asked) == set(proxy.names)
    assert "SOCKS5" in errors(alerter)["stranger"] and "ss@" not in str(alerter.get("/api/v1/targets")) + str(alerter.get("/api/v1/status/config"))


def test_http_proxies_and_the_environment(box):
    """Tunnels for HTTPS, with the headers that are the proxy's; HTTP_PROXY and NO_PROXY as Go reads them. (C2, P1)"""
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=safe.example", "-addext",
                           "subjectAltName=DNS:safe.example", "-keyout", box.folder / "key", "-out", box.folder / "cert"], capture_output=True)
    assert made.returncode == 0, made.stderr
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(box.folder / "cert", box.folder / "key")
    target, safe = box.start(Target, text="fine 1\n"), box.start(Server, lambda _: (200, "text/plain; version=0.0.4", "fine 1\n"))
    safe.server.socket = context.wrap_socket(safe.server.socket, server_side=True)
    proxy, other = (box.start(Proxy, {"target.example:80": target.address, "safe.example:443": safe.address, "localhost:1": target.address}) for _ in range(2))
    address = f"127.0.0.1:{proxy.port}"
    alerter = start(box, [
        job("plain", "target.example", proxy_url="http://us:p%40ss@" + address), job("bare", "target.example", proxy_url=address),
        job("tunnel", "safe.example", scheme="https", tls_config={"ca_file": "cert"}, proxy_url="http://" + address, proxy_connect_header={"X-Tenant": ["shop"]}),
        job("environment", "target.example", proxy_from_environment=True), job("environment, safe", "safe.example", scheme="https", tls_config={"ca_file": "cert"}, proxy_from_environment=True),
        job("at home", target, proxy_from_environment=True), job("excepted", target, proxy_url="http://127.0.0.1:1", no_proxy="far.example"),
        job("no exception", "localhost:1", proxy_url="http://" + address), job("by port", target, proxy_url="http://127.0.0.1:1", no_proxy=f"far.example, localhost:1,{target.address}"),
    ], env={"HTTP_PROXY": f"127.0.0.1:{other.port}", "https_proxy": f"http://127.0.0.1:{other.port}", "ALL_PROXY": "http://127.0.0.1:1", "NO_PROXY": "far.example"})
    wait_for("all are up", lambda: set(ups(alerter).values()) == {"1"} and len(ups(alerter)) == 9)
    assert set(proxy.asked) == set(proxy.names) and set(other.asked) == {"target.example:80", "safe.example:443"}
    tunnel = next(head for head in proxy.heads if head.startswith("CONNECT safe.example:443"))
    assert "X-Tenant: shop\r\n" in tunnel and any("Proxy-Authorization: Basic dXM6cEBzcw==" in head for head in proxy.heads)
