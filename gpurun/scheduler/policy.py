"""What a scheduler may use, and what it does when something goes wrong."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

from gpurun.errors import ConfigError
from gpurun.model import Model
from gpurun.reporting import wall_seconds

ON_ERROR = ("raise", "skip", "retry")
WHEN_FULL = ("wait", "shrink", "go_on")
ISOLATION = ("thread", "process")
#: More sessions than this on one card have never made anything faster.
_MOST_ON_A_CARD = 32


@dataclass(frozen=True)
class Policy:
    """The checked settings of a `Scheduler`; see there."""

    devices: tuple[str, ...]
    replicas: int | None
    memory: float
    isolation: str
    on_error: str
    retries: int
    when_full: str
    timeout: float | None
    seed: int
    threads: int

    @property
    def most(self) -> int:
        """Sessions at most, all devices together."""
        if self.replicas is not None:
            return self.replicas
        return sum(_most_on(device, self.threads) for device in self.devices)

    def budget(self, total: int | None) -> float:
        """Bytes that may be used of a device that has `total`."""
        if self.memory > 1:
            return self.memory
        return math.inf if total is None else self.memory * total


def make_policy(
    model: Model,
    *,
    devices: tuple[str, ...],
    replicas: Any,
    memory: Any,
    isolation: Any,
    on_error: Any,
    retries: Any,
    when_full: Any,
    timeout: Any,
    seed: int,
) -> Policy:
    """Check the arguments of `Scheduler`. Raises ConfigError."""
    replicas = None if replicas == "auto" else integer("replicas", replicas, 1)
    for name, value, known in (
        ("isolation", isolation, ISOLATION),
        ("on_error", on_error, ON_ERROR),
        ("when_full", when_full, WHEN_FULL),
    ):
        if value not in known:
            raise ConfigError(
                f"{name} is one of {', '.join(map(repr, known))}, not {value!r}.",
                name=name,
                value=value,
            )
    numeric = isinstance(memory, int | float) and not isinstance(memory, bool)
    if not numeric or not memory > 0 or not math.isfinite(memory):
        raise ConfigError(
            "memory is a fraction of the device's memory, or a number of bytes above 1, not "
            f"{memory!r}.",
            name="memory",
            value=memory,
        )
    if isolation == "thread" and model.manifest.static_state and replicas != 1:
        # Each session has its own copy of the library, but files that C++ code opens are shared
        if replicas is not None:
            raise ConfigError(
                f"C++ code of the model ({', '.join(model.manifest.static_state)}) may hold static "
                "state, such as an open file, and is not to run twice in one process. Use "
                "replicas=1, or isolation='process'.",
                name="replicas",
                value=replicas,
            )
        replicas = 1
    return Policy(
        devices,
        replicas,
        float(memory),
        isolation,
        on_error,
        integer("retries", retries, 0),
        when_full,
        None if timeout is None else wall_seconds("timeout", timeout),
        seed,
        model.manifest.threads,
    )


def integer(name: str, value: Any, least: int) -> int:
    """`value`, an integer from `least` on; ConfigError if it is none."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        also = " or 'auto'" if name == "replicas" else ""
        raise ConfigError(
            f"{name} is an integer from {least} on{also}, not {value!r}.", name=name, value=value
        )
    return int(value)


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _most_on(device: str, threads: int) -> int:
    return max(1, cores() // max(1, threads)) if device == "cpu" else _MOST_ON_A_CARD
