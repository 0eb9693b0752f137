"""Images that come one after the other."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpurun.errors import DatasetError
from gpurun.stimulus.protocols import Source
from gpurun.stimulus.sources.iterable import IterableSource

COUNT = 7
IMAGES = np.random.default_rng(8).integers(0, 256, (COUNT, 2, 3), np.uint8)
LABELS = np.arange(COUNT) + 3


def pairs() -> Iterator[tuple[np.ndarray, int]]:
    """All pairs of an image and its label."""
    yield from ((image, int(label)) for image, label in zip(IMAGES, LABELS, strict=True))


class Stream:
    """An iterable without a length, as Hugging Face's."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return ({"image": image, "label": label} for image, label in pairs())


@pytest.mark.parametrize("make", [lambda: pairs, lambda: list(pairs()), Stream])
@given(sizes=st.lists(st.integers(0, 4), max_size=6), again=st.integers(0, 3))
def test_images_come_in_order_however_many_are_asked_for(
    make: Any, sizes: list[int], again: int
) -> None:
    source = IterableSource(make())
    for _ in range(again + 1):
        start = 0
        for size in sizes:
            stop = start + size if source.count is None else min(start + size, source.count)
            images, labels = source.read(np.arange(start, stop))
            assert np.array_equal(images, IMAGES[start:stop])
            assert np.array_equal(labels, LABELS[start:stop])
            start = stop


def test_it_is_what_streams_expect() -> None:
    source = IterableSource(pairs)
    assert isinstance(source, Source) and source.sequential and not source.on_device
    assert (source.count, source.shape, source.dtype) == (None, (2, 3), np.uint8)
    assert source.labels is None
    assert repr(source) == "<IterableSource: images of uint8, shape (2, 3), with labels>"
    assert IterableSource(list(pairs())).count == COUNT


def test_the_end_gives_fewer_and_then_none() -> None:
    source = IterableSource(pairs)
    images, labels = source.read(range(20))
    assert len(images) == COUNT and labels is not None and len(labels) == COUNT
    for start in (COUNT, 20):
        images, labels = source.read(range(start, start + 5))
        assert images.shape == (0, 2, 3) and images.dtype == np.uint8
        assert labels is not None and labels.shape == (0,)
    assert len(source.read(range(2))[0]) == 2


def test_an_empty_batch_does_not_move_on() -> None:
    source = IterableSource(pairs)
    source.read([0, 1])
    assert source.read([])[0].shape == (0, 2, 3)
    assert np.array_equal(source.read([2])[0], IMAGES[[2]])


@pytest.mark.parametrize("indices", [[1], [2, 3], [0, 2], [1, 0], [3, 3]])
def test_another_order_is_refused(indices: list[int]) -> None:
    source = IterableSource(pairs)
    with pytest.raises(DatasetError, match="image 0 comes next"):
        source.read(indices)
    source.read([0])
    assert np.array_equal(source.read([1])[0], IMAGES[[1]])


@pytest.mark.parametrize("indices", [[-1], [0.0], [[0]], [True]])
def test_other_indices_are_refused(indices: Any) -> None:
    with pytest.raises(DatasetError, match=r"indices|no image"):
        IterableSource(pairs).read(indices)
    with pytest.raises(DatasetError, match="no image 7"):
        IterableSource(list(pairs())).read(range(8))


@pytest.mark.parametrize("make", [pairs, lambda: iter(list(pairs())), lambda: map(tuple, pairs())])
def test_an_iterator_is_read_once(make: Any) -> None:
    source = IterableSource(make())
    assert np.array_equal(source.read([0, 1])[0], IMAGES[:2]), "the first was not lost"
    assert len(source.read(range(2, 99))[0]) == COUNT - 2
    with pytest.raises(DatasetError, match=r"read once only, and 7 images were read.*function"):
        source.read([0])


def test_a_function_that_gives_the_same_iterator_again_is_noticed() -> None:
    iterator = pairs()
    source = IterableSource(lambda: iterator)
    assert len(source.read(range(20))[0]) == COUNT
    with pytest.raises(DatasetError, match="none when it was started again"):
        source.read([0])


def test_a_length_that_is_not_kept_is_noticed() -> None:
    class Short(list[Any]):
        def __len__(self) -> int:
            return COUNT + 1

    source = IterableSource(Short(pairs()))
    source.read(range(5))
    with pytest.raises(DatasetError, match=r"end after 7 items, although its len\(\) is 8"):
        source.read(range(5, 8))


def test_after_an_error_no_image_gets_anothers_number() -> None:
    def failing() -> Iterator[np.ndarray]:
        yield from IMAGES[:3]
        raise OSError("the disk is gone")

    source = IterableSource(failing)
    with pytest.raises(OSError, match="the disk is gone"):
        source.read(range(5))
    with pytest.raises(DatasetError, match="image 3 comes next"):
        source.read(range(5, 6))
    assert np.array_equal(source.read([0, 1])[0], IMAGES[:2])


def test_images_without_labels_and_other_formats() -> None:
    images, labels = IterableSource(lambda: iter(IMAGES)).read(range(3))
    assert np.array_equal(images, IMAGES[:3]) and labels is None
    swapped = IterableSource(lambda: ((y, x) for x, y in pairs()), image=1, label=0)
    images, labels = swapped.read([0])
    assert np.array_equal(images, IMAGES[:1]) and labels is not None and labels.tolist() == [3]


def test_all_images_need_one_shape_and_type() -> None:
    source = IterableSource([IMAGES[0], IMAGES[1], IMAGES[2, :1]])
    source.read([0])
    with pytest.raises(DatasetError, match="Image 2 is of"):
        source.read([1, 2])


@pytest.mark.parametrize(
    ("iterable", "message"),
    [
        ([], "gives no items"),
        (lambda: iter(()), "gives no items"),
        (3, "3 is none"),
        (lambda: 3, "3 is none"),
        ([[IMAGES[:4], LABELS[:4]]], "loader of batches"),
    ],
)
def test_what_gives_no_images_is_refused(iterable: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        IterableSource(iterable)


@pytest.mark.parametrize("make", [lambda: pairs, lambda: list(pairs())])
def test_it_is_pickled_as_it_begins(make: Any) -> None:
    source = IterableSource(make())
    source.read([0, 1])
    again = pickle.loads(pickle.dumps(source))
    assert np.array_equal(again.read([0, 1, 2])[0], IMAGES[:3])
    assert np.array_equal(source.read([2])[0], IMAGES[[2]])
