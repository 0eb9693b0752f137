"""Snapshots against a bare memory copy, and monitors whose rows go to a file while they record.

Parts of the report:

- **stored**: `session.store` and `session.restore` of the network of `benchmarks.diehl_cook`,
  and a copy of as many bytes between two arrays that have been written before. Storing under
  a name that is taken uses the older snapshot's memory; under a new name it needs new memory.
- **streamed**: brian2's CUBA network without monitors, with monitors in memory, and with the
  same monitors streamed to a results file.
- **memory**: noise of 1,000 neurons recorded in every step, streamed, and with brian2's
  cpp_standalone, which keeps it in memory.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
from brian2.devices.device import reset_device
from brian2.units import Hz

import gpurun
from benchmarks import diehl_cook, recorded
from benchmarks.diehl_cook import FULL, SMALL
from gpurun.bench.cases import Recording
from gpurun.bench.clocks import Stopwatch, resident_bytes
from gpurun.bench.contenders import interleave

TITLE = "Snapshots, and monitors in bounded memory"
ROOT = Path(__file__).resolve().parents[1]
MEGABYTE = 2**20
IN_A_ROW = 10
STORE, RESTORE, NEW = "session.store", "session.restore", "session.store, new name"
COPY = "memory copy of the same bytes"
BARE, IN_MEMORY, STREAMED = "no monitors", "monitors in memory", "monitors streamed"
BRIAN, GPURUN = "brian2 cpp_standalone", "gpurun session.stream"
#: Peak resident memory that the process that streams is to stay under, Python in it.
BOUND = 256 * MEGABYTE
#: Compiling is most of a trial.
TRIAL_FLAGS = ["-w", "-O0"]


def measure(recording: Recording) -> None:
    """Run all parts; see the module's description."""
    diehl_cook.exact_arithmetic()
    if recording.quick:
        b2.prefs["codegen.cpp.extra_compile_args_gcc"] = TRIAL_FLAGS
    try:
        _snapshots(recording)
        _streaming(recording)
    finally:
        reset_device()
    _memory(recording)


# -- snapshots ---------------------------------------------------------------------


class Call:
    """One call that is timed, and what is done after it, which is not."""

    def __init__(self, name: str, call: Any, after: Any = None) -> None:
        self.name, self.call, self.after = name, call, after

    def present(self, number: int) -> Mapping[str, float]:
        """One of them."""
        with Stopwatch() as watch:
            self.call()
        if self.after:
            self.after()
        return {"wall": watch.seconds}


def _snapshots(recording: Recording) -> None:
    rounds, size = (20, SMALL) if recording.quick else (200, FULL)
    recording.say("stored: building the network")
    b2.set_device("gpurun", build_on_run=False)
    network = diehl_cook.create(size)
    with gpurun.build().session(device="cpu") as session:
        for number in range(5):
            # Plastic variables that have all kinds of values
            session.run(
                {network.inputs.rates: diehl_cook.stimulus(number, size) * Hz},
                carry=[network.synapses.w, network.excitatory.theta],
                seed=diehl_cook.SEED,
            )
        changing = [info.name for info in session.model.manifest.variables if info.changes]
        count = sum(session.read_raw(name).nbytes for name in changing)
        recording.parameters.update({"synapses": size.synapses, "bytes stored": count})
        source, target = np.ones(count, np.uint8), np.zeros(count, np.uint8)
        contenders = [
            Call(STORE, lambda: session.store("a")),
            Call(RESTORE, lambda: session.restore("a")),
            Call(NEW, lambda: session.store("b"), lambda: session.forget("b")),
            Call(COPY, lambda: np.copyto(target, source)),
        ]
        recording.say(f"stored: {rounds} times in turns")
        found = interleave(contenders, rounds, in_a_row=IN_A_ROW)
        expected = {name: session.read_raw(name) for name in changing}
        session.advance()
        moved = sum(not np.array_equal(session.read_raw(n), expected[n]) for n in changing)
        session.restore("a")
        back = sum(np.array_equal(session.read_raw(n), expected[n]) for n in changing)
    recording.add_all("stored", found)
    for name in (STORE, RESTORE, NEW):
        recording.compare(f"stored: {name} / {COPY}", found[name]["wall"], found[COPY]["wall"])
    recording.check(
        "stored: after another presentation, restoring brings back every variable",
        back == len(changing) and moved > 0,
        f"{back} of {len(changing)} variables, {moved} had changed",
    )


# -- streaming ---------------------------------------------------------------------


class Recorded:
    """Runs of a session whose monitors, if there are any, stay in memory."""

    def __init__(self, name: str, session: Any, seconds: float) -> None:
        self.name, self.session, self.seconds = name, session, seconds

    def present(self, number: int) -> Mapping[str, float]:
        """One run."""
        with Stopwatch() as watch:
            result = self.session.run(duration=self.seconds, seed=recorded.SEED)
        return {"wall": watch.seconds, "time loop": result.loop_time}


class Streamed(Recorded):
    """The same, but streamed, to a new file each time."""

    def __init__(self, name: str, session: Any, seconds: float, path: Path) -> None:
        super().__init__(name, session, seconds)
        self.path = path

    def present(self, number: int) -> Mapping[str, float]:
        """One run. The file is complete on the disk when it ends."""
        shutil.rmtree(self.path, ignore_errors=True)
        for monitor in ("spikes", "trace"):
            self.session.stream(monitor, self.path)
        measured = super().present(number)
        for monitor in ("spikes", "trace"):
            self.session.end_stream(monitor)
        return measured


def _streaming(recording: Recording) -> None:
    rounds, seconds = (2, 0.02) if recording.quick else (20, 1.0)
    recording.parameters["steps of a streamed run"] = round(seconds / float(recorded.STEP))
    recording.say("streamed: building the network without monitors")
    bare, alive = _built(0)
    with bare.session(device="cpu") as session:
        for traced in (10,) if recording.quick else (10, 100, 1000):
            recording.say(f"streamed: {traced} cells, {rounds} runs each in turns")
            _stream(recording, traced, Recorded(BARE, session, seconds), rounds)
    del alive


def _built(traced: int) -> tuple[gpurun.Model, list[Any]]:
    """The model, and the objects that its keys are taken from."""
    b2.device.reinit()
    b2.set_device("gpurun", build_on_run=False)
    network = recorded.cuba_network(traced)
    return gpurun.build(), network


def _stream(recording: Recording, traced: int, bare: Recorded, rounds: int) -> None:
    """Compare runs with monitors, in memory and streamed, to those without."""
    group, seconds = f"streamed, {traced:,} cells", bare.seconds
    model, alive = _built(traced)
    with (
        tempfile.TemporaryDirectory(prefix="gpurun-bench-") as folder,
        model.session(device="cpu") as memory,
        model.session(device="cpu") as streaming,
    ):
        path = Path(folder, "recorded.zarr")
        contenders = [
            bare,
            Recorded(IN_MEMORY, memory, seconds),
            Streamed(STREAMED, streaming, seconds, path),
        ]
        found = interleave(contenders, rounds, warmup=1)
        run = gpurun.open_results(path)[0]
        names = ("spikes.i", "spikes.t", "trace.t", "trace.v")
        kept = {name: memory.read(name) for name in names}
        same = [
            name
            for name, values in kept.items()
            if np.array_equal(
                getattr(run[name.partition(".")[0]], name.partition(".")[2])[:], values
            )
        ]
    del alive
    recording.parameters[f"bytes recorded, {traced:,} cells"] = sum(
        values.nbytes for values in kept.values()
    )
    recording.add_all(group, found)
    for measured in ("wall", "time loop"):
        for first, second in ((STREAMED, BARE), (IN_MEMORY, BARE), (STREAMED, IN_MEMORY)):
            recording.compare(
                f"{group}, {measured}: {first} / {second}",
                found[first][measured],
                found[second][measured],
            )
    spikes = kept["spikes.i"].size
    recording.check(
        f"{group}: the file holds what the monitors in memory do",
        len(same) == len(names) and spikes > 0,
        f"{spikes} spikes, {traced:,} x {kept['trace.t'].size:,} values",
    )


# -- memory ------------------------------------------------------------------------


def _memory(recording: Recording) -> None:
    if sys.platform != "linux" or resident_bytes() is None:
        recording.say("memory: this system does not say how much is resident")
        return
    neurons = 100 if recording.quick else 1000
    sizes = (10_000, 20_000) if recording.quick else (10_000, 100_000, 1_000_000)
    flags = TRIAL_FLAGS if recording.quick else []
    recording.parameters["neurons recorded in every step"] = neurons
    ours: dict[int, dict[str, Any]] = {}
    theirs: dict[int, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="gpurun-bench-") as cache:
        for steps in sizes:
            recording.say(f"memory: {steps:,} steps, streamed")
            ours[steps] = _in_a_process("gpurun", neurons, steps, Path(cache), flags)
    # A trial sees whether it works, and brian2's program takes long to build
    for steps in sizes[: 1 if recording.quick else 2]:
        recording.say(f"memory: {steps:,} steps, brian2")
        with tempfile.TemporaryDirectory(prefix="gpurun-bench-") as folder:
            theirs[steps] = _in_a_process("brian2", neurons, steps, Path(folder), flags)
    for name, measured in ((BRIAN, theirs), (GPURUN, ours)):
        for steps, one in measured.items():
            recording.add("memory", name, f"peak, {steps:,} steps", [one["peak"]], "B")
            recording.add("memory", name, f"on disk, {steps:,} steps", [one["on disk"]], "B")
            recording.add("memory", name, f"wall, {steps:,} steps", [one["wall"]])
    large, last = sizes[-2:]
    recording.parameters["bytes recorded in a step"] = 8 * (neurons + 1)
    if len(theirs) > 1:
        (fewer, low), (more, high) = ((steps, one["peak"]) for steps, one in theirs.items())
        growth = (high - low) / (more - fewer)
        recording.parameters["bytes that brian2's peak grows by in a step"] = round(growth)
        recording.parameters[
            f"MiB that brian2 would need for {last:,} steps, extrapolated and not measured"
        ] = round((high + growth * (last - more)) / MEGABYTE)
    peaks = {steps: one["peak"] for steps, one in ours.items()}
    recording.check(
        f"memory: the streaming process stays under {BOUND // MEGABYTE} MiB with {last:,} steps",
        peaks[last] <= BOUND,
        f"peak {peaks[last] / MEGABYTE:.1f} MiB, of which {ours[last]['before'] / MEGABYTE:.1f} "
        f"MiB before the run; {last * 8 * neurons / MEGABYTE:.0f} MiB were recorded",
    )
    recording.check(
        f"memory: {last:,} steps take at most 8 MiB more than {large:,}",
        peaks[last] - peaks[large] <= 8 * MEGABYTE,
        ", ".join(f"{n:,} steps: {peak / MEGABYTE:.1f} MiB" for n, peak in peaks.items()),
    )
    recording.check(
        "memory: every time step is in the file, and the first are those of a run in memory",
        all(one["same"] and one["rows"] == steps for steps, one in ours.items()),
        ", ".join(f"{one['rows']:,}" for one in ours.values()) + " rows",
    )


def _in_a_process(
    engine: str, neurons: int, steps: int, directory: Path, flags: list[str]
) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.memory_once", engine, str(neurons), str(steps)]
    try:
        done = subprocess.run(
            [*command, str(directory), *flags],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        # The model stays in the cache beside it
        shutil.rmtree(directory / "recorded.zarr", ignore_errors=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])
