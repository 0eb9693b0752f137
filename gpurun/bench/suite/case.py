"""What a case of the suite is: a Brian2 network, and what is presented to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpurun.errors import ConfigError

#: The package that ``benchmarks/cases`` is installed as.
PACKAGE = "gpurun.bench_cases"
#: What every case module defines.
REQUIRED = ("TITLE", "SOURCE", "SIZES", "create")

#: New values by the name of a variable, such as ``{"inputs.rates": ...}``: bare SI values.
Stimulus = Mapping[str, NDArray[Any] | float]


@dataclass
class CaseNetwork:
    """What a case's ``create`` returns: the network, as any Brian2 script would build it.

    ``create`` may be called under any of Brian's devices. All that is random before the first time
    step (connectivity, delays, weights, initial values) comes from NumPy with a fixed seed, so
    that every contender has the same network.

    Attributes
    ----------
    network : brian2.Network
        With all objects; ``network.run(duration * second)`` is one presentation.
    objects : dict of str to object
        The groups, synapses, monitors and TimedArrays by their Brian names. A name in `stimulus`,
        `reads` and others is ``"object.variable"``, or the name of a TimedArray.
    duration, dt : float
        Of one presentation, and of a step, in seconds.
    spikes : tuple of str
        Names of the spike monitors whose trains the agreement of contenders is judged by.
    reads : tuple of str
        What is read after every presentation, such as ``"spikes.count"``.
    stimulus : callable, optional
        Returns the new values for presentation `number`, the same ones each time it is asked.
        None: every presentation repeats the first (with other noise, if there is any).
    distributions : tuple of str
        Variables whose values at the end of a presentation are compared too, such as weights.
    carry : tuple of str
        What goes on from one presentation to the next. Empty for independent ones.
    exact_for : float
        For a deterministic case: how long, in seconds, spike trains have to be identical. After
        that a chaotic network may differ where sums are taken in another order. None of it may
        differ by default.
    neurons, synapses : int, optional
        How many there are, for the report.
    """

    network: Any
    objects: dict[str, Any]
    duration: float
    dt: float
    spikes: tuple[str, ...]
    reads: tuple[str, ...]
    stimulus: Callable[[int], Stimulus] | None = None
    distributions: tuple[str, ...] = ()
    carry: tuple[str, ...] = ()
    exact_for: float = np.inf
    neurons: int | None = None
    synapses: int | None = None

    @property
    def steps(self) -> int:
        """Time steps of a presentation."""
        return round(self.duration / self.dt)

    def of(self, name: str) -> tuple[Any, str]:
        """The object and the attribute that `name`, such as ``"inputs.rates"``, means."""
        owner, _, attribute = name.partition(".")
        return self.objects[owner], attribute


@dataclass(frozen=True)
class Case:
    """A case module.

    Attributes
    ----------
    name, title, source : str
        The file's name, one line, and the paper or page that the model is from.
    deterministic : bool
        Whether nothing is random once a presentation has begun.
    sizes : dict of str to dict
        Arguments of `create` by name, smallest first: at least ``"tiny"`` (for tests, 100 ms
        to simulate), ``"quick"`` (for ``--quick``) and ``"full"``. Others are points of the scaling
        curve.
    module : module
        Has ``create(**size)``, which returns a :class:`CaseNetwork`; what else contenders may ask
        for is said in ``docs/benchmarks.md``.
    """

    name: str
    title: str
    source: str
    deterministic: bool
    sizes: dict[str, dict[str, Any]]
    module: ModuleType

    def create(self, size: str) -> CaseNetwork:
        """Build the network under the active Brian device."""
        return self.module.create(**self.sizes[size])


def names() -> list[str]:
    """The cases there are, sorted."""
    return sorted(
        found.name
        for found in iter_modules(import_module(PACKAGE).__path__)
        if not found.name.startswith("_")
    )


def load(name: str) -> Case:
    """Import a case.

    Raises
    ------
    ConfigError
        There is none of this name, or it lacks something that every case has to define.
    """
    known = names()
    if name not in known:
        raise ConfigError(f"There is no benchmark case {name!r}: expected one of {known}.")
    module = import_module(f"{PACKAGE}.{name}")
    missing = [one for one in REQUIRED if not hasattr(module, one)]
    if missing:
        raise ConfigError(f"The benchmark case {name!r} defines no {', '.join(missing)}.")
    lacking = [one for one in ("tiny", "quick", "full") if one not in module.SIZES]
    if lacking:
        raise ConfigError(f"SIZES of the benchmark case {name!r} has no {', '.join(lacking)}.")
    return Case(
        name,
        module.TITLE,
        module.SOURCE,
        bool(getattr(module, "DETERMINISTIC", False)),
        module.SIZES,
        module,
    )
