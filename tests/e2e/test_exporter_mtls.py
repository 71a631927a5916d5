"""F7, F8, F9, O2: servers that want a certificate of whoever asks. With it a source is up, without it it is not, and the others are."""
import datetime
import os
import shutil
import ssl

from exporter_text import scrape
from servers import Exporter, Postgres, Redis, free_port, wait_for
from test_exporter_probe import Site, certificate


def test_client_certificates(box):
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    pem = certificate(box.folder, "good", now - datetime.timedelta(days=1), now + datetime.timedelta(days=20))
    cert, key, port = f"{box.folder}/good.crt", f"{box.folder}/good.key", free_port()
    box.folder.chmod(0o755)
    shutil.copy(key, box.folder / "server.key")
    (box.folder / "good.key").chmod(0o600)
    (box.folder / "server.key").chmod(0o600)
    if os.getuid() == 0:
        shutil.chown(box.folder / "server.key", "postgres")
    redis = box.start(Redis, [f"--tls-port {port}", f"--tls-cert-file {cert}", f"--tls-key-file {key}", f"--tls-ca-cert-file {cert}", "--tls-auth-clients yes"])
    postgres = box.start(Postgres, ["ssl=on", f"ssl_cert_file={cert}", f"ssl_key_file={box.folder}/server.key", f"ssl_ca_file={cert}"])
    hba = postgres.folder / "data/pg_hba.conf"
    hba.write_text("hostssl all monitor 127.0.0.1/32 trust clientcert=verify-ca\n" + hba.read_text())
    postgres.sql("create role monitor login; grant pg_monitor to monitor; select pg_reload_conf()")
    with Site(pem) as site:
        site.server.socket.context.verify_mode = ssl.CERT_REQUIRED
        site.server.socket.context.load_verify_locations(cert)
        pg, cache = f"{postgres.url(user='monitor')}?sslmode=verify-full&sslrootcert={cert}", f"rediss://127.0.0.1:{port}"
        shown, health = f"cert_file: {cert}, key_file: {key}", f"url: 'https://127.0.0.1:{site.port}/health', ca_file: {cert}"
        queries = "queries: [{ metrics: [{ name: version, help: x, value: /version, map: { '*': 1 } }] }]"
        exporter = box.start(Exporter, box.write("e.yml", f"""
postgres: [{{ name: pg-shown, url: '{pg}&sslcert={cert}&sslkey={key}' }}, {{ name: pg-none, url: '{pg}&sslcert=/none&sslkey=/none' }}]
redis: [{{ name: redis-shown, url: '{cache}', tls: {{ ca_file: {cert}, {shown} }} }}, {{ name: redis-none, url: '{cache}', tls: {{ ca_file: {cert} }} }}]
celery:
  - {{ name: celery-shown, url: '{cache}/1?ssl_ca_certs={cert}&ssl_certfile={cert}&ssl_keyfile={key}' }}
  - {{ name: celery-none, url: '{cache}/1?ssl_ca_certs={cert}' }}
gauges: [{{ name: json-shown, {health}, {shown}, {queries} }}, {{ name: json-none, {health}, {queries} }}]
"""))

        def up():
            m = scrape(exporter)
            return {had["source"]: v for f in ("pg_up", "redis_up", "celery_up", "tocsin_gauges_up") for had, v in m.find(f)}
        kinds = ("pg", "redis", "celery", "json")
        wait_for("who shows one is let in", lambda: up() == {f"{k}-shown": 1 for k in kinds} | {f"{k}-none": 0 for k in kinds}, 60)
