"""The programs of the documentation run and print what its text promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SNIPPETS = Path(__file__).resolve().parents[2] / "docs" / "snippets"


def run(*arguments: str | Path, cwd: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_session(tmp_path: Path) -> None:
    lines = run(SNIPPETS / "session.py", cwd=tmp_path)
    assert len(lines) == 5
    assert len({line.partition("]")[0] for line in lines}) == 5  # the counts differ


def test_drop_in(tmp_path: Path) -> None:
    lines = run("-m", "gpurun", "--device", "cpu", SNIPPETS / "dropin.py", cwd=tmp_path)
    # 100 neurons; v reaches 1 after ln(11) and ln(2) time constants of 10 ms.
    assert lines == ["0.9 0", "1.1 400", "2.0 1400"]
