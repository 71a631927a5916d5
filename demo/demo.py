"""`make run`: Tocsin watching something, so that one sees it work before configuring anything.

Without DATABASE_URL, REDIS_URL and CELERY_BROKER_URL a small business is started in a temporary folder (Postgres, Redis, a Celery worker,
an API) with a little load; with any of them set, those are watched instead and nothing of them is changed. Then both programs and a
receiver that prints what it is told. Ctrl-C ends all of it and removes the folder; after a kill -9 the next run does.
"""
import fcntl
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/e2e"))
sys.dont_write_bytecode = True
from servers import PYTHON, Alerter, CeleryWorker, Ended, Exporter, Postgres, Process, Redis, free_port, http  # noqa: E402

BOLD, RED, GREEN, DIM, PLAIN = ("\033[1m", "\033[31m", "\033[32m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("",) * 5
told = threading.Event()        # a firing alert has arrived


def say(text):
    print(text, flush=True)


class Receiver(BaseHTTPRequestHandler):
    """Prints each alert of an Alertmanager webhook."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()
        for alert in body["alerts"]:
            firing = alert["status"] == "firing"
            colour, word = (RED, "FIRING  ") if firing else (GREEN, "RESOLVED")
            notes = alert["annotations"]
            why = "" if firing else f"  {DIM}({notes.get('tocsin_reason', '')}){PLAIN}"
            say(f"{time.strftime('%H:%M:%S')}  {colour}{BOLD}{word}{PLAIN} {BOLD}{alert['labels']['alertname']}{PLAIN}  {notes.get('summary', '')}{why}")
            if firing:
                told.set()

    def log_message(self, *args):
        pass


class Business:
    """The private servers, and the load on them."""

    def __init__(self, folder, started):
        say("starting Postgres, Redis, a Celery worker and a small API, all private …")
        self.postgres = Postgres(folder)
        started.append(self.postgres)
        self.postgres.sql(f"create database fairedge")
        self.postgres.sql((HERE / "schema.sql").read_text(), "fairedge")
        self.redis = Redis(folder)
        started.append(self.redis)
        self.worker = CeleryWorker(folder, HERE, "tasks", self.redis.url())
        started.append(self.worker)
        self.api_port = free_port()
        self.api = Process("api", [PYTHON, HERE / "api.py", self.api_port], folder)
        started.append(self.api)

    def environment(self):
        return {"DATABASE_URL": self.postgres.url("fairedge"), "REDIS_URL": self.redis.url(), "CELERY_BROKER_URL": self.redis.url(),
                "API_URL": f"http://127.0.0.1:{self.api_port}"}

    def load(self, stop):
        """Tasks, look-ups and orders; after a while opportunities run out, and come back once somebody was told."""
        sys.path.insert(0, str(HERE))
        os.environ["CELERY_BROKER_URL"] = self.redis.url()
        import tasks
        begin, low, restocked = time.monotonic(), False, None
        while not stop.wait(1):
            try:
                tasks.odds_refresh.delay(), tasks.ev_calculation.delay(), tasks.cache_warming.delay(), tasks.user_cleanup.delay()
                self.redis.cli("set", "opportunities:football", "7", "ex", "60")
                self.redis.cli("get", "opportunities:football")
                self.redis.cli("get", "opportunities:polo")
                self.postgres.sql("update opportunities set refreshed_at = now() where id % 3 = 0; update api_usage set calls = calls + 1", "fairedge")
                now = time.monotonic()
                if not low and now - begin > 8:
                    low = True
                    say(f"{DIM}{time.strftime('%H:%M:%S')}  seven of fourteen opportunities expire …{PLAIN}")
                    self.postgres.sql("delete from opportunities where id <= 7", "fairedge")
                if low and restocked is None and told.is_set():
                    restocked = now + 25
                if restocked and now > restocked:
                    restocked = float("inf")
                    say(f"{DIM}{time.strftime('%H:%M:%S')}  new opportunities arrive …{PLAIN}")
                    self.postgres.sql("insert into opportunities (sport, expected_value) select 'football', 0.05 from generate_series(1, 10)", "fairedge")
            except Exception as e:      # a server that somebody stopped, to see what happens, is no reason to end
                if os.environ.get("DEMO_DEBUG"):
                    say(f"load: {e}")


def own_config(environment, names):
    lines = []
    for kind, variable in names.items():
        if environment.get(variable):
            lines.append(f"{kind}: [{{ name: {kind}, url: '${{{variable}}}' }}]")
    return "\n".join(lines) + "\n"


def exporter_config(private):
    text = own_config(os.environ, {"postgres": "DATABASE_URL", "redis": "REDIS_URL", "celery": "CELERY_BROKER_URL"})
    return text + (HERE / "gauges.yml").read_text() if private else text


def alerter_config(folder, exporter, api_port, receiver_port, rules):
    jobs = [("tocsin", f"127.0.0.1:{exporter.port}")] + ([("fairedge-api", f"127.0.0.1:{api_port}")] if api_port else [])
    return json.dumps({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [{"job_name": name, "static_configs": [{"targets": [target]}]} for name, target in jobs],
        "route": {"receiver": "terminal", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"},
        "receivers": [{"name": "terminal", "webhook_configs": [{"url": f"http://127.0.0.1:{receiver_port}/", "send_resolved": True}]}],
    }, indent=1)


def explain(alerter, exporter, business):
    say(f"""
{BOLD}Tocsin is running.{PLAIN}
  the page          {BOLD}{alerter.url('/')}{PLAIN}
  its metrics       {alerter.url('/metrics')}
  what it watches   {exporter.url('/')}
  the metrics       {BOLD}{exporter.url('/metrics')}{PLAIN}
  ask it something  curl -s '{alerter.url('/api/v1/query')}' --data-urlencode 'query=up'""")
    if business:
        say(f"""
Within a minute an alert, LowOpportunityCount, fires and is delivered here; half a minute later it ends. Then try:
  ServiceDown       kill {business.api.pid}                     the API dies
  DatabaseDown      kill -INT {business.postgres.process.pid}                Postgres stops
  CeleryWorkerDown  kill -9 -{business.worker.process.pid}              the worker is killed
  a task            redis-cli -p {business.redis.port} llen celery    what waits
""")
    else:
        say("\nYour servers are watched, nothing in them is changed. Within a minute SourceIsWatched fires for each and is delivered here.\n"
            "Stop one of them to see SourceDown.\n")
    say("Ctrl-C ends everything and removes what was made.\n")


def run(folder, started, stop):
    given = [v for v in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL") if os.environ.get(v)]
    business = None if given else Business(folder, started)
    if business:
        os.environ.update(business.environment())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = folder / "exporter.yml"
    config.write_text(exporter_config(business is not None))
    exporter = Exporter(folder, config)
    started.append(exporter)
    config = folder / "tocsin.yml"
    rules = HERE / ("rules.yml" if business else "rules-own.yml")
    config.write_text(alerter_config(folder, exporter, business and business.api_port, server.server_port, rules))
    alerter = Alerter(folder, config, ["--storage.path", folder / "data"])
    started.append(alerter)
    explain(alerter, exporter, business)
    if business:
        threading.Thread(target=business.load, args=(stop,), daemon=True).start()
    while True:
        time.sleep(1)
        for program in (exporter, alerter):
            if not program.process.alive():
                raise RuntimeError(f"{program.name} ended:\n{program.process.text()[-2000:]}")


def end(*_):
    raise Ended


def lock(folder):
    """Held while this process lives, however it ends: a folder whose lock nobody holds is nobody's."""
    f = open(folder / "lock", "a")
    fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return f


def remove_stale():
    for folder in Path(tempfile.gettempdir()).glob("tocsin-demo-*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid() or not (folder / "lock").exists():
                continue
            lock(folder).close()
        except OSError:
            continue                # another demonstration's, at work
        shutil.rmtree(folder, ignore_errors=True)


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    remove_stale()
    folder, started, stop = Path(tempfile.mkdtemp(prefix="tocsin-demo-")), [], threading.Event()
    held = lock(folder)
    code = 0
    try:
        run(folder, started, stop)
    except Ended:
        say("\nstopping …")
    except Exception as e:
        say(f"\nit did not work: {e}")
        code = 1
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        stop.set()
        for thing in reversed(started):
            thing.stop()
        shutil.rmtree(folder, ignore_errors=True)
        held.close()
    say("nothing is left behind.")
    os._exit(code)


if __name__ == "__main__":
    main()
