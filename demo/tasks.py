"""The Celery application of the demonstration: the four tasks of FairEdge's guide, short, and failing now and then."""
import os
import random
import time

from celery import Celery

app = Celery("fairedge", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_BROKER_URL"])
app.conf.update(task_send_sent_event=True, worker_send_task_events=True, result_expires=3600, broker_connection_retry_on_startup=True)


@app.task(name="odds_refresh")
def odds_refresh():
    time.sleep(random.uniform(0.05, 0.3))


@app.task(name="ev_calculation")
def ev_calculation():
    time.sleep(random.uniform(0.02, 0.1))


@app.task(name="cache_warming")
def cache_warming():
    time.sleep(0.02)


@app.task(name="user_cleanup")
def user_cleanup():
    if random.random() < 0.2:
        raise ValueError("a user without an e-mail address")
