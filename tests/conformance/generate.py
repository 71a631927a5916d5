"""Seeded samples and queries for comparing two PromQL engines.

Samples stand at a fraction of a second of their own and evaluations at another, so that no sample meets the edge of a window: that
edge is closed on the left in Prometheus 2 and open in 3. The data has what hurts: staleness gaps, counter resets, NaN and infinities,
series that come and go, classic histograms. The same seed gives the same text, always.
"""
import random

START = 1_700_000_000           # of the data, seconds
LENGTH = 3600
INTERVAL = 15
SAMPLE_FRACTION = 0.503
QUERY_FRACTION = 0.250

JOBS = ("api", "web", "db")
INSTANCES = ("a:1", "b:1", "c:1")
CODES = ("200", "404", "500")
BOUNDS = ("0.1", "0.5", "1", "5", "+Inf")


def _times(rng, gaps):
    """Scrape times of one series; with gaps, some longer than the lookback of five minutes."""
    skip_until = 0
    for i in range(LENGTH // INTERVAL):
        if gaps and rng.random() < 0.01:
            skip_until = i + rng.choice((2, 5, 25, 40))
        if i >= skip_until:
            yield START + i * INTERVAL + SAMPLE_FRACTION


def _counter(rng, gaps):
    value = rng.choice((0, 0, 1000, 1e9))
    for t in _times(rng, gaps):
        value = rng.choice((0, 1, 3)) if rng.random() < 0.02 else value + rng.choice((0, 1, 1, 2, 10, 0.5))
        yield t, value


def _gauge(rng, gaps):
    value = rng.uniform(-10, 10)
    for t in _times(rng, gaps):
        value += rng.uniform(-3, 3)
        odd = rng.random()
        yield t, float("nan") if odd < 0.01 else float("inf") if odd < 0.015 else float("-inf") if odd < 0.02 else round(value, 3)


def _number(v):
    return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(repr(v), repr(v))


def samples(seed):
    """The data as OpenMetrics text with timestamps."""
    rng = random.Random(f"samples {seed}")
    lines = ["# TYPE http_requests counter"]

    def emit(name, labels, points):
        text = ",".join(f'{k}="{v}"' for k, v in labels.items())
        lines.extend(f"{name}{{{text}}} {_number(v)} {t:.3f}" for t, v in points)

    for job in JOBS:
        for instance in INSTANCES:
            for code in CODES:
                if rng.random() < 0.85:
                    emit("http_requests_total", {"job": job, "instance": instance, "code": code}, _counter(rng, rng.random() < 0.4))
    for name in ("queue_depth", "temperature"):
        lines.append(f"# TYPE {name} gauge")
        for job in JOBS:
            for instance in INSTANCES:
                if rng.random() < 0.9:
                    emit(name, {"job": job, "instance": instance}, _gauge(rng, rng.random() < 0.4))
    lines.append("# TYPE latency gauge")        # bucket by bucket, as counters may reset apart
    for job in JOBS:
        counts = [0.0] * len(BOUNDS)
        rows = [[] for _ in BOUNDS]
        for t in _times(rng, False):
            landed = rng.randrange(len(BOUNDS))
            for i in range(landed, len(BOUNDS)):
                counts[i] += rng.randrange(4)
                counts[i] = max(counts[i], counts[i - 1] if i else 0)
            for i, count in enumerate(counts):
                rows[i].append((t, count))
        for i in range(1, len(BOUNDS)):
            rows[i] = [(t, max(v, rows[i - 1][k][1])) for k, (t, v) in enumerate(rows[i])]
        for bound, row in zip(BOUNDS, rows):
            emit("latency", {"job": job, "le": bound}, row)
    lines.append("# EOF")
    return "\n".join(lines) + "\n"


class Queries:
    """Expressions by production; depth bounds them."""

    RANGE_FUNCTIONS = ("rate", "increase", "irate", "delta", "idelta", "deriv", "changes", "resets", "avg_over_time", "min_over_time",
                       "max_over_time", "sum_over_time", "count_over_time", "stddev_over_time", "stdvar_over_time", "last_over_time",
                       "present_over_time")
    VECTOR_FUNCTIONS = ("abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "round", "sin", "cos", "tan", "atan", "deg",
                        "rad", "timestamp", "hour", "minute", "day_of_week", "month", "sort")
    AGGREGATIONS = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
    LABELS = ("job", "instance", "code")

    def __init__(self, seed):
        self.rng = random.Random(f"queries {seed}")

    def pick(self, *productions):
        return self.rng.choice(productions)()

    def number(self):
        return self.rng.choice(("0", "1", "2", "0.5", "-1", "10", "1e3", "NaN", "Inf", "-Inf"))

    def duration(self):
        return self.rng.choice(("30s", "1m", "90s", "5m", "10m", "30m"))

    def matchers(self):
        return self.rng.choice(("", "", '{job="api"}', '{job!="db"}', '{instance=~"a.*|b.*"}', '{job=~"api|web",instance!~"c.+"}',
                                '{nothing=""}', '{job="absent"}'))

    def modifiers(self):
        offset = self.rng.choice(("", "", "", " offset 1m", " offset 7m", " offset -2m"))
        at = self.rng.choice(("", "", "", f" @ {START + 1800}.25", " @ end()", " @ start()"))
        return offset + at

    def metric(self):
        return self.rng.choice(("http_requests_total", "queue_depth", "temperature")) + self.matchers()

    def selector(self, _depth):
        return self.metric() + self.modifiers()

    def over_range(self, depth):
        if depth > 0 and self.rng.random() < 0.3:
            body = f"({self.vector(depth - 1)})[{self.duration()}:{self.rng.choice(('15s', '1m', ''))}]"
        else:
            body = f"{self.metric()}[{self.duration()}]"
        if self.rng.random() < 0.15:
            return self.rng.choice((f"quantile_over_time({self.number()}, {body}{self.modifiers()})",
                                    f"predict_linear({body}{self.modifiers()}, 600)", f"absent_over_time({body}{self.modifiers()})"))
        return f"{self.rng.choice(self.RANGE_FUNCTIONS)}({body}{self.modifiers()})"

    def function(self, depth):
        inner = self.vector(depth - 1)
        kind = self.rng.randrange(6)
        if kind == 0:
            return f"clamp({inner}, -5, {self.number()})"
        if kind == 1:
            return f'label_replace({inner}, "to", "$1-x", "job", "(.).*")'
        if kind == 2:
            return f'label_join({inner}, "both", "/", "job", "instance")'
        return f"{self.rng.choice(self.VECTOR_FUNCTIONS)}({inner})"

    def grouping(self):
        labels = ", ".join(self.rng.sample(self.LABELS, self.rng.randrange(3)))
        return self.rng.choice(("", f" by ({labels})", f" without ({labels})"))

    def aggregation(self, depth):
        inner = self.vector(depth - 1)
        kind = self.rng.randrange(10)
        if kind == 0:
            return f"quantile{self.grouping()} ({self.number()}, {inner})"
        if kind == 1:
            return f'count_values{self.grouping()} ("value", {inner})'
        if kind == 2:
            return f"count({self.rng.choice(('topk', 'bottomk'))}{self.grouping()} (2, {inner}))"
        return f"{self.rng.choice(self.AGGREGATIONS)}{self.grouping()} ({inner})"

    def binary(self, depth):
        left, right = self.vector(depth - 1), self.vector(depth - 1)
        matching = self.rng.choice(("", "", " on (job, instance)", " ignoring (code)", " on (job)"))
        op = self.rng.choice(("+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", ">", "<=", ">=", "> bool", "== bool"))
        kind = self.rng.randrange(4)
        if kind == 0:
            return f"({left}) {self.rng.choice(('and', 'or', 'unless'))}{matching} ({right})"
        if kind == 1:
            return f"({left}) {op} {self.number()}"
        if kind == 2:
            return f"({left}) {op} on (job, instance) group_left sum by (job, instance) ({right})"
        return f"sum by (job, instance) ({left}) {op}{matching} max by (job, instance) ({right})"

    def histogram(self, _depth):
        q = self.rng.choice(("0.5", "0.9", "0.99", "0", "1", "-1", "2", "NaN"))
        return f"histogram_quantile({q}, sum by (job, le) (rate(latency[{self.duration()}])))"

    def vector(self, depth):
        if depth <= 0:
            return self.pick(lambda: self.selector(0), lambda: self.over_range(0))
        return self.pick(lambda: self.selector(depth), lambda: self.over_range(depth), lambda: self.function(depth),
                         lambda: self.aggregation(depth), lambda: self.aggregation(depth), lambda: self.binary(depth),
                         lambda: self.histogram(depth), lambda: f"-({self.vector(depth - 1)})",
                         lambda: f"absent({self.vector(depth - 1)})", lambda: f"vector(scalar({self.vector(depth - 1)}))")


def queries(seed, n):
    """<n> different expressions, each with the time to ask for it: (text, seconds)."""
    made = Queries(seed)
    rng = random.Random(f"times {seed}")
    seen = set()
    while len(seen) < n:
        text = made.vector(made.rng.randrange(4))
        if text not in seen:
            seen.add(text)
            yield text, START + rng.randrange(120, LENGTH + 400) + QUERY_FRACTION
