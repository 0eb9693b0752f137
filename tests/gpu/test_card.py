"""What only a real card can show: real memory, other libraries in the process, real speed.

The semantics on a card are those of ``tests/semantics`` with ``GPURUN_TEST_BACKEND=cuda``;
``ci/gpu.sh`` runs both.
"""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2.units import ms

import gpurun
from gpurun import nvml


@pytest.fixture(scope="module")
def network() -> SimpleNamespace:
    """A network with delays and plastic synapses, built for the card."""
    b2.set_device("gpurun", backend="cuda", build_on_run=False)
    b2.device.reinit()
    b2.set_device("gpurun", backend="cuda", build_on_run=False)
    b2.start_scope()
    b2.prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O3", "-ffp-contract=off"]
    b2.seed(4)
    cells = b2.NeuronGroup(
        1000,
        "dv/dt = (drive - v)/(10*ms) : 1 (unless refractory)\ndrive : 1",
        threshold="v > 1",
        reset="v = 0",
        refractory=2 * ms,
        method="exact",
        name="cells",
    )
    cells.drive = "1.5*i/N"
    synapses = b2.Synapses(
        cells,
        cells,
        "w : 1\ndpre/dt = -pre/(20*ms) : 1 (event-driven)",
        on_pre="v_post += w\npre += 0.01\nw = clip(w - 0.001*pre, 0, 1)",
        name="synapses",
    )
    synapses.connect(p=0.05)
    synapses.w = "0.02*rand()"
    synapses.delay = "0.1*ms*(1 + i % 30)"
    spikes = b2.SpikeMonitor(cells, name="spikes")
    b2.run(100 * ms)
    return SimpleNamespace(model=gpurun.build(), cells=cells, synapses=synapses, spikes=spikes)


def test_runs_repeat_and_monitors_are_sorted(network: SimpleNamespace) -> None:
    with network.model.session() as session:
        first = session.run(record=[network.spikes, network.cells.v])
        again = session.run(record=[network.spikes, network.cells.v])
    record = first[network.spikes]
    assert len(record.i) > 1000
    order = np.lexsort((record.i, record.t))
    assert np.array_equal(order, np.arange(len(order)))
    # Sums by atomic functions may round differently; a spike may then move by a step
    assert abs(len(again[network.spikes].i) - len(record.i)) < 0.02 * len(record.i)


def test_nothing_is_left_on_the_card(network: SimpleNamespace) -> None:
    with network.model.session() as session:
        session.run()
    used = _memory_used()
    for _ in range(100):
        with network.model.session() as session:
            session.run(duration=1 * ms)
    gc.collect()
    assert _memory_used() - used < 32 * 2**20


def _memory_used() -> int:
    card = next(card for card in nvml.snapshot().cards if card.cuda_index == 0)
    assert card.memory_used is not None
    return card.memory_used


def test_cupy_arrays_go_in_and_come_out(network: SimpleNamespace) -> None:
    cupy: Any = pytest.importorskip("cupy", reason="cupy is not installed")
    drive = cupy.linspace(0, 2, 1000)
    with network.model.session() as session:
        session.run({network.cells.drive: drive}, duration=20 * ms)
        shown = cupy.asarray(session.device_view(network.cells.v))
        expected = session.read(network.cells.v)
        assert cupy.asnumpy(shown).tolist() == expected.tolist()
        assert np.array_equal(session.read(network.cells.drive), cupy.asnumpy(drive))
        session.run({network.cells.drive: cupy.asnumpy(drive)}, duration=20 * ms)
        assert np.allclose(session.read(network.cells.v), expected, rtol=1e-9)


def test_results_stay_on_the_card(network: SimpleNamespace) -> None:
    cupy: Any = pytest.importorskip("cupy", reason="cupy is not installed")
    record = [network.spikes, network.cells.v, network.synapses.w]
    with network.model.session() as session:
        result = session.run(record=record, duration=20 * ms, on_device=True)
        here = [session.read(network.cells.v), session.read(network.synapses.w)]
        count = session.read("spikes.count")
        session.run({network.cells.drive: np.zeros(1000)}, duration=1 * ms)
        # They are the caller's
        assert isinstance(result[network.cells.v], cupy.ndarray)
        assert np.array_equal(result[network.cells.v].get(), here[0])
        assert np.array_equal(result[network.synapses.w].get(), here[1])
        assert np.array_equal(result[network.spikes].count.get(), count)
        assert int(result[network.spikes].count.sum()) == len(result[network.spikes].t)


def test_torch_in_the_same_process(network: SimpleNamespace) -> None:
    torch: Any = pytest.importorskip("torch", reason="torch is not installed")
    before = torch.arange(1000, dtype=torch.float64, device="cuda:0") / 500
    with network.model.session() as session:
        session.run({network.cells.drive: before}, duration=5 * ms)
        shown = torch.as_tensor(session.device_view(network.cells.v), device="cuda:0")
        assert np.array_equal(shown.cpu().numpy(), session.read(network.cells.v))
        assert np.array_equal(session.read(network.cells.drive), before.cpu().numpy())
    # The context is the process's, not the session's
    assert float((before * 2).sum()) == pytest.approx(2 * before.cpu().numpy().sum())


def test_an_exception_in_the_middle(network: SimpleNamespace) -> None:
    def fail(completed: float, elapsed: float) -> bool:
        raise ZeroDivisionError

    with network.model.session() as session:
        with pytest.raises(ZeroDivisionError):
            session.run(duration=1e4, progress=fail)
        assert session.run(record=[network.spikes], duration=20 * ms)[network.spikes].count.any()


def test_two_sessions_share_a_card(network: SimpleNamespace) -> None:
    quiet = np.zeros(1000)
    with network.model.session() as one, network.model.session() as other:
        loud = one.run(record=[network.spikes], duration=30 * ms)
        silent = other.run({"cells.drive": quiet}, record=[network.spikes], duration=30 * ms)
        assert len(loud[network.spikes].i) > 0
        assert len(silent[network.spikes].i) == 0
