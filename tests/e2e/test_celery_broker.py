"""F9: brokers as they are run (TLS, prefixes, several databases, Sentinel), and what becomes of the figures when they fail."""
import concurrent.futures
import os
import re
import signal
import subprocess
import time

import pytest

from celery_jobs import Jobs, Metrics
from exporter_text import Silent
from servers import ROOT, Exporter, Redis, Sentinel, free_port, wait_for
from test_redis_source import Script

HOST = os.uname().nodename


def page(exporter, seconds=10):
    status, _, text = exporter.get("/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": str(seconds)}, timeout=seconds + 30)
    assert status == 200
    return Metrics(text)


def test_tls_prefix_and_two_databases(box):
    key, certificate, tls = box.folder / "key.pem", box.folder / "cert.pem", free_port()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj",
                    "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    redis = box.start(Redis, [f"--tls-port {tls}", f"--tls-cert-file {certificate}", f"--tls-key-file {key}", "--tls-auth-clients no",
                              "--requirepass hush"])
    query = f"?ssl_cert_reqs=required&ssl_ca_certs={certificate}"
    jobs = Jobs(box, f"rediss://:hush@127.0.0.1:{tls}/1{query}", conf="app.conf.broker_transport_options = {'global_keyprefix': 'shop?:'}",
                settings=["key_prefix: 'shop?:'", "visibility_timeout: 2h",
                          "runtime_buckets: [1, 2]\n  - {name: other, url: 'redis://:hush@127.0.0.1:" + f"{redis.port}/2', poll_interval: 1s}}"])
    jobs.send("for i in range(3): add.apply_async((1, i), priority=9)")
    m = jobs.until("the queue is seen", lambda m: m("celery_queue_length", source="jobs", queue_name="celery") == 3 and m)
    assert m("celery_queue_priority_length", source="jobs", queue_name="celery", priority="9") == 3
    assert m("celery_queue_length", source="other", queue_name="celery") == 0
    assert m("celery_visibility_timeout_seconds", source="jobs") == 7200
    jobs.worker()
    m = jobs.until("worked off", lambda m: m("celery_task_succeeded_total", source="jobs", name="add") == 3
                   and m("celery_workers_connected", source="jobs") == 1 and m)
    assert m("celery_task_runtime_bucket", source="jobs", name="add", le="1") == 3 and m("celery_task_runtime_bucket", le="0.5") is None
    assert m("celery_worker_up", source="other") is None and m("celery_events_total", source="other") == 0
    assert "hush" not in jobs.exporter.process.text() + jobs.exporter.get("/")[2]


def test_sentinel_and_a_failover(box):
    master = box.start(Redis)
    replica = box.start(Redis, [f"--replicaof 127.0.0.1 {master.port}", "--repl-diskless-sync-delay 0"])
    sentinel = box.start(Sentinel)
    sentinel.watch("shop", master.port)
    sentinel.cli("sentinel", "set", "shop", "down-after-milliseconds", 10000)
    wait_for("the replica is known", lambda: f"port={replica.port}" in master.cli("info", "replication") and
             str(replica.port) in sentinel.cli("sentinel", "replicas", "shop"))
    jobs = Jobs(box, f"sentinel://127.0.0.1:1;sentinel://127.0.0.1:{sentinel.port}", conf="app.conf.broker_transport_options = {'master_name': 'shop'}",
                settings=["master_name: shop"])
    jobs.send("add.apply_async((1, 1), queue='low')")
    jobs.until("its queue", lambda m: m("celery_queue_length", queue_name="low") == 1)
    jobs.worker()
    m = jobs.until("its worker", lambda m: m("celery_worker_up", hostname=HOST) == 1 and m("celery_workers_connected") == 1 and m)
    assert m("celery_workers_silent") == 0 and m("celery_events_connected") == 1
    wait_for("the replica has it", lambda: replica.cli("llen", "low") == "1")
    assert sentinel.cli("sentinel", "failover", "shop") == "OK"
    # Who asks a moment before is told the old one, whose data the failover throws away.
    wait_for("the other is master", lambda: str(replica.port) in sentinel.cli("sentinel", "get-master-addr-by-name", "shop") and
             "role:slave" in master.cli("info", "replication"))
    jobs.send("add.apply_async((1, 1), queue='low')")
    wait_for("both are in the new master", lambda: replica.cli("llen", "low") == "2")
    jobs.until("the queue of the new master", lambda m: m("celery_queue_length", queue_name="low") == 2 and m("celery_up") == 1)
    jobs.until("events of the new master", lambda m: m("celery_events_reconnects_total") == 1 and m("celery_events_connected") == 1)
    jobs.send("add.delay(1, 1)")
    jobs.until("and tasks", lambda m: m("celery_task_sent_total", name="add", queue_name="celery") == 1)


def test_next_of_several_servers(box):
    """As kombu does: one address until it cannot be reached, then the next, whose database may be another; questions and events alike."""
    first, second = box.start(Redis), box.start(Redis)
    jobs = Jobs(box, f"{first.url(1)};{second.url(2)}", settings=["discovery_interval: 1s"])
    jobs.send("add.apply_async((1, 1), queue='low')")
    jobs.until("the first one's queue", lambda m: m("celery_queue_length", queue_name="low") == 1 and m("celery_events_connected") == 1)
    assert f"127.0.0.1:{first.port}/1 and 1 more" in jobs.exporter.get("/")[2]
    first.stop()
    jobs.send("add.delay(1, 1); add.apply_async((1, 1), queue='found')")
    jobs.until("the second one's, found there", lambda m: m("celery_queue_length", queue_name="celery") == 1 and m("celery_up") == 1 and
               m("celery_queue_length", queue_name="found") == 1 and m("celery_queue_length", queue_name="low") == 0 and m("celery_events_connected") == 1)
    first.start()
    assert first.cli("pubsub", "numpat") == "0" and second.cli("pubsub", "numpat") == "1", "no going back while it works"
    second.stop()
    jobs.until("and around", lambda m: m("celery_up") == 1 and m("celery_queue_length", queue_name="celery") == 0 and m("celery_events_connected") == 1)


def test_users_with_the_documented_rights(box):
    redis = box.start(Redis)
    rules = re.findall(r"ACL SETUSER monitor (on >PASSWORD -@all.* \+psubscribe.*)", (ROOT / "docs/exporter.md").read_text())
    assert len(rules) == 2
    for rule in rules:
        user = "asker" if "+publish" in rule else "reader"
        assert redis.cli("acl", "setuser", user, *rule.replace("PASSWORD", "hush").split()) == "OK"
    reader = f"{{name: reader, url: '{redis.url(1)}', user: reader, password: hush, control: false, poll_interval: 1s, results_interval: 1s, zero_for: 0s}}"
    jobs = Jobs(box, redis.url(1), redis.url(1), settings=["user: asker", f"password: hush\n  - {reader}"])
    jobs.worker()
    jobs.send("add.delay(1, 1)")
    m = jobs.until("all is read by both", lambda m: m("celery_task_succeeded_total", name="add") == 2 and m("celery_results_kept") == 2
                   and m("celery_workers_connected", source="jobs") == 1 and m)
    assert m("celery_up") == 2 and m("celery_workers_connected", source="reader") is None
    assert m("tocsin_exporter_collector_success", source="jobs") == 5 and m("tocsin_exporter_collector_success", source="reader") == 4
    assert redis.cli("acl", "log") == "", "something was refused"


def test_broker_emptied_while_running(box):
    redis = box.start(Redis)
    jobs = Jobs(box, redis.url(1))
    jobs.worker()
    jobs.send("nap.delay(60)\nadd.apply_async((1, 1), countdown=100)\nfor i in range(3): add.apply_async((1, 1), queue='low')")
    m = jobs.until("all is seen", lambda m: m("celery_queue_length", queue_name="low") == 3 and m("celery_unacked_messages") == 1
                   and m("celery_tasks_running", name="nap") == 1 and m("celery_worker_tasks_scheduled") == 1 and m)
    assert m("celery_oldest_unacked_age_seconds") > 0
    redis.cli("flushall")
    m = jobs.until("it is empty", lambda m: m("celery_queue_length", queue_name="low") == 0 and m)
    assert m("celery_up", source="jobs") == 1 and m("celery_unacked_messages") == 0 and m("celery_oldest_unacked_age_seconds") == 0
    assert m("celery_tasks_running", name="nap") == 1, "what runs is in no list of the broker's"
    before = m("celery_task_received_total", name="add")
    jobs.send("add.delay(1, 1)")
    m = jobs.until("events come", lambda m: m("celery_task_received_total", name="add") == before + 1 and m)
    begin = time.monotonic()
    jobs.until("it is asked again", lambda m: m("tocsin_exporter_collector_age_seconds", source="jobs", collector="control") < time.monotonic() - begin
               and m("celery_workers_connected") == 1 and m("celery_workers_silent") == 0 and m("celery_worker_up", hostname=HOST) == 1)


def test_password_changed(box):
    redis = box.start(Redis, ["--requirepass old"])
    password = box.write("password", "old\n")
    exporter = box.start(Exporter, box.write("e.yml", f"celery: [{{ name: jobs, url: 'redis://127.0.0.1:{redis.port}', poll_interval: 1s, "
                         f"password_file: {password} }}]\n"))
    assert page(exporter)("celery_up") == 1
    redis.cli("-a", "old", "config", "set", "requirepass", "new-secret")
    for kind in ("pubsub", "normal"):
        redis.cli("-a", "old", "client", "kill", "type", kind)
        redis.cli("-a", "new-secret", "client", "kill", "type", kind)
    wait_for("it is refused", lambda: page(exporter)("celery_up") == 0)
    assert "WRONGPASS" in exporter.process.text()
    password.write_text("new-secret\n")
    exporter.process.send_signal(signal.SIGHUP)
    wait_for("the new one is read", lambda: page(exporter)("celery_up") == 1 and page(exporter)("celery_events_connected") == 1)
    assert "new-secret" not in exporter.process.text()


class Endless(Script):
    """Announces a gigabyte, and sends it."""

    def serve(self, peer):
        with peer:
            try:
                while peer.recv(65536):
                    peer.sendall(self.greeting)
                    for _ in range(1000):
                        peer.sendall(b"x" * (1 << 20))
            except OSError:
                pass


FAULTS = {
    "redis-silent": (Script, "redis", (None, None)),
    "redis-half": (Script, "redis", (b"+OK\r\n", b"*2\r\n$3\r\nab")),
    "redis-garbage": (Script, "redis", (b"HTTP/1.1 400 Bad Request\r\n\r\n", None)),
    "redis-gigabyte": (Endless, "redis", (b"$1000000000\r\n", None)),
    "redis-many": (Script, "redis", (b"+OK\r\n", b"*1000000000\r\n")),
    "amqp-silent": (Script, "amqp", (None, None)),
    "amqp-half": (Script, "amqp", (b"\x01\x00\x00\x00\x00\x01\xf0\x00\x0a", None)),
    "amqp-garbage": (Script, "amqp", (b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10, None)),
    "amqp-gigabyte": (Endless, "amqp", (b"\x01\x00\x00\x3b\x9a\xca\x00", None)),
    "amqp-other-version": (Script, "amqp", (b"AMQP\x00\x01\x00\x00", None)),
}


def test_brokers_that_misbehave(box):
    good = box.start(Redis)
    lines = [f"  - {{ name: good, url: '{good.url()}', poll_interval: 1s }}\n"]
    for name, (kind, scheme, says) in FAULTS.items():
        server = box.start(lambda folder: kind(*says))
        lines.append(f"  - {{ name: {name}, url: '{scheme}://:hush@127.0.0.1:{server.port}', poll_interval: 1s, timeout: 2s }}\n")
    exporter = box.start(Exporter, box.write("e.yml", "celery:\n" + "".join(lines)))

    def scrape(_=None):
        m = page(exporter, 2)
        assert m("celery_queue_length", source="good", queue_name="celery") == 0
        return m

    wait_for("what is well is there", scrape)
    for _ in range(2):
        m = scrape()
        for name in FAULTS:
            assert m("celery_up", source=name) == 0, name
            assert m("celery_queue_length", source=name) is None
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        assert len(list(pool.map(scrape, range(100)))) == 100
    text = wait_for("each is complained of", lambda: all(f"name={n} " in exporter.process.text() for n in FAULTS) and exporter.process.text())
    assert "hush" not in text
    peak = int(next(line for line in open(f"/proc/{exporter.process.pid}/status") if line.startswith("VmHWM")).split()[1])
    assert peak < 400_000, f"{peak} kB: a gigabyte was kept"


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_stops_at_once_behind_a_silent_broker(box, scheme):
    with Silent() as server:
        exporter = box.start(Exporter, box.write("e.yml", f"celery: [{{ name: jobs, url: '{scheme}://127.0.0.1:{server.port}', timeout: 5m }}]\n"))
        wait_for("it asks", server.asked)
        assert exporter.stop() == 0
