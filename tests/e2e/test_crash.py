"""`make crash`, a short run of it: see tests/crash/run.py."""
import os
import re
import subprocess

from servers import PYTHON, ROOT


def test_ten_kills():
    """F13, F14, F16: killed ten times, half of them with all that was not synced: nothing lost, repeated, unended or doubled; the seed is told."""
    done = subprocess.run([PYTHON, ROOT / "tests/crash/run.py"], env={**os.environ, "TOCSIN_MODE": "release", "N": "10", "SEED": "", "TARGET": "", "LIES": ""},
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    assert done.returncode == 0 and "kills 10: lost 0, repeated 0, ends missing 0, incidents doubled 0" in done.stdout, done.stdout
    assert int(re.search(r"(\d+) told", done.stdout)[1]) > 10, done.stdout
