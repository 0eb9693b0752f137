"""Building brian2's CUBA network for a card: brian2cuda's makefile against ``gpurun.build()``.

Each build runs in a fresh process. A cold one begins with nothing, a warm one with what the
first has left; brian2cuda's warm build is its makefile, which compares times of files. Both
compile for the same card with the same flags. The measure is processor time, user and system,
of the build call and of everything it starts: it hardly depends on the number of cores, or on
what else they do.

The goal is a fifth of brian2cuda's time.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import cuba
from benchmarks.cuda_build_once import ARCHITECTURE
from gpurun.bench.cases import Recording
from gpurun.errors import ToolchainError
from gpurun.toolchain_nvcc import find_nvcc

TITLE = "Building for a card"
ROOT = Path(__file__).resolve().parents[1]
ENGINES = {"brian2cuda": "brian2cuda device.build", "gpurun": "gpurun.build"}
STATES = ("cold", "warm")
MEASURE = "processor time"


def measure(recording: Recording) -> None:
    """Build in turns, the engine that begins changing from round to round."""
    compiler = find_nvcc()
    if "emulated" in compiler.toolkit.identity:
        raise ToolchainError(
            "Compile times need NVIDIA's nvcc; CUDA_PATH names the emulated one.",
            missing="CUDA toolkit",
            fix="",
        )
    rounds = 1 if recording.quick else 3
    recording.parameters.update(
        neurons=cuba.NEURONS,
        architecture=ARCHITECTURE,
        nvcc=compiler.toolkit.version,
        rounds=rounds,
    )
    found: dict[tuple[str, str], dict[str, list[float]]] = {}
    for number in range(rounds):
        names = list(ENGINES)
        for engine in names if number % 2 == 0 else reversed(names):
            with tempfile.TemporaryDirectory(prefix="gpurun-bench-") as folder:
                for state in STATES:
                    recording.say(f"round {number + 1} of {rounds}: {engine}, {state}")
                    for measured, value in _once(engine, Path(folder)).items():
                        series = found.setdefault((state, engine), {})
                        series.setdefault(measured, []).append(value)
    for state in STATES:
        for engine, name in ENGINES.items():
            for measured, values in found[state, engine].items():
                recording.add(state, name, measured, values)
        if rounds > 1:
            first, second = (found[state, engine][MEASURE] for engine in ENGINES)
            recording.compare(f"{state}, {MEASURE}: {' / '.join(ENGINES.values())}", first, second)


def _once(engine: str, directory: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.cuda_build_once", engine, str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])
