"""Scripts that together use every template; each records its objects and returns them.

None of them draws random numbers, apart from those of `noise.py`.
"""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
from brian2 import (
    Cylinder,
    EventMonitor,
    NeuronGroup,
    PopulationRateMonitor,
    Soma,
    SpatialNeuron,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    run,
)
from brian2.core.base import BrianObject
from brian2.units import ms, mV, nA, um


def _objects(local: dict[str, Any]) -> dict[str, BrianObject]:
    return {name: value for name, value in local.items() if isinstance(value, BrianObject)}


def neurons() -> dict[str, BrianObject]:
    """Cells without synapses: inputs, refractoriness, events, monitors of parts."""
    N = 40
    drive = TimedArray(np.linspace(12, 24, 12) * mV, dt=3 * ms, name="drive")
    grid = TimedArray(np.sin(np.arange(6 * N).reshape(6, N)) * mV, dt=2.5 * ms, name="grid")
    cells = NeuronGroup(
        N,
        """dv/dt = (drive(t) + grid(t, i) + gain*mV - v)/tau : volt (unless refractory)
           tau : second (constant)
           gain : 1
           crossings : integer
           twice = 2*v : volt""",
        threshold="v > 15*mV",
        reset="v = -5*mV",
        refractory="2*ms + 0.1*i*ms",
        events={"high": "v > 10*mV and v < 11*mV"},
        method="exponential_euler",
        name="cells",
    )
    cells.tau = "5*ms + 0.2*i*ms"
    cells.v = "(i % 7)*mV"
    cells.gain[5:9] = "0.5*i"
    cells.gain["i > 30"] = 3
    cells.gain[10] = -1
    cells.run_on_event("high", "crossings += 1")
    cells.run_regularly("gain = clip(gain + 0.25*sin(t/ms), -4, 4)", dt=1 * ms, name="wobble")
    part = cells[10:25]
    spikes = SpikeMonitor(cells, variables=["v", "gain"], name="spikes")
    part_spikes = SpikeMonitor(part, name="part_spikes")
    crossed = EventMonitor(cells, "high", variables="v", name="crossed")
    part_crossed = EventMonitor(part, "high", name="part_crossed")
    trace = StateMonitor(cells, ["v", "gain", "twice"], record=[0, 3, 17, N - 1], name="trace")
    slow = StateMonitor(cells, "v", record=True, dt=1.5 * ms, name="slow")
    part_trace = StateMonitor(part, "v", record=[0, 4], name="part_trace")
    rate = PopulationRateMonitor(cells, name="rate")
    part_rate = PopulationRateMonitor(part, name="part_rate")
    indices = np.array([0, 3, 1, 3, 2, 0, 4])
    times = np.array([0, 0.3, 0.3, 1.1, 2.0, 2.4, 3.9]) * ms
    beat = SpikeGeneratorGroup(5, indices, times, period=4 * ms, name="beat")
    once = SpikeGeneratorGroup(5, indices, times, name="once")
    beats = SpikeMonitor(beat, name="beats")
    onces = SpikeMonitor(once, name="onces")
    run(30 * ms)
    return _objects(locals())


_LIF = "dv/dt = (mu - v)/(8*ms) : 1 (unless refractory)\nmu : 1"


def _population(N: int, name: str) -> NeuronGroup:
    cells = NeuronGroup(
        N,
        _LIF,
        threshold="v > 1",
        reset="v = 0",
        refractory=1 * ms,
        method="exact",
        name=name,
    )
    cells.v = "0.9*(i % 11)/11"
    cells.mu = "1.1 + 0.9*i/N"
    return cells


def delays() -> dict[str, BrianObject]:
    """A network with no, a constant, homogeneous and heterogeneous delays."""
    cells = _population(60, "cells")
    excited, others = cells[:45], cells[45:]
    direct = Synapses(excited, cells, on_pre="v_post += 0.011", name="direct")
    direct.connect("(i*7 + j*3) % 11 == 0 and i != j")
    constant = Synapses(others, cells, on_pre="v_post -= 0.043", delay=1.3 * ms, name="constant")
    constant.connect(j="k for k in range(i % 4, N_post, 5)")
    homogeneous = Synapses(cells, cells, "w : 1", on_pre="v_post += w", name="homogeneous")
    sources = np.arange(120) * 13 % 60
    targets = np.arange(120) * 29 % 60
    homogeneous.connect(i=sources, j=targets)
    homogeneous.w = "0.002 + 0.0001*j"
    homogeneous.delay = 0.7 * ms
    mixed = Synapses(cells, excited, "w : 1", on_pre="v_post += w", name="mixed")
    mixed.connect(j="k for k in range(N_post) if (i + k) % 6 == 0")
    mixed.w = "0.003 + 0.0002*(i % 5)"
    mixed.delay = "0.1*((i + 3*j) % 40)*ms"
    spikes = SpikeMonitor(cells, name="spikes")
    trace = StateMonitor(cells, "v", record=[0, 20, 59], name="trace")
    rate = PopulationRateMonitor(excited, name="rate")
    run(40 * ms)
    return _objects(locals())


def plasticity() -> dict[str, BrianObject]:
    """STDP with delays, summed variables, several synapses per pair, effects on sources."""
    inputs = SpikeGeneratorGroup(
        20, np.arange(200) * 7 % 20, np.arange(200) // 20 * 3 * ms + np.arange(200) % 9 * 0.2 * ms,
        name="inputs",
    )  # fmt: skip
    cells = NeuronGroup(
        15,
        """dv/dt = (1.1 + pull - v)/(10*ms) : 1
           pull : 1
           seen : 1""",
        threshold="v > 1",
        reset="v -= 1",
        method="euler",
        name="cells",
    )
    cells.v = "i/15.0"
    stdp = Synapses(
        inputs,
        cells,
        """w : 1
           dapre/dt = -apre/(12*ms) : 1 (event-driven)
           dapost/dt = -apost/(9*ms) : 1 (event-driven)""",
        on_pre={
            "pre": "v_post += w\napre += 0.004\nw = clip(w + apost, 0, 0.2)",
            "late": "w = clip(w*0.999, 0, 0.2)",
        },
        on_post="apost -= 0.0045\nw = clip(w + apre, 0, 0.2)",
        name="stdp",
    )
    stdp.connect("(i + j) % 3 != 0")
    stdp.w = "0.02 + 0.001*i + 0.002*j"
    stdp.pre.delay = "0.2*(i % 5)*ms"
    stdp.post.delay = 0.4 * ms
    stdp.late.delay = "2*ms + 0.1*j*ms"
    stdp.run_regularly("w = clip(w - 0.0005*int(i == j), 0, 0.2)", dt=5 * ms, name="decay")
    coupling = Synapses(
        cells, cells, "g : 1\npull_post = g*(v_pre - v_post) : 1 (summed)", name="coupling"
    )
    coupling.connect("abs(i - j) <= 2 and i != j")
    coupling.g = "0.05 + 0.01*(i % 2)"
    many = Synapses(
        cells,
        cells,
        """w : 1
           dx/dt = (w - x)/(20*ms) : 1 (clock-driven)""",
        on_pre="v_post += 0.01*x\nx += w",
        multisynaptic_index="which",
        method="exact",
        name="many",
    )
    many.connect("i == (j + 1) % N_pre", n=3)
    many.connect(i=[0, 0, 4], j=[2, 2, 4], n=2)
    many.w = "0.1*(which + 1)"
    many.delay = "0.5*which*ms + 0.1*ms"
    back = Synapses(cells[3:12], cells[:6], on_pre="seen_pre += 0.5", name="back")
    back.connect("j < 4")
    weights = StateMonitor(stdp, ["w", "apre"], record=[0, 7, 50], dt=0.5 * ms, name="weights")
    inner = StateMonitor(many, "x", record=range(12), dt=2 * ms, name="inner")
    spikes = SpikeMonitor(cells, name="spikes")
    run(35 * ms)
    return _objects(locals())


def cable() -> dict[str, BrianObject]:
    """A spatial neuron with branches, and synapses onto it."""
    morphology = Soma(diameter=30 * um)
    morphology.axon = Cylinder(length=100 * um, diameter=1 * um, n=8)
    morphology.dendrite = Cylinder(length=60 * um, diameter=2 * um, n=5)
    morphology.dendrite.left = Cylinder(length=40 * um, diameter=1 * um, n=4)
    morphology.dendrite.right = Cylinder(length=30 * um, diameter=1.5 * um, n=3)
    neuron = SpatialNeuron(
        morphology,
        """Im = gl*(-65*mV - v) : amp/meter**2
           gl : siemens/meter**2
           I : amp (point current)
           Is = gs*(0*mV - v) : amp (point current)
           dgs/dt = -gs/(4*ms) : siemens""",
        threshold="v > -55*mV",
        threshold_location=morphology.axon[4],
        refractory=3 * ms,
        Cm=1 * b2.ufarad / b2.cm**2,
        Ri=100 * b2.ohm * b2.cm,
        method="exponential_euler",
        name="neuron",
    )
    neuron.v = -65 * mV
    neuron.gl = "1e-4*siemens/cm**2*(1 + 0.1*i)"
    neuron.I[0] = 0.2 * nA
    neuron.dendrite.left.I = 0.01 * nA
    ticks = SpikeGeneratorGroup(3, [0, 1, 2, 0], [1, 2, 4, 7] * ms, name="ticks")
    contact = Synapses(ticks, neuron, on_pre="gs_post += 3*nS", name="contact")
    contact.connect(i=[0, 1, 2], j=[3, 12, 18])
    trace = StateMonitor(neuron, ["v", "gs"], record=True, dt=0.5 * ms, name="trace")
    axon = StateMonitor(neuron.axon, "v", record=[0, 7], name="axon")
    spikes = SpikeMonitor(neuron, name="spikes")
    run(15 * ms)
    return _objects(locals())


def two_runs() -> dict[str, BrianObject]:
    """Two runs with changes between them, in what brian2cuda gets right."""
    cells = _population(30, "cells")
    links = Synapses(cells, cells, "w : 1", on_pre="v_post += w", delay=0.9 * ms, name="links")
    links.connect("(i + 2*j) % 7 == 0")
    links.w = 0.01
    spikes = SpikeMonitor(cells, name="spikes")
    trace = StateMonitor(cells, "v", record=[1, 5], name="trace")
    run(12 * ms)
    links.w = "0.02 - 0.0001*i"
    cells.mu["i % 2 == 0"] = "mu + 0.1"
    cells.v["i < 10"] = 0.25
    run(13 * ms)
    return _objects(locals())
