"""The network of the benchmarks: an unsupervised STDP network after Diehl & Cook (2015).

784 Poisson inputs, 400 excitatory and 400 inhibitory neurons, 313,600 plastic synapses,
one inhibitory partner per excitatory neuron, lateral inhibition of all others. One
presentation lasts 350 ms (700 steps of 0.5 ms). A small form of it is for trials where nothing
is measured.

Nothing random happens before the first time step: weights come from NumPy and all
connections are complete. So the random stream of a run is that of the Poisson inputs
alone, and two engines that start it with the same seed have to give identical spikes. With a
saturated stimulus (see `saturated`) the noise does not matter either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import Hz, ms, mV
from numpy.typing import NDArray

STEP = 0.5 * ms
# brian2's annotation of `refractory` leaves times out.
EXCITATORY_REFRACTORY: Any = 5 * ms
INHIBITORY_REFRACTORY: Any = 2 * ms
SEED = 20150803

EXCITATORY = """
dv/dt = ((-65*mV - v) + ge*(0*mV - v) + gi*(-100*mV - v)) / (100*ms) : volt (unless refractory)
dge/dt = -ge/(1*ms) : 1
dgi/dt = -gi/(2*ms) : 1
dtheta/dt = -theta/(1e7*ms) : volt
"""
INHIBITORY = """
dv/dt = ((-60*mV - v) + ge*(0*mV - v)) / (10*ms) : volt (unless refractory)
dge/dt = -ge/(1*ms) : 1
"""
PLASTIC = """
w : 1
dpre/dt = -pre/(20*ms) : 1 (event-driven)
dpost1/dt = -post1/(20*ms) : 1 (event-driven)
dpost2/dt = -post2/(40*ms) : 1 (event-driven)
"""
ON_PRE = """
ge_post += w
pre = 1
w = clip(w - 1e-4*post1, 0, 1)
"""
ON_POST = """
w = clip(w + 1e-2*pre*post2, 0, 1)
post1 = 1
post2 = 1
"""


@dataclass(frozen=True)
class Size:
    """How large the network is.

    Attributes
    ----------
    side : int
        Of the square image that is its input.
    neurons : int
        Excitatory ones, and as many inhibitory ones.
    steps : int
        Of one presentation.
    """

    side: int
    neurons: int
    steps: int

    @property
    def inputs(self) -> int:
        """One for each pixel."""
        return self.side**2

    @property
    def synapses(self) -> int:
        """The plastic ones."""
        return self.inputs * self.neurons


FULL = Size(side=28, neurons=400, steps=700)
SMALL = Size(side=4, neurons=16, steps=120)


@dataclass(frozen=True)
class DiehlCook:
    """The objects of the network that a benchmark talks to.

    Attributes
    ----------
    inputs : PoissonGroup
        With the variable `rates`.
    excitatory : NeuronGroup
        With the variable `theta`.
    synapses : Synapses
        With the plastic variable `w`.
    spikes : SpikeMonitor
        Of the excitatory neurons.
    network : Network
        All of it.
    """

    inputs: b2.PoissonGroup
    excitatory: b2.NeuronGroup
    synapses: b2.Synapses
    spikes: b2.SpikeMonitor
    network: b2.Network


def exact_arithmetic() -> None:
    """Set the compiler flags that make results comparable bit by bit.

    brian2's own, without fast-math and without the fusing of multiply and add.
    """
    b2.prefs["codegen.cpp.extra_compile_args_gcc"] = [
        "-w",
        "-O3",
        "-march=native",
        "-ffp-contract=off",
    ]


def first_weights(size: Size = FULL) -> NDArray[np.float64]:
    """Return the weights before any learning, shape (synapses,)."""
    return np.random.default_rng(SEED).uniform(0.003, 0.3, size.synapses)


def stimulus(number: int, size: Size = FULL) -> NDArray[np.float64]:
    """Return the rates of presentation `number` in Hz, shape (inputs,): a blurred stroke."""
    generator = np.random.default_rng([SEED, number + 1000])
    y, x = (np.mgrid[0 : size.side, 0 : size.side] - (size.side - 1) / 2) * (28 / size.side)
    angle, offset = generator.uniform(0, np.pi), generator.uniform(-4, 4)
    across = x * np.cos(angle) + y * np.sin(angle) - offset
    along = y * np.cos(angle) - x * np.sin(angle)
    image = np.exp(-((across / 1.5) ** 2)) * np.exp(-((along / 9) ** 4))
    # As much in all, however many pixels there are
    return np.ascontiguousarray(127.5 * (28 / size.side) ** 2 * image.reshape(size.inputs))


def saturated(number: int, size: Size = FULL) -> NDArray[np.float64]:
    """Return rates in Hz, shape (inputs,), of which no random number changes the outcome.

    One input fires in every step and the others never. Then a cell gets one plastic spike in a
    step at most, and several equal ones from the lateral inhibition, so that the order in which
    a card adds them does not matter either.
    """
    rates = np.zeros(size.inputs)
    # More than one spike per step, so that every number drawn from [0, 1] means one
    rates[(number * 37 + size.inputs // 2) % size.inputs] = float(4 / STEP / Hz)
    return rates


def create(size: Size = FULL) -> DiehlCook:
    """Define the network on the active device, and one run of it; nothing is built."""
    b2.defaultclock.dt = STEP
    b2.seed(SEED)
    inputs = b2.PoissonGroup(size.inputs, rates=np.zeros(size.inputs) * Hz, name="inputs")
    excitatory = b2.NeuronGroup(
        size.neurons,
        EXCITATORY,
        threshold="v > theta - 72*mV",
        reset="v = -65*mV; theta += 0.05*mV",
        refractory=EXCITATORY_REFRACTORY,
        method="euler",
        name="excitatory",
    )
    inhibitory = b2.NeuronGroup(
        size.neurons,
        INHIBITORY,
        threshold="v > -40*mV",
        reset="v = -45*mV",
        refractory=INHIBITORY_REFRACTORY,
        method="euler",
        name="inhibitory",
    )
    synapses = b2.Synapses(
        inputs, excitatory, PLASTIC, on_pre=ON_PRE, on_post=ON_POST, name="plastic"
    )
    synapses.connect()
    pairs = b2.Synapses(excitatory, inhibitory, on_pre="ge_post += 10.4", name="pairs")
    pairs.connect(j="i")
    lateral = b2.Synapses(inhibitory, excitatory, on_pre="gi_post += 17.0", name="lateral")
    lateral.connect(condition="i != j")
    spikes = b2.SpikeMonitor(excitatory, name="spikes")

    excitatory.v = -65 * mV
    excitatory.theta = 20 * mV
    inhibitory.v = -60 * mV
    synapses.w = first_weights(size)

    network = b2.Network(inputs, excitatory, inhibitory, synapses, pairs, lateral, spikes)
    network.run(size.steps * STEP)
    return DiehlCook(inputs, excitatory, synapses, spikes, network)
