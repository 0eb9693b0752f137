"""An example on an emulated card prints what it prints on the CPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .isolated import card_environment

ROOT = Path(__file__).parents[2]


def printed(example: str, folder: Path, device: str) -> str:
    """What the command ``gpurun`` prints for it."""
    # Without fast-math, so that it may be compared
    flags = "codegen.cpp.extra_compile_args_gcc = ['-w', '-O1', '-ffp-contract=off']\n"
    (folder / "brian_preferences").write_text(flags)
    done = subprocess.run(
        [sys.executable, "-m", "gpurun", ROOT / "examples" / f"{example}.py", "--device", device],
        cwd=folder,
        env=card_environment("order=reverse leaks=fatal"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "runs, " in done.stderr
    return done.stdout


def test_an_example_without_noise_prints_the_same(tmp_path: Path) -> None:
    """A TimedArray, which has no name of its own, with other values in each run."""
    on_cpu = printed("timed_array_per_run", tmp_path, "cpu")
    assert len(on_cpu.splitlines()) > 5
    assert printed("timed_array_per_run", tmp_path, "cuda") == on_cpu


def test_an_example_with_noise_has_the_same_network(tmp_path: Path) -> None:
    """Set-up draws the CPU's numbers; the time loop's differ, but repeat from run to run."""
    on_cpu = printed("weights_between_runs", tmp_path, "cpu").splitlines()
    on_card = printed("weights_between_runs", tmp_path, "cuda").splitlines()
    assert on_card[:2] == on_cpu[:2]
    counts = {line[:8].strip(): line[8:] for line in on_card[2:]}
    assert counts["as drawn"] == counts["drawn"]
    assert int(counts["halved"].split()[0]) < int(counts["drawn"].split()[0])
    assert int(counts["drawn"].split()[0]) < int(counts["doubled"].split()[0])
