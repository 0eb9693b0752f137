"""`gpurun.cluster` with processes on this machine, where Dask is installed."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from typing import Any

from benchmarks.scheduler_ways import SEED, TARGET, Values, Way, Work

DASK = "Dask LocalCluster"


class Clustered(Way):
    """A ``LocalCluster`` of processes with one thread each.

    Parameters
    ----------
    name, work, fresh
        As for `Way`.
    processes : int
    """

    def __init__(self, name: str, work: Work, processes: int, *, fresh: bool = False) -> None:
        super().__init__(name, work, fresh=fresh)
        self.processes = processes
        self.cluster: Any = None
        self.client: Any = None

    def open(self) -> None:
        distributed: Any = importlib.import_module("distributed")
        self.cluster = distributed.LocalCluster(
            n_workers=self.processes,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
        )
        self.client = distributed.Client(self.cluster)

    def show(self) -> Iterator[tuple[Values, float | None]]:
        cluster: Any = importlib.import_module("gpurun.cluster")
        results = cluster.map(
            self.client, self.work.model, self.work.rates, target=TARGET, record=[self.work.read],
            duration=self.work.duration, seed=SEED,
        )  # fmt: skip
        for result in results:
            yield result[self.work.read], result.loop_time

    def close(self) -> None:
        for one in (self.client, self.cluster):
            if one is not None:
                one.close()


def dask_ways(work: Work, processes: int, *, fresh: bool = False) -> tuple[list[Way], str]:
    """The contender if it can take part, and what a report says of Dask."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            distributed: Any = importlib.import_module("distributed")
        importlib.import_module("gpurun.cluster")
    except ImportError as error:
        return [], f"absent ({error})"
    name = f"{DASK}, {processes} processes"
    return [Clustered(name, work, processes, fresh=fresh)], str(distributed.__version__)
