"""F12, O4, C5: backups made, not empty, kept; an empty folder and a missing one told apart."""
import os
import time

from exporter_text import scrape
from servers import Exporter, wait_for


def test_backups(box):
    now = time.time()
    for days in range(3):
        path = box.write(f"backups/daily/{days}.sql.gz", "x" * (100 + days))
        os.utime(path, (now - days * 86400, now - days * 86400))
    (box.folder / "empty").mkdir()
    exporter = box.start(Exporter, box.write("e.yml", f"""
files:
  - name: backups
    sets:
      - {{ name: daily, glob: {box.folder}/backups/daily/*.sql.gz }}
      - {{ name: all, glob: backups/** }}
      - {{ name: redis, glob: {box.folder}/empty/*.rdb }}
      - {{ name: unmounted, glob: {box.folder}/nowhere/*.rdb }}
  - name: small
    max_entries: 2
    sets: [{{ name: daily, glob: backups/daily/* }}]
"""))
    m = scrape(exporter)
    assert m.value("tocsin_files_up", source="backups") == 1
    for files in ("daily", "all"):
        assert m.value("tocsin_files_count", set=files, source="backups") == 3
        assert m.value("tocsin_files_size_bytes", set=files, source="backups") == 303
    assert m.value("tocsin_files_newest_size_bytes", set="daily") == 100
    assert 0 <= m.value("tocsin_files_newest_age_seconds", set="daily") < 60
    assert 2 * 86400 <= m.value("tocsin_files_oldest_age_seconds", set="daily") < 2 * 86400 + 60
    assert m.value("tocsin_files_count", set="redis") == 0 and m.value("tocsin_files_folder_exists", set="redis") == 1
    assert m.value("tocsin_files_count", set="unmounted") == 0 and m.value("tocsin_files_folder_exists", set="unmounted") == 0
    assert m.value("tocsin_files_newest_age_seconds", set="redis") is None
    assert m.value("tocsin_files_collector_success", source="small") == 0 and not m.find("tocsin_files_count", source="small")
    wait_for("the bound is named", lambda: "more than 2 directory entries (max_entries)" in exporter.process.text())
    box.write("backups/daily/new.sql.gz", "")
    m = scrape(exporter)
    assert m.value("tocsin_files_count", set="daily", source="backups") == 4
    assert m.value("tocsin_files_newest_size_bytes", set="daily") == 0 and m.value("tocsin_files_empty_count", set="daily") == 1
