"""F18, P5: --dry-run prints one collection of every source, --explain what would be asked, and neither leaves anything behind."""
import subprocess

from exporter_text import Metrics
from servers import Exporter, Postgres, Redis, binary, free_port, http


def once(config, *args, **env):
    return subprocess.run([binary("tocsin-exporter"), "--config.file", config, *args], capture_output=True, text=True, timeout=60,
                          env={"PATH": "/usr/bin", **env})


def config(box, postgres, redis, more=""):
    log = box.write("app.log", "ERROR one\n")
    (box.folder / "state").mkdir(exist_ok=True)
    return box.write("all.yml", f"""
postgres: [{{ name: shop, url: '{postgres.url()}' }}]
redis: [{{ name: cache, url: '{redis.url()}', count_keys: ['a*'] }}]
celery: [{{ name: jobs, url: '{redis.url(1)}' }}]
gauges:
  - {{ name: slow, postgres: shop, interval: 1h, queries: [{{ sql: 'select 7 as value', metrics: [{{ name: seven, help: x }}] }}] }}
files: [{{ name: backups, sets: [{{ name: daily, glob: '{box.folder}/*.log' }}] }}]
host: [{{ name: here }}]
probe:
  - {{ name: front, url: 'http://127.0.0.1:{free_port()}/?key=hush' }}
  - {{ name: mail, url: 'tls://127.0.0.1:{free_port()}', starttls: smtp }}
logs:
  - name: app
    files: ['{log}']
    state: {box.folder}/state/app
    first: beginning
    metrics: [{{ name: errors_total, help: x, match: '^ERROR' }}]
{more}""")


def test_dry_run(box):
    """Slow tasks are waited for; a state file is neither made nor changed, also while the exporter itself runs."""
    postgres, redis = box.start(Postgres), box.start(Redis)
    redis.cli("mset", "a1", "x", "a2", "x")
    path = config(box, postgres, redis)
    done = once(path, "--dry-run")
    m = Metrics(done.stdout)
    assert done.returncode == 0, done.stderr
    assert m.value("pg_up", source="shop") == 1 and m.value("redis_up", source="cache") == 1 and m.value("celery_up", source="jobs") == 1
    assert m.find("pg_database_size_bytes", source="shop"), "what is slow too"
    assert m.value("redis_keys_count", source="cache", key="a*") == 2 and m.value("seven", source="slow") == 7
    assert m.value("celery_queue_length", source="jobs", queue_name="celery") == 0
    assert m.value("tocsin_files_count", set="daily") >= 1 and m.find("node_load1") and m.value("probe_success", source="front") == 0
    assert m.value("errors_total", source="app") == 1
    assert not list((box.folder / "state").iterdir())
    exporter = box.start(Exporter, path)
    assert Metrics(exporter.get("/metrics")[2]).value("errors_total") == 1
    before = (box.folder / "state/app").read_text()
    assert Metrics(once(path, "--dry-run").stdout).value("errors_total") == 1
    assert (box.folder / "state/app").read_text() == before


def test_dry_run_of_what_fails(box):
    """One source that is down: the others are shown, and the exit says it."""
    redis = box.start(Redis)
    path = box.write("two.yml", f"redis: [{{ name: here, url: '{redis.url()}' }}, {{ name: gone, url: 'redis://:hush@127.0.0.1:{free_port()}' }}]\n")
    done = once(path, "--dry-run")
    m = Metrics(done.stdout)
    assert done.returncode == 1 and "1 of 2 sources could not be read" in done.stderr and "source=gone" in done.stderr.replace("name=", "source=")
    assert m.value("redis_up", source="here") == 1 and m.value("redis_up", source="gone") == 0
    assert "hush" not in done.stderr + done.stdout
    done = once(box.write("bad.yml", "redis: [{ nam: x }]\n"), "--dry-run")
    assert done.returncode == 1 and "did you mean" in done.stderr and done.stdout == ""


def test_dry_run_of_parts_that_fail(box):
    """A source answers, but a query or a set that a person asked for does not."""
    postgres = box.start(Postgres)
    good = "{ sql: 'select 7 as value', metrics: [{ name: seven, help: x }] }"
    bad = "{ sql: 'select nonsense', metrics: [{ name: eight, help: x }] }"
    for settings, queries, failed in ("", bad, True), ("", f"{good}, {bad}", True), ("interval: 1h, ", f"{bad}, {good}", True), ("", good, False):
        done = once(box.write("q.yml", f"gauges: [{{ name: shop, url: '{postgres.url()}', {settings}queries: [{queries}] }}]\n"), "--dry-run")
        m = Metrics(done.stdout)
        assert done.returncode == failed and m.value("tocsin_gauges_up") == 1, done.stderr
        assert (m.value("seven") == 7) == (good in queries)
        assert ("1 of 1 sources could not be read in full" in done.stderr and "nonsense" in done.stderr) == failed
    for i in range(3):
        box.write(f"many/{i}", "x")
    done = once(box.write("f.yml", f"files: [{{ name: many, max_entries: 2, sets: [{{ name: m, glob: '{box.folder}/many/*' }}] }}]\n"), "--dry-run")
    assert done.returncode == 1 and "max_entries" in done.stderr, done.stderr


def test_explain(box):
    """Nothing listens at any of the addresses, and no secret is shown."""
    class Nowhere:
        def url(self, *_):
            return "redis://:hush@127.0.0.1:1"

    class Shop:
        def url(self):
            return "postgresql://monitor:hush@127.0.0.1:1/shop?application_name=hush"

    path = config(box, Shop(), Nowhere(), """
  - { name: json, files: [/var/log/x], state: x, metrics: [{ name: y_total, help: y, where: { level: ERROR } }] }
modules: [{ name: nodes, allow: ['10[.].*'], redis: { url: 'redis://:hush@{target}' } }]
""")
    done = once(path, "--explain")
    text = " ".join(done.stdout.split())
    assert done.returncode == 0 and done.stderr == ""
    for told in ('postgres "shop" (127.0.0.1:1/shop): pg_up; at most 5s each time (timeout)', "needs a role that may log in and is granted pg_monitor",
                 "wait 100ms for a lock (lock_timeout)", "locks: SELECT", "from 17", "where pg_stat_statements is installed",
                 "+config|get", "+latency|histogram", "every 1m (scan_interval)", "db0=a*", "PSUBSCRIBE", "every 5s (poll_interval)", "seven: select 7 as value",
                 "every 1h (interval)", "daily: ", "errors_total: counter of lines that match", "y_total: counter of JSON lines that match", "GET, with 0 headers",
                 "parts: stat meminfo", "asks for TLS as smtp does (starttls), shakes hands, and nothing more is sent", "?module=nodes&target=", "at most 100 targets", "10[.].*"):
        assert told in text, told
    assert "hush" not in text
