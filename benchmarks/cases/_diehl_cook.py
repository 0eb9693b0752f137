"""The network of Diehl & Cook (2015), with weights that learn or that stay as they are."""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import Hz, ms, mV, second
from numpy.typing import NDArray

from gpurun.bench.suite.case import CaseNetwork, Stimulus
from gpurun.datasets import digits

from ._common import by_name

SOURCE = "Diehl & Cook (2015), Front. Comput. Neurosci. 9, 99"
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"side": 8, "neurons": 20, "duration": 0.09},
    "quick": {"side": 28, "neurons": 100, "duration": 0.35},
    "full": {"side": 28, "neurons": 400, "duration": 0.35},
    "1600": {"side": 28, "neurons": 1600, "duration": 0.35},
}
SCALING = ("quick", "full", "1600")

DT = 5e-4
SEED = 2015
#: Rate of a pixel of full ink, and how much ink a digit of MNIST has on average.
BRIGHTEST, INK = 63.75, 0.13 * 28**2
#: Sum of the weights onto a neuron, as a fraction of the number of inputs.
NORMAL = 0.1

EXCITATORY = """
dv/dt = ((-65*mV - v) + ge*(0*mV - v) + gi*(-100*mV - v)) / (100*ms) : volt (unless refractory)
dge/dt = -ge/(1*ms) : 1
dgi/dt = -gi/(2*ms) : 1
"""
ADAPTIVE = "dtheta/dt = -theta/(1e7*ms) : volt"
FIXED = "theta : volt (constant)"
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


def create(side: int, neurons: int, duration: float, *, plastic: bool) -> CaseNetwork:
    """Build it for images of `side` times `side` pixels, of which one is shown.

    Parameters
    ----------
    side : int
        8 or more, the size of the images that are enlarged to it.
    neurons : int
        Excitatory ones, and as many inhibitory ones.
    duration : float
        Seconds for which an image is shown.
    plastic : bool
        Weights and thresholds learn, beginning with random weights, and go on from presentation
        to presentation. Else they are as if learned, and stay so.
    """
    b2.defaultclock.dt = DT * second
    pixels = side**2
    images = enlarged(side)
    # brian2's annotation of `refractory` leaves times out.
    long: Any = 5 * ms
    short: Any = 2 * ms
    inputs = b2.PoissonGroup(pixels, rates=0 * Hz, name="inputs")
    excitatory = b2.NeuronGroup(
        neurons,
        EXCITATORY + (ADAPTIVE if plastic else FIXED),
        threshold="v > theta - 72*mV",
        reset="v = -65*mV; theta += 0.05*mV" if plastic else "v = -65*mV",
        refractory=long,
        method="euler",
        name="excitatory",
    )
    inhibitory = b2.NeuronGroup(
        neurons,
        INHIBITORY,
        threshold="v > -40*mV",
        reset="v = -45*mV",
        refractory=short,
        method="euler",
        name="inhibitory",
    )
    if plastic:
        forward = b2.Synapses(
            inputs, excitatory, PLASTIC, on_pre=ON_PRE, on_post=ON_POST, name="forward"
        )
    else:
        forward = b2.Synapses(
            inputs, excitatory, "w : 1 (constant)", on_pre="ge_post += w", name="forward"
        )
    forward.connect()
    pairs = b2.Synapses(excitatory, inhibitory, on_pre="ge_post += 10.4", name="pairs")
    pairs.connect(j="i")
    lateral = b2.Synapses(inhibitory, excitatory, on_pre="gi_post += 17.0", name="lateral")
    lateral.connect(condition="i != j")
    spikes = b2.SpikeMonitor(excitatory, name="spikes")

    def stimulus(number: int) -> Stimulus:
        ink = images[number % len(images)]
        return {"inputs.rates": BRIGHTEST * INK * ink / ink.sum()}

    inputs.rates = stimulus(0)["inputs.rates"] * Hz
    excitatory.v = -65 * mV
    excitatory.theta = 20 * mV
    inhibitory.v = -60 * mV
    forward.w = _weights(images, neurons, learned=not plastic).reshape(-1)
    return CaseNetwork(
        b2.Network(inputs, excitatory, inhibitory, forward, pairs, lateral, spikes),
        by_name(inputs, excitatory, inhibitory, forward, pairs, lateral, spikes),
        duration,
        DT,
        spikes=("spikes",),
        reads=("spikes.count",),
        stimulus=stimulus,
        distributions=("forward.w", "excitatory.theta") if plastic else (),
        carry=("forward.w", "excitatory.theta") if plastic else (),
        neurons=pixels + 2 * neurons,
        synapses=pixels * neurons + neurons**2,
    )


def enlarged(side: int) -> NDArray[np.float64]:
    """The digits that come with gpurun, as ink from 0 to 1, shape (images, side * side)."""
    images = digits().images / 16
    nearest = np.arange(side) * images.shape[1] // side
    return images[:, nearest][:, :, nearest].reshape(len(images), side**2)


def _weights(images: NDArray[np.float64], neurons: int, *, learned: bool) -> NDArray[np.float64]:
    """Weights onto the excitatory neurons, shape (pixels, neurons)."""
    pixels = images.shape[1]
    weights = np.random.default_rng(SEED).uniform(0.003, 0.3, (pixels, neurons))
    if learned:
        # Each has learned a digit
        weights = 0.1 * weights + images[np.arange(neurons) % len(images)].T
    return weights * (NORMAL * pixels / weights.sum(axis=0))
