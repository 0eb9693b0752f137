"""The order of spikes tells classes apart whose counts are equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpurun.errors import StimulusError
from gpurun.readout import NGram, accuracy, assign_labels, firing_order, predict
from gpurun.readout.ngram import _root
from tests.unit.readout_host import OnCard

orders_of_spikes = st.lists(st.lists(st.integers(0, 3), max_size=8), min_size=1, max_size=8)


def votes_by_loops(
    learnt: list[list[int]], labels: list[int], shown: list[list[int]], n: int
) -> np.ndarray:
    classes = sorted(set(labels))
    seen: dict[tuple[int, ...], list[int]] = {}
    for order, label in zip(learnt, labels, strict=True):
        for start in range(len(order) - n + 1):
            times = seen.setdefault(tuple(order[start : start + n]), [0] * len(classes))
            times[classes.index(label)] += 1
    scores = np.zeros((len(shown), len(classes)))
    for row, order in enumerate(shown):
        for start in range(len(order) - n + 1):
            times = seen.get(tuple(order[start : start + n]), [0] * len(classes))
            scores[row] += times
    return scores / [labels.count(one) for one in classes]


@given(orders_of_spikes, orders_of_spikes, st.integers(1, 4), st.randoms(use_true_random=False))
def test_votes_are_those_of_plain_loops(learnt, shown, n: int, random) -> None:
    labels = [random.choice([2, 5, 9]) for _ in learnt]
    scores = NGram(n).fit(learnt, labels).votes(shown)
    np.testing.assert_allclose(scores, votes_by_loops(learnt, labels, shown, n), rtol=1e-12)


@given(orders_of_spikes, orders_of_spikes, st.integers(1, 3), st.randoms(use_true_random=False))
def test_updating_is_the_same_as_all_at_once(first, second, n: int, random) -> None:
    labels = [random.choice([2, 5]) for _ in first + second]
    whole = NGram(n).fit(first + second, labels, classes=[2, 5])
    parts = NGram(n).fit(first, labels[: len(first)], classes=[2, 5])
    parts.update(second, labels[len(first) :])
    assert np.array_equal(parts.votes(first + second), whole.votes(first + second))
    assert np.array_equal(parts.images, whole.images)
    assert len(parts) == len(whole)


def test_order_tells_apart_what_counts_cannot() -> None:
    """Class 0 fires through the neurons upwards, class 1 downwards, each neuron twice."""
    rng = np.random.default_rng(5)
    labels = rng.integers(2, size=80)
    trains = np.zeros((80, 60, 10), dtype=bool)
    for image, label in enumerate(labels):
        order = np.tile(np.arange(10), 2)[:: -1 if label else 1]
        steps = np.sort(rng.choice(60, 20, replace=False))
        trains[image, steps, order] = True
    known, new = slice(0, 40), slice(40, None)

    ngram = NGram(n=2).fit(trains[known], labels[known])
    assert accuracy(labels[new], ngram.predict(trains[new])) == 1

    counts = trains.sum(axis=1)
    assert (counts == 2).all()
    guesses = predict(counts[new], assign_labels(counts[known], labels[known]))
    assert len(set(guesses.tolist())) == 1


def test_trains_and_orders_say_the_same() -> None:
    rng = np.random.default_rng(1)
    trains = rng.random((6, 20, 5)) < 0.1
    orders = [np.nonzero(train)[1] for train in trains]
    labels = [0, 0, 1, 1, 2, 2]
    scores = NGram(3).fit(orders, labels).votes(orders)
    assert scores.any()
    for given_as in (trains, trains.astype(np.int8), OnCard(trains), [OnCard(o) for o in orders]):
        assert np.array_equal(NGram(3).fit(given_as, labels).votes(given_as), scores)


def test_classes_of_different_size_are_heard_alike() -> None:
    learnt = [[0, 1]] * 9 + [[0, 1, 0, 1]]
    ngram = NGram(2).fit(learnt, [0] * 9 + [1])
    # Nine times in nine images, and twice in one
    assert ngram.votes([[0, 1]]).tolist() == [[1, 2]]
    assert ngram.predict([[0, 1]]).tolist() == [1]


def test_no_sequence_reaches_over_two_images() -> None:
    ngram = NGram(2).fit([[0, 1], [2, 3], [], [4], [5, 6]], [0, 0, 0, 0, 0])
    assert len(ngram) == 3
    assert ngram.votes([[0, 1], [1, 2], [3, 4], [4, 5], [5, 6]])[:, 0].tolist() == [
        0.2, 0, 0, 0, 0.2,
    ]  # fmt: skip


def test_unknown_sequences_and_silence() -> None:
    ngram = NGram(2).fit([[0, 1], [1, 0]], [3, 6], classes=[1, 3, 6])
    shown = [[], [0], [7, 8], [0, 1, 0], [1, 0]]
    # No image of class 1 was given, so it is never the answer
    assert ngram.predict(shown).tolist() == [3, 3, 3, 3, 6]
    assert ngram.predict(shown, no_answer=-1).tolist() == [-1, -1, -1, 3, 6]
    assert repr(ngram) == "<NGram n=2, 2 sequences of 3 classes>"
    assert repr(NGram(4)) == "<NGram n=4, nothing learnt>"


def test_memory_follows_the_spikes_and_not_the_possible_sequences() -> None:
    """400 neurons make 64 million sequences of 3."""
    rng = np.random.default_rng(3)
    orders = [rng.integers(400, size=30) for _ in range(200)]
    ngram = NGram(3).fit(orders, np.arange(200) % 10)
    assert len(ngram) <= 200 * 28
    assert sum(known.nbytes + times.nbytes for known, times in ngram._known) == 16 * len(ngram)
    assert accuracy(np.arange(200) % 10, ngram.predict(orders)) > 0.99


def test_fit_forgets() -> None:
    ngram = NGram(2).fit([[0, 1]], [0]).fit([[2, 3]], [4])
    assert ngram.classes is not None and ngram.classes.tolist() == [4]
    assert ngram.votes([[0, 1], [2, 3]]).tolist() == [[0], [1]]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 62])
def test_sequences_fit_into_64_bits(n: int) -> None:
    largest = _root(2**63 - 1, n)
    assert largest >= 2
    assert largest**n <= 2**63 - 1 < (largest + 1) ** n
    top = [largest - 1] * n
    ngram = NGram(n).fit([top, [0] * n], [0, 1])
    assert ngram.predict([[0] * n, top]).tolist() == [1, 0]


def test_neurons_that_cannot_be_told_apart_are_refused() -> None:
    ngram = NGram(8).fit([[0] * 8], [0])
    with pytest.raises(StimulusError, match=r"neuron 300, .* of 8 spikes .* Use a smaller n"):
        ngram.update([[300] * 8], [0])
    assert len(ngram) == 1 and ngram.images is not None and ngram.images.tolist() == [1]


# -- the order of spikes ---------------------------------------------------------


def test_firing_order_sorts_by_time_then_index() -> None:
    i, t = [4, 0, 2, 1], [0.003, 0.001, 0.003, 0.002]
    assert firing_order(i, t).tolist() == [0, 1, 2, 4]
    assert firing_order(OnCard(i), OnCard(t)).tolist() == [0, 1, 2, 4]
    assert firing_order([], []).tolist() == []
    with pytest.raises(StimulusError, match=r"'t' has the shape \(1,\), but 'i' has"):
        firing_order([1, 2], [0.1])


@pytest.mark.parametrize(
    ("spikes", "message"),
    [
        ([], "no image"),
        (np.zeros((0, 3, 2), bool), "expected spike trains of the shape"),
        (np.zeros((4, 2), bool), "expected spike trains of the shape"),
        (np.full((1, 3, 2), 2), "other values than 0 and 1"),
        (5, "expected spike trains of the shape"),
        ([[0, -1]], "and the value -1"),
        ([[0.5, 1.0]], "integers from 0 on; got an array of type float64"),
        ([[[0, 1]]], r"with the shape \(1, 2\)"),
    ],
)
def test_unusable_spikes_are_named(spikes, message: str) -> None:
    with pytest.raises(StimulusError, match=message) as caught:
        NGram(2).fit(spikes, [0])
    assert caught.value.fields["name"] == "spikes" and "'spikes'" in str(caught.value)


def test_unusable_labels_and_lengths_are_named() -> None:
    for n in (0, 63, 2.0, True):
        with pytest.raises(StimulusError, match="'n' is"):
            NGram(n)
    with pytest.raises(StimulusError, match="'labels' has 2 elements, expected 1"):
        NGram(2).fit([[0, 1]], [0, 1])
    with pytest.raises(StimulusError, match="Call fit first"):
        NGram(2).predict([[0, 1]])
    with pytest.raises(StimulusError, match="'labels' has 7, not among the classes 0"):
        NGram(2).fit([[0, 1]], [0]).update([[0, 1]], [7])
