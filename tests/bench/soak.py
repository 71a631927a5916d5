"""An hour of 100,500 series every five seconds, of which a hundredth is replaced each minute: resident memory of the three programs each minute, and
how long each takes to start after kill -9 then. Not among the parts that run unasked. SOAK_MINUTES and SOAK_PEERS=0 shorten it."""
import json
import os
import time

from scrapes import INTERVAL_S, SERIES, TARGETS, Peer, Targets, page, tree_bytes

MINUTES, GROUPS = int(os.environ.get("SOAK_MINUTES", "60")), 100


class ChurningTargets(Targets):
    """Line k of a page has a label that changes when its turn of the hundred comes."""

    def body(self, elapsed_s):
        turn, minute = int(elapsed_s / INTERVAL_S), int(elapsed_s / 60)
        if self.made[0] != turn:
            lines = page(turn).decode().splitlines()
            named = [line if line.startswith("#") else line.replace("{", f'{{v="{(minute + GROUPS - 1 - k % GROUPS) // GROUPS}",', 1) for k, line in enumerate(lines)]
            self.made = (turn, ("\n".join(named) + "\n").encode())
        return self.made[1]


def soak(folder, started, row, say, cpu_s, status_kb, binary):
    targets = ChurningTargets()
    started.append(targets)
    config = folder / "soak.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": f"{INTERVAL_S}s", "scrape_timeout": f"{INTERVAL_S}s"},
                                  "scrape_configs": [{"job_name": "bench", "static_configs": targets.groups}]}))
    names = ["tocsin-alerter"] + (["prometheus", "victoria-metrics"] if os.environ.get("SOAK_PEERS", "1") == "1" else [])
    where = {name: folder / f"soak-{name}" for name in names}
    args = {"tocsin-alerter": [binary("tocsin-alerter"), "--config.file", config, "--storage.path", where["tocsin-alerter"]],
            "prometheus": ["prometheus", "--config.file", config, "--storage.tsdb.path", folder / "soak-prometheus"],
            "victoria-metrics": ["victoria-metrics", f"-promscrape.config={config}", f"-storageDataPath={folder / 'soak-victoria-metrics'}"]}
    peers = [Peer(name, folder, args[name], where[name], "/health" if name == "victoria-metrics" else "/-/ready") for name in names]
    started += peers
    say(f"soak: {TARGETS} targets of {SERIES} series, every {INTERVAL_S} s, {MINUTES} minutes, 1 % of the series replaced each minute")
    most, total = [0.0] * len(peers), [0.0] * len(peers)
    for minute in range(1, MINUTES + 1):
        time.sleep(60)
        memory_mb = [status_kb(p.process.pid, "VmRSS") / 1024 for p in peers]
        most = [max(a, b) for a, b in zip(most, memory_mb)]
        total = [a + b for a, b in zip(total, memory_mb)]
        say(f"  {minute:>3} min: " + ", ".join(f"{mb:.1f} MB, {cpu_s(p.process.pid):.1f} s CPU, {tree_bytes(p.storage) / 2**20:.0f} MB disk {p.name}" for p, mb in zip(peers, memory_mb)))
    for name, mb, peak, mean in list(zip(names, memory_mb, most, (mb / MINUTES for mb in total)))[1:]:
        row(f"soak_memory_{name}", memory_mb[0], mb, "MB", 4)
        row(f"soak_memory_mean_{name}", total[0] / MINUTES, mean, "MB", 4)
        row(f"soak_memory_most_{name}", most[0], peak, "MB", 4)
    row("soak_memory_goal", memory_mb[0], 64, "MB", 1)
    start_s = [p.restart_s() for p in peers]
    for name, s in list(zip(names, start_s))[1:]:
        row(f"soak_start_after_kill_{name}", start_s[0], s, "s", 2)
