"""A million series every 15 seconds, ours alone: resident memory, the share of a core, and whether a scrape was missed. Not among the parts that run
unasked. MILLION_MINUTES: how long, once all series are there."""
import json
import os
import time

from scrapes import SERIES, Peer, Targets

TARGETS, INTERVAL_S, SETTLE_S = 995, 15, 60
MINUTES = int(os.environ.get("MILLION_MINUTES", "5"))


def million(folder, started, row, say, cpu_s, status_kb, binary):
    targets = Targets(TARGETS, INTERVAL_S)
    started.append(targets)
    config, storage = folder / "million.yml", folder / "million"
    config.write_text(json.dumps({"global": {"scrape_interval": f"{INTERVAL_S}s"},
                                  "scrape_configs": [{"job_name": "bench", "static_configs": targets.groups}]}))
    say(f"million: {TARGETS} targets of {SERIES} series, every {INTERVAL_S} s, {MINUTES} minutes")
    ours = Peer("tocsin-alerter", folder, [binary("tocsin-alerter"), "--config.file", config, "--storage.path", storage], storage)
    started.append(ours)
    time.sleep(SETTLE_S)
    most, before, began = 0.0, cpu_s(ours.process.pid), time.monotonic()
    for minute in range(1, MINUTES + 1):
        time.sleep(60)
        memory_mb = status_kb(ours.process.pid, "VmRSS") / 1024
        most = max(most, memory_mb)
        say(f"  {minute:>3} min: {memory_mb:.0f} MB, {cpu_s(ours.process.pid) - before:.1f} s CPU")
    cores = (cpu_s(ours.process.pid) - before) / (time.monotonic() - began)
    due = TARGETS * MINUTES * 60 // INTERVAL_S
    done = ours.count(time.time() - INTERVAL_S, f"sum(sum_over_time(up[{MINUTES}m]))")
    say(f"  scrapes done: {done}, due: {due}")
    row("million_memory", memory_mb, 400, "MB", 1)
    row("million_memory_most", most, 400, "MB", 1)
    row("million_cores", cores, 0.5, "cores", 1)
    row("million_scrapes_missed", 1 + max(due - done, 0), 1, "times", 1)
