"""Redis read by the exporter: what it shows, what it costs the server, and every way a server can fail to answer."""
import socket
import subprocess
import threading
import time

import pytest

from servers import Exporter, Redis, free_port, hang_up, wait_for
from celery_jobs import Metrics


def start(box, *sources):
    """An exporter of the sources given as YAML flow maps."""
    return box.start(Exporter, box.write("tocsin.yml", "redis:\n" + "".join(f"  - {s}\n" for s in sources)))


def scrape(exporter, path="/metrics", **kw):
    """A page that waits for a server that takes minutes has not come in one."""
    status, _, text = exporter.get(path, timeout=60, **kw)
    assert status == 200, text
    return Metrics(text)


class Script:
    """A server that says <greeting> to whoever connects and asks, then <answer> to every further question."""

    def __init__(self, greeting=None, answer=None):
        self.greeting, self.answer = greeting, answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        say = self.greeting
        with peer:
            try:
                while peer.recv(65536):
                    if say is not None:
                        peer.sendall(say)
                    say = self.answer
            except OSError:
                pass

    def stop(self):
        hang_up(self.listener)


class Counter(Script):
    """Passes everything through to a real server and counts how often the client speaks."""

    def __init__(self, port):
        self.to, self.spoken = port, 0
        super().__init__()

    def serve(self, peer):
        with peer, socket.create_connection(("127.0.0.1", self.to)) as server:
            def back():
                while data := server.recv(1 << 20):
                    peer.sendall(data)
            threading.Thread(target=back, daemon=True).start()
            while data := peer.recv(1 << 20):
                self.spoken += 1
                server.sendall(data)


def test_figures_of_a_real_server(box):
    redis = box.start(Redis)
    for i in range(5):
        redis.cli("set", f"k{i}", i)
    redis.cli("expire", "k0", 1000)
    redis.cli("rpush", "jobs", "a", "b", "c")
    redis.cli("set", "rate", "2.5")
    redis.cli("set", "hex", "0x10")
    redis.cli("set", "big", "9" * 400)
    redis.cli("config", "set", "slowlog-log-slower-than", 0)
    exporter = start(box, f"{{name: cache, url: '{redis.url()}', check_single_keys: [jobs, rate, hex, big, 'db0=gone'], "
                          f"count_keys: ['db0=k*'], check_keys: ['k[01]'], scan_interval: 1s}}")
    m = scrape(exporter)
    assert m("redis_up", source="cache") == 1
    assert m("redis_db_keys", db="db0") == 9 and m("redis_db_keys_expiring", db="db0") == 1 and m("redis_db_keys_without_ttl",
                                                                                                  db="db0") == 8
    assert m("redis_db_keys", db="db15") == 0
    assert m("redis_key_size", key="jobs") == 3 and m("redis_key_value", key="rate") == 2.5
    assert m("redis_key_size", key="hex") == 4 and m("redis_key_value", key="hex") is None, "no decimal number"
    assert m("redis_key_size", key="big") == 400 and m("redis_key_value", key="big") is None, "longer than what is read of it"
    assert m("redis_key_size", key="gone") == 0, "a queue that is empty does not vanish"
    assert m("redis_slowlog_length") > 0 and m("redis_slowlog_last_id") > 0
    assert m("redis_config_maxclients") == 10000
    assert m("redis_commands_total", cmd="rpush") == 1
    assert m("redis_commands_latencies_usec_count", cmd="rpush") == 1
    assert m("redis_aof_enabled") == 0 and m("redis_rdb_last_save_timestamp_seconds") == pytest.approx(time.time(), abs=600)
    m = wait_for("keys are counted", lambda: (lambda m: m("redis_keys_count", db="db0", key="k*") == 5 and m)(scrape(exporter)))
    assert m("redis_key_value", key="k1") == 1 and m("redis_key_value", key="k2") is None
    assert m("tocsin_exporter_collector_age_seconds", collector="keys", source="cache") < 60
    errors = redis.cli("info", "errorstats")
    assert "errorstat" not in errors, "we left an error in the server's statistics: " + errors


def test_one_round_trip_a_scrape(box):
    redis = box.start(Redis)
    proxy = box.start(lambda folder: Counter(redis.port))
    exporter = start(box, f"{{name: cache, url: 'redis://127.0.0.1:{proxy.port}'}}")
    scrape(exporter)
    before = proxy.spoken
    for _ in range(5):
        assert scrape(exporter)("redis_up") == 1
    assert proxy.spoken - before == 5


def test_a_database_that_is_not_there(box):
    """Costs the others nothing, and shows: also where nothing but scrapes would look into it."""
    redis = box.start(Redis)
    redis.cli("rpush", "jobs", "a")
    exporter = start(box, f"{{ name: cache, url: '{redis.url()}', check_single_keys: [jobs, db3=lock] }}",
                     f"{{ name: astray, url: '{redis.url()}', check_single_keys: [jobs, db99=lock] }}")

    def databases(source):
        return scrape(exporter)("tocsin_exporter_collector_success", collector="databases", source=source)

    wait_for("it shows", lambda: databases("astray") == 0 and databases("cache") == 1)
    page = scrape(exporter)
    assert page("redis_key_size", db="db0", key="jobs", source="astray") == 1
    assert page("redis_key_size", db="db3", key="lock", source="cache") == 0
    assert page("redis_key_size", db="db99", key="lock", source="astray") is None
    assert "databases: SELECT 99: " in exporter.get("/")[2]


def test_indexes_of_a_server_without_the_search_module(box):
    redis = box.start(Redis)
    redis.cli("set", "a", 1)
    exporter = start(box, f"{{ name: cache, url: '{redis.url()}', include_search_indexes_metrics: true, count_keys: ['*'] }}")
    wait_for("it shows", lambda: scrape(exporter)("tocsin_exporter_collector_success", collector="search") == 0)
    page = scrape(exporter)
    assert page("redis_keys_count", key="*") == 1 and page("tocsin_exporter_collector_success", collector="keys") == 1
    assert "search: FT._LIST: " in exporter.get("/")[2]


def test_replica_and_its_lag(box):
    master = box.start(Redis)
    replica = box.start(Redis, [f"--replicaof 127.0.0.1 {master.port}", "--repl-diskless-sync-delay 0"])
    exporter = start(box, f"{{name: m, url: '{master.url()}'}}", f"{{name: r, url: '{replica.url()}'}}")
    m = wait_for("linked", lambda: (lambda m: m("redis_master_link_up", source="r") == 1 and m)(scrape(exporter)))
    assert m("redis_connected_slaves", source="m") == 1
    m = wait_for("acknowledged", lambda: (lambda m: m("redis_connected_slave_lag_bytes", source="m",
                                                      slave_state="online") is not None and m)(scrape(exporter)))
    assert m("redis_slave_info", source="r", master_port=str(master.port)) == 1
    master.stop()
    wait_for("link lost", lambda: scrape(exporter)("redis_master_link_up", source="r") == 0)
    m = scrape(exporter)
    assert m("redis_up", source="m") == 0 and m("redis_up", source="r") == 1
    assert m("redis_master_link_down_since_seconds", source="r") is not None


def test_what_an_acl_refuses_is_one_metric(box):
    redis = box.start(Redis)
    redis.cli("acl", "setuser", "mon", "on", ">p@ss", "-@all", "+info", "+client|setname", "+slowlog|len", "+slowlog|get",
              "+latency|latest",
              "+latency|histogram", "+ping", "+select")
    exporter = start(box, f"{{name: cache, url: 'redis://127.0.0.1:{redis.port}', user: mon, password: p@ss}}")
    for _ in range(5):
        m = scrape(exporter)
    assert m("redis_up") == 1
    assert m("redis_exporter_command_allowed", command="config|get") == 0
    assert m("redis_exporter_command_allowed", command="slowlog|len") == 1
    assert m("redis_config_maxclients") is None and m("redis_max_clients") == 10000
    assert m("redis_errors_total", err="NOPERM") == 1, "it was asked once, not at every scrape"
    assert "CONFIG" not in exporter.process.text() and "p@ss" not in exporter.process.text()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days",
                    "2", "-subj",
                    "/CN=cache", "-addext", "subjectAltName=DNS:cache,IP:127.0.0.1"], cwd=folder, check=True, capture_output=True)
    return folder


def test_tls_is_verified(box, certificates):
    port = free_port()
    redis = box.start(Redis, [f"--tls-port {port}", f"--tls-cert-file {certificates}/cert.pem",
                              f"--tls-key-file {certificates}/key.pem",
                              "--tls-auth-clients no"])
    url, ca = f"rediss://127.0.0.1:{port}", f"{certificates}/cert.pem"
    exporter = start(box, f"{{name: trusted, url: '{url}', tls: {{ca_file: {ca}}}}}", f"{{name: unknown, url: '{url}'}}",
                     f"{{name: misnamed, url: '{url}', tls: {{ca_file: {ca}, server_name: other}}}}",
                     f"{{name: careless, url: '{url}/0?ssl_cert_reqs=none'}}", f"{{name: plain, url: 'redis://127.0.0.1:{port}'}}")
    m = scrape(exporter)
    assert {s: m("redis_up", source=s) for s in ("trusted", "unknown", "misnamed", "careless", "plain")} == {
        "trusted": 1, "unknown": 0, "misnamed": 0, "careless": 1, "plain": 0}
    assert "certificate refused" in exporter.process.text()
    assert redis.process.alive()


OK = b"+OK\r\n+OK\r\n"      # to AUTH and CLIENT SETNAME
FAULTS = {
    "silent": (Script, (None, None)),
    "silent-later": (Script, (OK, None)),
    "half-a-reply": (Script, (OK, b"$5000\r\n# Server\r\nredis_ver")),
    "garbage": (Script, (OK, b"HTTP/1.1 400 Bad Request\r\n\r\n")),
    "gigabyte": (Script, (OK, b"$1000000000\r\n")),
    "loading": (Script, (OK, b"-LOADING Redis is loading the dataset in memory\r\n" * 6)),
    "wrong-password": (Script, (b"-WRONGPASS invalid username-password pair\r\n", None)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_shows_within_the_deadline(box, name):
    kind, says = FAULTS[name]
    server = box.start(lambda folder: kind(*says))
    healthy = box.start(Redis)
    exporter = start(box, f"{{name: bad, url: 'redis://:pw@127.0.0.1:{server.port}', timeout: 5m}}", f"{{name: good, url: '{healthy.url()}'}}")

    def seen():
        m = scrape(exporter, headers={"X-Prometheus-Scrape-Timeout-Seconds": "1"})
        assert m("redis_up", source="bad") == 0 and m("redis_up", source="good") == 1
        assert m("redis_memory_used_bytes", source="bad") is None and m("redis_memory_used_bytes", source="good") > 0
        return True
    for _ in range(3):
        wait_for("one is down, the other is whole", seen)
    complaints = [line for line in exporter.process.text().splitlines() if "bad" in line]
    assert len(complaints) == 1, complaints
    if name == "gigabyte":
        assert "reply_bytes" in complaints[0]
    if name == "wrong-password":
        assert "WRONGPASS" in complaints[0]


def test_restart_is_survived_without_a_gap(box):
    redis = box.start(Redis)
    exporter = start(box, f"{{name: cache, url: '{redis.url()}'}}")
    assert scrape(exporter)("redis_up") == 1
    redis.stop()
    assert scrape(exporter)("redis_up") == 0
    redis.start()
    assert scrape(exporter)("redis_up") == 1
