"""Models that draw from Philox streams (rng="philox") on the CPU."""

from __future__ import annotations

from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2.devices import reset_device

import gpurun
from gpurun.brian.facade import cpu_device
from gpurun.brian.philox_codeobject import loop_numbers
from gpurun.errors import ConfigError
from tests import models, philox_script
from tests.philox_reference import Stream
from tests.states import STREAM, assert_same, differing, state


@pytest.fixture(scope="module")
def noisy() -> models.Script:
    return models.built(models.noisy, rng="philox", last_seed=77)


@pytest.fixture(scope="module")
def everything() -> gpurun.Model:
    philox_script.draws()
    model = gpurun.build()
    NUMBERS.update(loop_numbers(cpu_device.code_objects))
    return model


#: Numbers of the code objects of that model.
NUMBERS: dict[str, int] = {}


# -- the choice ------------------------------------------------------------------------


def test_other_generators_are_refused() -> None:
    with pytest.raises(ConfigError, match="'mersenne', 'philox'"):
        b2.set_device("gpurun", build_on_run=False, rng="xorshift")


def test_the_choice_comes_back_with_the_device() -> None:
    models.new_script(rng="philox")
    assert cpu_device.rng == "philox"
    b2.set_device("runtime")
    reset_device()
    assert cpu_device.rng == "philox"
    models.new_script()
    assert cpu_device.rng == "mersenne"


def test_the_set_up_is_the_same_with_both() -> None:
    one, other = (
        models.build(models.noisy, seed=11, **options).model for options in ({}, {"rng": "philox"})
    )
    assert one.key != other.key
    for name, values in one.data.frozen.items():
        assert np.array_equal(other.data.frozen[name], values), name
    with one.session() as session, other.session() as twin:
        session.run()
        twin.run()
        assert "cells.v" in differing(
            {"cells.v": session.read("cells.v")}, {"cells.v": twin.read("cells.v")}
        )


# -- the numbers -------------------------------------------------------------------------


def test_every_element_draws_from_its_own_stream(everything: gpurun.Model) -> None:
    """The numbers are those that the documentation says they are."""
    assert sorted(NUMBERS) == list(NUMBERS)
    assert list(NUMBERS.values()) == list(range(len(NUMBERS)))
    with everything.session() as session:
        session.run(seed=5)
        last = 19
        regular = NUMBERS["regular_codeobject"]
        for element in (0, 1, 77, 199):
            stream = Stream(5, regular, last, element)
            assert session.read("cells.u")[element] == stream.uniform()
            assert session.read("cells.z")[element] == pytest.approx(stream.normal(), rel=1e-14)
        # What is done once for all elements draws from a stream of its own
        shared = Stream(5, NUMBERS["regular_shared_codeobject"], last, 2**32 - 1)
        assert session.read("cells.shared_one") == shared.uniform()


def test_distributions(everything: gpurun.Model) -> None:
    """Sums over neurons and steps are where they should be."""
    with everything.session() as session:
        seen: dict[str, list[np.ndarray]] = {name: [] for name in "uzkbmaf"}
        session.run(duration=0, seed=1)
        for _ in range(10):
            session.advance(models.DT)
            for name, values in seen.items():
                values.append(session.read(f"cells.{name}"))
        sums = {name: np.array(values) for name, values in seen.items()}
        expected = {
            "u": (0.5, 1 / 12), "z": (0, 1), "k": (0.5, 0.5), "b": (3.6, 2.52),
            "m": (300, 210), "a": (300, 210), "f": (1, 1 / 3),
        }  # fmt: skip
        for name, (mean, variance) in expected.items():
            values = sums[name]
            error = np.sqrt(variance / values.size)
            assert abs(values.mean() - mean) < 5.2 * error, name
            assert values.var() == pytest.approx(variance, rel=0.2), name
            # No number comes twice: between neurons and between steps
            if name in "uzf":
                assert np.unique(values).size == values.size
        session.run(seed=2)
        mean = 1000 * 20 * 1e-4 * 20
        assert abs(session.read("target.v") - mean).max() < 5.2 * np.sqrt(mean)
        mean = 1000 * 0.2 * 20
        error = np.sqrt(1000 * 0.2 * 0.8 * 20)
        assert abs(session.read("target.w") / 0.5 - mean).max() < 5.2 * error


def test_poisson_inputs_can_be_overridden(everything: gpurun.Model) -> None:
    with everything.session() as session:
        names = list(everything.manifest.poisson_inputs)
        session.run({f"{name}.rate": 0.0 for name in names})
        assert not session.read("target.v").any()
        assert not session.read("target.w").any()


def test_synapses_that_share_a_source_draw_their_own(everything: gpurun.Model) -> None:
    with everything.session() as session:
        session.run()
        values = np.abs(session.read("links.s"))
        values = values[values > 0]
        assert np.unique(values).size == values.size > 100


def test_threads_do_not_matter(everything: gpurun.Model) -> None:
    philox_script.draws(threads=2)
    model = gpurun.build()
    with everything.session() as session, model.session() as other:
        for one in (session, other):
            one.run(seed=9)
        for name in "uzkbmafx":
            assert np.array_equal(session.read(f"cells.{name}"), other.read(f"cells.{name}"))
        assert np.array_equal(session.read("links.s"), other.read("links.s"))


def test_single_precision() -> None:
    try:
        philox_script.draws(single=True)
        model = gpurun.build()
    finally:
        b2.prefs.core.default_float_dtype = np.float64
    with model.session() as session:
        session.run(seed=5)
        u = session.read("cells.u")
        assert u.dtype == np.float32
        assert np.array_equal(u * 2**24, np.floor(u * 2**24))
        assert abs(session.read("cells.z").std() - 1) < 0.3


# -- the stream of a session ---------------------------------------------------------------


def test_the_same_seed_gives_the_same(noisy: models.Script) -> None:
    with noisy.model.session() as session, noisy.model.session() as other:
        session.run(seed=3)
        first = state(session)
        other.run()
        other.run(seed=3)
        assert_same(state(other), first)
        other.run(seed=4)
        assert "cells.v" in differing(state(other), first)
        session.run(seed=3)
        assert_same(state(session), first)


def test_a_seed_is_what_brians_seed_is(noisy: models.Script) -> None:
    with noisy.model.session() as session:
        session.run()
        first = state(session)
        session.run(seed=77)
        assert_same(state(session), first)


def test_the_stream_goes_on_from_run_to_run(noisy: models.Script) -> None:
    with noisy.model.session() as session:
        results = [session.run(record=["cells.v"])["cells.v"] for _ in range(4)]
        for n, values in enumerate(results):
            assert not any(np.array_equal(values, other) for other in results[:n])


def test_a_run_of_one_step_twice(noisy: models.Script) -> None:
    """The element and the step are the same, and the stream starts anew all the same."""
    with noisy.model.session() as session:
        results = [
            session.run(duration=models.DT, seed=5, record=["cells.v"])["cells.v"] for _ in range(2)
        ]
        assert np.array_equal(*results)


@pytest.mark.parametrize("pieces", [[0.01], [0.001] * 10, [0.0001, 0.0049, 0.0, 0.005]])
def test_pieces_equal_one_run(noisy: models.Script, pieces: list[float]) -> None:
    with noisy.model.session() as session, noisy.model.session() as other:
        session.run(duration=0.02, seed=6)
        other.run(duration=0.01, seed=6)
        for piece in pieces:
            other.advance(piece)
        assert_same(state(other), state(session))


def test_pieces_and_runs_between_seeds(noisy: models.Script) -> None:
    """What is carried does not change the numbers, and they do not depend on what was drawn."""
    with noisy.model.session() as session, noisy.model.session() as other:
        session.run(seed=1)
        session.run(carry=["cells.v"], seed=8)
        other.run(duration=0.003)
        other.run({"cells.v": 0.2}, duration=0.001)
        other.run(seed=1)
        other.run(carry=["cells.v"], seed=8)
        assert_same(state(other), state(session))


def test_the_state_says_seed_and_step(noisy: models.Script) -> None:
    with noisy.model.session() as session:
        session.run(seed=12)
        text = state(session)[STREAM].tobytes().decode()
        assert text.splitlines()[-1] == "philox 12 100"


def test_set_up_between_runs_does_not_disturb_the_stream() -> None:
    model = models.build(models.two_runs, rng="philox").model
    with model.session() as session, model.session() as other:
        session.run(seed=2)
        other.run(seed=2)
        assert_same(state(session), state(other))
        assert state(session)[STREAM].tobytes().decode().split()[-1] == "80"


def test_an_unseeded_script_gets_fresh_noise_at_every_build() -> None:
    built = [models.build(models.noisy, random_setup=False, rng="philox").model for _ in range(2)]
    results = []
    for model in built:
        with model.session() as session:
            results.append(session.run(record=["cells.v"])["cells.v"])
    assert built[0].key == built[1].key
    assert not np.array_equal(*results)


def test_drop_in_runs_follow_brians_rules(tmp_path: Any) -> None:
    """A seed in the script repeats the stream, no seed gives each run a fresh one."""
    for options, same in (({"last_seed": 7}, True), ({}, False)):
        objects = models.noisy(random_setup=False, rng="philox", **options)
        b2.device.build(directory=str(tmp_path / f"output{same}"), run=False)
        runs = []
        for _ in range(3):
            b2.device.run()
            runs.append(np.array(objects.cells.v[:]))
        assert np.array_equal(runs[0], runs[1]) == same
        assert np.array_equal(runs[1], runs[2]) == same
