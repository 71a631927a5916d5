"""docs/: what is generated is up to date (`python3 tests/e2e/test_docs.py` writes it anew), and every example is accepted."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from servers import ROOT, Alerter, Exporter, binary  # noqa: E402

DOCS = ROOT / "docs"
BLOCK = re.compile(r"(<!-- generated: (.+?) -->\n).*?(<!-- end -->)", re.S)
PAGES = sorted(DOCS.glob("*.md"))

FILES = {"shop.url": "postgresql://monitor@db/shop\n", "rules.yml": "groups: []\n", "prometheus.yml": "scrape_configs: []\n",
         "queries.yaml": "shop: {query: select 1 as one, metrics: [{one: {usage: GAUGE, description: One}}]}\n",
         "watchdog.url": "https://example.com/ping\n", "backup.token": "open-sesame\n",
         "alertmanager.yml": "{route: {receiver: a}, receivers: [{name: a}]}\n"}


def help_text(program):
    return "```text\n" + subprocess.run([binary(program), "--help"], capture_output=True, text=True, check=True).stdout + "```\n"


def self_metrics(program):
    """What the program says of itself, as a table."""
    with tempfile.TemporaryDirectory(prefix="tocsin-docs-") as folder:
        kind = {"tocsin-exporter": Exporter, "tocsin-alerter": Alerter}[program]
        config = Path(folder) / "c.yml"
        config.write_text("gauges:\n  - {name: x, url: 'http://127.0.0.1:1', queries: [{path: '', metrics: [{name: x, help: x}]}]}\n"
                          "modules: [{name: x, allow: [x], redis: {url: 'redis://{target}'}}]\n" if kind is Exporter else
                          "scrape_configs: [{job_name: x, static_configs: [{targets: ['127.0.0.1:1']}]}]\n"
                          "route: {receiver: x}\nreceivers: [{name: x, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\n"
                          "alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:1']}]}]}\n"
                          "heartbeats: {expect: [{name: x, token: 12345678, every: 1h}]}\n")
        p = kind(folder, config, [] if kind is Exporter else ["--storage.path", f"{folder}/data"])
        try:
            text = p.get("/metrics")[2]
        finally:
            p.stop()
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)", text, re.M))
    rows = [f"| `{name}` | {types[name]} | {said} |" for name, said in sorted(re.findall(r"^# HELP (\S+) (.+)", text, re.M))
            if not name.startswith(("process_", "go_"))]
    return "| Metric | Type | What it says |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def generate(what):
    program, kind = what.split(" ")
    return help_text(program) if kind == "--help" else self_metrics(program)


def renewed(text):
    return BLOCK.sub(lambda m: m[1] + generate(m[2]) + m[3], text)


def test_generated_parts_are_up_to_date():
    for page in PAGES:
        text = page.read_text()
        assert renewed(text) == text, f"docs/{page.name} is out of date: run python3 tests/e2e/test_docs.py"


def test_every_example_is_accepted(tmp_path):
    """An example's first line says what it is: "# exporter.yml", "# tocsin.yml", "# rules.yml" … (where it does not, it is
    told by the page and the block). Files in /etc/tocsin are there."""
    checks = {"exporter": ["tocsin-exporter", "--check-config", "--config.file"], "rules": ["tocsin-alerter", "check", "rules"],
              "tocsin": ["tocsin-alerter", "check", "config"], "prometheus": None}
    tried = 0
    for page in PAGES:
        for i, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", page.read_text(), re.S | re.M)):
            named = re.match(r"# (\w+)\.yml", block)
            kind = named[1] if named else "rules" if block.startswith("- alert:") else "exporter" if page.name.startswith("exporter") else None
            assert kind in checks, f"docs/{page.name}: an example without a name: {block.splitlines()[0]}"
            if checks[kind] is None:
                continue
            for name in re.findall(r"/etc/tocsin/([\w.-]+)", block):
                (tmp_path / name).write_text(FILES.get(name, "x\n"))
            path = tmp_path / f"{page.stem}-{i}.yml"
            path.write_text(block.replace("/etc/tocsin", str(tmp_path)))
            program, *args = checks[kind]
            done = subprocess.run([binary(program), *args, path], capture_output=True, text=True, env={"SHOP_PASSWORD": "x", "API_TOKEN": "x"})
            assert done.returncode == 0, f"docs/{page.name}:\n{block}\n{done.stderr}"
            tried += 1
    assert tried >= 8


def test_links_lead_somewhere():
    for page in [*PAGES, ROOT / "README.md"]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(renewed(page.read_text()))
