"""Targets behind TLS, many of them: what a connection costs, and whom it trusts."""
import json
import shutil
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from listener import Listener, certificate
from servers import Alerter, Process, binary, free_port, http, wait_for
from watched import EVERY_SECOND, FAST, Watch, alert_rule, job

NEVER = [alert_rule("Never", "fine == 2")]


class Server(Listener):
    """<closes>: each answer is the last of its connection."""

    def __init__(self, _folder, pem, key, closes=False):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", "7")
                if closes:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(b"fine 1\n")

            def log_message(self, *_):
                pass

        class TlsServer(ThreadingHTTPServer):
            daemon_threads = True

            def finish_request(self, request, address):
                with owner.context.wrap_socket(request, server_side=True) as secure:
                    owner.clients += [pair[0][1] for pair in (secure.getpeercert() or {}).get("subject", ())]
                    super().finish_request(secure, address)

            def handle_error(self, *_):
                pass

        owner, self.clients = self, []
        self.show(pem, key)
        self.serve(TlsServer(("127.0.0.1", 0), Handler))

    def show(self, pem, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem, key)


def test_many_roots(box):
    """F3: they are read once, not by each connection: as many would take all the time there is."""
    pem, key = certificate(box.folder, "one")
    box.write("roots.pem", pem.read_text() * 4000)
    targets = [box.start(Server, pem, key, closes=True) for _ in range(40)]
    watch = Watch(box, [job("app", *(t.address for t in targets), scheme="https", tls_config={"ca_file": "roots.pem"}, **EVERY_SECOND)], NEVER)
    watch.until("all are up", lambda: watch.value("sum(min_over_time(up[3s]))") == 40)


@pytest.mark.parametrize("closes", [True, False])
def test_roots_that_change(box, closes):
    """Those in the file now are trusted, and no others: nor is a connection that was made before."""
    one, other = certificate(box.folder, "one"), certificate(box.folder, "other")
    target = box.start(Server, *one, closes=closes)
    shutil.copy(one[0], box.folder / "roots.pem")
    watch = Watch(box, [job("app", target.address, scheme="https", tls_config={"ca_file": "roots.pem"})], NEVER)
    watch.until("it is up", lambda: watch.value("up") == 1)
    shutil.copy(other[0], box.folder / "roots.pem")
    watch.until("it is not trusted any more", lambda: watch.value("up") == 0, 10)
    target.show(*other)
    watch.until("its new certificate is", lambda: watch.value("up") == 1, 10)


class WithRoots(Alerter):
    """The authorities of its machine are those in the folder system/."""

    def start(self, wait=True):
        ours = [binary(self.name), "--web.listen-address", f"127.0.0.1:{self.port}", *self.args]
        self.process = Process(self.name, ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/ssl/certs && exec "$@"', self.folder / "system", *ours], self.folder)
        self.process.ready(lambda: http(self.url(self.ready_path))[0] == 200)


@pytest.mark.skipif(subprocess.run(["unshare", "-m", "mount", "--bind", "/etc/ssl/certs", "/etc/ssl/certs"], capture_output=True).returncode != 0,
                    reason="no folder can be mounted here: what a machine's authorities are worth beside a ca_file was NOT tried")
def test_the_machines_authorities(box):
    """They are trusted where there is no ca_file, and not beside one."""
    (pem, key), other = certificate(box.folder, "one"), certificate(box.folder, "other")
    system = box.folder / "system"
    system.mkdir()
    shutil.copy(pem, system / "ca-certificates.crt")
    shutil.copy(pem, system / "one.pem")
    subprocess.run(["openssl", "rehash", system], check=True)
    target = box.start(Server, pem, key)
    jobs = [job("system", target.address, scheme="https"), job("own", target.address, scheme="https", tls_config={"ca_file": str(other[0])})]
    config = box.write("tocsin.yml", json.dumps({"global": dict(FAST), "scrape_configs": jobs}))
    alerter = box.start(WithRoots, config, ["--storage.path", box.folder / "data"])
    health = lambda: {t["labels"]["job"]: t["health"] for t in alerter.json("/api/v1/targets")["data"]["activeTargets"]}  # noqa: E731
    wait_for("both were scraped", lambda: "unknown" not in health().values())
    assert health() == {"system": "up", "own": "down"}


def test_a_client_certificate_that_changes(box):
    """A connection that was made with the one before does not go on."""
    server, one, other = (certificate(box.folder, name) for name in ("server", "one", "other"))
    target = box.start(Server, *server)
    target.context.verify_mode = ssl.CERT_REQUIRED
    for pem, _ in (one, other):
        target.context.load_verify_locations(pem)
    box.write("client.pem", one[0].read_text() + one[1].read_text())
    watch = Watch(box, [job("app", target.address, scheme="https", tls_config={"ca_file": str(server[0]), "cert_file": "client.pem", "key_file": "client.pem"})], NEVER)
    watch.until("it is known as one", lambda: target.clients[-1:] == ["one"])
    watch.until("it is up", lambda: watch.value("up") == 1)
    box.write("client.pem", other[0].read_text() + other[1].read_text())
    watch.until("it is known as the other", lambda: target.clients[-1] == "other", 10)


class Relay:
    """To <port>. freeze(): what is connected now stays so, and nothing passes any more."""

    def __init__(self, _folder, port):
        self.port, self.frozen, self.pairs = port, set(), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, far = self.listener.accept()[0], socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            self.pairs.append((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(one, other, near), daemon=True).start()

    def carry(self, one, other, near):
        try:
            while data := one.recv(65536):
                if near not in self.frozen:
                    other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def freeze(self):
        self.frozen = {near for near, _ in self.pairs}

    @property
    def address(self):
        return f"127.0.0.1:{self.listener.getsockname()[1]}"

    def stop(self):
        for s in (self.listener, *(s for pair in self.pairs for s in pair)):
            s.close()


class Prometheus:
    """Over TLS, where it speaks HTTP/2."""

    def __init__(self, folder, pem, key):
        self.port = free_port()
        config, web = folder / "prometheus.yml", folder / "web.yml"
        config.write_text("{}\n")
        web.write_text(json.dumps({"tls_server_config": {"cert_file": str(pem), "key_file": str(key)}}))
        self.process = Process("prometheus", ["prometheus", "--config.file", config, "--storage.tsdb.path", folder / "tsdb", "--web.config.file", web,
                                              "--web.listen-address", f"127.0.0.1:{self.port}"], folder)
        self.process.ready(lambda: self.speaks() == "h2")

    def speaks(self):
        context = ssl._create_unverified_context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with socket.create_connection(("127.0.0.1", self.port)) as plain, context.wrap_socket(plain) as secure:
            return secure.selected_alpn_protocol()

    def stop(self):
        self.process.stop()


def test_a_connection_that_is_dead(box):
    """Its packets vanish, as behind a firewall that forgot it: one scrape fails, the next one is on another."""
    pem, key = certificate(box.folder, "one")
    server = box.start(Prometheus, pem, key)
    relays = {on: box.start(Relay, server.port) for on in (True, False)}
    jobs = [job(f"http2-{on}", relay.address, scheme="https", tls_config={"ca_file": str(pem)}, enable_http2=on, **EVERY_SECOND) for on, relay in relays.items()]
    watch = Watch(box, jobs, NEVER)
    watch.until("both are up", lambda: watch.value("sum(min_over_time(up[3s]))") == 2)
    for relay in relays.values():
        relay.freeze()
    watch.until("both were down", lambda: watch.value("sum(min_over_time(up[10s]))") == 0)
    watch.until("both are up again", lambda: watch.value("sum(up)") == 2, 10)
