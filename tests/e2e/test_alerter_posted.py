"""What is posted to the Alertmanager API is read by type: the same statuses as Debian's Alertmanager gives, and nothing half taken."""
import json
import shutil

import pytest
from servers import Process, free_port, http
from watched import Watch

L = {"alertname": "a"}
FAR = "2099-01-01T00:00:00Z"
ALERTS = {
    "good": [{"labels": L, "annotations": {"a": "b"}, "startsAt": "2026-01-01T00:00:00Z", "endsAt": FAR, "generatorURL": "http://x/"}],
    "empty list": [], "null": None, "no zone": [{"labels": L, "endsAt": "2099-01-01T00:00:00"}], "end empty": [{"labels": L, "endsAt": ""}],
    **{f"end {v!r}": [{"labels": L, "endsAt": v}] for v in (5, [], {}, True, None, "tomorrow", "2099-01-01")},
    "start a number": [{"labels": L, "startsAt": 5}], "start behind end": [{"labels": L, "startsAt": "2099-01-02T00:00:00Z", "endsAt": FAR}],
    "label without name": [{"labels": {**L, "": "x"}}],
    **{f"label {v!r}": [{"labels": {**L, "b": v}}] for v in (5, None, "", [])}, **{f"labels {v!r}": [{"labels": v}] for v in ([], "x", None, {})},
    "no labels": [{}], "only empty labels": [{"labels": {"a": ""}}], "no alertname": [{"labels": {"x": "y"}}],
    **{f"annotation {v!r}": [{"labels": L, "annotations": {"a": v}}] for v in (1, None)}, "annotation without name": [{"labels": L, "annotations": {"": "x"}}],
    **{f"annotations {v!r}": [{"labels": L, "annotations": v}] for v in ([], None)},
    **{f"url {v!r}": [{"labels": L, "generatorURL": v}] for v in (5, "not a url", None, "/graph", "")},
    "object": {"labels": L}, "string": "x", "number in list": [5], "list in list": [[]], "unknown field": [{"labels": L, "foo": 1}],
    "second of wrong type": [{"labels": {"alertname": "first"}}, {"labels": {"alertname": "z"}, "endsAt": 5}],
    "second without labels": [{"labels": {"alertname": "second"}}, {"labels": {}}],
}
M = {"name": "a", "value": "b", "isRegex": False}
SILENCE = {"matchers": [M], "startsAt": "2026-01-01T00:00:00Z", "endsAt": FAR, "createdBy": "me", "comment": "c"}
SILENCES = {
    "good": SILENCE, "list": [], "null": None, "string": "x", "unknown field": {**SILENCE, "foo": 1}, "matchers object": {**SILENCE, "matchers": {}},
    "matchers empty": {**SILENCE, "matchers": []}, "matcher a number": {**SILENCE, "matchers": [5]}, "id a number": {**SILENCE, "id": 5},
    **{f"without {k}": {n: v for n, v in SILENCE.items() if n != k} for k in SILENCE},
    **{f"{k} a list": {**SILENCE, k: [5]} for k in SILENCE},
    **{f"matcher without {k}": {**SILENCE, "matchers": [{n: v for n, v in M.items() if n != k}]} for k in M},
    **{f"{k} {v!r}": {**SILENCE, "matchers": [{**M, k: v}]} for k, v in (("isRegex", "true"), ("isEqual", "x"), ("isEqual", None), ("name", 5), ("name", ""), ("value", ""))},
}


@pytest.mark.skipif(not shutil.which("prometheus-alertmanager"), reason="Debian's prometheus-alertmanager is not installed")
def test_statuses_as_alertmanager(box):
    port = free_port()
    config = box.write("am.yml", "route: {receiver: x}\nreceivers: [{name: x}]\n")
    peer = Process("alertmanager", ["prometheus-alertmanager", "--config.file", config, "--storage.path", box.folder / "am", "--web.listen-address",
                                    f"127.0.0.1:{port}", "--cluster.listen-address="], box.folder)
    box.started.append(peer)
    peer.ready(lambda: http(f"http://127.0.0.1:{port}/-/ready")[0] == 200)
    watch = Watch(box, [], [])

    def statuses(url, cases):
        return {name: http(url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})[0] for name, body in cases.items()}
    for path, cases in (("/api/v2/alerts", ALERTS), ("/api/v2/silences", SILENCES)):
        assert statuses(watch.program.url(path), cases) == statuses(f"http://127.0.0.1:{port}{path}", cases)
    assert http(watch.program.url("/api/v2/alerts"), data=b"", headers={"Content-Type": "application/json"})[0] == 422

    def names(url):
        return {a["labels"].get("alertname") for a in json.loads(http(url)[2])}
    assert names(watch.program.url("/api/v2/alerts")) == names(f"http://127.0.0.1:{port}/api/v2/alerts") == {"a", "second", None}


def test_an_end_of_wrong_type_is_refused(box):
    """The alert fires on, and the sender knows why."""
    watch = Watch(box, [], [])

    def post(alert):
        return http(watch.program.url("/api/v2/alerts"), data=json.dumps([alert]).encode(), headers={"Content-Type": "application/json"})
    assert post({"labels": L})[0] == 200
    watch.told("a")
    status, _, text = post({"labels": L, "endsAt": 1700000000})
    assert status == 400 and json.loads(text) == "alert 0: endsAt must be an RFC 3339 time, not a number"
    assert post({"labels": L, "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2020-01-02T00:00:00Z"})[0] == 200
    watch.told("a", "resolved")
