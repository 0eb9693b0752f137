"""gpurun: one resident session, on the CPU or on a card."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import brian2 as b2
import numpy as np

import gpurun
from gpurun import events
from gpurun.bench.clocks import CpuStopwatch, Stopwatch
from gpurun.bench.suite.case import Stimulus
from gpurun.bench.suite.contender import (
    COMPILE,
    COMPILE_CPU,
    DEVICE,
    GENERATION,
    LOAD,
    LOOP,
    OUTSIDE,
    READ,
    RESET,
    UPLOAD,
    WALL,
)
from gpurun.scheduler import Scheduler

from . import memory
from .cards import CardUse, choose_card_flags, describe
from .common import BrianContender, Measures, Values, choose_flags, seed_of

#: Where streamed monitors of a case go.
STREAM = "streamed.zarr"


class Resident(BrianContender):
    """`Session.run` for each stimulus, and a `Scheduler` for several at a time."""

    backend, place = "cpu", "cpu"
    model: gpurun.Model
    session: Any = None
    _scheduler: Scheduler | None = None
    _replicas = 0

    def setup(self) -> Mapping[str, float]:
        self.choose_flags()
        b2.set_device("gpurun", backend=self.backend, build_on_run=False)
        built: list[events.BuildFinished] = []
        end = events.subscribe(
            lambda event: built.append(event) if isinstance(event, events.BuildFinished) else None
        )
        with Stopwatch() as making, CpuStopwatch() as processor:
            self.create()
            self.run(self.network.duration)
            self.model = gpurun.build()
        end()
        with Stopwatch() as opening:
            self.session = self.model.session(device=self.place)
        self.streamed = self._stream()
        self._read_bytes = 0
        memory.reset_peak()
        [build] = built
        return {
            GENERATION: making.seconds - build.wall_time,
            COMPILE: build.compile_time,
            COMPILE_CPU: processor.children,
            # Of a build, what is not compiling: the set-up code is run, and its result kept
            LOAD: opening.seconds + build.wall_time - build.compile_time,
        }

    def choose_flags(self) -> None:
        """Set them."""
        choose_flags()

    def _stream(self) -> tuple[str, ...]:
        """Have monitors streamed if the case says so (`STREAMED`: true, or their names)."""
        wanted = getattr(self.case.module, "STREAMED", ())
        if wanted is True:
            wanted = [
                monitor
                for monitor, names in self.model.manifest.monitors.items()
                if any(self._info(name).kind != "array" for name in names)
            ]
        for monitor in wanted or ():
            self.session.stream(monitor, self.folder / STREAM)
        return tuple(wanted or ())

    def _info(self, name: str) -> Any:
        return self.model.manifest.variables[self.model.index[name]]

    def _kept_in_file(self, name: str) -> bool:
        return name.partition(".")[0] in self.streamed and self._info(name).kind != "array"

    def show(
        self, number: int, stimulus: Stimulus, names: Iterable[str]
    ) -> tuple[Measures, Values]:
        wanted = list(names)
        in_file = [name for name in wanted if self._kept_in_file(name)]
        with Stopwatch() as wall:
            result = self.session.run(
                stimulus,
                carry=self.network.carry,
                record=[name for name in wanted if name not in in_file],
                seed=seed_of(number),
            )
            values = {name: result[name] for name in wanted if name not in in_file}
            with Stopwatch() as reading:
                if in_file:
                    values |= self._from_file(in_file)
        self._read_bytes = sum(value.nbytes for value in values.values())
        measured = {
            WALL: wall.seconds,
            LOOP: result.loop_time,
            OUTSIDE: wall.seconds - result.loop_time,
            UPLOAD: result.upload_time,
            RESET: result.reset_time,
            READ: result.read_time + reading.seconds,
        }
        if result.device_time is not None:
            measured[DEVICE] = result.device_time
        return measured, values

    def _from_file(self, names: Iterable[str]) -> Values:
        """Values of the last run."""
        record = gpurun.open_results(self.folder / STREAM)[-1]
        found: Values = {}
        for name in names:
            monitor, _, column = name.partition(".")
            found[name] = np.asarray(record[monitor][column][:])
        return found

    def steps(self, count: int) -> float | None:
        """Of the time loop alone, as gpurun measures it."""
        result = self.session.run(
            self.stimulus(0),
            carry=self.network.carry,
            duration=count * self.network.dt,
            seed=seed_of(0),
        )
        return result.loop_time

    def throughput(self, replicas: int, count: int) -> float | None:
        """With a `Scheduler` of so many sessions, where stimuli do not follow on each other."""
        if self.network.carry or self.streamed:
            return super().throughput(replicas, count)
        if replicas > 1:
            self.keep_peak()
        scheduler = self._open(replicas)
        stimuli = [self.stimulus(number) for number in range(count)]
        with Stopwatch() as watch:
            for _ in scheduler.map(stimuli, record=self.network.reads):
                pass
        return watch.seconds

    def _open(self, replicas: int) -> Scheduler:
        """A scheduler whose sessions are open."""
        if self._scheduler is None or replicas != self._replicas:
            self._close_scheduler()
            self._scheduler = Scheduler(self.model, self.place, replicas=replicas)
            self._replicas = replicas
            some = [self.stimulus(number) for number in range(2 * replicas)]
            for _ in self._scheduler.map(some, record=self.network.reads):
                pass
        return self._scheduler

    def _close_scheduler(self) -> None:
        if self._scheduler is not None:
            self._scheduler.close()
        self._scheduler = None

    def facts(self) -> Mapping[str, int | float | str | bool]:
        return {
            **super().facts(),
            "gpurun": version("gpurun"),
            "threads": max(1, self.model.manifest.threads),
            "noise": "seeded by the number of the stimulus",
            "bytes moved": self._moved(),
        }

    def _moved(self) -> int:
        """Bytes of a stimulus, of everything that is reset, and of what was read last."""
        given = sum(np.asarray(value).nbytes for value in self.stimulus(0).values())
        reset = sum(
            self.model.data.frozen[info.name].nbytes
            for info in self.model.manifest.variables
            if info.changes and info.name not in self.network.carry
        )
        return given + reset + self._read_bytes

    def close(self) -> None:
        self._close_scheduler()
        if self.session is not None:
            self.session.close()


class OnCard(Resident):
    """On the card that CUDA counts as its first."""

    backend, place = "cuda", "cuda:0"
    card_use: CardUse | None = None

    def setup(self) -> Mapping[str, float]:
        self.card = describe()
        self.card_use = CardUse()
        taken = super().setup()
        self.card_use.note()
        return taken

    def choose_flags(self) -> None:
        choose_card_flags(self.card)

    def facts(self) -> Mapping[str, int | float | str | bool]:
        return {
            **super().facts(),
            **self.card.parameters(),
            "device memory": "of this process while its session is open, CUDA's context included; "
            "where the driver does not tell, what the card had less after setup",
        }

    def memory(self) -> Mapping[str, float]:
        """With the one session that presents."""
        assert self.card_use is not None
        self._close_scheduler()
        return {**super().memory(), **self.card_use.own()}

    def energy(self, count: int) -> float | None:
        return self.energy_of(self.card_use, count)

    def close(self) -> None:
        super().close()
        if self.card_use is not None:
            self.card_use.close()


CONTENDERS = {"gpurun-cpu": Resident, "gpurun-cuda": OnCard}
