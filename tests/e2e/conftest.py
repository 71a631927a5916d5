"""Every test gets a temporary folder (`box`) whose servers are stopped behind it, and whose logs are shown only when it failed."""
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


class Box:
    """A temporary folder, and what was started in it: box.start(Redis) stops by itself."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-"))
        self.started = []

    def start(self, kind, *args, **kw):
        thing = kind(self.folder, *args, **kw)
        self.started.append(thing)
        return thing

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def logs(self):
        return "".join(f"---- {p.name}\n{p.read_text(errors='replace')[-6000:]}\n" for p in sorted(self.folder.rglob("*.log"))
                       if p.parent.name != "journal")

    def close(self):
        for thing in reversed(self.started):
            thing.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    setattr(item, f"report_{call.when}", outcome.get_result())


@pytest.fixture
def box(request):
    b = Box()
    yield b
    report = getattr(request.node, "report_call", None)
    if report is None or report.failed:
        sys.stderr.write(b.logs())
    b.close()
