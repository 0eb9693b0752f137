"""Reports of the suite as `gpurun bench` would make them, drawn from distributions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from gpurun.bench.machine import Commit, Machine
from gpurun.bench.suite import contender as names
from gpurun.bench.suite.schema import (
    ABSENT,
    FAILED,
    KIND,
    MEASURED,
    REFUSED,
    VERSION,
    Case,
    Contender,
    Curve,
    Floor,
    Measure,
    SuiteReport,
)

MACHINE = Machine(
    processor="A processor",
    cores=2,
    memory_bytes=2**34,
    system="Linux 6 x86_64",
    python="CPython 3.12",
    compiler="gcc 12",
    packages={"gpurun": "0.1", "brian2": "2.10.1"},
    load_per_core=0.1,
    quiet=True,
)
#: Seconds of a next stimulus outside and in the time loop, and of set-up.
SPEEDS: Mapping[str, tuple[float, float, float]] = {
    "gpurun-cpu": (0.001, 0.010, 7.0),
    "brian2-cpp": (0.055, 0.011, 12.0),
    "brian2-numpy": (0.004, 0.900, 0.4),
}
SIZES: Mapping[str, float] = {"quick": 0.2, "full": 1.0}


class Noise:
    """Skewed noise of a run: values are lengthened by interruptions, and all of a run drifts.

    Parameters
    ----------
    seed : int
    noise : float
        Relative spread of single values.
    drift : float
        Standard deviation of what a run is faster or slower by as a whole: half of its variance
        is common to all contenders, half is each process's own.
    """

    def __init__(self, seed: int, noise: float = 0.06, drift: float = 0.0) -> None:
        self._generator = np.random.default_rng(seed)
        self._noise, self._drift = noise, drift / np.sqrt(2)
        self._run = self._drawn()
        self._process = 1.0

    def _drawn(self) -> float:
        return float(np.exp(self._drift * self._generator.standard_normal()))

    def new_process(self) -> None:
        """The next contender begins."""
        self._process = self._drawn()

    def values(self, typical: float, count: int) -> list[float]:
        """So many values around `typical`, one in twenty of them half as long again."""
        tail = self._generator.gamma(1.5, self._noise / np.sqrt(1.5), count)
        hit = np.where(self._generator.random(count) < 0.05, 1.5, 1.0)
        return [float(v) for v in typical * self._run * self._process * (1 + tail) * hit]


def contender(
    name: str, noise: Noise, scale: float = 1.0, slower: float = 1.0, count: int = 30
) -> Contender:
    """A measured contender; all of its times are `slower` times as long."""
    outside, loop, setup = SPEEDS[name]
    noise.new_process()
    parts = {
        names.UPLOAD: 0.1 * outside,
        names.RESET: 0.5 * outside,
        names.READ: 0.1 * outside,
        names.LOOP: loop * scale,
        names.OUTSIDE: outside,
    }
    wall = sum(parts[one] for one in (names.LOOP, names.OUTSIDE))

    def drawn(typical: float, many: int = count) -> list[float]:
        return noise.values(slower * typical, many)

    setups = {names.GENERATION: 0.2, names.COMPILE: 0.7, names.COMPILE_CPU: 0.6, names.LOAD: 0.01}
    measures = [
        *(Measure("setup", one, "s", drawn(part * setup, 1)) for one, part in setups.items()),
        Measure("first stimulus", names.WALL, "s", drawn(2 * wall, 1)),
        Measure("next stimulus", names.WALL, "s", drawn(wall)),
        *(
            Measure("next stimulus", one, "s", drawn(value), _floor(one))
            for one, value in parts.items()
        ),
        Measure("memory", names.HOST_PEAK, "B", [2.0**28]),
    ]
    steps = [100.0, 200.0, 400.0, 800.0]
    curves = [
        Curve("steps", "s", steps, [drawn(1e-4 + loop * n / 800, 3) for n in steps]),
        Curve("replicas", "s", [1.0, 2.0], [drawn(wall, 3), drawn(0.6 * wall, 3)]),
    ]
    return Contender(
        name,
        name.replace("-", ", "),
        MEASURED,
        "",
        "spike trains identical (12 spikes)",
        {"flags": "-O3", "threads": 1, "bytes moved": 2**20},
        measures,
        curves,
    )


def _floor(measure: str) -> str:
    return "host memory copy of the bytes moved" if measure == names.OUTSIDE else ""


def missing(name: str, status: str, detail: str) -> Contender:
    """A contender without figures."""
    return Contender(name, name, status, detail, "", {}, [], [])


def case(name: str, size: str, contenders: list[Contender]) -> Case:
    """A case at one size."""
    neurons = round(1000 * SIZES[size])
    return Case(
        name,
        f"The {name} network",
        "A and B (2015)",
        size,
        True,
        {
            "neurons": neurons,
            "synapses": 50 * neurons,
            "steps": 800,
            "dt in ms": 0.1,
            "dense": True,
        },
        "brian2-cpp",
        [
            Floor(
                "host memory copy of the bytes moved", "s", [1e-4, 1.1e-4, 1.2e-4], "1048576 bytes"
            )
        ],
        contenders,
    )


def make(
    seed: int = 1,
    *,
    noise: float = 0.06,
    drift: float = 0.0,
    slower: Mapping[str, float] | None = None,
    count: int = 30,
    **changes: Any,
) -> SuiteReport:
    """A report of two cases, one of them at two sizes.

    Parameters
    ----------
    seed, noise, drift
        See :class:`Noise`.
    slower : dict of str to float
        Factors on the times of contenders, in the case ``"alpha"`` at its full size.
    count : int
        Values of each measure of a next stimulus.
    **changes
        Fields of the report.
    """
    source = Noise(seed, noise, drift)
    cases = []
    for name, size in (("alpha", "full"), ("alpha", "quick"), ("beta", "full")):
        planted = (slower or {}) if (name, size) == ("alpha", "full") else {}
        entries = [
            contender(one, source, SIZES[size], planted.get(one, 1.0), count) for one in SPEEDS
        ]
        entries.insert(1, missing("gpurun-cuda", ABSENT, "no card can be used"))
        if name == "beta":
            entries[-1] = missing("brian2-numpy", REFUSED, "spikes of 'x' differ from 3 ms on")
            entries.append(missing("bindsnet", FAILED, "out of memory\nTraceback | more"))
        cases.append(case(name, size, entries))
    source.new_process()
    report = SuiteReport(
        kind=KIND,
        version=VERSION,
        created="2026-11-28T10:20:30+00:00",
        quick=False,
        command="gpurun bench",
        seconds=600.0,
        commit=Commit("0123456789abcdef", modified=False),
        machine=MACHINE,
        card={},
        settings={"flags": "-O3", "precision": "float64", "time limit": 1800},
        floors=[Floor("dlopen", "s", source.values(1e-4, 7), "an empty library")],
        cases=cases,
    )
    return dataclasses.replace(report, **changes)
