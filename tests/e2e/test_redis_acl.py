"""The rules of access that the documentation and --explain tell: enough, and no more than that."""
import re
import subprocess
import time

from servers import ROOT, Redis, Sentinel, binary, wait_for
from test_redis_parity import page
from test_redis_source import scrape, start

DOC = (ROOT / "docs/exporter-redis.md").read_text()
DEFAULT, SENTINEL = (line.split(">PASSWORD ")[1].split() for line in re.findall(r"ACL SETUSER monitor .*", DOC))


def allow(server, user, rules):
    assert server.cli("acl", "setuser", user, "on", ">pw", *rules) == "OK"


def refused(server):
    stats = server.cli("info", "everything")
    assert "acl_access_denied_cmd:0" in stats or "acl_access_denied_cmd" not in stats, stats
    assert "acl_access_denied_key:0" in stats or "acl_access_denied_key" not in stats, stats
    return re.findall(r"errorstat_(\w+)", stats)


def explained(box, text):
    """The rules --explain tells for a source."""
    config = box.write("explain.yml", f"redis:\n  - {text}\n")
    out = subprocess.run([binary("tocsin-exporter"), "--config.file", config, "--explain"], capture_output=True, text=True, check=True).stdout
    return re.search(r"a user with (.*?);", re.sub(r"\s+", " ", out))[1].removesuffix(", and what the scripts do").split()


def as_user(redis, user):
    return f"url: 'redis://127.0.0.1:{redis.port}', user: {user}, password: pw"


def test_default(box):
    redis = box.start(Redis)
    allow(redis, "mon", DEFAULT)
    exporter = start(box, f"{{name: cache, {as_user(redis, 'mon')}}}")
    for _ in range(3):
        m = scrape(exporter)
    assert m("redis_up") == 1 and m("redis_config_maxclients") == 10000 and m("redis_slowlog_length") == 0
    assert [v for _, v in page(exporter).find("redis_exporter_command_allowed")] == [1] * 6
    assert refused(redis) == []
    assert sorted(DEFAULT) == sorted(explained(box, f"{{name: cache, {as_user(redis, 'mon')}}}"))


def test_each_rule_is_needed(box):
    redis = box.start(Redis)
    sources = []
    for i, rule in enumerate(DEFAULT[1:]):
        allow(redis, f"mon{i}", [r for r in DEFAULT if r != rule])
        sources.append(f"{{name: s{i}, {as_user(redis, f'mon{i}')}}}")
    exporter = start(box, *sources)
    scrape(exporter)
    m = page(exporter, "/metrics")
    for i, rule in enumerate(DEFAULT[1:]):
        lacking = [had["command"] for had, v in m.find("redis_exporter_command_allowed", source=f"s{i}") if v == 0]
        if rule == "+client|setname":
            assert lacking == [], "that one is a courtesy to who looks at CLIENT LIST"
        elif rule == "+info":
            assert m.value("redis_up", source=f"s{i}") == 0
        else:
            assert lacking == [rule[1:]]


def test_all_that_can_be_configured(box):
    redis = box.start(Redis)
    redis.cli("eval", "for i = 1, 50 do redis.call('set', 'k' .. i, i) end", 0)
    redis.cli("rpush", "jobs", 1)
    redis.cli("xadd", "events", "*", "a", 1)
    redis.cli("xgroup", "create", "events", "g", 0)
    options = ("check_single_keys: [jobs, k1, 'db1=gone'], check_keys: ['k2*'], count_keys: ['k*'], check_single_streams: [events], "
               "check_streams: ['e*'], check_key_groups: '^(k)', export_client_list: true, client_groups: [user], ping_on_connect: true, "
               "include_config_metrics: true, include_modules_metrics: true, include_rdb_file_size: true, latency_seconds: true, scan_interval: 1s")
    text = f"{{name: cache, {as_user(redis, 'mon')}, {options}}}"
    allow(redis, "mon", explained(box, text))
    exporter = start(box, text)
    m = wait_for("scanned", lambda: (lambda m: m("redis_keys_count") == 50 and m)(scrape(exporter)))
    assert m("redis_key_size", key="jobs") == 1 and m("redis_key_value", key="k21") == 21 and m("redis_stream_group_consumers", group="g") == 0
    assert m("redis_key_group_count", key_group="k") == 50 and m("redis_client_group_connections", user="mon") >= 1
    assert m("redis_exporter_last_scrape_ping_time_seconds") > 0 and m("redis_rdb_current_size_bytes") == 0
    assert refused(redis) == []


def test_sentinel(box):
    redis, sentinel = box.start(Redis), box.start(Sentinel)
    sentinel.watch("shop", redis.port)
    allow(sentinel, "mon", SENTINEL)
    exporter = start(box, f"{{name: cache, {as_user(sentinel, 'mon')}}}")
    for _ in range(3):
        m = scrape(exporter)
    assert m("redis_up") == 1 and m("redis_sentinel_master_quorum_ok", master_name="shop") == 1
    assert m("redis_sentinel_master_ok_sentinels") == 1 and m("redis_sentinel_master_ok_slaves") == 0
    assert refused(sentinel) == []
