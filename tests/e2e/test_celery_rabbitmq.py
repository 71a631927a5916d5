"""F9, F10: Celery on RabbitMQ. Queues by the management API or, without it, over AMQP; events and workers over AMQP."""
import os
import re
import signal
import subprocess
import time
import uuid
from urllib.parse import quote

import pytest

from celery_jobs import Jobs
from conftest import Box
from test_exporter_cut import Forgetful
from servers import ROOT, RabbitMQ, Redis, wait_for

HOST = os.uname().nodename
PRIORITIES = "app.conf.task_queues = [Queue('celery'), Queue('low', queue_arguments={'x-max-priority': 3})]"


@pytest.fixture(scope="module")
def rabbit():
    box = Box()
    certificate, key = box.folder / "cert.pem", box.folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                    "-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    os.chmod(key, 0o644)
    server = box.start(RabbitMQ, (certificate, key))
    server.certificate = certificate
    yield server
    box.close()


@pytest.fixture
def vhost(rabbit):
    name = rabbit.vhost(f"team%2F{uuid.uuid4().hex[:8]}")
    yield name
    rabbit.api(f"/vhosts/{name}", method="DELETE")


def on_rabbitmq(box, rabbit, vhost, management=True, **kw):
    settings = [*kw.pop("settings", ()), *([f"management_url: {rabbit.management_url}"] if management else [])]
    return Jobs(box, rabbit.url(vhost), settings=settings, **kw)


def test_queues_by_the_management_api(box, rabbit, vhost):
    jobs = on_rabbitmq(box, rabbit, vhost, conf=PRIORITIES)
    m = jobs.metrics()
    assert m("celery_up", source="jobs") == 1
    assert m("celery_queue_length", queue_name="celery") == 0, "the default queue is there before anything was sent"
    jobs.send("for i in range(7): add.delay(1, i)\nfor i in range(5): add.apply_async((1, i), queue='low', priority=2)\n"
              "add.apply_async((1, 1), queue='other', timestamp=1700000000)")
    m = jobs.until("queues are seen", lambda m: m("celery_queue_length", queue_name="celery") == 7
                   and m("celery_queue_length", queue_name="low") == 5 and m("celery_queue_length", queue_name="other") == 1
                   and m("celery_queue_priority_length", queue_name="low", priority="2") == 5 and m("celery_unacked_messages") == 0
                   and m("celery_queue_head_age_seconds", queue_name="other") is not None and m)
    assert m("celery_queue_priority_length", queue_name="low", priority="0") == 0
    assert m("celery_queue_priority_length", queue_name="celery") is None, "it has no priorities"
    assert m("celery_active_consumer_count", queue_name="low") == 0
    assert m("celery_queue_head_age_seconds", queue_name="other") == pytest.approx(time.time() - 1700000000, abs=300)
    assert m("celery_queue_head_age_seconds", queue_name="celery") is None, "Celery by itself sets no time"
    assert m("celery_oldest_unacked_age_seconds") is None
    jobs.until("what was sent is counted", lambda m: m("celery_task_sent_total", name="add", queue_name="low") == 5)
    for queue in ("low", "other"):
        rabbit.api(f"/queues/{vhost}/{queue}", method="DELETE")
    jobs.until("a queue that is gone is forgotten, or empty", lambda m: m("celery_queue_length", queue_name="other") is None
               and m("celery_queue_length", queue_name="low") == 0
               and m("celery_queue_priority_length", queue_name="low", priority="2") == 0)


def test_management_api_without_statistics(box, rabbit, vhost):
    """Lengths are asked of the queues themselves; what only statistics tell is left out, and said to be."""
    jobs = on_rabbitmq(box, rabbit, vhost, conf=PRIORITIES)
    jobs.send("for i in range(7): add.delay(1, i)\nfor i in range(3): add.apply_async((1, i), queue='low', priority=2)")
    jobs.until("there are statistics", lambda m: m("celery_queue_priority_length", queue_name="low", priority="2") == 3
               and m("celery_unacked_messages") == 0)
    disable = "application:set_env(rabbitmq_management_agent, disable_metrics_collector, %s)."
    rabbit.evaluate(disable % "true")
    try:
        m = jobs.until("there are none", lambda m: m("celery_unacked_messages") is None and m)
        assert m("celery_queue_length", queue_name="celery") == 7 and m("celery_queue_length", queue_name="low") == 3
        assert m("celery_active_consumer_count", queue_name="celery") == 0 and m("celery_queue_unacked_messages") is None
        assert m("celery_queue_priority_length") is None
        m = jobs.until("it is known", lambda m: m("tocsin_exporter_collector_success", source="jobs", collector="management") == 0 and m)
        assert m("celery_up") == 1 and m("celery_queue_length", queue_name="celery") == 7
        wait_for("it is said", lambda: "no statistics" in jobs.exporter.process.text())
    finally:
        rabbit.evaluate(disable % "false")


def test_tasks_and_workers(box, rabbit, vhost):
    redis = box.start(Redis)
    rabbit.api("/users/monitor", {"password": "hush", "tags": "management"}, "PUT")
    configure, write, read = re.search(r"set_permissions -p / monitor '(.+)' '(.+)' '(.+)'", (ROOT / "docs/exporter.md").read_text()).groups()
    rabbit.api(f"/permissions/{vhost}/monitor", {"configure": configure, "write": write, "read": read}, "PUT")
    jobs = on_rabbitmq(box, rabbit, vhost, conf=PRIORITIES, backend=redis.url(),
                       settings=[f"result_backend: {redis.url()}", "user: monitor", "password: hush"])
    worker = jobs.worker()
    jobs.send("fail.delay()\nfor i in range(3): add.delay(1, i)")
    jobs.until("they are counted", lambda m: m("celery_task_succeeded_total", name="add", queue_name="celery") == 3
               and m("celery_task_failed_total", name="fail", exception="ValueError") == 1)
    jobs.send("nap.delay(60)\nnap.delay(0)\nadd.apply_async((1, 1), countdown=100)\nadd.apply_async((1, 1), countdown=100)")
    m = jobs.until("one runs, one waits, two are for later", lambda m: m("celery_tasks_running", name="nap") == 1
                   and m("celery_worker_tasks_reserved") == 1 and m("celery_worker_tasks_scheduled") == 2
                   and m("celery_queue_unacked_messages", queue_name="celery") == 3 and m)
    assert m("celery_unacked_messages") == 3
    assert m("celery_active_consumer_count", queue_name="celery") == 1 and m("celery_active_worker_count", queue_name="celery") == 1
    assert m("celery_active_process_count", queue_name="low") == 1 and m("celery_worker_concurrency") == 1
    assert m("celery_workers_connected") == 1 and m("celery_workers_silent") == 0
    assert m("celery_task_queue_wait_time_count", name="add") == 3 and m("celery_task_runtime_count", name="add") == 3
    assert m("celery_worker_task_accepted_total", name="add") == 3
    assert m("celery_events_unreadable_total") == 0 and m("celery_worker_events_lost_total") == 0
    jobs.until("results are counted", lambda m: m("celery_results_kept") == 4)
    worker.process.send_signal(signal.SIGKILL)
    m = jobs.until("it is down", lambda m: m("celery_worker_up", hostname=HOST) == 0 and m)
    assert m("celery_tasks_running", name="nap") == 0
    jobs.until("what it held waits again", lambda m: m("celery_queue_length", queue_name="celery") == 3)
    jobs.exporter.stop()
    wait_for("nothing of ours is left", lambda: not [q["name"] for q in rabbit.api(f"/queues/{vhost}") if "tocsin" in q["name"]])


def test_without_management_api(box, rabbit, vhost):
    jobs = on_rabbitmq(box, rabbit, vhost, management=False, settings=["discovery_interval: 1s"])
    m = jobs.metrics()
    assert m("celery_up", source="jobs") == 1 and m("celery_queue_length", queue_name="low") == 0
    jobs.send("for i in range(3): add.apply_async((1, i), queue='low')")
    jobs.until("a queue whose name is known", lambda m: m("celery_queue_length", queue_name="low") == 3)
    jobs.worker(queues="learned,celery")
    m = jobs.until("one that a worker named", lambda m: m("celery_active_consumer_count", queue_name="learned") == 1 and m)
    assert m("celery_worker_up", hostname=HOST) == 1 and m("celery_workers_connected") is None
    assert m("celery_unacked_messages") is None, "it is not told over AMQP"


def test_busy_solo_worker_is_not_lost(box, rabbit, vhost):
    jobs = on_rabbitmq(box, rabbit, vhost, management=False)
    worker = jobs.worker(extra=["--pool", "solo"])
    jobs.until("it has answered", lambda m: m("celery_worker_concurrency") == 1)
    jobs.send("nap.delay(300)")
    m = jobs.until("it is silent", lambda m: m("celery_worker_silent") == 1 and m)
    assert m("celery_worker_up", hostname=HOST) == 1 and m("celery_worker_lost") == 0
    worker.process.send_signal(signal.SIGKILL)
    jobs.until("it is gone", lambda m: m("celery_worker_lost") == 1 and m("celery_worker_up", hostname=HOST) == 0)


def test_management_api_gone(box, rabbit, vhost):
    jobs = Jobs(box, rabbit.url(vhost), settings=["management_url: http://guest:hush@127.0.0.1:1"])
    m = jobs.until("the rest goes on", lambda m: m("tocsin_exporter_collector_success", source="jobs", collector="management") == 0 and m)
    assert m("celery_up", source="jobs") == 1 and m("celery_queue_length") is None
    jobs.until("events come", lambda m: m("celery_events_connected") == 1)
    assert "hush" not in jobs.exporter.process.text() + jobs.exporter.get("/")[2]


def test_wrong_password(box, rabbit, vhost):
    jobs = Jobs(box, rabbit.url(vhost, user="guest:hush"))
    assert jobs.metrics()("celery_up", source="jobs") == 0
    wait_for("it is said", lambda: "ACCESS_REFUSED" in jobs.exporter.process.text())
    assert "hush" not in jobs.exporter.process.text()


def test_tls(box, rabbit, vhost):
    url = rabbit.url(vhost, scheme="amqps", port=rabbit.tls_port)
    jobs = Jobs(box, url, settings=[f"tls: {{ ca_file: {rabbit.certificate} }}"])
    jobs.until("verified", lambda m: m("celery_up", source="jobs") == 1 and m("celery_events_connected") == 1)
    jobs.exporter.stop()
    for tls in ("{}", f"{{ ca_file: {rabbit.certificate}, server_name: another }}"):
        jobs = Jobs(box, url, settings=[f"tls: {tls}"])
        assert jobs.metrics()("celery_up", source="jobs") == 0
        jobs.exporter.stop()


def test_what_is_no_event(box, rabbit, vhost):
    jobs = on_rabbitmq(box, rabbit, vhost, exporter=True)
    jobs.until("it listens", lambda m: m("celery_events_connected") == 1)
    jobs.send("""
import json
from kombu import Exchange
to = Exchange('celeryev', type='topic')
event = json.dumps({'type': 'task-received', 'uuid': 'u', 'name': 'odd', 'hostname': 'w@h', 'timestamp': 1})
with app.connection() as c, c.Producer(exchange=to) as p:
    for body, kind in ((b'garbage', 'application/json'), (b'[' * 100000, 'application/json'), (event, 'application/x-pickle'),
                       (b'x' * (9 << 20), 'application/json'), (event, 'application/json')):
        p.publish(body, routing_key='task.received', content_type=kind, content_encoding='utf-8')
""")
    m = jobs.until("the last one is counted", lambda m: m("celery_task_received_total", name="odd") == 1 and m)
    assert m("celery_events_unreadable_total") == 4 and m("celery_events_connected") == 1 and m("celery_events_reconnects_total") == 0


def test_connections_lost(box, rabbit, vhost):
    jobs = on_rabbitmq(box, rabbit, vhost)
    jobs.until("it listens", lambda m: m("celery_events_connected") == 1)
    ours = wait_for("both connections are listed", lambda: len(c := [
        c["name"] for c in rabbit.api("/connections") if c.get("user_provided_name") == "tocsin_exporter" or
        c["client_properties"].get("connection_name") == "tocsin_exporter"]) == 2 and c)
    for name in ours:
        rabbit.api(f"/connections/{quote(name)}", method="DELETE")
    jobs.until("they are there again", lambda m: m("celery_events_connected") == 1 and m("celery_events_reconnects_total") == 1
               and m("celery_up", source="jobs") == 1)
    jobs.send("add.delay(1, 2)")
    jobs.until("events come again", lambda m: m("celery_task_sent_total", name="add") == 1)


def test_a_connection_that_was_forgotten(box, rabbit, vhost):
    """By a firewall: the next word on it is answered with a reset. The broker is not down."""
    with Forgetful(rabbit.port) as relay:
        jobs = Jobs(box, rabbit.url(vhost, port=relay.port))
        jobs.until("it is read", lambda m: m("celery_queue_length", queue_name="celery") == 0)
        ups, before = [], len(relay.clients)
        relay.forget()
        wait_for("it is looked at anew", lambda: ups.append(jobs.metrics()("celery_up", source="jobs")) or len(relay.clients) > before)
        jobs.until("it is read again", lambda m: ups.append(m("celery_up", source="jobs")) or m("celery_poll_age_seconds") < 0.5)
        assert set(ups) == {1}


def test_broker_gone(box, rabbit, vhost):
    jobs = Jobs(box, rabbit.url(vhost, port=1))
    m = jobs.metrics()
    assert m("celery_up", source="jobs") == 0 and m("celery_queue_length") is None
