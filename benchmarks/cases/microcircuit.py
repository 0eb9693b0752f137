"""A square millimetre of early sensory cortex, scaled down: four layers, eight populations.

The model of Potjans & Diesmann (2014). `scale` is the fraction of its neurons and of the synapses
of each. What is left out is made up for as by van Albada et al. (2015): stronger weights keep the
variance of the input, a current keeps its mean. The inputs from outside are Poisson processes.
In every presentation those of one layer are more active, another one each time.
"""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import Hz, amp, ms, second, volt
from numpy.typing import NDArray

from gpurun.bench.suite.case import CaseNetwork, Stimulus

from ._common import by_name, fixed_number

TITLE = "Cortical microcircuit of eight populations, scaled down"
SOURCE = "Potjans & Diesmann (2014), Cereb. Cortex 24, 785-806"
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"scale": 0.005, "duration": 0.03},
    "quick": {"scale": 0.02, "duration": 0.1},
    "1.5k": {"scale": 0.02, "duration": 0.2},
    "4k": {"scale": 0.05, "duration": 0.2},
    "8k": {"scale": 0.1, "duration": 0.2},
    "full": {"scale": 0.1, "duration": 0.5},
    "15k": {"scale": 0.2, "duration": 0.2},
}
SCALING = ("1.5k", "4k", "8k", "15k")

DT = 1e-4
SEED = 2014
#: By population: layers 2/3, 4, 5 and 6, of each the excitatory and the inhibitory one.
NEURONS = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])
OUTER = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])
#: Spikes per second of the whole model, and of each input from outside.
RATES = np.array([0.971, 2.868, 4.746, 5.396, 8.142, 9.078, 0.991, 7.523])
OUTER_RATE = 8.0
#: Of two neurons to be connected at all; a row for each target, a column for each source.
PROBABILITIES = np.array(
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
    ]
)
#: Amplitude of a synaptic current in amperes, and of an inhibitory one relative to it.
WEIGHT, G = 87.8e-12, -4.0
#: Mean delays in seconds; their standard deviation is half of it.
DELAYS = np.array([1.5e-3, 0.75e-3] * 4)
TAU_SYN = 0.5e-3

EQUATIONS = """
dv/dt = (-65*mV - v) / (10*ms) + (current + constant) / (250*pF) : volt (unless refractory)
dcurrent/dt = -current / (0.5*ms) : amp
constant : amp (constant)
outer : Hz
"""


def create(scale: float, duration: float) -> CaseNetwork:
    """Build `scale` of it; a presentation lasts `duration` seconds."""
    b2.defaultclock.dt = DT * second
    generator = np.random.default_rng(SEED)
    sizes = np.round(NEURONS * scale).astype(int)
    population = np.repeat(np.arange(8), sizes)
    neurons = population.size
    means = _weights()
    stronger = 1 / np.sqrt(scale)
    # brian2's annotation of `refractory` leaves times out.
    refractory: Any = 2 * ms
    cells = b2.NeuronGroup(
        neurons,
        EQUATIONS,
        threshold="v > -50*mV",
        reset="v = -65*mV",
        refractory=refractory,
        method="exact",
        namespace={"amount": stronger * WEIGHT * amp},
        name="cells",
    )
    noise = cells.run_regularly("current += amount * poisson(outer*dt)", name="noise")
    i, j = _connections(generator, sizes, scale)
    source, target = population[i], population[j]
    recurrent = b2.Synapses(
        cells, cells, "w : amp (constant)", on_pre="current_post += w", name="recurrent"
    )
    recurrent.connect(i=i, j=j)
    drawn = means[target, source] * generator.normal(1, 0.1, i.size) * stronger
    recurrent.w = drawn * amp
    spread = generator.normal(1, 0.5, i.size)
    recurrent.delay = np.clip(DELAYS[source] * spread, DT, 8 * DELAYS[source]) * second
    spikes = b2.SpikeMonitor(cells, name="spikes")

    def stimulus(number: int) -> Stimulus:
        rates = scale * OUTER * OUTER_RATE
        layer = number % 4
        rates[2 * layer : 2 * layer + 2] *= 1.1
        return {"cells.outer": rates[population]}

    cells.outer = stimulus(0)["cells.outer"] * Hz
    cells.constant = _replacement(means, scale)[population] * amp
    cells.v = generator.normal(-0.058, 0.010, neurons) * volt
    return CaseNetwork(
        b2.Network(cells, recurrent, spikes),
        by_name(cells, noise, recurrent, spikes),
        duration,
        DT,
        spikes=("spikes",),
        reads=("spikes.count",),
        stimulus=stimulus,
        neurons=neurons,
        synapses=i.size,
    )


def _weights() -> NDArray[np.float64]:
    """Mean amplitudes in amperes, shape (targets, sources)."""
    means = np.tile([WEIGHT, G * WEIGHT] * 4, (8, 1))
    # From layer 4 to the pyramidal cells of layers 2/3
    means[0, 2] *= 2
    return means


def _synapses() -> NDArray[np.float64]:
    """How many synapses the whole model has, shape (targets, sources)."""
    pairs = np.outer(NEURONS, NEURONS).astype(float)
    return np.log(1 - PROBABILITIES) / np.log(1 - 1 / pairs)


def _connections(
    generator: np.random.Generator, sizes: NDArray[np.int64], scale: float
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    start = np.concatenate([[0], np.cumsum(sizes)])
    numbers = np.round(_synapses() * scale**2).astype(int)
    parts = []
    for (target, source), number in np.ndenumerate(numbers):
        i, j = fixed_number(generator, int(sizes[source]), int(sizes[target]), int(number))
        parts.append((i + np.int32(start[source]), j + np.int32(start[target])))
    i, j = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    order = np.lexsort((j, i))
    return i[order], j[order]


def _replacement(means: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """Currents in amperes that stand for the input that is missing, shape (populations,)."""
    indegrees = _synapses() / NEURONS[:, np.newaxis]
    whole = (means * indegrees) @ RATES + WEIGHT * OUTER * OUTER_RATE
    return TAU_SYN * (1 - np.sqrt(scale)) * whole
