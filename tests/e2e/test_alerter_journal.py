"""The journal (M3: what is recorded stays): kill -9 costs nothing that was written, a damaged file costs what is in it."""
import urllib.parse

from watched import Target, Watch, alert_rule, job


def samples(watch, selector):
    """Every sample of the last five minutes: {labels: [(time, value), …]}."""
    result = watch.data("/api/v1/query?" + urllib.parse.urlencode({"query": f"{selector}[5m]"}))["result"]
    return {tuple(sorted(r["metric"].items())): [(t, float(v)) for t, v in r["values"]] for r in result}


def metric(watch, name):
    return next(float(line.split()[1]) for line in watch.program.get("/metrics")[2].splitlines() if line.startswith(name + " "))


def start(box):
    """A counter, a recording rule over it and an alert, so that ALERTS is written."""
    target = box.start(Target, text="steps 0\nbroken 1\n")
    watch = Watch(box, [job("app", target)], [{"record": "r:steps", "expr": "steps * 2"}, alert_rule("Broken", "broken == 1")])
    watch.told("Broken")
    for i in range(1, 12):
        target.text = f"steps {i}\nbroken 1\n"
        watch.scraped()
    watch.until("the last step", lambda: watch.value("steps") == 11)
    return target, watch


def test_kill_costs_nothing_that_was_written(box):
    target, watch = start(box)
    before = {s: samples(watch, s) for s in ("steps", "r:steps", 'ALERTS{alertname="Broken",alertstate="firing"}', "up")}
    watch.kept()
    watch.program.kill()
    target.down()
    watch.program.start()
    for selector, series in before.items():
        after = samples(watch, selector)
        assert after.keys() == series.keys() and series
        for labels, had in series.items():
            assert after[labels][:len(had)] == had, selector
    assert metric(watch, "tocsin_store_journal_up") == 1


def test_damaged_file_is_set_aside_and_the_rest_serves(box):
    target, watch = start(box)
    watch.program.kill()
    folder = box.folder / "data" / "journal"
    first = max(folder.glob("*.log"), key=lambda p: p.stat().st_size)
    watch.program.start()
    target.text = "steps 77\nbroken 1\n"
    watch.until("more", lambda: watch.value("steps") == 77)
    watch.kept()
    watch.program.kill()
    had = first.read_bytes()
    middle = len(had) // 2
    first.write_bytes(had[:middle] + bytes([had[middle] ^ 1]) + had[middle + 1:])
    watch.program.start()
    assert f"{first.name}.damaged" in {p.name for p in folder.iterdir()} and not first.exists()
    assert first.name in watch.program.process.text()
    assert metric(watch, "tocsin_store_journal_damaged_total") == 1 and metric(watch, "tocsin_store_journal_up") == 1
    values = [v for _, v in next(iter(samples(watch, "steps").values()))]
    assert 0 in values and 77 in values
    watch.program.kill()        # what was read is kept
    watch.program.start()
    assert metric(watch, "tocsin_store_journal_damaged_total") == 0
    values = [v for _, v in next(iter(samples(watch, "steps").values()))]
    assert 0 in values and 77 in values


def test_people_see_what_was_read_before_the_kill(box):
    """O6: a graph has no dip behind a restart: until its target is read again a series shows what was read last, and no rule fires by it."""
    soon, late = box.start(Target, text="x 1\n"), box.start(Target, text="x 0\n")
    jobs = [job("soon", soon), job("late", late, scrape_interval="3s", scrape_timeout="1s")]
    watch = Watch(box, jobs, [alert_rule("Broken", 'x{job="late"} == 1')])
    watch.until("both are read", lambda: watch.value("count(x)") == 2)
    late.text = "x 1\n"
    watch.told("Broken")
    watch.kept()
    watch.program.kill()
    late.down()
    watch.program.start()
    watch.until("one is read", lambda: watch.value('up{job="soon"}') == 1)
    assert watch.value("count(x)") == 2
    assert watch.state("Broken") == "firing"
