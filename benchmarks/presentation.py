"""One network, many stimuli: brian2's ``device.run(run_args=...)`` against gpurun.

gpurun presents them with ``session.run``, and with the unchanged ``device.run`` lines.

Parts of the report:

- **presented**: each presentation starts from the same state; only the input's rates
  differ, and the spike counts are read.
- **trained**: weights and thresholds go on from one presentation to the next.
- **built**: how long building takes, in fresh processes, from nothing and again.
- **kept**: resident memory over many presentations in one session.

"outside the time loop" is the wall time of the call, reading the results included, minus
the time that the engine itself measured for its time loop.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
from brian2.devices.device import reset_device

import gpurun
from benchmarks import diehl_cook
from benchmarks.diehl_cook import FULL, DiehlCook
from benchmarks.presenters import (
    CARRIED,
    DROP_IN,
    MOVED,
    OUTSIDE,
    SESSION,
    DeviceRuns,
    SessionRuns,
    check_same,
    moved_bytes,
)
from gpurun.bench import stats
from gpurun.bench.cases import Recording
from gpurun.bench.clocks import Stopwatch, resident_bytes
from gpurun.bench.contenders import interleave

TITLE = "One network, many stimuli"
ROOT = Path(__file__).resolve().parents[1]
BRIAN = "brian2 device.run"
COPY = "memory copy of the same bytes"
MEGABYTE = 2**20
IN_A_ROW = 10


class MemoryCopy:
    """What moving as many bytes costs at least."""

    name = COPY

    def __init__(self, size: int) -> None:
        self.source = np.ones(size, dtype=np.uint8)
        self.target = np.zeros(size, dtype=np.uint8)

    def present(self, number: int) -> Mapping[str, float]:
        """One copy."""
        with Stopwatch() as watch:
            np.copyto(self.target, self.source)
        return {MOVED: watch.seconds}


def measure(recording: Recording) -> None:
    """Run all parts; see the module's description."""
    rounds = 20 if recording.quick else 200
    diehl_cook.exact_arithmetic()
    recording.parameters.update(
        inputs=FULL.inputs,
        neurons=FULL.neurons,
        synapses=FULL.synapses,
        steps=FULL.steps,
        presentations=rounds,
    )
    with tempfile.TemporaryDirectory(prefix="gpurun-bench-") as folder:
        recording.say("building the network with brian2 and with gpurun")
        b2.set_device("cpp_standalone", build_on_run=False)
        brian_device: Any = b2.get_device()
        theirs = diehl_cook.create()
        brian_device.build(directory=str(Path(folder, "project")), run=False)
        b2.set_device("gpurun", build_on_run=False)
        our_device: Any = b2.get_device()
        ours = diehl_cook.create()
        model = gpurun.build()
        for group, carry in (("presented", False), ("trained", True)):
            recording.say(f"{group}: {rounds} presentations in turns")
            brian = DeviceRuns(BRIAN, theirs, brian_device, carry=carry)
            drop_in = DeviceRuns(DROP_IN, ours, our_device, carry=carry)
            _race(recording, group, [brian, drop_in], model, rounds)
        _memory(recording, ours, model, 150 if recording.quick else 1000)
        reset_device()
    _builds(recording, 1 if recording.quick else 5)


def _race(
    recording: Recording, group: str, devices: list[DeviceRuns], model: gpurun.Model, rounds: int
) -> None:
    """Let the devices, a session and a bare copy take turns; compare times and results."""
    brian, drop_in = devices
    carried = CARRIED if brian.carry else ()
    size = moved_bytes(model, carried)
    recording.parameters[f"bytes moved, {group}"] = size
    with model.session(device="cpu") as session:
        resident = SessionRuns(drop_in.model, session, carry=brian.carry)
        found = interleave([brian, drop_in, resident, MemoryCopy(size)], rounds, in_a_row=IN_A_ROW)
        for other in (drop_in, resident):
            check_same(recording, group, brian, other)
    recording.add_all(group, found)
    for name in (SESSION, DROP_IN):
        for measured in (OUTSIDE, "wall"):
            recording.compare(
                f"{group}, {measured}: {BRIAN} / {name}",
                found[BRIAN][measured],
                found[name][measured],
            )
    recording.compare(
        f"{group}, {OUTSIDE}, first of a turn: {BRIAN} / {SESSION}",
        found[BRIAN][OUTSIDE][::IN_A_ROW],
        found[SESSION][OUTSIDE][::IN_A_ROW],
    )
    recording.compare(
        f"{group}, {MOVED}: {SESSION} / {COPY}",
        found[SESSION][MOVED],
        found[COPY][MOVED],
    )


def _memory(recording: Recording, ours: DiehlCook, model: gpurun.Model, runs: int) -> None:
    """Present many stimuli in one session and see whether memory grows."""
    if resident_bytes() is None:
        recording.say("memory: this system does not say how much is resident")
        return
    recording.say(f"memory over {runs} presentations")
    settle = runs // 10
    used: list[float] = []
    with model.session(device="cpu") as session:
        resident = SessionRuns(ours, session, carry=True)
        for number in range(settle + runs):
            resident.present(number % 200)
            resident.counts.clear()
            if number >= settle:
                used.append(float(resident_bytes() or 0))
    recording.add("kept", SESSION, "resident memory", used, "B")
    found = stats.trend(used)
    per_thousand = 1000 * found.slope.value
    allowed = max(MEGABYTE, 0.005 * found.level)
    flat = max(1000 * found.slope.high, found.growth * 1000 / runs) <= allowed
    recording.check(
        f"kept: memory is flat over {runs} runs (growth per 1,000 runs of at most "
        f"{allowed / MEGABYTE:.1f} MiB)",
        flat,
        f"{per_thousand / MEGABYTE:.3f} MiB per 1,000 runs "
        f"[{1000 * found.slope.low / MEGABYTE:.3f}, {1000 * found.slope.high / MEGABYTE:.3f}], "
        f"last tenth minus first tenth {found.growth / MEGABYTE:.3f} MiB, "
        f"level {found.level / MEGABYTE:.0f} MiB",
    )


def _builds(recording: Recording, rounds: int) -> None:
    """Build in fresh processes: with empty folders, then again with what is there."""
    recording.say(f"building cold and warm, {rounds} time(s) each")
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="gpurun-bench-") as folder:
            for state in ("cold", "warm"):
                for engine in ("brian2", "gpurun"):
                    seconds = _build_once(engine, Path(folder, engine))
                    times.setdefault((engine, state), []).append(seconds)
    for (engine, state), values in times.items():
        name = "brian2 device.build" if engine == "brian2" else "gpurun.build"
        recording.add("built", name, state, values)
    if rounds > 1:
        for state in ("cold", "warm"):
            recording.compare(
                f"built, {state}: brian2 device.build / gpurun.build",
                times["brian2", state],
                times["gpurun", state],
            )


def _build_once(engine: str, directory: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.build_once", engine, str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return float(json.loads(done.stdout.splitlines()[-1]))
