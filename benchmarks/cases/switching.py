"""Many stimuli: a run for each, or one long run that changes its stimulus on the way?

What users of standalone mode ask. The network is one that both ways can give the same results of:
inputs fire regularly at the rates of the stimulus, each beginning with a phase of its own, and
excite leaky integrate-and-fire neurons through dense synapses without delay. The long run sets all
state back whenever the stimulus changes; new rates come from a TimedArray in every step, or are
taken from it by ``run_regularly`` once for each stimulus.
"""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
from brian2.units import Hz, second
from numpy.typing import ArrayLike, NDArray

from gpurun.bench.suite.case import CaseNetwork, Stimulus
from gpurun.errors import ConfigError

from ._common import by_name

TITLE = "Many stimuli: one run each, or a long run that switches"
SOURCE = "Brian2's documentation, multiple runs in standalone mode; a network for the comparison"
DETERMINISTIC = True
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"inputs": 30, "neurons": 20, "duration": 0.03},
    "quick": {"inputs": 784, "neurons": 100, "duration": 0.1},
    "100": {"inputs": 784, "neurons": 100, "duration": 0.35},
    "full": {"inputs": 784, "neurons": 400, "duration": 0.35},
    "1600": {"inputs": 784, "neurons": 1600, "duration": 0.35},
}
SCALING = ("100", "full", "1600")
#: Of :func:`create_long`.
HOW = ("timed_array", "run_regularly")

DT = 1e-4
SEED = 2510
FASTEST = 60.0

EQUATIONS = """
dphase/dt = rates : 1
onset : 1 (constant)
"""


def create(inputs: int, neurons: int, duration: float) -> CaseNetwork:
    """Build it for one stimulus, which lasts `duration` seconds."""
    b2.defaultclock.dt = DT * second

    def stimulus(number: int) -> Stimulus:
        return {"source.rates": rates(number, inputs)}

    source = _source(inputs, "rates : Hz", {})
    source.rates = rates(0, inputs) * Hz
    return _network(source, neurons, duration, [], ("spikes.count",), stimulus)


def create_long(count: int, how: str, *, inputs: int, neurons: int, duration: float) -> CaseNetwork:
    """Build it for `count` stimuli in one run of `count` times `duration` seconds.

    Parameters
    ----------
    count : int
    how : str
        ``"timed_array"`` reads the rates in every step, ``"run_regularly"`` once for a stimulus.
    inputs, neurons, duration
        As of :func:`create`; `duration` is that of one stimulus.

    Returns
    -------
    CaseNetwork
        One presentation of it is all stimuli; :func:`counts_of` tells them apart.

    Raises
    ------
    ConfigError
        `how` is none of the two.
    """
    if how not in HOW:
        raise ConfigError(f"There is no way {how!r} to switch: expected one of {', '.join(HOW)}.")
    b2.defaultclock.dt = DT * second
    interval = duration * second
    table = np.array([rates(number, inputs) for number in range(count)])
    stimuli = b2.TimedArray(table * Hz, dt=interval, name="stimuli")
    variable = "rates = stimuli(t, i) : Hz" if how == "timed_array" else "rates : Hz"
    source = _source(inputs, variable, {"stimuli": stimuli})
    begin = "phase = onset"
    if how == "run_regularly":
        begin += "\nrates = stimuli(t, i)"
    switch = source.run_regularly(begin, dt=interval, when="start", name="switch")
    reads = ("spikes.i", "spikes.t")
    built = _network(source, neurons, count * duration, [stimuli, switch], reads, None)
    cells = built.objects["cells"]
    clear = cells.run_regularly("v = 0", dt=interval, when="start", name="clear")
    built.objects["clear"] = clear
    return built


def counts_of(
    network: CaseNetwork,
    count: int,
    i: ArrayLike | None = None,
    t: ArrayLike | None = None,
) -> NDArray[np.int64]:
    """How often each neuron fired for each stimulus of :func:`create_long`.

    Parameters
    ----------
    network : CaseNetwork
    count : int
        Of stimuli.
    i, t : array_like, optional
        Neurons and times in seconds of all spikes, by default those of the spike monitor.

    Returns
    -------
    numpy.ndarray
        ``int64`` of shape (count, neurons).
    """
    monitor = network.objects["spikes"]
    neurons = len(monitor.source)
    neuron = np.asarray(monitor.i if i is None else i, dtype=np.int64)
    step = np.round(np.asarray(monitor.t_ if t is None else t) / network.dt).astype(np.int64)
    stimulus = step // (network.steps // count)
    return np.bincount(stimulus * neurons + neuron, minlength=count * neurons).reshape(
        count, neurons
    )


def rates(number: int, inputs: int) -> NDArray[np.float64]:
    """Rates of stimulus `number` in Hz, shape (inputs,)."""
    return np.random.default_rng([SEED, number]).uniform(0, FASTEST, inputs)


def _source(inputs: int, variable: str, namespace: dict[str, Any]) -> b2.NeuronGroup:
    source = b2.NeuronGroup(
        inputs,
        EQUATIONS + variable,
        threshold="phase >= 1",
        reset="phase -= 1",
        method="euler",
        namespace=namespace,
        name="source",
    )
    source.onset = np.random.default_rng(SEED).uniform(0, 1, inputs)
    source.phase = np.random.default_rng(SEED).uniform(0, 1, inputs)
    return source


def _network(
    source: b2.NeuronGroup,
    neurons: int,
    duration: float,
    others: list[Any],
    reads: tuple[str, ...],
    stimulus: Any,
) -> CaseNetwork:
    inputs = len(source)
    cells = b2.NeuronGroup(
        neurons,
        "dv/dt = -v / (20*ms) : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
        name="cells",
    )
    synapses = b2.Synapses(source, cells, "w : 1 (constant)", on_pre="v_post += w", name="synapses")
    synapses.connect()
    # So that the mean input would lead to twice the threshold
    mean = 2 / (0.020 * inputs * FASTEST / 2)
    drawn = np.random.default_rng(SEED + 1).uniform(-1, 3, inputs * neurons)
    synapses.w = mean * drawn
    spikes = b2.SpikeMonitor(cells, name="spikes")
    return CaseNetwork(
        b2.Network(source, cells, synapses, spikes),
        by_name(source, cells, synapses, spikes, *others),
        duration,
        DT,
        spikes=("spikes",),
        reads=reads,
        stimulus=stimulus,
        neurons=inputs + neurons,
        synapses=inputs * neurons,
    )
