"""Connections are kept between scrapes. One that somebody cut meanwhile (a firewall that forgot it, an administrator, a server that lets
go of who is idle) is no server that is down: the scrape asks again on a new one."""
import socket
import struct

from exporter_text import scrape
from servers import Exporter, Postgres, Redis, RedisCluster, wait_for
from test_postgres_faults import Relay

SOURCES = """postgres: [{{ name: pg, url: 'postgresql://postgres@127.0.0.1:{pg}/postgres', slow_interval: 1h }}]
redis: [{{ name: re, url: 'redis://127.0.0.1:{re}', check_single_keys: [a] }}]
celery: [{{ name: ce, url: 'redis://127.0.0.1:{re}/1', poll_interval: 1s }}]
gauges:
  - {{ name: sql, postgres: pg, queries: [{{ sql: select 1 as value, metrics: [{{ name: a_gauge, help: x }}] }}] }}
  - {{ name: command, redis: re, queries: [{{ command: [LLEN, a], metrics: [{{ name: b_gauge, help: x }}] }}] }}
"""


class Forgetful(Relay):
    """What a client says on a connection that is forgotten is answered with a reset, as by a firewall."""

    def __init__(self, port):
        self.clients, self.forgotten = [], set()
        super().__init__(port)

    def forget(self):
        self.forgotten |= set(self.clients)

    def copy(self, source, to, speaker):
        client = source if speaker == "client" else to
        if speaker == "client":
            self.clients.append(client)
        super().copy(source, Guard(self, client, to) if speaker == "client" else to, speaker)


class Guard:
    def __init__(self, relay, client, to):
        self.relay, self.client, self.to = relay, client, to

    def sendall(self, data):
        if self.client not in self.relay.forgotten:
            return self.to.sendall(data)
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        raise OSError("forgotten")

    def shutdown(self, how):
        self.to.shutdown(how)


def down(m):
    """Which gauges say that something is, or is not there at all."""
    ups = ["pg_up", "redis_up", "celery_up", "a_gauge", "b_gauge"]
    return [n for n in ups if not m.find(n)] + [n for n in ups[:3] for _, v in m.find(n) if v != 1] + [h for h, v in m.find("tocsin_gauges_up") if v != 1]


def test_a_connection_that_was_forgotten(box):
    """F7, F8, F9: nothing is down that would answer."""
    postgres, redis = box.start(Postgres), box.start(Redis)
    with Forgetful(postgres.port) as p, Forgetful(redis.port) as r:
        exporter = box.start(Exporter, box.write("e.yml", SOURCES.format(pg=p.port, re=r.port)))
        wait_for("all up", lambda: not down(scrape(exporter)))
        for _ in range(2):
            p.forget()
            r.forget()
            assert not down(scrape(exporter))
            before = len(r.clients)
            wait_for("Celery looks at its queues", lambda: scrape(exporter) and len(r.clients) > before)
            assert not down(scrape(exporter))
        assert 'msg="source failed"' not in exporter.process.text()


def test_a_session_that_was_ended(box):
    """Its last words are no answer. (F7)"""
    postgres, redis = box.start(Postgres), box.start(Redis)
    exporter = box.start(Exporter, box.write("e.yml", SOURCES.format(pg=postgres.port, re=redis.port)))
    wait_for("all up", lambda: not down(scrape(exporter)))
    for _ in range(5):
        postgres.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'tocsin%'")
        redis.cli("client", "kill", "type", "normal")
        assert not down(scrape(exporter))


def test_nodes_of_a_cluster_that_hung_up(box):
    """As one does with `timeout` whenever that is less than the pause between two scrapes. (F8, P5)"""
    cluster = box.start(RedisCluster)
    exporter = box.start(Exporter, box.write("e.yml", f"redis: [{{ name: c, url: 'redis://127.0.0.1:{cluster.nodes[0].port}', cluster: true }}]\n"))
    names = cluster.names()

    def up():
        m = scrape(exporter)
        return [m.value("redis_up", node=n) for n in names] == [1] * len(names)
    wait_for("all up", up)
    for _ in range(3):
        for node in cluster.nodes:
            node.cli("client", "kill", "type", "normal")
        assert up()
    cluster.nodes[2].stop()
    assert not up()
    cluster.nodes[2].start()
    wait_for("it is back", up)
