"""A reset puts back only synapses of neurons that spiked, where that is all a run can change."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from brian2 import NeuronGroup, SpikeGeneratorGroup, Synapses, run
from brian2.units import ms

import gpurun
from tests.backend import BACKEND
from tests.models import device, new_script
from tests.states import assert_same, state

INPUTS, TARGETS = 60, 40


def script() -> SimpleNamespace:
    """Record a plastic net with delays; a spike generator decides who spikes."""
    new_script()
    gen = SpikeGeneratorGroup(INPUTS, [0], [1] * ms, name="gen")
    cells = NeuronGroup(
        TARGETS, "dv/dt = -v/(10*ms) : 1", threshold="v > 0.9", reset="v = 0", name="cells"
    )
    plastic = Synapses(
        gen,
        cells,
        """w : 1
           hits : integer
           dx/dt = -x/(20*ms) : 1 (event-driven)
           dy/dt = -y/(20*ms) : 1 (event-driven)
           dz/dt = (1 - z)/(5*ms) : 1 (clock-driven)""",
        on_pre="v_post += w; x += 1; hits += 1; w = clip(w - 0.01*y, 0, 1)",
        on_post="y += 1; w = clip(w + 0.02*x, 0, 1)",
        method="exact",
        name="plastic",
    )
    plastic.connect()
    plastic.w = "0.2 + 0.01*(i + j)"
    plastic.pre.delay = "0.1*(1 + j)*ms"
    plastic.post.delay = "0.05*i*ms"
    run(20 * ms)
    return SimpleNamespace(gen=gen, cells=cells, plastic=plastic)


@pytest.fixture(scope="module")
def model() -> gpurun.Model:
    script()
    return gpurun.build()


@pytest.mark.skipif(BACKEND != "cpu", reason="resets of the CPU backend")
def test_only_what_spikes_alone_change_is_restored_sparsely(model: gpurun.Model) -> None:
    description = device().model_description
    assert description is not None
    sparse = {
        info.name
        for info, pathways in zip(
            model.manifest.variables, description.pathways_of_variable, strict=True
        )
        if pathways
    }
    assert {"plastic.w", "plastic.hits", "plastic.x", "plastic.y"} <= sparse
    # z changes in every step, wherever the spikes are
    assert "plastic.z" not in sparse
    assert all(name.startswith("plastic.") for name in sparse)


# Few spikes (sparse), many (everything is copied), and none
STIMULI = {
    "few": ([3, 3, 17], [1, 5, 2]),
    "two": ([5, 58], [4, 4]),
    "many": (list(range(INPUTS)) * 2, [2] * INPUTS + [9] * INPUTS),
    "none": ([], []),
}


def spikes(name: str) -> dict[str, tuple[list[int], np.ndarray]]:
    indices, times = STIMULI[name]
    return {"gen": (indices, np.array(times) * 1e-3)}


@pytest.mark.parametrize("last", STIMULI)
def test_runs_leave_nothing_behind(model: gpurun.Model, last: str) -> None:
    with model.session() as fresh:
        fresh.run(spikes(last), seed=1)
        alone = state(fresh)
    with model.session() as session:
        for name in ("few", "two", "many", "few", "none", "two"):
            session.run(spikes(name), seed=1)
        session.run(spikes("few"), duration=2.5e-3, seed=1)  # ends with spikes in flight
        session.run(spikes(last), seed=1)
        assert_same(state(session), alone)


def test_carried_and_overridden_weights_are_put_back_as_a_whole(model: gpurun.Model) -> None:
    with model.session() as fresh:
        fresh.run(spikes("few"), seed=1)
        alone = state(fresh)
    halves = np.full(INPUTS * TARGETS, 0.5)
    with model.session() as session:
        session.run(spikes("many"), seed=1)
        session.run(spikes("two"), carry=["plastic.w"], seed=1)
        session.run(spikes("two"), carry=["plastic.w", "plastic.x"], seed=1)
        session.run(spikes("few"), seed=1)
        assert_same(state(session), alone)
        session.run([("plastic.w", halves), *spikes("two").items()], seed=1)
        session.run(spikes("few"), seed=1)
        assert_same(state(session), alone)
        session.run([("plastic.w", halves), *spikes("two").items()], seed=1)
        session.run(spikes("two"), carry=["plastic.w"], seed=1)
        session.run(spikes("few"), seed=1)
        assert_same(state(session), alone)


def test_an_advance_counts_as_part_of_the_run(model: gpurun.Model) -> None:
    with model.session() as fresh:
        fresh.run(spikes("two"), seed=1)
        alone = state(fresh)
    with model.session() as session:
        session.run(spikes("few"), duration=1.5e-3, seed=1)
        session.advance(18.5e-3)
        session.advance(30e-3)
        session.run(spikes("two"), seed=1)
        assert_same(state(session), alone)
