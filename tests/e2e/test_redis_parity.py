"""Beside redis_exporter, on the same server; against the list of what its newest version shows; and what only some servers have: streams,
Sentinels, connections, groups of keys, scripts, modules."""
import csv
import re
import time
from pathlib import Path

import pytest

from exporter_text import Metrics as Page
from servers import ROOT, Process, Redis, Sentinel, free_port, http, wait_for
from test_redis_source import Script, scrape, start

EXCEPTIONS = [line.split("\t") for line in (ROOT / "tests/parity/redis.tsv").read_text().splitlines() if not line.startswith("#")]
EXCEPTIONS = {(name, how.partition(":")[0]): how.partition(":")[2] for name, how, _ in EXCEPTIONS}
TSV = ROOT.parent / "shared/reference/redis_metrics.tsv"


def page(exporter, path="/probe?target=cache"):
    status, _, text = exporter.get(path)
    assert status == 200, text
    return Page(text)


def base(name, types):
    for suffix in ("_bucket", "_sum", "_count"):
        if name.endswith(suffix) and types.get(name[:-len(suffix)]) in ("histogram", "summary"):
            return name[:-len(suffix)]
    return name


def shape(p):
    """Family -> the label names its samples have, all together."""
    found = {}
    for name, labels, _ in p.samples:
        found.setdefault(base(name, p.types), set()).update(k for k, v in labels.items() if v)     # an empty one is none
    return found


def excused(name, how):
    return (name.removeprefix("redis_"), how) in EXCEPTIONS


def test_beside_the_peer_on_the_same_server(box):
    """F8, P4: families, types, labels and values are those of Debian's redis_exporter."""
    redis = box.start(Redis, ["--maxmemory 100mb", "--latency-monitor-threshold 1"])
    replica = box.start(Redis, [f"--replicaof 127.0.0.1 {redis.port}", "--repl-diskless-sync-delay 0"])
    redis.cli("config", "set", "slowlog-log-slower-than", 0)
    for i in range(20):
        redis.cli("set", f"k{i}", i)
    redis.cli("expire", "k1", 1000)
    redis.cli("rpush", "jobs", 1, 2, 3)
    redis.cli("lpush", "k0", "wrong type")
    redis.cli("config", "set", "slowlog-log-slower-than", 1000000)
    wait_for("linked", lambda: "state=online" in redis.cli("info", "replication"))
    for server in (redis, replica):
        exporter = start(box, f"{{name: cache, url: '{server.url()}', check_single_keys: [jobs, k3], include_system_metrics: true}}")
        port = free_port()
        peer = Process("redis_exporter", ["prometheus-redis-exporter", f"-web.listen-address=127.0.0.1:{port}", f"-redis.addr={server.url()}",
                                          "-check-single-keys=jobs,k3", "-include-system-metrics", "-redis-only-metrics"], box.folder)
        box.started.append(peer)
        peer.ready(lambda: "redis_up 1" in http(f"http://127.0.0.1:{port}/metrics")[2])
        page(exporter)
        wait_for("both say the same", lambda: compare(page(exporter), Page(http(f"http://127.0.0.1:{port}/metrics")[2])))
        exporter.stop()
        peer.stop()


# What moves between two scrapes, by itself or because somebody asked.
MOVING = re.compile("_(bytes|seconds|timestamp|duration|usec|ratio|percent)(_|$)|total|exporter|offset|connected_clients|lag|hz|process_id|second|"
                    "latenc|commands|buf|mem|used|net_|clients|cpu|eventloop|uptime|processed|rdb_last|peak|slowlog|slow_exec|lru|active|fragm")


def compare(ours, theirs):
    a, b, wrong = shape(ours), shape(theirs), []
    for name, kind in theirs.types.items():
        if name not in b or excused(name, "missing"):
            continue
        if name not in a:
            wrong.append(f"{name} is missing")
            continue
        if ours.types[name] != kind and not excused(name, "type of 1.45"):
            wrong.append(f"{name} is a {ours.types[name]}, not a {kind}")
        if not b[name] <= a[name] and not excused(name, "labels"):
            wrong.append(f"{name} has {sorted(a[name])}, not {sorted(b[name])}")
    compared = 0
    for name, labels, value in theirs.samples:
        if MOVING.search(name) or excused(name, "value") or name not in a:
            continue
        mine = [v for had, v in ours.find(name, **{k: v for k, v in labels.items() if v})]
        compared += 1
        if mine != [value]:
            wrong.append(f"{name}{labels} is {mine}, not {value}")
    assert not wrong, "\n".join(wrong)
    assert compared > 60
    return True


def listed():
    if not TSV.exists():
        pytest.skip(f"{TSV} is not there, so labels are not compared")
    rows = [r for r in csv.reader(TSV.read_text().splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE) if not r[0].startswith("#")]
    return {"redis_" + r[0]: {x for x in re.split(r"[,\[\]]+", r[2]) if x} for r in rows}


def check_labels(p, at_least):
    """Each family of the page that the newest redis_exporter has, too, has no other labels."""
    table, seen = listed(), 0
    for name, labels in shape(p).items():
        if name not in table or excused(name, "labels"):
            continue
        assert labels - {"le", "quantile"} <= table[name], f"{name} has {labels}, not {table[name]}"
        seen += 1
    assert seen >= at_least, seen


def test_streams_are_read(box):
    redis = box.start(Redis)
    for i in range(5):
        redis.cli("xadd", "events", "*", "n", i)
    redis.cli("xgroup", "create", "events", "readers", 0)
    redis.cli("xreadgroup", "group", "readers", "alice", "count", 2, "streams", "events", ">")
    redis.cli("xadd", "logs:a", "*", "n", 1)
    redis.cli("set", "text", "no stream")
    redis.cli("select", 3)
    exporter = start(box, f"{{name: cache, url: '{redis.url()}', check_single_streams: [events, text, 'db3=gone'], check_streams: ['logs:*'], "
                          "scan_interval: 1s}")
    m = page(exporter)
    assert m.value("redis_stream_length", stream="events") == 5 and m.value("redis_stream_groups", stream="events") == 1
    assert m.value("redis_stream_group_lag", group="readers") == 3 and m.value("redis_stream_group_messages_pending", group="readers") == 2
    assert m.value("redis_stream_group_consumer_messages_pending", consumer="alice") == 2
    assert m.value("redis_stream_first_entry_id", stream="events") == pytest.approx(time.time() * 1000, abs=600000)
    assert m.value("redis_stream_length", stream="gone", db="db3") == 0, "a stream that is not there yet is empty"
    assert m.value("redis_stream_length", stream="text") is None
    wait_for("patterns", lambda: page(exporter).value("redis_stream_length", stream="logs:a") == 1)
    redis.cli("xgroup", "create", "events", "midway", redis.cli("xrange", "events", "-", "+").split()[6])
    m = page(exporter)
    assert m.value("redis_stream_group_consumers", group="midway") == 0
    assert m.value("redis_stream_group_lag", group="midway") is None, "what is not known is no zero"
    assert "errorstat" not in redis.cli("info", "errorstats")
    check_labels(m, 100)


def test_sentinel_is_read(box):
    master = box.start(Redis)
    replica = box.start(Redis, [f"--replicaof 127.0.0.1 {master.port}", "--repl-diskless-sync-delay 0"])
    sentinels = [box.start(Sentinel), box.start(Sentinel)]
    for s in sentinels:
        s.watch("shop", master.port, 2)
        s.cli("sentinel", "set", "shop", "down-after-milliseconds", 5000)
    wait_for("linked", lambda: "state=online" in master.cli("info", "replication"))
    exporter = start(box, f"{{name: cache, url: '{sentinels[0].url()}', include_sentinel_peer_info: true, include_config_metrics: true}}")
    m = wait_for("all know each other", lambda: (lambda m: m.value("redis_sentinel_master_ok_sentinels") == 2 and
                                                 m.value("redis_sentinel_master_ok_slaves") == 1 and m)(page(exporter)))
    address = f"127.0.0.1:{master.port}"
    assert m.value("redis_sentinel_masters") == 1 and m.value("redis_sentinel_master_status", master_name="shop", master_address=address) == 1
    assert m.value("redis_sentinel_master_setting_ckquorum") == 2 and m.value("redis_sentinel_master_setting_down_after_milliseconds") == 5000
    assert m.value("redis_sentinel_master_ckquorum_status") == 1 and m.value("redis_sentinel_master_quorum_ok", master_name="shop") == 1
    assert m.value("redis_sentinel_peer_info", port=str(sentinels[1].port)) == 1
    assert m.value("redis_config_maxclients") is None and m.value("redis_db_keys", db="db0") is None
    check_labels(m, 60)
    sentinels[1].stop()
    m = wait_for("no quorum", lambda: (lambda m: m.value("redis_sentinel_master_quorum_ok") == 0 and m)(page(exporter)))
    assert m.value("redis_up") == 1
    assert "unknown command" not in exporter.process.text() and replica.process.alive()


def test_sentinels_masters_come_and_go(box):
    redis = box.start(Redis)
    sentinel = box.start(Sentinel)
    exporter = start(box, f"{{name: cache, url: '{sentinel.url()}'}}")
    assert page(exporter).value("redis_sentinel_masters") == 0
    for name in ("a", "b"):
        sentinel.watch(name, redis.port)
    m = page(exporter)
    assert m.value("redis_sentinel_master_setting_ckquorum", master_name="a") == 1 == m.value("redis_sentinel_master_setting_ckquorum",
                                                                                           master_name="b")
    sentinel.cli("sentinel", "remove", "a")
    m = page(exporter)
    assert [had["master_name"] for had, _ in m.find("redis_sentinel_master_setting_ckquorum")] == ["b"]


def test_connections_each_and_summed_up(box):
    redis = box.start(Redis)
    redis.cli("acl", "setuser", "web", "on", "nopass", "+@all", "~*", "&*")
    clients = [Process(f"client{i}", ["redis-cli", "-p", redis.port, "--user", "web", "--pass", "x", "subscribe", "c"], box.folder) for i in range(3)]
    box.started += clients
    exporter = start(box, f"{{name: cache, url: '{redis.url()}', export_client_list: true, export_client_port: true, "
                          "client_groups: [user, host]}", f"{{name: few, url: '{redis.url()}', export_client_list: true, max_clients: 1, "
                          "client_groups: [user], max_client_groups: 1}")
    m = wait_for("subscribed", lambda: (lambda m: m.value("redis_client_group_connections", user="web", host="127.0.0.1") == 3 and m)(page(exporter)))
    assert len(m.find("redis_connected_client_info", user="web")) == 3
    assert m.value("redis_client_group_memory_bytes", user="web") > 1000
    assert sum(v for _, v in m.find("redis_connected_client_channel_subscriptions_count")) == 3
    check_labels(m, 100)
    m = page(exporter, "/probe?target=few")
    assert len(m.find("redis_connected_client_info")) == 1 and m.value("redis_connected_client_over_limit") == 1
    assert {had["user"] for had, _ in m.find("redis_client_group_connections")} in ({"web", "other"}, {"default", "other"})


def test_groups_of_keys_and_scripts(box):
    redis = box.start(Redis)
    redis.cli("eval", "for i = 1, 3000 do redis.call('set', 'user:' .. i .. ':name', i) end for i = 1, 5 do redis.call('set', 'cart:' .. i, i) end", 0)
    redis.cli("set", "lonely", 1)
    script = box.write("figures.lua", "return {'answer', '42.5', 'count', redis.call('dbsize')}")
    empty = box.write("empty.lua", "return {}")
    broken = box.write("broken.lua", "return nonsense(")
    exporter = start(box, f"{{name: cache, url: '{redis.url()}', check_key_groups: '^(user|cart):', max_distinct_key_groups: 2, scan_interval: 1s, "
                          f"scripts: ['{script}', '{empty}', '{broken}']}}")
    m = wait_for("counted", lambda: (lambda m: m.find("redis_key_group_count") and m)(page(exporter)))
    assert m.value("redis_key_group_count", db="db0", key_group="user") == 3000 and m.value("redis_key_group_count", key_group="cart") == 5
    assert m.value("redis_key_group_count", key_group="overflow") == 1 and m.value("redis_number_of_distinct_key_groups", db="db0") == 3
    assert m.value("redis_key_group_memory_usage_bytes", key_group="user") > 3000 * 40
    assert m.value("redis_script_values", key="answer", filename="figures.lua") == 42.5 and m.value("redis_script_values", key="count") == 3006
    assert {had["filename"]: v for had, v in m.find("redis_script_result")} == {"figures.lua": 1, "empty.lua": 2, "broken.lua": 0}
    check_labels(m, 100)


def test_latency_in_seconds(box):
    redis = box.start(Redis, ["--latency-monitor-threshold 1"])
    for _ in range(10):
        redis.cli("ping")
    redis.cli("debug", "sleep", 0.02)
    redis.cli("config", "set", "enable-debug-command", "yes")
    exporter = start(box, f"{{name: cache, url: '{redis.url()}', latency_seconds: true}}")
    m = page(exporter)
    bounds = {had["le"] for had, _ in m.find("redis_command_latency_seconds_bucket")}
    for had, calls in m.find("redis_command_latency_seconds_count"):
        buckets = m.find("redis_command_latency_seconds_bucket", cmd=had["cmd"])
        assert {b["le"] for b, _ in buckets} == bounds and buckets[-1][1] == calls, "every command has the same buckets"
    assert m.value("redis_command_latency_seconds_count", cmd="ping") >= 10
    assert 0 < m.value("redis_command_latency_quantiles_seconds", cmd="ping", quantile="0.5") < 0.1


# A module's answers, as its documentation has them: it cannot run here.
FT = b"*4\r\n$8\r\nnum_docs\r\n$1\r\n7\r\n$14\r\ninverted_sz_mb\r\n$3\r\n1.5\r\n"


class Search(Script):
    """Answers what a server with the search module would."""

    def serve(self, peer):
        with peer:
            while data := peer.recv(65536):
                answers = b""
                for command in re.findall(rb"\*\d+\r\n\$\d+\r\n([^\r]+)\r\n(?:\$\d+\r\n([^\r]+)\r\n)?", data):
                    name = command[0].upper()
                    info = b"# Server\r\nredis_version:7.2.0\r\nmodule:name=search,ver=20600,api=1,filters=0,usedby=[],using=[ReJSON],options=[]\r\n" \
                           b"search_number_of_indexes:2\r\n"
                    answers += {b"INFO": b"$%d\r\n%s\r\n" % (len(info), info), b"FT._LIST": b"*2\r\n$5\r\nbooks\r\n$5\r\nusers\r\n", b"FT.INFO": FT,
                                b"SERVER": b"*4\r\n$8\r\naof_size\r\n$3\r\n123\r\n$9\r\nread_only\r\n$5\r\nfalse\r\n"}.get(name, b"+OK\r\n")
                peer.sendall(answers)


def test_modules_and_other_servers(box):
    server = box.start(lambda folder: Search())
    exporter = start(box, f"{{name: cache, url: 'redis://127.0.0.1:{server.port}', include_search_indexes_metrics: true, check_search_indexes: 'b.*', "
                          "include_modules_metrics: true, is_tile38: true, scan_interval: 1s, config_command: '-', latency_metrics: false}")
    m = wait_for("indexes", lambda: (lambda m: m.value("redis_search_index_num_docs", index_name="books") == 7 and m)(page(exporter)))
    assert m.value("redis_search_index_inverted_size_bytes", index_name="books") == 1.5 * 1048576
    assert m.find("redis_search_index_num_docs", index_name="users") == []
    assert [had["name"] for had, _ in m.find("redis_module_info", ver="20600", using="[ReJSON]")] == ["search"] and m.value("redis_search_number_of_indexes") == 2
    assert m.value("redis_tile38_aof_size_bytes") == 123 and m.value("redis_tile38_read_only") == 0
    check_labels(m, 10)


class Valkey(Script):
    """Answers as Valkey 8.1 does where it differs: that cannot be installed here. What it is not asked for is an error."""

    INFO = (b"# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\nvalkey_release_stage:ga\r\nserver_mode:standalone\r\n"
            b"# CPU\r\nused_active_time_main_thread:1.5\r\nused_active_time_io_thread_1:2.5\r\n")

    def serve(self, peer):
        answers = {b"INFO": b"$%d\r\n%s\r\n" % (len(self.INFO), self.INFO), b"CLIENT": b"+OK\r\n", b"SLOWLOG": b":0\r\n", b"COMMANDLOG": b":4\r\n",
                   b"LATENCY": b"*0\r\n", b"CONFIG": b"*4\r\n$9\r\ndatabases\r\n$2\r\n16\r\n$31\r\ncommandlog-request-larger-than\r\n$7\r\n1048576\r\n".replace(
                       b"$31", b"$30")}
        with peer:
            while data := peer.recv(65536):
                peer.sendall(b"".join(answers.get(c.upper(), b"-ERR unknown command\r\n") for c in re.findall(rb"\*\d+\r\n\$\d+\r\n([^\r]+)\r\n", data)))


def test_valkey_is_known_as_such(box):
    server = box.start(lambda folder: Valkey())
    exporter = start(box, f"{{name: cache, url: 'redis://127.0.0.1:{server.port}'}}")
    m = page(exporter)
    assert m.value("redis_commandlog_slow_length") == 4 == m.value("redis_commandlog_large_reply_length")
    assert m.value("redis_commandlog_request_larger_than") == 1048576
    assert m.value("redis_active_time_io_thread_seconds_total", thread="1") == 2.5
    assert m.value("redis_instance_info", valkey_version="8.1.1", valkey_release_stage="ga") == 1
    assert all(v == 1 for _, v in m.find("redis_exporter_command_allowed"))
    check_labels(m, 10)
