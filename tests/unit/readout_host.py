"""Stand-in for an array of CuPy, where there is no card."""

from __future__ import annotations

from typing import Any

import numpy as np


class OnCard:
    """Says that it lies on a card; NumPy cannot read it, only `get` can."""

    def __init__(self, values: Any) -> None:
        self._values = np.asarray(values)
        self.shape = self._values.shape
        self.ndim = self._values.ndim

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        raise AssertionError("the address is not to be read")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def get(self) -> np.ndarray:
        return self._values.copy()
