"""What counts as an array on a card."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpurun.arrays import on_device


class Tensor:
    """As PyTorch has them: the attribute is there, and fails for an array of the host."""

    def __init__(self, kind: int) -> None:
        self.kind = kind

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.kind, 0

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        if self.kind == 1:
            raise AttributeError("Can't get __cuda_array_interface__ on non-CUDA tensor type")
        return {}


class Interface:
    __cuda_array_interface__: Any = None


@pytest.mark.parametrize(
    ("value", "there"),
    [
        (Tensor(1), False),
        (Tensor(2), True),
        (Tensor(13), True),
        (Interface(), True),
        (np.zeros(3), False),
        ([1, 2], False),
        (None, False),
    ],
)
def test_on_device(value: Any, there: bool) -> None:
    assert on_device(value) is there
