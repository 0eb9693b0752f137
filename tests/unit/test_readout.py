"""Neurons get their names, and images their answers, as counted by hand and by plain loops."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpurun.errors import StimulusError
from gpurun.readout import METHODS, Assignment, assign_labels, predict, votes
from tests.unit.readout_host import OnCard

COUNTS = np.array(
    [
        [4, 0, 1, 0],
        [2, 0, 1, 0],
        [0, 3, 2, 0],
        [3, 5, 0, 0],
        [0, 1, 0, 0],
    ]
)
LABELS = np.array([10, 10, 3, 3, 3])


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts and labels of images, and counts of other images."""
    images, others = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    neurons = draw(st.integers(1, 9))
    small = st.integers(0, 4)
    counts = draw(hnp.arrays(np.int64, (images, neurons), elements=small))
    labels = draw(hnp.arrays(np.int64, images, elements=st.sampled_from([0, 2, 3, 7])))
    return counts, labels, draw(hnp.arrays(np.int32, (others, neurons), elements=small))


def names_by_loops(counts: np.ndarray, labels: np.ndarray) -> list[int]:
    names = []
    for neuron in range(counts.shape[1]):
        best, best_mean = -1, 0.0
        for one in sorted({int(label) for label in labels}):
            mine = [counts[k, neuron] for k in range(len(labels)) if labels[k] == one]
            if sum(mine) / len(mine) > best_mean:
                best, best_mean = one, sum(mine) / len(mine)
        names.append(best)
    return names


def answers_by_loops(counts: np.ndarray, names: list[int], lowest: int) -> list[int]:
    answers = []
    for row in counts:
        best, best_mean = lowest, -1.0
        for one in sorted({name for name in names if name >= 0}):
            mine = [row[k] for k in range(len(names)) if names[k] == one]
            if sum(mine) / len(mine) > best_mean:
                best, best_mean = one, sum(mine) / len(mine)
        answers.append(best)
    return answers


# -- names -------------------------------------------------------------------


def test_names_rates_and_proportions_by_hand() -> None:
    assignment = assign_labels(COUNTS, LABELS)
    assert assignment.classes.tolist() == [3, 10]
    assert assignment.images.tolist() == [3, 2]
    assert assignment.names.tolist() == [10, 3, 10, -1]
    assert assignment.rates.tolist() == [[1, 3], [3, 0], [2 / 3, 1], [0, 0]]
    np.testing.assert_allclose(
        assignment.proportions, [[0.25, 0.75], [1, 0], [0.4, 0.6], [0, 0]], rtol=1e-15
    )
    assert assignment.names.dtype == np.int64
    assert repr(assignment) == "<Assignment of 4 neurons to 2 classes, 1 silent>"


def test_a_tie_goes_to_the_lowest_class() -> None:
    assert assign_labels([[1], [1], [1]], [9, 4, 6]).names.tolist() == [4]


def test_a_class_without_images_has_rate_zero() -> None:
    assignment = assign_labels(COUNTS, LABELS, classes=[10, 0, 3])
    assert assignment.classes.tolist() == [0, 3, 10]
    assert assignment.rates[:, 0].tolist() == [0, 0, 0, 0]
    assert assignment.names.tolist() == [10, 3, 10, -1]


def test_negative_classes_are_allowed_but_not_that_of_silence() -> None:
    assert assign_labels([[2, 0], [0, 1]], [-5, 4]).names.tolist() == [-5, 4]
    with pytest.raises(StimulusError, match="-1, which is the name of silent neurons"):
        assign_labels([[2, 0], [0, 1]], [-1, 4])


@given(cases())
def test_names_are_those_of_plain_loops(case) -> None:
    counts, labels, _ = case
    assert assign_labels(counts, labels).names.tolist() == names_by_loops(counts, labels)


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_images_and_neurons_plays_no_part(case, random) -> None:
    counts, labels, others = case
    images = random.sample(range(len(counts)), len(counts))
    neurons = random.sample(range(counts.shape[1]), counts.shape[1])
    plain = assign_labels(counts, labels)
    moved = assign_labels(counts[images][:, neurons], labels[images])
    assert np.array_equal(moved.names, plain.names[neurons])
    assert np.array_equal(moved.rates, plain.rates[neurons])
    assert np.array_equal(predict(others[:, neurons], moved), predict(others, plain))


@given(cases())
def test_proportions_add_up_to_one_or_nothing(case) -> None:
    counts, labels, _ = case
    whole = assign_labels(counts, labels).proportions.sum(axis=1)
    np.testing.assert_allclose(whole, counts.any(axis=0).astype(float))


def test_floating_point_counts_and_arrays_on_a_card() -> None:
    plain = assign_labels(COUNTS, LABELS)
    for counts, labels in (
        (COUNTS.astype(np.float32), LABELS.astype(np.uint8)),
        (OnCard(COUNTS), OnCard(LABELS)),
        (COUNTS.tolist(), LABELS.tolist()),
    ):
        other = assign_labels(counts, labels)
        assert np.array_equal(other.rates, plain.rates)
        assert np.array_equal(predict(counts, other), predict(COUNTS, plain))


def test_an_assignment_pickles_and_cannot_be_changed() -> None:
    assignment = assign_labels(COUNTS, LABELS)
    assert assignment.names.tolist() == [10, 3, 10, -1]
    again = pickle.loads(pickle.dumps(assignment))
    assert isinstance(again, Assignment) and np.array_equal(again.rates, assignment.rates)
    with pytest.raises(AttributeError):
        assignment.classes = assignment.classes  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        assignment.totals[0, 0] = 7


# -- names that are kept up to date -------------------------------------------


@given(cases(), st.integers(0, 12))
def test_updating_is_the_same_as_all_at_once(case, cut: int) -> None:
    counts, labels, _ = case
    cut = min(cut, len(counts))
    assignment = assign_labels(counts[:1] * 0, labels[:1], classes=[0, 2, 3, 7])
    whole = assign_labels(
        np.concatenate((counts[:1] * 0, counts)),
        np.concatenate((labels[:1], labels)),
        classes=[0, 2, 3, 7],
    )
    for part in (slice(0, cut), slice(cut, None)):
        if len(counts[part]):
            assignment = assignment.update(counts[part], labels[part])
    assert np.array_equal(assignment.totals, whole.totals)
    assert np.array_equal(assignment.names, whole.names)
    assert np.array_equal(assignment.rates, whole.rates)


def test_forgetting_by_hand() -> None:
    first = assign_labels([[4], [2], [3]], [0, 0, 1])
    half = first.update([[1]], [0], forgetting=0.5)
    # Two images with 6 spikes count as one with 3; the class that does not come is left as it is
    assert half.rates.tolist() == [[(3 + 1) / 2, 3]]
    assert half.images.tolist() == [2, 1]
    assert half.names.tolist() == [1]
    everything = first.update([[1]], [0], forgetting=1)
    assert everything.rates.tolist() == [[1, 3]]
    assert first.rates.tolist() == [[3, 3]]


@pytest.mark.parametrize("forgetting", [-0.1, 1.5, float("nan")])
def test_forgetting_is_a_part(forgetting: float) -> None:
    with pytest.raises(StimulusError, match="'forgetting' is") as caught:
        assign_labels(COUNTS, LABELS).update(COUNTS, LABELS, forgetting=forgetting)
    assert caught.value.fields["name"] == "forgetting"


def test_an_update_cannot_bring_new_classes_or_neurons() -> None:
    assignment = assign_labels(COUNTS, LABELS)
    with pytest.raises(StimulusError, match="'labels' has 4, not among the classes 3, 10"):
        assignment.update(COUNTS, [10, 10, 3, 3, 4])
    with pytest.raises(StimulusError, match="3 neurons, but the assignment has 4"):
        assignment.update(COUNTS[:, :3], LABELS)


# -- answers -----------------------------------------------------------------


def test_votes_by_hand() -> None:
    assignment = assign_labels(COUNTS, LABELS)  # names 10, 3, 10, none
    counts = [[1, 2, 2, 9]]
    assert votes(counts, assignment).tolist() == [[2, 1.5]]
    np.testing.assert_allclose(
        votes(counts, assignment, "proportion"), [[2 * 1, (1 * 0.75 + 2 * 0.6) / 2]], rtol=1e-15
    )
    assert predict(counts, assignment).tolist() == [3]


def test_proportions_can_change_the_answer() -> None:
    """A neuron that fires for everything is not believed as much as one that fires for 1."""
    assignment = assign_labels([[11, 0], [10, 2]], [0, 1])
    assert assignment.names.tolist() == [0, 1]
    counts = [[3, 2]]
    assert predict(counts, assignment, "all").tolist() == [0]
    assert predict(counts, assignment, "proportion").tolist() == [1]


@given(cases())
def test_answers_are_those_of_plain_loops(case) -> None:
    counts, labels, others = case
    expected = answers_by_loops(others, names_by_loops(counts, labels), int(labels.min()))
    assert predict(others, assign_labels(counts, labels)).tolist() == expected


@given(cases())
def test_proportion_votes_are_those_of_plain_loops(case) -> None:
    counts, labels, others = case
    assignment = assign_labels(counts, labels)
    expected = np.zeros((len(others), len(assignment.classes)))
    for row, column in np.ndindex(*expected.shape):
        mine = np.flatnonzero(assignment.names == assignment.classes[column])
        for neuron in mine:
            share = assignment.rates[neuron, column] / sum(assignment.rates[neuron])
            expected[row, column] += others[row, neuron] * share / len(mine)
    np.testing.assert_allclose(votes(others, assignment, "proportion"), expected, atol=1e-12)


def test_silent_images_and_ties() -> None:
    assignment = assign_labels([[1, 0, 0], [0, 1, 0]], [4, 6], classes=[2, 4, 6])
    silent, tie, unnamed = [0, 0, 0], [3, 3, 0], [0, 0, 5]
    # No neuron is named 2, so it is never the answer
    assert predict([silent, tie, unnamed], assignment).tolist() == [4, 4, 4]
    assert predict([silent, tie, unnamed], assignment, no_answer=-1).tolist() == [-1, 4, -1]
    assert votes([silent], assignment).tolist() == [[0, 0, 0]]


def test_without_any_named_neuron() -> None:
    assignment = assign_labels([[0, 0], [0, 0]], [4, 6])
    assert assignment.names.tolist() == [-1, -1]
    for method in METHODS:
        assert predict([[1, 2]], assignment, method).tolist() == [4]
        assert predict([[1, 2]], assignment, method, no_answer=-1).tolist() == [-1]


# -- input that cannot be right ------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "labels", "name", "message"),
    [
        ([1, 2], [0, 1], "counts", r"shape \(2,\), expected \(images, neurons\)"),
        (np.zeros((0, 3)), [], "counts", "nothing to read"),
        ([[1, -2]], [0], "counts", "negative, nan or infinite"),
        ([[1, np.nan]], [0], "counts", "negative, nan or infinite"),
        ([["a", "b"]], [0], "counts", "Give numbers"),
        ([[1, 2], [3]], [0, 1], "counts", "not an array of numbers"),
        ([[1, 2]], [0, 1], "labels", "has 2 elements, expected 1"),
        ([[1, 2]], [[0]], "labels", r"shape \(1, 1\), expected a flat array"),
        ([[1, 2]], [0.0], "labels", "Give integers"),
    ],
)
def test_unusable_input_is_named(counts, labels, name: str, message: str) -> None:
    with pytest.raises(StimulusError, match=message) as caught:
        assign_labels(counts, labels)
    assert caught.value.fields["name"] == name and f"'{name}'" in str(caught.value)


def test_unknown_methods_are_listed() -> None:
    with pytest.raises(StimulusError, match="'loudest', expected one of all, proportion") as caught:
        predict(COUNTS, assign_labels(COUNTS, LABELS), "loudest")
    assert caught.value.fields["name"] == "method"


def test_labels_outside_the_classes_are_named() -> None:
    with pytest.raises(StimulusError, match="'labels' has 10, not among the classes 0, 1, 2, 3"):
        assign_labels(COUNTS, LABELS, classes=range(4))
