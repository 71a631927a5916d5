"""M1, M6, F11: /probe?module=&target= beside Debian's blackbox_exporter, asked the same of the same servers: families, labels, types, and values that
do not depend on the moment."""
import datetime
import urllib.parse

import pytest
from exporter_text import Dead, Metrics, Silent
from servers import Exporter, Process, free_port, http, wait_for
from test_exporter_probe import Site, certificate

NOT_OURS = {            # family: why not
    "probe_ip_addr_hash": "a hash nobody reads; a change of address shows in probe_dns_lookup_time_seconds and the log",
    "probe_ssl_last_chain_expiry_timestamp_seconds": "of the chain that was verified: probe_ssl_earliest_cert_expiry is of all that were shown",
    "probe_ssl_last_chain_info": "fingerprints and names: not asked for",
    "probe_failed_due_to_regex": "only where a pattern is configured, theirs is always there",
}
MOMENTARY = {"probe_duration_seconds", "probe_dns_lookup_time_seconds", "probe_http_duration_seconds"}
DIFFERENT = {           # (family, case): why
    ("probe_ip_protocol", "dead"): "nothing was reached: absent, theirs is the address that was tried",
    ("probe_ip_protocol", "tcp dead"): "the same",
    ("probe_http_redirects", "away"): "a redirect that is not followed is none, theirs counts it",
    ("probe_http_uncompressed_body_length", "away"): "theirs does not read the body of a redirect",
}

OURS = """
modules:
  - { name: http, allow: ['.*'], probe: { url: '{target}', insecure_skip_verify: false, ca_file: CA, follow_redirects: false, timeout: 1s } }
  - { name: follow, allow: ['.*'], probe: { url: '{target}', ca_file: CA, follow_redirects: true, timeout: 1s } }
  - { name: tcp, allow: ['.*'], probe: { url: 'tcp://{target}', timeout: 1s } }
  - { name: tls, allow: ['.*'], probe: { url: 'tls://{target}', ca_file: CA, timeout: 1s } }
  - { name: pattern, allow: ['.*'], probe: { url: '{target}', fail_if_body_not_matches_regexp: [pong] } }
"""
THEIRS = """
modules:
  http: { prober: http, timeout: 1s, http: { preferred_ip_protocol: ip4, follow_redirects: false, tls_config: { ca_file: CA } } }
  follow: { prober: http, timeout: 1s, http: { preferred_ip_protocol: ip4, follow_redirects: true, tls_config: { ca_file: CA } } }
  tcp: { prober: tcp, timeout: 1s, tcp: { preferred_ip_protocol: ip4 } }
  tls: { prober: tcp, timeout: 1s, tcp: { preferred_ip_protocol: ip4, tls: true, tls_config: { ca_file: CA } } }
  pattern: { prober: http, timeout: 1s, http: { preferred_ip_protocol: ip4, fail_if_body_not_matches_regexp: [pong] } }
"""

METHODS = ("POST", "PUT", "DELETE", "HEAD")
OURS += "".join(f"  - {{ name: {m}, allow: ['.*'], probe: {{ url: '{{target}}', method: {m}, follow_redirects: true, timeout: 1s }} }}\n" for m in METHODS)
THEIRS += "".join(f"  {m}: {{ prober: http, timeout: 1s, http: {{ preferred_ip_protocol: ip4, method: {m}, follow_redirects: true }} }}\n" for m in METHODS)


@pytest.fixture
def both(box):
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    day = datetime.timedelta(days=1)
    for name, until in (("good", now + 20 * day), ("old", now - day)):
        certificate(box.folder, name, now - 9 * day, until)
    ca = box.write("ca.pem", (box.folder / "good.crt").read_text() + (box.folder / "old.crt").read_text())
    port = free_port()
    theirs = box.start(lambda folder: Process("blackbox", ["prometheus-blackbox-exporter", "--config.file", box.write("b.yml", THEIRS.replace("CA", str(ca))),
                                                           f"--web.listen-address=127.0.0.1:{port}"], folder))
    theirs.ready(lambda: http(f"http://127.0.0.1:{port}/-/healthy")[0] == 200)
    ours = box.start(Exporter, box.write("e.yml", OURS.replace("CA", str(ca))))

    def ask(module, target):
        query = "/probe?" + urllib.parse.urlencode({"module": module, "target": target})
        return [Metrics(http(base + query)[2]) for base in (f"http://127.0.0.1:{port}", ours.url())]

    return ask, box.folder


def samples(m, name):
    return sorted((tuple(sorted(had.items())), v) for n, had, v in m.samples if n == name)


def test_beside_blackbox_exporter(both):
    ask, folder = both
    dead = Dead()
    with Site() as site, Site(folder / "good.pem") as secure, Site(folder / "old.pem") as expired, Silent() as silent:
        plain = f"http://127.0.0.1:{site.port}"
        cases = {
            "ok": ("http", f"{plain}/ping"), "health": ("http", f"{plain}/health"), "away": ("http", f"{plain}/away"), "big": ("http", f"{plain}/big"),
            "secure": ("http", f"https://127.0.0.1:{secure.port}/ping"), "expired": ("http", f"https://127.0.0.1:{expired.port}/ping"),
            "dead": ("http", f"http://127.0.0.1:{dead.port}/"), "silent": ("http", f"http://127.0.0.1:{silent.port}/"),
            "up": ("follow", f"{plain}/jump/302/https://127.0.0.1:{secure.port}/ping"),
            "down": ("follow", f"https://127.0.0.1:{secure.port}/jump/302/{plain}/ping"),
            "pattern": ("pattern", f"{plain}/ping"), "no pattern": ("pattern", f"{plain}/big"), "tcp": ("tcp", f"127.0.0.1:{site.port}"),
            "tcp dead": ("tcp", f"127.0.0.1:{dead.port}"), "tls": ("tls", f"127.0.0.1:{secure.port}"),
        }
        def differences(case, module, target):
            wrong, (theirs, ours) = [], ask(module, target)
            for name in sorted(theirs.types):
                if name in NOT_OURS and not (name == "probe_failed_due_to_regex" and "pattern" in case) or (name, case) in DIFFERENT:
                    continue
                want, have = samples(theirs, name), samples(ours, name)
                if name in MOMENTARY:
                    want, have = [s for s, _ in want], [s for s, _ in have]
                if want != have or theirs.types[name] != ours.types.get(name):
                    wrong.append((case, name, want, have, theirs.types[name], ours.types.get(name)))
            assert not wrong, "\n".join(map(str, wrong))
            return True

        for case, (module, target) in cases.items():        # each of the two may run into its second of time
            wait_for(case, lambda: differences(case, module, target))
    dead.socket.close()


def test_methods_behind_a_redirect(both):
    """What is asked for where a redirect leads to, and with which method."""
    ask, _ = both
    with Site() as site, Site() as other:
        for method in METHODS:
            for code in (301, 302, 303, 307, 308):
                ask(method, f"http://127.0.0.1:{site.port}/jump/{code}/http://127.0.0.1:{other.port}/ping")
                assert [r[0] for r in site.requests[-2:]] == [method] * 2
                theirs, ours = other.requests[-2:]
                assert "tocsin" in ours[2]["User-Agent"] and (theirs[0], theirs[3]) == (ours[0], ours[3]), (method, code)
