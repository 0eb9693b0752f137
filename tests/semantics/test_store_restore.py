"""Brian's own store() and restore() mean in compiled scripts what they mean in runtime mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2 import (
    NeuronGroup,
    SpikeMonitor,
    StateMonitor,
    Synapses,
    restore,
    run,
    store,
)
from brian2.units import ms

from gpurun.errors import CheckpointError, NotSupportedError
from tests import models

Objects = tuple[Any, ...]


def network() -> Objects:
    """Spikes in flight for up to 2.2 ms, plastic synapses, and monitors."""
    cells = NeuronGroup(
        5,
        "dv/dt = (1.5 - v)/(5*ms) : 1 (unless refractory)",
        threshold="v > 1",
        reset="v = 0",
        refractory=0.5 * ms,
        method="exact",
        name="cells",
    )
    cells.v = "i/5.0"
    links = Synapses(cells, cells, "w : 1", on_pre="v_post += w; w += 0.01", name="links")
    links.connect(condition="i != j")
    links.w = 0.02
    links.delay = "1*ms + 0.3*ms*i"
    spikes = SpikeMonitor(cells, name="spikes")
    trace = StateMonitor(cells, "v", record=True, name="trace")
    return cells, links, spikes, trace


def back_and_forth(objects: Objects, folder: Path) -> None:
    """Two states, before the first run and between two, each restored once."""
    # Brian looks for objects among the local variables
    cells, links, spikes, trace = objects  # noqa: RUF059
    store("zero")
    run(7.3 * ms)
    store()
    run(5 * ms)
    restore()
    cells.v = "v*0.9"
    run(9 * ms)
    restore("zero")
    links.w = 0.03
    run(4 * ms)


def stored_again(objects: Objects, folder: Path) -> None:
    """A state of the same name replaces the other; it can be restored repeatedly."""
    cells, links, spikes, trace = objects  # noqa: RUF059
    for _ in range(3):
        run(2.1 * ms)
        store()
    for _ in range(2):
        restore()
        run(3.3 * ms)


def through_a_file(objects: Objects, folder: Path) -> None:
    """A state in a file, which the same script reads again."""
    cells, links, spikes, trace = objects  # noqa: RUF059
    run(6 * ms)
    store(filename=str(folder / "state"))
    run(3 * ms)
    restore(filename=str(folder / "state"))
    run(8 * ms)


SCRIPTS: dict[str, Callable[[Objects, Path], None]] = {
    one.__name__: one for one in (back_and_forth, stored_again, through_a_file)
}


@pytest.fixture(autouse=True)
def device_as_before() -> Iterator[None]:
    yield
    models.new_script()


def values_of(objects: Objects) -> dict[str, np.ndarray]:
    cells, links, spikes, trace = objects
    return {
        "v": np.array(cells.v[:]),
        "w": np.array(links.w[:]),
        "spikes.t": np.array(spikes.t_[:]),
        "spikes.i": np.array(spikes.i[:]),
        "spikes.count": np.array(spikes.count[:]),
        "trace.t": np.array(trace.t_[:]),
        "trace.v": np.array(trace.v[:]),
    }


def in_runtime(script: Callable[[Objects, Path], None], folder: Path) -> dict[str, np.ndarray]:
    models.new_script()
    b2.set_device("runtime")
    b2.start_scope()
    target, b2.prefs.codegen.target = b2.prefs.codegen.target, "numpy"
    try:
        objects = network()
        script(objects, folder)
        return values_of(objects)
    finally:
        b2.prefs.codegen.target = target


def compiled(script: Callable[[Objects, Path], None], folder: Path) -> Objects:
    models.new_script()
    objects = network()
    script(objects, folder)
    b2.device.build(run=False, directory=None)
    return objects


def assert_equal(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].shape == values.shape, name
        assert np.allclose(found[name], values, rtol=1e-12, atol=1e-15), name


@pytest.mark.parametrize("name", SCRIPTS)
def test_as_in_runtime_mode(name: str, tmp_path: Path) -> None:
    (tmp_path / "runtime").mkdir()
    expected = in_runtime(SCRIPTS[name], tmp_path / "runtime")
    assert expected["spikes.t"].size
    objects = compiled(SCRIPTS[name], tmp_path)
    b2.device.run(with_output=False)
    assert_equal(values_of(objects), expected)
    # The states belong to a run; the next one stores its own
    b2.device.run(with_output=False)
    assert_equal(values_of(objects), expected)


def test_a_file_of_another_script(tmp_path: Path) -> None:
    """One script trains, another one goes on."""

    def first(objects: Objects, folder: Path) -> None:
        cells, links, spikes, trace = objects  # noqa: RUF059
        run(6 * ms)
        store(filename=str(folder / "state"))
        run(1 * ms)

    def second(objects: Objects, folder: Path) -> None:
        cells, links, spikes, trace = objects  # noqa: RUF059
        restore(filename=str(folder / "state"))
        run(8 * ms)

    (tmp_path / "runtime").mkdir()
    in_runtime(first, tmp_path / "runtime")
    expected = in_runtime(second, tmp_path / "runtime")
    compiled(first, tmp_path)
    b2.device.run(with_output=False)
    objects = compiled(second, tmp_path)
    b2.device.run(with_output=False)
    assert_equal(values_of(objects), expected)


def test_after_the_script_has_run(tmp_path: Path) -> None:
    def script(objects: Objects, folder: Path) -> None:
        cells, links, spikes, trace = objects  # noqa: RUF059
        run(6 * ms)

    objects = compiled(script, tmp_path)
    cells, links, spikes, trace = objects  # noqa: RUF059
    b2.device.run(with_output=False)
    first = values_of(objects)
    store()
    store("other")
    store(filename=str(tmp_path / "state"))
    b2.device.run(run_args={cells.v: 0.5}, with_output=False)
    second = values_of(objects)
    assert not np.array_equal(first["v"], second["v"])
    restore()
    assert_equal(values_of(objects), first)
    b2.device.run(run_args={cells.v: 0.5}, with_output=False)
    restore(filename=str(tmp_path / "state"))
    assert_equal(values_of(objects), first)
    with pytest.raises(KeyError, match="nothing"):
        restore("nothing")


def test_random_numbers_go_on_unless_they_are_restored(tmp_path: Path) -> None:
    def noise() -> Objects:
        cells = NeuronGroup(4, "x : 1", name="noisy")
        cells.run_regularly("x = rand()", dt=0.1 * ms)
        trace = StateMonitor(cells, "x", record=True, name="noise_trace")
        return cells, trace

    for restored in (False, True):
        models.new_script()
        b2.seed(5)
        cells, trace = objects = noise()  # noqa: RUF059
        run(1 * ms)
        store()
        run(1 * ms)
        # Let both continuations be seen: the first one by what is stored next
        store("first")
        restore(restore_random_state=restored)
        run(1 * ms)
        b2.device.build(run=False, directory=None)
        b2.device.run(with_output=False)
        second = np.array(trace.x[:])
        b2.device._dropin.restore(next(s for s in slots() if s.endswith(" first")), random=False)
        first = np.array(trace.x[:])
        assert first.shape == second.shape
        assert np.array_equal(first[:, :10], second[:, :10])
        assert np.array_equal(first[:, 10:], second[:, 10:]) == restored
        del objects


def slots() -> list[str]:
    """States that the program itself has stored, made known to the session."""
    from gpurun.session_state import _Snapshot

    session = b2.device._dropin
    names = list(b2.device.stored_states.times)
    for name in names:
        session._snapshots.setdefault(name, _Snapshot(None, {}, frozenset()))
    return names


def test_what_cannot_be_done(tmp_path: Path) -> None:
    models.new_script()
    objects = cells, links, spikes, trace = network()
    with pytest.raises(KeyError, match="No state with name later"):
        restore("later")
    with pytest.raises(CheckpointError):
        restore(filename=str(tmp_path / "missing"))
    with pytest.raises(NotSupportedError, match="holds one state"):
        store("named", filename=str(tmp_path / "state"))
    run(1 * ms)
    store(filename=str(tmp_path / "state"))
    b2.device.build(run=False, directory=None)
    b2.device.run(with_output=False)
    models.new_script()
    objects = cells, links, spikes, trace = network()  # noqa: RUF059
    restore(filename=str(tmp_path / "state"))
    cells.v = 0.25
    run(1 * ms)
    with pytest.raises(NotSupportedError, match="run_args"):
        b2.device.build(run=False, directory=None)
    del objects
