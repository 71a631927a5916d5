"""A real Prometheus beside us: it scrapes both programs and finds what they say, as we do."""
import json
import subprocess
import urllib.parse

from exporter_text import Metrics
from servers import Exporter, Postgres, Process, Redis, free_port, http, wait_for
from watched import EVERY_SECOND, Target, Watch, alert_rule, job


class Prometheus:
    def __init__(self, folder, config):
        self.port = free_port()
        self.process = Process("prometheus", ["prometheus", "--config.file", config, "--storage.tsdb.path", folder / "tsdb", "--web.listen-address",
                                              f"127.0.0.1:{self.port}", "--log.level=warn"], folder)
        self.process.ready(lambda: http(f"http://127.0.0.1:{self.port}/-/ready")[0] == 200)

    def query(self, expr):
        text = http(f"http://127.0.0.1:{self.port}/api/v1/query?" + urllib.parse.urlencode({"query": expr}))[2]
        return [(r["metric"], float(r["value"][1])) for r in json.loads(text)["data"]["result"]]

    def targets(self):
        return json.loads(http(f"http://127.0.0.1:{self.port}/api/v1/targets")[2])["data"]["activeTargets"]

    def stop(self):
        self.process.stop()


def values(rows):
    return sorted((json.dumps({k: v for k, v in m.items() if k != "job"}, sort_keys=True), v) for m, v in rows)


def agree(what, theirs, ours):
    """They are scrapes of two moments, and sessions come and go between: for a condition that is waited for."""
    theirs, ours = what(theirs), what(ours)
    assert theirs == ours, (theirs, ours)
    return True


def test_prometheus_scrapes_both_programs(box):
    """F7, F8: promtool and a real Prometheus accept both programs' metrics; it and our alerter read the same series of the exporter."""
    postgres, redis = box.start(Postgres), box.start(Redis)
    postgres.sql("create database \"odd \\\"name\\\"\"".replace('\\"', '""'))
    exporter = box.start(Exporter, box.write("exporter.yml", f"postgres: [{{ name: main, url: '{postgres.url()}' }}]\n"
                                             f"redis: [{{ name: cache, url: '{redis.url()}' }}]\ncelery: [{{ name: jobs, url: '{redis.url()}' }}]\n"))
    target = box.start(Target, text="broken 1\n")
    watch = Watch(box, [job("tocsin", exporter, **EVERY_SECOND), job("app", target)], [alert_rule("Broken", "broken == 1")])
    jobs = [("exporter", exporter.port, "/metrics", ""), ("alerter", watch.program.port, "/metrics", ""), ("bare", exporter.port, "/probe", "params: { target: [main] }")]
    config = box.write("prometheus.yml", "global: { scrape_interval: 1s, scrape_timeout: 1s }\nscrape_configs:\n" + "".join(
        f"  - job_name: {name}\n    metrics_path: {path}\n    static_configs: [{{ targets: ['127.0.0.1:{port}'] }}]\n" + (f"    {more}\n" if more else "")
        for name, port, path, more in jobs))
    prometheus = box.start(Prometheus, config)
    for program in (exporter, watch.program):
        done = subprocess.run(["promtool", "check", "metrics"], input=program.get("/metrics")[2], capture_output=True, text=True)
        assert done.returncode in (0, 3), done.stderr     # 3: names that are a matter of taste (they are the replaced exporters'); 1: not readable
    wait_for("all three are up", lambda: sorted(r["job"] for r, v in prometheus.query("up == 1")) == ["alerter", "bare", "exporter"])
    wait_for("and stay up", lambda: all(v >= 3 for _, v in prometheus.query("count_over_time(up[1m])")) and min(v for _, v in prometheus.query("min_over_time(up[1m])")) == 1)
    assert [t["lastError"] for t in prometheus.targets()] == ["", "", ""]
    assert "openmetrics" in exporter.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})[1]["Content-Type"]

    def names(rows):
        return {(m["__name__"], m.get("source"), m.get("datname")) for m, _ in rows}
    wait_for("both have the same series", lambda: agree(names, prometheus.query('{job="exporter"}'), watch.query('{job="tocsin"}')))
    assert len(names(watch.query('{job="tocsin"}'))) > 100
    for expr in ('count({job="%s", __name__=~"pg_.*"})', 'count({job="%s", __name__=~"redis_.*"})', 'pg_settings_max_connections{job="%s"}',
                 'count by (mode) (pg_locks_count{job="%s", datname="postgres"})', 'pg_static{job="%s"}'):
        wait_for(expr, lambda: agree(values, prometheus.query(expr % "exporter"), watch.query(expr % "tocsin")))
    samples = 'scrape_samples_scraped{job="exporter"}'
    wait_for("what one reads is what the other serves", lambda: prometheus.query(samples)[0][1] == len(Metrics(exporter.get("/metrics")[2]).samples))
    assert {v for _, v in prometheus.query('scrape_samples_scraped{job="exporter"} - scrape_samples_post_metric_relabeling')} == {0}
    assert not [m for m, _ in prometheus.query('{job="bare"}') if "source" in m], "/probe serves one source without the label"
    assert prometheus.query('tocsin_alerts{state="firing"}')[0][1] == 1
