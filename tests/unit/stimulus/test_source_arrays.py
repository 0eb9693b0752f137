"""Arrays of NumPy and of other libraries, on the host and on a card."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from gpurun.errors import DatasetError, NotSupportedError
from gpurun.stimulus.sources.arrays import ArraySource
from gpurun.stimulus.sources.conversion import as_host_array, lies_on_card
from tests.unit.stimulus.source_makers import (
    CardArray,
    CardCapsule,
    CardTensor,
    Tensor,
    fake_cupy,
)

IMAGES = np.random.default_rng(2).integers(0, 256, (9, 3, 2), np.uint8)
LABELS = np.arange(9)


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    module = fake_cupy()
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.mark.parametrize("wrap", [np.asarray, Tensor])
def test_host_arrays_are_views_that_cannot_be_written(wrap: Any) -> None:
    images = IMAGES.copy()
    batch, labels = ArraySource(wrap(images)).read([2, 3, 4])
    assert np.shares_memory(batch, images) and labels is None
    with pytest.raises(ValueError, match="read-only"):
        batch[0] = 0
    images[2] = 1  # the caller's own array stays as it is
    assert (batch[0] == 1).all()


def test_a_tensor_that_is_differentiated_is_read_as_it_is() -> None:
    values = np.linspace(0, 1, 6).reshape(3, 2)
    batch, _ = ArraySource(Tensor(values, requires_grad=True)).read([0, 1])
    assert np.shares_memory(batch, values)


def test_what_dlpack_cannot_say_is_converted_by_its_library() -> None:
    class Strange(Tensor):
        def __dlpack__(self, **_: Any) -> Any:
            raise BufferError("no such type in DLPack")

        def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
            return self._array.astype(np.float32)

    source = ArraySource(Strange(IMAGES))
    assert source.dtype == np.float32
    assert np.array_equal(source.read([1])[0], IMAGES[[1]])


def test_arrays_without_dlpack_and_lists_are_taken() -> None:
    assert ArraySource(IMAGES.tolist()).read([8, 0])[0].tolist() == IMAGES[[8, 0]].tolist()
    assert ArraySource([True, False]).dtype == bool
    assert ArraySource(np.zeros((0, 4), np.float16)).read([])[0].shape == (0, 4)


@pytest.mark.parametrize("wrap", [lambda a: a.view(CardArray), CardTensor, CardCapsule])
def test_arrays_on_a_card_stay_there(cupy: Any, wrap: Any) -> None:
    memory = IMAGES.copy()
    source = ArraySource(wrap(memory), LABELS)
    assert source.on_device and (source.count, source.shape) == (9, (3, 2))
    assert source._array.waited == 1
    batch, labels = source.read([4, 5, 6])
    assert isinstance(batch, CardArray) and np.shares_memory(batch, memory)
    assert labels is not None and labels.tolist() == [4, 5, 6]
    batch, _ = source.read([5, 5, 0])
    assert isinstance(batch, CardArray) and np.array_equal(batch, IMAGES[[5, 5, 0]])
    assert source.read([])[0].shape == (0, 3, 2)


def test_labels_on_a_card_are_copied_to_the_host(cupy: Any) -> None:
    source = ArraySource(IMAGES, CardTensor(LABELS))
    assert type(source.labels) is np.ndarray and source.labels.tolist() == LABELS.tolist()
    assert not source.on_device


def test_without_cupy_arrays_on_a_card_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(NotSupportedError, match="pip install"):
        ArraySource(CardTensor(IMAGES))


def test_where_an_array_lies_is_asked_of_itself() -> None:
    class Unsure:
        @property
        def __cuda_array_interface__(self) -> Any:
            raise RuntimeError("spread over several cards")

        def __dlpack_device__(self) -> Any:
            raise BufferError("spread over several cards")

    assert lies_on_card(CardTensor(IMAGES)) and lies_on_card(CardCapsule(IMAGES))
    for value in (IMAGES, Tensor(IMAGES), Unsure(), [1, 2], 3, None):
        assert not lies_on_card(value)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (3.0, None, "a single number"),
        ([[1], [1, 2]], None, "cannot be made an array"),
        (["a", "b"], None, "real numbers"),
        (np.zeros((2, 2), complex), None, "real numbers"),
        (np.zeros(2, object), None, "real numbers"),
        (np.zeros(3, [("x", "i2"), ("t", "i8")]), None, "fields x, t .*EventSource"),
        (np.ma.masked_array(IMAGES), None, "filled"),
        (IMAGES, [1, 2], "9 images, but 2 labels"),
        (IMAGES, np.zeros((9, 3)), "argmax"),
        (IMAGES, [None] * 9, "numbers or text"),
        (IMAGES, 3, "shape"),
    ],
)
def test_what_is_no_data_set_is_refused(images: Any, labels: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        ArraySource(images, labels)


def test_labels_in_a_column_and_labels_of_text_are_taken() -> None:
    _, labels = ArraySource(IMAGES, LABELS[:, None]).read([2])
    assert labels is not None and labels.tolist() == [2]
    names = [f"class {n}" for n in range(9)]
    _, labels = ArraySource(IMAGES, names).read([3, 1])
    assert labels is not None and labels.tolist() == ["class 3", "class 1"]


def test_a_host_array_is_not_copied() -> None:
    assert np.shares_memory(as_host_array(Tensor(IMAGES), "x"), IMAGES)
