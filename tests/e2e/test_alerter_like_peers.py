"""What promtool and amtool of Debian refuse, check refuses too, and the other way round."""
import shutil
import subprocess

import pytest
from servers import binary

RULES = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n"
RULE_FILES = {
    "good": RULES, "the same group twice": RULES + RULES.split("\n", 1)[1],
    **{f"for {d}": f"{RULES}    for: {d}\n" for d in ("292y", "293y", "300000y", "106751d", "106752d", "9223372036854ms", "9223372037854ms", "0", "5")},
    **{f"keep_firing_for {d}": f"{RULES}    keep_firing_for: {d}\n" for d in ("292y", "300y")},
    **{f"interval {d}": RULES.replace("  rules", f"  interval: {d}\n  rules") for d in ("1m", "300y")},
    **{f"name {n}": RULES.replace("name: g", f"name: {n}") for n in ("''", "' '", "5", "")},
    **{f"limit {n}": RULES.replace("  rules", f"  limit: {n}\n  rules") for n in ("-1", "0", "5", "x", "''", "")},
}
JOB = "scrape_configs:\n- job_name: j\n"
CONFIGS = {
    "job without name": JOB.replace("job_name: j", "job_name: ''"), "rule_files": "rule_files: x.yml\n", "interval": "global: {scrape_interval: 300y}\n",
    "evaluation_interval": "global: {evaluation_interval: 300y}\n",
    **{f"target {t}": f"{JOB}  static_configs: [{{targets: ['{t}']}}]\n" for t in ("h:80", "h", "h:99999", "h:80/x", "http://h:80", "")},
    "target and relabelling": JOB + "  static_configs: [{targets: ['http://h:80/x']}]\n  relabel_configs: [{target_label: __address__, replacement: 'b:1'}]\n",
    "targets": JOB + "  static_configs: [{targets: 'h:1'}]\n", "files": JOB + "  file_sd_configs: [{files: 'x.json'}]\n",
    "names": JOB + "  dns_sd_configs: [{names: 'x', type: A, port: 1}]\n", "source_labels": JOB + "  relabel_configs: [{source_labels: a, target_label: b}]\n",
    "params": JOB + "  params: {a: b}\n",
}
RECEIVERS = "receivers: [{name: x, webhook_configs: [{url: 'http://x/'}]}]\n"
INTERVALS = "route: {receiver: x}\ntime_intervals: [{name: t, time_intervals: [{%s}]}]\n" + RECEIVERS
ALERTMANAGER = {
    **{f"group_by: {v}": f"route: {{receiver: x, group_by: {v}}}\n{RECEIVERS}" for v in ("alertname", "[alertname]", "[]", "['']", "['...']", "[a, a]")},
    **{k: f"route: {{receiver: x, routes: [{{receiver: x, {k}}}]}}\n{RECEIVERS}" for k in
       ("matchers: 'a=b'", "matchers: ['a=b']", "mute_time_intervals: x", "active_time_intervals: x", "group_wait: 300y")},
    **{k: f"route: {{receiver: x}}\ninhibit_rules: [{{{k}}}]\n{RECEIVERS}" for k in
       ("source_matchers: ['a=b'], target_matchers: ['c=d'], equal: a", "source_matchers: ['a=b'], target_matchers: ['c=d'], equal: [a]", "source_matchers: 'a=b'")},
    **{k: INTERVALS % k for k in ("weekdays: monday", "weekdays: [monday]", "months: may", "years: '2026'", "days_of_month: '1'")},
    "templates": "route: {receiver: x}\ntemplates: a.tmpl\n" + RECEIVERS,
}


@pytest.mark.parametrize("ours, peer, files", [
    ("rules", ["promtool", "check", "rules"], RULE_FILES), ("config", ["promtool", "check", "config"], CONFIGS),
    ("config", ["amtool", "check-config"], ALERTMANAGER)], ids=["rules", "prometheus.yml", "alertmanager.yml"])
def test_as_the_peers_do(box, ours, peer, files):
    if not shutil.which(peer[0]):
        pytest.skip(f"Debian's {peer[0]} is not installed")

    def refused(*command):
        return subprocess.run(command, capture_output=True, cwd=box.folder, timeout=60).returncode != 0
    got, want = {}, {}
    for name, text in files.items():
        path = box.write("file.yml", text)
        got[name], want[name] = refused(binary("tocsin-alerter"), "check", ours, path), refused(*peer, path)
    assert got == want and True in want.values() and False in want.values()


@pytest.mark.parametrize("address", ["127.0.0.1:99999", "127.0.0.1:65536"])
def test_a_port_is_a_port(box, address):
    done = subprocess.run([binary("tocsin-alerter"), "--config.file", box.write("t.yml", "global: {}\n"), "--storage.path", box.folder / "data",
                           "--web.listen-address", address], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and f"cannot listen on {address}: a port is at most 65535" in done.stderr
