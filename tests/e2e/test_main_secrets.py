"""Secrets come from the environment or a file and show nowhere: logs, metrics, pages, APIs, configuration, command line."""
import os
import subprocess
from pathlib import Path

from servers import Alerter, Exporter, Postgres, Redis, binary
from watched import Statuspage, Target, Watch, Webhook, alert_rule, job

WORDS = ["s3cr3t-" + w for w in ("pgpw", "redispw", "bearer", "basic", "apikey", "hookpath", "query", "statuspage")]


def seen(program, folder):
    """All that one can see of a running program."""
    out = [Path(f"/proc/{program.process.pid}/cmdline").read_text(), program.process.text()]
    for path in ("/", "/metrics", "/probe?target=postgres", "/api/v1/status/config", "/api/v1/targets", "/api/v1/outbox", "/api/v1/history", "/api/v1/rules",
                 "/api/v1/alerts", "/api/v1/status/runtimeinfo"):
        out.append(program.get(path)[2])
    return out


def test_exporter_hides_what_it_logs_in_with(box):
    """C3, F7: passwords in DATABASE_URL, REDIS_URL and a gauge's headers are in nothing one can see, also when the servers are down or refuse."""
    pgpw, redispw, bearer = WORDS[:3]
    postgres, redis, http = box.start(Postgres), box.start(Redis, [f"--requirepass {redispw}"]), box.start(Target, text='{"users": 3}')
    postgres.sql(f"create role watcher login password '{pgpw}'")
    hba = postgres.folder / "data/pg_hba.conf"
    hba.write_text("host all watcher 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
    postgres.sql("select pg_reload_conf()")
    box.write("token", bearer + "\n").chmod(0o600)
    config = box.write("exporter.yml", f"""
postgres: [{{ name: postgres, url: '${{DATABASE_URL}}' }}]
redis: [{{ name: redis, url: '${{REDIS_URL}}' }}]
gauges:
  - name: api
    url: 'http://127.0.0.1:{http.port}/'
    headers: ['Authorization: Bearer ${{TOKEN}}']
    queries: [{{ name: users, path: '', metrics: [{{ name: app_users, help: x, value: /users }}] }}]
""")
    env = {"DATABASE_URL": f"postgresql://watcher:{pgpw}@127.0.0.1:{postgres.port}/postgres", "REDIS_URL": f"redis://:{redispw}@127.0.0.1:{redis.port}/0", "TOKEN": bearer}
    exporter = box.start(Exporter, config, env=env)
    text = exporter.get("/metrics")[2]
    for line in ('pg_up{source="postgres"} 1', 'redis_up{source="redis"} 1', 'app_users{source="api"} 3'):
        assert f"\n{line}\n" in text, text[:3000]
    assert http.headers[-1]["Authorization"] == f"Bearer {bearer}"
    pages = seen(exporter, box.folder)
    postgres.sql("alter role watcher password 'other'; select pg_terminate_backend(pid) from pg_stat_activity where usename = 'watcher'")
    redis.stop()
    http.answer = 401
    text = exporter.get("/metrics")[2]
    assert 'pg_up{source="postgres"} 0' in text and 'redis_up{source="redis"} 0' in text
    pages += seen(exporter, box.folder)
    config.write_text(config.read_text() + "rediss: []\n")
    pages.append(exporter.get("/-/reload", data=b"", method="POST")[2])
    done = subprocess.run([binary("tocsin-exporter"), "--config.file", config, "--check-config"], env={**os.environ, **env}, capture_output=True, text=True)
    assert done.returncode == 1
    pages += [done.stdout, done.stderr] + seen(exporter, box.folder)
    for word in WORDS:
        assert not [p for p in pages if word in p], word


def test_alerter_hides_tokens_and_addresses(box):
    """F14: bearer tokens, passwords, API keys and webhook addresses are in nothing one can see, also when receivers and targets fail."""
    bearer, basic, apikey, hookpath, query, statuspage = WORDS[2:]
    targets, hook, page = [box.start(Target, text="broken 1\n") for _ in range(2)], Webhook(), Statuspage(key=statuspage)
    box.started += [hook, page]
    box.write("token", bearer + "\n").chmod(0o600)
    watch = Watch(box, [
        job("app", targets[0], authorization={"credentials_file": "token"}, params={"key": [query]}),
        job("login", targets[1], basic_auth={"username": "u", "password": basic}),
    ], [alert_rule("Broken", "broken == 1")], start=False, receiver={
        "webhook_configs": [{"url": f"{hook.url}/{hookpath}", "http_config": {"authorization": {"credentials": apikey}}, "timeout": "1s"}],
        "statuspage_configs": [{"api_url": page.url, "page_id": page.page_id, "api_key": statuspage}]})
    hook.misbehave({"status": 500, "error": "no"}, {"reset": True})
    page.misbehave({"status": 401, "method": "POST"})
    watch.program = box.start(Alerter, watch.path, ["--storage.path", box.folder / "data", "--log.level", "debug"])
    hook.wait_for(lambda h: h.accepted)
    page.wait_for(lambda p: not p.script)
    assert hook.accepted[0]["headers"]["authorization"] == f"Bearer {apikey}" and hook.accepted[0]["path"] == f"/{hookpath}"
    assert targets[0].headers[-1]["Authorization"] == f"Bearer {bearer}" and targets[1].headers[-1]["Authorization"].startswith("Basic ")
    pages = seen(watch.program, box.folder)
    assert "<secret>" in watch.data("/api/v1/status/config")["yaml"]
    for t in targets:
        t.down()
    hook.stop()
    watch.until("both are down", lambda: {t["health"] for t in watch.data("/api/v1/targets")["activeTargets"]} == {"down"})
    watch.path.write_text(watch.path.read_text().replace('"route"', '"routes"'))
    pages.append(watch.program.get("/-/reload", data=b"", method="POST")[2])
    pages += seen(watch.program, box.folder)
    done = subprocess.run([binary("tocsin-alerter"), "check", "config", watch.path], capture_output=True, text=True)
    pages += [done.stdout, done.stderr]
    for word in WORDS:
        if word != query:       # a parameter of the address that is scraped is no secret to Prometheus either; targets show it
            assert not [p for p in pages if word in p], word
    kept = b"".join(p.read_bytes() for p in (box.folder / "data").rglob("*") if p.is_file())
    assert b"Broken" in kept and not [w for w in WORDS if w.encode() in kept], "nor in the state on disk"
    assert (box.folder / "data").stat().st_mode & 0o007 == 0, "which nobody else may read"
