"""The main job on real servers: Postgres, Celery and a business go wrong, somebody is told; they come back, and that is told too."""
import os
import subprocess
import threading

from servers import PYTHON, CeleryWorker, Exporter, Postgres, Redis
from watched import EVERY_SECOND, Statuspage, Watch, alert_rule, job

JOBS = """
import os
from celery import Celery
app = Celery("jobs", broker=os.environ["CELERY_BROKER_URL"])
app.conf.task_send_sent_event = True
@app.task(name="add")
def add(a, b): return a + b
@app.task(name="fail")
def fail(): raise ValueError("no")
"""


def test_postgres_stops_and_starts(box):
    """F14, F7, F5: DatabaseDown reaches the webhook once and the status page as one incident; both hear the end. In between,
    opportunities run low in SQL, and the alert says how many there are."""
    page = Statuspage(components={"db": "Database"})
    box.started.append(page)
    postgres = box.start(Postgres)
    postgres.sql("create table opportunities (id int); insert into opportunities select generate_series(1, 14)")
    exporter = box.start(Exporter, box.write("exporter.yml", f"""
postgres: [{{ name: main, url: '{postgres.url()}' }}]
gauges:
  - name: business
    postgres: main
    queries: [{{ sql: 'select count(*) as n from opportunities', metrics: [{{ name: fairedge_opportunities_count, help: x, value: n }}] }}]
"""))
    watch = Watch(box, [job("tocsin", exporter, **EVERY_SECOND)], [
        alert_rule("DatabaseDown", "pg_up == 0", "1s", summary="Postgres {{ $labels.source }} is down"),
        alert_rule("LowOpportunityCount", "fairedge_opportunities_count < 10", "1s", "warning", summary="only {{ $value }} of 10"),
    ], page=page)
    watch.until("the first scrape", lambda: watch.value("fairedge_opportunities_count") == 14 and watch.value("pg_up") == 1)
    watch.ticks(2)
    assert watch.state("LowOpportunityCount") == "inactive" and not watch.hook.requests and not page.incidents

    postgres.sql("delete from opportunities where id <= 7")
    body, alert = watch.told("LowOpportunityCount")
    assert alert["annotations"]["summary"] == "only 7 of 10" and alert["labels"]["severity"] == "warning"
    assert body["version"] == "4" and body["status"] == "firing" and body["groupLabels"] == {"alertname": "LowOpportunityCount"}
    assert body["receiver"] == "all" and body["truncatedAlerts"] == 0 and alert["endsAt"] == "0001-01-01T00:00:00Z"
    watch.until("it is a series", lambda: watch.value('ALERTS{alertname="LowOpportunityCount", alertstate="firing"}') == 1)
    postgres.sql("insert into opportunities select generate_series(1, 7)")
    body, alert = watch.told("LowOpportunityCount", "resolved")
    assert body["status"] == "resolved" and alert["startsAt"] < alert["endsAt"]
    page.wait_for(lambda p: not p.open_incidents() and len(p.incidents) == 1, what="the warning's incident to end")

    postgres.stop()
    watch.until_state("DatabaseDown", "pending")
    _, alert = watch.told("DatabaseDown")
    assert alert["annotations"]["summary"] == "Postgres main is down"
    incident = page.wait_for(lambda p: p.open_incidents(), what="an incident")[0]
    assert (incident["name"], incident["status"], incident["impact_override"]) == ("DatabaseDown", "investigating", "critical")
    assert incident["incident_updates"][-1]["body"] == "Postgres main is down"
    assert page.components["db"]["status"] == "major_outage"
    assert watch.state("LowOpportunityCount") == "inactive", "a figure that is gone with its server is no low figure"

    postgres.start()
    watch.told("DatabaseDown", "resolved")
    page.wait_for(lambda p: not p.open_incidents() and p.components["db"]["status"] == "operational", what="the end of the incident")
    watch.ticks()
    assert len(page.incidents) == 2 and not page.broken() and not page.over
    assert [len(watch.hook.told("DatabaseDown", s)) for s in ("firing", "resolved")] == [1, 1]
    assert len(watch.hook.requests) == 4, "each of two alerts was told once, and its end once"


def send(box, url, code):
    subprocess.run([PYTHON, "-c", f"from jobs import *\n{code}"], check=True, cwd=box.folder, timeout=120,
                   env={**os.environ, "CELERY_BROKER_URL": url, "PYTHONDONTWRITEBYTECODE": "1"})


def test_celery_queue_failure_and_killed_worker(box):
    """F9, F13: a queue grows with no worker, a task fails, a worker is killed with SIGKILL: figures and alerts follow."""
    redis = box.start(Redis)
    box.write("jobs.py", JOBS)
    exporter = box.start(Exporter, box.write("exporter.yml", f"""
celery: [{{ name: jobs, url: '{redis.url()}', poll_interval: 1s, control_interval: 1s, zero_for: 2s }}]
"""))
    watch = Watch(box, [job("tocsin", exporter, **EVERY_SECOND)], [
        alert_rule("QueueGrowing", "celery_queue_length > 5", "1s", summary="{{ $value }} tasks wait in {{ $labels.queue_name }}"),
        alert_rule("TaskFailed", "increase(celery_task_failed_total[10s]) > 0", summary="{{ $labels.name }}: {{ $labels.exception }}"),
        alert_rule("WorkerDown", "celery_worker_up == 0", "1s", summary="{{ $labels.hostname }} is gone"),
    ])
    watch.until("the queue is known before anything was sent", lambda: watch.value('celery_queue_length{queue_name="celery"}') == 0)
    send(box, redis.url(), "for i in range(9): add.delay(1, i)")
    _, alert = watch.told("QueueGrowing")
    assert alert["annotations"]["summary"] == "9 tasks wait in celery"
    worker = box.start(CeleryWorker, box.folder, "jobs", redis.url())
    watch.told("QueueGrowing", "resolved")
    watch.until("nine are done", lambda: watch.value('sum(celery_task_succeeded_total{name="add"})') == 9)
    watch.until("the worker is known", lambda: watch.value("celery_worker_up") == 1)
    assert watch.state("TaskFailed") == "inactive"

    # Two failures within those ten seconds are one alert.
    sender = threading.Thread(target=send, args=(box, redis.url(), "import time\nfail.delay()\nwhile not os.path.exists('seen'): time.sleep(0.05)\nfail.delay()"))
    sender.start()
    watch.until("the failure is counted", lambda: watch.value('celery_task_failed_total{name="fail", exception="ValueError"}') == 1)
    box.write("seen", "")
    sender.join()
    _, alert = watch.told("TaskFailed")
    assert alert["annotations"]["summary"] == "fail: ValueError"

    worker.kill()
    _, alert = watch.told("WorkerDown")
    assert alert["annotations"]["summary"] == f"{os.uname().nodename} is gone"
    box.start(CeleryWorker, box.folder, "jobs", redis.url())
    watch.told("WorkerDown", "resolved")
    watch.told("TaskFailed", "resolved")
    assert len(watch.hook.requests) == 6, "three alerts, each told once, and its end once"
