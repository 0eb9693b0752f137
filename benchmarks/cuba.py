"""brian2's CUBA example: 4,000 cells, excitatory and inhibitory synapses, one spike monitor.

A current-based network after Vogels & Abbott (2005), as a benchmark of Brette et al. (2007):
three differential equations per cell and two groups of synapses with 2 % connectivity.
"""

from __future__ import annotations

from typing import Any

import brian2 as b2
from brian2.units import ms

NEURONS = 4000
EXCITATORY = 3200
CONNECTIVITY = 0.02
# brian2's annotation of `refractory` leaves times out.
REFRACTORY: Any = 5 * ms

EQUATIONS = """
dv/dt = (ge + gi - (v + 49*mV)) / (20*ms) : volt (unless refractory)
dge/dt = -ge / (5*ms) : volt
dgi/dt = -gi / (10*ms) : volt
"""


def create() -> list[Any]:
    """Define the network and one run of it on the active device; returns what has to stay."""
    cells = b2.NeuronGroup(
        NEURONS,
        EQUATIONS,
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=REFRACTORY,
        method="exact",
        name="cells",
    )
    cells.v = "-60*mV + rand()*10*mV"
    first: Any = cells[:EXCITATORY]
    others: Any = cells[EXCITATORY:]
    excitation = b2.Synapses(first, cells, on_pre="ge += 1.62*mV", name="excitation")
    inhibition = b2.Synapses(others, cells, on_pre="gi -= 9*mV", name="inhibition")
    for synapses in (excitation, inhibition):
        synapses.connect(p=CONNECTIVITY)
    spikes = b2.SpikeMonitor(cells, name="spikes")
    network = b2.Network(cells, excitation, inhibition, spikes)
    network.run(1000 * ms)
    return [cells, first, others, excitation, inhibition, spikes, network]
