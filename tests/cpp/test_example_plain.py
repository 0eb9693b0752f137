"""examples/plain_figure.py: the same numbers from Brian2's runtime mode and from gpurun."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "examples" / "plain_figure.py"
#: NumPy's functions, so that nothing is compiled for the runtime mode, and no fast-math.
PREFERENCES = """
[codegen]
target = 'numpy'
[codegen.cpp]
extra_compile_args_gcc = ['-w', '-O1', '-ffp-contract=off']
"""


def output(folder: Path, *command: str) -> tuple[str, str]:
    folder.mkdir()
    (folder / "brian_preferences").write_text(PREFERENCES)
    done = subprocess.run(
        [sys.executable, *command, str(SCRIPT)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "rates.png").stat().st_size > 5000
    return done.stdout, done.stderr


def test_the_same_numbers(tmp_path: Path) -> None:
    ours, said = output(tmp_path / "gpurun", "-m", "gpurun")
    theirs, _ = output(tmp_path / "python")
    assert ours == theirs
    assert "8 runs" in said
    lines = ours.splitlines()
    assert len(lines) == 8
    rates = [float(re.findall(r"([\d.]+) Hz", line)[0]) for line in lines]
    # The loop is closed: the rate goes to its goal
    assert abs(rates[-1] - 15) < 1.5
    assert abs(rates[0] - 15) > 3
