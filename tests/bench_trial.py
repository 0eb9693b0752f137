"""A benchmark's case in its quick form, run as its readers run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gpurun.bench import report, schema

ROOT = Path(__file__).parents[1]


def trial(case: str, output: Path) -> schema.Report:
    """The report of ``python -m gpurun.bench CASE --quick``, whose every check has passed."""
    done = subprocess.run(
        [sys.executable, "-m", "gpurun.bench", case, "--quick", "--output", str(output)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = output.glob("*.json")
    found = report.read(path)
    assert found.quick
    assert all(check.passed for check in found.checks), found.checks
    return found
