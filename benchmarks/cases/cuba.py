"""CUBA: a network of integrate-and-fire neurons with current-based synapses.

Benchmark 2 of Brette et al. (2007), from Vogels & Abbott (2005): 80 % of the neurons excite, each
pair is connected with a probability of 2 %, and activity goes on by itself. Other sizes have as
many synapses per neuron. Every presentation begins with other membrane potentials.
"""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import ms, mV, second

from gpurun.bench.suite.case import CaseNetwork, Stimulus

from ._common import by_name, random_pairs

TITLE = "CUBA: integrate-and-fire neurons, current-based synapses"
SOURCE = "Brette et al. (2007), J. Comput. Neurosci. 23, 349-398, benchmark 2"
DETERMINISTIC = True
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"neurons": 400, "duration": 0.05},
    "1k": {"neurons": 1000, "duration": 0.2},
    "quick": {"neurons": 4000, "duration": 0.1},
    "4k": {"neurons": 4000, "duration": 0.2},
    "full": {"neurons": 4000, "duration": 1.0},
    "16k": {"neurons": 16_000, "duration": 0.2},
}
SCALING = ("1k", "4k", "16k")

DT = 1e-4
SEED = 2007
#: Synapses onto a neuron, on average: 2 % of 4,000.
INDEGREE = 80

EQUATIONS = """
dv/dt = (ge + gi - (v - rest)) / (20*ms) : volt (unless refractory)
dge/dt = -ge / (5*ms) : volt
dgi/dt = -gi / (10*ms) : volt
"""


def create(neurons: int, duration: float) -> CaseNetwork:
    """Build it with `neurons` cells; a presentation lasts `duration` seconds."""
    b2.defaultclock.dt = DT * second
    generator = np.random.default_rng(SEED)
    # brian2's annotation of `refractory` leaves times out.
    refractory: Any = 5 * ms
    cells = b2.NeuronGroup(
        neurons,
        EQUATIONS,
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=refractory,
        method="exact",
        namespace={"rest": -49 * mV},
        name="cells",
    )
    excite = round(0.8 * neurons)
    first = b2.Subgroup(cells, 0, excite, name="first")
    others = b2.Subgroup(cells, excite, neurons, name="others")
    excitation = b2.Synapses(first, cells, on_pre="ge_post += 1.62*mV", name="excitation")
    inhibition = b2.Synapses(others, cells, on_pre="gi_post -= 9*mV", name="inhibition")
    count = 0
    for sources, synapses in ((excite, excitation), (neurons - excite, inhibition)):
        i, j = random_pairs(generator, sources, neurons, INDEGREE / neurons)
        synapses.connect(i=i, j=j)
        count += i.size
    spikes = b2.SpikeMonitor(cells, name="spikes")

    def stimulus(number: int) -> Stimulus:
        drawn = np.random.default_rng([SEED, number]).uniform(-0.060, -0.050, neurons)
        return {"cells.v": drawn}

    cells.v = stimulus(0)["cells.v"] * b2.volt
    return CaseNetwork(
        b2.Network(cells, excitation, inhibition, spikes),
        by_name(cells, first, others, excitation, inhibition, spikes),
        duration,
        DT,
        spikes=("spikes",),
        reads=("spikes.count",),
        stimulus=stimulus,
        exact_for=0.2,
        neurons=neurons,
        synapses=count,
    )
