"""web.config.file: TLS versions, client certificates, users; both programs, asked by curl with certificates openssl made."""
import crypt
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
from pathlib import Path

import pytest

from servers import Alerter, Exporter, binary, wait_for
from watched import Webhook

CURL_CERT_OR_TLS = (35, 56)             # what curl exits with when a handshake fails (1.2, 1.3)


def openssl(folder, *args):
    subprocess.run(["openssl", *map(str, args)], cwd=folder, check=True, capture_output=True, timeout=120)


def certificate(folder, name, authority=None, usage=None):
    """<name>.pem and <name>.key, signed by <authority> or by itself."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key", "-subj", f"/CN={name}"]
    if authority is None:
        openssl(folder, "req", "-x509", *key, "-out", f"{name}.pem", "-days", 2)
        return
    openssl(folder, "req", *key, "-out", f"{name}.csr")
    lines = ["subjectAltName=IP:127.0.0.1"] + ([f"extendedKeyUsage={usage}"] if usage else [])
    (folder / f"{name}.ext").write_text("\n".join(lines))
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-CAcreateserial", "-days", 2,
            "-extfile", f"{name}.ext", "-out", f"{name}.pem")


@pytest.fixture
def keys(box):
    folder = box.folder
    certificate(folder, "ca")
    certificate(folder, "server", "ca", "serverAuth")
    certificate(folder, "client", "ca", "clientAuth")
    certificate(folder, "wrong-use", "ca", "serverAuth")
    certificate(folder, "stranger")
    return folder


def program(box, kind, web, text="global: {}\n"):
    """<kind> with <web> as its web.config.file, up when something listens."""
    if kind is Exporter:
        config = box.write("exporter.yml", "gauges: []\n")
        extra = []
    else:
        config = box.write("tocsin.yml", text)
        extra = ["--storage.path", box.folder / "data"]
    p = box.start(kind, config, ["--web.config.file", box.write("web.yml", web), *extra], wait=False)
    p.process.ready(lambda: curl(p, "-k")[0] != 7)
    return p


def curl(p, *args, path="/-/healthy", scheme="https"):
    """(exit code, HTTP status)"""
    done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "60", *map(str, args),
                           f"{scheme}://127.0.0.1:{p.port}{path}"], capture_output=True, text=True, timeout=120)
    return done.returncode, int(done.stdout)


def cpu_s(p):
    """What it has computed, whatever else the machine does."""
    fields = Path(f"/proc/{p.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def trusting(keys, *args):
    return ["--cacert", keys / "ca.pem", *args]


def showing(keys, name):
    return ["--cert", keys / f"{name}.pem", "--key", keys / f"{name}.key"]


TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
BOTH = pytest.mark.parametrize("kind", [Exporter, Alerter], ids=["exporter", "alerter"])


@BOTH
def test_serves_tls_to_who_trusts_the_authority(box, keys, kind):
    p = program(box, kind, TLS)
    assert curl(p, *trusting(keys)) == (0, 200)
    assert curl(p)[0] == 60                                     # an authority nobody knows
    assert curl(p, scheme="http")[1] != 200


def test_links_lead_to_where_it_serves(box, keys):
    """Without --web.external-url messages name https where TLS is spoken; a header of the web configuration stands instead of ours."""
    hook = Webhook()
    box.started.append(hook)
    p = program(box, Alerter, TLS + "http_server_config:\n  headers: { X-Frame-Options: SAMEORIGIN }\n", json.dumps({
        "route": {"receiver": "a", "group_wait": "0s"}, "receivers": [{"name": "a", "webhook_configs": [{"url": hook.url}]}]}))

    def ask(path, *args):
        return subprocess.run(["curl", "-s", "-i", *map(str, trusting(keys)), *args, f"https://127.0.0.1:{p.port}{path}"], capture_output=True,
                              text=True, timeout=120).stdout
    assert re.findall(r"(?i)x-frame-options: (\w+)", ask("/")) == ["SAMEORIGIN"]
    ask("/api/v2/alerts", "-H", "Content-Type: application/json", "-d", json.dumps([{"labels": {"alertname": "a"}}]))
    body = hook.wait_for(lambda h: h.accepted)[0]["body"]
    assert body["externalURL"].startswith("https://") and body["ackURL"].startswith(body["externalURL"])


@pytest.mark.parametrize("limits, spoken", [
    ("", {"1.2", "1.3"}),
    ("  min_version: TLS13\n", {"1.3"}),
    ("  max_version: TLS12\n", {"1.2"}),
    ("  min_version: TLS10\n", {"1.2", "1.3"}),
], ids=["default", "min 1.3", "max 1.2", "min 1.0"])
def test_speaks_the_versions_it_was_told(box, keys, limits, spoken):
    p = program(box, Exporter, TLS + limits)
    for version in ("1.0", "1.1", "1.2", "1.3"):
        # OpenSSL's own least version must not answer for ours.
        code, status = curl(p, *trusting(keys, f"--tlsv{version}", "--tls-max", version, "--ciphers", "DEFAULT@SECLEVEL=0"))
        if version in spoken:
            assert (code, status) == (0, 200), version
        else:
            assert code in CURL_CERT_OR_TLS and status == 0, version


ACCEPTED = {                    # by mode: which of no certificate, one of ours, one for another use, one of a stranger's come in
    "NoClientCert": (200, 200, 200, 200),
    "RequestClientCert": (200, 200, 200, 200),
    "RequireAnyClientCert": (403, 200, 200, 200),
    "VerifyClientCertIfGiven": (200, 200, 403, 403),
    "RequireAndVerifyClientCert": (403, 200, 403, 403),
}


@BOTH
@pytest.mark.parametrize("mode", ACCEPTED)
def test_client_certificates(box, keys, kind, mode):
    authority = "  client_ca_file: ca.pem\n" if "Verify" in mode else ""
    p = program(box, kind, TLS + authority + f"  client_auth_type: {mode}\n")
    got = [curl(p, *trusting(keys))[1]] + [curl(p, *trusting(keys, *showing(keys, name)))[1] for name in ("client", "wrong-use", "stranger")]
    assert tuple(got) == ACCEPTED[mode]


@BOTH
def test_users_by_bcrypt(box, kind):
    hashes = {name: crypt.crypt(f"{name}'s word", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=1 << 12)) for name in ("ann", "bob")}
    p = program(box, kind, "basic_auth_users:\n" + "".join(f"  {name}: {json.dumps(h)}\n" for name, h in hashes.items()))

    def login(user, password):
        """(status, seconds of processor time)"""
        before = cpu_s(p)
        status = curl(p, "-u", f"{user}:{password}", scheme="http")[1]
        return status, cpu_s(p) - before

    assert curl(p, scheme="http")[1] == 401
    status, first = login("ann", "ann's word")
    assert status == 200
    assert first > 0.05, "no bcrypt was computed"
    status, again = login("ann", "ann's word")
    assert status == 200 and again < first / 2, "who was let in once is remembered"
    costs = {}
    for user, password in (("ann", "wrong"), ("bob", "ann's word"), ("nobody", "ann's word"), ("ann", "")):
        status, costs[user, password] = login(user, password)
        assert status == 401
        status, repeated = login(user, password)
        assert status == 401 and repeated < first / 2, "who was refused once is remembered"
    for seconds in costs.values():
        assert first / 4 < seconds < first * 4, f"the time tells who exists: {first} s for a right password, {costs}"
    assert login("ann", "ann's word")[0] == 200
    assert "word" not in p.process.text() and "$2b$" not in p.process.text()


@pytest.mark.parametrize("web, says", [
    (TLS + "  max_version: TLS11\n", "web.yml:4:16: TLS 1.2 is the least that is spoken: write TLS12 or TLS13"),
    (TLS + "  min_version: TLS13\n  max_version: TLS12\n", "web.yml:4:16: min_version is above max_version: no version is left"),
    (TLS + "  min_version: SSL3\n", "web.yml:4:16: "),
    (TLS + "  client_auth_type: RequireAndVerifyClientCert\n", "client certificates cannot be verified: give client_ca_file"),
    ("tls_server_config:\n  cert_file: server.pem\n", "cert_file and key_file belong together: give both"),
    ("basic_auth_users:\n  ann: secret\n", "this user has no bcrypt hash"),
    ("tls_server_config:\n  cert_file: gone.pem\n  key_file: server.key\n", "gone.pem"),
])
@BOTH
def test_what_cannot_be_is_refused(box, keys, kind, web, says):
    config = box.write("c.yml", "gauges: []\n" if kind is Exporter else "global: {}\n")
    done = subprocess.run([binary(kind.name), "--config.file", config, "--web.config.file", box.write("web.yml", web), "--web.listen-address", "127.0.0.1:0"],
                          cwd=box.folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert says in done.stderr
    assert "secret" not in done.stderr


def shown_certificate(p):
    """The serial number of the certificate that a new connection gets."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{p.port}"], input="", capture_output=True, text=True, timeout=120)
    return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=done.stdout, capture_output=True, text=True).stdout.strip()


def reload(p, *args):
    done = subprocess.run(["curl", "-sk", "-X", "POST", "-w", " %{http_code}", *args, f"https://127.0.0.1:{p.port}/-/reload"], capture_output=True, text=True)
    return done.stdout


@BOTH
def test_a_certificate_is_replaced(box, keys, kind):
    """A reload serves the new one, changes users and who may come in; what is bad changes nothing and is said."""
    p = program(box, kind, TLS)
    first = shown_certificate(p)
    kept = http.client.HTTPSConnection("127.0.0.1", p.port, context=ssl._create_unverified_context())

    def on_the_old_connection():
        kept.request("GET", "/-/healthy")
        answer = kept.getresponse()
        answer.read()
        return answer.status

    assert on_the_old_connection() == 200
    certificate(keys, "server", "ca", "serverAuth")
    assert reload(p).endswith(" 200")
    second = shown_certificate(p)
    assert first != second and curl(p, *trusting(keys)) == (0, 200)
    assert on_the_old_connection() == 200, "what is open goes on"
    (keys / "server.pem").write_text((keys / "stranger.pem").read_text())       # not that key's
    assert reload(p).endswith(" 500") and "certificate and key are not accepted" in p.process.text()
    assert shown_certificate(p) == second
    box.write("web.yml", "basic_auth_users: {}\n")
    assert reload(p).endswith(" 500") and "that needs a restart" in p.process.text()
    certificate(keys, "server", "ca", "serverAuth")
    hashed = crypt.crypt("word", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=1 << 4))
    box.write("web.yml", TLS + f"  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\nbasic_auth_users: {{ ann: '{hashed}' }}\n")
    p.process.p.send_signal(signal.SIGHUP)
    wait_for("the users", lambda: curl(p, *trusting(keys, *showing(keys, "client")))[1] == 401)
    assert curl(p, *trusting(keys, "-u", "ann:word"))[1] == 403
    assert curl(p, *trusting(keys, "-u", "ann:word", *showing(keys, "client")))[1] == 200
    assert on_the_old_connection() == 403, "but under the new terms"
    kept.close()


def test_a_certificate_is_followed(box, keys):
    """Without a reload, as Prometheus's programs do; half of a pair changes nothing, and says so once."""
    p = program(box, Exporter, TLS)
    first = shown_certificate(p)
    (keys / "server.pem").rename(keys / "old.pem")
    (keys / "old.pem").rename(keys / "server.pem")
    certificate(keys, "next", "ca", "serverAuth")
    (keys / "next.pem").rename(keys / "server.pem")
    wait_for("it is noticed", lambda: "certificate and key are not accepted" in p.process.text())
    assert shown_certificate(p) == first
    (keys / "next.key").rename(keys / "server.key")
    wait_for("the new one is served", lambda: shown_certificate(p) != first)
    assert curl(p, *trusting(keys)) == (0, 200)
    assert p.process.text().count("is not loaded") == 1


@BOTH
def test_what_is_not_honoured_is_said(box, keys, kind):
    web = TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  curve_preferences: [X25519]\n  min_version: TLS11\nhttp_server_config:\n  http2: true\n"
    p = program(box, kind, web)
    for text in ("cipher_suites is not honoured", "curve_preferences is not honoured", "http2 is not honoured", "TLS12 is used"):
        assert text in p.process.text(), text
