"""Targets behind TLS, many of them: what a connection costs, and whom it trusts."""
import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from watched import EVERY_SECOND, Watch, alert_rule, job

NEVER = [alert_rule("Never", "fine == 2")]


def certificate(folder, name):
    """Its own authority: (certificate, key)."""
    pem, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", pem, "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return pem, key


class Server:
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

        class Listener(ThreadingHTTPServer):
            daemon_threads = True

            def finish_request(self, request, address):
                with owner.context.wrap_socket(request, server_side=True) as secure:
                    super().finish_request(secure, address)

            def handle_error(self, *_):
                pass

        owner = self
        self.show(pem, key)
        self.server = Listener(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def show(self, pem, key):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem, key)

    @property
    def address(self):
        return f"127.0.0.1:{self.server.server_port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def test_many_roots(box):
    """F3: they are read once, not by each connection: as many would take all the time there is."""
    pem, key = certificate(box.folder, "one")
    box.write("roots.pem", pem.read_text() * 4000)
    targets = [box.start(Server, pem, key, closes=True) for _ in range(40)]
    watch = Watch(box, [job("app", *(t.address for t in targets), scheme="https", tls_config={"ca_file": "roots.pem"}, **EVERY_SECOND)], NEVER)
    watch.until("all are up", lambda: watch.value("sum(min_over_time(up[3s]))") == 40)


def test_roots_that_change(box):
    """Those in the file now are trusted, and no others."""
    one, other = certificate(box.folder, "one"), certificate(box.folder, "other")
    target = box.start(Server, *one, closes=True)
    shutil.copy(one[0], box.folder / "roots.pem")
    watch = Watch(box, [job("app", target.address, scheme="https", tls_config={"ca_file": "roots.pem"})], NEVER)
    watch.until("it is up", lambda: watch.value("up") == 1)
    shutil.copy(other[0], box.folder / "roots.pem")
    watch.until("it is not trusted any more", lambda: watch.value("up") == 0, 10)
    target.show(*other)
    watch.until("its new certificate is", lambda: watch.value("up") == 1, 10)
