"""out_of_order_time_window: samples with timestamps of their own that come late are taken within it, as Prometheus takes them. (F3, P1)"""
import json
import time

from servers import Alerter, wait_for
from test_scrape_protobuf import Application, Prometheus, ask, job, values


def at(metric, now_s, *ages):
    return "".join(f"{metric} {age} {int((now_s - age) * 1000)}\n" for age in ages)


def held(server, metric):
    """Ages: each sample's value is how old it was."""
    found = ask(server, f"{metric}[1h]")
    return sorted(float(v) for _, s in found for _, v in s["values"])


def test_late_samples(box):
    """The same samples as Debian's Prometheus with the same setting, after kill -9 too; without the setting they are refused, and a reload allows them."""
    now = time.time() // 1
    app = box.start(Application, text=at("m", now, 30))
    base = {"global": {"scrape_interval": "250ms", "scrape_timeout": "250ms"}, "scrape_configs": [job("app", app.address)]}
    window = {"storage": {"tsdb": {"out_of_order_time_window": "10m"}}}
    path = box.write("ours.yml", json.dumps({**base, **window}))
    ours = box.start(Alerter, path, ["--storage.path", box.folder / "data"])
    peer = box.start(Prometheus, box.write("peer.yml", json.dumps({**base, **window})))
    both = (ours, peer)
    for server in both:
        wait_for("the first sample", lambda: held(server, "m") == [30], 60)
    for ages, expect in ((20, [20, 30]), (300, [20, 30, 300]), (1500, [20, 30, 300]), (100, [20, 30, 100, 300]), (10, [10, 20, 30, 100, 300])):
        app.text = at("m", now, ages) + f"seen {ages}\n"
        for server in both if ages < 1500 else (ours,):         # Prometheus 2.42 fails a scrape that has too old a sample; later ones do not
            wait_for(f"{ages} was scraped", lambda: ask(server, f"seen == {ages}"), 60)
            assert held(server, "m") == expect, (ages, server)
    assert ours.get("/metrics")[2].count("tocsin_store_samples_late_total 2") == 1
    scrapes = values(ours, "count_over_time(seen[10m])").popitem()[1]
    wait_for("the journal is on disk, which takes a second", lambda: ask(ours, f"count_over_time(seen[10m]) > {scrapes + 8}"), 60)
    ours.kill()
    ours.start()
    assert held(ours, "m") == [10, 20, 30, 100, 300]
    box.write("ours.yml", json.dumps(base))
    assert ours.get("/-/reload", method="POST")[0] == 200
    app.text = at("m", now, 200) + "seen 0\n"
    wait_for("it was refused", lambda: "samples were refused" in ours.get("/api/v1/targets")[2] and ask(ours, "seen == 0"), 60)
    assert held(ours, "m") == [10, 20, 30, 100, 300]
    box.write("ours.yml", json.dumps({**base, **window}))
    assert ours.get("/-/reload", method="POST")[0] == 200
    wait_for("it was taken", lambda: held(ours, "m") == [10, 20, 30, 100, 200, 300], 60)
