"""A Celery application on a Redis broker, real workers, and the exporter: figures follow what happens to tasks and workers."""
import os
import signal
import time

import pytest

from celery_jobs import Jobs
from exporter_text import scrape
from servers import Exporter, Redis, wait_for


def on_redis(box, **kw):
    redis = box.start(Redis)
    jobs = Jobs(box, redis.url(1), redis.url(1), **kw)
    jobs.redis = redis
    return jobs


@pytest.fixture
def jobs(box):
    return on_redis(box)


def test_queue_grows_without_a_worker(jobs):
    m = jobs.metrics()
    assert m("celery_up", source="jobs") == 1
    assert m("celery_queue_length", queue_name="celery") == 0, "the default queue is there before anything was sent"
    assert m("celery_queue_length", queue_name="low") == 0, "and so is a configured one"
    jobs.send("for i in range(7): add.delay(1, i)\nfor i in range(5): add.apply_async((1, i), priority=5)\n"
              "add.apply_async((1, 1), queue='low')")
    m = jobs.until("queues are seen", lambda m: m("celery_queue_length", queue_name="celery") == 12 and m("celery_queue_length", queue_name="low") == 1 and m)
    assert m("celery_queue_priority_length", queue_name="celery", priority="0") == 7
    assert m("celery_queue_priority_length", queue_name="celery", priority="3") == 5
    jobs.until("what was sent is counted", lambda m: m("celery_task_sent_total", name="add", queue_name="celery") == 12)
    jobs.worker()
    m = jobs.until("the queue is worked off", lambda m: m("celery_queue_length", queue_name="celery") == 0 and m)
    assert m("celery_queue_length", queue_name="low") == 1, "nobody consumes it"
    m = jobs.until("tasks are counted", lambda m: m("celery_task_succeeded_total", name="add", queue_name="celery") == 12 and m)
    assert m("celery_task_runtime_count", name="add") == 12
    assert m("celery_task_last_success_timestamp_seconds", name="add") == pytest.approx(time.time(), abs=300)
    jobs.until("results are counted", lambda m: m("celery_results_kept") == 12)


def test_how_long_the_first_one_waits(box):
    """By a header of the application's, or the event of its sending; else it is not known, and not shown."""
    jobs = on_redis(box, conf="app.conf.task_send_sent_event = False", settings=["discovery_interval: 1s"])
    jobs.send("add.apply_async((1, 1), queue='low')\nadd.apply_async((1, 1), queue='brief')")
    jobs.until("they wait", lambda m: m("celery_queue_length", queue_name="low") == 1 and m("celery_queue_length", queue_name="brief") == 1)
    assert jobs.redis.cli("-n", 1, "del", "brief", "_kombu.binding.brief") == "2"
    jobs.until("a queue that is gone is forgotten", lambda m: m("celery_queue_length", queue_name="brief") is None)
    old = "import time; old = time.time() - 600\n"
    jobs.send(old + "add.apply_async((1, 1), headers={'enqueued_at': old}); add.apply_async((2, 2), headers={'enqueued_at': old + 60})\n"
              "add.apply_async((3, 3), priority=3, headers={'enqueued_at': '2020-01-01T00:00:00Z'})")
    m = jobs.until("the age of the oldest", lambda m: (m("celery_queue_head_age_seconds", queue_name="celery") or 0) > 1e8 and m)
    assert m("celery_queue_head_age_seconds", queue_name="low") is None
    jobs.redis.cli("-n", 1, "rpop", "celery\x06\x163")
    m = jobs.until("the next is younger", lambda m: 600 <= m("celery_queue_head_age_seconds", queue_name="celery") < 1e6 and m)
    jobs.redis.cli("-n", 1, "del", "low")
    jobs.send("app.conf.task_send_sent_event = True; add.apply_async((1, 1), queue='low')")
    m = jobs.until("its event says", lambda m: m("celery_queue_head_age_seconds", queue_name="low") is not None and m)
    assert m("celery_queue_head_age_seconds", queue_name="low") < 500


def test_a_prefix_that_looks_like_a_pattern(box):
    """F8. It is a text: what it would match is another application's."""
    redis, prefix = box.start(Redis), "sh[o]p*:"
    redis.cli("sadd", prefix + "_kombu.binding.celery", "celery\x06\x16\x06\x16disc")
    redis.cli("sadd", "shop-two:_kombu.binding.celery", "celery\x06\x16\x06\x16other")
    redis.cli("lpush", prefix + "disc", 1, 2, 3)
    redis.cli("set", prefix + "celery-task-meta-1", "{}")
    redis.cli("set", "shop-two:celery-task-meta-2", "{}")
    redis.cli("zadd", prefix + "unacked_index", "-inf", "x")
    exporter = box.start(Exporter, box.write("e.yml", f"""
celery:
  - {{ name: jobs, url: '{redis.url(0)}', key_prefix: '{prefix}', result_backend: '{redis.url(0)}', result_prefix: '{prefix}', poll_interval: 1s }}
"""))

    def seen():
        m = scrape(exporter)
        return m.value("celery_queue_length", queue_name="disc") == 3 and m.value("celery_results_kept") == 1 and m
    m = wait_for("its queue and its result", seen)
    assert not m.find("celery_queue_length", queue_name="other")
    assert m.value("celery_unacked_messages") == 0 and not m.find("celery_oldest_unacked_age_seconds"), "no time of any message"
    redis.cli("zadd", prefix + "unacked_index", time.time() - 600, "x")
    wait_for("its age", lambda: 600 <= (scrape(exporter).value("celery_oldest_unacked_age_seconds") or 0) < 1e4)


def test_keys_of_another_kind(jobs):
    """What is there instead has no length: that figure is left out, and the rest goes on."""
    jobs.send("add.apply_async((1, 1))")
    jobs.until("it is well", lambda m: m("celery_unacked_messages") == 0 and m("tocsin_exporter_collector_success", collector="keys") == 1)
    for key in ("low", "unacked", "unacked_index"):
        assert jobs.redis.cli("-n", 1, "set", key, "x") == "OK"
    m = jobs.until("it is left out", lambda m: m("celery_queue_length", queue_name="low") is None and m)
    assert m("celery_unacked_messages") is None and m("celery_oldest_unacked_age_seconds") is None
    assert m("celery_up") == 1 and m("celery_queue_length", queue_name="celery") == 1
    assert m("tocsin_exporter_collector_success", collector="keys") == 0 and m("tocsin_exporter_collector_success", collector="queues") == 1
    assert 'WRONGTYPE' in jobs.exporter.process.text()


def test_task_fails(jobs):
    jobs.worker()
    jobs.send("fail.delay()")
    m = jobs.until("the failure is counted", lambda m: m("celery_task_failed_total", name="fail",
                                                         exception="ValueError") == 1 and m)
    assert m("celery_task_succeeded_total", name="fail") == 0
    jobs.send("fail.delay()\nfail.delay()")
    jobs.until("so are the next", lambda m: m("celery_task_failed_total", name="fail", exception="ValueError") == 3)
    jobs.send("for i in range(4): again.delay()")
    jobs.until("each retry has waited", lambda m: m("celery_task_started_total", name="again") == 24
               and m("celery_task_queue_wait_time_count", name="again") == 24)
    assert m("celery_events_unreadable_total") == 0
    assert jobs.metrics()("celery_worker_events_lost_total", worker="worker1@" + os.uname().nodename) == 0


def test_longest_task_and_failed_list(jobs):
    jobs.worker(concurrency=2)
    jobs.redis.cli("-n", 1, "rpush", "celery_failed", "a", "b")
    jobs.send("nap.delay(60)")
    jobs.until("it runs", lambda m: m("celery_tasks_running", name="nap") == 1)
    jobs.until("its time grows", lambda m: m("celery_task_longest_running_seconds", name="nap") > 2)
    jobs.until("the heartbeat says so", lambda m: m("celery_worker_tasks_active") == 1)
    m = jobs.until("the worker was asked", lambda m: m("celery_active_worker_count", queue_name="celery") == 1 and m)
    assert m("celery_worker_concurrency") == 2 and m("celery_active_process_count", queue_name="celery") == 2
    assert m("celery_failed_list_length", list="celery_failed") == 2


def test_killed_worker_is_noticed_and_stays_down(jobs):
    host = os.uname().nodename
    worker = jobs.worker()
    jobs.worker(name="worker2", queues="other")
    jobs.until("both are up", lambda m: m("celery_worker_node_up") == 2 and m("celery_worker_up", hostname=host) == 1)
    jobs.send("nap.delay(60)")
    jobs.until("it runs", lambda m: m("celery_tasks_running", name="nap") == 1)
    worker.process.send_signal(signal.SIGKILL)
    m = jobs.until("it is down", lambda m: m("celery_worker_node_up", worker=f"worker1@{host}") == 0 and m)
    assert m("celery_worker_up", hostname=host) == 0, "a living worker on the same host does not hide it"
    assert m("celery_worker_lost", worker=f"worker1@{host}") == 1 and m("celery_worker_lost", worker=f"worker2@{host}") == 0
    assert m("celery_worker_node_up", worker=f"worker2@{host}") == 1
    assert m("celery_tasks_running", name="nap") == 0, "what it ran is gone with it"
    jobs.worker()
    jobs.until("it is back", lambda m: m("celery_worker_up", hostname=host) == 1)


def test_busy_solo_worker_is_not_lost(jobs):
    """It sends and answers nothing while it runs a task; that it is connected tells it from a dead one."""
    jobs.worker(name="brief", queues="brief", extra=["--pool", "solo"])
    worker = jobs.worker(extra=["--pool", "solo"])
    name = "worker1@" + os.uname().nodename
    jobs.until("both have answered", lambda m: m("celery_worker_concurrency") == 2)
    jobs.send("nap.delay(300)\nnap.apply_async((15,), queue='brief')")
    m = jobs.until("they are silent", lambda m: m("celery_worker_silent") == 2 and m)
    assert m("celery_worker_node_up", worker=name) == 1 and m("celery_worker_lost") == 0
    m = jobs.until("one answers what it was asked meanwhile", lambda m: m("celery_task_succeeded_total", name="nap") == 1
                   and m("celery_workers_silent") == 1 and m)
    assert m("celery_worker_silent", worker=name) == 1 and m("celery_worker_lost") == 0
    worker.process.send_signal(signal.SIGKILL)
    m = jobs.until("it is gone", lambda m: m("celery_worker_lost", worker=name) == 1 and m)
    assert m("celery_worker_silent") == 0 and m("celery_worker_lost") == 1


def test_worker_that_died_before_we_came_is_down(box):
    jobs = on_redis(box)
    host = os.uname().nodename
    jobs.exporter.stop()
    worker = jobs.worker()
    worker.kill()
    jobs.exporter.start()
    jobs.until("its mailbox tells of it", lambda m: m("celery_worker_up", hostname=host) == 0)


def test_worker_without_events_is_told_to_send_them(jobs):
    jobs.worker(extra=["--pool", "threads"])
    jobs.redis.cli("client", "kill", "type", "pubsub")
    jobs.until("the stream is back", lambda m: m("celery_events_connected") == 1 and m("celery_events_reconnects_total") == 1)
    jobs.send("add.delay(1, 2)")
    jobs.until("it still counts", lambda m: m("celery_task_succeeded_total", name="add") == 1)


def test_broker_down_and_back(jobs):
    jobs.worker()
    jobs.until("up", lambda m: m("celery_up") == 1)
    jobs.redis.stop()
    m = jobs.until("down", lambda m: m("celery_up") == 0 and m)
    assert m("celery_worker_up") is None, "values of a source that failed are left out"
    jobs.redis.start()
    jobs.until("back", lambda m: m("celery_up") == 1 and m("celery_queue_length", queue_name="celery") == 0
               and m("celery_events_connected") == 1 and m("celery_events_reconnects_total") == 1)
    jobs.send("add.delay(1, 2)")
    jobs.until("events come again", lambda m: m("celery_task_sent_total", name="add") == 1)


def test_nothing_is_left_in_the_broker(jobs):
    jobs.worker()
    jobs.until("workers were asked", lambda m: m("celery_workers_connected") == 1)
    jobs.exporter.stop()
    keys = jobs.redis.cli("-n", 1, "keys", "*reply*")
    assert keys == "", "the list for answers and its binding are removed"
