"""Lets recorded code read the parameters of PoissonInputs from arrays, unseen by the script."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gpurun.brian import poisson

#: What `adapted` has added to an input: the variables and the code.
_adaptations: weakref.WeakKeyDictionary[Any, tuple[dict[str, Any], str]] = (
    weakref.WeakKeyDictionary()
)


@contextmanager
def adapted(inputs: list[Any]) -> Iterator[None]:
    """Adapt PoissonInputs meanwhile; afterwards they are as the script has made them."""
    originals = [(source, source.abstract_code) for source in inputs]
    try:
        for source in inputs:
            if source in _adaptations:
                variables, source.abstract_code = _adaptations[source]
                source.variables._variables.update(variables)
            else:
                before = set(source.variables)
                poisson.adapt(source)
                added = {name: source.variables[name] for name in set(source.variables) - before}
                _adaptations[source] = (added, source.abstract_code)
        yield
    finally:
        for source, code in originals:
            source.abstract_code = code
            for name in _adaptations.get(source, ({}, ""))[0]:
                source.variables._variables.pop(name, None)
