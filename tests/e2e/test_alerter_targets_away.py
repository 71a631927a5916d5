"""Targets that left the configuration while the alerter was away: they are gone, not lost; those nobody can know of are not."""
import json

import pytest
from watched import Target, Watch, alert_rule, job


def sd_job(name, path, **more):
    return {"job_name": name, "file_sd_configs": [{"files": [str(path)], "refresh_interval": "1s"}], **more}


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_targets_removed_while_the_alerter_was_away(box, end):
    """P1: their alerts end, also `up == 0`; those of the ones that stay, and of a job whose discovery has not answered, do not. Both ends of a
    target whose path changed are one."""
    targets = {n: box.start(Target, text=f"broken{{who=\"{n}\"}} 1\n") for n in ("static", "file", "job", "stays", "moved", "unknown", "dead")}
    found = {n: box.write(f"{n}.json", json.dumps([{"targets": [targets[n].address]}])) for n in ("file", "unknown")}
    dead = targets["dead"].address
    jobs = [job("app", targets["static"], targets["stays"], dead), job("gone", targets["job"]), job("moved", targets["moved"]),
            sd_job("files", found["file"]), sd_job("unknown", found["unknown"])]
    watch = Watch(box, jobs, [alert_rule("Broken", "broken == 1"), alert_rule("Down", "up == 0")],
                  route={"receiver": "all", "group_by": ["alertname", "job", "instance", "who"], "group_wait": "0s", "group_interval": "200ms"})
    watch.hook.wait_for(lambda h: len(h.told("Broken", "firing")) == 7)
    watch.kept()
    targets["dead"].down()
    watch.told("Down")
    getattr(watch.program, end)()
    jobs = [job("app", targets["stays"]), job("moved", targets["moved"], metrics_path="/other"), *jobs[3:]]
    watch.path.write_text(json.dumps({**watch.config, "scrape_configs": jobs}))
    found["file"].write_text("[]")
    found["unknown"].unlink()
    watch.program.start()

    def ended():
        return sorted(a["labels"].get("who", "up") for r in watch.hook.requests for a in r["body"]["alerts"] if a["status"] == "resolved")
    watch.until("what is gone has ended", lambda: ended() == ["dead", "file", "job", "static", "up"])
    watch.scraped()
    watch.ticks(5)
    assert ended() == ["dead", "file", "job", "static", "up"]
    assert "unknownSince" in watch.alert("Broken", who="unknown")
    assert not any("unknownSince" in watch.alert("Broken", who=n) for n in ("stays", "moved"))
    assert watch.query('broken{who="static"}') == []
    found["unknown"].write_text("[]")
    watch.until("now it is known", lambda: ended() == ["dead", "file", "job", "static", "unknown", "up"])
