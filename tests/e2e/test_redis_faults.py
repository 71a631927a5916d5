"""What can be wrong with a real Redis while it is read: each time the page comes within its deadline, with everything else on it, and the
server is read again as soon as it can be."""
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from servers import Process, Redis, free_port, wait_for
from test_redis_source import OK, Script, scrape, start


@pytest.fixture
def beside(box):
    """A second server, which is well."""
    return box.start(Redis)


def check(exporter, good="good"):
    """The broken one, which may take minutes, is down in a scrape that takes a second, and the other is whole."""
    def seen():
        m = scrape(exporter, headers={"X-Prometheus-Scrape-Timeout-Seconds": "1"})
        assert m("redis_up", source="bad") == 0 and m("redis_memory_used_bytes", source="bad") is None
        assert m("redis_up", source=good) == 1 and m("redis_memory_used_bytes", source=good) > 0
        return True
    wait_for("one is down, the other is whole", seen)


def is_up(exporter):
    return lambda: scrape(exporter)("redis_up", source="bad") == 1


def two(box, bad, good, more=""):
    return start(box, f"{{name: bad, url: '{bad}', timeout: 5m{more}}}", f"{{name: good, url: '{good.url()}'}}")


def test_slow(box, beside):
    redis = box.start(Redis)
    exporter = two(box, redis.url(), beside)
    assert is_up(exporter)()
    redis.process.send_signal(signal.SIGSTOP)
    try:
        check(exporter)
    finally:
        redis.process.send_signal(signal.SIGCONT)
    assert is_up(exporter)()


class Loading(Redis):
    """Comes up with its dump still being read, slowly."""

    def start(self):
        args = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, "--save", "", "--daemonize", "no",
                "--key-load-delay", 3000, "--loading-process-events-interval-bytes", 1024]
        self.process = Process("redis-loading", args, self.folder)
        self.process.ready(lambda: "LOADING" in self.cli("ping"))


def test_loading_is_no_outage(box):
    redis = box.start(Redis, ["--enable-debug-command yes"])
    redis.cli("debug", "populate", 20000, "key", 100)
    redis.cli("save")
    dump = (redis.folder / "dump.rdb").read_bytes()
    redis.stop()
    port = free_port()
    (box.folder / f"redis-{port}").mkdir()
    (box.folder / f"redis-{port}/dump.rdb").write_bytes(dump)
    loading = box.start(Loading, port=port)
    exporter = start(box, f"{{name: bad, url: '{loading.url()}', check_single_keys: ['key:1']}}")
    m = scrape(exporter)
    assert m("redis_up") == 1 and m("redis_loading_dump_file") == 1, "it answers, so it is up; a rule can say what it is doing"
    assert 0 < m("redis_loading_total_bytes") and m("redis_loading_eta_seconds") is not None
    assert m("redis_key_size", key="key:1") is None, "what a loading server refuses is not known, not zero"
    loading.cli("config", "set", "key-load-delay", 0)
    wait_for("loaded", lambda: scrape(exporter)("redis_loading_dump_file") == 0)
    assert scrape(exporter)("redis_key_size", key="key:1") == 100


def test_password_changed(box, beside):
    redis = box.start(Redis)
    redis.cli("config", "set", "requirepass", "first")
    secret = box.write("password", "first\n")
    exporter = two(box, redis.url(), beside, f", password_file: {secret}")
    assert is_up(exporter)()
    kill = ["-a", "first", "--no-auth-warning", "client", "kill", "type", "normal", "skipme", "yes"]
    redis.cli("-a", "first", "--no-auth-warning", "config", "set", "requirepass", "second")
    assert is_up(exporter)(), "who is in stays in"
    kill[1] = "second"
    redis.cli(*kill)
    check(exporter)
    secret.write_text("second\n")
    assert is_up(exporter)(), "the file is read again, without a reload"
    assert "first" not in exporter.process.text() and "second" not in exporter.process.text()
    secret.unlink()
    redis.cli(*kill)
    check(exporter)
    assert "cannot read the secret" in exporter.process.text()


def make_certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days",
                    "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)


def test_certificate_replaced(box, beside):
    make_certificate(box.folder, "old")
    port = free_port()
    redis = box.start(Redis, [f"--tls-port {port}", f"--tls-cert-file {box.folder}/cert.pem", f"--tls-key-file {box.folder}/key.pem",
                              "--tls-auth-clients no"])
    ca = box.write("ca.pem", (box.folder / "cert.pem").read_text())
    exporter = two(box, f"rediss://127.0.0.1:{port}", beside, f", tls: {{ca_file: {ca}}}")
    assert is_up(exporter)()
    make_certificate(box.folder, "new")
    redis.stop()
    redis.start()
    check(exporter)
    assert "certificate refused" in exporter.process.text()
    ca.write_text((box.folder / "cert.pem").read_text())
    assert is_up(exporter)(), "the authorities are read again, without a reload"


def test_out_of_connections(box, beside):
    redis = box.start(Redis)
    holder = box.start(lambda folder: Process("holder", ["redis-cli", "-p", redis.port, "subscribe", "c"], folder))
    wait_for("held", lambda: "cmd=subscribe" in redis.cli("client", "list"))
    redis.cli("config", "set", "maxclients", 1)
    exporter = two(box, redis.url(), beside)
    check(exporter)
    assert "max number of clients" in exporter.process.text()
    holder.stop()
    wait_for("free again", is_up(exporter))


def test_busy_with_a_script(box, beside):
    redis = box.start(Redis, ["--busy-reply-threshold 50"])
    exporter = two(box, redis.url(), beside)
    assert is_up(exporter)()
    busy = threading.Thread(target=lambda: subprocess.run(["redis-cli", "-p", str(redis.port), "eval", "while true do end", "0"], capture_output=True))
    busy.start()
    wait_for("busy", lambda: "BUSY" in redis.cli("ping"))
    check(exporter)
    assert "BUSY" in exporter.process.text()
    assert redis.cli("script", "kill") == "OK"
    busy.join()
    assert is_up(exporter)()


def test_read_only_replica(box):
    master = box.start(Redis)
    master.cli("rpush", "jobs", 1, 2)
    replica = box.start(Redis, [f"--replicaof 127.0.0.1 {master.port}", "--repl-diskless-sync-delay 0"])
    wait_for("linked", lambda: replica.cli("llen", "jobs") == "2")
    exporter = start(box, f"{{name: bad, url: '{replica.url()}', check_single_keys: [jobs], check_keys: ['j*'], scan_interval: 1s}}")
    m = scrape(exporter)
    assert m("redis_up") == 1 and m("redis_key_size", key="jobs") == 2 and m("redis_slave_info", read_only="1") == 1
    assert "READONLY" not in replica.cli("info", "errorstats")


def test_endless_reply(box, beside):
    """It never announces its length: what was collected is bounded."""
    server = box.start(lambda folder: Script(OK, b"+" + b"a" * (40 << 20)))
    exporter = two(box, f"redis://:pw@127.0.0.1:{server.port}", beside)
    for _ in range(3):
        check(exporter)


def test_a_hundred_scrapes_at_once(box, beside):
    redis = box.start(Redis)
    exporter = two(box, redis.url(), beside)
    assert is_up(exporter)()
    before = int(redis.cli("info", "stats").split("total_connections_received:")[1].split()[0])
    redis.process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(100) as pool:
        answers = [pool.submit(scrape, exporter, headers={"X-Prometheus-Scrape-Timeout-Seconds": "60"}) for _ in range(100)]
        time.sleep(0.5)                                 # some of them wait for it
        redis.process.send_signal(signal.SIGCONT)
    pages = [a.result() for a in answers]
    assert len(pages) == 100 and all(m("redis_up", source="good") == 1 and m("redis_up", source="bad") == 1 for m in pages)
    after = int(redis.cli("info", "stats").split("total_connections_received:")[1].split()[0])
    assert after - before <= 3, "they share one connection, and mostly one collection"
