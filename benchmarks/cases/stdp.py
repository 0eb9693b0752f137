"""Competition between the inputs of a neuron through spike-timing-dependent plasticity.

The model of Song et al. (2000): a neuron has 1,000 plastic excitatory inputs and 200 inhibitory
ones, all of them Poisson processes. Larger sizes have more such neurons with the same inputs, each
connection with a weight of its own. Every presentation has other rates of the excitatory inputs.
"""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import Hz, mV, second

from gpurun.bench.suite.case import CaseNetwork, Stimulus

from ._common import by_name

TITLE = "STDP: plastic Poisson inputs of integrate-and-fire neurons"
SOURCE = "Song, Miller & Abbott (2000), Nature Neurosci. 3, 919-926"
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"inputs": 200, "neurons": 2, "duration": 0.05},
    "1": {"inputs": 1000, "neurons": 1, "duration": 0.5},
    "quick": {"inputs": 1000, "neurons": 10, "duration": 0.2},
    "30": {"inputs": 1000, "neurons": 30, "duration": 0.5},
    "full": {"inputs": 1000, "neurons": 1, "duration": 10.0},
    "1000": {"inputs": 1000, "neurons": 1000, "duration": 0.5},
}
SCALING = ("1", "30", "1000")

DT = 1e-4
SEED = 919
#: Of the paper; the conductances of other numbers of inputs are scaled by it.
INPUTS = 1000

EQUATIONS = """
dv/dt = ((rest - v) + ge*(0*mV - v) + gi*(-70*mV - v)) / (20*ms) : volt
dge/dt = -ge / (5*ms) : 1
dgi/dt = -gi / (5*ms) : 1
"""
PLASTIC = """
w : 1
dpre/dt = -pre / (20*ms) : 1 (event-driven)
dpost/dt = -post / (20*ms) : 1 (event-driven)
"""
ON_PRE = """
ge_post += w
pre += 0.005
w = clip(w - largest*post, 0, largest)
"""
ON_POST = """
post += 1.05*0.005
w = clip(w + largest*pre, 0, largest)
"""


def create(inputs: int, neurons: int, duration: float) -> CaseNetwork:
    """Build it with `inputs` excitatory inputs of `neurons` cells, for `duration` seconds."""
    b2.defaultclock.dt = DT * second
    largest = 0.015 * INPUTS / inputs
    excite = b2.PoissonGroup(inputs, rates=15 * Hz, name="excite")
    inhibit = b2.PoissonGroup(inputs // 5, rates=10 * Hz, name="inhibit")
    cells = b2.NeuronGroup(
        neurons,
        EQUATIONS,
        threshold="v > -54*mV",
        reset="v = -60*mV",
        method="euler",
        namespace={"rest": -70 * mV},
        name="cells",
    )
    plastic = b2.Synapses(
        excite,
        cells,
        PLASTIC,
        on_pre=ON_PRE,
        on_post=ON_POST,
        namespace={"largest": largest},
        name="plastic",
    )
    plastic.connect()
    fixed = b2.Synapses(
        inhibit,
        cells,
        on_pre="gi_post += amount",
        namespace={"amount": 0.05 * INPUTS / inputs},
        name="fixed",
    )
    fixed.connect()
    spikes = b2.SpikeMonitor(cells, name="spikes")

    def stimulus(number: int) -> Stimulus:
        return {"excite.rates": np.random.default_rng([SEED, number]).uniform(10, 30, inputs)}

    excite.rates = stimulus(0)["excite.rates"] * Hz
    cells.v = -70 * mV
    plastic.w = np.random.default_rng(SEED).uniform(0, largest, inputs * neurons)
    return CaseNetwork(
        b2.Network(excite, inhibit, cells, plastic, fixed, spikes),
        by_name(excite, inhibit, cells, plastic, fixed, spikes),
        duration,
        DT,
        spikes=("spikes",),
        reads=("spikes.count", "plastic.w"),
        stimulus=stimulus,
        distributions=("plastic.w",),
        neurons=inputs + inputs // 5 + neurons,
        synapses=(inputs + inputs // 5) * neurons,
    )
