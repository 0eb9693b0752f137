"""The benchmark of stimuli as a trial, and that encoders which are wrong are not timed."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import cuda_stimuli, encoding, snntorch_rate
from benchmarks.budget import Budget, Part
from benchmarks.encoding import Way, random_images, spikes_by_loop
from benchmarks.encoding_checks import wrong_rates, wrong_spikes
from benchmarks.stimulus_loops import (
    ADDED,
    BARE,
    IMAGES,
    LATER,
    READY,
    STAGED,
    SYNCHRONOUS,
    WAITED,
    Task,
)
from gpurun.bench import report
from gpurun.bench.cases import Recording
from gpurun.stimulus import BernoulliSpikes, Rates
from tests.bench_trial import trial

ROOT = Path(__file__).parents[2]
PICTURES = random_images(150, 28)
STEPS = 10
#: Where nothing is simulated.
NO_MODEL: Any = None
BY_LOOP = "NumPy loop over images"


def test_a_trial(tmp_path: Path) -> None:
    found = trial("stimuli", tmp_path)
    # Every part has come to a verdict
    assert {check.name.partition(":")[0] for check in found.checks} == {
        "to rates",
        "to spikes",
        "streamed, rates of a retina",
        "streamed, spike lists",
        "trained",
        "one step",
    }
    for group in ("to rates", "to spikes"):
        for contender in (BY_LOOP, "gpurun"):
            assert len(found.values(group, contender, "wall")) == 2
    for group in ("streamed, rates of a retina", "streamed, spike lists"):
        for contender in (STAGED, SYNCHRONOUS, READY):
            assert len(found.values(group, contender, "wall")) == 2
    wall = found.values("trained", STAGED, "wall")
    waited, later = (found.values("trained", STAGED, name) for name in (WAITED, LATER))
    assert all(0 < b <= a < w for w, a, b in zip(wall, waited, later, strict=True))
    # What present adds is what its loop takes longer than the other
    bare = found.values("one step", BARE, "wall")
    presentations = found.parameters["presentations in a round, one step"]
    for contender in (READY, IMAGES):
        added = found.values("one step", contender, ADDED)
        walls = found.values("one step", contender, "wall")
        expected = [(a - b) / float(presentations) for a, b in zip(walls, bare, strict=True)]
        np.testing.assert_allclose(added, expected)
    # Torch need not be there, and the report says whether it is
    said = str(found.parameters[snntorch_rate.SNNTORCH])
    assert "absent" in said or "torch" in said
    assert report.newest(tmp_path) == {}


# -- rates -----------------------------------------------------------------------------


def last_bit(images: Any) -> Any:
    rates = Rates(encoding.MAXIMUM)(images)
    rates[-1, -1] = np.nextafter(rates[-1, -1], np.inf)
    return rates


def refused(group: str, *planted: Way) -> Recording:
    """What is recorded when contenders are planted beside those that are right."""
    recording = Recording(quick=True, say=lambda line: None)
    if group == "to rates":
        encoding.race_to_rates(recording, PICTURES, Part(2), planted)
    else:
        encoding.race_to_spikes(recording, PICTURES, STEPS, 75, Part(2), planted)
    return recording


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (last_bit, "1 of 117600 rates"),
        (Rates(encoding.MAXIMUM + 1), "rates are not"),
        (lambda images: rates_with(images, np.nan), "1 of 117600 rates"),
        (lambda images: Rates(encoding.MAXIMUM)(images[1:]), "shape"),
        (Rates(encoding.MAXIMUM, full_scale=200.0), "0 to 1"),
    ],
)  # fmt: skip
def test_rates_that_are_not_the_loops_are_not_timed(wrong: Callable[..., Any], why: str) -> None:
    recording = refused("to rates", Way("planted", wrong))
    [check] = [check for check in recording.checks if not check.passed]
    assert "planted" in check.name
    assert why in check.detail
    assert not recording.series
    assert not recording.comparisons


def rates_with(images: Any, value: float) -> Any:
    rates = Rates(encoding.MAXIMUM)(images)
    rates[3, 5] = value
    return rates


def test_rates_of_a_card_may_differ_in_their_last_bits() -> None:
    expected = encoding.rates_by_loop(PICTURES)
    assert wrong_rates(expected, last_bit(PICTURES))
    assert not wrong_rates(expected, last_bit(PICTURES), tolerance=1e-14)
    assert wrong_rates(expected, expected * (1 + 1e-12), tolerance=1e-14)


# -- spikes ----------------------------------------------------------------------------

train = BernoulliSpikes(STEPS, seed=3)


def brighter(images: Any) -> Any:
    return spikes_of(images, images / 255 * 1.02)


def spikes_of(images: Any, probability: Any, shape: tuple[int, ...] = (1, 1, 1)) -> Any:
    """Spikes that share their draws along the axes where `shape` is 0."""
    whole = (len(images), STEPS, images[0].size)
    own = [size if one else 1 for size, one in zip(whole, shape, strict=True)]
    draws = np.broadcast_to(np.random.default_rng(1).random(own), whole)
    return draws < probability.reshape(len(images), 1, -1)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (brighter, "by intensity"),
        # Each of these has the right probability everywhere
        (lambda images: spikes_of(images, images / 255, (0, 1, 1)), "chi-squared"),
        (lambda images: spikes_of(images, images / 255, (1, 0, 1)), "by intensity"),
        (lambda images: spikes_of(images, images / 255, (1, 1, 0)), "chi-squared"),
        # Those of another pixel, image or step
        (lambda images: train(images)[:, :, ::-1], "by intensity"),
        (lambda images: train(images)[::-1], "by intensity"),
        # As many as there should be, and not by chance
        (lambda images: np.diff(np.floor(np.arange(STEPS + 1)[None, :, None] * (
            images.reshape(len(images), 1, -1) / 255)), axis=1) > 0, "chi-squared"),
        (lambda images: BernoulliSpikes(STEPS, probability=0.9)(images), "always are"),
        (lambda images: train(images)[:, 1:], "shape"),
        (lambda images: np.zeros((len(images), STEPS, 784), bool), "always are"),
    ],
)  # fmt: skip
def test_spikes_that_are_not_those_of_chance_are_not_timed(
    wrong: Callable[[Any], Any], why: str
) -> None:
    recording = refused("to spikes", Way("planted", wrong))
    [check] = [check for check in recording.checks if not check.passed]
    assert "planted" in check.name
    assert why in check.detail
    assert not recording.series


def test_right_spikes_are_timed_whatever_they_are_made_of() -> None:
    as_floats = Way("planted", lambda images: train(images).astype(np.float32))
    recording = refused("to spikes", as_floats)
    assert all(check.passed for check in recording.checks)
    assert {one.contender for one in recording.series} == {
        BY_LOOP, "NumPy loop, float32 draws", "gpurun", "gpurun, 75 at a time", "planted",
    }  # fmt: skip
    # Each is compared with the loop
    assert len(recording.comparisons) == 4


def test_right_spikes_are_hardly_ever_refused() -> None:
    for seed in range(30):
        spikes = BernoulliSpikes(STEPS, seed=seed)(PICTURES)
        assert not wrong_spikes(PICTURES, spikes, steps=STEPS)


# -- snnTorch --------------------------------------------------------------------------


class Tensor(np.ndarray):
    """As much of a tensor as is used."""

    def to(self, device: str) -> Tensor:
        return self

    def float(self) -> Tensor:
        return self.astype(np.float32).view(Tensor)

    def cpu(self) -> Tensor:
        return self

    def numpy(self) -> np.ndarray:
        return np.asarray(self)


def stand_in(monkeypatch: pytest.MonkeyPatch, *, card: bool, waits: list[str]) -> None:
    """A torch and an snnTorch whose spikes are the loop's."""
    cuda = SimpleNamespace(is_available=lambda: card, synchronize=lambda: waits.append("card"))
    torch: Any = ModuleType("torch")
    torch.__version__ = "9.8"
    torch.cuda, torch.get_num_threads, torch.manual_seed = cuda, lambda: 3, lambda seed: None
    torch.from_numpy = lambda array: array.view(Tensor)
    spikegen: Any = ModuleType("snntorch.spikegen")

    def rate(data: Any, num_steps: int) -> Any:
        assert float(data.max()) <= 1
        trains = spikes_by_loop(num_steps)(np.round(np.asarray(data) * 255).astype(np.uint8))
        return np.moveaxis(trains, 1, 0).astype(np.float32).view(Tensor)

    spikegen.rate = rate
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "snntorch", ModuleType("snntorch"))
    monkeypatch.setitem(sys.modules, "snntorch.spikegen", spikegen)
    monkeypatch.setattr(snntorch_rate.metadata, "version", lambda name: "7.6")


def test_snntorch_takes_part_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[str] = []
    stand_in(monkeypatch, card=True, waits=waits)
    for device, waited in (("cpu", 0), ("cuda", 6)):
        ways, said = snntorch_rate.snntorch_ways(STEPS, 75, device)
        assert said == "7.6 with torch 9.8, 3 threads"
        recording = refused("to spikes", *ways)
        assert all(check.passed for check in recording.checks)
        for way in ways:
            assert any(one.contender == way.name for one in recording.series)
        # The clock stops when the card is ready
        assert len(waits) == waited


def test_snntorch_that_cannot_use_a_card_is_named_as_absent_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in(monkeypatch, card=False, waits=[])
    ways, said = snntorch_rate.snntorch_ways(STEPS, 75, "cuda")
    assert not ways
    assert said == "absent (torch 9.8 cannot use a card)"


def test_snntorch_that_is_missing_is_named_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    ways, said = snntorch_rate.snntorch_ways(STEPS, 75)
    assert not ways
    assert "absent" in said
    assert "torch" in said


# -- on a card -------------------------------------------------------------------------


def test_encoders_on_a_card_are_waited_for() -> None:
    waits: list[str] = []
    stream = SimpleNamespace(synchronize=lambda: waits.append("stream"))
    cupy = SimpleNamespace(
        asarray=np.asarray,
        asnumpy=np.asarray,
        cuda=SimpleNamespace(get_current_stream=lambda: stream),
    )
    ways = cuda_stimuli.on_card(cupy, Rates(encoding.MAXIMUM))
    recording = refused("to rates", *ways)
    assert all(check.passed for check in recording.checks)
    # A warm-up and two rounds of two ways
    assert len(waits) == 6
    assert not cuda_stimuli.on_card(None, Rates(encoding.MAXIMUM))


# -- loops -----------------------------------------------------------------------------


class Counting:
    """Counts its rounds, warm-up included."""

    name = "counting"

    def __init__(self) -> None:
        self.presented = 0

    def present(self, number: int) -> dict[str, float]:
        self.presented += 1
        return {"wall": 1.0}


@pytest.mark.parametrize(
    ("few", "in_a_row", "seconds", "rounds"),
    [
        (True, 5, None, 2),
        (True, 5, 1e6, 2),
        (False, 5, None, 40),
        (False, 5, 1e6, 40),
        # However little time there is, one turn, and two values for a ratio of medians
        (False, 5, -1.0, 5),
        (False, 1, -1.0, 2),
    ],
)
def test_a_part_does_as_many_rounds_as_time_allows(
    few: bool, in_a_row: int, seconds: float | None, rounds: int
) -> None:
    recording = Recording(quick=few, say=lambda line: None)
    deadline = None if seconds is None else time.perf_counter() + seconds
    contender = Counting()
    part = Budget(few, deadline).part(40, 0.5, in_a_row)
    found = part.take_turns(recording, "group", [contender])
    assert found == {"counting": {"wall": [1.0] * rounds}}
    assert [len(one.values) for one in recording.series] == [rounds]
    # A warm-up, and one more where it has to be known how long a round takes
    assert contender.presented == rounds + 1 + (deadline is not None and not few)


def test_what_a_network_gives_may_differ_as_much_as_is_said() -> None:
    task: Any = Task(NO_MODEL, "cpu", PICTURES, None, "inputs.rates", "spikes.count", 5)
    one = np.array([1.0, 2.0])
    assert task.alike(one, one.copy())
    assert not task.alike(one, np.array([1.0, np.nextafter(2.0, 3.0)]))
    tolerant = dataclasses.replace(task, tolerance=1e-9)
    assert tolerant.alike(one, one * (1 + 1e-10))
    assert not tolerant.alike(one, one * (1 + 1e-8))


def test_batches_prepared_first_are_those_of_the_stream() -> None:
    encode = BernoulliSpikes(STEPS, seed=5)
    task = Task(NO_MODEL, "cpu", PICTURES, encode, "inputs.rates", "", 40)
    staged = [one.value for one in dataclasses.replace(task.staged(), device="cpu")]
    for stimuli in (task.synchronous("cpu"), task.ready("cpu")):
        values = [one.value for one in stimuli]
        assert len(values) == len(PICTURES)
        np.testing.assert_array_equal(values, staged)
