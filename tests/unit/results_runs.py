"""Monitors of a model that is not there, and rows that can be told from their number."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpurun.model import Manifest
from gpurun.results import MonitorRecord, RunResult
from gpurun.results_schema import Origin, Recorder
from tests.unit.manifests import SECOND, UNITS, VARIABLES, VOLT, manifest, variable

HERTZ = (0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0)
UNITS.setdefault(HERTZ, "Hz")
SIEMENS = (-2.0, -1.0, 3.0, 2.0, 0.0, 0.0, 0.0)
UNITS.setdefault(SIEMENS, "S")
#: No name of its own.
ODD = (1.0, 0.0, -0.5, 0.0, 0.0, 0.0, 0.0)
UNITS.setdefault(ODD, "m/s^0.5")

ELEMENTS = np.array([3, 1], dtype=np.int32)
RECORDERS = {
    "spikes": Recorder("cells", 1e-4, 4),
    "trace": Recorder("cells", 1e-3, elements=ELEMENTS),
    "rate": Recorder("cells", 1e-4),
    "counter": Recorder("cells", 1e-4, 4),
}


def results_manifest() -> Manifest:
    rows: dict[str, Any] = {"kind": "dynamic", "shape": (0,), "role": "monitor", "resizes": True}
    wide: dict[str, Any] = {**rows, "kind": "dynamic2d", "shape": (0, 2)}
    one: dict[str, Any] = {"role": "monitor", "shape": (1,), "dtype": "int32"}
    return manifest(
        variables=(
            *VARIABLES,
            variable("spikes.t", dimensions=SECOND, **rows),
            variable("spikes.i", dtype="int32", **rows),
            variable("spikes.v", dimensions=VOLT, **rows),
            variable("spikes.count", dtype="int32", role="monitor"),
            variable("spikes.N", **one),
            variable("trace._indices", dtype="int32", shape=(2,), role="monitor"),
            variable("trace.t", dimensions=SECOND, **rows),
            variable("trace.v", dimensions=VOLT, **wide),
            variable("trace.g", dimensions=SIEMENS, **wide),
            variable("trace.x", dimensions=ODD, **wide),
            variable("trace.N", **one),
            variable("rate.t", dimensions=SECOND, **rows),
            variable("rate.rate", dimensions=HERTZ, **rows),
            variable("counter.count", dtype="int32", role="monitor"),
        ),
        monitors={
            "spikes": ("spikes.t", "spikes.v", "spikes.i", "spikes.count", "spikes.N"),
            "trace": ("trace.t", "trace.N", "trace.v", "trace.g", "trace.x"),
            "rate": ("rate.rate", "rate.t"),
            "counter": ("counter.count",),
        },
    )


def origin() -> Origin:
    return Origin(results_manifest(), RECORDERS, lambda: "abc")


def spike_rows(first: int, count: int) -> dict[str, np.ndarray]:
    """Rows of ``spikes``: each value follows from the row's number."""
    n = np.arange(first, first + count)
    return {"t": n * 1e-4, "i": (n % 4).astype(np.int32), "v": np.sin(n)}


def trace_rows(first: int, count: int) -> dict[str, np.ndarray]:
    """Rows of ``trace``."""
    n = np.arange(first, first + count)
    v = np.cos(n)[:, None] + ELEMENTS
    return {"t": n * 1e-3, "v": v, "g": 2 * v, "x": 3 * v}


def rate_rows(first: int, count: int) -> dict[str, np.ndarray]:
    """Rows of ``rate``."""
    n = np.arange(first, first + count)
    return {"t": n * 1e-4, "rate": np.sqrt(n)}


ROWS = {"spikes": spike_rows, "trace": trace_rows, "rate": rate_rows}


def result(rows: int = 20, **changes: Any) -> RunResult:
    """As a session gives it: state variables with one row for each element."""
    spikes = spike_rows(0, rows)
    trace = trace_rows(0, rows)
    monitors = {
        "spikes": {
            **spikes,
            "count": np.bincount(spikes["i"], minlength=4).astype(np.int32),
            "N": np.array([rows], dtype=np.int32),
        },
        "trace": {name: column.T for name, column in trace.items()} | {"N": np.array([rows])},
        "rate": rate_rows(0, rows),
        "counter": {"count": np.arange(4, dtype=np.int32)},
    }
    fields: dict[str, Any] = {
        "values": {
            "cells.v": np.arange(4.0),
            "cells.v[1:3]": np.arange(1.0, 3.0),
            "stim": np.arange(6.0).reshape(3, 2),
        },
        "monitors": {name: MonitorRecord(name, values) for name, values in monitors.items()},
        "upload_time": 0.1, "reset_time": 0.2, "loop_time": 0.3, "read_time": 0.4,
        "wall_time": 1.1, "duration": 0.5, "completed": 1.0, "t": 0.5, "steps": 5000,
        "seed": 3, "device": "cpu", "peak_memory": 2**20, "_origin": origin(),
    }  # fmt: skip
    return RunResult(**{**fields, **changes})
