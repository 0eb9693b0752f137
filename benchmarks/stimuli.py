"""Encoders against loops, and what a session loses by having stimuli prepared.

Parts of the report:

- **to rates**, **to spikes**: a batch of images, encoded by gpurun, by a loop over images with
  NumPy, and by snnTorch where it is installed. What is wrong is not timed.
- **streamed**: a small network, and stimuli that take about as long to prepare as to simulate:
  prepared in the background, batch by batch before they are shown, and all of them before the
  clock starts.
- **trained**: the network of `benchmarks.diehl_cook` learns digits; how long it waits for them.
- **one step**: what `gpurun.present` adds to a bare loop over `Session.run`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import brian2 as b2
from brian2.devices.device import reset_device
from brian2.units import ms, second

import gpurun
from benchmarks import diehl_cook
from benchmarks.budget import Budget
from benchmarks.diehl_cook import FULL, Size
from benchmarks.encoding import MAXIMUM, race_to_rates, race_to_spikes, random_images
from benchmarks.snntorch_rate import SNNTORCH, snntorch_ways
from benchmarks.stimulus_loops import Task, overhead, streamed, trained
from gpurun.bench.cases import Recording
from gpurun.datasets import digits
from gpurun.stimulus import (
    Compose,
    DifferenceOfGaussians,
    PoissonSpikes,
    Rates,
    Resize,
    ToSpikeLists,
)

TITLE = "Stimuli: encoders and streams"
STEP = float(diehl_cook.STEP / second)
#: Time steps of a spike train.
TRAIN = 25
#: Images in a batch of a stream.
FEW = 1000
#: Hz of an image in all, and the sum of a neuron's weights (Diehl & Cook 2015).
TOTAL, WEIGHTS = 6500.0, 78.0
#: Spikes of all cells; an image that makes fewer is shown again, stronger.
FEWEST = 5
CARRY = ["plastic.w", "excitatory.theta"]
TRIAL_FLAGS = ["-w", "-O0"]


@dataclass(frozen=True)
class Sizes:
    """How large loops are.

    Attributes
    ----------
    small, large : Size
        Of the network that streams are compared with, and of the one that learns.
    streamed, trained, one_step : int
        Presentations in a round of each part.
    batch, trained_batch : int
        Stimuli that are prepared at once.
    """

    small: Size
    large: Size
    streamed: int
    trained: int
    one_step: int
    batch: int
    trained_batch: int


#: Small enough that preparing its stimuli matters.
FAST = Size(side=28, neurons=20, steps=40)
USUAL = Sizes(FAST, FULL, 1280, 320, 640, 64, 32)
_FEW = Size(side=28, neurons=8, steps=60)
TRIAL = Sizes(_FEW, _FEW, 20, 20, 20, 5, 5)


def measure(recording: Recording) -> None:
    """Run all parts; see the module's description."""
    quick = recording.quick
    encode(recording, Budget(quick), random_images(200 if quick else 10_000, 28))
    diehl_cook.exact_arithmetic()
    if quick:
        # Compiling is most of a trial
        b2.prefs["codegen.cpp.extra_compile_args_gcc"] = TRIAL_FLAGS
    try:
        run_loops(recording, Budget(quick), "cpu", TRIAL if quick else USUAL)
    finally:
        reset_device()


def encode(recording: Recording, budget: Budget, images: Any) -> None:
    """Compare encoders on the host with loops, and with snnTorch."""
    few = min(FEW, len(images) // 2)
    recording.parameters.update(
        {"images": len(images), "pixels": images[0].size, "steps of a train": TRAIN}
    )
    # Several in a row, so that each has memory that was just used for the same
    race_to_rates(recording, images, budget.part(40, 0.1, 5))
    others, recording.parameters[SNNTORCH] = snntorch_ways(TRAIN, few)
    race_to_spikes(recording, images, TRAIN, few, budget.part(15, 0.3, 3), others)


# -- loops -----------------------------------------------------------------------------


def run_loops(
    recording: Recording, budget: Budget, device: str, sizes: Sizes, *, normalise: bool = True
) -> None:
    """Measure streams, training and the loop itself, on the CPU or a card.

    Parameters
    ----------
    recording : Recording
    budget : Budget
    device : str
        Of sessions.
    sizes : Sizes
    normalise : bool
        Whether weights are normalised before each presentation, which a card needs CuPy for.
    """
    small, large = sizes.small, sizes.large
    recording.say("building the networks")
    model, alive = build(device, small)
    learner, learner_alive = (model, alive) if large == small else build(device, large)
    recording.parameters.update(
        {"neurons, streamed": small.neurons, "steps of a presentation, streamed": small.steps,
         "neurons, trained": large.neurons, "steps of a presentation, trained": large.steps}
    )  # fmt: skip
    retina = Compose(DifferenceOfGaussians(), on_cells, Rates(MAXIMUM, full_scale=255.0))
    task = Task(
        model, device, random_images(sizes.streamed, small.side), retina,
        target="inputs.rates", read="excitatory.v", batch=sizes.batch,
    )  # fmt: skip
    if device != "cpu":
        # The order in which a card adds changes last bits, and spikes then; not what is shown
        task = replace(task, read="inputs.rates", tolerance=1e-9)
    streamed(recording, "streamed, rates of a retina", task, budget.part(20, 0.3))
    if device == "cpu":
        spikes, parts = spike_task(task, small)
        streamed(recording, "streamed, spike lists", spikes, budget.part(20, 0.3))
        del parts
    learning = digits_task(task, learner, sizes, normalise=normalise)
    trained(recording, "trained", learning, budget.part(10, 0.6))
    overhead(
        recording, "one step",
        replace(
            task, images=task.images[: sizes.one_step], encode=Rates(MAXIMUM),
            read="excitatory.ge" if device == "cpu" else task.read,
            options={"carry": CARRY, "duration": STEP},
        ),
        budget.part(30, 0.9),
    )  # fmt: skip
    del alive, learner_alive


def spike_task(task: Task, size: Size) -> tuple[Task, Any]:
    """Spike lists for a network that takes them, and what has to stay alive."""
    trains = PoissonSpikes(size.steps * STEP, STEP)
    encode = Compose(Rates(MAXIMUM), trains, ToSpikeLists(STEP))
    model, alive = build_listener(size)
    return replace(task, model=model, encode=encode, target="inputs", read="spikes.count"), alive


def digits_task(task: Task, model: gpurun.Model, sizes: Sizes, *, normalise: bool) -> Task:
    """Learning, as in ``examples/digits_stdp.py``."""
    size = sizes.large
    options: dict[str, Any] = {"carry": CARRY}
    if normalise:
        options["before"] = {"plastic.w": gpurun.NormaliseWeights(WEIGHTS)}
    if not task.tolerance:
        options.update(until=enough, attempts=3, boost=0.5)
        task = replace(task, read="spikes.count")
    return replace(
        task,
        model=model,
        images=digits().images[: sizes.trained],
        encode=Compose(Resize((size.side, size.side)), Rates(total=TOTAL, full_scale=16.0)),
        batch=sizes.trained_batch,
        options=options,
        first={"plastic.w": diehl_cook.first_weights(size), "excitatory.theta": 0.02},
    )


def enough(result: Any) -> bool:
    """Whether an image made cells fire."""
    return bool(result["spikes.count"].sum() >= FEWEST)


def on_cells(images: Any) -> Any:
    """The first of the two channels of a retina."""
    return images[:, 0]


def build(device: str, size: Size) -> tuple[gpurun.Model, Any]:
    """The network of `benchmarks.diehl_cook`, and the objects that have to stay alive."""
    b2.device.reinit()
    b2.set_device("gpurun", backend=device.partition(":")[0], build_on_run=False)
    network = diehl_cook.create(size)
    return gpurun.build(), network


def build_listener(size: Size) -> tuple[gpurun.Model, Any]:
    """Cells that spikes of a SpikeGeneratorGroup come to, and what has to stay alive."""
    b2.device.reinit()
    b2.set_device("gpurun", backend="cpu", build_on_run=False)
    b2.defaultclock.dt = diehl_cook.STEP
    inputs = b2.SpikeGeneratorGroup(size.inputs, [], [] * ms, name="inputs")
    cells = b2.NeuronGroup(
        size.neurons, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact"
    )
    feed = b2.Synapses(inputs, cells, on_pre="v_post += 0.02")
    feed.connect()
    spikes = b2.SpikeMonitor(cells, name="spikes")
    network = b2.Network(inputs, cells, feed, spikes)
    network.run(size.steps * diehl_cook.STEP)
    return gpurun.build(), network
