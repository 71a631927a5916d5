"""The exporter's own surface: formats, /probe, health, reload, configuration errors, clean stop."""
import concurrent.futures
import gzip
import signal
import subprocess
import urllib.request

import pytest
from exporter_text import Metrics, Silent, scrape
from servers import Exporter, Postgres, binary, wait_for

BAD = """postgres:
  - { name: a, disable: [lcoks], url: 'host=h' }
  - { name: b, urll: x }
  - name: c
    url: 'postgres://u:hush@h:port/%zz'
gauges:
  - { name: g, postgres: nowhere, timeout: soon, queries: [] }
rediss: []
"""


@pytest.fixture
def postgres(box):
    return box.start(Postgres)


@pytest.fixture
def exporter(box, postgres):
    return box.start(Exporter, box.write("exporter.yml", f"postgres: [{{ name: main, url: '{postgres.url()}' }}]\n"))


def test_label_and_probe(exporter):
    all_sources, one = scrape(exporter), scrape(exporter, path="/probe?target=main")
    assert all(had.get("source") == "main" for n, had, _ in all_sources.samples if n.startswith("pg_"))
    assert not [n for n, had, _ in one.samples if "source" in had or n.startswith(("tocsin_exporter", "process_"))]
    assert one.names() >= {"pg_up", "pg_stat_database_xact_commit"}
    assert exporter.get("/probe?target=other")[0] == 404
    assert exporter.get("/probe")[0] == 400


def test_formats(exporter):
    status, headers, text = exporter.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert headers["Content-Type"].startswith("application/openmetrics-text") and text.endswith("# EOF\n")
    assert "# TYPE pg_stat_database_xact_commit unknown\n" in text, "a counter whose name lacks _total keeps its name"
    status, headers, text = exporter.get("/metrics")
    assert headers["Content-Type"].startswith("text/plain") and "# TYPE pg_stat_database_xact_commit counter\n" in text
    request = urllib.request.Request(exporter.url("/metrics"), headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request) as r:
        assert r.headers["Content-Encoding"] == "gzip"
        assert Metrics(gzip.decompress(r.read()).decode()).value("pg_up") == 1


def test_self_metrics(exporter):
    scrape(exporter)
    m = scrape(exporter)
    assert m.find("tocsin_exporter_build_info") and m.find("process_resident_memory_bytes")
    assert m.value("tocsin_exporter_config_last_reload_successful") == 1
    assert m.value("tocsin_exporter_scrape_duration_seconds_count") == 1
    assert m.value("tocsin_exporter_collector_success", source="main", collector="postgres") == 1
    assert m.value("tocsin_exporter_collector_duration_seconds", source="main", collector="postgres") > 0
    assert 0 <= m.value("tocsin_exporter_collector_age_seconds", source="main", collector="postgres") < 60
    assert m.value("tocsin_exporter_collector_dropped_samples", source="main", collector="postgres") == 0


def test_pages(exporter):
    scrape(exporter)
    assert exporter.get("/-/healthy")[0] == 200 and exporter.get("/-/ready")[0] == 200
    status, headers, page = exporter.get("/")
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert '<a href="/probe?target=main">main</a>' in page and "class=up" in page


def test_hundred_scrapes_share_one_connection(exporter, postgres):
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        ups = list(pool.map(lambda _: scrape(exporter).value("pg_up"), range(100)))
    assert ups == [1] * 100
    assert int(postgres.sql("select count(*) from pg_stat_activity where application_name = 'tocsin-exporter'")) <= 2


def test_environment_instead_of_a_file(box, postgres):
    exporter = box.start(Exporter, env={"DATABASE_URL": postgres.url()})
    assert scrape(exporter).value("pg_up", source="postgres") == 1


def test_every_mistake_has_its_place(box):
    path = box.write("bad.yml", BAD)
    done = subprocess.run([binary("tocsin-exporter"), "--config.file", path, "--check-config"], capture_output=True, text=True)
    assert done.returncode == 1
    for at in ["2:26: no collector", "3:16: unknown key", "5:10: not an address", "7:44: ", "8:1: unknown key"]:
        assert f"{path}:{at}" in done.stderr, done.stderr
    assert "hush" not in done.stderr
    done = subprocess.run([binary("tocsin-exporter"), "--config.file", box.folder / "none.yml"], capture_output=True, text=True)
    assert done.returncode == 1 and f"{box.folder}/none.yml: cannot be read: No such file" in done.stderr
    assert subprocess.run([binary("tocsin-exporter"), "--config.file", path], capture_output=True).returncode == 1
    assert subprocess.run([binary("tocsin-exporter"), "--no-such-flag"], capture_output=True).returncode == 2
    for page in ("/probe", "/sd", "/-/reload", "/-/healthy"):
        done = subprocess.run([binary("tocsin-exporter"), "--web.listen-address=127.0.0.1:0", f"--web.telemetry-path={page}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and f"--web.telemetry-path: {page} is another page here" in done.stderr
    for page in ("/", "metrics", "/metrics?x"):
        assert subprocess.run([binary("tocsin-exporter"), f"--web.telemetry-path={page}"], capture_output=True, timeout=60).returncode == 2


def test_reload(box, postgres, exporter):
    path = box.folder / "exporter.yml"
    good = path.read_text()
    scrape(exporter)
    connections = "select string_agg(pid::text, ',' order by pid) from pg_stat_activity where application_name = 'tocsin-exporter'"
    before = postgres.sql(connections)
    path.write_text(BAD)
    status, _, text = exporter.get("/-/reload", data=b"", method="POST")
    assert status == 500 and "2:26: no collector" in text and "hush" not in text
    m = scrape(exporter)
    assert m.value("pg_up", source="main") == 1 and m.value("tocsin_exporter_config_last_reload_successful") == 0
    page = exporter.get("/")[2]
    assert "no collector" in page and "hush" not in page + exporter.process.text()
    path.write_text(good + f"gauges: [{{ name: g, postgres: main, queries: [{{ sql: 'select 7 as value', metrics: [{{ name: seven, help: x }}] }}] }}]\n")
    exporter.process.p.send_signal(signal.SIGHUP)
    wait_for("the gauge", lambda: scrape(exporter).value("seven", source="g") == 7)
    assert scrape(exporter).value("tocsin_exporter_config_last_reload_successful") == 1
    assert set(before.split(",")) <= set(postgres.sql(connections).split(",")), "a source that did not change was disturbed"
    path.write_text(good)
    assert exporter.get("/-/reload", data=b"", method="POST")[0] == 200
    assert not scrape(exporter).find("seven")


def test_stops_at_once(box, postgres):
    with Silent() as silent:
        exporter = box.start(Exporter, box.write("e.yml", f"postgres: [{{ name: silent, url: 'postgres://127.0.0.1:{silent.port}/x', timeout: 10m }}]\n"))
        waiting = subprocess.Popen(["curl", "-s", exporter.url("/metrics")], stdout=subprocess.DEVNULL)
        wait_for("it waits", silent.asked)
        assert exporter.stop() == 0
        waiting.wait(60)
