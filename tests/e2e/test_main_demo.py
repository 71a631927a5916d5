"""`make run`, behind the packages it installs: a real alert within a minute, and nothing left behind."""
import fcntl
import os
import re
import signal
from pathlib import Path

from servers import PYTHON, ROOT, Ended, Postgres, Process, Redis, http, wait_for


class Demo:
    def __init__(self, folder, env=None, stale=()):
        self.tmp = Path(folder) / "tmp"
        for name in stale:
            (self.tmp / f"tocsin-demo-{name}").mkdir(parents=True)
            (self.tmp / f"tocsin-demo-{name}/lock").touch()
        if "at-work" in stale:
            self.held = open(self.tmp / "tocsin-demo-at-work/lock")
            fcntl.flock(self.held, fcntl.LOCK_EX)
        self.tmp.mkdir(exist_ok=True)
        self.tmp.chmod(0o755)
        nothing = {"DATABASE_URL": "", "REDIS_URL": "", "CELERY_BROKER_URL": ""}
        self.process = Process("demo", [PYTHON, ROOT / "demo/demo.py"], folder, env={"TMPDIR": str(self.tmp), **nothing, **(env or {})})

    def text(self):
        return self.process.text()

    def wait(self, pattern):
        def found():
            if not self.process.alive():
                raise Ended(self.text())
            return re.search(pattern, self.text())
        return wait_for(pattern, found, 180, 0.2)

    def interrupt(self):
        """Ctrl-C, as a terminal sends it; what is left of it afterwards."""
        self.process.p.send_signal(signal.SIGINT)
        code = self.process.p.wait(120)
        mine = [p for p in Path("/proc").glob("[0-9]*") if str(self.tmp).encode() in command(p)]
        return code, list(self.tmp.iterdir()), [command(p) for p in mine]

    def stop(self):
        self.process.stop()


def command(proc):
    try:
        return (proc / "cmdline").read_bytes() + (proc / "environ").read_bytes()
    except OSError:
        return b""


def test_with_nothing_set(box):
    """F5: a private business; LowOpportunityCount fires and is delivered; page and metrics answer; Ctrl-C leaves nothing."""
    demo = box.start(Demo, stale=("killed", "at-work"))
    demo.wait(r"FIRING .*LowOpportunityCount.* 7 opportunities")
    page, metrics = (re.search(rf"{what}\s+(http://\S+)", demo.text())[1] for what in ("the page", "the metrics"))
    assert "LowOpportunityCount" in http(page)[2]
    text = http(metrics)[2]
    for line in ('pg_up{source="postgres"} 1', 'redis_up{source="redis"} 1', 'celery_up{source="celery"} 1', 'fairedge_opportunities_count{source="business"} 7'):
        assert line in text, line
    pid = int(re.search(r"ServiceDown\s+kill (\d+)", demo.text())[1])
    os.kill(pid, signal.SIGTERM)
    demo.wait(r"FIRING .*ServiceDown")
    code, files, processes = demo.interrupt()
    assert files == [demo.tmp / "tocsin-demo-at-work"], "what a killed one left is removed, what is another's is not"
    assert (code, processes) == (0, []) and "nothing is left behind" in demo.text()


def test_with_servers_of_ones_own(box):
    """What DATABASE_URL and REDIS_URL name is watched instead, and nothing in it is changed."""
    postgres, redis = box.start(Postgres), box.start(Redis)
    before = postgres.sql("select count(*) from pg_class"), redis.cli("dbsize")
    demo = box.start(Demo, {"DATABASE_URL": postgres.url(), "REDIS_URL": redis.url()})
    demo.wait(r"FIRING .*SourceIsWatched")
    redis.stop()
    demo.wait(r"FIRING .*SourceDown")
    redis.start()
    code, files, processes = demo.interrupt()
    assert (code, files, processes) == (0, [], [])
    assert (postgres.sql("select count(*) from pg_class"), redis.cli("dbsize")) == before
