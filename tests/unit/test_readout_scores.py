"""Scores are counted right, and a missing scikit-learn is named."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpurun.errors import NotSupportedError, StimulusError
from gpurun.readout import accuracy, confusion_matrix, report
from tests.unit.readout_host import OnCard

TRUTH = [3, 3, 3, 8, 9]
GUESSES = [3, 3, 8, 8, -1]


def test_accuracy() -> None:
    assert accuracy(TRUTH, GUESSES) == 0.6
    assert accuracy(OnCard(TRUTH), OnCard(GUESSES)) == 0.6
    assert isinstance(accuracy([1], [1]), float)


@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=1, max_size=20))
def test_confusions_are_those_of_plain_loops(pairs: list[tuple[int, int]]) -> None:
    truth, guesses = zip(*pairs, strict=True)
    table = confusion_matrix(truth, guesses, classes=range(-1, 5))
    expected = [[pairs.count((row, column)) for column in range(-1, 5)] for row in range(-1, 5)]
    assert table.tolist() == expected
    assert np.trace(table) / table.sum() == pytest.approx(accuracy(truth, guesses))


def test_classes_are_those_that_occur() -> None:
    """Missing answers are counted, too, and a single class is no reason for a warning."""
    expected = [[0, 0, 0, 0], [0, 2, 1, 0], [0, 0, 1, 0], [1, 0, 0, 0]]  # of -1, 3, 8, 9
    assert confusion_matrix(TRUTH, GUESSES).tolist() == expected
    assert confusion_matrix([4, 4], [4, 4]).tolist() == [[2]]


def test_nothing_is_left_out_of_the_table() -> None:
    with pytest.raises(StimulusError, match="'guesses' has -1, not among the classes 3, 8, 9"):
        confusion_matrix(TRUTH, GUESSES, classes=[9, 8, 3])
    with pytest.raises(StimulusError, match="'truth' has 9, not among"):
        confusion_matrix(TRUTH, GUESSES, classes=[8, 3])


def test_report_has_a_line_for_each_class() -> None:
    lines = [line.split() for line in report(TRUTH, GUESSES).splitlines() if line.strip()]
    rows = {line[0]: line[1:] for line in lines}
    assert rows["3"] == ["1.00", "0.67", "0.80", "3"]
    assert rows["8"] == ["0.50", "1.00", "0.67", "1"]
    assert rows["9"] == ["0.00", "0.00", "0.00", "1"]  # never answered: no warning


@pytest.mark.parametrize(
    ("truth", "guesses", "name", "message"),
    [
        ([], [], "truth", "not empty"),
        ([1, 2], [1], "guesses", "has 1 elements, expected 2"),
        ([1.5], [1], "truth", "Give integers"),
        ([1], ["a"], "guesses", "Give numbers"),
    ],
)
@pytest.mark.parametrize("score", [accuracy, confusion_matrix, report])
def test_unusable_answers_are_named(score, truth, guesses, name: str, message: str) -> None:
    with pytest.raises(StimulusError, match=message) as caught:
        score(truth, guesses)
    assert caught.value.fields["name"] == name


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    for score in (confusion_matrix, report):
        with pytest.raises(NotSupportedError, match="scikit-learn") as caught:
            score(TRUTH, GUESSES)
        assert "pip install 'gpurun[images]'" in str(caught.value)
        assert caught.value.fields["what"] == "scikit-learn"
    assert accuracy(TRUTH, GUESSES) == 0.6
