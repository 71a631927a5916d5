#!/usr/bin/python3
"""Asks two servers that hold the samples of generate.py the same questions and lists where they differ.

    compare.py samples SEED FILE            writes the data to import into both (OpenMetrics)
    compare.py run PEER OURS SEED COUNT     addresses such as http://127.0.0.1:9090

Each query is asked as an instant and as a range query; label sets and values are compared, values relative to 1e-9. A query that
both refuse counts as equal. Last line: "N equal, N different"; exit 1 when any differ.
"""
import http.client
import json
import math
import sys
import urllib.parse

import generate

TOLERANCE = 1e-9
RANGE_SECONDS = 900
STEP_SECONDS = 47


class Server:
    """One connection, kept; answers as the Prometheus API gives them."""

    def __init__(self, address):
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=60)

    def ask(self, path, **params):
        self.connection.request("POST", path, urllib.parse.urlencode(params), {"Content-Type": "application/x-www-form-urlencoded"})
        answer = json.loads(self.connection.getresponse().read())
        return answer if answer["status"] == "success" else {"status": "error", "error": answer.get("error", "")}


def rows(answer):
    """{label set: [(time, value)]}, of whatever type the result is."""
    data = answer["data"]
    if data["resultType"] == "scalar":
        return {(): [data["result"]]}
    return {tuple(sorted(r["metric"].items())): r.get("values") or [r["value"]] for r in data["result"]}


def near(a, b):
    a, b = float(a), float(b)
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or abs(a - b) <= TOLERANCE * max(abs(a), abs(b))


def difference(peer, ours):
    """What differs, in words; empty when nothing does."""
    if peer["status"] != ours["status"]:
        return f"peer: {peer['status']} {peer.get('error', '')}; ours: {ours['status']} {ours.get('error', '')}"
    if peer["status"] == "error":
        return ""
    want, got = rows(peer), rows(ours)
    for labels in want.keys() ^ got.keys():
        return f"series {dict(labels)} only in {'peer' if labels in want else 'ours'}"
    for labels, points in want.items():
        if [t for t, _ in points] != [t for t, _ in got[labels]]:
            return f"series {dict(labels)}: {len(points)} points at peer, {len(got[labels])} at ours, or at other times"
        for (t, v), (_, w) in zip(points, got[labels]):
            if not near(v, w):
                return f"series {dict(labels)} at {t}: peer {v}, ours {w}"
    return ""


def run(peer, ours, seed, count):
    equal = different = refused = 0
    for text, t in generate.queries(seed, count):
        for path, params in (("/api/v1/query", {"time": t}),
                             ("/api/v1/query_range", {"start": t - RANGE_SECONDS, "end": t, "step": STEP_SECONDS})):
            answers = [server.ask(path, query=text, **params) for server in (peer, ours)]
            what = difference(*answers)
            refused += answers[0]["status"] == "error"
            if what:
                different += 1
                print(f"{path} {params} {text}\n    {what}")
            else:
                equal += 1
    print(f"{refused} refused by the peer")
    print(f"{equal} equal, {different} different")
    return 1 if different else 0


def main(argv):
    if len(argv) == 4 and argv[1] == "samples":
        with open(argv[3], "w", encoding="ascii") as f:
            f.write(generate.samples(argv[2]))
        return 0
    if len(argv) == 6 and argv[1] == "run":
        return run(Server(argv[2]), Server(argv[3]), argv[4], int(argv[5]))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv))
