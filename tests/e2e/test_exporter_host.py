"""F4, O5: the host's families, labels and types beside Debian's node_exporter on the same machine."""
import shutil

import pytest

from exporter_text import Metrics, scrape
from servers import Exporter, Process, free_port, http

PARTS = ["cpu", "stat", "meminfo", "loadavg", "diskstats", "filesystem", "netdev", "netclass", "pressure", "vmstat", "filefd", "uname", "time"]
NOT_OURS = {        # family: why not
    "node_time_clocksource_available_info": "about the kernel's clocks, not asked for",
    "node_time_clocksource_current_info": "about the kernel's clocks, not asked for",
    "node_time_zone_offset_seconds": "a setting, not a state of the machine",
}
MORE_LABELS = {     # of node_exporter, that we lack
    "node_disk_info": {"path", "model", "serial", "wwn", "revision"},       # from udev's database
}
CLOSE = {"node_memory_MemTotal_bytes": 0, "node_boot_time_seconds": 1, "node_filefd_maximum": 0, "node_memory_SwapTotal_bytes": 0,
         "node_filesystem_size_bytes": 0, "node_network_mtu_bytes": 0, "node_network_speed_bytes": 0, "node_network_flags": 0,
         "node_cpu_seconds_total": 30, "node_disk_writes_completed_total": 20000, "node_load15": 2, "node_uname_info": 0,
         "node_network_receive_packets_total": 10000, "node_vmstat_pgpgout": 1e7, "node_pressure_cpu_waiting_seconds_total": 60}


@pytest.fixture
def pages(box):
    program = shutil.which("prometheus-node-exporter")
    assert program, "prometheus-node-exporter is not installed"
    port = free_port()
    node = box.start(lambda folder: Process("node", [program, "--collector.disable-defaults", f"--web.listen-address=127.0.0.1:{port}",
                                                     *[f"--collector.{p}" for p in PARTS],
                                                     "--collector.filesystem.mount-points-exclude=^/.+$"], folder))
    node.ready(lambda: http(f"http://127.0.0.1:{port}/metrics")[0] == 200)
    exporter = box.start(Exporter, box.write("e.yml", "host: [{ name: here, mount_points_exclude: '/.+' }]   # only /: others come and go\n"))
    ours = scrape(exporter, path="/probe?target=here")
    return Metrics(http(f"http://127.0.0.1:{port}/metrics")[2]), ours, exporter


def test_beside_node_exporter(pages):
    theirs, ours, _ = pages
    families = {n for n in theirs.types if n.startswith("node_") and not n.startswith(("node_exporter_", "node_scrape_"))}
    assert len(families) > 120
    missing = {n for n in families if n not in ours.types and n not in NOT_OURS}
    assert not missing
    for name in sorted(families & set(ours.types)):
        assert ours.types[name] == theirs.types[name], name
        lacking = MORE_LABELS.get(name, set())
        want = {tuple(sorted((k, v) for k, v in had.items() if v and k not in lacking)) for n, had, _ in theirs.samples if n == name}
        have = {tuple(sorted((k, v) for k, v in had.items() if v)) for n, had, _ in ours.samples if n == name}
        # the loopback device: node_exporter 1.5 leaves it out of netdev, /proc/net/dev has it
        assert want - have == set() and all(("device", "lo") in h for h in have - want), name


def test_values(pages):
    theirs, ours, _ = pages
    for name, slack in CLOSE.items():
        for n, had, v in theirs.samples:
            if n == name:
                mine = ours.value(name, **{k: x for k, x in had.items() if x})
                assert mine is not None and abs(mine - v) <= slack, (name, had, mine, v)


def test_no_proc_is_no_host(box):
    exporter = box.start(Exporter, box.write("e.yml", "host: [{ name: here, procfs: /nonexist }]\n"))
    m = scrape(exporter)
    assert m.value("tocsin_host_up", source="here") == 0 and not m.find("node_scrape_collector_success")
    assert "/nonexist/stat: No such file" in exporter.process.text()


def test_cgroup_and_success(pages):
    theirs, ours, exporter = pages
    assert ours.value("tocsin_host_up") == 1
    ours_failed, theirs_failed = ({had["collector"] for had, v in m.find("node_scrape_collector_success") if v == 0} for m in (ours, theirs))
    assert ours_failed <= theirs_failed, "what this kernel does not have"
    m = scrape(exporter)
    assert m.value("node_load1", source="here") is not None
    assert len(m.find("tocsin_cgroup_memory_usage_bytes")) <= 1
