"""F5, F17, O2, P3: business figures from SQL, Redis and JSON."""
from exporter_text import Json, Silent, scrape
from servers import Exporter, Postgres, Redis, wait_for


def test_sql(box):
    postgres = box.start(Postgres)
    postgres.sql("create table users (role text, changed timestamptz); insert into users values ('admin', now()), ('user', now()), ('user', null);"
                 "create table opportunities (id int);")
    exporter = box.start(Exporter, box.write("e.yml", f"""
postgres: [{{ name: main, url: '{postgres.url()}' }}]
gauges:
  - name: business
    postgres: main
    queries:
      - sql: select count(*) as n, max(id) as top from opportunities
        metrics:
          - {{ name: opportunities, help: Open ones., value: n }}
          - {{ name: opportunity_top, help: Newest., value: top, null: zero }}
          - {{ name: opportunity_maybe, help: Newest., value: top }}
      - sql: select role, count(*) as n, count(changed) as changed from users group by role
        metrics:
          - {{ name: users, help: By role., value: n, labels: [role] }}
          - {{ name: role_changes, help: By role., value: changed, labels: {{ who: role }} }}
      - sql: delete from users returning 1 as value
        metrics: [{{ name: deleted, help: Never. }}]
      - sql: select nonsense
        metrics: [{{ name: wrong, help: Never. }}]
"""))
    m = scrape(exporter)
    assert m.value("opportunities", source="business") == 0
    assert m.value("opportunity_top") == 0 and m.value("opportunity_maybe") is None
    assert m.value("users", role="user") == 2 and m.value("users", role="admin") == 1
    assert m.value("role_changes", who="user") == 1
    assert m.value("tocsin_gauges_up", source="business") == 1
    assert m.value("tocsin_gauges_collector_success", query="opportunities") == 1
    assert m.value("tocsin_gauges_collector_success", query="deleted") == 0 and m.value("tocsin_gauges_collector_success", query="wrong") == 0
    assert postgres.sql("select count(*) from users") == "3", "a gauge could write"
    scrape(exporter)
    assert exporter.process.text().count("query wrong") == 1
    postgres.sql("insert into opportunities values (5)")
    assert scrape(exporter).value("opportunities") == 1
    postgres.stop()
    m = scrape(exporter)
    assert m.value("tocsin_gauges_up") == 0 and not m.find("opportunities")


def test_interval_is_off_the_scrape_path(box):
    postgres = box.start(Postgres)
    exporter = box.start(Exporter, box.write("e.yml", f"""
gauges:
  - name: slow
    url: '{postgres.url()}'
    interval: 30s
    queries: [{{ sql: 'select 3 as value from pg_sleep(0.5)', metrics: [{{ name: slow_figure, help: x }}] }}]
"""))
    assert wait_for("the figure", lambda: scrape(exporter).value("slow_figure")) == 3
    m = scrape(exporter)
    assert m.value("tocsin_exporter_collector_duration_seconds", source="slow", collector="gauges") < 0.1
    assert m.value("tocsin_exporter_collector_age_seconds", source="slow", collector="queries") < 30


def test_redis(box):
    redis = box.start(Redis)
    redis.cli("rpush", "celery", "a", "b")
    redis.cli("hset", "tiers", "free", "10", "pro", "4")
    redis.cli("set", "refreshed", "1700000000.5")
    exporter = box.start(Exporter, box.write("e.yml", f"""
redis: [{{ name: cache, url: '{redis.url()}' }}]
gauges:
  - name: keys
    redis: cache
    queries:
      - {{ command: [LLEN, celery], metrics: [{{ name: queue_length, help: x }}] }}
      - {{ command: [HGETALL, tiers], rows: pairs, metrics: [{{ name: calls, help: x, labels: {{ tier: '@key' }} }}] }}
      - {{ command: [GET, refreshed], metrics: [{{ name: refreshed_seconds, help: x, unit: seconds }}] }}
      - {{ command: [GET, nothing], metrics: [{{ name: nothing, help: x, null: nan }}] }}
      - {{ command: [GET, tiers], metrics: [{{ name: wrong, help: x }}] }}
"""))
    m = scrape(exporter)
    assert m.value("queue_length", source="keys") == 2
    assert m.value("calls", tier="pro") == 4 and m.value("calls", tier="free") == 10
    assert m.value("refreshed_seconds") == 1700000000.5
    assert m.value("nothing") != m.value("nothing")
    assert m.value("tocsin_gauges_collector_success", query="wrong") == 0
    redis.stop()
    assert scrape(exporter).value("tocsin_gauges_up") == 0


def test_json(box):
    documents = {"/metrics": {"users": {"total": 12, "active": None}, "contests": [{"id": "a", "n": 1}, {"id": "b", "n": 2}]},
                 "/breaker": {"state": "OPEN", "by": {"db": "CLOSED", "api": "HALF_OPEN"}}, "/broken": "{"}
    with Json(documents) as server:
        exporter = box.start(Exporter, box.write("e.yml", f"""
gauges:
  - name: api
    url: 'http://user:hush@127.0.0.1:{server.port}'
    headers_file: {box.write("headers", "apikey: s3cret")}
    queries:
      - path: /metrics
        metrics:
          - {{ name: users_total, help: x, type: counter, value: /users/total }}
          - {{ name: users_active, help: x, value: /users/active, null: zero }}
      - {{ path: /metrics, rows: /contests, metrics: [{{ name: contest_entries, help: x, value: n, labels: {{ contest: id }} }}] }}
      - path: /breaker
        metrics: [{{ name: breaker_state, help: x, value: state, map: {{ CLOSED: 0, HALF_OPEN: 1, OPEN: 2 }} }}]
      - path: /breaker
        rows: /by
        metrics: [{{ name: breaker_by, help: x, value: '', labels: {{ what: '@key' }}, map: {{ CLOSED: 0, HALF_OPEN: 1, OPEN: 2 }} }}]
      - {{ path: /broken, metrics: [{{ name: broken, help: x }}] }}
      - {{ path: /missing, metrics: [{{ name: missing, help: x }}] }}
"""))
        m = scrape(exporter)
        assert m.value("users_total", source="api") == 12 and m.types["users_total"] == "counter"
        assert m.value("users_active") == 0
        assert m.value("contest_entries", contest="b") == 2
        assert m.value("breaker_state") == 2 and m.value("breaker_by", what="api") == 1
        assert m.value("tocsin_gauges_collector_success", query="broken") == 0
        assert m.value("tocsin_gauges_collector_success", query="missing") == 0
        assert m.value("tocsin_gauges_up") == 1
        assert server.headers[-1]["apikey"] == "s3cret"
        shown = exporter.process.text() + exporter.get("/")[2]
        assert "hush" not in shown and "s3cret" not in shown
    assert scrape(exporter).value("tocsin_gauges_up") == 0


def test_silent_http_server(box):
    with Silent() as silent:
        exporter = box.start(Exporter, box.write("e.yml", f"gauges: [{{ name: api, url: 'http://127.0.0.1:{silent.port}/', "
                             "queries: [{ metrics: [{ name: x, help: x }] }] }]\n"))
        assert scrape(exporter, 1).value("tocsin_gauges_up") == 0


def test_cap_is_named(box):
    postgres = box.start(Postgres)
    exporter = box.start(Exporter, box.write("e.yml", f"""
gauges:
  - name: many
    url: '{postgres.url()}'
    max_series: 10
    queries: [{{ sql: 'select i, i as value from generate_series(1, 11) i', metrics: [{{ name: rows, help: x, labels: [i] }}] }}]
"""))
    m = scrape(exporter)
    assert not m.find("rows") and m.value("tocsin_gauges_collector_success", query="rows") == 0
    assert "more than 10 series (max_series)" in exporter.process.text()
