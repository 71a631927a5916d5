"""Metric families as the protobuf exposition format has them (io.prometheus.client), written by hand: a field is its number, kind and value."""
import math
import struct

COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM = range(6)
CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out) + bytes([n])


def zigzag(n):
    return varint(n << 1 if n >= 0 else (-n << 1) - 1)


def uint(number, n):
    return varint(number << 3) + varint(n)


def sint(number, n):
    return varint(number << 3) + zigzag(n)


def double(number, v):
    return varint(number << 3 | 1) + struct.pack("<d", v)


def message(number, *parts):
    body = b"".join(p.encode() if isinstance(p, str) else p for p in parts)
    return varint(number << 3 | 2) + varint(len(body)) + body


def family(name, kind, *metrics, help="", unit=""):
    body = message(1, name) + message(2, help) + uint(3, kind) + b"".join(metrics) + (message(5, unit) if unit else b"")
    return varint(len(body)) + body


def metric(value, t_ms=0, **labels):
    return message(4, *(message(1, message(1, n) + message(2, v)) for n, v in labels.items()), value, uint(6, t_ms) if t_ms else b"")


def gauge(v):
    return message(2, double(1, v))


def exemplar_at(number, trace, v=1, t_ms=None):
    time = message(3, uint(1, t_ms // 1000) + uint(2, t_ms % 1000 * 1000000)) if t_ms is not None else b""
    return message(number, message(1, message(1, "trace_id") + message(2, trace)) + double(2, v) + time)


def counter(v, exemplar=None, created=None, t_ms=None):
    more = exemplar_at(2, exemplar, t_ms=t_ms) if exemplar else b""
    return message(3, double(1, v) + more + (message(3, uint(1, created)) if created else b""))


def untyped(v):
    return message(5, double(1, v))


def summary(count, total, **quantiles):
    return message(4, uint(1, count) + double(2, total), *(message(3, double(1, float(q)) + double(2, v)) for q, v in quantiles.items()))


def bucket(count, bound, more=b""):
    return message(3, uint(1, count) + double(2, bound) + more)


def spans(number, indexes):
    """Neighbouring indexes are one span."""
    out, end, at = b"", 0, 0
    while at < len(indexes):
        n = next((k for k in range(1, len(indexes) - at) if indexes[at + k] != indexes[at] + k), len(indexes) - at)
        out += message(number, sint(1, indexes[at] - end) + uint(2, n))
        end, at = indexes[at] + n, at + n
    return out


def side(first, counts, floats, packed):
    """{index: count} as spans (field <first>), then differences or floats."""
    indexes = sorted(counts)
    out, before, items = spans(first, indexes), 0, []
    for i in indexes:
        items.append(struct.pack("<d", counts[i]) if floats else zigzag(counts[i] - before))
        before = counts[i]
    number, kind = (first + 2, 1) if floats else (first + 1, 0)
    return out + (message(number, *items) if packed and items else b"".join(varint(number << 3 | kind) + x for x in items))


def histogram(positive, negative=None, zero=0, total=0.0, schema=3, threshold=2.938735877055719e-39, classic=(), floats=False, packed=False):
    """A native histogram of {index: count}; <classic>: (bound, cumulative count) beside it."""
    count = sum(positive.values()) + sum((negative or {}).values()) + zero
    body = (double(4, count) if floats else uint(1, count)) + double(2, total) + b"".join(bucket(n, b) for b, n in classic)
    body += sint(5, schema) + double(6, threshold) + (double(8, zero) if floats else uint(7, zero))
    return message(7, body + side(9, negative or {}, floats, packed) + side(12, positive, floats, packed) + message(15, uint(1, 1700000000)))


def classic_histogram(count, total, *buckets):
    return message(7, uint(1, count) + double(2, total), *(bucket(n, b) for b, n in buckets))


def observations(values, schema=3):
    """The buckets of a native histogram, as a client sorts positive values into them."""
    out = {}
    for v in values:
        i = math.ceil(math.log2(v) * 2 ** schema)
        out[i] = out.get(i, 0) + 1
    return out
