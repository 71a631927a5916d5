"""Real servers in a temporary folder, on free ports of 127.0.0.1, for the tests and for `make run`.

Each class starts in its constructor, is ready when that returns, and ends with stop() (safe to call twice). Nothing outlives the
caller: children are started with a death signal and in their own process group, and stop() ends the whole group.
"""
import collections
import itertools
import json
import os
import pwd
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
MODE = os.environ.get("TOCSIN_MODE", "release")


socketserver.TCPServer.request_queue_size = 128     # five is too few for a burst: who is turned away asks again a second later

FIRST_PORT, PORTS = 10000, 2000     # below those the kernel gives out by itself, 2000 a worker
HELD = collections.deque(maxlen=500)


def hold(port):
    """Whether nobody has <port>. Then it is ours until this process ends, whatever listens on it meanwhile: a name of the kernel's says so to
    the tests beside this one."""
    name, probe = socket.socket(socket.AF_UNIX), socket.socket()
    try:
        name.bind(f"\0tocsin-port-{port}")
        with probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError:
        name.close()
        return False
    HELD.append(name)
    return True


def free_ports():
    """Ports nobody listens on, each one once: tests that run beside this one have others."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 10
    for i in itertools.count(os.getpid() * 37):
        port = FIRST_PORT + worker * PORTS + i % PORTS
        if hold(port):
            yield port


PORT = free_ports()


def free_port():
    return next(PORT)


def hang_up(listener):
    """Closing alone leaves the port, and the thread in accept(), which answers once more, even for who has the number of its file then."""
    try:
        listener.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    listener.close()


class Ended(Exception):
    """What was waited for will not come."""


def wait_for(what, condition, seconds=60.0, every=0.05):
    """Waits until condition() is true and returns what it returned; what it raised last is part of the failure."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            last = condition()
            if last:
                return last
        except Ended:
            raise
        except Exception as e:          # of a server that is about to be there, an answer that is not whole yet
            last = e
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {what} (last: {last!r})")


def http(url, data=None, headers=None, timeout=30, method=None):
    """(status, headers, text) of a request; an HTTP error is an answer too."""
    if isinstance(data, (dict, list)):
        data, headers = json.dumps(data).encode(), {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as r:
            return r.status, r.headers, r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.headers, e.read().decode()


# Children die with the parent, however it ends; a program does it, for Python may not fork and go on where threads run.
WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]
IN_USE = re.compile("in use", re.I)


def as_user(name):
    """What makes a child one of this user, for who may."""
    if not name or os.getuid() != 0:
        return {}
    account = pwd.getpwnam(name)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


class Process:
    """A child with its output in a file that is shown only when something went wrong."""

    def __init__(self, name, args, folder, env=None, user=None, cwd=None):
        self.name, self.log = name, Path(folder) / f"{name}.log"
        self.how = {"cwd": cwd or folder, "env": {**os.environ, **(env or {})}, "start_new_session": True, **as_user(user)}
        self.args, self.out = [*WITH_US, *map(str, args)], open(self.log, "ab")
        self.begin()

    def begin(self):
        self.begun_at = self.log.stat().st_size
        self.p = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out, **self.how)

    @property
    def pid(self):
        return self.p.pid

    def alive(self):
        return self.p.poll() is None

    def text(self):
        return self.log.read_text(errors="replace")

    def send_signal(self, number):
        try:
            os.killpg(self.p.pid, number)
        except ProcessLookupError:
            pass

    def stop(self, number=signal.SIGTERM, seconds=60):
        if self.alive():
            self.send_signal(number)
            try:
                self.p.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        self.send_signal(signal.SIGKILL)
        self.p.wait()
        self.out.close()
        return self.p.returncode

    def kill(self):
        return self.stop(signal.SIGKILL)

    def ready(self, condition, seconds=60, every=0.05):
        """A port that a passing connection has is free again soon: who ends for it begins again."""
        def check():
            if not self.alive():
                said = self.log.read_bytes()[self.begun_at:].decode(errors="replace")
                if not IN_USE.search(said):
                    raise Ended(f"{self.name} ended with {self.p.returncode}:\n{said[-4000:]}")
                time.sleep(0.5)
                self.begin()
            return condition()
        try:
            wait_for(f"{self.name} is ready", check, seconds, every)
        except (AssertionError, Ended):
            sys.stderr.write(f"---- {self.log}\n{self.text()[-4000:]}\n")
            self.stop()
            raise


def _give(folder, user):
    """Root hands a folder to the server's own user; a temporary folder above it must let that user through."""
    if os.getuid() != 0:
        return
    account = pwd.getpwnam(user)
    os.chown(folder, account.pw_uid, account.pw_gid)
    for parent in Path(folder).parents:
        if parent == Path("/tmp") or parent == Path("/"):
            break
        os.chmod(parent, os.stat(parent).st_mode | 0o011)


class Postgres:
    """<primary>: this is a streaming standby of it, on a slot named standby."""

    def __init__(self, folder, settings=(), primary=None):
        self.bin = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
        self.folder = Path(folder) / f"postgres-{free_port()}"
        self.folder.mkdir()
        _give(self.folder, "postgres")
        self.port, self.settings, self.process = free_port(), list(settings), None
        if primary:
            self._as_owner([self.bin / "pg_basebackup", "-D", self.folder / "data", "-d", primary.url(), "-R", "-C", "-S", "standby", "-c", "fast", "-N"])
        else:
            self._as_owner([self.bin / "initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"])
        self.start()

    def _as_owner(self, args):
        subprocess.run([str(a) for a in args], check=True, capture_output=True, cwd=self.folder, timeout=300, **as_user("postgres"))

    def start(self):
        args = [self.bin / "postgres", "-D", self.folder / "data", "-p", self.port, "-k", self.folder, "-c", "listen_addresses=127.0.0.1",
                "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=40"]
        for s in self.settings:
            args += ["-c", s]
        self.process = Process("postgres", args, self.folder, user="postgres")
        self.process.ready(lambda: subprocess.run([self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0)

    def stop(self, fast=True):
        if self.process:
            self.process.stop(signal.SIGINT if fast else signal.SIGQUIT)
            self.process = None

    def url(self, database="postgres", user="postgres"):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def sql(self, text, database="postgres"):
        done = subprocess.run([str(self.bin / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", self.url(database)], input=text,
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()


class PgBouncer:
    """A pooler before <postgres>, with one session for all of a database's clients."""

    def __init__(self, folder, postgres, mode):
        self.port, at = free_port(), Path(folder) / f"pgbouncer-{mode}"
        at.mkdir()
        (at / "users.txt").write_text('"postgres" ""\n')
        (at / "pgbouncer.ini").write_text("\n".join(["[databases]", f"* = host=127.0.0.1 port={postgres.port}", "[pgbouncer]", "listen_addr = 127.0.0.1",
            f"listen_port = {self.port}", "unix_socket_dir =", "auth_type = trust", f"auth_file = {at}/users.txt", f"pool_mode = {mode}", "default_pool_size = 1",
            "admin_users = postgres", ""]))
        _give(at, "postgres")
        self.process = Process("pgbouncer", ["/usr/sbin/pgbouncer", at / "pgbouncer.ini"], at, user="postgres")
        self.process.ready(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() is None)

    def stop(self):
        self.process.stop()

    def url(self, database="postgres"):
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


class Redis:
    def __init__(self, folder, settings=(), port=None):
        self.port = port or free_port()
        self.folder = Path(folder) / f"redis-{self.port}"
        self.folder.mkdir(exist_ok=True)
        self.settings, self.process = list(settings), None
        self.start()

    def start(self):
        args = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder, "--save", "", "--appendonly", "no", "--daemonize", "no"]
        for s in self.settings:
            args += s.split(" ")
        self.process = Process("redis", args, self.folder)
        self.process.ready(lambda: self.cli("ping") in ("PONG",) or "NOAUTH" in self.cli("ping"))

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def url(self, db=0):
        return f"redis://127.0.0.1:{self.port}/{db}"

    def cli(self, *args):
        done = subprocess.run(["redis-cli", "-p", str(self.port), *map(str, args)], capture_output=True, text=True, timeout=60)
        return done.stdout.strip()


class Sentinel(Redis):
    """A Sentinel; watch() tells it of a master."""

    def start(self):
        config = self.folder / "sentinel.conf"
        if not config.exists():
            config.write_text(f"port {self.port}\nbind 127.0.0.1\ndir {self.folder}\n" + "".join(f"{s}\n" for s in self.settings))
        self.process = Process("sentinel", ["redis-server", config, "--sentinel"], self.folder)
        self.process.ready(lambda: self.cli("ping") == "PONG")

    def watch(self, name, port, quorum=1):
        assert self.cli("sentinel", "monitor", name, "127.0.0.1", port, quorum) == "OK"


class RedisCluster:
    """Three masters, and <replicas> of the first; a node that is silent for <node_timeout_ms> has failed."""

    def __init__(self, folder, replicas=0, node_timeout_ms=15000):
        buses = [free_port() for _ in range(3 + replicas)]
        self.nodes = [Redis(folder, ["--cluster-enabled yes", f"--cluster-node-timeout {node_timeout_ms}", "--cluster-require-full-coverage no",
                                     "--repl-diskless-sync-delay 0", f"--cluster-port {bus}"]) for bus in buses]
        for i, node in enumerate(self.nodes):
            if i < 3:
                node.cli("cluster", "addslotsrange", i * 5462, min(16383, i * 5462 + 5461))
                node.cli("cluster", "set-config-epoch", i + 1)
            node.cli("cluster", "meet", "127.0.0.1", self.nodes[0].port, buses[0])
        self.know(f"cluster_known_nodes:{len(buses)}")
        self.first = self.nodes[0].cli("cluster", "myid")
        for node in self.nodes[3:]:
            wait_for("a replica", lambda: node.cli("cluster", "replicate", self.first) == "OK")
            wait_for("its link", lambda: "master_link_status:up" in node.cli("info", "replication"))
        self.know("cluster_state:ok", "cluster_size:3")
        wait_for("all know who is a replica", lambda: all(n.cli("cluster", "nodes").count(f"slave {self.first}") == replicas for n in self.nodes))

    def know(self, *texts):
        wait_for(f"all know {texts}", lambda: all(t in n.cli("cluster", "info") for n in self.nodes for t in texts))

    def cli(self, *args):
        """Of whichever node the key is."""
        return self.nodes[0].cli("-c", *args)

    def names(self):
        return [f"127.0.0.1:{n.port}" for n in self.nodes]

    def stop(self):
        for node in self.nodes:
            node.stop()


class RabbitMQ:
    """A node of its own: name, ports, folder, epmd. The management plugin is on. <tls>: files of a certificate and its key."""

    def __init__(self, folder, tls=None):
        self.port, self.management_port, self.dist, self.epmd_port, self.tls_port = (free_port() for _ in range(5))
        self.folder = Path(folder) / f"rabbitmq-{self.port}"
        self.folder.mkdir()
        self.process = self.epmd = None
        settings = [f"listeners.ssl.1 = 127.0.0.1:{self.tls_port}", f"ssl_options.certfile = {tls[0]}", f"ssl_options.keyfile = {tls[1]}"] if tls else []
        (self.folder / "rabbitmq.conf").write_text("\n".join([
            f"listeners.tcp.1 = 127.0.0.1:{self.port}", "management.tcp.ip = 127.0.0.1", f"management.tcp.port = {self.management_port}",
            "collect_statistics_interval = 500", "total_memory_available_override_value = 1GB", "disk_free_limit.absolute = 1MB", *settings, ""]))
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management].")
        _give(self.folder, "rabbitmq")
        self.start()

    def start(self):
        at = self.folder
        env = {"HOME": at, "ERL_EPMD_PORT": self.epmd_port, "ERL_EPMD_ADDRESS": "127.0.0.1", "RABBITMQ_NODENAME": f"tocsin-{self.port}@localhost",
               "RABBITMQ_DIST_PORT": self.dist, "RABBITMQ_BASE": at, "RABBITMQ_MNESIA_BASE": at / "mnesia", "RABBITMQ_LOG_BASE": at / "log",
               "RABBITMQ_CONFIG_FILE": at / "rabbitmq.conf", "RABBITMQ_ENABLED_PLUGINS_FILE": at / "enabled_plugins",
               "RABBITMQ_CONF_ENV_FILE": "/dev/null",
               "RUNNING_UNDER_SYSTEMD": "1",    # no shell in between, behind which the node would outlive us
               "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1"}
        env = {k: str(v) for k, v in env.items()}
        self.env = env
        self.epmd = Process("epmd", ["epmd", "-port", self.epmd_port, "-address", "127.0.0.1"], at, env, user="rabbitmq")
        self.epmd.ready(lambda: socket.create_connection(("127.0.0.1", self.epmd_port)).close() is None)    # else the node starts another
        self.process = Process("rabbitmq", ["/usr/lib/rabbitmq/bin/rabbitmq-server"], at, env, user="rabbitmq")
        self.process.ready(lambda: self.api("/overview") is not None, 240)

    def stop(self):
        for process in (self.process, self.epmd):
            if process:
                process.kill()
        self.process = self.epmd = None

    def url(self, vhost="%2F", user="guest:guest", scheme="amqp", port=None):
        return f"{scheme}://{user}@127.0.0.1:{port or self.port}/{vhost}"

    @property
    def management_url(self):
        return f"http://127.0.0.1:{self.management_port}"

    def api(self, path, data=None, method=None):
        headers = {"Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q=", "Content-Type": "application/json"}
        if data is not None:
            data = json.dumps(data).encode()
        status, _, text = http(f"{self.management_url}/api{path}", data, headers, method=method)
        assert status < 300, f"{path}: {status} {text}"
        return json.loads(text) if text else {}

    def evaluate(self, erlang):
        """In the node itself: settings that cannot be changed from outside while it runs."""
        done = subprocess.run(["runuser", "-u", "rabbitmq", "--", "env", f"HOME={self.folder}", "/usr/lib/rabbitmq/bin/rabbitmqctl",
                               "eval", erlang], cwd=self.folder,
                              env={**os.environ, **self.env}, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    def vhost(self, name):
        """Makes a virtual host; the name as it stands in a URL."""
        self.api(f"/vhosts/{name}", {}, "PUT")
        self.api(f"/permissions/{name}/guest", {"configure": ".*", "write": ".*", "read": ".*"}, "PUT")
        return name


class CeleryWorker:
    """A worker of the app in <module> (a Python file in <cwd>), with events on, as people run it."""

    def __init__(self, folder, cwd, module, broker, name="worker1", queues=None, concurrency=1, extra=(), env=None):
        args = [PYTHON, "-m", "celery", "-A", module, "worker", "-n", f"{name}@%h", "-c", concurrency, "--loglevel=INFO", "-E", *extra]
        if queues:
            args += ["-Q", queues]
        self.process = Process(f"celery-{name}", args, folder, cwd=cwd,
                               env={"CELERY_BROKER_URL": broker, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
        self.process.ready(lambda: " ready." in self.process.text(), 120)

    def stop(self):
        self.process.stop(seconds=10)           # it ends when its task has

    def kill(self):
        self.process.kill()


def binary(name):
    path = ROOT / "build" / MODE / name
    if not path.exists():
        raise RuntimeError(f"{path} is not built: run 'make MODE={MODE} programs' first")
    return path


class Program:
    """One of ours, listening on a free port of its own."""

    name, ready_path = None, "/-/ready"

    def __init__(self, folder, config=None, args=(), env=None, port=None, wait=True):
        self.folder, self.port, self.args, self.env = Path(folder), port or free_port(), list(args), env
        if config is not None:
            self.args += ["--config.file", config]
        self.process = None
        self.start(wait)

    def start(self, wait=True):
        self.process = Process(self.name, [binary(self.name), "--web.listen-address", f"127.0.0.1:{self.port}", *self.args], self.folder, env=self.env)
        if wait:
            self.process.ready(lambda: http(self.url(self.ready_path))[0] == 200)

    def url(self, path=""):
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path, **kw):
        return http(self.url(path), **kw)

    def json(self, path, **kw):
        return json.loads(self.get(path, **kw)[2])

    def stop(self):
        if self.process:
            code = self.process.stop()
            self.process = None
            return code
        return None

    def kill(self):
        if self.process:
            self.process.kill()
            self.process = None


class Exporter(Program):
    name = "tocsin-exporter"


class Alerter(Program):
    name = "tocsin-alerter"


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
