"""A reply that is not whole is a failed scrape, whatever way it was cut: nothing is resolved by what it lacks."""
import gzip

from raw import HEAD, Raw
from watched import Watch, alert_rule, job

BODY = b"fine 1\nbroken 1\n"
PACKED = gzip.compress(b"".join(b'other{n="%d"} %d\n' % (i, i * i) for i in range(500)) + BODY)
CUT = {
    "status line": (b"HTTP/1.1 200 OK\r\n", "headers"),
    "header": (HEAD[:-4], "headers"),
    "last header": (HEAD, "headers"),
    "last line": (HEAD + b"\r", "headers"),
    "length": (HEAD + b"Content-Length: 16\r\n\r\nfine 1\n", "closed"),
    "chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n7\r\nfine 1\n\r\n", "closed"),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", "204"),
    "gzip's head": (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", "ends too early"),
    "gzip's middle": (HEAD + b"Content-Encoding: gzip\r\n\r\n" + PACKED[:len(PACKED) // 2], "ends too early"),
    "gzip's trailer": (HEAD + b"Content-Encoding: gzip\r\n\r\n" + PACKED[:-8], "ends too early"),
    "no gzip": (HEAD + b"Content-Encoding: gzip\r\n\r\nfine 1\n", "damaged"),
    "nothing packed": (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", "ends too early"),
    "another coding": (HEAD + b"Content-Encoding: br\r\n\r\n" + PACKED, "not asked for"),
    "line": (HEAD + b"\r\nfine 1\nbroke", ""),
    "one huge header": (HEAD + b"X: " + b"x" * 2000000 + b"\r\n\r\nfine 1\n", "a header is larger than 100 KB"),
    "page": (HEAD.replace(b"plain", b"html") + b"\r\nfine 1\n", "Content-Type"),
}


def target_of(watch):
    return watch.data("/api/v1/targets")["activeTargets"][0]


def test_cut_replies(box):
    whole = HEAD + b"Content-Encoding: gzip\r\n\r\n" + PACKED
    target = box.start(Raw, whole)
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")])
    watch.told("Broken")
    for name, (answer, error) in CUT.items():
        target.answer = answer
        watch.until(name, lambda: target_of(watch)["health"] == "down" and error in target_of(watch)["lastError"])
        watch.ticks(3)
        assert not watch.hook.told("Broken", "resolved"), name
        target.answer = whole
        watch.scraped()
    assert len(watch.hook.requests) == 1


def test_a_reply_past_the_limit_is_no_scrape(box):
    """Cut at a line's end, the part that was read would parse and lack the rest: it is refused, packed or not, and the limit is named."""
    whole = HEAD + b"\r\nfine 1\nbroken 1\n"
    huge = b"fine 1\n" + b"# padding, sixty-four bytes of it a line, so that lines end well\n" * (1 << 15) + b"broken 1\n"
    target = box.start(Raw, whole)
    watch = Watch(box, [job("app", target, body_size_limit="1MB")], [alert_rule("Broken", "broken == 1")])
    watch.told("Broken")
    for name, answer in {"plain": HEAD + b"\r\n" + huge, "packed": HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(huge, 1)}.items():
        target.answer = answer
        watch.until(name, lambda: target_of(watch)["health"] == "down" and "body_size_limit exceeded" in target_of(watch)["lastError"])
        watch.ticks(3)
        assert not watch.hook.told("Broken", "resolved"), name
        target.answer = whole
        watch.scraped()
    assert len(watch.hook.requests) == 1


def test_a_receivers_cut_answer(box):
    """F13: an answer that ends within its headers says nothing: the message is neither delivered nor given up, and comes again, marked."""
    receiver, target = box.start(Raw, HEAD[:-9]), box.start(Raw, HEAD + b"\r\nbroken 1\n")
    watch = Watch(box, [job("app", target)], [alert_rule("Broken", "broken == 1")], receiver={"webhook_configs": [{"url": f"http://127.0.0.1:{receiver.port}/"}]})
    watch.until("it was asked twice", lambda: len(receiver.asked) >= 2)
    waiting, = watch.until("it waits", lambda: watch.data("/api/v1/outbox")["waiting"])
    assert waiting["state"] in ("unknown", "in flight") and waiting["attempts"] > 0, waiting
    receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    watch.until("it is delivered", lambda: not watch.data("/api/v1/outbox")["waiting"])
    assert not watch.data("/api/v1/outbox")["dead"]
    assert b"X-Tocsin-Possible-Repeat: true" in receiver.asked[-1]
