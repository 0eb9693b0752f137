"""Stimuli on a real card: prepared there, read from there, in a fixed amount of memory."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2.units import Hz, ms

import gpurun
from gpurun import nvml, stimulus

cupy: Any = pytest.importorskip("cupy", reason="CuPy is not installed")

IMAGES = np.random.default_rng(0).integers(0, 256, (1000, 28, 28), dtype=np.uint8)


@pytest.fixture(scope="module")
def network() -> SimpleNamespace:
    b2.set_device("gpurun", backend="cuda", build_on_run=False)
    b2.device.reinit()
    b2.set_device("gpurun", backend="cuda", build_on_run=False)
    b2.start_scope()
    pixels = b2.PoissonGroup(784, np.zeros(784) * Hz, name="pixels")
    cells = b2.NeuronGroup(
        100, "dv/dt = -v/(10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact",
        name="cells",
    )  # fmt: skip
    feed = b2.Synapses(
        pixels, cells, "w : 1", on_pre="v_post += 0.02*w", on_post="w = clip(w + 0.01, 0, 1)",
        name="feed",
    )  # fmt: skip
    feed.connect()
    feed.w = "rand()"
    spikes = b2.SpikeMonitor(cells, record=False, name="spikes")
    b2.run(5 * ms)
    return SimpleNamespace(model=gpurun.build(), pixels=pixels, feed=feed, spikes=spikes)


@pytest.fixture
def session(network: SimpleNamespace) -> Iterator[gpurun.Session]:
    with network.model.session() as session:
        yield session


def stream(**options: Any) -> stimulus.StimulusStream:
    return stimulus.StimulusStream((IMAGES, np.arange(1000) % 10), stimulus.Rates(63.75), **options)


def test_an_override_reads_the_batch(
    network: SimpleNamespace, session: gpurun.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The addresses are those of the batches, and nothing goes through the host."""
    library = session._instance.library
    number = network.model.index["pixels.rates"]
    written, host = [], []
    write_device = library.write_device
    monkeypatch.setattr(library, "write", lambda which, *_: host.append(which))

    def watched(which: int, first: int, source: Any) -> None:
        if which == number:
            written.append(source.address)
        write_device(which, first, source)

    monkeypatch.setattr(library, "write_device", watched)
    batches = list(stream(batch=300, device=session.device).batches())
    assert all(isinstance(batch.values, cupy.ndarray) for batch in batches)
    shown = gpurun.present(
        session,
        [one for batch in batches for one in batch],
        target="pixels.rates",
        before={"feed.w": gpurun.NormaliseWeights(78.0)},
        carry=["feed.w"],
    )
    assert len(list(shown)) == 1000
    first = [batch.values.data.ptr for batch in batches]
    sizes = [len(batch) for batch in batches]
    assert written == [
        start + 784 * 8 * k for start, size in zip(first, sizes, strict=True) for k in range(size)
    ]
    assert not host


def test_the_same_as_from_the_host(network: SimpleNamespace) -> None:
    counts = []
    for device in ("cpu", "cuda"):
        with network.model.session() as session:
            shown = gpurun.present(
                session, stream(device=device, batch=64).starting_at(900), target="pixels.rates",
                carry=["feed.w"], before={"feed.w": gpurun.NormaliseWeights(78.0)},
                record=["spikes.count", "feed.w"], seed=4,
            )  # fmt: skip
            found = [(one.result["spikes.count"], one.result["feed.w"]) for one in shown]
            counts.append(found)
    for (one, w_one), (other, w_other) in zip(*counts, strict=True):
        assert np.array_equal(one, other)
        assert np.allclose(w_one, w_other, rtol=1e-9)


def test_ten_thousand_images_leave_memory_flat(
    network: SimpleNamespace, session: gpurun.Session
) -> None:
    def free() -> int:
        gc.collect()
        cupy.cuda.Device().synchronize()
        card = nvml.snapshot().device(0)
        assert card is not None
        assert card.memory_free is not None
        return card.memory_free

    before = None
    shown = gpurun.present(
        session, stream(epochs=10, shuffle=1, batch=256), target="pixels.rates", carry=["feed.w"]
    )
    for number, one in enumerate(shown):
        if number == 2000:
            before = free()
        assert one.done == number + 1
    assert before is not None
    # Others may use the card
    assert before - free() < 32 * 2**20


def test_the_next_batch_is_prepared_meanwhile(session: gpurun.Session) -> None:
    shown = gpurun.present(session, stream(batch=100), target="pixels.rates")
    list(shown)
    waited = shown.waited - shown.waited_first
    assert waited >= 0
    assert session.device.startswith("cuda")


def test_changed_in_place(session: gpurun.Session) -> None:
    before = session.read("feed.w")
    seen = []

    def halve(w: Any) -> None:
        seen.append((type(w), int(w.data.ptr)))
        w *= 0.5

    session.modify("feed.w", halve)
    assert seen == [
        (cupy.ndarray, session.device_view("feed.w").__cuda_array_interface__["data"][0])
    ]
    assert np.array_equal(session.read("feed.w"), before * 0.5)
    session.modify("feed.w", lambda w: w * 2)
    assert np.array_equal(session.read("feed.w"), before)
