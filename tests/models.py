"""The Brian2 scripts that the tests build, each as a function that records one.

Every function starts a new script on the device ``gpurun``, gives each object a fixed name
(so that the code is the same in every process) and returns the objects in a namespace,
after ``run()``. Nothing is compiled before `build`. There are few of them, because each
costs seconds of compiling.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import brian2 as b2
import numpy as np
from brian2 import (
    Cylinder,
    EventClock,
    EventMonitor,
    NeuronGroup,
    PoissonGroup,
    PoissonInput,
    PopulationRateMonitor,
    SpatialNeuron,
    SpikeGeneratorGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    TimedArray,
    run,
)
from brian2.core.names import Nameable
from brian2.units import Hz, ms, mV, nA, second, um, volt

import gpurun
from gpurun.brian.facade import backend_device
from tests.backend import BACKEND

#: Compiles fast and rounds the same everywhere.
FLAGS = ["-w", "-O1", "-ffp-contract=off"]
#: Time step of all models, in seconds.
DT = 0.1e-3


def device() -> Any:
    """Brian's device that the scripts of this process are recorded by."""
    return backend_device(BACKEND)


def new_script(**options: Any) -> None:
    """Forget the last script and start a new one on the device ``gpurun``."""
    options = {"build_on_run": False, "backend": BACKEND, **options}
    if b2.get_device() is not backend_device(options["backend"]):
        # The first activation of a process records one line more
        b2.set_device("gpurun", build_on_run=False, backend=options["backend"])
    b2.device.reinit()
    b2.set_device("gpurun", **options)
    # Names that Brian makes up are then the same as in a new process, and so is the code
    Nameable.__instances__().clear()
    b2.start_scope()
    b2.prefs.codegen.cpp.extra_compile_args_gcc = FLAGS
    b2.prefs.devices.cpp_standalone.openmp_threads = 0
    b2.defaultclock.dt = DT * second


def _objects(local: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(**{k: v for k, v in local.items() if isinstance(v, Nameable)})


#: What `everything` takes; a test overrides them, or writes them into the script.
DEFAULTS: dict[str, Any] = {
    "stim": np.linspace(0, 6e-3, 10),  # V
    "grid": np.arange(100).reshape(5, 20) * 0.05,
    "gen": ([0, 1, 2, 3, 0, 5], np.array([0.0, 1.0, 1.0, 2.5, 7.0, 9.9]) * 1e-3),
    "beat": ([0, 1, 3, 0], np.array([0.5, 1.0, 1.1, 3.0]) * 1e-3),
    "rate": 40.0,
    "weight": 0.3e-3,
    "fixed": 1.3e-3,
    "deliver": 0.9e-3,
}


def everything(
    *,
    seed: int | None = None,
    values: dict[str, Any] | None = None,
    last: Callable[[SimpleNamespace], None] | None = None,
) -> SimpleNamespace:
    """Record a script with nearly everything that has state.

    Parameters
    ----------
    seed : int, optional
        Given to Brian's ``seed`` at the beginning.
    values : dict, optional
        Instead of entries of `DEFAULTS`.
    last : callable, optional
        Set-up code to execute right before ``run()``.
    """
    new_script()
    if seed is not None:
        b2.seed(seed)
    given = DEFAULTS | (values or {})
    stim = TimedArray(given["stim"] * volt, dt=2 * ms, name="stim")
    grid = TimedArray(given["grid"], dt=3.3 * ms, name="grid")
    exc = NeuronGroup(
        20,
        """
        dv/dt = (drive + level + stim(t) + grid(t, i)*mV - v)/tau
                + sigma*sqrt(2/tau)*xi : volt (unless refractory)
        dtheta/dt = -theta/(50*ms) : volt
        drive : volt
        level : volt (shared)
        tau : second (constant)
        sigma : volt (shared, constant)
        enabled : boolean
        kind : integer
        fired : integer
        highs : integer
        total : 1
        untouched : 1
        depth = v - theta : volt
        """,
        threshold="v > ceiling + theta and enabled",
        reset="v = 0*mV; theta += 0.5*mV; fired += 1",
        refractory="(1 + 0.5*kind)*ms",
        events={"high": "v > 8*mV"},
        method="euler",
        name="exc",
        namespace={"ceiling": 10 * mV},
    )
    exc.run_on_event("high", "highs += 1")
    exc.run_regularly("drive = drive*0.98 + rand()*0.1*mV", dt=0.7 * ms, name="regular")
    exc.tau = "10*ms + i*0.3*ms"
    exc.sigma = 1 * mV
    exc.drive = "8*mV + 4*mV*rand()"
    exc.enabled = "i != 7"
    exc.kind = "i % 3"
    exc.v = "rand()*8*mV"
    early, late = exc[:10], exc[10:]
    slow = NeuronGroup(
        5,
        "dx/dt = (y - x)/(5*ms) : 1\ny : 1",
        threshold="x > 0.8",
        reset="x = 0",
        dt=0.5 * ms,
        method="exact",
        name="slow",
    )
    slow.x = "i*0.15"
    slow.y = 1
    inp = PoissonGroup(10, rates=np.linspace(50, 400, 10) * Hz, name="inp")
    indices, times = given["gen"]
    gen = SpikeGeneratorGroup(6, indices, times * second, name="gen")
    indices, times = given["beat"]
    beat = SpikeGeneratorGroup(4, indices, times * second, period=4 * ms, name="beat")
    noise = PoissonInput(exc, "v", N=60, rate=given["rate"] * Hz, weight=given["weight"] * volt)

    direct = Synapses(
        early,
        late,
        "w : volt\nused : 1\nhit : 1",
        on_pre="v_post += w; used += 1",
        on_post="hit += 1",
        name="direct",
    )
    direct.connect(p=0.4)
    direct.w = "0.5*mV*rand()"
    fixed = Synapses(gen, exc, on_pre="v_post += 2*mV", delay=given["fixed"] * second, name="fixed")
    fixed.connect(j="(3*i) % N_post")
    spread = Synapses(inp, exc, "w : 1", on_pre="v_post += w*mV", name="spread")
    spread.connect(p=0.5)
    spread.w = "0.5 + rand()"
    spread.delay = "rand()*3*ms"
    stdp = Synapses(
        exc,
        exc,
        """
        w : 1
        dapre/dt = -apre/(20*ms) : 1 (event-driven)
        dapost/dt = -apost/(20*ms) : 1 (event-driven)
        """,
        on_pre={"deliver": "v_post += w*mV", "learn": "apre += 0.1; w = clip(w + apost, 0, 3)"},
        on_post="apost -= 0.05; w = clip(w + apre, 0, 3)",
        delay={"deliver": given["deliver"] * second},
        name="stdp",
    )
    # Drawn in Python: the monitor below has to know the synapses
    pairs = np.random.default_rng(7).choice(400, size=100, replace=False)
    stdp.connect(i=np.sort(pairs) // 20, j=np.sort(pairs) % 20)
    stdp.w = "rand()"
    stdp.post.delay = "0.2*ms*(i % 4)"
    multi = Synapses(
        beat,
        exc,
        "w : 1\nused : 1\nfaded : 1",
        on_pre="v_post += w*mV; used += 1; faded += 1",
        multisynaptic_index="k",
        name="multi",
    )
    multi.run_regularly("faded = 0.9*faded + 0.1", dt=1 * ms, name="fade")
    multi.connect(condition="j < 5", n=3)
    multi.delay = "k*0.6*ms"
    multi.w = "0.2 + 0.1*k"
    alarm = Synapses(
        exc, exc, "heard : 1", on_pre="heard += 1", on_event={"pre": "high"}, name="alarm"
    )
    alarm.connect(j="(i + 5) % N_post")
    sums = Synapses(
        exc,
        exc,
        """
        dg/dt = -g/(4*ms) : 1 (clock-driven)
        total_post = g*v_pre/mV : 1 (summed)
        """,
        on_pre="g += 0.1",
        method="exact",
        name="sums",
    )
    sums.connect(j="i")

    spikes = SpikeMonitor(exc, variables=["v", "theta"], name="spikes")
    counts = SpikeMonitor(exc[5:15], record=False, name="counts")
    in_spikes = SpikeMonitor(inp, name="in_spikes")
    gen_spikes = SpikeMonitor(gen, name="gen_spikes")
    beat_spikes = SpikeMonitor(beat, name="beat_spikes")
    high_events = EventMonitor(exc, "high", name="high_events")
    trace = StateMonitor(exc, ["v", "total", "drive"], record=[0, 3, 12], name="trace")
    slow_trace = StateMonitor(slow, "x", record=True, dt=0.3 * ms, name="slow_trace")
    weight_trace = StateMonitor(stdp, "w", record=[0, 1, 2], dt=1 * ms, name="weight_trace")
    rate = PopulationRateMonitor(exc, name="rate")
    objects = _objects(locals())
    if last is not None:
        last(objects)
    run(20 * ms)
    return objects


def rare(*, seed: int | None = None) -> SimpleNamespace:
    """Record a script with what few models have.

    An event clock, a spatial neuron, a delay longer than the run, a clock slower than it,
    a monitor that comes before the threshold.
    """
    new_script()
    if seed is not None:
        b2.seed(seed)
    moments = EventClock(times=np.array([0.0, 0.4, 0.5, 2.2, 3.9, 4.0, 7.5, 30.0]) * ms)
    cable = SpatialNeuron(
        Cylinder(length=100 * um, diameter=2 * um, n=6),
        "Im = gl*(-70*mV - v) : amp/meter**2\nI : amp (point current)\ngl : siemens/meter**2",
        threshold="v > -60*mV",
        threshold_location=3,
        refractory=2 * ms,
        method="exponential_euler",
        name="cable",
    )
    cable.v = -70 * mV
    cable.gl = 2 * b2.siemens / b2.meter**2
    cable.I[0] = 0.3 * nA
    pulse = cable.run_regularly("I = 0.2*nA*int(i == 0)*(1 + rand())", clock=moments)
    ring = NeuronGroup(
        30,
        "dv/dt = (1.2 - v)/(8*ms) : 1 (unless refractory)",
        threshold="v > 1",
        reset="v = 0",
        refractory=2 * ms,
        method="exact",
        name="ring",
    )
    ring.v = "rand()"
    far = Synapses(ring, ring, on_pre="v_post += 0.05", delay=26 * ms, name="far")
    far.connect(j="(i + 1) % N_post")
    sampled = StateMonitor(ring, "v", record=[0, 7], clock=moments, name="sampled")
    lazy = StateMonitor(ring, "v", record=[1], dt=37 * ms, name="lazy")
    cable_spikes = SpikeMonitor(cable, name="cable_spikes")
    ring_spikes = SpikeMonitor(ring, name="ring_spikes")
    # Sees in each step the spikes of the one before, which may belong to an earlier piece
    late_spikes = SpikeMonitor(ring, when="start", name="late_spikes")
    run(20 * ms)
    return _objects(locals())


def noisy(
    *,
    seed: int | None = None,
    last_seed: int | None = None,
    random_setup: bool = True,
    weight: float = 0.1,
    threads: int = 0,
    **options: Any,
) -> SimpleNamespace:
    """Record a small script with noise, that compiles in a few seconds.

    Parameters
    ----------
    seed, last_seed : int, optional
        Given to Brian's ``seed`` at the beginning and right before ``run()``.
    random_setup : bool
        Whether the set-up draws initial values and connectivity.
    weight : float
        Of the synapses; data and not code without `random_setup`.
    threads : int
        For OpenMP; 0 does without.
    **options
        For ``set_device``.
    """
    new_script(**options)
    b2.prefs.devices.cpp_standalone.openmp_threads = threads
    if seed is not None:
        b2.seed(seed)
    cells = NeuronGroup(
        10,
        "dv/dt = (drive - v)/(10*ms) + 0.3*xi/sqrt(10*ms) : 1\ndrive : 1\nlabel : integer",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="cells",
    )
    cells.drive = np.linspace(0.5, 2, 10)
    if random_setup:
        cells.v = "rand()"
    links = Synapses(cells, cells, "w : 1\nused : 1", on_pre="v_post += w; used += 1", name="links")
    links.connect(p=0.3) if random_setup else links.connect(j="(i + 1) % N_post")
    # An array is data; a single value would be a constant in the code
    links.w = weight if random_setup else np.full(10, weight)
    fired = SpikeMonitor(cells, name="fired")
    if last_seed is not None:
        b2.seed(last_seed)
    objects = _objects(locals())
    run(10 * ms)
    return objects


def two_runs(**options: Any) -> SimpleNamespace:
    """Record a script of two runs, 3 and 5 ms, with set-up code between them.

    `options` are for ``set_device``.
    """
    new_script(**options)
    cells = NeuronGroup(
        4,
        "dv/dt = -v/(5*ms) + 0.1*xi/sqrt(ms) : 1\ngain : 1",
        threshold="v > 0.9",
        reset="v = 0",
        method="euler",
        name="cells",
    )
    cells.v = "i*0.2"
    fired = SpikeMonitor(cells, name="fired")
    run(3 * ms)
    cells.v = "v + gain*rand()"
    run(5 * ms)
    return _objects(locals())


def cpp_function(code: str, name: str, *units: Any, result: Any = 1) -> b2.Function:
    """Return a function for equations that exists only in C++."""

    def in_python(*arguments: Any) -> Any:
        raise NotImplementedError

    function = b2.Function(in_python, arg_units=list(units), return_unit=result)
    function.implementations.add_implementation("cpp", code, name=name)
    return function


#: What the function of `tripping` does for each value of `mode`.
TRIPS = {
    1: 'throw std::runtime_error("out of luck");',
    2: "exit(1);",
    3: "std::exit(4);",
    4: "throw 5;",
    5: "throw std::bad_alloc();",
    6: "std::vector<double>().at(3);",
    7: "abort();",
    8: "std::quick_exit(7);",
    9: "_exit(5);",
}


def tripping() -> SimpleNamespace:
    """Record a script whose C++ function fails as `mode` says once ``t`` exceeds `after`."""
    new_script()
    cases = "\n".join(f"case {mode}: {code} break;" for mode, code in TRIPS.items())
    code = f"""
    double trip(const int mode, const double t, const double after)
    {{
        if (t > after)
            switch (mode) {{ {cases} default: break; }}
        return 0.001;
    }}
    """
    cells = NeuronGroup(
        4,
        "dv/dt = -v/(5*ms) + 0.1*xi/sqrt(ms) : 1\nmode : integer\nafter : 1",
        threshold="v > 0.2",
        reset="v = 0",
        method="euler",
        name="cells",
    )
    cells.namespace["trip"] = cpp_function(code, "trip", 1, 1, 1)
    cells.run_regularly("v += trip(mode, t/ms, after)", dt=DT * second)
    links = Synapses(cells, cells, on_pre="v_post += 0.1", delay=1 * ms, name="links")
    links.connect()
    fired = SpikeMonitor(cells, name="fired")
    run(5 * ms)
    return _objects(locals())


def counting() -> SimpleNamespace:
    """Record a noisy script whose C++ function counts its calls in a static variable."""
    new_script()
    code = """
    double calls(const double x)
    {
        static double count = 0;
        return count += 1;
    }
    """
    cells = NeuronGroup(3, "dv/dt = xi/sqrt(ms) : 1\nn : 1\nw : 1", method="euler", name="cells")
    cells.namespace["calls"] = cpp_function(code, "calls", 1)
    cells.run_regularly("n = calls(v)", dt=DT * second)
    trace = StateMonitor(cells, "v", record=[1], name="trace")
    run(5 * ms)
    return _objects(locals())


def learner() -> SimpleNamespace:
    """Record a small network that learns from images of 12 pixels, and one that sees films."""
    new_script()
    film = TimedArray(np.zeros((4, 6)), dt=2 * ms, name="film")
    pixels = PoissonGroup(12, rates=np.zeros(12) * Hz, name="pixels")
    cells = NeuronGroup(
        6,
        """
        dv/dt = (film(t, i) - v)/(10*ms) : 1
        dtheta/dt = -theta/(1*second) : 1
        rest : volt
        """,
        threshold="v > 1 + theta",
        reset="v = 0; theta += 0.05",
        method="euler",
        name="cells",
    )
    feed = Synapses(
        pixels,
        cells,
        "w : 1\ndx/dt = -x/(20*ms) : 1 (event-driven)",
        on_pre="v_post += 0.5*w; x = 1",
        on_post="w = clip(w + 0.05*(x - 0.3), 0, 1)",
        name="feed",
    )
    feed.connect()
    feed.w = "0.2 + 0.5*rand()"
    side = Synapses(cells, cells, "g : 1\nstrength : volt", on_pre="v_post -= g", name="side")
    side.connect(j="(i + 2) % N_post", skip_if_invalid=True)
    side.connect(i=[0, 0, 3], j=[1, 3, 1])
    side.g = "0.01*(1 + i)"
    gen = SpikeGeneratorGroup(3, [], [] * second, name="gen")
    jolt = Synapses(gen, cells, on_pre="v_post += 2", delay=1 * ms, name="jolt")
    jolt.connect(j="2*i")
    spikes = SpikeMonitor(cells, record=False, name="spikes")
    seen = SpikeMonitor(pixels, record=False, name="seen")
    run(20 * ms)
    return _objects(locals())


@dataclass
class Script:
    """A built script: the name of its function, and its Brian objects by name."""

    name: str
    model: gpurun.Model
    objects: SimpleNamespace = field(repr=False)
    _device: dict[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        # Hypothesis shows arguments of a failed test
        return f"<Script {self.name}>"

    def activate(self) -> Script:
        """Make it what Brian's device knows, as if it had been recorded last."""
        vars(device()).clear()
        vars(device()).update(self._device)
        return self


def build(script: Callable[..., SimpleNamespace], **options: Any) -> Script:
    """Record and build `script`."""
    objects = script(**options)
    model = gpurun.build()
    return Script(script.__name__, model, objects, dict(vars(device())))


@functools.cache
def _built(script: Callable[..., SimpleNamespace], options: tuple[tuple[str, Any], ...]) -> Script:
    return build(script, **dict(options))


def built(script: Callable[..., SimpleNamespace], **options: Any) -> Script:
    """Like `build`, but once per process for the same options; made active."""
    return _built(script, tuple(sorted(options.items()))).activate()
