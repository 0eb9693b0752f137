"""A long run that is recorded: all spikes, and the membrane potentials of some neurons.

The network of Izhikevich (2003), a thousand neurons and a million synapses, goes on for a minute
of model time. What is recorded grows with the time: contenders that can, write it to disk while
they run.
"""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import ms, second

from gpurun.bench.suite.case import CaseNetwork

from ._common import by_name

TITLE = "A long run with spikes and membrane potentials recorded"
SOURCE = "Izhikevich (2003), IEEE Trans. Neural Netw. 14, 1569-1572"
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"neurons": 100, "traced": 5, "duration": 0.09},
    "quick": {"neurons": 1000, "traced": 100, "duration": 2.0},
    "10s": {"neurons": 1000, "traced": 100, "duration": 10.0},
    "30s": {"neurons": 1000, "traced": 100, "duration": 30.0},
    "full": {"neurons": 1000, "traced": 100, "duration": 60.0},
}
SCALING = ("10s", "30s", "full")
#: Monitors that may be written to disk during the run.
STREAMED = ("spikes", "trace")

DT = 5e-4
SEED = 2003
NEURONS = 1000

# Without units, as in the paper: millivolts and milliseconds
EQUATIONS = """
dv/dt = (0.04*v**2 + 5*v + 140 - u + noise)/ms : 1
du/dt = a*(b*v - u)/ms : 1
noise : 1
a : 1 (constant)
b : 1 (constant)
c : 1 (constant)
d : 1 (constant)
strength : 1 (constant)
"""


def create(neurons: int, traced: int, duration: float) -> CaseNetwork:
    """Build it with `neurons` cells, `traced` of them recorded, for `duration` seconds."""
    b2.defaultclock.dt = DT * second
    generator = np.random.default_rng(SEED)
    cells = b2.NeuronGroup(
        neurons,
        EQUATIONS,
        threshold="v >= 30",
        reset="v = c; u += d",
        method="euler",
        name="cells",
    )
    # Thalamic input, another one each millisecond
    thalamus = cells.run_regularly("noise = strength*randn()", dt=1 * ms, name="thalamus")
    excite = round(0.8 * neurons)
    excites = np.arange(neurons) < excite
    r = generator.random(neurons)
    cells.a = np.where(excites, 0.02, 0.02 + 0.08 * r)
    cells.b = np.where(excites, 0.2, 0.25 - 0.05 * r)
    cells.c = np.where(excites, -65 + 15 * r**2, -65)
    cells.d = np.where(excites, 8 - 6 * r**2, 2)
    cells.strength = np.where(excites, 5.0, 2.0)
    cells.v = -65
    cells.u = -65 * np.where(excites, 0.2, 0.25 - 0.05 * r)

    # The paper's input lasts for a millisecond: its sum is a step of the potential
    recurrent = b2.Synapses(
        cells, cells, "weight : 1 (constant)", on_pre="v_post += weight", name="recurrent"
    )
    recurrent.connect()
    drawn = generator.random((neurons, neurons)) * (NEURONS / neurons)
    drawn[:excite] *= 0.5
    drawn[excite:] *= -1
    recurrent.weight = drawn.reshape(-1)
    spikes = b2.SpikeMonitor(cells, name="spikes")
    trace = b2.StateMonitor(
        cells,
        "v",
        record=np.linspace(0, neurons, traced, endpoint=False, dtype=int),
        dt=1 * ms,
        name="trace",
    )
    return CaseNetwork(
        b2.Network(cells, recurrent, spikes, trace),
        by_name(cells, thalamus, recurrent, spikes, trace),
        duration,
        DT,
        spikes=("spikes",),
        reads=("spikes.i", "spikes.t", "trace.v"),
        neurons=neurons,
        synapses=neurons**2,
    )
