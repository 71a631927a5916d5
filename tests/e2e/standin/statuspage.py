"""Statuspage's API v1 as documented, strict: OAuth key, required fields, allowed values, 60 requests in any 60 s (then 420 or 429),
paging, metadata whose values must be objects. Misbehaves as scripted (see common.py). After a test, broken() lists what a careful
client must never have done: incidents doubled by metadata, incidents of a person changed, the rate exceeded.

    with Statuspage(components={"db": "Database"}) as page:   page.url is the api_url, page.page_id, page.key
        page.wait_for(lambda p: p.open_incidents())
        page.human_edits(incident_id, status="identified")
    python3 statuspage.py --port 9098 --component db=Database
"""
import collections
import datetime
import json
import re
import sys
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import Standin, main  # noqa: E402

STATUSES = {"investigating", "identified", "monitoring", "resolved"}
SCHEDULED = {"scheduled", "in_progress", "verifying", "completed"}
IMPACTS = {"none", "maintenance", "minor", "major", "critical"}
COMPONENT_STATUSES = {"operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage", ""}
ALLOWED = {"name", "status", "impact_override", "body", "components", "component_ids", "metadata", "deliver_notifications", "scheduled_for", "scheduled_until",
           "scheduled_auto_in_progress", "scheduled_auto_completed", "auto_transition_to_maintenance_state", "auto_transition_to_operational_state"}
KEPT = ALLOWED - {"body", "components", "component_ids", "deliver_notifications"}
RATE, WINDOW = 60, 60.0


def parse_time(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


class Statuspage(Standin):
    def __init__(self, port=0, page_id="pg1", key="test-key", components=None, metrics=(), rate=RATE, over_rate=420, say=None):
        self.page_id, self.key, self.rate, self.over_rate = page_id, key, rate, over_rate
        self.components = {i: {"id": i, "name": n, "status": "operational", "page_id": page_id} for i, n in (components or {}).items()}
        self.incidents = {}
        self.metrics = {m: [] for m in metrics}
        self.human = set()              # incidents a person opened or edited
        self.log = []                   # every request
        self.over = 0                   # requests refused for the rate
        self.wrong = []                 # what no careful client does
        self.recent = collections.deque()
        super().__init__(port, say)

    # ---- what a test does and asks ----

    def human_opens(self, name, component_ids=()):
        with self.lock:
            incident = self.create({"name": name, "status": "investigating", "component_ids": list(component_ids)})
            self.human.add(incident["id"])
            return incident["id"]

    def human_edits(self, incident_id, **fields):
        with self.lock:
            self.change(self.incidents[incident_id], fields)
            self.human.add(incident_id)

    def human_sets_component(self, component_id, status):
        with self.lock:
            self.components[component_id]["status"] = status

    def open_incidents(self):
        return [i for i in self.incidents.values() if i["status"] in STATUSES - {"resolved"}]

    def maintenance(self, *statuses):
        return [i for i in self.incidents.values() if i["status"] in (statuses or SCHEDULED)]

    def broken(self):
        """Why this run was not clean; empty when it was."""
        out = list(self.wrong)
        for kind in ("episode", "silence"):
            known = collections.Counter((i["metadata"].get("tocsin") or {}).get(kind) for i in self.incidents.values())
            out += [f"{kind} {e} has {n} incidents" for e, n in known.items() if e and n > 1]
        for incident in self.incidents.values():
            bodies = [(u["status"], u["key"]) for u in incident["incident_updates"] if u["key"]]
            out += [f"incident {incident['id']}: update {b} was posted twice" for b, n in collections.Counter(bodies).items() if n > 1]
        return out

    def state(self):
        with self.lock:
            return {"incidents": list(self.incidents.values()), "components": list(self.components.values()), "log": self.log,
                    "over_rate": self.over, "broken": self.broken()}

    # ---- the API ----

    def carry_out(self, request, body):
        with self.lock:
            entry = {"time": time.time(), "method": request.command, "path": request.path, "body": body.decode(errors="replace")}
            self.log.append(entry)
            try:
                self.check_rate()
                entry["status"], reply = self.route(request, body)
                return entry["status"], reply, {}
            except Refused as e:
                entry["status"], entry["message"] = e.status, e.message
                headers = {"Retry_After": self.wait_seconds()} if e.status in (420, 429) else {}
                return e.status, {"error": e.message}, headers

    def wait_seconds(self):
        return max(1, int(self.recent[0] + WINDOW - time.monotonic()) + 1) if self.recent else 1

    def check_rate(self):
        now = time.monotonic()
        while self.recent and self.recent[0] <= now - WINDOW:
            self.recent.popleft()
        if len(self.recent) >= self.rate:
            self.over += 1
            raise Refused(self.over_rate, "Too many requests")
        self.recent.append(now)

    def route(self, request, body):
        url = urlsplit(request.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        if request.headers.get("Authorization") != f"OAuth {self.key}":
            raise Refused(401, "Could not authenticate")
        prefix = f"/pages/{self.page_id}/"
        path = re.sub(r"\.json$", "", url.path)
        if not path.startswith(prefix):
            raise Refused(404, "Couldn't find page")
        parts = path[len(prefix):].split("/")
        data = {}
        if request.command in ("POST", "PATCH", "PUT"):
            if not (request.headers.get("Content-Type") or "").startswith("application/json"):
                raise Refused(415, "Content-Type must be application/json")
            try:
                data = json.loads(body)
            except ValueError as e:
                raise Refused(400, "invalid JSON") from e
        return self.dispatch(request.command, parts, query, data)

    def dispatch(self, method, parts, query, data):
        self.pass_time()
        lists = {"unresolved": self.open_incidents, "upcoming": lambda: self.maintenance("scheduled"),
                 "active_maintenance": lambda: self.maintenance("in_progress", "verifying"), "": self.incidents.values}
        if parts[0] == "incidents" and method == "GET" and "/".join(parts[1:]) in lists:
            found = sorted(lists["/".join(parts[1:])](), key=lambda i: i["created_at"], reverse=True)
            return 200, self.page_of(found, query, "per_page" if parts[1:] else "limit")
        if parts == ["incidents"] and method == "POST":
            return 201, self.create(self.fields(data, True))
        if parts[0] == "incidents" and len(parts) == 2:
            incident = self.incidents.get(parts[1])
            if incident is None:
                raise Refused(404, "Couldn't find incident")
            if method in ("PATCH", "PUT"):
                fields = self.fields(data, False)
                if parts[1] in self.human and {"status", "body", "name"} & set(fields):
                    self.wrong.append(f"incident {parts[1]}, which a person opened or edited, was changed: {sorted(fields)}")
                self.change(incident, fields)
            return 200, incident
        if parts == ["metrics", "data"] and method == "POST":
            for metric, points in data["data"].items():
                if metric not in self.metrics or not all(isinstance(p["timestamp"], int) and isinstance(p["value"], (int, float)) for p in points):
                    raise Refused(422, f"metric {metric}: unknown, or a point that is none")
                self.metrics[metric] += points
            return 202, data
        if parts == ["components"] and method == "GET":
            return 200, self.page_of(list(self.components.values()), query, "per_page")
        if parts[0] == "components" and len(parts) == 2 and method in ("GET", "PATCH", "PUT"):
            component = self.components.get(parts[1])
            if component is None:
                raise Refused(404, "Couldn't find component")
            if method != "GET":
                self.set_component(parts[1], (data.get("component") or {}).get("status"))
            return 200, component
        raise Refused(404, "no such call")

    def pass_time(self):
        """What the page does by itself: maintenance begins and ends when it is due."""
        now = datetime.datetime.now(datetime.timezone.utc)
        for i in self.maintenance("scheduled", "in_progress"):
            if i["status"] == "scheduled" and i["scheduled_auto_in_progress"] and now >= parse_time(i["scheduled_for"]):
                self.change(i, {"status": "in_progress"})
                self.set_all(i, "under_maintenance", "auto_transition_to_maintenance_state")
            if i["status"] == "in_progress" and i["scheduled_auto_completed"] and now >= parse_time(i["scheduled_until"]):
                self.change(i, {"status": "completed"})
                self.set_all(i, "operational", "auto_transition_to_operational_state")

    def set_all(self, incident, status, switch):
        for component in incident["components"] if incident[switch] else ():
            self.components[component["id"]]["status"] = status

    def page_of(self, rows, query, size_key):
        if size_key not in query or "page" not in query:
            self.wrong.append("a list was read without paging")
        size, page = min(100, int(query.get(size_key, 100))), max(1, int(query.get("page", 1)))
        return rows[(page - 1) * size:page * size]

    def fields(self, data, creating):
        fields = data.get("incident")
        if not isinstance(fields, dict):
            raise Refused(400, "incident is missing")
        unknown = set(fields) - ALLOWED
        if unknown:
            raise Refused(422, f"unknown fields {sorted(unknown)}")
        if creating and not fields.get("name"):
            raise Refused(422, "name can't be blank")
        if len(fields.get("name") or "") > 255 or len(fields.get("body") or "") > 25000:
            raise Refused(422, "name or body is too long")
        if fields.get("status", "investigating") not in STATUSES | SCHEDULED or fields.get("impact_override", "none") not in IMPACTS:
            raise Refused(422, "status or impact_override is not included in the list")
        if fields.get("status") == "scheduled" and not ("scheduled_for" in fields and "scheduled_until" in fields):
            raise Refused(422, "scheduled_for and scheduled_until can't be blank")
        if {"scheduled_for", "scheduled_until"} <= fields.keys() and parse_time(fields["scheduled_until"]) <= parse_time(fields["scheduled_for"]):
            raise Refused(422, "scheduled_until must be after scheduled_for")
        if any(not isinstance(v, dict) for v in (fields.get("metadata") or {}).values()):
            raise Refused(422, "metadata values must be objects")
        for component in list(fields.get("components") or {}) + list(fields.get("component_ids") or []):
            if component not in self.components:
                raise Refused(422, f"component {component} does not exist")
        for status in (fields.get("components") or {}).values():
            if status not in COMPONENT_STATUSES:
                raise Refused(422, f"component status {status} is not included in the list")
        return fields

    def set_component(self, component_id, status):
        if status not in COMPONENT_STATUSES or not status:
            raise Refused(422, "component status is not included in the list")
        self.components[component_id]["status"] = status

    def create(self, fields):
        incident = {"id": f"inc{len(self.incidents) + 1}", "name": fields["name"], "status": "investigating", "impact_override": None,
                    "metadata": {}, "components": [], "incident_updates": [], "page_id": self.page_id, "created_at": time.time(),
                    "resolved_at": None, "scheduled_auto_in_progress": False, "scheduled_auto_completed": False,
                    "auto_transition_to_maintenance_state": False, "auto_transition_to_operational_state": False}
        self.incidents[incident["id"]] = incident
        self.change(incident, {"status": "investigating", **fields})
        return incident

    def change(self, incident, fields):
        incident.update({name: value for name, value in fields.items() if name in KEPT})
        for component, status in (fields.get("components") or {}).items():
            if status:
                self.components[component]["status"] = status
        if "component_ids" in fields:
            incident["components"] = [dict(self.components[c]) for c in fields["component_ids"]]
        if incident["status"] == "resolved" and not incident["resolved_at"]:
            incident["resolved_at"] = time.time()
        if "body" in fields or "status" in fields:
            key = ((fields.get("metadata") or {}).get("tocsin") or {}).get("message")
            incident["incident_updates"].insert(0, {"status": incident["status"], "body": fields.get("body"), "key": key, "created_at": time.time()})
        if self.say:
            self.say(incident)


def show(incident):
    print(f"{incident['status']:13} {incident['id']} {incident['name']} ({incident['impact_override']})", flush=True)


def options(parser):
    parser.add_argument("--page", default="pg1")
    parser.add_argument("--key", default="test-key")
    parser.add_argument("--component", action="append", default=[], metavar="ID=NAME")


if __name__ == "__main__":
    main(lambda a: Statuspage(a.port, a.page, a.key, dict(c.split("=", 1) for c in a.component), say=show), __doc__, options)
