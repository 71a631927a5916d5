"""A scrape is under way when the exporter changes its configuration, or ends: nobody is told that a source is down which is not."""
import threading

import pytest
from exporter_text import Metrics
from raw import HEAD, Raw
from servers import Exporter, http, wait_for

SOURCE = "gauges:\n  - name: api\n    url: http://127.0.0.1:PORT\n    timeout: 60s\n    queries:\n      - path: /\n        metrics: [METRICS]\n"
METRIC = "{ name: NAME, help: x, value: /n }"


class Holding(Raw):
    """Lets who asks wait until it is told to go on."""

    def __init__(self):
        self.free = threading.Event()
        super().__init__(None, HEAD + b'\r\n{"n": 7}')

    def hear(self, connection):
        super().hear(connection)
        self.free.wait(60)


class Asking(threading.Thread):
    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.answer = url, None
        self.start()

    def run(self):
        try:
            self.answer = http(self.url, headers={"X-Prometheus-Scrape-Timeout-Seconds": "60"}, timeout=90)
        except OSError as e:
            self.answer = e

    def result(self):
        self.join(100)
        return self.answer


@pytest.fixture
def holding():
    h = Holding()
    yield h
    h.free.set()
    h.stop()


def config(port, *names):
    return SOURCE.replace("PORT", str(port)).replace("METRICS", ", ".join(METRIC.replace("NAME", n) for n in names))


def module(port, *names):
    body = config("PORT", *names).partition("    url")[2].replace("\n    ", "\n      ")
    return "modules:\n  - name: m\n    allow: ['\\d+']\n    gauges:\n      url" + body.replace("PORT", "{target}")


@pytest.mark.parametrize("make,path", [(config, "/metrics"), (config, "/probe?target=api"), (module, "/probe?module=m&target=PORT")])
def test_a_reload_while_a_source_is_asked(box, holding, make, path):
    """The scrape is answered by who takes the source over, not with a source that is down. (F18, C5)"""
    file = box.write("e.yml", make(holding.port, "one"))
    exporter = box.start(Exporter, file)
    asking = Asking(exporter.url(path.replace("PORT", str(holding.port))))
    wait_for("the source is asked", lambda: holding.asked)
    file.write_text(make(holding.port, "one", "two"))
    assert exporter.get("/-/reload", data=b"", method="POST", timeout=90)[0] == 200
    holding.free.set()
    status, _, text = asking.result()
    m = Metrics(text)
    assert status == 200 and m.value("tocsin_gauges_up") == 1 and m.value("one") == 7, text


def test_the_end_while_a_source_is_asked(box, holding):
    """Who scrapes then gets no page: one with a source that is down would be a lie."""
    exporter = box.start(Exporter, box.write("e.yml", config(holding.port, "one")))
    asking = Asking(exporter.url("/metrics"))
    wait_for("the source is asked", lambda: holding.asked)
    assert exporter.stop() == 0
    answer = asking.result()
    assert isinstance(answer, OSError) or answer[0] == 503, answer
