#!/usr/bin/python3
"""Our PromQL engine beside Debian's Prometheus, over the same generated samples: the same questions, the same answers?

    run.py [--queries N] [--seed N] [--binary build/release/tocsin-alerter] [--keep]

Both get the samples of generate.py (promtool tsdb create-blocks-from openmetrics; tocsin-alerter import openmetrics) and are asked N generated
expressions, each as an instant and as a range query. A difference that only the peer's age explains (it is Prometheus 2.42, we follow 3) is
counted by its kind in KNOWN below; any other is printed and fails. Last line: "N passed, N failed".
"""
import argparse
import contextlib
import math
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import compare
import generate

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from servers import Process, free_port, http  # noqa: E402

SHOWN = 20
WIDE = ("/api/v1/query_range", {"start": generate.START - 600.75, "end": generate.START + generate.LENGTH + 900.25, "step": 29})

SUBQUERY = re.compile(r"\[\w+:\w*\](?: offset -?\w+| @ [^ ]+)*$")


class Pair:
    """Both servers; answers are remembered, as parts of queries are asked again and again."""

    def __init__(self, peer, ours):
        self.servers = (compare.Server(peer), compare.Server(ours))
        self.known = {}

    def ask(self, text, path, params):
        key = (text, path, tuple(params.items()))
        if key not in self.known:
            self.known[key] = [s.ask(path, query=text, **params) for s in self.servers]
        return self.known[key]

    def differing(self, text, path, params):
        """[(labels, time, peer's value, ours)] where they differ; a value that is not there is None. None: not both can answer."""
        answers = self.ask(text, path, params)
        if any(a["status"] != "success" for a in answers):
            return None
        want, got = ({k: dict(v) for k, v in compare.rows(a).items()} for a in answers)
        out = []
        for labels in want.keys() | got.keys():
            w, g = want.get(labels, {}), got.get(labels, {})
            out += [(labels, t, w.get(t), g.get(t)) for t in w.keys() | g.keys()
                    if t not in w or t not in g or not compare.near(w[t], g[t])]
        return out


def calls(text, names):
    """(call, what is in its parentheses) for each call of a function or aggregation that <names>, a regular expression, matches."""
    for m in re.finditer(rf"\b(?:{names})(?: (?:by|without) \([^)]*\))? ?\(", text):
        depth, end = 1, m.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield text[m.start():end], text[m.end():end - 1]


def finite(v):
    return v is not None and math.isfinite(float(v))


def not_finite(v):
    return v is not None and not math.isfinite(float(v))


def of_values(check):
    """A call that differs, and wherever it does, check(peer's value, ours) holds."""
    def explains(pair, call, _inner, path, params):
        points = pair.differing(call, path, params)
        return bool(points) and all(check(v, w) for _, _, v, w in points)
    return explains


def of_argument(check):
    """A call that differs though its argument does not, and check(argument) holds for some value of it."""
    def explains(pair, call, inner, path, params):
        inner = inner.split('", ', 1)[-1]
        if pair.differing(inner, path, params) != [] or not pair.differing(call, path, params):
            return False
        return any(check(float(v)) for _, points in compare.rows(pair.ask(inner, path, params)[0]).items() for _, v in points)
    return explains


def extrapolates_less(v, w):
    return finite(v) and finite(w) and (abs(float(w)) < abs(float(v)) < 2.3 * abs(float(w)))


def with_at(pair, call, _inner, path, params):
    return "@" in call and bool(pair.differing(call, path, params))


def on_edges(pair, call, inner, _path, params):
    """A call over a subquery that differs only when it is asked at times at which points of the subquery meet the window's edge."""
    begin = params.get("start", params.get("time")) // 60 * 60
    aligned = ("/api/v1/query_range", {"start": begin, "end": begin + compare.RANGE_SECONDS, "step": 15})
    return bool(SUBQUERY.search(inner)) and bool(pair.differing(call, *aligned)) and not pair.differing(call, *WIDE)


def keeps_name(pair, text, path, params):
    """The same but for names."""
    answers = pair.ask(text, path, params)
    if "atan2" not in text or any(a["status"] != "success" for a in answers):
        return False
    peer, ours = ({tuple(p for p in labels if p[0] != "__name__"): points for labels, points in compare.rows(a).items()} for a in answers)
    return peer.keys() == ours.keys() and bool(pair.differing(text, path, params))


def joins(pair, text, path, params):
    """A range query that the peer refuses though it answers at each of its steps, and just as we do."""
    peer, ours = pair.ask(text, path, params)
    if "step" not in params or "same labelset" not in peer.get("error", "") or ours["status"] != "success":
        return False
    got = compare.rows(ours)
    text = text.replace("start()", str(params["start"])).replace("end()", str(params["end"]))
    for i in range(int((params["end"] - params["start"]) / params["step"]) + 1):
        t = params["start"] + i * params["step"]
        want = pair.ask(text, "/api/v1/query", {"time": t})[0]
        if want["status"] != "success":
            return False
        at = {labels: v for labels, points in got.items() for when, v in points if when == t}
        want = {labels: points[0][1] for labels, points in compare.rows(want).items()}
        if at.keys() != want.keys() or not all(compare.near(v, at[labels]) for labels, v in want.items()):
            return False
    return True


def wraps(pair, text, path, params):
    """A remainder that differs by nearly the whole divisor, of what differs not."""
    m = re.fullmatch(r"(\(.*\)) % (\d+(?:\.\d+)?)", text)
    points = pair.differing(text, path, params) if m and pair.differing(m[1], path, params) == [] else None
    return bool(points) and all(finite(v) and finite(w) and abs(abs(float(v) - float(w)) - float(m[2])) < 1e-6 * float(m[2]) for _, _, v, w in points)


def is_beyond_digits(pair, text, path, params):
    """A remainder that differs by no more than what agrees to 1e-9 of its dividend, which differs not."""
    m = re.fullmatch(r"(\(.*\)) % .+", text)
    points = pair.differing(text, path, params) if m and pair.differing(m[1], path, params) == [] else None
    largest = {}
    for samples in compare.rows(pair.ask(m[1], path, params)[0]).values() if points else []:
        for t, v in samples:
            largest[t] = max(largest.get(t, 0), abs(float(v)) if finite(v) else 0)
    return bool(points) and all(finite(v) and finite(w) and abs(float(v) - float(w)) < 1e-9 * largest.get(t, 0) for _, t, v, w in points)


def on_bucket_edge(pair, call, inner, path, params):
    """A quantile that differs though its buckets do not, where its rank is the count of a bucket."""
    q, _, buckets = inner.partition(", ")
    points = pair.differing(call, path, params)
    if not points or pair.differing(buckets, path, params) != []:
        return False
    counts = {}
    for labels, samples in compare.rows(pair.ask(buckets, path, params)[0]).items():
        for t, v in samples:
            counts.setdefault((tuple(p for p in labels if p[0] != "le"), t), {})[dict(labels).get("le")] = float(v)
    for labels, t, _, _ in points:
        at = counts.get((labels, t), {})
        rank = float(q) * max(at.values(), default=0)
        if not any(abs(v - rank) <= 1e-9 * rank for v in at.values()):
            return False
    return True


def argument_keeps_name(pair, _call, inner, path, params):
    return keeps_name(pair, inner.split('", ', 1)[-1], path, params)


# kind; the calls it happens in; whether such a call, asked alone, differs in just this way; why the peer's age explains it.
KNOWN = [
    ("name kept by atan2", "[a-z_]+", argument_keeps_name, "2.42 keeps the metric name on the result of atan2"),
    ("rate near zero", "rate|increase", of_values(extrapolates_less),
     "2.42 limits a counter at zero before it looks whether the first sample is near the window's begin, 3 does after"),
    ("predict_linear @", "predict_linear", with_at,
     "2.42 moves the window of predict_linear(x[d] @ t) with the steps of a range query; it is to stay"),
    ("timestamp @", "timestamp", with_at, "2.42 looks at another time than t for timestamp(x offset d @ t)"),
    ("regression over infinities", "predict_linear|deriv", of_values(lambda v, w: v == "NaN" and not_finite(w)),
     "2.42 compensates sums that are infinite and gets NaN"),
    ("deviation of what is not finite", "stddev|stdvar", of_values(lambda v, w: finite(v) and w == "NaN"),
     "2.42 takes the first value as the mean unseen, so NaN and infinities alone deviate by 0"),
    ("deviation of near equals", "stddev|stdvar|stddev_over_time|stdvar_over_time",
     of_values(lambda v, w: finite(v) and finite(w) and abs(float(v) - float(w)) < 1e-5 * abs(float(w))),
     "the last digits of large values that differ by little; 2.42 rounds their averages otherwise"),
    ("date of what is no time", "hour|minute|day_of_week|month", of_argument(lambda x: not abs(x) < 6e10),
     "what a NaN, an infinity or a far year is as a whole number is left to the processor"),
    ("edge of a subquery", "[a-z_]+", on_edges, "2.42 counts a point on the left edge of a window in, 3 does not; a subquery has such points"),
    ("last digit as a label", "count_values", of_argument(lambda x: math.isfinite(x) and (x != int(x) or abs(x) > 1e15)),
     "values that agree to 1e-9 are written with all their digits"),
    ("rank on a bucket's edge", "histogram_quantile", on_bucket_edge, "sums that agree to 1e-9 put the rank on either side of the edge"),
    ("angle of a huge number", "sin|cos|tan", of_argument(lambda x: abs(x) > 1e6), "the last digit of the argument is many turns"),
]

# The same for whole queries: kind; whether it differs in just this way; why.
KNOWN_WHOLE = [
    (KNOWN[0][0], keeps_name, KNOWN[0][3]),
    ("series that become one", joins, "2.42 refuses series that are never there at the same time when they lose their names, 3 joins them"),
    ("remainder of a huge number", is_beyond_digits, "the last digit of the dividend is many times the divisor"),
    ("remainder of near equals", wraps, "values that agree to 1e-9 lie on either side of a multiple of the divisor"),
]


@contextlib.contextmanager
def server(folder, name, args):
    """Runs <args>, to which the address to listen on is added; yields the address."""
    at = f"127.0.0.1:{free_port()}"
    process = Process(name, [*args, f"--web.listen-address={at}"], folder)
    try:
        process.ready(lambda: http(f"http://{at}/-/ready")[0] == 200)
        yield f"http://{at}"
    finally:
        process.stop()


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


def kind_of(pair, text, path, params, what):
    for kind, explains, _ in KNOWN_WHOLE:
        if explains(pair, text, path, params):
            return kind
    begin = params.get("start", params.get("time"))     # start() must lie in the data for a call to show what it does
    forms = ((path, params), ("/api/v1/query_range", {**WIDE[1], "start": begin, "end": begin + compare.RANGE_SECONDS}), WIDE)
    for kind, names, explains, _ in KNOWN:
        if any(explains(pair, call, inner, *form) for call, inner in calls(text, names) for form in forms):
            return kind
    return None


def ask(pair, seed, count):
    """(equal, {kind: number}, [unexplained])"""
    equal, known, unexplained = 0, {}, []
    for text, t in generate.queries(seed, count):
        for path, params in (("/api/v1/query", {"time": t}),
                             ("/api/v1/query_range", {"start": t - compare.RANGE_SECONDS, "end": t, "step": compare.STEP_SECONDS})):
            what = compare.difference(*(s.ask(path, query=text, **params) for s in pair.servers))
            kind = what and kind_of(pair, text, path, params, what)
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
            equal, known, unexplained = ask(Pair(peer_at, ours_at), o.seed, o.queries)
    finally:
        if not o.keep:
            shutil.rmtree(folder)
    for text in unexplained[:SHOWN]:
        print(text)
    if len(unexplained) > SHOWN:
        print(f"… and {len(unexplained) - SHOWN} more")
    for kind, why in {**{kind: why for kind, _, _, why in KNOWN}, **{kind: why for kind, _, why in KNOWN_WHOLE}}.items():
        if kind in known:
            print(f"known: {known[kind]:4} {kind}: {why}")
    print(f"{equal} equal, {sum(known.values())} explained by the peer's age")
    print(f"{equal + sum(known.values())} passed, {len(unexplained)} failed")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
