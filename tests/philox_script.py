"""A script that draws every kind of random number, from Philox streams."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import brian2 as b2
import brian2cuda  # noqa: F401  (whose code for binomial functions refuses names like "few")
import numpy as np
from brian2 import NeuronGroup, PoissonInput, SpikeMonitor, Synapses, TimedArray
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.names import Nameable
from brian2.units import Hz, ms

from tests import models


def draws(*, threads: int = 0, single: bool = False, **options: Any) -> SimpleNamespace:
    """Record a script that draws every kind of number, once per element and step.

    Parameters
    ----------
    threads : int
        For OpenMP; 0 does without.
    single : bool
        Whether floating point numbers are of single precision.
    **options
        For ``set_device``.
    """
    models.new_script(rng="philox", **options)
    b2.prefs.devices.cpp_standalone.openmp_threads = threads
    b2.prefs.core.default_float_dtype = np.float32 if single else np.float64
    few = b2.BinomialFunction(12, 0.3, name="few")
    many = b2.BinomialFunction(1000, 0.3, approximate=False, name="many")
    about = b2.BinomialFunction(1000, 0.3, name="about")

    # A user's function; the index it calls with is of no importance
    twice = b2.Function(len, arg_units=[], return_unit=1, auto_vectorise=True, stateless=False)
    for target, qualifier in (("cpp", ""), ("cuda", "__device__ ")):
        twice.implementations.add_implementation(
            target,
            f"{qualifier}double twice(const int index) {{ return 2*_rand(0); }}",
            dependencies={"_rand": DEFAULT_FUNCTIONS["rand"]},
            name="twice",
        )
    stim = TimedArray([0.5, 20.0], dt=1 * ms, name="stim")
    cells = NeuronGroup(
        200,
        "u : 1\nz : 1\nk : 1\nb : 1\nm : 1\na : 1\nf : 1\nx : 1\nshared_one : 1 (shared)",
        threshold="rand() < 0.5",
        reset="x = rand()",
        name="cells",
        namespace={"few": few, "many": many, "about": about, "twice": twice, "stim": stim},
    )
    cells.run_regularly(
        """
        u = rand()
        z = randn()
        k = poisson(stim(t))
        b = few()
        m = many()
        a = about()
        f = twice()
        """,
        name="regular",
    )
    cells.run_regularly("shared_one = rand()", name="regular_shared")
    links = Synapses(
        cells, cells, "s : 1", on_pre="s = rand()", on_post="s = -rand()", name="links"
    )
    links.connect(j="(i + 1) % N_post")
    target = NeuronGroup(5, "v : 1\nw : 1", name="target")
    rare = PoissonInput(target, "v", 1000, 20 * Hz, weight=1)
    frequent = PoissonInput(target, "w", 1000, 2000 * Hz, weight=0.5)
    fired = SpikeMonitor(cells, name="fired")
    noisy = NeuronGroup(
        150,
        "dv/dt = -v/(5*ms) + 0.3*xi_1/sqrt(ms) + xi_2/sqrt(ms) : 1",
        threshold="v > 1",
        reset="v = rand()",
        method="euler",
        name="noisy",
    )
    crossed = SpikeMonitor(noisy, name="crossed")
    b2.seed(5)
    b2.run(2 * ms)
    return SimpleNamespace(**{k: v for k, v in locals().items() if isinstance(v, Nameable)})
