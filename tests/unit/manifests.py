"""A manifest made by hand, for tests that build no model."""

from __future__ import annotations

from typing import Any

from gpurun.model import Manifest, PoissonInputInfo, SpikeGeneratorInfo, VariableInfo

NONE = (0.0,) * 7
VOLT = (2.0, 1.0, -3.0, -1.0, 0.0, 0.0, 0.0)
SECOND = (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
UNITS = {NONE: "1", VOLT: "V", SECOND: "s"}


class Quantity:
    """What `gpurun.values` sees of a Brian Quantity, without brian2."""

    def __init__(self, value: Any, dimensions: tuple[float, ...]) -> None:
        self.value = value
        self.dim = type("Dimension", (), {"_dims": dimensions})()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        import numpy as np

        return np.asarray(self.value, dtype=dtype)

    def __len__(self) -> int:
        return len(self.value)


def variable(name: str, **changes: Any) -> VariableInfo:
    """A writable float64 array of 4 elements, with `changes`."""
    dimensions = changes.pop("dimensions", NONE)
    fields: dict[str, Any] = {
        "name": name,
        "c_name": "_array_" + name.replace(".", "_"),
        "dtype": "float64",
        "kind": "array",
        "shape": (4,),
        "dimensions": dimensions,
        "unit": UNITS[dimensions],
        "writable": True,
        "changes": True,
        "resizes": False,
        "scalar": False,
        "role": "state",
    }
    return VariableInfo(**{**fields, **changes})


def spikes(name: str) -> list[VariableInfo]:
    options: dict[str, Any] = {"kind": "dynamic", "shape": (2,), "resizes": True}
    return [
        variable(f"{name}.neuron_index", dtype="int32", writable=False, **options),
        variable(f"{name}.spike_time", dimensions=SECOND, writable=False, **options),
        variable(f"{name}._timebins", dtype="int32", writable=False, role="internal", **options),
        variable(f"{name}.spike_number", dtype="int32", writable=False, **options),
        variable(f"{name}._lastindex", dtype="int32", shape=(1,), writable=False, role="internal"),
    ]


VARIABLES = (
    variable("cells.v", dimensions=VOLT),
    variable("cells.on", dtype="bool"),
    variable("cells.kind", dtype="int32"),
    variable("cells.small", dtype="float32"),
    variable("cells.shared", shape=(1,), scalar=True),
    variable("cells.i", dtype="int32", writable=False, changes=False),
    variable("links.w", kind="dynamic", shape=(6,)),
    variable("links_pre.delay", kind="dynamic", shape=(6,), dimensions=SECOND, role="delay"),
    variable("links_post.delay", kind="dynamic", shape=(1,), dimensions=SECOND, role="delay"),
    variable("defaultclock.t", shape=(1,), writable=False, role="clock", dimensions=SECOND),
    variable("seen.count", dtype="int32", writable=False, role="monitor"),
    variable("seen.t", kind="dynamic", shape=(0,), writable=False, role="monitor", resizes=True),
    variable("stim.values", kind="static", shape=(3, 2), dimensions=VOLT, role="timed_array"),
    variable("hum_parameters", kind="static", shape=(9,), writable=False, role="internal"),
    variable("hum._weight", shape=(1,), dimensions=VOLT, writable=False, role="internal"),
    variable("hiss_parameters", kind="static", shape=(9,), writable=False, role="internal"),
    *spikes("gen"),
    *spikes("beat"),
)


def manifest(**changes: Any) -> Manifest:
    """A manifest with something of every kind."""
    fields: dict[str, Any] = {
        "backend": "cpu",
        "brian2": "2.10.1",
        "gpurun": "0",
        "variables": VARIABLES,
        "aliases": {
            "links.delay": ("links_pre.delay", "links_post.delay"),
            "links.pre.delay": ("links_pre.delay",),
        },
        "clocks": {"defaultclock": 1e-4},
        "monitors": {"seen": ("seen.count", "seen.t")},
        "timed_arrays": {"stim": "stim.values"},
        "spike_generators": {
            "gen": SpikeGeneratorInfo(size=5, dt=1e-4, period=0.0),
            "beat": SpikeGeneratorInfo(size=5, dt=1e-4, period=2e-3),
        },
        "poisson_inputs": {
            "hum": PoissonInputInfo(
                n=20, dt=1e-4, rate=30.0, parameters="hum_parameters", weight="hum._weight"
            ),
            "hiss": PoissonInputInfo(
                n=20, dt=1e-4, rate=30.0, parameters="hiss_parameters", weight=None
            ),
        },
        "constants": {"tau": "0.01"},
        "durations": (0.25,),
        "threads": 0,
        "setup_random": False,
        "setup_opaque": False,
        "seeded": False,
        "tail_draws": False,
        "run_random": True,
        "static_state": (),
    }
    return Manifest(**{**fields, **changes})
