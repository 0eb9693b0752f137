"""From overrides to writes, against a manifest made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from gpurun.errors import (
    AmbiguousVariableError,
    OverrideError,
    ReadOnlyVariableError,
    ShapeMismatchError,
    UnitMismatchError,
    UnknownVariableError,
)
from gpurun.model import SpikeGeneratorInfo
from gpurun.overrides import Planner, Target, Write, check_spikes, pairs, resolve, shown
from gpurun.poisson import PARAMETERS, binomial_parameters
from tests.unit.manifests import SECOND, VOLT, Quantity, manifest

MANIFEST = manifest()
INDEX = {info.name: number for number, info in enumerate(MANIFEST.variables)}
NAMES = {number: name for name, number in INDEX.items()}


class Objects:
    """A resolver that knows some objects by identity."""

    unit_error = UnitMismatchError

    def __init__(self, targets: Mapping[Any, Target]) -> None:
        self.targets = targets

    def resolve(self, key: Any) -> Target | None:
        return self.targets.get(key)

    def before_run(self, session: Any, values: Any) -> None: ...

    def after_run(self, session: Any) -> None: ...


def planner(resolver: Any = None, allow: Any = False) -> Planner:
    return Planner(
        MANIFEST,
        INDEX,
        lambda number: int(np.prod(MANIFEST.variables[number].shape)),
        resolver,
        allow,
    )


def plan(entries: Any, **options: Any) -> list[Write]:
    return planner(**options).plan(entries)


def written(entries: Any, **options: Any) -> dict[str, list[Any]]:
    """What is written, by name."""
    return {NAMES[write.number]: write.values.tolist() for write in plan(entries, **options)}


# -- forms of entries ------------------------------------------------------------------


def test_forms_of_entries() -> None:
    expected = [("cells.v", 1), ("cells.on", True)]
    assert pairs(dict(expected)) == expected
    assert pairs(expected) == expected
    assert pairs([list(entry) for entry in expected]) == expected
    assert pairs(iter(expected)) == expected
    assert pairs(None) == pairs({}) == pairs([]) == []


class Quiet:
    """Its repr would disturb somebody."""

    def __repr__(self) -> str:
        raise AssertionError("a message asked for the repr")


@pytest.mark.parametrize("entries", ["cells.v", 3, 1.5, Quiet()])
def test_no_entries_at_all(entries: Any) -> None:
    with pytest.raises(OverrideError, match="mapping or a list"):
        pairs(entries)


@pytest.mark.parametrize("entry", ["ab", "abc", ("a",), ("a", 1, 2), 3, None, Quiet()])
def test_entries_that_are_no_pairs(entry: Any) -> None:
    with pytest.raises(OverrideError, match="pair"):
        pairs([("cells.v", 1), entry])


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "None"), (3, "3"), ("a", "'a'"), (Quiet(), "an object of type Quiet")],
)
def test_shown(value: Any, text: str) -> None:
    assert shown(value) == text
    assert len(shown("a" * 1000)) < 100


# -- names -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("cells.v", Target("cells.v", "variable")),
        ("links.pre.delay", Target("links_pre.delay", "variable")),
        ("links_post.delay", Target("links_post.delay", "variable")),
        ("stim", Target("stim", "timed_array")),
        ("stim.values", Target("stim", "timed_array")),
        ("gen", Target("gen", "spikes")),
        ("seen", Target("seen", "monitor")),
        ("hum.rate", Target("hum.rate", "poisson")),
        ("hum.weight", Target("hum.weight", "poisson")),
    ],
)
def test_names(name: str, target: Target) -> None:
    assert resolve(MANIFEST, name, None) == target


def test_an_ambiguous_name_lists_the_candidates() -> None:
    with pytest.raises(AmbiguousVariableError) as caught:
        resolve(MANIFEST, "links.delay", None)
    assert caught.value.candidates == ("links_pre.delay", "links_post.delay")  # type: ignore[attr-defined]
    assert "links_pre.delay, links_post.delay" in str(caught.value)


def test_an_unknown_name_suggests_others() -> None:
    with pytest.raises(UnknownVariableError, match=r"Did you mean cells\.kind") as caught:
        resolve(MANIFEST, "cells.kid", None)
    assert "cells.kind" in caught.value.candidates  # type: ignore[attr-defined]
    with pytest.raises(UnknownVariableError) as caught:
        resolve(MANIFEST, "zzzzzzzz", None)
    assert "There are: beat, beat.neuron_index" in str(caught.value)
    assert "_lastindex" not in str(caught.value), "nobody wants to set that"


@pytest.mark.parametrize("name", ["tau", "cells.tau"])
def test_a_constant_says_how_to_declare_it(name: str) -> None:
    with pytest.raises(UnknownVariableError, match=r"'tau' is a constant.*\(0\.01\)") as caught:
        resolve(MANIFEST, name, None)
    assert "tau : 1 (constant, shared)" in str(caught.value)


def test_objects() -> None:
    key = object()
    target = Target("cells.v", "variable", (1, 2), True)
    assert resolve(MANIFEST, key, Objects({key: target})) == target
    with pytest.raises(UnknownVariableError, match="object"):
        resolve(MANIFEST, object(), Objects({}))
    with pytest.raises(UnknownVariableError, match="unpickled"):
        resolve(MANIFEST, key, None)


# -- variables -------------------------------------------------------------------------


def test_values_become_writes_in_their_order() -> None:
    writes = plan([("cells.on", [True, False, True, False]), ("cells.v", 2.5), ("cells.shared", 3)])
    assert [NAMES[write.number] for write in writes] == ["cells.on", "cells.v", "cells.shared"]
    assert [write.values.dtype.name for write in writes] == ["bool", "float64", "float64"]
    assert [len(write.values) for write in writes] == [4, 4, 1]
    assert all(write.first == 0 and not write.resize for write in writes)


def test_part_of_a_group() -> None:
    key = object()
    objects = Objects({key: Target("cells.v", "variable", (1, 2), True)})
    [write] = plan([(key, Quantity([5.0, 6.0], VOLT))], resolver=objects)
    assert (write.first, write.values.tolist()) == (1, [5.0, 6.0])
    [write] = plan([(key, Quantity(7.0, VOLT))], resolver=objects)
    assert (write.first, write.values.tolist()) == (1, [7.0, 7.0])
    with pytest.raises(ShapeMismatchError):
        plan([(key, Quantity([5.0] * 4, VOLT))], resolver=objects)
    with pytest.raises(UnitMismatchError):
        plan([(key, [5.0, 6.0])], resolver=objects)


def test_the_size_of_a_vector_is_what_it_is_now() -> None:
    sized = Planner(MANIFEST, INDEX, lambda number: 9, None)
    [write] = sized.plan({"links.w": 1.5})
    assert write.values.tolist() == [1.5] * 9


@pytest.mark.parametrize(
    "name",
    ["cells.i", "defaultclock.t", "seen.count", "seen", "gen.spike_time", "hum_parameters"],
)
def test_what_cannot_be_set(name: str) -> None:
    with pytest.raises(ReadOnlyVariableError, match=name):
        plan({name: 1})


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("cells.v", "cells.v"),
        ("stim", "stim.values"),
        ("links.pre.delay", "links_pre.delay"),
        ("gen", "gen"),
        ("hum.rate", "hum.rate"),
    ],
)
def test_the_same_thing_twice(one: str, two: str) -> None:
    values = {"stim": np.zeros((3, 2)), "gen": ([], [])}
    value = values.get(one, 1)
    with pytest.raises(OverrideError, match="twice"):
        plan([(one, value), (two, value)])


def test_whole_and_part_are_not_the_same() -> None:
    key, other = object(), object()
    objects = Objects(
        {
            key: Target("cells.v", "variable", (0, 2)),
            other: Target("cells.v", "variable", (2, 2)),
        }
    )
    writes = plan([("cells.v", 1), (key, 2), (other, 3)], resolver=objects)
    assert [write.first for write in writes] == [0, 0, 2]


def test_allow_nonfinite() -> None:
    value = [np.nan, np.inf, 0, 0]
    assert written({"cells.v": value}, allow=True)["cells.v"][1] == np.inf
    assert written({"cells.v": value}, allow=["cells.v"])["cells.v"][1] == np.inf
    assert (
        written({"stim": np.full((3, 2), np.inf)}, allow=("stim",))["stim.values"] == [np.inf] * 6
    )
    for allow in (False, [], ["cells.small"]):
        with pytest.raises(OverrideError):
            written({"cells.v": value}, allow=allow)
    for allow in (3, "cells.v", None):
        with pytest.raises(OverrideError, match="allow_nonfinite"):
            planner(allow=allow)


# -- delays ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [-1e-9, [0, 0, 0, 0, 0, -1], 3e5, 1e300])
def test_delays_that_cannot_be(value: Any) -> None:
    with pytest.raises(OverrideError, match=r"links_pre\.delay"):
        plan({"links_pre.delay": value})


def test_delays_that_can_be() -> None:
    assert written({"links_pre.delay": 0})["links_pre.delay"] == [0.0] * 6
    assert written({"links_pre.delay": [1, 2, 3, 4, 5, 6]})["links_pre.delay"][5] == 6.0
    with pytest.raises(ShapeMismatchError, match="one delay for all synapses"):
        plan({"links_post.delay": [1e-3] * 6})


# -- TimedArrays -----------------------------------------------------------------------


def test_a_timed_array_keeps_its_shape_for_python() -> None:
    values = np.arange(6.0).reshape(3, 2)
    made = planner()
    [write] = made.plan({"stim": values[::-1]})
    assert write.values.tolist() == [4, 5, 2, 3, 0, 1]
    assert np.array_equal(made.timed_arrays["stim"], values[::-1])
    assert not planner().timed_arrays


@pytest.mark.parametrize("shape", [(2, 3), (6,), (3, 2, 1), (4, 2)])
def test_a_timed_array_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeMismatchError, match="stim"):
        plan({"stim": np.zeros(shape)})


# -- spike generators ------------------------------------------------------------------

GEN = SpikeGeneratorInfo(size=5, dt=1e-4, period=0.0)


def checked(indices: Any, times: Any, info: SpikeGeneratorInfo = GEN) -> tuple[np.ndarray, ...]:
    return check_spikes("gen", info, np.array(indices, np.int32), np.array(times, float))


def test_spikes_become_five_writes() -> None:
    got = written({"gen": ([3, 0, 1], [2e-3, 2e-3, 0.0])})
    assert got == {
        "gen.neuron_index": [1, 0, 3],
        "gen.spike_time": [0.0, 2e-3, 2e-3],
        "gen._timebins": [0, 20, 20],
        "gen.spike_number": [0, 1, 2],
        "gen._lastindex": [0],
    }
    writes = plan({"gen": {"indices": [1], "times": [0.0]}})
    assert [write.resize for write in writes] == [True] * 4 + [False]
    assert written({"gen": ([], [])})["gen.spike_time"] == []


def test_units_of_spike_times() -> None:
    key = object()
    objects = Objects({key: Target("gen", "spikes", None, True)})
    assert written([(key, ([1], Quantity([1e-3], SECOND)))], resolver=objects)["gen._timebins"] == [
        10
    ]
    assert written([(key, ([], []))], resolver=objects)["gen._timebins"] == []
    for times in ([1e-3], Quantity([1e-3], VOLT)):
        with pytest.raises(UnitMismatchError, match=r"gen\.times"):
            plan([(key, ([1], times))], resolver=objects)


@hypothesis.given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 30_000)), max_size=60, unique=True
    ).flatmap(st.permutations)
)
def test_spikes_on_the_grid_keep_their_time_step(spikes: list[tuple[int, int]]) -> None:
    """However the product rounds: a spike at k*dt belongs to step k."""
    indices = [index for index, _ in spikes]
    steps = [step for _, step in spikes]
    got = checked(indices, [step * 1e-4 for step in steps])
    assert list(zip(got[2].tolist(), got[0].tolist(), strict=True)) == sorted(
        (step, index) for index, step in spikes
    )
    # The times belong to the same spikes
    assert got[1] == pytest.approx(got[2] * 1e-4)
    assert [array.dtype.name for array in got] == ["int32", "float64", "int32"]


@hypothesis.given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1e-2)), max_size=12))
def test_spikes_at_any_time(spikes: list[tuple[int, float]]) -> None:
    indices, times = [i for i, _ in spikes], [t for _, t in spikes]
    bins = [int((t + 1e-7) / 1e-4) for t in times]
    if len(set(zip(indices, bins, strict=True))) < len(spikes):
        with pytest.raises(OverrideError, match="more than once"):
            checked(indices, times)
    else:
        assert sorted(checked(indices, times)[2].tolist()) == sorted(bins)


@pytest.mark.parametrize(
    ("indices", "times", "match"),
    [
        ([0, 1], [0.0], "2 indices and 1 times"),
        ([5], [0.0], r"\[0, 5\).*5"),
        ([-1], [0.0], r"\[0, 5\).*-1"),
        ([0], [-1e-4], "negative"),
        ([2, 2], [1.01e-4, 1.99e-4], "Neuron 2.*more than once"),
        ([2, 1, 2], [1.99e-4, 1.5e-4, 1.0e-4], "Neuron 2.*more than once"),
        ([0], [3e5], "time steps"),
    ],
)
def test_spikes_that_cannot_be(indices: list[int], times: list[float], match: str) -> None:
    with pytest.raises(OverrideError, match=match):
        checked(indices, times)


def test_spikes_of_a_period() -> None:
    beat = SpikeGeneratorInfo(size=5, dt=1e-4, period=2e-3)
    assert checked([0], [1.9e-3], beat)[2].tolist() == [19]
    for time in (2e-3, 1.99999999e-3, 5e-3):
        with pytest.raises(OverrideError, match=r"period of 0\.002 s"):
            checked([0], [time], beat)


def test_spikes_on_an_event_clock() -> None:
    event = SpikeGeneratorInfo(size=5, dt=float("nan"), period=0.0)
    with pytest.raises(OverrideError, match="event clock"):
        checked([0], [1e-3], event)


# -- Poisson inputs --------------------------------------------------------------------


def test_rate_and_weight() -> None:
    got = written({"hum.rate": 50, "hum.weight": 2e-3})
    assert got["hum_parameters"] == binomial_parameters(20, 50e-4).tolist()
    assert got["hum._weight"] == [2e-3]
    assert written({"hum.rate": 0.0})["hum_parameters"] == binomial_parameters(20, 0).tolist()
    assert written({"hum.rate": 1e4})["hum_parameters"] == binomial_parameters(20, 1).tolist()
    with pytest.raises(ReadOnlyVariableError, match="string expression"):
        plan({"hiss.weight": 1})


@pytest.mark.parametrize("rate", [-1, 10_001, 1e9])
def test_rates_that_cannot_be(rate: float) -> None:
    with pytest.raises(OverrideError, match=r"hum\.rate.*10000 Hz"):
        plan({"hum.rate": rate})


def test_units_of_rate_and_weight() -> None:
    with pytest.raises(UnitMismatchError, match=r"hum\.rate.*hertz"):
        plan({"hum.rate": Quantity(3.0, VOLT)})
    with pytest.raises(UnitMismatchError, match=r"hum\.weight"):
        plan({"hum.weight": Quantity(3.0, SECOND)})
    plan({"hum.weight": Quantity(3.0, VOLT)})


def draw(parameters: np.ndarray, random: np.random.Generator) -> float:
    """What the generated C++ does with the parameters (see gpurun.brian.poisson)."""
    value = dict(zip(PARAMETERS, parameters, strict=True))
    if value["normal"]:
        return random.standard_normal() * value["scale"] + value["location"]
    events, chance, left = 0, value["q_power_n"], random.uniform()
    while left > chance:
        events += 1
        if events > value["bound"]:
            events, chance, left = 0, value["q_power_n"], random.uniform()
            continue
        left -= chance
        chance = (value["n"] - events + 1) * value["p"] * chance / (events * value["q"])
    return value["n"] - events if value["reverse"] else events


@pytest.mark.parametrize(
    ("n", "p"),
    [(1, 0.3), (20, 0.01), (20, 0.5), (20, 0.9), (1000, 0.004), (1000, 0.3), (7, 0.999), (3, 0.6)],
)
def test_the_parameters_give_a_binomial_distribution(n: int, p: float) -> None:
    parameters = binomial_parameters(n, p)
    random = np.random.default_rng(1)
    numbers = np.array([draw(parameters, random) for _ in range(4000)])
    deviation = np.sqrt(n * p * (1 - p))
    assert numbers.mean() == pytest.approx(n * p, abs=4 * deviation / np.sqrt(4000))
    assert numbers.std() == pytest.approx(deviation, rel=0.08)


@pytest.mark.parametrize(("n", "p", "certain"), [(5, 0.0, 0), (5, 1.0, 5), (0, 0.5, 0)])
def test_certain_numbers(n: int, p: float, certain: int) -> None:
    random = np.random.default_rng(1)
    assert {draw(binomial_parameters(n, p), random) for _ in range(100)} == {certain}
