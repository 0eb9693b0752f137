"""A script with every kind of random number, and what theory says about them."""

from __future__ import annotations

from typing import Any, NamedTuple

import brian2 as b2
import numpy as np
from brian2 import (
    BinomialFunction,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    run,
)
from brian2.core.base import BrianObject
from brian2.units import Hz, ms

from .values import Values

#: Time steps of the run; neurons; the noisy cells' dt/tau.
STEPS = 60
CELLS = 2000
STEP_RATIO = 0.02


def noise() -> dict[str, BrianObject]:
    """Record a script that draws from all generators."""
    b2.seed(20240229)
    heads = BinomialFunction(10, 0.3, approximate=False)
    nearly = BinomialFunction(400, 0.5, approximate=True)
    cells = NeuronGroup(
        CELLS,
        """dv/dt = -v/(5*ms) + xi*sqrt(2/(5*ms)) : 1
           first : 1
           uniform : 1
           normal : 1
           flips : 1
           many_flips : 1
           fixed_rate : 1
           own_rate : 1
           mean_count : 1
           x : 1""",
        method="euler",
        name="cells",
        namespace={"heads": heads, "nearly": nearly},
    )
    cells.v = "randn()"
    cells.first = "rand()"
    cells.mean_count = "0.5 + 4.0*i/N"
    cells.run_regularly(
        "uniform = rand()\nnormal = randn()\nflips = heads()\nmany_flips = nearly()\n"
        "fixed_rate = poisson(3.5)\nown_rate = poisson(mean_count)",
        name="drawing",
    )
    pushes = PoissonInput(cells, "x", N=100, rate=50 * Hz, weight=1)
    sources = PoissonGroup(200, rates="(100 + 100*(i >= 100))*Hz", name="sources")
    fired = SpikeMonitor(sources, name="fired")
    uniform = StateMonitor(cells, "uniform", record=range(50), name="uniform")
    linked = Synapses(sources, cells, "w : 1", name="linked")
    linked.connect(p=0.1)
    linked.w = "randn()"
    picked = Synapses(sources, cells, name="picked")
    picked.connect(j="k for k in sample(N_post, size=5)")
    sampled = Synapses(sources, sources, name="sampled")
    sampled.connect(j="k for k in sample(N_post, p=0.2)", skip_if_invalid=True)
    run(STEPS * 0.1 * ms)
    found = {name: one for name, one in locals().items() if isinstance(one, BrianObject)}
    del found["pushes"]
    return found


class Theory(NamedTuple):
    """Mean and variance of independent draws, and their fourth central moment."""

    mean: float
    variance: float
    fourth: float


def _normal(variance: float) -> Theory:
    return Theory(0.0, variance, 3 * variance**2)


def _binomial(n: float, p: float) -> Theory:
    variance = n * p * (1 - p)
    return Theory(n * p, variance, variance * (1 + 3 * (n - 2) * p * (1 - p)))


def _poisson(rate: float) -> Theory:
    return Theory(rate, rate, rate * (1 + 3 * rate))


_UNIFORM = Theory(0.5, 1 / 12, 1 / 80)


def draws(values: Values) -> dict[str, tuple[np.ndarray, Theory]]:
    """Independent draws of each kind with the theory of their distribution."""
    fired = values["fired.count"]
    # Euler's scheme has this stationary variance; it starts at 1, which is close to it
    shrink = (1 - STEP_RATIO) ** (2 * STEPS)
    stationary = 1 / (1 - STEP_RATIO / 2)
    expected: dict[str, tuple[Any, Theory]] = {
        "xi": (values["cells.v"], _normal(shrink + (1 - shrink) * stationary)),
        "rand() at the start": (values["cells.first"], _UNIFORM),
        "rand()": (values["cells.uniform"], _UNIFORM),
        "rand(), all steps": (values["uniform.uniform"].ravel(), _UNIFORM),
        "randn()": (values["cells.normal"], _normal(1)),
        "randn() of synapses": (values["linked.w"], _normal(1)),
        "binomial": (values["cells.flips"], _binomial(10, 0.3)),
        "binomial, approximated": (values["cells.many_flips"], _binomial(400, 0.5)),
        "poisson(own mean)": _standardised_poisson(values),
        "poisson(constant)": (values["cells.fixed_rate"], _poisson(3.5)),
        "PoissonInput": (values["cells.x"], _binomial(100 * STEPS, 0.005)),
        "PoissonGroup, slow": (fired[:100], _binomial(STEPS, 0.01)),
        "PoissonGroup, fast": (fired[100:], _binomial(STEPS, 0.02)),
        "connect(p=)": (_out_degrees(values, "linked", 200), _binomial(CELLS, 0.1)),
        "sample(p=)": (_out_degrees(values, "sampled", 200), _binomial(200, 0.2)),
    }
    return expected


def _standardised_poisson(values: Values) -> tuple[np.ndarray, Theory]:
    mean = values["cells.mean_count"]
    return (values["cells.own_rate"] - mean) / np.sqrt(mean), Theory(
        0.0, 1.0, 3 + float(np.mean(1 / mean))
    )


def _out_degrees(values: Values, name: str, size: int) -> np.ndarray:
    return np.bincount(values[f"{name}.i"], minlength=size)
