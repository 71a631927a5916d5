"""Odd values for every setting of a configuration, and who takes them: we, or the peer whose format it is.

A case is a name and a text of YAML. One call of each program judges all of them, so a thousand cases take seconds. Where the two differ, a
table says so and why: setting, who takes the value, the values (two regular expressions, of the whole), the reason. A row nothing needs is a
mistake too."""
import re
import subprocess

from servers import binary

ODD = ("null", "~", "''", "x", "'a b'", "true", "yes", "'yes'", "y", "On", "tRue", "0", "1", "-1", "'1'", "1.5", "1.0", "1e3", "1_000", "0x10", "0b11", "010", "+5",
       "99999999999999999999", "9223372036854775808", ".inf", ".nan", "5m", "0s", "-5m", "1h30m", "30m1h", "1.5h", "5 m", "10MB", "1.5GB", "10mb", "-1B",
       "http://x", "HTTP://x", "'http://'", "'http://u:p@x:80/y?z=1#f'", "ftp://x", "socks5://x:1", "x:80", "/x", "'http://x y'", "'http://%zz'", "'http://x:port'", "'$1'", "'$1-x'",
       "'a-b'", "'é'", "'('", "TLS12", "2026-01-01", "[]", "[null]", "[x]", "['']", "[1]", "[true]", "[[x]]", "[{}]", "{}", "{a: b}", "{a: null}", "{a: 1}",
       "{a: [b]}", "{a: [null]}", "{a: {b: c}}", "{'': b}", "{'a-b': c}", "[{a: b}]", "!!str 1", "!!int '1'", "!!bool 'true'")


def cases(settings):
    """<settings>: name -> a text with the value's place as @. Returns name = value -> text."""
    return {f"{name} = {value}": text.replace("@", value) for name, text in settings.items() for value in ODD}


def judge(box, texts, peer, vague):
    """name -> whether we take it, whether the peer does. <peer>: "promtool" or "amtool". What we refuse is refused with file, line, column and what
    would be right, but for names that <vague> fits."""
    names = {f"{i}.yml": name for i, name in enumerate(texts)}
    for file, name in names.items():
        box.write(f"odd/{file}", texts[name])
    commands = ([binary("tocsin-alerter"), "check", "config"], ["promtool", "check", "config", "--syntax-only"] if peer == "promtool" else ["amtool", "check-config"])
    done = [subprocess.run([*command, *names], capture_output=True, text=True, cwd=box.folder / "odd", timeout=300) for command in commands]
    ours, theirs = (d.stdout for d in done)
    taken = set(re.findall(r"^(\d+\.yml): good", ours, re.M))
    checked = re.findall(r"^(\d+\.yml): (?:good|\d+ error)", ours, re.M)
    if peer == "promtool":
        peer_taken, peer_checked = set(re.findall(r"^ SUCCESS: (\d+\.yml) is valid", theirs, re.M)), re.findall(r"^Checking (\d+\.yml)$", theirs, re.M)
    else:
        said = re.findall(r"^Checking '(\d+\.yml)'\s+(SUCCESS|FAILED)", theirs, re.M)
        peer_taken, peer_checked = {file for file, word in said if word == "SUCCESS"}, [file for file, _ in said]
    assert len(checked) == len(peer_checked) == len(names), f"of {len(names)} files we checked {len(checked)}, {peer} {len(peer_checked)}"
    pointed = set(re.findall(r"^(\d+\.yml):\d+:\d+: .*: ", ours + done[0].stderr, re.M))
    unclear = {name for file, name in names.items() if file not in taken | pointed and not re.fullmatch(vague, name)}
    assert not unclear, f"an error names file, line and column, and what would be right: {unclear}"
    return {name: (file in taken, file in peer_taken) for file, name in names.items()}


def unexplained(judged, table):
    """Differences that no row of <table>, a path, explains; and rows that explain none."""
    rows = [line.split("\t") for line in table.read_text().splitlines() if line and not line.startswith("#")]
    used, left = set(), []
    for name, (ours, theirs) in judged.items():
        if ours == theirs:
            continue
        setting, value = name.split(" = ", 1)
        who = "we" if ours else "peer"
        fits = [i for i, (settings, takes, values, _) in enumerate(rows) if takes == who and re.fullmatch(settings, setting) and re.fullmatch(values, value)]
        used.update(fits)
        if not fits:
            left.append(f"{name}: taken by {who} alone")
    return left + [f"explains nothing: {row}" for i, row in enumerate(rows) if i not in used]
