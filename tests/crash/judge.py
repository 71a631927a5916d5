"""What was received against what was owed. An alert i happens n times; a message tells that (i, n) fires or has ended. The rules:
what the program once said fires (unless silenced) is told, what was told is ended, nothing is told twice as news. The same key again
is a repeat that a receiver can recognise: counted apart, and it must say so and be the same message."""
import collections
import json


class Judge:
    def __init__(self, keyed):
        self.keyed, self.offset = keyed, 0
        self.told, self.ended, self.by_key = {}, {}, {}     # (i, n) -> time; key -> body
        self.owed, self.silenced_end = set(), set()
        self.wrong = collections.defaultdict(list)

    def read(self, path, is_over, hushed):
        """Takes what the receiver wrote since. is_over((i, n)): the condition has ended; hushed((i, n), time): a silence holds it back."""
        with path.open("rb") as f:
            f.seek(self.offset)
            lines = f.read().split(b"\n")
        for line in lines[:-1]:
            self.offset += len(line) + 1
            self.take(json.loads(line), is_over, hushed)

    def take(self, entry, is_over, hushed):
        key = entry["key"]
        if self.keyed and key in self.by_key:
            self.wrong["same key again"].append(key)
            if not entry["marked"]:
                self.wrong["same key, not marked"].append(key)
            if self.by_key[key] != entry["body"]:
                self.wrong["same key, other message"].append(key)
            return
        self.by_key[key] = entry["body"]
        alerts = [alert for alert in entry["body"]["alerts"] if "i" in alert["labels"]]
        for alert in entry["body"]["alerts"]:
            if alert not in alerts:                         # of the program itself: a message given up, state not on disk
                self.wrong[alert["labels"]["alertname"]].append(alert["annotations"]["description"])
        news = [self.note(alert, entry["time"], is_over, hushed) for alert in alerts]
        if alerts and not any(news):
            self.wrong["repeated"].append((key, [(a["status"], a["labels"]["i"], a["annotations"]["n"]) for a in alerts]))

    def note(self, alert, at, is_over, hushed):
        what, ends = (alert["labels"]["i"], int(alert["annotations"]["n"])), alert["status"] == "resolved"
        known = self.ended if ends else self.told
        if what in known:
            return False
        known[what] = at
        if ends and what not in self.told:
            self.wrong["ends without a beginning"].append(what)
        if ends and not is_over(what):
            self.wrong["ended while it fires"].append(what)
        if not ends and hushed(what, at):
            self.wrong["told though silenced"].append(what)
        return True

    def lost(self):
        return sorted(self.owed - self.told.keys())

    def ends_missing(self):
        return sorted(self.told.keys() - self.ended.keys())
