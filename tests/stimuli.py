"""Random overrides of `tests.models.everything`, of every kind there is."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
from brian2.units import Hz, ms, mV, second, volt

Random = np.random.Generator
#: Gives a key and a value from the script's objects, the sizes of its variables, and chance.
Draw = Callable[[SimpleNamespace, dict[str, int], Random], tuple[Any, Any]]

DT = 0.1e-3


def _spikes(neurons: int, end: float, random: Random) -> tuple[np.ndarray, np.ndarray]:
    """Any number of spikes in [0, end), no two of one neuron in one time step."""
    steps = round(end / DT)
    cells = random.choice(neurons * steps, size=random.integers(0, 60), replace=False)
    return cells % neurons, (cells // neurons) * DT * second


def _uniform(low: float, high: float, size: int, random: Random) -> np.ndarray:
    return random.uniform(low, high, size)


#: By name of the variables they write (the first part of the name for several).
OVERRIDES: dict[str, Draw] = {
    # what nothing else writes
    "exc.untouched": lambda o, n, r: (o.exc.untouched, r.integers(0, 9)),
    "exc.tau": lambda o, n, r: (o.exc.tau, _uniform(5, 15, 20, r) * ms),
    "exc.sigma": lambda o, n, r: (o.exc.sigma, r.uniform(0, 2) * mV),
    "exc.level": lambda o, n, r: ("exc.level", r.uniform(-1e-3, 2e-3)),
    "slow.y": lambda o, n, r: (o.slow.y, _uniform(0.5, 2, 5, r)),
    "direct.w": lambda o, n, r: (o.direct.w, _uniform(0, 1, n["direct.w"], r) * mV),
    "spread.w": lambda o, n, r: ("spread.w", _uniform(0, 2, n["spread.w"], r)),
    "multi.w": lambda o, n, r: (o.multi.w, r.uniform(0, 2)),
    # what the run writes too
    "exc.v": lambda o, n, r: (o.exc.v, _uniform(0, 9, 20, r) * mV),
    "exc.drive": lambda o, n, r: ("exc.drive", _uniform(0.008, 0.012, 20, r)),
    "exc.lastspike": lambda o, n, r: (o.exc.lastspike, -r.uniform(0, 3) * ms),
    "slow.x": lambda o, n, r: (o.slow.x, _uniform(0, 0.8, 5, r)),
    "inp.rates": lambda o, n, r: (o.inp.rates, _uniform(0, 600, 10, r) * Hz),
    "stdp.w": lambda o, n, r: (o.stdp.w, _uniform(0, 2, 100, r)),
    "stdp.apre": lambda o, n, r: (o.stdp.apre, r.uniform(0, 0.3)),
    "sums.g": lambda o, n, r: (o.sums.g, _uniform(0, 0.3, 20, r)),
    "direct.used": lambda o, n, r: (o.direct.used, _uniform(0, 9, n["direct.used"], r)),
    "direct.hit": lambda o, n, r: ("direct.hit", r.integers(0, 9)),
    "multi.used": lambda o, n, r: (o.multi.used, r.integers(0, 9)),
    "multi.faded": lambda o, n, r: (o.multi.faded, _uniform(0, 9, n["multi.faded"], r)),
    "alarm.heard": lambda o, n, r: (o.alarm.heard, _uniform(0, 9, 20, r)),
    # booleans and integers
    "exc.enabled": lambda o, n, r: (o.exc.enabled, r.uniform(size=20) < 0.8),
    "exc.kind": lambda o, n, r: (o.exc.kind, r.integers(0, 4, 20)),
    "exc.fired": lambda o, n, r: (o.exc.fired, r.integers(0, 9)),
    # parts of a group
    "exc.v[5:15]": lambda o, n, r: (o.counts.source.v, _uniform(0, 9, 10, r) * mV),
    "exc.theta[:10]": lambda o, n, r: (o.early.theta, r.uniform(0, 3) * mV),
    "exc.tau[10:]": lambda o, n, r: (o.late.tau, _uniform(5, 15, 10, r) * ms),
    # delays: where there was none, scalar and one per synapse; most longer than in the script
    "direct_pre.delay": lambda o, n, r: (
        o.direct.pre.delay,
        _uniform(0, 7, n["direct_pre.delay"], r) * ms,
    ),
    "fixed_pre.delay": lambda o, n, r: ("fixed.delay", r.uniform(0, 6e-3)),
    "spread_pre.delay": lambda o, n, r: (
        o.spread.delay,
        _uniform(0, 12, n["spread_pre.delay"], r) * ms,
    ),
    "stdp_deliver.delay": lambda o, n, r: (o.stdp.deliver.delay, r.uniform(0, 9) * ms),
    "stdp_learn.delay": lambda o, n, r: (o.stdp.learn.delay, r.uniform(0, 2) * ms),
    "stdp_post.delay": lambda o, n, r: ("stdp.post.delay", _uniform(0, 4e-3, 100, r)),
    "multi_pre.delay": lambda o, n, r: (
        o.multi.delay,
        _uniform(0, 5, n["multi_pre.delay"], r) * ms,
    ),
    # inputs
    "stim": lambda o, n, r: (o.stim, _uniform(0, 8e-3, 10, r) * volt),
    "grid": lambda o, n, r: (o.grid, _uniform(0, 8, 100, r).reshape(5, 20)),
    "gen": lambda o, n, r: (o.gen, _spikes(6, 20e-3, r)),
    "beat": lambda o, n, r: ("beat", _spikes(4, 4e-3, r)),
    "rate": lambda o, n, r: (f"{o.noise.name}.rate", r.uniform(0, 3000) * Hz),
    "weight": lambda o, n, r: (f"{o.noise.name}.weight", r.uniform(-1e-3, 1e-3)),
}

#: What can be carried: keys of OVERRIDES that stand for whole variables.
CARRIED = sorted(name for name in OVERRIDES if "[" not in name)


def sizes(model: Any) -> dict[str, int]:
    """Number of elements of each variable after set-up."""
    return {name: array.size for name, array in model.data.frozen.items()}


def draw(
    names: Any, objects: SimpleNamespace, sizes: dict[str, int], seed: int
) -> list[tuple[Any, Any]]:
    """Values for the overrides `names`, always the same for the same `seed`."""
    return [
        OVERRIDES[name](objects, sizes, np.random.default_rng([seed, place]))
        for place, name in enumerate(sorted(names))
    ]


def key_of(name: str, objects: SimpleNamespace) -> str:
    """The name of a `CARRIED` entry in the manifest."""
    return f"{objects.noise.name}.{name}" if name in ("rate", "weight") else name
