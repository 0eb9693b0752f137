"""Gaussian receptive fields."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gpurun.errors import StimulusError
from gpurun.stimulus.encoders.population import Population


def test_fields_of_bohte() -> None:
    encoder = Population(8, minimum=1.0, maximum=7.0, beta=1.5)
    values = np.array([[1.0, 3.3], [7.0, 0.0]])
    activations = encoder(values)
    assert activations.shape == (2, 16)
    sigma = 6 / (1.5 * 6)
    for n, value in np.ndindex(values.shape):
        for i in range(1, 9):
            centre = 1 + (2 * i - 3) / 2 * 6 / 6
            expected = math.exp(-((values[n, value] - centre) ** 2) / (2 * sigma**2))
            assert activations[n, 8 * value + i - 1] == pytest.approx(expected, rel=1e-12)


def test_each_value_may_have_its_range() -> None:
    values = np.array([[0.5, 30.0]])
    both = Population(5, minimum=(0, 20), maximum=(1, 40))(values)
    np.testing.assert_allclose(both[0, :5], Population(5, 0, 1)(values[:, :1])[0])
    np.testing.assert_allclose(both[0, 5:], Population(5, 20, 40)(values[:, 1:])[0])
    assert Population(5, np.zeros(2), [1, 2]) == Population(5, (0.0, 0.0), (1.0, 2.0))
    with pytest.raises(StimulusError, match="are for 2 values"):
        Population(5, (0, 20), (1, 40))(np.zeros((1, 3)))


def test_a_centre_is_fully_active_and_all_are_within_0_and_1() -> None:
    encoder = Population(6, -1, 1, dtype="float32")
    activations = encoder(encoder.centres[:, None])
    assert activations.dtype == np.float32
    np.testing.assert_array_equal(activations.argmax(axis=1), np.arange(6))
    np.testing.assert_allclose(activations.max(axis=1), 1, rtol=1e-6)
    assert activations.min() >= 0


def test_integers_are_values() -> None:
    np.testing.assert_array_equal(
        Population(4, 0, 255)(np.array([[7]], np.uint8)), Population(4, 0, 255)(np.array([[7.0]]))
    )


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Population(2, 0, 1), "neurons"),
        (lambda: Population(5, 1, 1), "minimum"),
        (lambda: Population(5, (0, 1), (1, 1)), "minimum"),
        (lambda: Population(5, (0, 1), (1, 2, 3)), "maximum"),
        (lambda: Population(5, 0, 1, beta=0), "beta"),
        (lambda: Population(5, np.nan, 1), "minimum"),
    ],
)
def test_parameters_are_checked(make: Any, name: str) -> None:
    with pytest.raises(StimulusError, match=name) as caught:
        make()
    assert caught.value.fields["name"] == name
