"""Scripts that make use of the templates of the CUDA backend."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import cm, metre, ms, mV, nA, ohm, siemens, uF, um

import gpurun
from gpurun.results import RunResult

from .backends import FLAGS
from .values import Values

#: Model time of a run.
DURATION = 12 * ms
#: Overrides of a run, by the names in the manifest.
Overrides = Mapping[str, Any]


def recorded() -> None:
    """Neurons and spike generators with every kind of monitor, on subgroups, too."""
    cells = b2.NeuronGroup(
        300,
        """dv/dt = (I - v)/(10*ms) : 1 (unless refractory)
           I : 1
           b = v > 0.5 : boolean
           # Shared statements and those for each element have their own copy of dt
           steps = timestep(I*ms, dt) + timestep(t, dt) : integer""",
        threshold="v > 1",
        reset="v = 0",
        refractory=2 * ms,
        method="exact",
        events={"high": "v > 0.9"},
        name="cells",
    )
    cells.I = "i * 0.01"
    cells.run_on_event("high", "v += 0.01")
    periodic = b2.SpikeGeneratorGroup(
        5, [0, 1, 2, 3, 4, 4, 0], [0, 1, 1, 2, 3, 4, 4] * ms, period=5 * ms, name="periodic"
    )
    once = b2.SpikeGeneratorGroup(
        50, np.arange(40)[::-1], (np.arange(40) % 7) * ms, sorted=False, name="once"
    )
    part = cells[100:250]
    lateral = b2.Synapses(cells, cells, "w : 1\nx : 1", on_pre="v_post += w", name="lateral")
    lateral.connect(condition="(i*7 + j*3) % 10 == 0")
    lateral.w = "0.001*((i + j) % 5)"
    lateral.x = "i"
    kicks = b2.Synapses(periodic, cells, on_pre="v_post += 0.2", name="kicks")
    kicks.connect(condition="j % 5 == i")
    others = b2.Synapses(once, cells[100:150], on_pre="v_post += 0.2", name="others")
    others.connect(j="i")
    monitors = [
        b2.SpikeMonitor(cells, variables=["v", "steps"], name="spikes"),
        b2.SpikeMonitor(part, name="spikes_of_part"),
        b2.SpikeMonitor(cells, record=False, name="counted"),
        b2.SpikeMonitor(cells, record=False, variables=["I", "v"], name="unnamed"),
        b2.EventMonitor(cells, "high", variables="I", name="events"),
        b2.EventMonitor(part, "high", name="events_of_part"),
        b2.SpikeMonitor(periodic, name="generated"),
        b2.SpikeMonitor(once, name="generated_once"),
        b2.StateMonitor(
            cells, ["v", "b", "not_refractory", "steps"], record=[3, 299, 7, 7], name="states"
        ),
        b2.StateMonitor(cells, "v", record=True, dt=0.3 * ms, when="end", name="all_states"),
        b2.StateMonitor(part, "v", record=[0, 5], name="states_of_part"),
        b2.StateMonitor(lateral, ["w", "x", "v_post"], record=[1, 4, 10], name="of_synapses"),
        b2.StateMonitor(cells, "v", record=False, name="times_only"),
        b2.PopulationRateMonitor(cells, name="rate"),
        b2.PopulationRateMonitor(part, name="rate_of_part"),
        b2.PopulationRateMonitor(periodic, name="rate_generated"),
    ]
    b2.Network(cells, periodic, once, lateral, kicks, others, monitors).run(DURATION)


def summed() -> None:
    """Sums over synapses: before and behind them, on subgroups, of other synapses, of itself."""
    cells = b2.NeuronGroup(
        60,
        """dv/dt = (0.5 + g - v)/(5*ms) : 1
           g : 1
           h : 1
           r : 1
           k : integer""",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="cells",
    )
    cells.v = "i / 60."
    sums = b2.Synapses(
        cells,
        cells,
        """ds/dt = -s/(3*ms) : 1 (clock-driven)
           w : 1
           q : 1
           g_post = s*w + v_pre*0.01 : 1 (summed)
           h_pre = s*0.1 + 1 : 1 (summed)""",
        on_pre="s += 0.1",
        method="exact",
        name="sums",
    )
    sums.connect(condition="(i*7 + j*3) % 4 == 0")
    sums.w = "0.1*((i*j) % 7)/7"
    counts = b2.Synapses(cells[10:20], cells[20:40], "k_post = 1 : integer (summed)", name="counts")
    counts.connect(condition="(i + j) % 3 == 0")
    itself = b2.Synapses(cells, cells, "r_post = 0.5*r_pre + 1 : 1 (summed)", name="itself")
    itself.connect(condition="abs(i - j) < 3")
    onto = b2.Synapses(cells, sums, "u : 1\nq_post = u + v_pre : 1 (summed)", name="onto")
    onto.connect(i=[1, 2, 3, 4, 5, 1], j=[0, 0, 5, 5, 7, 0])
    onto.u = "i*0.1"
    b2.Network(cells, sums, counts, itself, onto).run(DURATION)


def branched() -> None:
    """A neuron with branches, sections of one compartment among them, and a single compartment."""
    morphology = b2.Cylinder(length=50 * um, diameter=10 * um, n=7)
    morphology.a = b2.Cylinder(length=50 * um, diameter=5 * um, n=5)
    morphology.b = b2.Cylinder(length=50 * um, diameter=5 * um, n=6)
    morphology.b.c = b2.Cylinder(length=50 * um, diameter=3 * um, n=1)
    morphology.b.d = b2.Cylinder(length=50 * um, diameter=2 * um, n=3)
    morphology.b.e = b2.Cylinder(length=50 * um, diameter=2 * um, n=4)
    leak = 1e-3 * siemens / cm**2
    tree = b2.SpatialNeuron(
        morphology=morphology,
        model="""Im = gL*(EL - v) + open*gNa*m*(50*mV - v) : amp/meter**2
                 open = int(timestep(t, dt) >= timestep(closed, dt)) : 1
                 closed : second
                 dm/dt = (1/(1 + exp(-(v + 40*mV)/(5*mV))) - m)/(0.5*ms) : 1
                 I : amp (point current)
                 gNa : siemens/meter**2""",
        Cm=1 * uF / cm**2,
        Ri=100 * ohm * cm,
        method="exponential_euler",
        namespace={"gL": leak, "EL": -70 * mV},
        threshold="v > -20*mV",
        refractory="v > -30*mV",
        name="tree",
    )
    tree.v = -70 * mV
    tree.gNa = 3e-3 * siemens / cm**2
    tree.closed = "0.05*i*ms"
    tree.I[0] = 0.5 * nA
    tree.b.e.I = 0.2 * nA
    point = b2.SpatialNeuron(
        morphology=b2.Cylinder(length=50 * um, diameter=10 * um, n=1),
        model="Im = gL*(EL - v) : amp/meter**2",
        Cm=1 * uF / cm**2,
        Ri=100 * ohm * cm,
        namespace={"gL": leak, "EL": -60 * mV},
        name="point",
    )
    point.v = -70 * mV
    states = b2.StateMonitor(tree, ["v", "m", "Ic"], record=[0, 7, 12, 20, 25], name="states")
    spikes = b2.SpikeMonitor(tree, name="spikes")
    b2.Network(tree, point, states, spikes).run(DURATION)


def changed() -> None:
    """Two runs, and between them other synapses, other spikes, another state, a single record."""
    cells = b2.NeuronGroup(
        40,
        "dv/dt = (1.2 - v)/(10*ms) : 1\ng : 1",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="cells",
    )
    cells.v = "i/40."
    inputs = b2.SpikeGeneratorGroup(
        5, [0, 1, 2, 3, 4, 4, 0], [0, 1, 1, 2, 3, 4, 4] * ms, name="inputs"
    )
    sums = b2.Synapses(
        cells, cells, "w : 1\ng_post = w : 1 (summed)", on_pre="w += 0.1", name="sums"
    )
    sums.connect(condition="(i*7 + j*3) % 20 == 0")
    kicks = b2.Synapses(inputs, cells, on_pre="v_post += 0.2", name="kicks")
    kicks.connect(condition="j % 5 == i")
    morphology = b2.Cylinder(length=50 * um, diameter=10 * um, n=7)
    morphology.a = b2.Cylinder(length=50 * um, diameter=5 * um, n=5)
    morphology.b = b2.Cylinder(length=50 * um, diameter=5 * um, n=6)
    tree = b2.SpatialNeuron(
        morphology=morphology,
        model="Im = 1e-3*siemens/cm**2*(-70*mV - v) : amp/meter**2",
        Cm=1 * uF / cm**2,
        Ri=100 * ohm * cm,
        name="tree",
    )
    tree.v = "-60*mV + i*1*mV"
    monitors = [
        b2.StateMonitor(cells, ["v", "g"], record=[5, 3, 39], name="states"),
        b2.SpikeMonitor(cells, variables="v", name="spikes"),
        b2.SpikeMonitor(inputs, name="generated"),
        b2.PopulationRateMonitor(cells, name="rate"),
    ]
    network = b2.Network(cells, inputs, sums, kicks, tree, monitors)
    network.run(DURATION / 2)
    monitors[0].record_single_timestep()
    sums.connect(condition="(i*5 + j*3) % 20 == 1")
    inputs.set_spikes([3, 2, 1, 0], [1, 7, 8, 8] * ms)
    cells.v = "v + 0.01*i"
    monitors[0].record_single_timestep()
    tree.v = "-50*mV + i*1*mV"
    network.run(DURATION / 2)
    monitors[0].record_single_timestep()


def delayed() -> None:
    """Several runs, and between them other delays and another time step, with spikes under way."""
    cells = b2.NeuronGroup(
        12,
        "dv/dt = (1.5 - v)/(2*ms) : 1",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="cells",
    )
    cells.v = "i/12."
    # Sums are exact with whole numbers, in whatever order
    targets = b2.NeuronGroup(9, "seen : 1\nlast : 1", name="targets")
    many = b2.Synapses(cells, targets, "w : 1", on_pre="seen_post += w; w += 1", name="many")
    many.connect(condition="(i + j) % 3 != 0")
    many.w = "i + 2*j"
    many.delay = "0.1*ms*(1 + (3*i + j) % 17)"
    ordered = b2.Synapses(cells, targets, on_pre="last_post = i", name="ordered")
    ordered.connect(condition="(2*i + j) % 4 != 0")
    ordered.delay = "0.1*ms*((i + 5*j) % 12)"
    single = b2.Synapses(cells, targets, on_pre="seen_post += 1000", delay=0.7 * ms, name="single")
    single.connect(j="i % 9")
    trace = b2.StateMonitor(targets, ["seen", "last"], record=True, name="trace")
    spikes = b2.SpikeMonitor(cells, name="spikes")
    network = b2.Network(cells, targets, many, ordered, single, trace, spikes)
    network.run(DURATION / 4)
    many.delay = "0.1*ms*(1 + (5*i + j) % 9)"
    ordered.delay = "0.1*ms*((5*i + j) % 19)"
    single.delay = 1.1 * ms
    network.run(DURATION / 4)
    # The same longest delay, and synapses that past spikes do not know
    many.delay = "0.1*ms*(1 + (4*i + j) % 9)"
    single.connect(i=[0, 1], j=[1, 2])
    network.run(DURATION / 4)
    b2.defaultclock.dt = 0.05 * ms
    network.run(DURATION / 8)
    b2.defaultclock.dt = 0.1 * ms
    network.run(DURATION / 8)


SCRIPTS: dict[str, Callable[[], None]] = {
    "recorded": recorded,
    "summed": summed,
    "branched": branched,
    "changed": changed,
    "delayed": delayed,
}
#: Overrides that the templates have to notice, for the second run.
OVERRIDES: dict[str, Overrides] = {
    "recorded": {
        "once": ([4, 4, 3, 49], [0.0, 2e-3, 2e-3, 2e-3]),
        "lateral.w": 0.002,
        "cells.I": np.linspace(0, 2, 300),
    },
    "summed": {"sums.w": 0.07, "onto.u": 2.0},
    "branched": {"tree.Ri": float(150 * ohm * cm / (ohm * metre)), "tree.v": -0.065},
    "changed": {"cells.v": 0.5, "tree.Ri": 1.5},
    "delayed": {"many.delay": 1.3e-3, "cells.v": 0.25},
}


def observe(name: str, backend: str, cache: str, settings: str = "") -> list[Values]:
    """All variables of a script after each of several runs.

    Parameters
    ----------
    name : str
        Of `SCRIPTS`.
    backend : {"cpu", "cuda"}
    cache : str
        A folder for models that are built.
    settings : str
        Of the emulated toolkit.

    Returns
    -------
    list of dict of str to ndarray
        After a run; one with `OVERRIDES`; one that ends halfway, and is continued, unless the
        script has several; another such as the first.
    """
    toolkit = str(Path(__file__).resolve().parents[1] / "cuda_emulator")
    os.environ.update(
        GPURUN_CACHE_DIR=cache, CUDA_PATH=toolkit, CUDA_HOME=toolkit, CUDA_EMULATOR=settings
    )
    b2.prefs.codegen.cpp.extra_compile_args_gcc = list(FLAGS)
    b2.set_device("gpurun", backend=backend, build_on_run=False)
    SCRIPTS[name]()
    model = gpurun.build()
    names = [variable.name for variable in model.manifest.variables if variable.kind != "static"]
    with model.session(device="cpu" if backend == "cpu" else "cuda:0") as session:

        def run(overrides: Overrides | None = None) -> Values:
            return _copied(session.run(overrides, record=names), names)

        found = [run(), run(OVERRIDES[name])]
        if len(model.manifest.durations) == 1:
            session.run(duration=DURATION / 2)
            found.append(_copied(session.advance(DURATION / 2, record=names), names))
        return [*found, run()]


def _copied(result: RunResult, names: list[str]) -> Values:
    return {name: np.array(result.values[name]) for name in names}
