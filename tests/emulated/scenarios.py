"""What brian2cuda 1.0b1 gets wrong, each as a small script whose right outcome is known.

A scenario takes a started or unstarted `Backend` and returns what is observed; beside it
stands what a right program gives. The same scenarios can be given to any device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import brian2 as b2
import numpy as np
from brian2 import NeuronGroup, PopulationRateMonitor, SpikeGeneratorGroup, Synapses, run
from brian2.units import ms

from .backends import DT, Backend

_CUDA = "devices.cuda_standalone."


class Scenario(NamedTuple):
    """A script and its right outcome."""

    observe: Callable[[Backend], Any]
    right: Any


def rates_of_two_runs(backend: Backend) -> list[int]:
    """Spikes per time step that a rate monitor shows after two runs of five steps."""
    backend.start()
    steps = np.array([0, 2, 2, 6])
    source = SpikeGeneratorGroup(2, [0, 0, 1, 1], steps * DT * b2.second, name="source")
    rate = PopulationRateMonitor(source, name="rate")
    run(0.5 * ms)
    run(0.5 * ms)
    backend.build()
    backend.run()
    return [round(one * 2 * DT) for one in rate.rate_[:]]


def override_with_capitals(backend: Backend) -> list[float]:
    """Values of a variable `V` after a run that was to begin with 1, 2, 3."""
    backend.start()
    cells = NeuronGroup(3, "V : 1", name="cells")
    cells.V = np.array([7.0, 8.0, 9.0])
    cells.run_regularly("V += 0.5", dt=1 * ms)
    run(1 * ms)
    backend.build()
    backend.run(values={cells.V: np.array([1.0, 2.0, 3.0])})  # type: ignore[reportUnhashable]
    return cells.V[:].tolist()


def _random_synapses(targets: int, delay: Any) -> tuple[Any, ...]:
    source = SpikeGeneratorGroup(10, np.arange(10), np.zeros(10) * ms, name="source")
    target = NeuronGroup(targets, "v : 1", name="target")
    links = Synapses(source, target, "x : 1", on_pre="x = rand()", name="links")
    links.connect()
    links.delay = delay
    b2.seed(4)
    run(1 * ms)
    # Brian refers to the groups weakly, so the caller has to keep them
    return links, source, target


def random_numbers_with_one_delay(backend: Backend) -> int:
    """How many of 50 synapses, which all transmit at once, drew a number of their own."""
    backend.start()
    links, *_groups = _random_synapses(5, 0.2 * ms)
    backend.build()
    backend.run()
    return len(set(links.x[:]))


def random_numbers_with_many_delays(backend: Backend) -> str:
    """Whether all numbers that 50 synapses with different delays drew are random numbers."""
    backend.start({_CUDA + "parallel_blocks": 4})
    links, *_groups = _random_synapses(5, "0.1*j*ms")
    backend.build("check=on")
    try:
        # Unlike other orders this one does not meet the queue's missing barrier
        backend.run("order=reverse races=off")
    except RuntimeError as error:
        return f"failed: {error}"
    drawn = links.x[:]
    inside = (drawn > 0) & (drawn <= 1)
    return "all" if inside.all() and len(set(drawn)) == 50 else f"{inside.sum()} of 50"


def _own_clock(slow: bool) -> tuple[NeuronGroup, ...]:
    clock = b2.Clock(dt=0.1 * ms, name="own")
    source = NeuronGroup(
        3, "n : 1", threshold="t < 3*ms", reset="n += 1", clock=clock, name="source"
    )
    target = NeuronGroup(3, "v : 1", clock=clock, name="target")
    links = Synapses(source, target, on_pre="v_post += 1", delay=2 * ms, clock=clock, name="links")
    links.connect(j="i")
    others = [target, source, links]
    if slow:
        b2.defaultclock.dt = 1 * ms
        slow_cells = NeuronGroup(1, "w : 1", name="slow")
        slow_cells.run_regularly("w += 1")
        others.append(slow_cells)
    run(10 * ms)
    return tuple(others)


def own_clock_with_one_delay(backend: Backend) -> list[float] | str:
    """What arrives over a constant delay, where the default clock is slower than the groups'."""
    backend.start()
    target, *_others = _own_clock(slow=True)
    backend.build()
    try:
        backend.run()
    except RuntimeError as error:
        return f"failed: {error}"
    return target.v[:].tolist()


def only_an_own_clock(backend: Backend) -> list[float] | str:
    """The same where nothing at all uses the default clock."""
    backend.start()
    target, *_others = _own_clock(slow=False)
    try:
        backend.build()
    except RuntimeError as error:
        return f"not compiled: {error}"
    backend.run()
    return target.v[:].tolist()


def asserts_disabled(backend: Backend) -> str:
    """Whether a project is compiled when its asserts are to be left out."""
    backend.start()
    cells = NeuronGroup(1, "v : 1", name="cells")
    cells.v = 1
    run(0.1 * ms)
    try:
        backend.build(disable_asserts=True)
    except RuntimeError as error:
        return f"not compiled: {error}"
    backend.run()
    return "compiled"


def fewer_threads(backend: Backend) -> int:
    """How many of 1,000 elements are updated where a kernel can have 64 threads only."""
    backend.start({_CUDA + "calc_occupancy": False})
    cells = NeuronGroup(1000, "v : 1", name="cells")
    cells.run_regularly("v = 1", dt=1 * ms)
    run(1 * ms)
    backend.build()
    backend.run("kernel_threads=64")
    return int(cells.v[:].sum())


def some_values_between_runs(backend: Backend) -> list[float]:
    """Values after a run, the setting of the first two of them by an array, and a run."""
    backend.start()
    cells = NeuronGroup(4, "v : 1", name="cells")
    cells.v = np.array([1.0, 2.0, 3.0, 4.0])
    cells.run_regularly("v += 0.5", dt=1 * ms)
    run(1 * ms)
    cells.v[:2] = np.array([7.0, 8.0])
    run(1 * ms)
    backend.build()
    backend.run()
    return cells.v[:].tolist()


def one_threshold_kernel(backend: Backend) -> str:
    """Whether a group with a threshold is compiled without the extra kernel for its reset."""
    backend.start({_CUDA + "extra_threshold_kernel": False})
    cells = NeuronGroup(1, "v : 1", threshold="v > 1", reset="v = 0", name="cells")
    cells.v = 2
    run(0.2 * ms)
    try:
        backend.build()
    except RuntimeError as error:
        return f"not compiled: {error}"
    backend.run()
    return "compiled"


def queue_of_many_delays(backend: Backend) -> list[str]:
    """What arrives over 40 different delays, for three orders of the threads.

    The kernel that prepares the queue has a thread for each of the 41 queues: more than a
    warp.
    """
    backend.start()
    source = SpikeGeneratorGroup(1, [0], [0] * ms, name="source")
    target = NeuronGroup(40, "v : 1", name="target")
    links = Synapses(source, target, on_pre="v_post += 1", name="links")
    links.connect()
    links.delay = "0.1*j*ms"
    run(5 * ms)
    backend.build()
    found = []
    for order in ("reverse", "forward", "random:1"):
        try:
            backend.run(f"order={order}")
        except RuntimeError:
            found.append("failed")
        else:
            found.append(f"{int(target.v[:].sum())} of 40")
    return found


def races_with_many_delays(backend: Backend) -> str:
    """Whether there are races where neurons spike together and their delays are different."""
    backend.start()
    _groups = _random_synapses(5, "0.1*j*ms")
    backend.build("check=on")
    return "found" if "race:" in backend.run("order=reverse races=report") else "none"


def races_without_atomics(backend: Backend) -> str:
    """The same for effects on common targets without atomic operations.

    What is looked at here are the targets, and not the queue.
    """
    backend.start({_CUDA + "use_atomics": False})
    source = SpikeGeneratorGroup(10, np.arange(10), np.zeros(10) * ms, name="source")
    target = NeuronGroup(5, "v : 1", name="target")
    links = Synapses(source, target, on_pre="v_post += 1", name="links")
    links.connect()
    links.delay = "0.1*(1 + int(j < i%5))*ms"
    run(0.5 * ms)
    backend.build("check=on")
    output = backend.run("order=reverse races=report")
    return "found" if "race:" in output and "of device memory of 40 bytes" in output else "none"


SCENARIOS = {
    one.observe.__name__: one
    for one in (
        Scenario(rates_of_two_runs, [1, 0, 2, 0, 0, 0, 1, 0, 0, 0]),
        Scenario(override_with_capitals, [1.5, 2.5, 3.5]),
        Scenario(random_numbers_with_one_delay, 50),
        Scenario(random_numbers_with_many_delays, "all"),
        Scenario(own_clock_with_one_delay, [30.0] * 3),
        Scenario(only_an_own_clock, [30.0] * 3),
        Scenario(asserts_disabled, "compiled"),
        Scenario(fewer_threads, 1000),
        Scenario(some_values_between_runs, [7.5, 8.5, 4.0, 5.0]),
        Scenario(one_threshold_kernel, "compiled"),
        Scenario(queue_of_many_delays, ["40 of 40"] * 3),
        Scenario(races_with_many_delays, "none"),
        Scenario(races_without_atomics, "none"),
    )
}
