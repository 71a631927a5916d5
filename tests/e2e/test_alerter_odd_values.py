"""Odd values of every setting of prometheus.yml: what promtool takes we take, and what it refuses we refuse. (C2, P1)"""
import shutil
from pathlib import Path

import pytest
from odd_values import cases, judge, unexplained

JOB = "scrape_configs:\n- job_name: j\n"
ROOT = "global rule_files scrape_configs storage alerting remote_write remote_read tracing"
GLOBAL = "scrape_interval scrape_timeout evaluation_interval external_labels query_log_file"
KEYS = """honor_timestamps honor_labels params scrape_interval scrape_timeout metrics_path scheme body_size_limit sample_limit target_limit label_limit basic_auth authorization oauth2
bearer_token bearer_token_file tls_config proxy_url no_proxy proxy_from_environment follow_redirects enable_http2 static_configs file_sd_configs http_sd_configs dns_sd_configs relabel_configs
metric_relabel_configs kubernetes_sd_configs"""
# Maps of a job, or lists of them: their keys, and what else must be there.
INSIDE = {
    "basic_auth": ("username password password_file", {}), "authorization": ("type credentials credentials_file", {}),
    "oauth2": ("client_id client_secret client_secret_file token_url scopes endpoint_params tls_config", {"client_id": "a", "client_secret": "b", "token_url": "http://t"}),
    "tls_config": ("ca_file cert_file key_file server_name insecure_skip_verify min_version", {}),
    "static_configs": ("targets labels", {}), "file_sd_configs": ("files refresh_interval", {"files": "[a.json]"}),
    "http_sd_configs": ("url refresh_interval oauth2 proxy_url follow_redirects", {"url": "http://x"}),
    "dns_sd_configs": ("names refresh_interval type port", {"names": "[a]", "port": "1", "type": "A"}),
    "relabel_configs.replace": ("source_labels separator modulus regex target_label replacement action", {"target_label": "t"}),
    "relabel_configs.hashmod": ("target_label modulus", {"action": "hashmod", "target_label": "t", "modulus": "3"}),
    "relabel_configs.labelmap": ("replacement target_label", {"action": "labelmap"}), "relabel_configs.keep": ("source_labels target_label", {"action": "keep"}),
    "relabel_configs.labeldrop": ("source_labels separator modulus target_label replacement", {"action": "labeldrop"}),
    "relabel_configs.lowercase": ("target_label replacement", {"action": "lowercase", "target_label": "t"}),
}
INSTEAD = {"client_secret_file": "client_secret"}


def settings():
    yield from ((f"root.{key}", f"{key}: @\n") for key in ROOT.split())
    yield from ((f"global.{key}", f"global:\n  {key}: @\n") for key in GLOBAL.split())
    yield from ((f"storage.{part}.{key}", f"storage:\n  {part}:\n    {key}: @\n") for part, key in (("exemplars", "max_exemplars"), ("tsdb", "out_of_order_time_window")))
    yield "job.job_name", "scrape_configs:\n- job_name: @\n"
    yield from ((f"job.{key}", f"{JOB}  {key}: @\n") for key in KEYS.split())
    for where, (keys, more) in INSIDE.items():
        for key in keys.split():
            lines = [f"{key}: @", *(f"{k}: {v}" for k, v in more.items() if k not in (key, INSTEAD.get(key)))]
            dash = "- " if where.split(".")[0].endswith("configs") else "  "
            yield f"job.{where}.{key}", f"{JOB}  {where.split('.')[0]}:\n" + "".join(f"  {'  ' if i else dash}{line}\n" for i, line in enumerate(lines))


@pytest.mark.skipif(not shutil.which("promtool"), reason="Debian's promtool (package prometheus) is not installed")
def test_as_promtool_judges(box):
    judged = judge(box, cases(dict(settings())), "promtool", r"root\.rule_files = .*|.*\.regex = '\('")
    assert unexplained(judged, Path(__file__).parent / "odd_prometheus.tsv") == []
    assert {(True, True), (False, False)} <= set(judged.values())
