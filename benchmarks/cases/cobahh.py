"""COBAHH: a network of Hodgkin-Huxley neurons with conductance-based synapses.

Benchmark 3 of Brette et al. (2007), with the currents of Traub & Miles (1991): 80 % of the neurons
excite, and each pair is connected with a probability of 2 %. Other sizes have as many synapses
per neuron. Every presentation begins with other membrane potentials.
"""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import cm, ms, mV, nS, second, siemens, uF, um, volt

from gpurun.bench.suite.case import CaseNetwork, Stimulus

from ._common import by_name, random_pairs

TITLE = "COBAHH: Hodgkin-Huxley neurons, conductance-based synapses"
SOURCE = "Brette et al. (2007), J. Comput. Neurosci. 23, 349-398, benchmark 3"
DETERMINISTIC = True
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"neurons": 400, "duration": 0.03},
    "1k": {"neurons": 1000, "duration": 0.2},
    "quick": {"neurons": 1000, "duration": 0.1},
    "4k": {"neurons": 4000, "duration": 0.2},
    "full": {"neurons": 4000, "duration": 0.5},
    "16k": {"neurons": 16_000, "duration": 0.2},
}
SCALING = ("1k", "4k", "16k")

DT = 1e-4
SEED = 2007
#: Synapses onto a neuron, on average: 2 % of 4,000.
INDEGREE = 80

EQUATIONS = """
dv/dt = (g_leak*(e_leak - v) + ge*(e_excite - v) + gi*(e_inhibit - v)
         - g_na*m**3*h*(v - e_na) - g_k*n**4*(v - e_k)) / capacity : volt
dm/dt = alpha_m*(1 - m) - beta_m*m : 1
dn/dt = alpha_n*(1 - n) - beta_n*n : 1
dh/dt = alpha_h*(1 - h) - beta_h*h : 1
dge/dt = -ge / (5*ms) : siemens
dgi/dt = -gi / (10*ms) : siemens
u = (v - shift) / mV : 1
alpha_m = 0.32*4/exprel((13 - u)/4)/ms : Hz
beta_m = 0.28*5/exprel((u - 40)/5)/ms : Hz
alpha_h = 0.128*exp((17 - u)/18)/ms : Hz
beta_h = 4/(1 + exp((40 - u)/5))/ms : Hz
alpha_n = 0.032*5/exprel((15 - u)/5)/ms : Hz
beta_n = 0.5*exp((10 - u)/40)/ms : Hz
"""
AREA = 20_000 * um**2
PARAMETERS = {
    "capacity": 1 * uF / cm**2 * AREA,
    "g_leak": 5e-5 * siemens / cm**2 * AREA,
    "g_na": 0.1 * siemens / cm**2 * AREA,
    "g_k": 0.03 * siemens / cm**2 * AREA,
    "e_leak": -60 * mV,
    "e_na": 50 * mV,
    "e_k": -90 * mV,
    "e_excite": 0 * mV,
    "e_inhibit": -80 * mV,
    "shift": -63 * mV,
}


def create(neurons: int, duration: float) -> CaseNetwork:
    """Build it with `neurons` cells; a presentation lasts `duration` seconds."""
    b2.defaultclock.dt = DT * second
    generator = np.random.default_rng(SEED)
    # brian2's annotation of `refractory` leaves times out.
    refractory: Any = 3 * ms
    cells = b2.NeuronGroup(
        neurons,
        EQUATIONS,
        threshold="v > -20*mV",
        refractory=refractory,
        method="exponential_euler",
        namespace=PARAMETERS,
        name="cells",
    )
    excite = round(0.8 * neurons)
    first = b2.Subgroup(cells, 0, excite, name="first")
    others = b2.Subgroup(cells, excite, neurons, name="others")
    excitation = b2.Synapses(first, cells, on_pre="ge_post += 6*nS", name="excitation")
    inhibition = b2.Synapses(others, cells, on_pre="gi_post += 67*nS", name="inhibition")
    count = 0
    for sources, synapses in ((excite, excitation), (neurons - excite, inhibition)):
        i, j = random_pairs(generator, sources, neurons, INDEGREE / neurons)
        synapses.connect(i=i, j=j)
        count += i.size
    spikes = b2.SpikeMonitor(cells, name="spikes")

    def stimulus(number: int) -> Stimulus:
        drawn = np.random.default_rng([SEED, number]).normal(-0.065, 0.005, neurons)
        return {"cells.v": drawn}

    cells.v = stimulus(0)["cells.v"] * volt
    cells.ge = np.maximum(generator.normal(40, 15, neurons), 0) * nS
    cells.gi = np.maximum(generator.normal(200, 120, neurons), 0) * nS
    return CaseNetwork(
        b2.Network(cells, excitation, inhibition, spikes),
        by_name(cells, first, others, excitation, inhibition, spikes),
        duration,
        DT,
        spikes=("spikes",),
        reads=("spikes.count",),
        stimulus=stimulus,
        exact_for=0.1,
        neurons=neurons,
        synapses=count,
    )
