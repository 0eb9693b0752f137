"""Brian's random functions on the card; see `gpurun.brian.random_functions`."""

from __future__ import annotations

from typing import Any

from gpurun.brian.random_functions import allow_any_binomial_name
from gpurun.brian.random_functions import register_random_functions as _register


def register_random_functions(codeobj_class: type[Any]) -> None:
    """Give Brian's random functions a device implementation for `codeobj_class`.

    brian2cuda has to be imported before.

    Parameters
    ----------
    codeobj_class : type
        Its subclasses find the implementations, too.
    """
    _register(codeobj_class, "__device__ static inline")
    allow_any_binomial_name()
