"""F2, F11, F18, O1, C1, C3, M1, M6: HTTP, TLS and TCP probes against real servers, certificates of our own."""
import datetime
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from exporter_text import Silent, scrape
from raw import HEAD, Raw, Talker
from servers import Exporter, Postgres, binary, free_port, hang_up

HEALTH = {"status": "degraded", "version": "1.4.2", "services": {"database": {"status": "healthy"}, "redis": {"status": "down"}}}


class Server(ThreadingHTTPServer):
    request_queue_size = 64


class Site:
    """Answers as the path says; remembers requests. <cert>: a PEM file, for TLS."""

    def __init__(self, cert=None):
        self.requests = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                outer.requests.append((self.command, self.path, dict(self.headers), self.rfile.read(length).decode()))
                body = {"/health": json.dumps(HEALTH), "/ping": "pong", "/big": "x" * 100000}.get(self.path, "here")
                if self.path == "/slow":
                    time.sleep(0.3)
                jump = self.path.split("/", 3) if self.path.startswith("/jump/") else None          # /jump/303/https://…
                self.send_response(int(jump[2]) if jump else {"/health": 503, "/away": 302, "/missing": 404}.get(self.path.split("?")[0], 200))
                self.send_header("X-Frame-Options", "DENY")
                self.send_header("Last-Modified", "Sat, 21 Nov 2026 10:00:00 GMT")
                if self.path == "/away" or jump:
                    self.send_header("Location", jump[3] if jump else "/ping")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body.encode())

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *args):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        if cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(cert)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def certificate(folder, name, not_before, not_after):
    """A self-signed one for 127.0.0.1 with those dates."""
    (folder / "ca.conf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=ca.db\nserial=ca.srl\nnew_certs_dir=.\ndefault_md=sha256\npolicy=p\nx509_extensions=x\n"
        "unique_subject=no\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=CA:TRUE\n")
    (folder / "ca.db").write_text("")
    (folder / "ca.srl").write_text("01\n")

    def run(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=127.0.0.1")
    run("ca", "-batch", "-config", "ca.conf", "-selfsign", "-keyfile", f"{name}.key", "-in", f"{name}.csr", "-out", f"{name}.crt", "-notext",
        "-startdate", not_before.strftime("%Y%m%d%H%M%SZ"), "-enddate", not_after.strftime("%Y%m%d%H%M%SZ"))
    pem = folder / f"{name}.pem"
    pem.write_text((folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text())
    return pem


def probes(box, *rows):
    return box.start(Exporter, box.write("e.yml", "probe:\n" + "".join(f"  - {{ {r} }}\n" for r in rows)))


def test_health_json(box):
    with Site() as site:
        url = f"http://127.0.0.1:{site.port}"
        exporter = box.start(Exporter, box.write("e.yml", f"""
probe:
  - name: health
    url: {url}/health
    metrics:
      - {{ name: fairedge_database_health, help: x, value: /services/database/status, map: {{ healthy: 1, '*': 0 }} }}
      - {{ name: fairedge_redis_health, help: x, value: /services/redis/status, map: {{ healthy: 1, '*': 0 }} }}
      - {{ name: fairedge_build_info, help: x, type: info, value: '', labels: {{ version: /version }} }}
  - name: each
    url: {url}/health
    valid_status_codes: [200, 503]
    rows: /services
    metrics: [{{ name: service_health, help: x, value: /status, labels: {{ service: '@key' }}, map: {{ healthy: 1, '*': 0 }} }}]
  - {{ name: no-json, url: '{url}/ping', metrics: [{{ name: nothing, help: x }}] }}
"""))
        m = scrape(exporter)
        assert m.value("probe_success", source="health") == 0 and m.value("probe_http_status_code", source="health") == 503
        assert m.value("fairedge_database_health") == 1 and m.value("fairedge_redis_health") == 0, "a 503 says what is wrong"
        assert m.value("fairedge_build_info", version="1.4.2") == 1
        assert m.value("probe_success", source="each") == 1
        assert m.value("service_health", service="database") == 1 and m.value("service_health", service="redis") == 0
        assert m.value("probe_success", source="no-json") == 0 and m.value("tocsin_probe_failed", source="no-json", reason="json") == 1
        assert m.value("tocsin_probe_up", source="health") == 1


def test_requests_and_secrets(box, monkeypatch):
    monkeypatch.setenv("SUPABASE_KEY", "s3cret-key")
    with Site() as site:
        url = f"http://user:hush@127.0.0.1:{site.port}"
        exporter = probes(
            box, f"name: ping, url: '{url}/ping', headers: ['apikey: ${{SUPABASE_KEY}}'], fail_if_body_not_matches_regexp: ['^pong$']",
            f"name: file, url: '{url}/missing?token=hidden', headers_file: {box.write('h', 'Authorization: Bearer t0ken')}",
            f"name: head, url: '{url}/big', method: HEAD, max_body: 10",
            f"name: post, url: '{url}/login', method: POST, body: '{{\"a\":1}}'",
            f"name: bad, url: '{url}/ping', fail_if_body_matches_regexp: [pong]",
            f"name: big, url: '{url}/big', max_body: 10",
            f"name: away, url: '{url}/away'", f"name: follow, url: '{url}/away', follow_redirects: true",
            f"name: framed, url: '{url}/', require_headers: {{ X-Frame-Options: DENY|SAMEORIGIN }}",
            f"name: unsafe, url: '{url}/', require_headers: [X-Frame-Options, Strict-Transport-Security]")
        m = scrape(exporter)
        success = {had["source"]: v for had, v in m.find("probe_success")}
        assert success == {"ping": 1, "file": 0, "head": 1, "post": 1, "bad": 0, "big": 0, "away": 0, "follow": 1, "framed": 1, "unsafe": 0}
        why = {had["source"]: had["reason"] for had, v in m.find("tocsin_probe_failed") if v}
        assert why == {"file": "status", "bad": "body", "big": "body", "away": "status", "unsafe": "header"}
        assert m.value("probe_failed_due_to_regex", source="bad") == 1 and m.value("probe_failed_due_to_regex", source="ping") == 0
        assert m.value("tocsin_probe_header_ok", source="unsafe", header="Strict-Transport-Security") == 0
        assert m.value("tocsin_probe_header_ok", source="unsafe", header="X-Frame-Options") == 1
        assert m.value("probe_http_redirects", source="follow") == 1
        asked = {(r[0], r[1]): r for r in site.requests}
        assert any(r[2].get("apikey") == "s3cret-key" for r in site.requests)
        assert asked["GET", "/missing?token=hidden"][2]["Authorization"] == "Bearer t0ken"
        assert asked["POST", "/login"][3] == '{"a":1}' and asked["POST", "/login"][2]["Content-Type"] == "application/json"
        assert ("HEAD", "/big") in asked
        shown = exporter.process.text() + exporter.get("/")[2] + exporter.get("/metrics")[2]
        for secret in ("s3cret-key", "t0ken", "hush", "hidden"):
            assert secret not in shown


def test_phases_and_deadline(box):
    with Site() as site, Silent() as silent:
        exporter = probes(box, f"name: slow, url: 'http://localhost:{site.port}/slow'", f"name: silent, url: 'http://127.0.0.1:{silent.port}/'",
                          f"name: closed, url: 'http://127.0.0.1:{free_port()}/'", "name: nowhere, url: 'http://nothing.invalid/'")
        m = scrape(exporter, 5)
        assert m.value("probe_http_duration_seconds", source="slow", phase="processing") >= 0.3
        phases = {had["phase"]: v for had, v in m.find("probe_http_duration_seconds", source="slow")}
        assert set(phases) == {"resolve", "connect", "tls", "processing", "transfer"} and phases["tls"] == 0
        assert 0.3 <= sum(phases.values()) <= m.value("probe_duration_seconds", source="slow") + 0.001
        assert m.value("tocsin_probe_failed", source="silent", reason="timeout") == 1
        assert m.value("tocsin_probe_failed", source="closed", reason="connect") == 1
        assert m.value("probe_success", source="nowhere") == 0


def test_headers_without_an_end(box):
    """What broke off before its body is no answer, whatever its status said."""
    cut, whole = box.start(Raw, HEAD), box.start(Raw, HEAD + b"\r\n")
    m = scrape(probes(box, f"name: cut, url: 'http://127.0.0.1:{cut.port}/'", f"name: whole, url: 'http://127.0.0.1:{whole.port}/'"))
    assert m.value("probe_success", source="cut") == 0 and m.value("tocsin_probe_failed", source="cut", reason="protocol") == 1
    assert m.value("probe_success", source="whole") == 1


def test_certificates(box):
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    good_until, old_until = now + datetime.timedelta(days=20), now - datetime.timedelta(days=1)
    good = certificate(box.folder, "good", now - datetime.timedelta(days=1), good_until)
    old = certificate(box.folder, "old", now - datetime.timedelta(days=9), old_until)
    with Site(good) as fresh, Site(old) as expired:
        exporter = probes(
            box, f"name: good, url: 'https://127.0.0.1:{fresh.port}/ping', ca_file: {good}",
            f"name: unknown, url: 'https://127.0.0.1:{fresh.port}/ping'",
            f"name: any, url: 'https://127.0.0.1:{fresh.port}/ping', insecure_skip_verify: true",
            f"name: expired, url: 'https://127.0.0.1:{expired.port}/ping', ca_file: {old}",
            f"name: tls, url: 'tls://127.0.0.1:{fresh.port}', ca_file: {good}",
            f"name: tcp, url: 'tcp://127.0.0.1:{fresh.port}'", f"name: shut, url: 'tcp://127.0.0.1:{free_port()}'")
        m = scrape(exporter)
        success = {had["source"]: v for had, v in m.find("probe_success")}
        assert success == {"good": 1, "unknown": 0, "any": 1, "expired": 0, "tls": 1, "tcp": 1, "shut": 0}
        for name in ("good", "unknown", "any", "tls"):
            assert m.value("probe_ssl_earliest_cert_expiry", source=name) == good_until.timestamp(), name
        assert m.value("probe_ssl_earliest_cert_expiry", source="expired") == old_until.timestamp()
        assert m.value("tocsin_probe_failed", source="expired", reason="tls") == 1
        assert m.value("probe_http_ssl", source="good") == 1 and m.value("probe_tls_version_info", source="good", version="TLS 1.3") == 1
        assert m.value("probe_http_duration_seconds", source="good", phase="tls") > 0
        assert not m.find("probe_http_status_code", source="tcp") and not m.find("probe_ssl_earliest_cert_expiry", source="tcp")


SPOKEN = {              # protocol: greeting, and what is answered to a command that begins with …
    "smtp": (b"220 hello\r\n", {b"EHLO": b"250-hello\r\n250 STARTTLS\r\n", b"STARTTLS": b"220 go on\r\n"}),
    "imap": (b"* OK hello\r\n", {b"CAPABILITY": b"* CAPABILITY IMAP4rev1 STARTTLS\r\n%s OK\r\n", b"STARTTLS": b"%s OK go on\r\n"}),
    "pop3": (b"+OK hello\r\n", {b"CAPA": b"+OK\r\nSTLS\r\n.\r\n", b"STLS": b"+OK go on\r\n"}),
    "ftp": (b"220 hello\r\n", {b"AUTH": b"234 go on\r\n", b"USER": b"331 word?\r\n", b"PASS": b"230 in\r\n", b"PBSZ": b"200 OK\r\n", b"PROT": b"200 OK\r\n", b"PWD": b"257 \"/\"\r\n"}),
}


class Spoken:
    """A server that speaks <protocol> until it is asked for TLS; <tls>: whether it then has it."""

    def __init__(self, protocol, cert, tls=True):
        self.hello, self.answers = SPOKEN[protocol]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert)
        self.tls, self.heard = tls, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, _ = self.socket.accept()
                c.sendall(self.hello)
                secure = False
                while line := c.recv(4096):
                    tag, *rest = line.split()
                    word = rest[0] if rest and tag not in self.answers else tag
                    self.heard.append((secure, word))
                    ask = word in (b"STARTTLS", b"STLS", b"AUTH") and not secure
                    answer = self.answers.get(word) if self.tls or not ask else None
                    c.sendall((answer % tag if answer and b"%s" in answer else answer) or b"502 no\r\n")
                    if ask and self.tls:
                        c, secure = self.context.wrap_socket(c, server_side=True), True
                c.close()
            except OSError:
                if self.socket.fileno() < 0:
                    return


def test_starttls(box):
    """Servers that speak in the clear first: certificate and version of TLS as with any other, a server without TLS is a failure."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    until = now + datetime.timedelta(days=20)
    cert = certificate(box.folder, "good", now - datetime.timedelta(days=1), until)
    box.folder.chmod(0o755)
    for name in ("good.crt", "good.key"):
        (box.folder / name).chmod(0o600)
        if os.getuid() == 0:
            shutil.chown(box.folder / name, "postgres")
    postgres = box.start(Postgres, ["ssl=on", f"ssl_cert_file={box.folder}/good.crt", f"ssl_key_file={box.folder}/good.key"])
    plain = Talker(lambda c: c.sendall(b"N"))           # a Postgres without TLS
    servers = {name: Spoken(name, cert) for name in SPOKEN}
    refusing = Spoken("smtp", cert, tls=False)
    rows = [f"name: {name}, url: 'tls://127.0.0.1:{s.port}', starttls: {name}, ca_file: {box.folder}/good.pem" for name, s in servers.items()]
    exporter = probes(box, *rows, f"name: pg, url: 'tls://127.0.0.1:{postgres.port}', starttls: postgres, ca_file: {box.folder}/good.pem",
                      f"name: pg-plain, url: 'tls://127.0.0.1:{plain.port}', starttls: postgres", f"name: refused, url: 'tls://127.0.0.1:{refusing.port}', starttls: smtp",
                      f"name: unknown, url: 'tls://127.0.0.1:{servers['smtp'].port}', starttls: smtp")
    m = scrape(exporter)
    success = {had["source"]: v for had, v in m.find("probe_success")}
    assert success == {"smtp": 1, "imap": 1, "pop3": 1, "ftp": 1, "pg": 1, "pg-plain": 0, "refused": 0, "unknown": 0}, m.find("tocsin_probe_failed", reason="tls")
    for name in ("smtp", "imap", "pop3", "ftp", "pg", "unknown"):
        assert m.value("probe_ssl_earliest_cert_expiry", source=name) == until.timestamp(), name
    assert m.value("probe_tls_version_info", source="pg", version="TLS 1.3") == 1
    assert m.value("tocsin_probe_failed", source="refused", reason="tls") == 1 and m.value("tocsin_probe_failed", source="pg-plain", reason="connect") == 1
    for s in (*servers.values(), refusing, plain):
        hang_up(s.socket)


def test_json_and_client_certificates(box):
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    cert = certificate(box.folder, "good", now - datetime.timedelta(days=1), now + datetime.timedelta(days=20))
    with Site() as site, Site(cert) as strict:
        strict.server.socket.context.verify_mode = ssl.CERT_REQUIRED
        strict.server.socket.context.load_verify_locations(cert)
        health = f"url: 'http://127.0.0.1:{site.port}/health', valid_status_codes: [503]"
        exporter = probes(
            box, f"name: ok, {health}, require_json: {{ /status: ok|degraded, /services/database/status: healthy }}",
            f"name: bad, {health}, require_json: {{ /status: ok, /version: '1[.].*' }}", f"name: absent, {health}, require_json: {{ /none: '.*' }}",
            f"name: no-json, url: 'http://127.0.0.1:{site.port}/ping', require_json: {{ /status: ok }}",
            f"name: shown, url: 'https://127.0.0.1:{strict.port}/ping', ca_file: {cert}, cert_file: {cert}, key_file: {cert}",
            f"name: unknown, url: 'https://127.0.0.1:{strict.port}/ping', ca_file: {cert}")
        m = scrape(exporter)
        success = {had["source"]: v for had, v in m.find("probe_success")}
        assert success == {"ok": 1, "bad": 0, "absent": 0, "no-json": 0, "shown": 1, "unknown": 0}
        assert m.value("tocsin_probe_json_ok", source="bad", field="/status") == 0 and m.value("tocsin_probe_json_ok", source="bad", field="/version") == 1
        assert {had["reason"] for had, v in m.find("tocsin_probe_failed") if v and had["source"] in ("bad", "absent", "no-json")} == {"json"}
        assert m.value("probe_http_content_length", source="ok") == len(json.dumps(HEALTH))


def test_settings_that_would_do_nothing(box):
    """Each is an error that says what would be right: what only TLS heeds without TLS, checks of a body that HEAD does not get, a body that a redirect
    would send to other hosts."""
    path = box.write("bad.yml", """probe:
  - { name: a, url: 'http://x/', ca_file: /x }
  - { name: b, url: 'tcp://x:1', insecure_skip_verify: true }
  - { name: c, url: 'http://x/', cert_file: /x, key_file: /x, follow_redirects: true }
  - { name: d, url: 'https://x/', method: HEAD, require_json: { /a: b } }
  - { name: e, url: 'https://x/', method: POST, body: s3cret, follow_redirects: true }
modules:
  - { name: f, allow: [x], probe: { url: 'http://{target}', ca_file: /x } }
  - { name: g, allow: [x], probe: { url: '{target}', ca_file: /x } }
""")
    done = subprocess.run([binary("tocsin-exporter"), "--config.file", path, "--check-config"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("bad.yml:") == 5, done.stderr
    for said in ("bad.yml:2:43: ca_file is TLS's, and the url begins with http://: write https:// or tls://, or follow_redirects: true",
                 "bad.yml:3:56: insecure_skip_verify is TLS's, and the url begins with tcp://", "bad.yml:5:43: HEAD gets no body",
                 "bad.yml:6:5: follow_redirects would send the body to other hosts", "bad.yml:8:"):
        assert said in done.stderr, (said, done.stderr)
    assert "s3cret" not in done.stderr
