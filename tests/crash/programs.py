"""What the crash test kills: our alerter, or Debian's Prometheus and Alertmanager; both behind the same few verbs, with the same rules,
routes and receiver. What may be down while it is asked raises OSError."""
import json
import signal
import time
from datetime import datetime, timezone
from pathlib import Path

from servers import Alerter, Process, free_port, http

GLOBAL = {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"}
KINDS = {"Single": {}, "Slow": {"for": "300ms", "keep_firing_for": "300ms"}, "Shared": {}, "Page": {}}


def rule_file(extra):
    rules = [{"alert": name, "expr": f'x{{kind="{name}"}} > 0', "annotations": {"n": "{{ $value }}"}, **more} for name, more in KINDS.items()]
    return json.dumps({"groups": [{"name": "crash", "interval": "200ms", "rules": rules + [{"record": f"extra{k}", "expr": "1"} for k in range(extra)]}]})


def route(choice, pages):
    """Alone, or several together, grouped as <choice> says."""
    at_once = {"group_wait": "0s", "group_interval": choice["group_interval"], "repeat_interval": "1h"}
    routes = [{"matchers": [f'i="{i}"'], "receiver": f"page-{i}"} for i in pages]
    return {"receiver": "hook", "group_by": ["alertname", "i"], **at_once,
            "routes": [{"matchers": ['kind="Shared"'], "group_by": choice["shared_by"]}, *routes]}


def replace(path, text):
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


def ask(url, **kw):
    status, _, text = http(url, timeout=3, **kw)
    if status != 200:
        raise ConnectionError(f"{url}: {status} {text}")
    return json.loads(text) if text.startswith(("{", "[")) else text


def firing_at(url):
    """{i: n} of what fires."""
    alerts = ask(url + "/api/v1/alerts")["data"]["alerts"]
    return {a["labels"]["i"]: int(a["annotations"]["n"]) for a in alerts if a["state"] == "firing" and "i" in a["labels"]}


def hears_hup(process):
    """Before a program has said what a SIGHUP is to it, it ends it."""
    if not process.alive():
        return False
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
    return (int(fields["SigBlk"], 16) | int(fields["SigCgt"], 16)) & 1


class Silences:
    def silence(self, i, end):
        return ask(self.am_url + "/api/v2/silences", data={
            "matchers": [{"name": "i", "value": i, "isRegex": False, "isEqual": True}], "startsAt": iso(time.time()), "endsAt": iso(end),
            "createdBy": "crash", "comment": "as it should be"})["silenceID"]

    def unsilence(self, number):
        ask(f"{self.am_url}/api/v2/silence/{number}", method="DELETE")

    def silences(self):
        return {s["id"] for s in ask(self.am_url + "/api/v2/silences")}


class Tocsin(Silences):
    keyed, name = True, "tocsin-alerter"

    def __init__(self, folder, target, hook_url, pages, rng):
        self.folder, self.target, self.hook_url, self.pages, self.rng = folder, target, hook_url, pages, rng
        self.port, self.program, self.power_cuts = free_port(), None, 0
        self.am_url = f"http://127.0.0.1:{self.port}"

    def configure(self, choice):
        receivers = [{"name": "hook", "webhook_configs": [{"url": self.hook_url, "timeout": "2s"}]}]
        receivers += [{"name": f"page-{i}", "statuspage_configs": [{
            "api_url": p.url, "page_id": p.page_id, "api_key": p.key, "timeout": "3s", "name": "{{ .CommonAnnotations.n }}", "body": "{{ .Status }}",
            "components": [{"id": "c"}]}]} for i, p in self.pages.items()]
        config = {"global": GLOBAL, "rule_files": ["rules.yml"], "scrape_configs": [
            {"job_name": "app", "static_configs": [{"targets": [self.target.address]}]}], "route": route(choice, self.pages), "receivers": receivers}
        replace(self.folder / "rules.yml", rule_file(choice["extra"]))
        replace(self.folder / "tocsin.yml", "neither: here" if choice["bad"] else json.dumps(config))
        if choice["bad"]:
            self.reload()
            replace(self.folder / "tocsin.yml", json.dumps(config))

    def start(self, power, lies=False):
        env = {"LD_PRELOAD": power, "POWER_SEED": str(self.rng.randrange(1 << 30))} if power else {}
        if power and lies:
            env["POWER_LIES"] = "1"
        self.power_cuts += bool(power)
        if self.program is None:
            self.program = Alerter(self.folder, self.folder / "tocsin.yml", ["--storage.path", self.folder / "data"], env, self.port, wait=False)
        else:
            self.program.env = env
            self.program.start(wait=False)

    def alive(self):
        return self.program.process.alive()

    def reload(self):
        if self.program and self.program.process and hears_hup(self.program.process):
            self.program.process.send_signal(signal.SIGHUP)

    def kill(self):
        self.program.kill()

    def stop(self):
        if self.program:
            self.program.stop()

    def ready(self):
        return http(self.am_url + "/-/ready", timeout=1)[0] == 200

    def firing(self):
        return firing_at(self.am_url)

    def idle(self):
        return not ask(self.am_url + "/api/v1/outbox")["data"]["waiting"]


class Peers(Silences):
    """The alert's own resend delay is a second, so that the sender makes good soon what the Alertmanager forgot."""

    keyed, name = False, "Debian's Prometheus and Alertmanager"

    def __init__(self, folder, target, hook_url, _pages, rng):
        self.folder, self.target, self.hook_url, self.rng = folder, target, hook_url, rng
        self.prometheus_port, self.am_port, self.parts, self.power_cuts = free_port(), free_port(), {}, 0
        self.url, self.am_url = f"http://127.0.0.1:{self.prometheus_port}", f"http://127.0.0.1:{self.am_port}"

    def configure(self, choice):
        replace(self.folder / "rules.yml", rule_file(choice["extra"]))
        replace(self.folder / "prometheus.yml", json.dumps({
            "global": GLOBAL, "rule_files": ["rules.yml"], "scrape_configs": [{"job_name": "app", "static_configs": [{"targets": [self.target.address]}]}],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{self.am_port}"]}]}]}}))
        if choice["bad"]:
            replace(self.folder / "alertmanager.yml", "neither: here")
            self.reload()
            time.sleep(0.1)
        replace(self.folder / "alertmanager.yml", json.dumps({
            "route": route(choice, []), "receivers": [{"name": "hook", "webhook_configs": [{"url": self.hook_url}]}]}))

    def start(self, _power, lies=False):
        commands = {
            "prometheus": ["prometheus", "--config.file", self.folder / "prometheus.yml", "--storage.tsdb.path", self.folder / "tsdb",
                           f"--web.listen-address=127.0.0.1:{self.prometheus_port}", "--rules.alert.resend-delay=1s"],
            "alertmanager": ["prometheus-alertmanager", f"--config.file={self.folder / 'alertmanager.yml'}", f"--storage.path={self.folder / 'am'}",
                             f"--web.listen-address=127.0.0.1:{self.am_port}", "--cluster.listen-address="]}
        for name, command in commands.items():
            if name not in self.parts:
                self.parts[name] = Process(name, command, self.folder)

    def alive(self):
        return all(p.alive() for p in self.parts.values())

    def reload(self):
        try:
            if self.ready():
                for p in self.parts.values():
                    p.send_signal(signal.SIGHUP)
        except OSError:
            pass                                        # Go takes it for an end before it is set up

    def kill(self):
        name = self.rng.choice(["prometheus", "alertmanager"])
        self.parts.pop(name).kill()

    def stop(self):
        for p in self.parts.values():
            p.stop()

    def ready(self):
        return all(http(url + "/-/ready", timeout=1)[0] == 200 for url in (self.url, self.am_url))

    def firing(self):
        return firing_at(self.url)

    def idle(self):
        return True


PROGRAMS = {"tocsin": Tocsin, "alertmanager": Peers}
POWER_C = Path(__file__).resolve().parent / "power.c"
