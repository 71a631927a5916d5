"""P5, F7, F8, F9, O3, M1: sources that are dead, silent, slow, talk garbage or never stop, beside sources that are well: /metrics answers within its
deadline with everything else in it."""
import concurrent.futures
import datetime
import os
import re
import threading

from exporter_text import Dead, Json, Silent, scrape
from raw import Talker
from servers import Exporter, Postgres, Redis, hang_up, http, wait_for
from test_exporter_probe import Site, certificate

GB = 1 << 30


def flood(head):
    def say(connection):
        connection.sendall(head)
        for _ in range(GB >> 16):
            connection.sendall(b"x" * 65536)
    return say


def drip(head):
    """A byte now and then: never silent, never done."""
    def say(connection):
        connection.sendall(head)
        while True:
            connection.sendall(b"1")
            threading.Event().wait(0.1)
    return say


HTTP_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % GB
GARBAGE = bytes(range(256)) * 16

SICK = {                        # name: (kind, scheme, what the server says; None: nothing listens; "": silence)
    "pg-dead": ("postgres", "postgres", None), "pg-silent": ("postgres", "postgres", ""), "pg-garbage": ("postgres", "postgres", lambda c: c.sendall(GARBAGE)),
    "pg-flood": ("postgres", "postgres", flood(b"NR" + b"\x3f\xff\xff\xff")), "pg-drip": ("postgres", "postgres", drip(b"N")),
    "redis-dead": ("redis", "redis", None), "redis-silent": ("redis", "redis", ""), "redis-garbage": ("redis", "redis", lambda c: c.sendall(GARBAGE)),
    "redis-flood": ("redis", "redis", flood(b"+OK\r\n$%d\r\n" % GB)), "redis-drip": ("redis", "redis", drip(b"+OK\r\n$1000000\r\n")),
    "redis-many": ("redis", "redis", flood(b"+OK\r\n*%d\r\n" % GB)), "rediss-garbage": ("redis", "rediss", lambda c: c.sendall(GARBAGE)),
    "celery-dead": ("celery", "redis", None), "celery-silent": ("celery", "redis", ""), "celery-garbage": ("celery", "redis", lambda c: c.sendall(GARBAGE)),
    "json-dead": ("gauges", "http", None), "json-silent": ("gauges", "http", ""), "json-garbage": ("gauges", "http", lambda c: c.sendall(GARBAGE)),
    "json-flood": ("gauges", "http", flood(HTTP_HEAD)), "json-drip": ("gauges", "http", drip(HTTP_HEAD)),
    "json-headers": ("gauges", "http", flood(b"HTTP/1.1 200 OK\r\nX: ")), "https-garbage": ("gauges", "https", lambda c: c.sendall(GARBAGE)),
    "probe-dead": ("probe", "http", None), "probe-silent": ("probe", "http", ""), "probe-garbage": ("probe", "http", lambda c: c.sendall(GARBAGE)),
    "probe-flood": ("probe", "http", flood(HTTP_HEAD)), "probe-drip": ("probe", "http", drip(HTTP_HEAD)), "tls-garbage": ("probe", "tls", lambda c: c.sendall(GARBAGE)),
}
UP = {"postgres": "pg_up", "redis": "redis_up", "celery": "celery_up", "gauges": "tocsin_gauges_up", "probe": "probe_success"}
MORE = {"gauges": ", queries: [{ path: /, metrics: [{ name: never, help: x }] }]"}


def peak_kb(exporter):
    with open(f"/proc/{exporter.process.pid}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1])


def test_sick_sources_beside_well_ones(box):
    postgres, redis = box.start(Postgres), box.start(Redis)
    log = box.write("app.log", "ERROR x\n")
    lines = {kind: [] for kind in UP}
    with Silent() as silent, Json({"/": {"value": 5}}) as site:
        upstreams = []
        for name, (kind, scheme, say) in SICK.items():
            upstreams.append(Dead() if say is None else silent if say == "" else Talker(say))
            lines[kind].append(f"{{ name: {name}, url: '{scheme}://127.0.0.1:{upstreams[-1].port}', timeout: 5m{MORE.get(kind, '')} }}")
        lines["postgres"].append(f"{{ name: well-pg, url: '{postgres.url()}' }}")
        lines["redis"].append(f"{{ name: well-redis, url: '{redis.url()}' }}")
        lines["celery"].append(f"{{ name: well-celery, url: '{redis.url(1)}' }}")
        lines["gauges"].append(f"{{ name: well-json, url: 'http://127.0.0.1:{site.port}', queries: [{{ path: /, metrics: [{{ name: fine, help: x, value: /value }}] }}] }}")
        config = "".join(f"{kind}:\n" + "".join(f"  - {line}\n" for line in of) for kind, of in lines.items())
        config += (f"files: [{{ name: well-files, sets: [{{ name: logs, glob: '{log}' }}] }}]\nhost: [{{ name: well-host }}]\nlogs:\n  - name: well-logs\n"
                   f"    files: ['{log}']\n    state: {box.folder}/state\n    first: beginning\n    metrics: [{{ name: errors_total, help: x, match: ERROR }}]\n")
        exporter = box.start(Exporter, box.write("e.yml", config))

        def all_is_said(timeout):
            m = scrape(exporter, timeout)
            for name, (kind, _, _) in SICK.items():
                if kind == "gauges":        # what answers is up, and its query failed
                    assert m.value("tocsin_gauges_up", source=name) == 0 or m.value("tocsin_gauges_collector_success", source=name, query="never") == 0, name
                else:
                    assert m.value(UP[kind], source=name) == 0, name
            assert m.value("pg_up", source="well-pg") == 1 and m.find("pg_stat_database_xact_commit", source="well-pg")
            assert m.value("redis_up", source="well-redis") == 1 and m.value("celery_up", source="well-celery") == 1
            assert m.value("fine", source="well-json") == 5 and m.value("tocsin_files_count", set="logs") == 1
            assert m.find("node_load1", source="well-host") and m.value("errors_total", source="well-logs") == 1
            return m

        wait_for("all is said", lambda: all_is_said(2))
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            pages = list(pool.map(lambda _: scrape(exporter, 3), range(100)))
        assert len(pages) == 100
        wait_for("all is said", lambda: all_is_said(3))
        assert peak_kb(exporter) < GB // 2048, "a reply of 1 GB is not held"
        page = exporter.get("/")[2]
        for name in SICK:
            assert f">{name}</a>" in page
        assert "a header is larger than 100 KB" in exporter.process.text() and "Out of memory" not in exporter.process.text()
        # An outage is one line, not one a scrape.
        for name in ("pg-dead", "redis-dead", "json-dead"):
            assert len([line for line in exporter.process.text().splitlines() if f"name={name}" in line.replace("source=", "name=")]) <= 2, name
        assert exporter.stop() == 0
        for upstream in upstreams:
            hang_up(upstream.socket)


def test_a_certificate_is_replaced(box):
    """F11, M6: the next probe tells the new one's dates, and a new authority is read with a reload."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    days = {name: now + datetime.timedelta(days=n) for name, n in (("old", 5), ("new", 90))}
    for name, until in days.items():
        certificate(box.folder, name, now - datetime.timedelta(days=1), until)
    trusted = box.write("trusted.pem", (box.folder / "old.crt").read_text())
    with Site(box.folder / "old.pem") as site:
        exporter = box.start(Exporter, box.write("e.yml", f"probe: [{{ name: site, url: 'https://127.0.0.1:{site.port}/ping', ca_file: {trusted} }}]\n"))
        m = scrape(exporter)
        assert m.value("probe_success") == 1 and m.value("probe_ssl_earliest_cert_expiry") == days["old"].timestamp()
        site.server.socket.context.load_cert_chain(box.folder / "new.pem")
        m = scrape(exporter)
        assert m.value("probe_success") == 0 and m.value("tocsin_probe_failed", reason="tls") == 1, "nobody trusts it yet"
        assert m.value("probe_ssl_earliest_cert_expiry") == days["new"].timestamp()
        trusted.write_text((box.folder / "new.crt").read_text())
        assert scrape(exporter).value("probe_success") == 1


def test_a_log_is_rotated_in_the_middle_of_a_line(box):
    """F6, O6: what was begun before is finished in the file that was moved, and counts once, in whatever order it is seen; also over kill -9."""
    log = box.write("logs/app.log", "")
    path = box.write("e.yml", f"logs:\n  - name: app\n    files: ['{log}']\n    state: {box.folder}/state\n    first: beginning\n"
                     "    metrics: [{ name: lines_total, help: x, match: 'line', labels: { n: $1 } }]\n".replace("'line'", "'line ([0-9])'"))
    exporter = box.start(Exporter, path)

    def seen():
        m = scrape(exporter)
        return {had["n"]: v for had, v in m.find("lines_total") if had.get("n") != "other"}

    writer = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.write(writer, b"line 1\nline")
    assert seen() == {"1": 1}
    log.rename(box.folder / "logs/app.log.1")
    log.write_text("line 3\n")
    assert seen() == {"1": 1, "3": 1}
    os.write(writer, b" 2\n")
    assert seen() == {"1": 1, "2": 1, "3": 1}
    os.write(writer, b"line 4\nline")
    exporter.kill()
    os.write(writer, b" 5\n")
    exporter.start()
    assert seen() == {"1": 1, "2": 1, "3": 1, "4": 1, "5": 1}
    os.close(writer)


def test_the_scrapers_timeout_counts(box):
    """Whatever a scraper sends as its timeout: a number is kept to, anything else is none."""
    with Silent() as silent:
        exporter = box.start(Exporter, box.write("e.yml", f"redis: [{{ name: silent, url: 'redis://127.0.0.1:{silent.port}', timeout: 10m }}, {{ name: s2, url: 'redis://127.0.0.1:{silent.port}', timeout: 100ms }}]\n"))
        for sent in ("0.5", "5e-1", " 0.5 "):
            status, _, text = http(exporter.url("/metrics"), headers={"X-Prometheus-Scrape-Timeout-Seconds": sent})
            assert status == 200 and 'redis_up{source="silent"} 0' in text
        for sent in ("", "x", "-1", "0", "nan", "1,2"):
            status, _, text = http(exporter.url("/probe?target=s2"), headers={"X-Prometheus-Scrape-Timeout-Seconds": sent})
            assert status == 200 and "redis_up 0" in text


def test_a_source_that_hangs_holds_up_nobody(box):
    """A file on a server that is gone hangs whoever opens it, and nothing interrupts that; here it is a FIFO nobody writes to."""
    redis, other = box.start(Redis, ["--requirepass", "hush"]), box.start(Redis)
    secret = box.write("secret", "hush\n")
    well = f"redis:\n  - {{ name: well, url: '{other.url()}' }}\n"
    config = box.write("e.yml", well + f"  - {{ name: hangs, url: 'redis://127.0.0.1:{redis.port}', password_file: {secret} }}\n")
    exporter = box.start(Exporter, config)
    assert [v for _, v in scrape(exporter).find("redis_up")] == [1, 1]
    secret.unlink()
    os.mkfifo(secret)
    redis.cli("-a", "hush", "--no-auth-warning", "client", "kill", "type", "normal", "skipme", "yes")
    m = wait_for("it hangs", lambda: next((m for m in [scrape(exporter, 2)] if m.value("redis_up", source="hangs") == 0), None))
    assert m.value("redis_up", source="well") == 1 and m.find("redis_memory_used_bytes", source="well")
    process = exporter.process
    config.write_text(well)
    assert exporter.get("/-/reload", data=b"", method="POST", timeout=60)[0] == 200     # waits for it some seconds, and goes on without
    assert 'it is left behind" source=hangs' in process.text()
    assert [labels["source"] for labels, _ in scrape(exporter).find("redis_up")] == ["well"]
    assert exporter.stop() == 1         # nothing that hangs is waited for again
