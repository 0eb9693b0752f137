"""A sweep over two parameters: f-I curves of the adaptive exponential neuron.

The model of Brette & Gerstner (2005). Every presentation has another pair of values of
subthreshold adaptation `a` and spike-triggered adaptation `b`, and measures a whole curve: each
neuron has another input current.
"""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import amp, mV, second, siemens

from gpurun.bench.suite.case import CaseNetwork, Stimulus

from ._common import by_name

TITLE = "Sweep: f-I curves over two parameters of the adaptive exponential neuron"
SOURCE = "Brette & Gerstner (2005), J. Neurophysiol. 94, 3637-3642"
DETERMINISTIC = True
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"neurons": 20, "duration": 0.08},
    "100": {"neurons": 100, "duration": 0.2},
    "quick": {"neurons": 1000, "duration": 0.2},
    "full": {"neurons": 1000, "duration": 1.0},
    "10000": {"neurons": 10_000, "duration": 0.2},
}
SCALING = ("100", "quick", "10000")

DT = 1e-4
LARGEST = 2e-9
#: Values of `a` in siemens and of `b` in amperes; a presentation is a point of the grid.
A = np.linspace(0, 8e-9, 5)
B = np.linspace(0, 160.0e-12, 5)

EQUATIONS = """
dv/dt = (30*nS*(-70.6*mV - v) + 30*nS*(2*mV)*exp((v + 50.4*mV)/(2*mV)) + drive - w)
        / (281*pF) : volt
dw/dt = (a*(v + 70.6*mV) - w) / (144*ms) : amp
drive : amp (constant)
a : siemens (shared, constant)
b : amp (shared, constant)
"""


def create(neurons: int, duration: float) -> CaseNetwork:
    """Build it with `neurons` currents; a presentation lasts `duration` seconds."""
    b2.defaultclock.dt = DT * second
    cells = b2.NeuronGroup(
        neurons,
        EQUATIONS,
        threshold="v > -40.4*mV",
        reset="v = -70.6*mV; w += b",
        method="euler",
        name="cells",
    )
    spikes = b2.SpikeMonitor(cells, name="spikes")

    def stimulus(number: int) -> Stimulus:
        column, row = divmod(number % (A.size * B.size), A.size)
        return {"cells.a": float(A[row]), "cells.b": float(B[column])}

    first = stimulus(0)
    cells.a = first["cells.a"] * siemens
    cells.b = first["cells.b"] * amp
    cells.drive = np.linspace(0, LARGEST, neurons) * amp
    cells.v = -70.6 * mV
    return CaseNetwork(
        b2.Network(cells, spikes),
        by_name(cells, spikes),
        duration,
        DT,
        spikes=("spikes",),
        reads=("spikes.count",),
        stimulus=stimulus,
        neurons=neurons,
        synapses=0,
    )
