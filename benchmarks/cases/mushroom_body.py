"""The mushroom body of an insect: projection neurons, Kenyon cells, and neurons of the lobes.

The network that Brian2CUDA and Brian2GeNN are compared with, after Nowotny et al. (2005): odours
are patterns of projection neurons that fire together every 50 ms, Kenyon cells and lobe neurons
have the currents of Traub & Miles (1991), the connections between them are plastic, and the lobe
neurons inhibit each other. All input spikes are drawn before, so that nothing is random then; every
presentation is the same.
"""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import mV, nF, nS, second, siemens, uS
from numpy.typing import NDArray

from gpurun.bench.suite.case import CaseNetwork

from ._common import by_name, random_pairs

TITLE = "Mushroom body: Hodgkin-Huxley neurons and plastic synapses"
SOURCE = "Alevi et al. (2022), Front. Neuroinform. 16, 883700, after Nowotny et al. (2005)"
DETERMINISTIC = True
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"kenyon": 200, "duration": 0.03},
    "quick": {"kenyon": 500, "duration": 0.1},
    "1k": {"kenyon": 1000, "duration": 0.2},
    "3k": {"kenyon": 2500, "duration": 0.2},
    "full": {"kenyon": 2500, "duration": 0.5},
    "10k": {"kenyon": 10_000, "duration": 0.2},
}
SCALING = ("1k", "3k", "10k")

DT = 1e-4
SEED = 2005
PROJECTION, LOBE = 100, 100
#: Kenyon cells that a lobe neuron has synapses from, at most.
MOST = 10_000
ODOURS, INTERVAL = 10, 0.050
#: Of all amplitudes but the plastic ones, for sensible activity.
SCALE = 0.675

MEMBRANE = """
dv/dt = (g_leak*(e_leak - v) + g_na*m**3*h*(e_na - v) + g_k*n**4*(e_k - v) + current)
        / capacity : volt
dm/dt = alpha_m*(1 - m) - beta_m*m : 1
dn/dt = alpha_n*(1 - n) - beta_n*n : 1
dh/dt = alpha_h*(1 - h) - beta_h*h : 1
u = (v - shift) / mV : 1
alpha_m = 0.32*4/exprel((13 - u)/4)/ms : Hz
beta_m = 0.28*5/exprel((u - 40)/5)/ms : Hz
alpha_h = 0.128*exp((17 - u)/18)/ms : Hz
beta_h = 4/(1 + exp((40 - u)/5))/ms : Hz
alpha_n = 0.032*5/exprel((15 - u)/5)/ms : Hz
beta_n = 0.5*exp((10 - u)/40)/ms : Hz
"""
KENYON = """
current = g*(0*mV - v) : amp
dg/dt = -g / (2*ms) : siemens
"""
LOBES = """
current = g*(0*mV - v) + gi*(-92*mV - v) : amp
dg/dt = -g / (10*ms) : siemens
dgi/dt = -gi / (5*ms) : siemens
"""
PARAMETERS = {
    "capacity": 0.3 * nF,
    "g_leak": 0.0267 * uS,
    "g_na": 7.15 * uS,
    "g_k": 1.43 * uS,
    "e_leak": -63.56 * mV,
    "e_na": 50 * mV,
    "e_k": -95 * mV,
    "shift": -63 * mV,
}
PLASTIC = """
w : siemens
dpre/dt = -pre / (10*ms) : siemens (event-driven)
dpost/dt = -post / (10*ms) : siemens (event-driven)
"""
ON_PRE = """
g_post += w
pre += learn
w = clip(w + post, 0*nS, largest)
"""
ON_POST = """
post -= learn
w = clip(w + pre, 0*nS, largest)
"""


def create(kenyon: int, duration: float) -> CaseNetwork:
    """Build it with `kenyon` Kenyon cells; a presentation lasts `duration` seconds."""
    b2.defaultclock.dt = DT * second
    generator = np.random.default_rng(SEED)
    # Drawn apart, so that the network does not depend on how long it runs
    indices, times = odours(np.random.default_rng([SEED, 1]), duration)
    projection = b2.SpikeGeneratorGroup(PROJECTION, indices, times * second, name="projection")
    cells = _neurons(kenyon, KENYON, "cells")
    lobe = _neurons(LOBE, LOBES, "lobe")

    # Fewer synapses are stronger ones
    factor = max(2500 / min(kenyon, MOST), 1.0)
    largest = 3.75e-9 * factor
    forward = b2.Synapses(
        projection, cells, "w : siemens (constant)", on_pre="g_post += w", name="forward"
    )
    i, j = random_pairs(generator, PROJECTION, kenyon, 0.15)
    forward.connect(i=i, j=j)
    forward.w = SCALE * generator.normal(10e-9, 1.25e-9, i.size) * siemens
    plastic = b2.Synapses(
        cells,
        lobe,
        PLASTIC,
        on_pre=ON_PRE,
        on_post=ON_POST,
        namespace={"largest": largest * siemens, "learn": factor * 0.1 * nS},
        name="plastic",
    )
    i_plastic, j_plastic = random_pairs(generator, kenyon, LOBE, min(MOST / kenyon, 1.0))
    plastic.connect(i=i_plastic, j=j_plastic)
    plastic.w = _weights(generator, i_plastic.size, factor, largest) * siemens
    mutual = b2.Synapses(
        lobe,
        lobe,
        on_pre="gi_post += amount",
        namespace={"amount": SCALE * 75 * nS},
        name="mutual",
    )
    mutual.connect()

    cell_spikes = b2.SpikeMonitor(cells, name="cell_spikes")
    lobe_spikes = b2.SpikeMonitor(lobe, name="lobe_spikes")
    return CaseNetwork(
        b2.Network(projection, cells, lobe, forward, plastic, mutual, cell_spikes, lobe_spikes),
        by_name(projection, cells, lobe, forward, plastic, mutual, cell_spikes, lobe_spikes),
        duration,
        DT,
        spikes=("cell_spikes", "lobe_spikes"),
        reads=("cell_spikes.count", "lobe_spikes.count", "plastic.w"),
        distributions=("plastic.w",),
        exact_for=0.1,
        neurons=PROJECTION + kenyon + LOBE,
        synapses=i.size + i_plastic.size + LOBE**2,
    )


def _neurons(count: int, synapses: str, name: str) -> b2.NeuronGroup:
    # brian2's annotation of `refractory` leaves conditions out.
    condition: Any = "v > 0*mV"
    group = b2.NeuronGroup(
        count,
        MEMBRANE + synapses,
        threshold="v > 0*mV",
        refractory=condition,
        method="exponential_euler",
        namespace=PARAMETERS,
        name=name,
    )
    group.v = -63.56 * mV
    group.h = 1
    group.n = 0.5
    return group


def odours(
    generator: np.random.Generator, duration: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Draw the spikes of the projection neurons.

    Each of ten odours is a fifth of the neurons. One is presented every 50 ms, with a tenth of its
    neurons replaced by others.

    Returns
    -------
    indices, times : numpy.ndarray
        Of shape (spikes,); times in seconds.
    """
    size = PROJECTION // 5
    patterns = [generator.choice(PROJECTION, size, replace=False) for _ in range(ODOURS)]
    indices, times = [], []
    for number in range(int(np.ceil(duration / INTERVAL))):
        pattern = patterns[generator.integers(ODOURS)].copy()
        replaced = generator.random(size) < 0.1
        pattern[replaced] = generator.integers(PROJECTION, size=replaced.sum())
        found = np.unique(pattern)
        indices.append(found)
        times.append(np.full(found.size, number * INTERVAL + generator.uniform(0.001, 0.003)))
    return np.concatenate(indices), np.concatenate(times)


def _weights(
    generator: np.random.Generator, count: int, factor: float, largest: float
) -> NDArray[np.float64]:
    """Plastic weights before learning, in siemens: a fifth of them is strong."""
    weak = generator.uniform(0, largest / 10, count)
    strong = factor * generator.normal(2.5e-9, 0.5e-9, count)
    return np.where(generator.random(count) < 0.2, np.clip(strong, 0, largest), weak)
