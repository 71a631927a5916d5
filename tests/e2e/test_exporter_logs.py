"""F6, F11, O3, O6, M4: log lines to counters, histograms and top addresses; rotation, truncation and kill -9 neither lose nor repeat one."""
import json
import os
import random
import socket
import threading
import time

from exporter_text import scrape
from servers import Exporter, wait_for

RULES = """
    metrics:
      - { name: app_lines_total, help: All lines., match: 'n=' }
      - { name: app_events_total, help: x, match: 'database connection (lost|refused)', labels: { event: database } }
      - { name: app_events_total, help: x, match: 'odds_api_error', labels: { event: odds_api } }
      - { name: app_events_total, help: x, match: 'auth_failed', labels: { event: auth } }
      - { name: app_auth_failures_total, help: By address., match: 'auth_failed .*ip=(?P<ip>[0-9.]+)', labels: { address: '${ip}' }, top: 3 }
      - { name: app_slow_query_seconds, help: x, type: histogram, unit: seconds, match: 'Slow query: ([0-9.]+)s', value: $1, buckets: [0.5, 1, 2] }
      - { name: app_requests_total, help: x, where: { level: 'INFO|ERROR' }, labels: { service: /service, code: /status_code } }
      - { name: app_duration_seconds, help: x, type: histogram, value: /duration_ms, scale: 0.001, buckets: [0.1, 1] }
"""


def config(box, files, first="beginning"):
    return box.write("e.yml", f"logs:\n  - name: app\n    files: {files}\n    state: {box.folder}/app.state\n    first: {first}\n{RULES}")


def test_patterns_and_fields(box):
    log = box.write("logs/app.log", "")
    exporter = box.start(Exporter, config(box, f"['{box.folder}/logs/*.log']"))
    m = scrape(exporter)
    assert m.value("app_events_total", event="database", source="app") == 0, "born at 0"
    with log.open("a") as f:
        f.write("ERROR database connection lost\nodds_api_error 503\nSlow query: 1.23s - SELECT …\nSlow query: 0.2s - SELECT 1\n")
        for address, times in (("10.0.0.1", 5), ("10.0.0.2", 4), ("10.0.0.3", 3), ("10.0.0.4", 1)):
            f.write(f"auth_failed user=x ip={address}\n" * times)
        f.write(json.dumps({"level": "ERROR", "service": "api", "status_code": 500, "duration_ms": 250}) + "\n")
        f.write(json.dumps({"level": "DEBUG", "service": "api", "status_code": 200, "duration_ms": 50}) + "\n")
    m = scrape(exporter)
    assert m.value("app_events_total", event="database") == 1 and m.value("app_events_total", event="odds_api") == 1
    assert m.value("app_events_total", event="auth") == 13
    assert m.value("app_auth_failures_total", address="10.0.0.1") == 5 and m.value("app_auth_failures_total", address="other") == 1
    assert m.types["app_slow_query_seconds"] == "histogram"
    assert m.value("app_slow_query_seconds_count") == 2 and m.value("app_slow_query_seconds_bucket", le="0.5") == 1
    assert abs(m.value("app_slow_query_seconds_sum") - 1.43) < 1e-9
    assert m.value("app_requests_total", service="api", code="500") == 1 and len(m.find("app_requests_total")) == 1
    assert m.value("app_duration_seconds_bucket", le="0.1") == 1 and m.value("app_duration_seconds_count") == 2
    assert m.value("tocsin_logs_up") == 1 and m.value("tocsin_logs_files") == 1


def test_begins_at_the_end_and_counts_when_nobody_scrapes(box):
    log = box.write("logs/app.log", "n=old\n" * 10)
    exporter = box.start(Exporter, config(box, f"{box.folder}/logs/app.log", "end"))
    assert scrape(exporter).value("app_lines_total") == 0
    for i in range(4):          # each generation is gone before the next scrape
        with log.open("a") as f:
            f.write("n=1\n" * 5)
        wait_for("they are read", lambda: json.loads((box.folder / "app.state").read_text())["stats"]["lines"] == 5 * (i + 1))
        log.rename(box.folder / f"logs/app.log.{i}")
        (box.folder / f"logs/app.log.{i}").unlink()
        log.write_text("")
    assert scrape(exporter).value("app_lines_total") == 20


def rotate(box, log, how, number):
    old = box.folder / f"logs/app.log.{number}"
    if how == "rename":
        log.rename(old)
    else:
        old.write_bytes(log.read_bytes())
        os.truncate(log, 0)


def test_kill_and_rotation_lose_and_repeat_nothing(box):
    """A writer that never pauses but for rotations, an exporter that is killed again and again: every line once."""
    log = box.write("logs/app.log", "")
    path = config(box, f"{box.folder}/logs/app.log")
    exporter = box.start(Exporter, path)
    dice, written, seen = random.Random(7), [0], []
    pause, done = threading.Lock(), threading.Event()

    def write():
        while not done.is_set():
            with pause, log.open("ab", buffering=0) as f:
                for _ in range(dice.randrange(1, 40)):
                    line = f"2026-11-22T20:00:00.{written[0]:09d} n={written[0]} {'x' * (written[0] % 90)}\n".encode()
                    cut = written[0] % len(line)
                    f.write(line[:cut])
                    f.write(line[cut:])
                    written[0] += 1
            time.sleep(0.002)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for i in range(8):
            time.sleep(0.15)
            seen.append(scrape(exporter).value("app_lines_total") or 0)
            time.sleep(0.05)
            if i % 2 == 0:
                exporter.kill()
            with pause:
                rotate(box, log, "copy" if i % 4 >= 2 else "rename", i)
            if i % 2 == 0:
                exporter.start()
    finally:
        done.set()
        writer.join()
    wait_for("caught up", lambda: seen.append(scrape(exporter).value("app_lines_total")) or seen[-1] >= written[0])
    assert seen == sorted(seen), f"a counter went back: {seen}"
    assert seen[-1] == written[0]
    exporter.kill()
    exporter.start()
    assert scrape(exporter).value("app_lines_total") == written[0]


def test_state_that_cannot_be_kept(box):
    """What could be undone by a crash is not shown; the rest of the exporter goes on; and it recovers."""
    box.write("logs/app.log", "n=1\n")
    path = box.write("e.yml", f"logs:\n  - name: app\n    files: {box.folder}/logs/*\n    state: {box.folder}/late/app.state\n"
                     f"    first: beginning\n{RULES}")
    exporter = box.start(Exporter, path)
    m = scrape(exporter, 1)
    assert m.value("tocsin_logs_up") == 0 and not m.find("app_lines_total")
    (box.folder / "late").mkdir()
    assert scrape(exporter).value("app_lines_total") == 1


def test_huge_figures_spoil_no_state(box):
    """Two lines whose figures would be infinite together: they count as lines without one, and what is kept can be read again."""
    log = box.write("logs/app.log", "Slow query: %ss\n" % ("9" * 308) * 2 + "Slow query: 1s\n")
    path = config(box, str(log))
    for _ in range(2):
        exporter = box.start(Exporter, path)
        m = scrape(exporter)
        assert m.value("tocsin_logs_up") == 1 and m.value("app_slow_query_seconds_count") == 1 and m.value("app_slow_query_seconds_sum") == 1
        exporter.stop()


def test_reload_keeps_counts(box):
    log = box.write("logs/app.log", "n=1\nn=2\n")
    path = config(box, f"{box.folder}/logs/*.log")
    exporter = box.start(Exporter, path)
    assert scrape(exporter).value("app_lines_total") == 2
    path.write_text(path.read_text() + "      - { name: app_new_total, help: x, match: 'n=' }\n")
    assert exporter.get("/-/reload", method="POST")[0] == 200
    with log.open("a") as f:
        f.write("n=3\n")
    m = scrape(exporter)
    assert m.value("app_lines_total") == 3 and m.value("app_new_total") == 1


def test_reload_waits_for_no_neighbour(box):
    """F18, C5: the state file passes from the old source to the new one at once, however long others take to end."""
    silent = socket.create_server(("127.0.0.1", 0))
    box.write("logs/app.log", "n=1\n")
    path = config(box, f"{box.folder}/logs/*.log")
    lines = path.read_text()
    broker = f"celery:\n  - {{ name: jobs, url: 'amqp://127.0.0.1:{silent.getsockname()[1]}', timeout: TIMEOUT }}\n"
    path.write_text(broker.replace("TIMEOUT", "4s") + lines)
    exporter = box.start(Exporter, path)
    for i in range(2):
        path.write_text(broker.replace("TIMEOUT", f"{5 + i}s") + lines + f"      - {{ name: app_new{i}_total, help: x, match: 'n=' }}\n")
        reload = threading.Thread(target=exporter.get, args=("/-/reload",), kwargs={"method": "POST"})
        reload.start()
        while reload.is_alive():
            status, _, text = exporter.get("/probe?target=app", headers={"X-Prometheus-Scrape-Timeout-Seconds": "1"})
            assert status == 200 and "tocsin_logs_up 1" in text, text
        reload.join()
    silent.close()


def test_a_file_moved_on_while_the_exporter_is_down_is_found(box):
    """app.log becomes app.log.1, and that app.log.2, with a restart at each: what its writer added in the end counts, nothing is lost. (F6)"""
    log, folder = box.write("logs/app.log", "n=1\n"), box.folder / "logs"
    exporter = box.start(Exporter, config(box, f"['{folder}/*.log']"))
    assert scrape(exporter).value("app_lines_total") == 1
    writer = log.open("a")
    for generation in range(3):
        exporter.kill()
        for number in (2, 1):
            if (folder / f"app.log.{number}").exists():
                (folder / f"app.log.{number}").rename(folder / f"app.log.{number + 1}")
        log.rename(folder / "app.log.1")
        log.write_text("n=2\n")
        writer.write("n=3\n")
        writer.flush()
        exporter.start()
        m = scrape(exporter)
        assert m.value("app_lines_total") == 3 + 2 * generation and m.value("tocsin_logs_files_lost_total") == 0
