"""Contenders that compute nothing, for tests of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gpurun.bench.suite.agreement import Rules
from gpurun.bench.suite.contender import LOAD, LOOP, WALL, Absent
from gpurun.bench.suite.engine import Subject
from gpurun.bench.suite.plan import REFERENCE

TITLES = {"gpurun-cpu": "gpurun, CPU", "other": "another", REFERENCE: "brian2, NumPy"}


def subject(*, deterministic: bool = True) -> Subject:
    """A case of ten neurons and 100 steps."""
    rules = Rules(deterministic, ("spikes",), ("group.v",), np.inf, 1e-3)
    return Subject("toy", "A toy", "nowhere", "tiny", rules, {"neurons": 10}, 100, "toy")


class FakeWorker:
    """Answers like a contender's process.

    Parameters
    ----------
    seconds : float
        Median of what a presentation takes.
    setup : exception, optional
        What goes wrong first.
    shift : int
        By how many steps every spike is late.
    fails_at : int or "energy", optional
        The presentation that fails, or what else does.
    log : list
        Takes the requests.
    watts : float, optional
        Power of its card, if it has one that tells.
    """

    def __init__(
        self,
        seconds: float = 0.01,
        *,
        setup: Exception | None = None,
        shift: int = 0,
        fails_at: int | str | None = None,
        log: list[tuple[str, Any]] | None = None,
        name: str = "",
        watts: float | None = None,
    ) -> None:
        self.seconds, self.setup, self.shift, self.fails_at = seconds, setup, shift, fails_at
        self.log = [] if log is None else log
        self.name, self.watts = name, watts
        self.noise = np.random.default_rng(abs(hash(seconds)) % 2**32)
        self.asked = self.closed = False

    def ask(self, request: Mapping[str, Any], timeout: float) -> Any:
        """What `gpurun.bench_contenders.client.Worker` would return."""
        assert timeout > 0
        self.asked = True
        assert not self.closed
        what = request["do"]
        self.log.append((self.name, what))
        if what == "setup":
            if self.setup is not None:
                raise self.setup
            return {LOAD: 0.5}
        if what == "present":
            numbers = range(request["number"], request["number"] + request["count"])
            if self.fails_at in numbers:
                raise RuntimeError("the planted failure")
            walls = [
                self.seconds * float(np.exp(0.1 * self.noise.standard_normal())) for _ in numbers
            ]
            return [{WALL: wall, LOOP: wall / 2} for wall in walls]
        if what == "result":
            self._write(Path(request["file"]), request["number"])
            return ["group.v", "spikes.i", "spikes.t"]
        if what == "steps":
            return self.seconds * request["count"] / 100
        if what == "throughput":
            return None if request["replicas"] > 1 else self.seconds * request["count"]
        if what == "facts":
            return {"bytes moved": 1000, "flags": "none"}
        if what == "energy":
            if self.fails_at == "energy":
                raise RuntimeError("the planted failure")
            return None if self.watts is None else self.watts * self.seconds * request["count"]
        assert what == "memory"
        return {"peak host memory": 2.0**20}

    def _write(self, path: Path, number: int) -> None:
        steps = np.arange(10, 60) + number + self.shift
        np.savez(
            path,
            **{
                "spikes.i": np.arange(50) % 10,
                "spikes.t": steps * 1e-3,
                "group.v": np.full(10, float(number)),
            },
        )

    def close(self) -> None:
        """No more requests."""
        self.closed = True


def absent(why: str) -> FakeWorker:
    """A contender that is not installed."""
    return FakeWorker(setup=Absent(why))
