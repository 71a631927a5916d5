"""A Celery application, its workers, an exporter that watches their broker, and the page it serves."""
import os
import re
import subprocess

from servers import PYTHON, CeleryWorker, Exporter, wait_for

APP = """
import os, time
from celery import Celery
from kombu import Queue
app = Celery("jobs", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ.get("CELERY_RESULT_BACKEND"))
app.conf.task_send_sent_event = True
{conf}
@app.task(name="add")
def add(a, b): return a + b
@app.task(name="fail")
def fail(): raise ValueError("no (really)")
@app.task(name="again", bind=True, max_retries=5)
def again(self): raise self.retry(countdown=0)
@app.task(name="nap")
def nap(seconds): time.sleep(seconds)
"""
CONFIG = """
celery:
  - name: jobs
    url: {url}
    queues: [low]
    poll_interval: 1s
    control_interval: 2s
    zero_for: 0s
"""


class Metrics:
    """A page of metrics: m("name", label="value") is the sum of the matching samples, None when there is none."""

    def __init__(self, text):
        self.samples = []
        for line in text.splitlines():
            found = re.match(r"([a-zA-Z_:]\w*)(?:\{(.*)\})? (\S+)$", line)
            if found:
                self.samples.append((found[1], dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or "")), float(found[3])))

    def __call__(self, name, /, **labels):
        values = [v for n, l, v in self.samples if n == name and all(l.get(k) == w for k, w in labels.items())]
        return sum(values) if values else None


class Jobs:
    """<conf>: lines of the application's own configuration; <settings>: lines of the source's."""

    def __init__(self, box, url, backend=None, conf="", settings=(), exporter=True):
        self.box, self.url, self.exporter = box, url, None
        self.env = {"CELERY_BROKER_URL": url, "PYTHONDONTWRITEBYTECODE": "1"}
        if backend:
            self.env["CELERY_RESULT_BACKEND"] = backend
        box.write("jobs.py", APP.replace("{conf}", conf))
        if not url.startswith("amqp") or any("result_backend" in line for line in settings):
            settings = ["results_interval: 1s", *settings]
        self.config = box.write("tocsin.yml", CONFIG.format(url=url) + "".join(f"    {line}\n" for line in settings))
        if exporter:
            self.exporter = box.start(Exporter, self.config)

    def worker(self, **kw):
        return self.box.start(CeleryWorker, self.box.folder, "jobs", self.url, env=self.env, **kw)

    def send(self, code):
        subprocess.run([PYTHON, "-c", f"from jobs import *\n{code}"], check=True, cwd=self.box.folder, timeout=120,
                       env={**os.environ, **self.env})

    def metrics(self):
        status, _, text = self.exporter.get("/metrics")
        assert status == 200
        return Metrics(text)

    def until(self, what, condition, seconds=60):
        return wait_for(what, lambda: condition(self.metrics()), seconds, 0.3)
