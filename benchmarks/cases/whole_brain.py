"""Integrate-and-fire neurons as many as a fly's brain has, sparsely connected.

The equations and constants are those of Shiu et al. (2024), the size that of the FlyWire
connectome. The connections are random and the numbers of synaptic contacts are drawn from a
distribution with a long tail, instead of the measured ones. As there, some sensory neurons are
driven by Poisson processes while nothing else is active by itself. Every presentation drives
another part of them.
"""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import Hz, ms, mV, second, volt

from gpurun.bench.suite.case import CaseNetwork, Stimulus

from ._common import by_name, random_pairs

TITLE = "Integrate-and-fire neurons of a whole fly's brain, random connections"
SOURCE = "Shiu et al. (2024), Nature 634, 210-219; synthetic connections and weights"
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"neurons": 1000, "duration": 0.03},
    "quick": {"neurons": 14_000, "duration": 0.1},
    "14k": {"neurons": 14_000, "duration": 0.2},
    "46k": {"neurons": 46_000, "duration": 0.2},
    "138k": {"neurons": 138_000, "duration": 0.2},
    "full": {"neurons": 138_000, "duration": 0.5},
}
SCALING = ("14k", "46k", "138k")

DT = 1e-4
SEED = 2024
#: Connections of a neuron on average: 5.5 million in all at full size.
INDEGREE = 40
#: Of one synaptic contact, in volts.
CONTACT = 0.275e-3
DRIVEN, DRIVEN_RATE = 0.02, 150.0

EQUATIONS = """
dv/dt = (rest - v + g) / (20*ms) : volt (unless refractory)
dg/dt = -g / (5*ms) : volt (unless refractory)
"""


def create(neurons: int, duration: float) -> CaseNetwork:
    """Build it with `neurons` cells; a presentation lasts `duration` seconds."""
    b2.defaultclock.dt = DT * second
    generator = np.random.default_rng(SEED)
    # brian2's annotation of `refractory` leaves times out.
    refractory: Any = 2.2 * ms
    cells = b2.NeuronGroup(
        neurons,
        EQUATIONS,
        threshold="v > -45*mV",
        reset="v = rest; g = 0*mV",
        refractory=refractory,
        method="exact",
        namespace={"rest": -52 * mV},
        name="cells",
    )
    recurrent = b2.Synapses(
        cells,
        cells,
        "w : volt (constant)",
        on_pre="g_post += w",
        delay=1.8 * ms,
        name="recurrent",
    )
    i, j = random_pairs(generator, neurons, neurons, INDEGREE / neurons, apart=True)
    recurrent.connect(i=i, j=j)
    # A third of the neurons inhibit; connections of fewer than five contacts were left out
    sign = np.where(generator.random(neurons) < 1 / 3, -1, 1)
    contacts = 5 + np.floor(generator.lognormal(1.5, 1.2, i.size))
    recurrent.w = sign[i] * contacts * CONTACT * volt

    driven = round(DRIVEN * neurons)
    inputs = b2.PoissonGroup(driven, rates=0 * Hz, name="inputs")
    drive = b2.Synapses(inputs, cells, on_pre="v_post += 68.75*mV", name="drive")
    drive.connect(i=np.arange(driven), j=generator.choice(neurons, driven, replace=False))
    spikes = b2.SpikeMonitor(cells, name="spikes")

    def stimulus(number: int) -> Stimulus:
        chosen = np.random.default_rng([SEED, number]).random(driven) < 0.5
        return {"inputs.rates": np.where(chosen, DRIVEN_RATE, 0.0)}

    inputs.rates = stimulus(0)["inputs.rates"] * Hz
    cells.v = -52 * mV
    return CaseNetwork(
        b2.Network(cells, recurrent, inputs, drive, spikes),
        by_name(cells, recurrent, inputs, drive, spikes),
        duration,
        DT,
        spikes=("spikes",),
        reads=("spikes.count",),
        stimulus=stimulus,
        neurons=neurons + driven,
        synapses=i.size + driven,
    )
