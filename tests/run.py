"""What `make test` runs once its packages are there: builds, unit tests, conformance, fuzz corpora, end-to-end tests.

Each step adds to one count; the last line is "N passed, N failed". A step that cannot run says why and counts as failed; data that is
absent beside the project (../shared) is said loudly and counted as skipped. With arguments, only the steps named.
"""
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
JOBS = os.cpu_count() or 2
START = time.monotonic()
passed, failed, skipped, failures = 0, 0, 0, []


def say(text):
    print(f"[{time.monotonic() - START:5.0f} s] {text}", flush=True)


def count(ok, bad, what=""):
    global passed, failed
    passed += ok
    failed += bad
    if bad:
        failures.append(what)


def run(args, seconds=900, **kw):
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1", **kw.pop("env", {})}
    try:
        return subprocess.run([str(a) for a in args], cwd=ROOT, env=env, text=True, errors="replace", capture_output=True, timeout=seconds, **kw)
    except subprocess.TimeoutExpired as e:
        text = (e.stdout or b"").decode(errors="replace") if isinstance(e.stdout, bytes) else e.stdout or ""
        return subprocess.CompletedProcess(args, 124, text, f"not done within {seconds} s")


def show(done, lines=60):
    text = (done.stdout + "\n" + done.stderr).strip().splitlines()
    print("\n".join(text[-lines:]), flush=True)


def build():
    """gcc with sanitizers for the tests, clang for the fuzzers (and for its warnings), threads under TSan, and what people run."""
    threads = [f"build/tsan/unit/{p.stem}" for p in (ROOT / "tests/unit").glob("test_*_threads.c")]
    for what, args in [
        ("gcc, release", ["all"]),
        ("gcc, ASan and UBSan", ["MODE=asan", "programs", "unit"]),
        ("gcc, TSan", ["MODE=tsan", *threads] if threads else None),
        ("clang, fuzzers", ["MODE=fuzz", "fuzz-build", "build/fuzz/exporter/main.o", "build/fuzz/alerter/main.o"]),
    ]:
        if args is None:
            continue
        say(f"build: {what}")
        done = run(["make", "-s", f"-j{JOBS}", *args], 2400)
        if done.returncode != 0:
            show(done)
            count(0, 1, f"build: {what}")
            finish()
        count(1, 0)


def cmocka(binary):
    done = run([binary], 300)
    text = done.stdout + done.stderr
    ok = sum(map(int, re.findall(r"^\[  PASSED  \] (\d+) test", text, re.M)))
    bad = sum(map(int, re.findall(r"^\[  FAILED  \] (?:tests: )?(\d+) test", text, re.M)))
    if done.returncode != 0 or ok + bad == 0:
        bad = max(bad, 1)
        show(done)
    count(ok, bad, binary.name)
    return ok, bad


def unit():
    before = passed
    binaries = sorted((ROOT / "build/asan/unit").glob("test_*")) + sorted((ROOT / "build/tsan/unit").glob("test_*"))
    sources = {p.stem for p in (ROOT / "tests/unit").glob("test_*.c")}
    for b in binaries:
        if b.suffix == "" and b.name in sources:
            cmocka(b)
    say(f"unit: {passed - before} passed")


def layers():
    done = run(["/usr/bin/python3", "tests/layers.py"])
    if done.returncode:
        show(done)
    count(done.returncode == 0, done.returncode != 0, "layers: who may include whom")


def conformance():
    global skipped
    scripts = sorted((SHARED / "promql").glob("*.test")) + sorted((ROOT / "tests/conformance").glob("*.test"))
    if not (SHARED / "promql").is_dir():
        print("!!! ../shared/promql is absent: Prometheus's own PromQL scripts were NOT run", flush=True)
        skipped += 1
    for script in scripts:
        done = run(["build/asan/promqltest", script], 600)
        last = re.search(r"(\d+) passed, (\d+) failed\s*$", done.stdout)
        if not last or (done.returncode != 0) != (int(last[2]) > 0):
            show(done)
            count(0, 1, script.name)
            continue
        if int(last[2]):
            show(done, 12)
        count(int(last[1]), int(last[2]), script.name)
        say(f"conformance: {script.name}: {last[0].strip()}")
    beside_prometheus()


def beside_prometheus():
    done = run(["/usr/bin/python3", "tests/conformance/run.py", "--queries", "1000"], 300)
    last = re.search(r"(\d+) passed, (\d+) failed\s*$", done.stdout)
    if not last or done.returncode:
        show(done, 45)
    count(int(last[1]) if last else 0, int(last[2]) if last else 1, "conformance: beside Prometheus")
    say(f"conformance: beside Prometheus: {last[0].strip() if last else 'did not run'}")


def fuzz():
    for binary in sorted((ROOT / "build/fuzz/fuzz").glob("fuzz_*")):
        if binary.suffix:
            continue
        corpus = ROOT / "tests/fuzz/corpus" / binary.name.removeprefix("fuzz_")
        files = sorted(p for p in corpus.glob("*") if p.is_file())
        if not files:           # without files it would fuzz for ever
            print(f"{corpus} holds no files")
            count(0, 1, binary.name)
            continue
        done = run([binary, "-rss_limit_mb=4096", "-timeout=20", *files], 300)
        bad = done.returncode != 0
        if bad:
            show(done)
        count(0 if bad else len(files), int(bad), binary.name)
    say("fuzz corpora replayed")


def e2e():
    """Several files at once: they wait for servers and ticks more than they compute."""
    say("end to end, against real servers")
    done = subprocess.run(["/usr/bin/python3", "-m", "pytest", "-q", "-x" if os.environ.get("FAIL_FAST") else "-q", "-p", "no:cacheprovider", "-rs",
                           "-n", str(JOBS + 1), "--dist", "loadfile",
                           "--durations=5", "tests/e2e"], cwd=ROOT, text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, "TOCSIN_MODE": "asan", "PYTHONDONTWRITEBYTECODE": "1"})
    print(done.stdout, flush=True)
    numbers = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error|errors|skipped)", done.stdout.strip().splitlines()[-1])}
    bad = numbers.get("failed", 0) + numbers.get("error", 0) + numbers.get("errors", 0)
    if done.returncode not in (0, 1) or (done.returncode == 1 and not bad):
        bad += 1
    count(numbers.get("passed", 0), bad, "end to end")
    global skipped
    skipped += numbers.get("skipped", 0)


def finish():
    if failures:
        print("failed: " + ", ".join(failures))
    if skipped:
        print(f"{skipped} skipped, for the reasons above")
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed or not passed else 0)


STEPS = [build, unit, layers, conformance, fuzz, e2e]

if __name__ == "__main__":
    for step in STEPS:
        if len(sys.argv) == 1 or step.__name__ in sys.argv[1:]:
            step()
    finish()
