"""A real Redis Cluster read as one source: every node, keys wherever their slots are, and nodes that are lost."""
import signal
import subprocess

import pytest

from servers import Redis, RedisCluster, binary, wait_for
from test_redis_parity import check_labels, page
from test_redis_source import scrape, start

N = 3


@pytest.fixture
def cluster(box):
    return box.start(RedisCluster, 1)


def test_all_nodes_by_the_address_of_one(box, cluster):
    """P5: many nodes at once."""
    for i in range(30):
        cluster.cli("set", f"key:{i}", i)
    cluster.cli("rpush", "jobs", 1, 2, 3)
    cluster.cli("xadd", "events", "*", "a", 1)
    for node in cluster.nodes:
        node.cli("config", "resetstat")         # redis-cli was told to ask elsewhere, too
    exporter = start(box, f"{{name: cache, url: '{cluster.nodes[0].url()}', cluster: true, check_single_keys: [jobs, gone, 'key:1'], "
                          "check_single_streams: [events], check_keys: ['key:2?'], count_keys: ['key:*'], check_key_groups: '^(key):', "
                          "scan_interval: 1s, discover_interval: 1s}")
    names = cluster.names()
    m = wait_for("all nodes", lambda: (lambda m: len(m.find("redis_cluster_node_info")) == N + 1 and m)(page(exporter)))
    m = wait_for("all up", lambda: (lambda m: all(m.value("redis_up", node=n) == 1 for n in names) and m)(page(exporter)))
    replica = {"node": names[N], "role": "slave", "master_id": cluster.first}      # nodes hear of it one after the other
    m = wait_for("the replica is one", lambda: (lambda m: m.value("redis_cluster_node_info", **replica) == 1 and m)(page(exporter)))
    assert sum(m.value("redis_db_keys", db="db0", node=n) for n in names[:N]) == 32
    assert all(m.value("redis_cluster_state", node=n) == 1 for n in names) and m.value("redis_cluster_slots_assigned", node=names[0]) == 16384
    assert m.value("redis_master_link_up", node=names[N]) == 1
    assert m.find("redis_key_size", key="jobs") == [({"db": "db0", "key": "jobs"}, 3)], "a key is the cluster's, not a node's"
    assert m.value("redis_key_size", key="gone") == 0 and m.value("redis_key_value", key="key:1") == 1
    assert m.value("redis_stream_length", stream="events") == 1
    m = wait_for("counted", lambda: (lambda m: m.value("redis_keys_count", key="key:*") == 30 and m)(page(exporter)))
    assert len(m.find("redis_key_value", db="db0")) == 11 and m.value("redis_key_group_count", key_group="key") == 30
    for node in cluster.nodes:
        assert "MOVED" not in node.cli("info", "errorstats"), "each key was asked of its owner"
    assert sorted(t for group in exporter.json("/sd?nodes_of=cache") for t in group["targets"]) == sorted(names)
    m.samples = [(name, {k: v for k, v in labels.items() if k != "node"}, v) for name, labels, v in m.samples]
    check_labels(m, 100)


def test_lost_nodes_delay_nobody(box):
    cluster = box.start(RedisCluster, 1, 2000)
    exporter = start(box, f"{{name: cache, url: '{cluster.nodes[1].url()}', cluster: true, discover_interval: 1s, timeout: 5m}}")
    names = cluster.names()
    wait_for("all up", lambda: all(page(exporter).value("redis_up", node=n) == 1 for n in names))
    cluster.nodes[2].process.send_signal(signal.SIGSTOP)          # accepts, and is silent

    def seen():
        m = scrape(exporter, headers={"X-Prometheus-Scrape-Timeout-Seconds": "1"})
        assert m("redis_up", node=names[2]) == 0 and m("redis_memory_used_bytes", node=names[2]) is None
        return all(m("redis_memory_used_bytes", node=names[i]) > 0 for i in (0, 1, 3))
    wait_for("the silent one delays nobody else", seen)
    for _ in range(3):                                              # and is not waited for again
        scrape(exporter, headers={"X-Prometheus-Scrape-Timeout-Seconds": "300"})
    wait_for("the others say so", lambda: page(exporter).value("redis_cluster_node_failed", node=names[2]) == 1)
    cluster.nodes[2].process.send_signal(signal.SIGCONT)
    wait_for("it is back", lambda: page(exporter).value("redis_up", node=names[2]) == 1)
    cluster.nodes[1].stop()                                        # the configured one
    wait_for("gone", lambda: page(exporter).value("redis_up", node=names[1]) == 0)
    assert page(exporter).value("redis_up", node=names[0]) == 1, "any other node tells who there is"
    cluster.nodes[1].start()
    wait_for("back", lambda: page(exporter).value("redis_up", node=names[1]) == 1)


def test_failover_is_followed(box, cluster):
    cluster.cli("set", "{a}x", 5)
    owner = next(n for n in cluster.nodes if "{a}x" in n.cli("keys", "*"))
    exporter = start(box, f"{{name: cache, url: '{owner.url()}', cluster: true, check_single_keys: ['{{a}}x'], discover_interval: 1s}}")
    wait_for("read", lambda: page(exporter).value("redis_key_value", key="{a}x") == 5)
    replica, name = cluster.nodes[N], cluster.names()[N]
    assert replica.cli("cluster", "failover", "takeover") == "OK"
    wait_for("the replica is master", lambda: page(exporter).value("redis_cluster_node_info", node=name, role="master") == 1)
    wait_for("still read", lambda: page(exporter).value("redis_key_value", key="{a}x") == 5)


def test_nobody_there(box):
    redis = box.start(Redis)            # no cluster
    exporter = start(box, f"{{name: cache, url: '{redis.url()}', cluster: true}}", "{name: gone, url: 'redis://127.0.0.1:1', cluster: true}")
    m = scrape(exporter)
    assert m("redis_up", source="cache") == 0 and m("redis_up", source="gone") == 0
    text = exporter.process.text()
    assert "cluster support disabled" in text, text


def test_a_shard_without_a_master(box):
    """Its keys are missing from what is counted, and that is said; those of the others are not, before and after the cluster has noticed."""
    cluster = box.start(RedisCluster, 0, 1000)
    for i in range(30):
        cluster.cli("set", f"key:{i}", i)
    lost = int(cluster.nodes[2].cli("dbsize"))
    once = f"redis: [{{name: cache, url: '{cluster.nodes[0].url()}', cluster: true, count_keys: ['key:*']}}]\n"
    done = subprocess.run([binary("tocsin-exporter"), "--config.file", box.write("once.yml", once), "--dry-run"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and 'key="key:*"} 30\n' in done.stdout, "keys are counted once the nodes are known"
    exporter = start(box, f"{{name: cache, url: '{cluster.nodes[0].url()}', cluster: true, count_keys: ['key:*'], check_keys: ['key:2?'], scan_interval: 1s, "
                          "discover_interval: 1s}")

    def counted():
        m = page(exporter)
        return m.value("redis_keys_count", key="key:*"), m.value("redis_key_scan_shards_missing")

    wait_for("all are counted", lambda: counted() == (30, 0))
    assert 0 < lost < 30
    cluster.nodes[2].stop()
    wait_for("those of the others", lambda: counted() == (30 - lost, 1))
    wait_for("its failure is known", lambda: page(exporter).value("redis_cluster_node_failed", node=cluster.names()[2]) == 1)
    cluster.nodes[0].cli("del", next(k for k in cluster.nodes[0].cli("keys", "*").split()))
    wait_for("those of the others then, too", lambda: counted() == (29 - lost, 1))
    cluster.nodes[2].start()
    wait_for("all again", lambda: counted()[1] == 0)
