"""Samples on disk: imported ones are served, a clean stop keeps what was scraped, a damaged block is set aside and the rest serves."""
import subprocess
import time
import urllib.parse

import pytest
import protobuf as pb
from servers import Alerter, binary, wait_for
from test_scrape_protobuf import Application
from watched import Target, Watch, job

GOOD = """# HELP jobs Jobs done.
# TYPE jobs counter
jobs_total{queue="a"} 1 {0}
jobs_total{queue="a"} 3 {1}
# TYPE depth gauge
depth{queue="a",note="say \\"hi\\""} NaN {0}
depth{queue="a",note="say \\"hi\\""} +Inf {1}
# EOF
"""
BAD = """# TYPE jobs counter
jobs_total 1 1700000000
jobs_total{queue="a} 2 1700000000
jobs_total 3
jobs_total x 1700000000
# EOF
"""


@pytest.fixture
def config(box):
    return box.write("empty.yml", "global: {scrape_interval: 1s}\n")


def run_import(box, name, text):
    path = box.write(name, text)
    args = [binary("tocsin-alerter"), "import", "openmetrics", path, f"--storage.path={box.folder / 'data'}"]
    return subprocess.run(args, text=True, capture_output=True)


def query(alerter, expression, **params):
    answer = alerter.json("/api/v1/query?" + urllib.parse.urlencode({"query": expression, **params}))
    return {tuple(sorted(r["metric"].items())): r["value"][1] for r in answer["data"]["result"]}


def start(box, config):
    return box.start(Alerter, config, args=["--storage.path", box.folder / "data"])


def test_mistakes_are_all_said_and_nothing_is_imported(box):
    done = run_import(box, "bad.om", BAD)
    where = [line.removeprefix(f"{box.folder}/") for line in done.stderr.splitlines()]
    assert done.returncode == 1 and done.stdout == ""
    assert where == [
        "bad.om:3:1: labels are not closed by '}'",
        "bad.om:4:1: a sample without its time: what is imported needs a timestamp behind each value",
        "bad.om:5:12: the value is not a number",
        "bad.om: nothing was imported",
    ]
    assert not list(box.folder.glob("data/blocks/*"))


def test_imported_beside_a_running_alerter(box, config):
    """It is there a second later, and the same once more changes nothing."""
    alerter = start(box, config)
    begin = int(time.time()) // 7200 * 7200 - 6000
    text = GOOD.replace("{0}", str(begin)).replace("{1}", str(begin + 60))
    assert run_import(box, "good.om", text).returncode == 0
    wait_for("the imported samples", lambda: query(alerter, "count_over_time(jobs_total[5m])", time=begin + 70) == {(("queue", "a"),): "2"})
    done = run_import(box, "good.om", text)
    assert done.returncode == 0 and "1 of them was there already" in done.stdout
    assert len(list(box.folder.glob("data/blocks/*"))) == 1


def test_what_will_not_be_kept_is_said(box, config):
    """Samples older than the retention, and such of the future, at their import; and a limit of the disk that the journal alone exceeds."""
    old = run_import(box, "old.om", GOOD.replace("{0}", "1700000000").replace("{1}", "1700000060"))
    assert old.returncode == 0 and "samples from 2023-11-14T22:13:20.000Z on: the alerter deletes what is older than its --storage.retention" in old.stderr
    milliseconds = run_import(box, "future.om", GOOD.replace("{0}", "1700000000000").replace("{1}", "1700000060000"))
    assert milliseconds.returncode == 0 and "lie in the future: timestamps are seconds since 1970" in milliseconds.stderr
    now = int(time.time())
    assert run_import(box, "new.om", GOOD.replace("{0}", str(now - 60)).replace("{1}", str(now))).stderr == ""
    alerter = box.start(Alerter, config, args=["--storage.path", box.folder / "data", "--storage.retention.size", "1B"])
    wait_for("the limit is said to be too low", lambda: "storage.retention.size is less than the journal takes" in alerter.process.text())


def test_no_file_is_a_command_line_that_is_wrong(box):
    done = subprocess.run([binary("tocsin-alerter"), "import", "openmetrics"], text=True, capture_output=True)
    assert done.returncode == 2 and "name one file" in done.stderr


def test_imported_samples_are_served_and_a_damaged_block_is_not(box, config):
    begin = int(time.time()) // 7200 * 7200 - 6000          # both in one window of time, and so in one block
    text = GOOD.replace("{0}", str(begin)).replace("{1}", str(begin + 60))
    assert run_import(box, "good.om", text).returncode == 0
    alerter = start(box, config)
    assert query(alerter, "jobs_total", time=begin + 70) == {(("__name__", "jobs_total"), ("queue", "a")): "3"}
    assert query(alerter, "depth", time=begin + 50) == {(("__name__", "depth"), ("note", 'say "hi"'), ("queue", "a")): "NaN"}
    alerter.stop()
    block, = box.folder.glob("data/blocks/*.blk")
    block.write_bytes(block.read_bytes()[:-8] + b"damaged!")
    assert run_import(box, "later.om", text.replace("jobs", "tasks").replace("depth", "width")).returncode == 0
    alerter.start()
    assert query(alerter, "jobs_total or tasks_total", time=begin + 70) == {(("__name__", "tasks_total"), ("queue", "a")): "3"}
    assert f"{block.name}.damaged" in alerter.process.text() and block.with_name(block.name + ".damaged").exists()
    assert "tocsin_store_blocks_damaged_total 1" in alerter.get("/metrics")[2]


def chunk_damaged(block):
    """One bit of its first chunk, which lies right behind the header."""
    data = bytearray(block.read_bytes())
    data[256 + 8] ^= 1
    block.write_bytes(data)


def test_one_bit_costs_one_chunk(box, config):
    """The rest is served, with a warning; the damage is named and counted; the tools go on and say so."""
    begin = int(time.time()) // 7200 * 7200 - 6000
    text = "".join(f'{name}{{a="{name}{k}"}} {i} {begin + i}\n' for name in ("one", "two") for k in (1, 2) for i in range(200)) + "# EOF\n"
    assert run_import(box, "good.om", text).returncode == 0
    block, = box.folder.glob("data/blocks/*.blk")
    chunk_damaged(block)
    done = tool("tsdb", "analyze", "--storage.path", box.folder / "data")
    assert done.returncode == 1 and "4 series, 800 samples" in done.stdout and f"{block.name} byte=" in done.stderr and "chunks 1," in done.stderr
    done = tool("export", "openmetrics", "--storage.path", box.folder / "data")
    kept = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    assert done.returncode == 1 and 680 <= len(kept) < 800 and done.stdout.endswith("# EOF\n") and "chunks 1," in done.stderr
    alerter = start(box, config)
    answer = alerter.json("/api/v1/query?" + urllib.parse.urlencode({"query": 'count_over_time({a=~".+"}[10m])', "time": begin + 300}))
    assert sum(int(r["value"][1]) for r in answer["data"]["result"]) == len(kept)
    assert [w for w in answer["warnings"] if block.name in w]
    assert "tocsin_store_chunks_damaged_total 1" in alerter.get("/metrics")[2]
    assert alerter.process.text().count("a chunk is damaged") == 1 and block.exists()


def test_a_clean_stop_keeps_what_was_scraped(box):
    alerter = box.start(Alerter, box.write("none.yml", "global: {}\n"), args=["--storage.path", box.folder / "data"])
    job = f"{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{alerter.port}']}}]}}"
    box.write("none.yml", f"global: {{scrape_interval: 1s}}\nscrape_configs: [{job}]\n")
    alerter.stop()
    alerter.start()
    wait_for("two scrapes", lambda: query(alerter, "count_over_time(up[5m]) >= 2"))
    alerter.stop()
    box.write("none.yml", "global: {}\n")
    alerter.start()
    before = query(alerter, "count_over_time(up[5m])")
    assert before and int(next(iter(before.values()))) >= 2


def tool(*args):
    return subprocess.run([binary("tocsin-alerter"), *map(str, args)], text=True, capture_output=True)


def test_export_is_what_import_reads(box, config):
    """Exported and imported again it is the same; promtool takes it too."""
    now = int(time.time()) - 600
    assert run_import(box, "good.txt", GOOD.replace("{0}", str(now)).replace("{1}", str(now + 60.5))).returncode == 0
    done = tool("export", "openmetrics", "--storage.path", box.folder / "data")
    assert (done.returncode, done.stderr) == (0, "")
    assert f'jobs_total{{queue="a"}} 3 {now + 60.5}' in done.stdout.splitlines() and done.stdout.endswith("# EOF\n")
    text = box.write("export.txt", done.stdout)
    assert tool("import", "openmetrics", text, "--storage.path", box.folder / "again").returncode == 0
    assert tool("export", "openmetrics", "--storage.path", box.folder / "again").stdout == done.stdout
    one = tool("export", "openmetrics", 'jobs_total{queue="a"}', "--storage.path", box.folder / "again", "--start", now + 1)
    assert one.stdout.splitlines()[1:-1] == [f'jobs_total{{queue="a"}} 3 {now + 60.5}']
    assert subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", text, str(box.folder / "theirs")]).returncode == 0
    assert tool("export", "openmetrics", "{", "--storage.path", box.folder / "again").returncode == 1
    assert tool("export", "openmetrics", "--start", "soon").returncode == 2


def test_export_and_analyze_beside_a_running_alerter(box):
    target = box.start(Target, text='steps{a="1"} 4\nsteps{a="2"} 5\nsteps{a="two\\nlines"} 6\n')
    watch = Watch(box, [job("app", target)], [])
    watch.kept()
    done = tool("export", "openmetrics", "steps", "--storage.path", box.folder / "data")
    assert done.returncode == 0 and 'a="2"' in done.stdout and " 5 " in done.stdout
    done = tool("tsdb", "analyze", "--storage.path", box.folder / "data")
    assert done.returncode == 0 and "8 series" in done.stdout and "steps" in done.stdout and "  a=two\\nlines\n" in done.stdout and "Labels by number of values" in done.stdout
    wait_for("the same as promtool takes it, between two scrapes", lambda: len({"\n".join(tool("tsdb", "analyze", *args).stdout.splitlines()[3:9]) for args in (
        ["--storage.path", box.folder / "data"], [box.folder / "data"])}) == 1)
    assert tool("tsdb", "analyze", "--storage.path", box.folder / "none").returncode == 1
    assert tool("tsdb", "analyze", "a", "b").returncode == 2
    watch.scraped()


def test_export_of_native_histograms(box):
    """As classic ones, which say the same; what is left out is counted."""
    histogram = pb.histogram(pb.observations([0.5, 3, 3, 100], 0), pb.observations([2], 0), total=104.5, schema=0)
    target = box.start(Application, pb.family("took", pb.HISTOGRAM, pb.metric(histogram, path="/")))
    path = box.write("native.yml", f"""global: {{scrape_interval: 1s}}
scrape_configs: [{{job_name: app, scrape_native_histograms: true, static_configs: [{{targets: ['{target.address}']}}]}}]
""")
    alerter = start(box, path)
    wait_for("a histogram", lambda: query(alerter, "histogram_count(took)"))
    target.stop()
    wait_for("its end", lambda: query(alerter, "up == 0"))
    alerter.stop()
    done = tool("export", "openmetrics", "took", "--storage.path", box.folder / "data")
    found = dict(line.rsplit(" ", 2)[:2] for line in done.stdout.splitlines() if line.startswith("took"))
    found = {name.replace(f'instance="{target.address}",job="app",', ""): v for name, v in found.items()}
    assert done.stdout.startswith("# TYPE took histogram\n") and {k: v for k, v in found.items() if "_bucket" in k} == {
        'took_bucket{le="-1.0",path="/"}': "1", 'took_bucket{le="0.5",path="/"}': "2", 'took_bucket{le="4.0",path="/"}': "4",
        'took_bucket{le="128.0",path="/"}': "5", 'took_bucket{le="+Inf",path="/"}': "5"}, done.stdout
    assert (found['took_count{path="/"}'], found['took_sum{path="/"}']) == ("5", "104.5")
    assert "written as classic ones" in done.stderr and "1 stale markers" in done.stderr
    again = run_import(box, "again.om", done.stdout)
    assert again.returncode == 0 and "samples of 7 series" in again.stdout, again


def test_status_tsdb(box, config):
    """What Prometheus says of the same samples, list by list."""
    begin = int(time.time()) // 7200 * 7200 - 6000
    text = "".join(f'm{n}{{a="{k}",long_label="{"x" * n}"}} 1 {begin}\n' for n in (1, 2) for k in range(n * 3)) + "# EOF\n"
    assert run_import(box, "good.om", text).returncode == 0
    alerter = start(box, config)
    data = alerter.json("/api/v1/status/tsdb?limit=3")["data"]
    head = data.pop("headStats")
    assert (head["numSeries"], head["numLabelPairs"], head["maxTime"]) == (9, 10, begin * 1000)
    assert {key: [(row["name"], row["value"]) for row in rows] for key, rows in data.items()} == {
        "seriesCountByMetricName": [("m2", 6), ("m1", 3)],
        "labelValueCountByLabelName": [("a", 6), ("__name__", 2), ("long_label", 2)],
        "memoryInBytesByLabelName": [("a", 6), ("__name__", 4), ("long_label", 3)],
        "seriesCountByLabelValuePair": [("__name__=m2", 6), ("long_label=xx", 6), ("__name__=m1", 3)],
    }
    assert len(alerter.json("/api/v1/status/tsdb")["data"]["seriesCountByLabelValuePair"]) == 10
    assert alerter.get("/api/v1/status/tsdb?limit=0")[0] == 400


def test_delete_series(box):
    """What is deleted is gone, also behind a kill; without the flag nobody deletes anything."""
    target = box.start(Target, text='steps{a="1"} 4\nsteps{a="2"} 5\n')
    watch = Watch(box, [job("app", target)], [], args=["--web.enable-admin-api"])
    watch.scraped()
    target.down()
    path = "/api/v1/admin/tsdb/delete_series?" + urllib.parse.urlencode({"match[]": 'steps{a="1"}'})
    count = 'count_over_time(steps[5m])'
    assert len(watch.query(count)) == 2
    torn = urllib.parse.urlencode([("match[]", "steps"), ("match[]", "steps{")])
    assert watch.program.get("/api/v1/admin/tsdb/delete_series?" + torn, method="POST")[0] == 400
    assert len(watch.query(count)) == 2
    assert watch.program.get(path, method="POST")[0] == 204
    assert [labels["a"] for labels, _ in watch.query(count)] == ["2"]
    assert watch.program.get("/api/v1/admin/tsdb/clean_tombstones", method="POST")[0] == 204
    assert watch.program.get("/api/v1/admin/tsdb/delete_series", method="POST")[0] == 400
    watch.program.kill()
    watch.program.args.remove("--web.enable-admin-api")
    watch.program.start()
    assert [labels["a"] for labels, _ in watch.query(count)] == ["2"]
    code, _, text = watch.program.get(path.replace("1%22", "2%22"), method="POST")
    assert code == 503 and "--web.enable-admin-api" in text
    assert [labels["a"] for labels, _ in watch.query(count)] == ["2"]
