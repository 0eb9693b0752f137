"""Brian's random functions on the card; see `gpurun.brian.random_functions`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brian2.input.binomial import BinomialFunction

from gpurun.brian.random_functions import register_random_functions as _register

_Generator = Callable[..., tuple[Any, dict[str, Any]]]


def _without_refusal(generate: _Generator) -> _Generator:
    """`generate`, which raises for names without ``_binomial``, even if nobody wants its code."""

    def generate_or_explain(n: float, p: float, use_normal: bool, name: str) -> Any:
        try:
            return generate(n=n, p=p, use_normal=use_normal, name=name)
        except NameError as error:
            # For brian2cuda's own device, whose compiler then says what the matter is
            return {"support_code": f"#error {error}"}, {}

    return generate_or_explain


def register_random_functions(codeobj_class: type[Any]) -> None:
    """Give Brian's random functions a device implementation for `codeobj_class`.

    brian2cuda has to be imported before.

    Parameters
    ----------
    codeobj_class : type
        Its subclasses find the implementations, too.
    """
    _register(codeobj_class, "__device__ static inline")
    generators = BinomialFunction.implementations
    if "cuda" in generators:
        generators["cuda"] = _without_refusal(generators["cuda"])
