"""A checkpoint of one backend goes on on the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2 import NeuronGroup, PoissonGroup, SpikeMonitor, StateMonitor, Synapses, run
from brian2.units import Hz, ms

import gpurun
from gpurun.errors import SeedError

from . import isolated
from .own import OwnBackend

pytestmark = pytest.mark.timeout(600)

Values = dict[str, np.ndarray]
PART, REST = 11.3e-3, 8.7e-3


def _build(backend: str, **options: Any) -> gpurun.Model:
    """A noisy network with plastic synapses and spikes in flight, drawn anew for each backend."""
    OwnBackend().start()
    b2.set_device("gpurun", backend=backend, build_on_run=False, **options)
    source = PoissonGroup(10, rates=200 * Hz, name="source")
    cells = NeuronGroup(
        20,
        "dv/dt = (drive - v)/(5*ms) + 0.2*xi/sqrt(ms) : 1 (unless refractory)\ndrive : 1",
        threshold="v > 1",
        reset="v = 0",
        refractory=1 * ms,
        method="euler",
        name="cells",
    )
    cells.drive = "2*rand()"
    links = Synapses(
        cells, cells, "w : 1", on_pre="v_post += w\nw = clip(w + 0.01, 0, 1)", name="links"
    )
    links.connect(p=0.4)
    links.w = 0.05
    links.delay = "0.1*ms*(1 + (i + j) % 30)"
    feed = Synapses(source, cells, on_pre="v_post += 0.3", delay=2.5 * ms, name="feed")
    feed.connect(p=0.3)
    spikes = SpikeMonitor(cells, name="spikes")
    trace = StateMonitor(cells, "v", record=True, name="trace")
    run(20 * ms)
    del spikes, trace
    return gpurun.build()


def _values(session: gpurun.Session) -> Values:
    """What a user sees of the state."""
    infos = session.model.manifest.variables
    return {info.name: session.read_raw(info.name) for info in infos if info.kind != "static"}


def saved_here(backend: str, path: str) -> tuple[Values, Values]:
    """The state that is saved, and the one that a run which goes on ends in."""
    model = _build(backend, rng="philox")
    with model.session() as session:
        session.run({"cells.drive": 1.2}, duration=PART, seed=6)
        session.save(path)
        saved = _values(session)
        session.advance(REST)
        return saved, _values(session)


def loaded_there(backend: str, path: str) -> tuple[Values, Values]:
    """The state after loading, and after going on."""
    model = _build(backend, rng="philox")
    with model.session() as session:
        session.run(duration=3e-3, seed=1)
        session.load(path)
        loaded = _values(session)
        session.advance(REST)
        return loaded, _values(session)


@pytest.mark.parametrize(("first", "second"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_goes_on_on_the_other_backend(first: str, second: str, tmp_path: Path) -> None:
    """The scripts are not seeded: the file brings its own network."""
    path = str(tmp_path / "state.h5")
    saved, expected = isolated.run(saved_here, first, path)
    loaded, ended = isolated.run(loaded_there, second, path)
    assert saved["spikes.t"].size
    for one, other in ((loaded, saved), (ended, expected)):
        assert one.keys() == other.keys()
        for name, values in other.items():
            assert one[name].shape == values.shape, name
            if values.dtype.kind == "f":
                assert np.allclose(one[name], values, rtol=1e-9, atol=1e-12), name
            else:
                assert np.array_equal(one[name], values), name


def _refused(path: str) -> str:
    model = _build("cuda")
    with model.session() as session:
        try:
            session.load(path)
        except SeedError as error:
            session.load(path, seed=4)
            session.advance(REST)
            return str(error)
    return ""


def _mersenne(path: str) -> None:
    model = _build("cpu", rng="mersenne")
    with model.session() as session:
        session.run(duration=PART, seed=6)
        session.save(path)


def test_another_generator_needs_a_seed(tmp_path: Path) -> None:
    path = str(tmp_path / "state.h5")
    isolated.run(_mersenne, path)
    message = isolated.run(_refused, path)
    assert "another generator (mersenne)" in message
    assert "seed=n" in message
