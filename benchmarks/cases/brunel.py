"""The sparsely connected network of Brunel (2000), with heterogeneous delays.

Every neuron has as many inputs from outside as excitatory ones from the network, each a Poisson
process. With g = 5 and twice the rate that would reach threshold alone it is in the asynchronous
irregular state. Delays are spread evenly around the paper's 1.5 ms. Smaller networks have fewer
and stronger synapses, so that the mean input is the same.
"""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import Hz, ms, mV, second, volt

from gpurun.bench.suite.case import CaseNetwork

from ._common import by_name, fixed_indegree

TITLE = "Brunel: sparse network in the asynchronous irregular state, heterogeneous delays"
SOURCE = "Brunel (2000), J. Comput. Neurosci. 8, 183-208, model A"
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"neurons": 500, "duration": 0.03},
    "quick": {"neurons": 1250, "duration": 0.1},
    "1k": {"neurons": 1250, "duration": 0.2},
    "4k": {"neurons": 4000, "duration": 0.2},
    "full": {"neurons": 12_500, "duration": 0.2},
}
SCALING = ("1k", "4k", "full")

DT = 1e-4
SEED = 2000
#: Of the paper's size.
NEURONS, AMPLITUDE = 12_500, 0.1 * mV
#: Inhibition relative to excitation, and rate of an outer input.
G, RATE = 5, 20 * Hz
SHORTEST, LONGEST = 0.1 * ms, 2.9 * ms


def create(neurons: int, duration: float) -> CaseNetwork:
    """Build it with `neurons` cells, 80 % excitatory; a presentation lasts `duration` seconds."""
    b2.defaultclock.dt = DT * second
    generator = np.random.default_rng(SEED)
    excite = round(0.8 * neurons)
    populations = {"excitation": (excite, 1), "inhibition": (neurons - excite, -G)}
    amplitude = AMPLITUDE * (NEURONS / neurons)
    # brian2's annotation of `refractory` leaves times out.
    refractory: Any = 2 * ms
    cells = b2.NeuronGroup(
        neurons,
        "dv/dt = -v / (20*ms) : volt (unless refractory)",
        threshold="v > 20*mV",
        reset="v = 10*mV",
        refractory=refractory,
        method="exact",
        name="cells",
    )
    first = b2.Subgroup(cells, 0, excite, name="first")
    others = b2.Subgroup(cells, excite, neurons, name="others")
    pathways, count = [], 0
    for source, (name, (sources, factor)) in zip((first, others), populations.items(), strict=True):
        synapses = b2.Synapses(
            source,
            cells,
            on_pre="v_post += amplitude",
            namespace={"amplitude": factor * amplitude},
            name=name,
        )
        i, j = fixed_indegree(generator, sources, neurons, sources // 10)
        synapses.connect(i=i, j=j)
        synapses.delay = generator.uniform(SHORTEST / second, LONGEST / second, i.size) * second
        pathways.append(synapses)
        count += i.size
    outer = b2.PoissonInput(cells, "v", N=excite // 10, rate=RATE, weight=amplitude)
    spikes = b2.SpikeMonitor(cells, name="spikes")
    cells.v = generator.uniform(0, 0.020, neurons) * volt
    return CaseNetwork(
        b2.Network(cells, *pathways, outer, spikes),
        # Brian has no name for it that could be given
        {"outer": outer, **by_name(cells, first, others, *pathways, spikes)},
        duration,
        DT,
        spikes=("spikes",),
        reads=("spikes.count",),
        neurons=neurons,
        synapses=count,
    )
