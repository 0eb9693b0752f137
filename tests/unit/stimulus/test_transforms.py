"""Transforms: what becomes of pixels, and of borders, blank images and large numbers."""

from __future__ import annotations

from typing import Any

import hypothesis
import numpy as np
import pytest
from brian2.units import mV
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpurun.datasets import digits
from gpurun.errors import StimulusError, UnitMismatchError
from gpurun.stimulus.encoders.plane import Crop, Pad, Resize
from gpurun.stimulus.encoders.retina import DifferenceOfGaussians
from gpurun.stimulus.encoders.transforms import Contrast, Flatten, Normalise, Scale

RANDOM = np.random.default_rng(5)


def test_scale_knows_the_dtype() -> None:
    for dtype in ("uint8", "uint16"):
        images = np.array([[0, 1, np.iinfo(dtype).max]], dtype)
        expected = [[0.0, 1 / np.iinfo(dtype).max, 1.0]]
        np.testing.assert_array_equal(Scale()(images), expected)
    np.testing.assert_array_equal(Scale()(np.array([[True, False]])), [[1.0, 0.0]])
    np.testing.assert_array_equal(Scale(full_scale=16)(digits().images), digits().images / 16)
    single = Scale(dtype=np.float32)(np.array([[51]], np.uint8))
    assert single.dtype == np.float32 and single == np.float32(0.2)
    floats = np.array([[0.25]])
    assert Scale()(floats) is floats  # nothing to do, nothing copied
    for dtype in ("int64", "int8", "uint32"):
        with pytest.raises(StimulusError, match="full_scale=255") as caught:
            Scale()(np.array([[3]], dtype))
        assert caught.value.fields["name"] == "full_scale"


MEASURES: dict[str, Any] = {
    "sum": lambda x: np.abs(x).sum(),
    "maximum": lambda x: np.abs(x).max(),
    "l2": lambda x: np.sqrt((x**2).sum()),
    "standard": np.std,
}


@pytest.mark.parametrize("to", MEASURES)
@hypothesis.given(
    images=hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=4, max_side=5),
        elements=st.floats(-1e300, 1e300, allow_subnormal=True),
    ),
    value=st.sampled_from([1.0, 7.5]),
)
def test_normalise(to: str, images: np.ndarray, value: float) -> None:
    result = Normalise(to, value)(images)
    assert result.shape == images.shape and np.isfinite(result).all()
    for image, normalised in zip(images, result, strict=True):
        uniform = to == "standard" and (image == image.flat[0]).all()
        if uniform or not image.any():
            assert not normalised.any()
        else:
            assert MEASURES[to](normalised) == pytest.approx(value, rel=1e-9)
            if to == "standard":
                assert abs(normalised.mean()) < 1e-9 * value
            else:
                # The same up to a factor: signs and order stay
                assert (np.sign(normalised) * np.sign(image) >= 0).all()


def test_normalise_keeps_float32_and_takes_integers() -> None:
    assert Normalise("l2")(np.ones((2, 4), np.float32)).dtype == np.float32
    np.testing.assert_array_equal(
        Normalise("sum", 100)(np.array([[1, 3], [0, 0]], np.uint8)), [[25, 75], [0, 0]]
    )


def test_standard_deviations_of_what_hardly_varies_or_varies_greatly() -> None:
    standard = Normalise("standard")
    assert not standard(np.full((1, 3), 0.1)).any()
    np.testing.assert_allclose(
        standard(np.array([[1.0, 1.0, 1.0 + 2**-52]])), [[-(0.5**0.5), -(0.5**0.5), 2**0.5]]
    )
    np.testing.assert_allclose(standard(np.array([[-1.7e308, 1.7e308]])), [[-1, 1]])


def test_contrast() -> None:
    images = np.array([[0.0, 0.25, 1.0, -0.25]])
    np.testing.assert_allclose(Contrast(gamma=0.5)(images), [[0, 0.5, 1, -0.5]])
    np.testing.assert_allclose(Contrast(2, 0.1)(images), [[0.1, 0.6, 2.1, -0.4]])
    clipped = Contrast(gain=2, offset=0.1, clip=(0, 1))(images)
    np.testing.assert_allclose(clipped, [[0.1, 0.6, 1, 0]])
    assert Contrast()(images) is images
    inverted = Contrast(gain=-1, offset=255)(np.array([[0, 255]], np.uint8))
    np.testing.assert_array_equal(inverted, [[255, 0]])


def test_flatten_is_a_view() -> None:
    images = RANDOM.random((3, 2, 4))
    flat = Flatten()(images)
    assert np.shares_memory(flat, images) and flat.shape == (3, 8)
    assert Flatten()(np.zeros((0, 2, 4), np.uint8)).shape == (0, 8)


def test_area_is_the_mean_of_blocks() -> None:
    images = RANDOM.random((2, 3, 8, 6))
    blocks = images.reshape(2, 3, 4, 2, 2, 3).mean(axis=(3, 5))
    np.testing.assert_allclose(Resize((4, 2))(images), blocks)
    # A pixel that lies across a border is shared: 3 to 2 pixels
    row = np.array([[[1.0, 2.0, 4.0]]])
    np.testing.assert_allclose(Resize((1, 2))(row), [[[(1 + 1) / 1.5, (1 + 4) / 1.5]]])


def test_linear_is_that_of_numpy() -> None:
    rows = RANDOM.random(5)
    places = np.clip((np.arange(13) + 0.5) * 5 / 13 - 0.5, 0, 4)
    expected = np.interp(places, np.arange(5), rows)
    result = Resize((13, 3), "linear")(rows[None, :, None])
    np.testing.assert_allclose(result, np.repeat(expected[None, :, None], 3, axis=2))


def test_nearest_takes_pixels() -> None:
    images = RANDOM.integers(0, 255, (2, 3, 5), dtype=np.uint8)
    doubled = Resize((6, 10), "nearest")(images)
    assert doubled.dtype == np.uint8
    np.testing.assert_array_equal(doubled, images.repeat(2, axis=1).repeat(2, axis=2))
    np.testing.assert_array_equal(Resize((1, 1), "nearest")(images)[:, 0, 0], images[:, 1, 2])


@pytest.mark.parametrize("method", ["area", "linear", "nearest"])
@hypothesis.given(
    old=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    new=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_resizing_keeps_what_is_uniform_and_its_own_size(
    method: str, old: tuple[int, int], new: tuple[int, int]
) -> None:
    np.testing.assert_allclose(Resize(new, method)(np.full((1, *old), 0.3)), 0.3)
    images = RANDOM.random((2, *old))
    np.testing.assert_allclose(Resize(old, method)(images), images)
    if method == "area":
        means = Resize(new)(images).mean(axis=(1, 2))
        np.testing.assert_allclose(means, images.mean(axis=(1, 2)))


@pytest.mark.parametrize(
    "transform",
    [Resize((3, 4)), Resize((3, 4), "nearest"), Crop((2, 3)), Pad((9, 9), value=2)],
)
def test_channels_may_be_last(transform: Any) -> None:
    images = RANDOM.random((2, 3, 5, 6))
    last = type(transform)(**{**vars(transform), "axes": (1, 2)})
    moved = last(np.moveaxis(images, 1, 3))
    np.testing.assert_array_equal(np.moveaxis(moved, 3, 1), transform(images))


def test_crop_and_pad() -> None:
    images = np.arange(2 * 4 * 5).reshape(2, 4, 5).astype(np.uint8)
    np.testing.assert_array_equal(Crop((2, 3))(images), images[:, 1:3, 1:4])
    np.testing.assert_array_equal(Crop((2, 3), at=(0, 2))(images), images[:, :2, 2:])
    assert np.shares_memory(Crop((2, 2))(images), images)
    padded = Pad((7, 5), value=9)(images)
    assert padded.dtype == np.uint8
    np.testing.assert_array_equal(
        padded, np.pad(images, ((0, 0), (1, 2), (0, 0)), constant_values=9)
    )
    np.testing.assert_array_equal(Crop((4, 5))(Pad((8, 9))(images)), images)
    with pytest.raises(StimulusError, match="do not fit into"):
        Pad((3, 9))(images)
    with pytest.raises(StimulusError, match="no pixel of type uint8"):
        Pad((9, 9), value=0.5)(images)
    for wrong in (Crop((5, 5)), Crop((2, 2), at=(3, 0))):
        with pytest.raises(StimulusError, match="does not lie within images of 4 rows"):
            wrong(images)


def naive_difference(image: np.ndarray, centre: float, surround: float) -> np.ndarray:
    """Difference of Gaussians, pixel by pixel, renormalised where it meets the border."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    result = np.zeros(image.shape)
    for row, column in np.ndindex(image.shape):
        square = (y - row) ** 2 + (x - column) ** 2
        for sigma, sign in ((centre, 1), (surround, -1)):
            weights = np.exp(-square / (2 * sigma**2))
            result[row, column] += sign * (weights * image).sum() / weights.sum()
    return result


def test_the_retina_is_a_difference_of_gaussians() -> None:
    images = RANDOM.random((2, 7, 9))
    expected = np.stack([naive_difference(image, 0.8, 1.7) for image in images])
    signed = DifferenceOfGaussians(0.8, 1.7, on_off=False)(images)
    np.testing.assert_allclose(signed, expected, atol=1e-12)
    on_off = DifferenceOfGaussians(0.8, 1.7)(images)
    assert on_off.shape == (2, 2, 7, 9)
    np.testing.assert_array_equal(on_off[:, 0], np.maximum(signed, 0))
    np.testing.assert_array_equal(on_off[:, 1], np.maximum(-signed, 0))
    # A dot on a dark ground makes an ON cell fire in the middle, and OFF cells around it
    dot = np.zeros((1, 15, 15))
    dot[0, 7, 7] = 1
    on, off = DifferenceOfGaussians()(dot)[0]
    assert on.argmax() == 7 * 15 + 7 and off[7, 7] == 0 and off[7, 10] > 0


@pytest.mark.parametrize("level", [0.0, 0.1, 0.7, 123.0])
def test_the_retina_does_not_see_uniform_images(level: float) -> None:
    for dtype in (np.float32, np.float64):
        response = DifferenceOfGaussians()(np.full((2, 28, 28), level, dtype))
        # Not even a rounding, which a normalisation would blow up
        assert response.dtype == dtype and not response.any()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: Scale(full_scale=0), "full_scale"),
        (lambda: Scale(full_scale=np.nan), "full_scale"),
        (lambda: Scale(dtype="int8"), "dtype"),
        (lambda: Scale(dtype="float16"), "dtype"),
        (lambda: Normalise("mean"), "to"),
        (lambda: Normalise("sum", -1), "value"),
        (lambda: Contrast(gamma=0), "gamma"),
        (lambda: Contrast(gain="a"), "gain"),
        (lambda: Contrast(clip=(1, 0)), "clip"),
        (lambda: Contrast(clip=3), "clip"),
        (lambda: Contrast(clip=(0, np.nan)), "clip"),
        (lambda: Resize((3, 0)), "shape"),
        (lambda: Resize(3), "shape"),
        (lambda: Resize((2.5, 3)), "shape"),
        (lambda: Resize((3, 3), "cubic"), "method"),
        (lambda: Resize((3, 3), axes=(0, 1)), "axes"),
        (lambda: Resize((3, 3), axes=(1, 1)), "axes"),
        (lambda: Resize((3, 3), axes=(1, 4))(np.zeros((1, 2, 2))), "axes"),
        (lambda: Resize((3, 3), axes=(2, -1))(np.zeros((1, 2, 2))), "axes"),
        (lambda: Resize((3, 3))(np.zeros((4, 4))), "axes"),
        (lambda: Crop((2, 2), at=(-1, 0)), "at"),
        (lambda: Crop((2, 2), at=1), "at"),
        (lambda: Pad((2, 2), value=np.inf), "value"),
        (lambda: DifferenceOfGaussians(2, 1), "centre"),
        (lambda: DifferenceOfGaussians(0, 1), "centre"),
    ],
)
def test_parameters_are_checked(make: Any, name: str) -> None:
    with pytest.raises(StimulusError, match=name) as caught:
        make()
    assert caught.value.fields["name"] == name


def test_dimensionless_parameters_have_no_unit() -> None:
    with pytest.raises(UnitMismatchError, match="gain"):
        Contrast(gain=3 * mV)
