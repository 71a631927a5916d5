"""A webhook receiver that keeps every request, answers as scripted (see common.py) and knows what a repeat is.

    with Webhook() as hook:                  hook.url is where to POST
        hook.misbehave({"status": 500, "times": 3})
        hook.wait_for(lambda h: h.accepted)
    python3 webhook.py --port 9099           as a program; one line a message on stdout
"""
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import Standin, main  # noqa: E402


class Webhook(Standin):
    def __init__(self, port=0, say=None):
        self.requests = []              # every one, refused ones too
        self.accepted = []              # answered with 200, or carried out before the answer was lost
        super().__init__(port, say)

    def record(self, request, body, status):
        entry = {
            "time": time.time(), "method": request.command, "path": request.path, "status": status,
            "key": request.headers.get("Idempotency-Key"), "possible_repeat": request.headers.get("X-Tocsin-Possible-Repeat") == "true",
            "headers": {k.lower(): v for k, v in request.headers.items()},
        }
        try:
            entry["body"] = json.loads(body)
        except ValueError:
            entry["body"] = None
        with self.lock:
            self.requests.append(entry)
            if status == 200:
                self.accepted.append(entry)
        return entry

    def refused(self, request, body, status):
        self.record(request, body, status)

    def carry_out(self, request, body):
        entry = self.record(request, body, 200)
        if self.say:
            self.say(entry)
        return 200, {}, {}

    def once(self):
        """Accepted messages, one a key: what a receiver that honours the key has seen."""
        seen, out = set(), []
        for entry in self.accepted:
            if entry["key"] not in seen:
                seen.add(entry["key"])
                out.append(entry)
        return out

    def told(self, alertname, status):
        """Messages (one a key) in which an alert of this name has this status."""
        return [e for e in self.once() if any(a["labels"].get("alertname") == alertname and a["status"] == status for a in e["body"]["alerts"])]

    def state(self):
        with self.lock:
            return {"requests": self.requests, "accepted": len(self.accepted), "keys": len(self.once())}


def show(entry):
    body = entry["body"] or {}
    for alert in body.get("alerts", []):
        text = alert["annotations"].get("summary") or alert["annotations"].get("description") or ""
        print(f"{alert['status']:8} {alert['labels'].get('alertname', '?')} {text}", flush=True)


if __name__ == "__main__":
    main(lambda args: Webhook(args.port, show), __doc__)
