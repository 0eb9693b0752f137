"""What a run gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpurun.errors import UnknownVariableError


class MonitorRecord:
    """Everything a monitor recorded in one run, as attributes (``.i``, ``.t``, ``.v``, ...).

    Values are bare SI arrays. State variables of a StateMonitor have the shape (recorded
    elements, time steps), as in Brian.
    """

    def __init__(self, name: str, values: Mapping[str, np.ndarray]) -> None:
        self._name = name
        self._values = dict(values)

    def __getattr__(self, name: str) -> np.ndarray:
        values = self.__dict__.get("_values", {})
        try:
            return values[name]
        except KeyError:
            raise AttributeError(
                f"The monitor '{self.__dict__.get('_name')}' recorded {sorted(values)}, not "
                f"'{name}'."
            ) from None

    def __getitem__(self, name: str) -> np.ndarray:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}{value.shape}" for name, value in self._values.items())
        return f"<{self._name}: {shapes}>"


@dataclass(frozen=True, eq=False)
class RunResult:
    """Result of :meth:`Session.run` or :meth:`Session.advance`.

    ``result[key]`` takes the keys that were given to `record`, or their names. Arrays are
    bare SI values and belong to the caller.

    Attributes
    ----------
    upload_time, reset_time, loop_time, read_time : float
        Wall seconds spent on writing overrides, on putting back the baseline, in the time
        loop, and on reading what was recorded.
    wall_time : float
        Wall seconds of the whole call.
    duration : float
        Model time that was asked for, in seconds.
    completed : float
        Fraction of it that was simulated (1.0 unless the run was stopped).
    t : float
        Model time at the end, in seconds.
    steps : int
        Passes through the time loop.
    seed : int or None
        The seed that was given.
    device : str
        Where the run took place.
    peak_memory : int or None
        Peak resident memory of the process in bytes, None where the system does not say.
    """

    values: Mapping[str, np.ndarray]
    monitors: Mapping[str, MonitorRecord]
    upload_time: float
    reset_time: float
    loop_time: float
    read_time: float
    wall_time: float
    duration: float
    completed: float
    t: float
    steps: int
    seed: int | None
    device: str
    peak_memory: int | None = None
    _name_of: Callable[[Any], str] | None = field(default=None, repr=False)

    def __getitem__(self, key: Any) -> Any:
        name = key if isinstance(key, str) and self._has(key) else self._lookup(key)
        if name in self.monitors:
            return self.monitors[name]
        return self.values[name]

    def _has(self, name: str) -> bool:
        return name in self.values or name in self.monitors

    def _lookup(self, key: Any) -> str:
        name = self._name_of(key) if self._name_of is not None else str(key)
        if not self._has(name):
            recorded = sorted([*self.values, *self.monitors])
            raise UnknownVariableError(
                f"'{name}' was not recorded in this run. Recorded: "
                f"{', '.join(recorded) or 'nothing'}. Name it in record=[...].",
                name=name,
                candidates=tuple(recorded),
            )
        return name

    def __contains__(self, key: Any) -> bool:
        try:
            self[key]
        except UnknownVariableError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter([*self.values, *self.monitors])

    def __getstate__(self) -> dict[str, Any]:
        # Brian objects cannot be looked up in another process.
        return {**self.__dict__, "_name_of": None}
