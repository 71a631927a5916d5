"""P5, M6: targets that the scraper names, and service discovery: /probe?module=, /sd, as Prometheus uses them."""
import json
import subprocess
from urllib.parse import quote

from exporter_text import Json, Metrics, scrape
from servers import Exporter, Postgres, Redis, RedisCluster, binary, free_port, wait_for
from test_main_prometheus import Prometheus

PASSWORD = "hush-hush"


def clients(redis):
    return redis.cli("--no-auth-warning", "-a", PASSWORD, "client", "list").count("name=tocsin_exporter")


def probe(exporter, module, target):
    status, _, text = exporter.get("/probe?" + f"module={module}&target=" + quote(target, safe=""))
    return status, Metrics(text) if status == 200 else text


def test_modules(box):
    """What the configuration allows is asked with its settings, what it does not is refused without a connection."""
    one, two = (box.start(Redis, [f"--requirepass {PASSWORD}"]) for _ in range(2))
    postgres = box.start(Postgres)
    with Json({"/health?a=1": {"up": 1}}) as site:
        allowed = f"127\\.0\\.0\\.1:({one.port}|{two.port}|{site.port}|{free_port()})"
        exporter = box.start(Exporter, box.write("e.yml", f"""
modules:
  - {{ name: redis, allow: ['{allowed}'], max_targets: 2, idle: 10s, redis: {{ url: 'redis://{{target}}', password_file: {box.write('pw', PASSWORD)} }} }}
  - {{ name: redis_url, allow: ['redis://{allowed}'], redis: {{ url: '{{target}}', password: '{PASSWORD}' }} }}
  - {{ name: http_2xx, allow: ['http://{allowed}/.*'], probe: {{ url: '{{target}}' }} }}
  - {{ name: any_host, allow: ['.*'], probe: {{ url: 'http://user:{PASSWORD}@{{target}}/health?a=1' }} }}
  - {{ name: databases, allow: ['127[.]0[.]0[.]1:{postgres.port}'], postgres: {{ url: 'postgres://postgres@{{target}}/postgres' }} }}
  - {{ name: servers, allow: ['.*'], postgres: {{ url: 'postgres://postgres:{PASSWORD}@{{target}}/postgres' }} }}
  - {{ name: server_urls, allow: ['.*'], postgres: {{ url: '{{target}}' }} }}
  - {{ name: any_url, allow: ['.*'], redis: {{ url: '{{target}}' }} }}
  - {{ name: any_figure, allow: ['.*'], gauges: {{ url: '{{target}}', queries: [{{ sql: select 1 as one, metrics: [{{ name: one, help: x, value: one }}] }}] }} }}
  - {{ name: any_page, allow: ['.*'], probe: {{ url: '{{target}}' }} }}
  - {{ name: figures, allow: ['{allowed}'], gauges: {{ url: 'http://{{target}}', queries: [{{ path: '/health?a=1', metrics: [{{ name: up_x, help: x, value: /up }}] }}] }} }}
"""))
        for redis in (one, two):
            status, m = probe(exporter, "redis", f"127.0.0.1:{redis.port}")
            assert m.value("redis_up") == 1 and not [n for n, had, _ in m.samples if "source" in had]
        assert probe(exporter, "redis_url", f"redis://127.0.0.1:{one.port}")[1].value("redis_up") == 1
        assert probe(exporter, "http_2xx", f"http://127.0.0.1:{site.port}/health?a=1")[1].value("probe_success") == 1
        assert probe(exporter, "any_host", f"127.0.0.1:{site.port}")[1].value("probe_success") == 1
        assert probe(exporter, "databases", f"127.0.0.1:{postgres.port}")[1].value("pg_up") == 1
        assert probe(exporter, "figures", f"127.0.0.1:{site.port}")[1].value("up_x") == 1
        asked = len(site.headers)
        # A list of hosts, a socket, no host at all, parameters that name a host: what would go elsewhere than the pattern's end says.
        evil = [("servers", t) for t in (f"127.0.0.1:1,127.0.0.1:{postgres.port}", "%2Ftmp:1", "/tmp", f":{postgres.port}", "[::1", "a[::1]:1", "x:1:2", "x%41:1")]
        evil += [("server_urls", t) for t in ("postgres://127.0.0.1:1,127.0.0.1/x", f"postgres://x/x?host=127.0.0.1&port={postgres.port}", "postgres:///x", "host=127.0.0.1",
                                              "postgres://%2Ftmp/x")]
        evil += [("any_url", t) for t in ("unix:///tmp/x", "redis://x?ssl_cert_reqs=none")] + [("any_figure", f"postgres://x/x?host=127.0.0.1&port={postgres.port}"), ("any_page", "http:///x"), ("any_page", "http://a,b/"), ("any_page", "http://%61/")]
        assert probe(exporter, "servers", f"[::1]:{postgres.port}")[0] == probe(exporter, "servers", "localhost")[0] == 200
        for module, target in [("redis", f"127.0.0.1:{free_port() + 1}"), ("redis_url", f"redis://user@127.0.0.1:{one.port}"), ("any_host", "evil@127.0.0.1:1"),
                               ("any_host", f"127.0.0.1:{site.port}/other"), ("any_host", f"127.0.0.1:{site.port}?x=${{HOME}}"), ("any_host", "${HOME}"),
                               ("any_host", "a b"), ("any_host", "x" * 2000), ("http_2xx", f"http://127.0.0.1:{site.port}@evil/"), ("any_host", "\0")] + evil:
            status, text = probe(exporter, module, target)
            assert status == 403 and "does not allow" in text, (module, target, status, text)
        assert len(site.headers) == asked, "nobody was asked"
        assert probe(exporter, "nothing", "x")[0] == 404 and exporter.get("/probe?module=redis")[0] == 400
        # A third target has to wait until one was idle for ten seconds; then its connection is closed.
        third = allowed.rsplit("|", 1)[1].rstrip(")")
        probe(exporter, "redis", f"127.0.0.1:{one.port}")
        probe(exporter, "redis", f"127.0.0.1:{two.port}")
        status, text = probe(exporter, "redis", f"127.0.0.1:{third}")
        assert status == 503 and "max_targets" in text
        m = scrape(exporter)
        assert m.value("tocsin_exporter_module_targets", module="redis") == 2 and m.value("tocsin_exporter_module_targets", module="figures") == 1
        assert m.value("tocsin_exporter_targets_refused_total", reason="not_allowed") == 10 + len(evil)
        assert m.value("tocsin_exporter_targets_refused_total", reason="too_many") == 1
        wait_for("idle ones are let go", lambda: clients(two) == 0)
        assert probe(exporter, "redis", f"127.0.0.1:{third}")[1].value("redis_up") == 0
        assert f'name=redis/127.0.0.1:{third} err="connect to 127.0.0.1:{third}: Connection refused"' in exporter.process.text()
        # A module that a reload changes is asked anew, one that it leaves alone keeps its connection.
        path = box.folder / "e.yml"
        wait_for("one of the other module is left", lambda: clients(one) == 1)
        path.write_text(path.read_text().replace("name: redis_url, allow:", "name: other, allow:"))
        assert exporter.get("/-/reload", data=b"", method="POST")[0] == 200
        assert probe(exporter, "redis_url", f"redis://127.0.0.1:{one.port}")[0] == 404
        wait_for("its connection is closed", lambda: clients(one) == 0)
        shown = exporter.process.text() + exporter.get("/")[2] + exporter.get("/metrics")[2]
        assert PASSWORD not in shown


def test_mistakes_in_modules(box):
    path = box.write("bad.yml", """modules:
  - { name: a, allow: ['['], redis: { url: 'redis://{target}' } }
  - { name: b, allow: [x], redis: { url: 'redis://fixed' } }
  - { name: c, allow: [x], redis: { url: '{target}' }, probe: { url: '{target}' } }
  - { name: d, allow: [x], probe: { url: 'ftp://{target}' } }
  - { name: e, allow: [x], redis: { url: '{target}', scan_intervall: 1m } }
  - { name: f, redis: { url: '{target}' } }
  - { name: g, allow: [x], redis: { url: '{target}', name: x } }
""")
    done = subprocess.run([binary("tocsin-exporter"), "--config.file", path, "--check-config"], capture_output=True, text=True)
    assert done.returncode == 1
    for said in (":2:25: missing ]", ":3:35: url must be there and hold {target}", ":4:5: a module has one of", ":5:", "none of http://", "did you mean \"scan_interval\"",
                 "\"allow\" is missing", "have no name"):
        assert said in done.stderr, (said, done.stderr)


def test_prometheus_discovers_sources_and_nodes(box):
    """/sd names the sources, /sd?nodes_of= the nodes of a cluster, also while the one that is configured is down; Prometheus asks each through /probe, and keeps
    what it has while the cluster is gone."""
    cluster, alone = box.start(RedisCluster, 0, 2000), box.start(Redis)
    ports = sorted(n.port for n in cluster.nodes)
    exporter = box.start(Exporter, box.write("e.yml", f"""
redis: [{{ name: sessions, url: 'redis://127.0.0.1:{ports[0]}' }}, {{ name: alone, url: '{alone.url()}' }}]
files: [{{ name: backups, sets: [{{ glob: /none/* }}] }}]
modules: [{{ name: node, allow: ['127\\.0\\.0\\.1:\\d+'], redis: {{ url: 'redis://{{target}}' }} }}]
"""))
    assert [g["targets"] for g in exporter.json("/sd?kind=files")] == [["backups"]] and exporter.json("/sd?kind=celery") == []
    assert exporter.get("/sd?kind=file")[0] == 400, "Prometheus would take an empty list for an answer"
    assert {g["labels"]["__meta_tocsin_kind"] for g in exporter.json("/sd")} == {"redis", "files"}
    groups = exporter.json("/sd?nodes_of=sessions")
    assert sorted(g["targets"][0] for g in groups) == [f"127.0.0.1:{p}" for p in ports]
    assert {g["labels"]["__meta_tocsin_role"] for g in groups} == {"master"}
    assert exporter.get("/sd?nodes_of=backups")[0] == 400 and exporter.get("/sd?nodes_of=none")[0] == 404
    status, _, text = exporter.get("/sd?nodes_of=alone")
    assert status == 502 and "cluster support disabled" in text
    relabel = """
    relabel_configs:
      - { source_labels: [__address__], target_label: __param_target }
      - { source_labels: [__param_target], target_label: instance }
      - { target_label: __address__, replacement: '127.0.0.1:%d' }
""" % exporter.port
    prometheus = box.start(Prometheus, box.write("prometheus.yml", f"""
global: {{ scrape_interval: 1s, scrape_timeout: 1s }}
scrape_configs:
  - job_name: sources
    metrics_path: /probe
    http_sd_configs: [{{ url: '{exporter.url('/sd')}', refresh_interval: 1s }}]
{relabel}
  - job_name: nodes
    metrics_path: /probe
    params: {{ module: [node] }}
    http_sd_configs: [{{ url: '{exporter.url('/sd?nodes_of=sessions')}', refresh_interval: 1s }}]
{relabel}"""))
    wait_for("all are up", lambda: len(prometheus.query('redis_up{job="nodes"} == 1')) == 3 and len(prometheus.query('up{job="sources"} == 1')) == 3)
    assert {m["instance"] for m, _ in prometheus.query('redis_up{job="nodes"}')} == {f"127.0.0.1:{p}" for p in ports}
    assert {m["instance"] for m, _ in prometheus.query('{__name__=~"redis_up|tocsin_files_up", job="sources"}')} == {"sessions", "alone", "backups"}
    next(n for n in cluster.nodes if n.port == ports[0]).stop()
    wait_for("the node is seen down", lambda: prometheus.query(f'redis_up{{job="nodes", instance="127.0.0.1:{ports[0]}"}} == 0'))
    groups = exporter.json("/sd?nodes_of=sessions")     # the others are asked, who were told before
    assert sorted(g["targets"][0] for g in groups) == [f"127.0.0.1:{p}" for p in ports]
    wait_for("its failure is told", lambda: {g["targets"][0]: g["labels"]["__meta_tocsin_failed"] for g in exporter.json("/sd?nodes_of=sessions")}[f"127.0.0.1:{ports[0]}"] == "1")
    for node in cluster.nodes:
        node.stop()
    assert exporter.get("/sd?nodes_of=sessions")[0] == 502
    wait_for("all are asked still", lambda: len(prometheus.query('redis_up{job="nodes"}')) == 3)
