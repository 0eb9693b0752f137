"""The half of a Session that keeps monitors from filling the memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gpurun.errors import ConfigError, OverrideError, SessionError
from gpurun.monitor_memory import WORTH_A_LOOK, check_monitors, row_bytes
from gpurun.overrides import Target, Write, resolve
from gpurun.results_schema import describe_overrides
from gpurun.session_long import LongRunningSession
from gpurun.streams import CHUNK_BYTES, Streamed, Streams


class StreamingSession(LongRunningSession):
    """Streams of monitors; a part of `Session`."""

    _streams: Streams
    _recorded_per_second: float

    def stream(
        self, monitor: Any, path: str | os.PathLike[str], *, chunk: int | None = None
    ) -> None:
        """Have what a monitor records written to a results file, during runs.

        Rows leave the device in chunks, a thread writes them, and the monitor is emptied:
        memory does not grow with the duration. Each `run` from the next one on becomes a run
        of the file, to which `advance` adds; it is complete on the disk when the call returns.
        The counts of a SpikeMonitor go on as always. `restore` and `load` do not take back
        what was written.

        Parameters
        ----------
        monitor : SpikeMonitor, EventMonitor, StateMonitor, PopulationRateMonitor or str
        path : path-like
            See `gpurun.open_results`. Several monitors may share a file.
        chunk : int, optional
            Rows that are handed over at a time: events, or time steps. Default: 4 MiB.

        Raises
        ------
        OverrideError
            And its subclasses: this is no monitor, or it records nothing but counts.
        ResultsError
            The file cannot be written, or is something else.
        SessionError
            The monitor is streamed already.
        """
        with self._exclusive():
            self._refuse_static_state("stream")
            manifest = self.model.manifest
            target = resolve(manifest, monitor, self.model.resolver)
            if target.kind != "monitor":
                raise OverrideError(
                    f"'{target.name}' is not a monitor. Only monitors can be streamed: "
                    f"{', '.join(sorted(manifest.monitors)) or 'the model has none'}.",
                    name=target.name,
                )
            name = target.name
            if name in self.streams:
                raise SessionError(
                    f"The monitor '{name}' is streamed to {self.streams[name]} already. Call "
                    "end_stream first."
                )
            arrays = {
                variable.removeprefix(f"{name}."): self.model.index[variable]
                for variable in manifest.monitors[name]
                if manifest.variables[self.model.index[variable]].kind != "array"
            }
            if not arrays:
                raise OverrideError(
                    f"The monitor '{name}' records nothing but counts (record=False), which take "
                    "no memory.",
                    name=name,
                )
            if chunk is None:
                chunk = max(1, CHUNK_BYTES // max(row_bytes(manifest, name), 1))
            if isinstance(chunk, bool) or not hasattr(chunk, "__index__") or chunk < 1:
                raise ConfigError(
                    f"chunk is a number of rows, at least 1, not {chunk!r}.",
                    name="chunk",
                    value=chunk,
                )
            counter = self.model.index[f"{name}.N"]
            self._streams.add(Streamed(name, Path(path).absolute(), int(chunk), counter, arrays))

    def end_stream(self, monitor: Any) -> None:
        """Let a monitor record in memory again; its file is complete.

        Raises
        ------
        SessionError
            The monitor is not streamed.
        ResultsError
            The file cannot be written.
        """
        with self._exclusive():
            name = resolve(self.model.manifest, monitor, self.model.resolver).name
            if name not in self.streams:
                raise SessionError(f"The monitor '{name}' is not streamed.")
            self._streams.remove(name)

    @property
    def streams(self) -> Mapping[str, Path]:
        """The files that monitors are streamed to, by name of the monitor."""
        return {entry.monitor: entry.path for entry in self._streams.entries}

    # -- for run and advance ------------------------------------------------------

    def _check_monitors(self, targets: Iterable[Target], seconds: float, *, goes_on: bool) -> None:
        """Refuse to record what is streamed, and what would not fit into the memory."""
        if not self._streams.entries and seconds * self._recorded_per_second < WORTH_A_LOOK:
            return
        streams = self.streams
        for target in targets:
            monitor = target.name if target.kind == "monitor" else target.name.rpartition(".")[0]
            if monitor in streams and (
                target.kind == "monitor"
                or self.model.manifest.variables[self.model.index[target.name]].kind != "array"
            ):
                raise OverrideError(
                    f"'{target.name}' cannot be recorded, because it is streamed: read it from "
                    f"{streams[monitor]} with gpurun.open_results.",
                    name=target.name,
                )
        check_monitors(self._instance, seconds, streamed=streams, goes_on=goes_on)

    def _begin_streams(self, seed: int | None, writes: Iterable[Write], seconds: float) -> None:
        variables = self.model.manifest.variables
        values = {variables[w.number].name: w.values for w in writes if w.source is None}
        on_card = {variables[w.number].name: None for w in writes if w.source is not None}
        self._streams.begin(
            {
                "seed": seed,
                "overrides": {**on_card, **describe_overrides(values)},
                "duration": seconds,
                "device": self.device,
            }
        )

    def _close_streams(self) -> None:
        self._streams.close()

    def _save(self, path: str | os.PathLike[str], extra: Mapping[str, Any]) -> None:
        # A state must not be safer than the rows that led to it: it would be gone on from without
        # them
        self._streams.sync()
        super()._save(path, extra)
