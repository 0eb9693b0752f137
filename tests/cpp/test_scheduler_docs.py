"""The examples of docs/scheduler.md run, one after the other, and say what they promise."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scheduler.md"


def test_the_page_runs(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    script = tmp_path / "scheduler.py"
    script.write_text("\n".join(blocks), "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"40 answers on \d session\(s\)", lines[0])
    assert lines[1:] == ["True", "18 and 6 runs; (3, 2)", "(2,)", "[3]", "40 in the log"]
