"""Who may include whom: dependencies point one way (lib <- promql, store, notify, exporter; and so on). Prints what breaks it."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = {                     # folder: folders whose public header it may include, besides its own files and <tocsin/…>
    "lib": set(),
    "alerter/promql": set(),
    "alerter/store": set(),
    "alerter/notify": set(),
    "alerter/scrape": {"store"},
    "alerter/rules": {"promql"},
    "alerter/remote": {"promql"},
    "alerter/api": {"promql", "store", "scrape", "rules", "notify", "remote", "web", "."},
    "alerter/tool": {"promql", "store", "scrape", "rules", "notify", "remote", "."},
    "alerter": {"promql", "store", "scrape", "rules", "notify", "remote", "api", "tool", "web"},
    "exporter": {"postgres", "redis", "celery", "gauges", "probe", "logs", "files", "host"},
    "exporter/postgres": {".", "probe"},
    "exporter/redis": {"."},
    "exporter/celery": {".", "redis"},
    "exporter/gauges": {".", "redis", "postgres"},
    "exporter/probe": {".", "gauges"},
    "exporter/logs": {"."},
    "exporter/files": {"."},
    "exporter/host": {"."},
}
# A folder's public header bears its name; these folders offer parts of themselves besides.
ALSO_PUBLIC = {
    "scrape": {"textparse.h"},                                      # what is imported is what would be scraped
    "redis": {"conn.h", "endpoint.h", "scan.h", "settings.h"},      # Celery and gauges speak Redis too
    "gauges": {"rows.h"},                                           # probes turn JSON into gauges too
    "postgres": {"conn.h"},                                         # gauges ask SQL
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def program_of(folder):
    return folder.split("/")[0]


def layer_of(path):
    """The folder, or the nearest above it, that has a row."""
    folder = str(path.relative_to(ROOT))
    while folder not in ALLOWED and "/" in folder:
        folder = str(Path(folder).parent)
    return folder


def check(path):
    folder = layer_of(path.parent)
    for name in INCLUDE.findall(path.read_text()):
        if name.startswith("tocsin/") or (path.parent / name).resolve().parent == path.parent:
            continue
        target = next((p for p in (path.parent / name, ROOT / program_of(folder) / name) if p.exists()), None)
        if target is None:
            yield f'{path.relative_to(ROOT)}: "{name}" is nowhere'
            continue
        there = layer_of(target.resolve().parent)
        short = there.removeprefix(program_of(folder)).strip("/") or "."
        if there == folder:
            continue
        if program_of(there) != program_of(folder) or short not in ALLOWED.get(folder, set()):
            yield f"{path.relative_to(ROOT)}: {folder} may not include {there}/{target.name}"
        elif short not in (".",) and target.name not in {f"{short}.h"} | ALSO_PUBLIC.get(short, set()):
            yield f"{path.relative_to(ROOT)}: only {short}/{short}.h is public, not {target.name}"


bad = [line for top in ("lib", "exporter", "alerter") for path in sorted((ROOT / top).rglob("*.[ch]")) for line in check(path)]
print("\n".join(bad))
sys.exit(1 if bad else 0)
