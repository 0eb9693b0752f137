"""Images that are in a card's memory already, with the real CuPy."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from gpurun.stimulus.sources.arrays import ArraySource
from tests.conftest import NO_TORCH

cupy: Any = pytest.importorskip("cupy", reason="cupy is not installed")

IMAGES = np.random.default_rng(1).integers(0, 256, (50, 6, 5), np.uint8)
LABELS = np.arange(50) % 7


def _address(array: Any) -> int:
    return int(array.data.ptr)


class DlpackOnly:
    """An array of a library that does not speak the CUDA array interface."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __dlpack__(self, **arguments: Any) -> Any:
        return self.array.__dlpack__(**arguments)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


class InterfaceOnly:
    def __init__(self, array: Any) -> None:
        self.array = array

    @property
    def __cuda_array_interface__(self) -> Any:
        return self.array.__cuda_array_interface__


@pytest.mark.parametrize("wrap", [lambda array: array, DlpackOnly, InterfaceOnly])
def test_images_are_read_where_they_are(wrap: Any) -> None:
    there = cupy.asarray(IMAGES)
    source = ArraySource(wrap(there), wrap(cupy.asarray(LABELS)))
    assert source.on_device and source.dtype == np.uint8
    assert type(source.labels) is np.ndarray and np.array_equal(source.labels, LABELS)
    view, labels = source.read(range(10, 20))
    assert isinstance(view, cupy.ndarray) and _address(view) == _address(there[10:])
    assert np.array_equal(view.get(), IMAGES[10:20]) and np.array_equal(labels, LABELS[10:20])
    indices = [40, 3, 3, 0]
    images, labels = source.read(indices)
    assert isinstance(images, cupy.ndarray)
    assert np.array_equal(images.get(), IMAGES[indices])
    assert np.array_equal(labels, LABELS[indices])
    assert source.read([])[0].shape == (0, 6, 5)


def test_what_another_stream_writes_is_waited_for() -> None:
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        there = cupy.zeros((4000, 4000), cupy.float32)
        for _ in range(50):
            there += 1
    source = ArraySource(there)
    with cupy.cuda.Stream(non_blocking=True) as other:
        images, _ = source.read([3999, 0])
        other.synchronize()
    assert (images.get() == 50).all()


def test_pickled_images_are_on_a_card_again() -> None:
    again = pickle.loads(pickle.dumps(ArraySource(cupy.asarray(IMAGES))))
    assert again.on_device
    assert np.array_equal(again.read([7, 2])[0].get(), IMAGES[[7, 2]])


def test_torch() -> None:
    torch: Any = pytest.importorskip("torch", reason=NO_TORCH)
    there = torch.as_tensor(IMAGES, device="cuda:0")
    view, _ = ArraySource(there).read(range(5, 9))
    assert _address(view) == there[5:].data_ptr()
    here = torch.as_tensor(IMAGES.copy())
    source = ArraySource(here, torch.as_tensor(LABELS))
    assert not source.on_device
    images, labels = source.read(range(5, 9))
    assert images.ctypes.data == here[5:].data_ptr() and np.array_equal(labels, LABELS[5:9])
    learnt = torch.ones(3, 2, device="cuda:0", requires_grad=True)
    assert ArraySource(learnt).read([1])[0].get().tolist() == [[1, 1]]
