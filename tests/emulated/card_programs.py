"""What sessions do to a card, each as a function for a process of its own (see `isolated`)."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
from brian2 import NeuronGroup, SpikeMonitor, StateMonitor, Synapses, run
from brian2.units import ms

import gpurun
from gpurun import stimulus
from gpurun.errors import GpurunError

from . import fake_cupy
from .own import OwnBackend


def _begin(settings: str) -> None:
    OwnBackend().start()
    os.environ["CUDA_EMULATOR"] = settings


def _free_memory() -> int:
    """Bytes that are free on the card, as ``cudaMemGetInfo`` says."""
    lines = Path("/proc/self/maps").read_text().splitlines()
    [path] = {line.split()[-1] for line in lines if line.endswith("/libcuda_emulator.so")}
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    status = ctypes.CDLL(path).cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total))
    assert status == 0
    return free.value


def _network() -> gpurun.Model:
    """Everything that takes device memory: delays, monitors, noise."""
    cells = NeuronGroup(
        20,
        "dv/dt = (drive - v)/(5*ms) + 0.1*xi/sqrt(ms) : 1\ndrive : 1",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        name="cells",
    )
    cells.drive = "2*i/N"
    links = Synapses(cells, cells, "w : 1", on_pre="v_post += w", name="links")
    links.connect()
    links.w = 0.01
    links.delay = "0.1*ms*(1 + j)"
    spikes = SpikeMonitor(cells, name="spikes")
    trace = StateMonitor(cells, "v", record=True, name="trace")
    run(10 * ms)
    del links, spikes, trace
    return gpurun.build()


def _once(model: gpurun.Model, number: int) -> None:
    with model.session() as session:
        longer = {"links.delay": 5e-3} if number % 3 == 0 else {}
        session.run({"cells.drive": 1.5, **longer}, record=["spikes", "cells.v"], seed=number)
        session.advance(0.001 * (number % 4))


def _fail(model: gpurun.Model, number: int) -> None:
    def progress(completed: float, elapsed: float) -> bool:
        raise ZeroDivisionError

    try:
        with model.session() as session:
            if number % 2:
                session.run({"cells.nothing": 1})
            session.run(duration=1e5, progress=progress)
    except (ZeroDivisionError, GpurunError):
        return
    raise AssertionError("nothing was raised")


def _keep_result(model: gpurun.Model, number: int) -> None:
    session = model.session()
    result = session.run(record=["cells.v", "spikes"], view=True, duration=1e-3)
    shown = result["cells.v"]
    before = shown.copy()
    session.close()
    del session, result
    assert np.array_equal(shown, before)


def _in_turns(model: gpurun.Model, number: int) -> None:
    one, other = model.session(), model.session()
    one.run(duration=1e-3)
    other.run(duration=1e-3)
    (one if number % 2 else other).close()
    (other if number % 2 else one).advance(1e-3)
    (other if number % 2 else one).close()


USES: dict[str, tuple[Callable[[gpurun.Model, int], None], int]] = {
    "runs": (_once, 100),
    "errors": (_fail, 10),
    "results that live longer": (_keep_result, 10),
    "two sessions": (_in_turns, 10),
}


def memory_before_and_after(use: str, settings: str) -> tuple[int, int]:
    """Free memory after one use of a model, and after many more."""
    _begin(settings)
    model = _network()
    function, times = USES[use]
    function(model, 0)
    gc.collect()
    before = _free_memory()
    for number in range(1, times):
        function(model, number)
    gc.collect()
    return before, _free_memory()


def memory_while_a_view_lives(settings: str) -> tuple[int, int, int]:
    """Free memory before a session, after it was closed with a view left, and without that."""
    _begin(settings)
    model = _network()
    _once(model, 0)
    gc.collect()
    before = _free_memory()
    session = model.session()
    view = session.run(record=["cells.v"], view=True, duration=1e-3)["cells.v"]
    session.close()
    held = _free_memory()
    assert np.isfinite(view).all()
    del session, view
    gc.collect()
    return before, held, _free_memory()


def _says(call: Callable[[], Any]) -> tuple[str, str, dict[str, Any]]:
    try:
        call()
    except GpurunError as error:
        return type(error).__name__, str(error), dict(error.fields)
    return "", "", {}


def assertion_on_the_card(settings: str) -> list[tuple[str, str, dict[str, Any]]]:
    """What the calls of a session say after an assertion in device code failed."""
    _begin(settings)
    careful = b2.Function(lambda x: x, arg_units=[1], return_unit=1)
    for target, qualifier in (("cuda", "__device__ "), ("cpp", "")):
        code = f"{qualifier}double careful(double x) {{ assert(x < 5); return x; }}"
        careful.implementations.add_implementation(target, code, name="careful")
    cells = NeuronGroup(3, "v : 1\nw : 1", name="cells", namespace={"careful": careful})
    cells.run_regularly("v = careful(w)", dt=0.1 * ms)
    run(1 * ms)
    session = gpurun.build().session()
    session.run({"cells.w": 4})
    assert (session.read("cells.v") == 4).all()
    said = [
        _says(lambda: session.run({"cells.w": 6})),
        _says(lambda: session.run({"cells.w": 4})),
        _says(lambda: session.advance(1e-4)),
        _says(lambda: session.read("cells.v")),
    ]
    session.close()
    assert session.closed
    return said


def full_card(settings: str) -> tuple[tuple[str, str, dict[str, Any]], bool, bool]:
    """What an attempt to open a model that is too large says; a small one runs before and after."""
    _begin(settings)
    small = NeuronGroup(10, "dv/dt = -v/(10*ms) : 1", method="exact", name="small")
    small.v = 1
    run(1 * ms)
    fits = gpurun.build()

    def runs() -> bool:
        with fits.session() as session:
            session.run()
            return bool(np.allclose(session.read("small.v"), np.exp(-0.1)))

    before = runs()
    OwnBackend().start()
    large = NeuronGroup(10**6, "dv/dt = -v/(10*ms) : 1", method="exact", name="large")
    run(1 * ms)
    model = gpurun.build()
    del large

    def open_and_run() -> None:
        with model.session() as session:
            session.run()

    said = _says(open_and_run)
    return said, before, runs()


def results_on_the_card() -> list[tuple[str, Any, Any]]:
    """(name, value through the host, value on the card) for what a run recorded."""
    _begin("order=forward")
    sys.modules["cupy"] = fake_cupy
    model = _network()
    # No kernel uses the last but two
    record = ["cells.v", "cells.drive", "links.w", "links.N_incoming", "spikes", "trace"]
    with model.session() as session:
        host = session.run(record=record, seed=3)
        card = session.run(record=record, seed=3, on_device=True)
        assert fake_cupy.calls.count("copy") == fake_cupy.calls.count("synchronize") > 5
        assert ("device", 0) in fake_cupy.calls
        lent = session.advance(0.001, record=["cells.v"], view=True, on_device=True)
        # As long as the session does nothing else, this is its own memory
        assert lent["cells.v"].base is not None
        assert np.array_equal(lent["cells.v"], session.read("cells.v"))
        empty = session.run(record=["trace"], duration=0, on_device=True)
        assert empty["trace"].v.shape == (20, 0)
    values = [(name, host[name], card[name]) for name in record[:4]]
    for monitor in record[4:]:
        values += [(f"{monitor}.{name}", host[monitor][name], card[monitor][name])
                   for name in host[monitor]]  # fmt: skip
    # They belong to the caller, whatever the session does
    assert all(isinstance(value, fake_cupy.Array) for _, _, value in values)
    return [(name, one, np.array(other)) for name, one, other in values]


def results_on_the_card_without_cupy() -> tuple[str, str, float]:
    """What is said without CuPy, and the time of the session, which did not run."""
    _begin("order=forward")
    sys.modules["cupy"] = None  # type: ignore[assignment]
    with _network().session() as session:
        kind, message, _ = _says(lambda: session.run(record=["cells.v"], on_device=True))
        return kind, message, session.t


def stimuli_from_the_card() -> dict[str, Any]:
    """How stimuli came to a session: (first address, bytes) of batches, addresses of overrides."""
    _begin("order=forward")
    sys.modules["cupy"] = fake_cupy
    model = _network()
    images = np.random.default_rng(0).integers(0, 256, (10, 4, 5), dtype=np.uint8)
    stream = stimulus.StimulusStream(
        (images, np.arange(10)), stimulus.Rates(2.0), batch=4, epochs=2
    )
    written: list[int] = []
    host: list[str] = []
    results, expected = [], []
    with model.session() as session, model.session() as other:
        library = session._instance.library
        number = model.index["cells.drive"]
        write, write_device = library.write, library.write_device

        def watched(which: int, first: int, values: Any) -> None:
            host.append(model.manifest.variables[which].name)
            write(which, first, values)

        def watched_device(which: int, first: int, source: Any) -> None:
            if which == number:
                written.append(source.address)
            write_device(which, first, source)

        library.write, library.write_device = watched, watched_device  # type: ignore[method-assign]
        near = stream.near(session)
        batches = []
        held = []
        for batch in near.batches():
            batches.append((batch.values.ctypes.data, batch.values.nbytes))
            held.append(batch)
        # What is prepared again lies elsewhere, while these batches are held
        shown = gpurun.present(
            session, [one for batch in held for one in batch], target="cells.drive",
            record=["cells.v"], before={"links.w": gpurun.NormaliseWeights(0.3)}, seed=1,
        )  # fmt: skip
        fake_cupy.calls.clear()
        results = [one.result["cells.v"] for one in shown]
        calls = list(fake_cupy.calls)
        values = other.read("links.w")
        for repeat in range(20):
            image = images[repeat % 10].reshape(-1) / 255 * 2.0
            values = values.reshape(20, 20)
            values = (values * (0.3 / values.sum(axis=0))).reshape(-1)
            result = other.run(
                {"cells.drive": image, "links.w": values}, record=["cells.v", "links.w"],
                seed=None if repeat else 1,
            )  # fmt: skip
            values = result["links.w"]
            expected.append(result["cells.v"])
    return {
        "device": near.device,
        "batches": batches,
        "written": written,
        "host": host,
        "calls": calls,
        "same": [np.array_equal(a, b) for a, b in zip(results, expected, strict=True)],
    }
