"""A reply of megabytes is taken in beside the loop, in pieces: it is seen whole or not at all, and whoever else is scraped goes on."""
import pytest
from test_scrape_connection import Server
from watched import Watch, alert_rule, job

SERIES = 30000


def large(turn):
    return "".join(f'big{{n="{i}",turn="{turn}"}} {i}\n' for i in range(SERIES))


@pytest.mark.parametrize("then", [large(2), "small 1\n"], ids=["others", "none"])
def test_it_is_seen_whole(box, then):
    """F3, P1: thirty thousand series come at once, and are replaced or go at once: no query and no rule sees a part of them."""
    replies, counts = [large(1)], set()
    target = box.start(Server, lambda request: (200, "text/plain; version=0.0.4", replies[-1] if request.path == "/large" else "small 1\n"))
    jobs = [job("large", target.address, metrics_path="/large", scrape_interval="2s", scrape_timeout="2s"), job("small", target.address)]
    watch = Watch(box, jobs, [alert_rule("Part", f"count(big) != {SERIES}"), alert_rule("Twice", "count by (n) (big) > 1")])

    def first_ones():
        counts.add(watch.value("count(big)") or 0)
        return watch.value('count(big{turn="1"})') or 0
    watch.until("all are there", lambda: first_ones() == SERIES)
    small = watch.value('count_over_time(small{job="small"}[1h])')
    replies.append(then)
    watch.until("they are gone", lambda: first_ones() == 0)
    watch.ticks(3)
    assert counts <= {0, SERIES}
    assert watch.value("count(big)") == (None if then == "small 1\n" else SERIES)
    assert watch.hook.told("Part", "firing") + watch.hook.told("Twice", "firing") == []
    assert watch.value('count_over_time(small{job="small"}[1h])') > small + 3
