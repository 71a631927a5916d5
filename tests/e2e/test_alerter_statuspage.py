"""The status page as the public sees it: slower than what pages people, through its statuses, and with planned work."""
from datetime import datetime, timedelta, timezone

from servers import http
from watched import Statuspage, Target, Watch, alert_rule, job, statuspage_config


def silence(watch, comment, **labels):
    now = datetime.now(timezone.utc)
    return http(watch.program.url("/api/v2/silences"), data={
        "matchers": [{"name": k, "value": v, "isRegex": False, "isEqual": True} for k, v in labels.items()], "comment": comment, "createdBy": "ann",
        "startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()})


def test_slowly_and_planned(box):
    """F14, F16: shown after a second, identified, monitored and resolved while another page has a maintenance from a silence whose creation
    got no answer; its metric is fed in between; a silence that is not meant for the public stays private."""
    target, slow, planned = box.start(Target), Statuspage(components={"db": "Database"}, metrics=["m1"]), Statuspage(components={"shop": "Shop"}, key="other-key")
    box.started += [slow, planned]
    target.set(broken=0)
    slow_config = {**statuspage_config(slow, "db"), "bad_for": "1s", "identified_after": "3s", "good_for": "2s", "identified_body": "It is the disk.",
                   "metrics": [{"id": "m1", "query": "sum(broken) * 2.5", "interval": "1s"}]}
    planned_config = {**statuspage_config(planned), "components": [{"id": "shop", "matchers": ['service="shop"']}], "maintenance": {}}
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1", summary="It is broken.")],
                  receiver={"webhook_configs": [], "statuspage_configs": [slow_config]},
                  receivers=[{"name": "all", "statuspage_configs": [slow_config]}, {"name": "planned", "statuspage_configs": [planned_config]}])
    watch.scraped()
    planned.misbehave({"lose": True, "method": "POST"})
    target.set(broken=1)
    assert silence(watch, "only for us", service="shop")[0] == 200 and silence(watch, "maintenance: of another", service="mail")[0] == 200
    status, _, text = silence(watch, "maintenance: A larger disk", service="shop")
    assert status == 200, text

    def statuses():
        return [u["status"] for i in slow.incidents.values() for u in reversed(i["incident_updates"])]

    watch.until("it is identified", lambda: statuses() == ["investigating", "identified"])
    incident, = slow.open_incidents()
    assert [u["body"] for u in incident["incident_updates"]] == ["It is the disk.", "It is broken."]
    target.set(broken=0)
    watch.until("the maintenance has begun", lambda: planned.maintenance("in_progress") and not watch.data("/api/v1/outbox")["waiting"])
    assert planned.components["shop"]["status"] == "under_maintenance"
    number = next(s["id"] for s in watch.program.json("/api/v2/silences") if s["comment"] == "maintenance: A larger disk")
    assert http(watch.program.url(f"/api/v2/silence/{number}"), method="DELETE")[0] == 200
    watch.until("all is over", lambda: not slow.open_incidents() and planned.maintenance("completed"))
    watch.until("all is told", lambda: not watch.data("/api/v1/outbox")["waiting"])
    assert statuses() == ["investigating", "identified", "monitoring", "resolved"]
    assert [i["name"] for i in planned.incidents.values()] == ["A larger disk"]
    assert planned.components["shop"]["status"] == slow.components["db"]["status"] == "operational"
    slow.wait_for(lambda p: {point["value"] for point in p.metrics["m1"]} == {0, 2.5})
    times = [point["timestamp"] for point in slow.metrics["m1"]]
    assert len(set(times)) > 5 and times == sorted(times)
    for page in (slow, planned):
        assert not page.broken() and not page.over, page.broken()
