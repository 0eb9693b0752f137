"""What is done today: ``device.run(run_args=...)`` of brian2 in a ``multiprocessing.Pool``."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from brian2.units import Hz
from numpy.typing import NDArray

from benchmarks.diehl_cook import DiehlCook
from benchmarks.scheduler_ways import Values, Way, Work

#: Device and network, for processes that are forked from this one.
_shared: list[tuple[Any, DiehlCook]] = []


class BrianPool(Way):
    """Processes that each start brian2's program for one stimulus after the other.

    Each has a folder of its own for results, as brian2's documentation advises.

    Parameters
    ----------
    name, work, fresh
        As for `Way`.
    device : Device
        cpp_standalone, with `network` built.
    network : DiehlCook
    processes : int
    expected : sequence of ndarray
        Spike counts of each stimulus, with the seed that brian2's program has.
    """

    def __init__(
        self,
        name: str,
        work: Work,
        device: Any,
        network: DiehlCook,
        processes: int,
        expected: Sequence[Values],
        *,
        fresh: bool = False,
    ) -> None:
        super().__init__(name, work, fresh=fresh)
        self.device, self.network, self.processes = device, network, processes
        self.pool: Any = None
        self._expected = expected

    @property
    def expected(self) -> Sequence[Values]:
        """What each stimulus has to give."""
        return self._expected

    def open(self) -> None:
        _shared[:] = [(self.device, self.network)]
        self.pool = multiprocessing.get_context("fork").Pool(self.processes)

    def show(self) -> Iterator[tuple[Values, float | None]]:
        yield from self.pool.imap(_present, self.work.rates)

    def close(self) -> None:
        if self.pool is not None:
            self.pool.close()
            self.pool.join()


def _present(rates: NDArray[np.float64]) -> tuple[Values, float]:
    """Present one stimulus, in a process of the pool."""
    [(device, network)] = _shared
    device.run(
        results_directory=f"results_{os.getpid()}",
        run_args={network.inputs.rates: rates * Hz},
        with_output=False,
    )
    count: Any = network.spikes.count
    return np.array(count[:]), device._last_run_time
