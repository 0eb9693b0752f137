"""The examples of docs/training.md run, one after the other, and say what they promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training.md"


def test_the_page_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 16
    script = tmp_path / "training.py"
    script.write_text("\n".join(blocks), "utf-8")
    done = subprocess.run(
        [sys.executable, script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = iter(done.stdout.splitlines())
    for number in (100, 200, 300):
        found = re.fullmatch(rf"{number}: a \d, (\d+) spikes", next(lines))
        assert found and int(found[1]) > 0
    counts = [int(next(lines).split()[-2]) for _ in range(3)]
    assert counts == sorted(counts) and counts[-1] > 20
    assert re.fullmatch(r"[1-9]\d* shown again, \d+ were too weak to the end", next(lines))
    for number in (150, 300):
        found = re.fullmatch(rf"after {number}: (\d+)% of 100 new images recognised", next(lines))
        assert found and int(found[1]) > 20, found  # chance is 10
    assert next(lines).startswith("stimulus 300 of 300 (100%), ")
    assert next(lines).startswith("waited 0.")
    assert list(lines) == ["going on after 200"]
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".h5"] == ["train.h5"]
