"""Models for what recording costs: the CUBA network with monitors and without, and noise."""

from __future__ import annotations

from typing import Any

import brian2 as b2
from brian2.units import ms

from benchmarks import cuba

STEP = 0.1 * ms
SEED = 20051117
# Brian's annotation of products of numbers and units says less than they are.
_ONE_STEP: Any = STEP


def cuba_network(traced: int) -> list[Any]:
    """Define brian2's CUBA network and a run of one step; returns what has to stay alive.

    Monitors record all spikes and the membrane potential of `traced` cells in every step; there
    are none if it is zero.
    """
    b2.defaultclock.dt = STEP
    b2.seed(SEED)
    cells = b2.NeuronGroup(
        cuba.NEURONS,
        cuba.EQUATIONS,
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=cuba.REFRACTORY,
        method="exact",
        name="cells",
    )
    cells.v = "-60*mV + rand()*10*mV"
    first: Any = cells[: cuba.EXCITATORY]
    others: Any = cells[cuba.EXCITATORY :]
    excitation = b2.Synapses(first, cells, on_pre="ge += 1.62*mV", name="excitation")
    inhibition = b2.Synapses(others, cells, on_pre="gi -= 9*mV", name="inhibition")
    for synapses in (excitation, inhibition):
        synapses.connect(p=cuba.CONNECTIVITY)
    parts: list[Any] = [cells, first, others, excitation, inhibition]
    if traced:
        parts.append(b2.SpikeMonitor(cells, name="spikes"))
        parts.append(b2.StateMonitor(cells, "v", record=range(traced), name="trace"))
    network = b2.Network(parts)
    network.run(_ONE_STEP)
    return [*parts, network]


def noise(neurons: int, steps: int) -> list[Any]:
    """Define a group whose noise is recorded in every step, and a run; returns what has to stay."""
    b2.defaultclock.dt = STEP
    b2.seed(SEED)
    cells = b2.NeuronGroup(
        neurons, "dv/dt = -v/(10*ms) + xi/sqrt(10*ms) : 1", method="euler", name="cells"
    )
    trace = b2.StateMonitor(cells, "v", record=True, name="trace")
    network = b2.Network(cells, trace)
    network.run(steps * _ONE_STEP)
    return [cells, trace, network]
