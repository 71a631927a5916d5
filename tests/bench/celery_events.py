"""Celery's event stream over both brokers, and a scrape of what came of it. Its exporter is not in Debian, so the goals are limits: 5 us of our
CPU an event (celery-exporter takes 208) and 5 ms a scrape.
"""
import base64
import json
import random
import re
import socket
import time
import uuid

EVENT_TASKS = 60000


def task_events(n_tasks, seed):
    """Four events a task, as workers send them: in lists of 24; 20 names in 5 queues on 4 hosts."""
    draw, events = random.Random(seed), []
    for i in range(n_tasks):
        name = f"shop.tasks.t{i % 20}"
        head = {"uuid": str(uuid.UUID(int=draw.getrandbits(128))), "hostname": f"celery@host{draw.randrange(4)}", "utcoffset": 0, "pid": 7, "clock": 9}
        for kind, more in (("sent", {"queue": f"q{i % 5}", "name": name, "args": "(1, 2)", "kwargs": "{}"}),
                           ("received", {"name": name, "args": "(1, 2)", "kwargs": "{}", "retries": 0, "eta": None}),
                           ("started", {}), ("succeeded", {"result": "3", "runtime": draw.random()})):
            events.append({**head, "type": f"task-{kind}", "timestamp": time.time(), **more})
    return [json.dumps(events[i:i + 24]) for i in range(0, len(events), 24)]


def over_redis(broker):
    bodies = [json.dumps({"body": base64.b64encode(b.encode()).decode(), "content-encoding": "utf-8", "content-type": "application/json", "headers":
              {"hostname": "celery@h"}, "properties": {"delivery_mode": 1, "body_encoding": "base64"}}).encode() for b in task_events(EVENT_TASKS, 1)]
    words = b"*3\r\n$7\r\nPUBLISH\r\n$22\r\n/0.celeryev/task.multi\r\n$%d\r\n%b\r\n"
    with socket.create_connection(("127.0.0.1", broker.port)) as s:
        s.sendall(b"".join(words % (len(b), b) for b in bodies))
        left = len(bodies)
        while left:
            left -= s.recv(65536).count(b"\n")


def over_rabbitmq(broker):
    from kombu import Connection, Exchange
    with Connection(broker.url()) as c, c.Producer(exchange=Exchange("celeryev", type="topic")) as p:
        for body in task_events(EVENT_TASKS, 1):
            p.publish(body, routing_key="task.multi", content_type="application/json", content_encoding="utf-8", delivery_mode=1)


def celery_events(folder, started, row, say, scrape_s, cpu_s, status_kb):
    from servers import Exporter, RabbitMQ, Redis, http, wait_for
    unbounded = (["--client-output-buffer-limit pubsub 0 0 0"],)     # all at once; Redis would drop us for its own backlog
    for name, kind, more, send in (("redis", Redis, unbounded, over_redis), ("rabbitmq", RabbitMQ, (), over_rabbitmq)):
        broker = kind(folder, *more)
        started.append(broker)
        config = folder / f"{name}.yml"
        config.write_text(f"celery: [{{ name: jobs, url: '{broker.url()}' }}]\n")
        ours = Exporter(folder, config)
        started.append(ours)

        def figure(family):
            return float(re.search(rf'^{family}\{{source="jobs"\}} (\S+)$', http(ours.url("/metrics"))[2], re.M)[1])

        say(f"celery on {name}: events of {EVENT_TASKS} tasks")
        wait_for("the stream", lambda: figure("celery_events_connected") == 1)
        for round_ in (1, 2):           # the first makes its tables
            before, cpu, resident = figure("celery_events_total"), cpu_s(ours.process.pid), status_kb(ours.process.pid, "VmRSS")
            send(broker)
            wait_for("all were read", lambda: figure("celery_events_total") == before + 4 * EVENT_TASKS, 60, 0.2)
        row(f"celery_{name}_event", (cpu_s(ours.process.pid) - cpu) / (4 * EVENT_TASKS) * 1e6, 5, "us", 1)
        say(f"  memory before and after the second half: {resident} kB, {status_kb(ours.process.pid, 'VmRSS')} kB")
        row(f"celery_{name}_scrape", scrape_s(ours.port) * 1e3, 5, "ms", 1)
