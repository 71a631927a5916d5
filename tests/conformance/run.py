#!/usr/bin/python3
"""Our PromQL engine beside Debian's Prometheus, over the same generated samples: the same questions, the same answers?

    run.py [--queries N] [--seed N] [--binary build/release/tocsin-alerter] [--keep]

Both get the samples of generate.py (promtool tsdb create-blocks-from openmetrics; tocsin-alerter import openmetrics) and are asked N generated
expressions, each as an instant and as a range query. A difference that only the peer's age explains (it is Prometheus 2.42, we follow 3) is
counted by its kind in KNOWN below; any other is printed and fails. Last line: "N passed, N failed".
"""
import argparse
import contextlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import compare
import generate

ROOT = Path(__file__).resolve().parents[2]
SHOWN = 2000

# kind, whether a difference is of that kind: (query, path, what differs) -> bool, why the peer's age explains it
KNOWN = [
]


def free_port():
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until_ready(address, process, log):
    for _ in range(300):
        if process.poll() is not None:
            break
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(f"{address}/-/ready", timeout=2).close()
            return
        time.sleep(0.1)
    sys.exit(f"{process.args[0]} did not come up:\n{log.read_text()[-3000:]}")


@contextlib.contextmanager
def server(folder, name, args):
    """Runs <args>, to which the address to listen on is added; yields the address."""
    port = free_port()
    log = folder / f"{name}.log"
    with log.open("w") as out:
        process = subprocess.Popen([str(a) for a in args] + [f"--web.listen-address=127.0.0.1:{port}"], cwd=folder, stdout=out, stderr=out)
        try:
            until_ready(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def call(*args):
    done = subprocess.run([str(a) for a in args], text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"{args[0]}: {done.stdout}{done.stderr}")


def prepare(folder, seed, binary):
    """The same samples for both; what to run."""
    (folder / "samples.om").write_text(generate.samples(seed), encoding="ascii")
    (folder / "empty.yml").write_text("global: {}\n")
    call("promtool", "tsdb", "create-blocks-from", "openmetrics", folder / "samples.om", folder / "peer")
    call(binary, "import", "openmetrics", folder / "samples.om", f"--storage.path={folder / 'ours'}")
    return ([shutil.which("prometheus"), f"--config.file={folder / 'empty.yml'}", f"--storage.tsdb.path={folder / 'peer'}",
             "--storage.tsdb.retention.time=100y", "--enable-feature=promql-at-modifier,promql-negative-offset", "--log.level=warn"],
            [binary, f"--config.file={folder / 'empty.yml'}", f"--storage.path={folder / 'ours'}", "--storage.retention=100y"])


def kind_of(text, path, what):
    return next((kind for kind, matches, _ in KNOWN if matches(text, path, what)), None)


def ask(peer, ours, seed, count):
    """Counts: (equal, {kind: number}, [unexplained])."""
    equal, known, unexplained = 0, {}, []
    for text, t in generate.queries(seed, count):
        for path, params in (("/api/v1/query", {"time": t}),
                             ("/api/v1/query_range", {"start": t - compare.RANGE_SECONDS, "end": t, "step": compare.STEP_SECONDS})):
            what = compare.difference(peer.ask(path, query=text, **params), ours.ask(path, query=text, **params))
            kind = what and kind_of(text, path, what)
            if not what:
                equal += 1
            elif kind:
                known[kind] = known.get(kind, 0) + 1
            else:
                unexplained.append(f"{path} {params} {text}\n    {what}")
    return equal, known, unexplained


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--queries", type=int, default=5000)
    options.add_argument("--seed", default="1")
    options.add_argument("--binary", type=Path, default=ROOT / "build/release/tocsin-alerter")
    options.add_argument("--keep", action="store_true", help="leave the temporary folder")
    o = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-conformance-"))
    try:
        peer, ours = prepare(folder, o.seed, o.binary.resolve())
        with server(folder, "peer", peer) as peer_at, server(folder, "ours", ours) as ours_at:
            equal, known, unexplained = ask(compare.Server(peer_at), compare.Server(ours_at), o.seed, o.queries)
    finally:
        if not o.keep:
            shutil.rmtree(folder)
    for text in unexplained[:SHOWN]:
        print(text)
    if len(unexplained) > SHOWN:
        print(f"… and {len(unexplained) - SHOWN} more")
    for kind, _, why in KNOWN:
        if kind in known:
            print(f"known: {known[kind]:6} {kind}: {why}")
    print(f"{equal + sum(known.values())} passed, {len(unexplained)} failed")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
