"""Arrays that stand for those of a card: NumPy's functions do not take them.

They have their own namespace with functions of the array API standard only, refuse to be turned
into NumPy arrays, and to be mixed with these. What works with them applies no NumPy function to
an array of another library, as CuPy's would refuse it.
"""

from __future__ import annotations

import operator
from types import ModuleType
from typing import Any

import array_api_compat.numpy as host
import numpy as np

FUNCTIONS = (
    "abs", "all", "any", "arange", "asarray", "astype", "ceil", "concat", "empty", "exp",
    "floor", "full", "full_like", "isdtype", "isnan", "log1p", "matmul", "max", "maximum", "mean",
    "min", "minimum", "nonzero", "ones_like", "permute_dims", "reshape", "round", "searchsorted",
    "sign", "sort", "sqrt", "stack", "sum", "take", "where", "zeros", "zeros_like",
)  # fmt: skip
DTYPES = ("bool", "float32", "float64", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
#: Functions whose arguments lie on the host.
CREATION = ("asarray",)

namespace: Any = ModuleType("card")


class CardArray:
    """An array "on the card"."""

    __array_ufunc__ = None

    def __init__(self, memory: np.ndarray) -> None:
        self._memory = memory
        self.shape = memory.shape
        self.ndim = memory.ndim
        self.dtype = memory.dtype

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return namespace

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("an array on the card was given to NumPy")

    def to_device(self, device: str, /, *, stream: None = None) -> np.ndarray:
        assert device == "cpu" and stream is None
        return self._memory.copy()

    def __getitem__(self, key: Any) -> CardArray:
        return CardArray(np.asarray(self._memory[_key(key)]))

    def __setitem__(self, key: Any, value: Any) -> None:
        self._memory[_key(key)] = inner(value)

    def _scalar(self) -> Any:
        assert self.shape == ()
        return self._memory[()]

    def __bool__(self) -> bool:
        return bool(self._scalar())

    def __float__(self) -> float:
        return float(self._scalar())

    def __neg__(self) -> CardArray:
        return CardArray(-self._memory)

    def __invert__(self) -> CardArray:
        return CardArray(~self._memory)


def inner(value: Any) -> Any:
    """The memory of an array on the card; Python's numbers as they are."""
    if isinstance(value, CardArray):
        return value._memory
    if isinstance(value, list | tuple):
        return type(value)(inner(one) for one in value)
    assert (
        value is None
        or type(value) in (bool, int, float, str, type, slice)
        or (isinstance(value, np.dtype | type))
    ), f"{type(value).__name__} was given to an array on the card"
    return value


def _key(key: Any) -> Any:
    parts = key if isinstance(key, tuple) else (key,)
    return tuple(part if part is Ellipsis else inner(part) for part in parts)


def _outer(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return CardArray(np.asarray(value))
    return tuple(map(_outer, value)) if isinstance(value, tuple) else value


def _function(name: str) -> Any:
    def call(*arguments: Any, **options: Any) -> Any:
        if name not in CREATION:
            arguments = inner(arguments)
            options = {key: inner(value) for key, value in options.items()}
        return _outer(getattr(host, name)(*arguments, **options))

    return call


def _operator(name: str, reflected: bool) -> Any:
    function = getattr(operator, name)

    def call(self: CardArray, other: Any) -> CardArray:
        first, second = self._memory, inner(other)
        return CardArray(
            np.asarray(function(second, first) if reflected else function(first, second))
        )

    return call


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "rshift"):
    _plain = _name.rstrip("_")
    setattr(CardArray, f"__{_plain}__", _operator(_name, False))
    setattr(CardArray, f"__r{_plain}__", _operator(_name, True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(CardArray, f"__{_name}__", _operator(_name, False))
for _name in FUNCTIONS:
    setattr(namespace, _name, _function(_name))
for _name in DTYPES:
    setattr(namespace, _name, getattr(host, _name))
