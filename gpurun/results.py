"""What a run gives back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gpurun.errors import UnknownVariableError
from gpurun.results_schema import (
    MonitorData,
    Origin,
    Recorder,
    RunData,
    attributes_of,
    describe_overrides,
    kind_of,
    row_names,
    to_host,
    value_dimensions,
)

if TYPE_CHECKING:
    from gpurun.results_file import ResultsWriter

#: Seconds that `RunResult.save` waits for another writer.
_PATIENCE = 60.0


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
    device_time : float or None
        Seconds from the beginning to the end of the time loop by the card's own clock (CUDA
        events); pauses between kernels are in it. None on the CPU.
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
    device_time: float | None = None
    _name_of: Callable[[Any], str] | None = field(default=None, repr=False)
    _origin: Origin | None = field(default=None, repr=False)

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
        state = {**self.__dict__, "_name_of": None}
        if self._origin is not None:
            state["_origin"] = self._origin.part(self.values, self.monitors)
        return state

    # -- for analysis ---------------------------------------------------------

    def to_xarray(self) -> Any:
        """The result as an ``xarray.DataTree``.

        Variables are at its root, with dimensions such as ``"cells.i"``, and facts of the run
        are its attributes. Each monitor is a child: a Dataset with the dimension ``event``
        (``i`` and what was recorded with it, ``t`` as a coordinate), or ``time`` and ``neuron``.

        Returns
        -------
        xarray.DataTree

        Raises
        ------
        NotSupportedError
            xarray is not installed.
        """
        from gpurun.results_export import run_to_xarray

        return run_to_xarray(self._data())

    def to_pandas(self) -> dict[str, Any]:
        """The result as pandas objects, by name.

        A monitor of events is a DataFrame with the columns ``t``, ``i`` and what was recorded
        with them. Other monitors have ``t`` as index; columns of a StateMonitor are pairs
        (variable, neuron). Variables are Series. Units stand in ``attrs``.

        Returns
        -------
        dict of str to pandas.DataFrame or pandas.Series

        Raises
        ------
        NotSupportedError
            pandas is not installed.
        """
        from gpurun.results_export import run_to_pandas

        return run_to_pandas(self._data())

    def to_neo(self) -> Any:
        """What the monitors recorded as a ``neo.Block`` with one Segment.

        Monitors of events give a SpikeTrain for each neuron, others an AnalogSignal for each
        variable, with quantities.

        Returns
        -------
        neo.Block

        Raises
        ------
        NotSupportedError
            Neo is not installed.
        """
        from gpurun.results_export import run_to_neo

        return run_to_neo(self._data())

    def save(
        self,
        target: str | os.PathLike[str] | ResultsWriter,
        *,
        overrides: Mapping[Any, Any] | None = None,
        **facts: Any,
    ) -> int:
        """Append the result to a results file, as one run.

        Parameters
        ----------
        target : str, Path or ResultsWriter
            The file, which is made if it is not there. For many small results a writer that
            stays open is faster.
        overrides : mapping, optional
            What was given to `Session.run`. Digests are stored, and the values of single
            numbers.
        **facts
            Whatever else is to be known of the run: ``label=3``. Anything that JSON can hold.

        Returns
        -------
        int
            Number of the run in the file, for :func:`gpurun.open_results`.

        Raises
        ------
        ResultsError
            The file cannot be written, or another writer does not let go of it.
        """
        from gpurun.results_file import ResultsWriter

        if isinstance(target, ResultsWriter):
            return self._append(target, overrides, facts)
        with ResultsWriter(target, timeout=_PATIENCE) as writer:
            return self._append(writer, overrides, facts)

    def _append(
        self, writer: ResultsWriter, overrides: Mapping[Any, Any] | None, facts: dict[str, Any]
    ) -> int:
        run = self._data()
        names = {
            key if isinstance(key, str) or self._name_of is None else self._name_of(key): value
            for key, value in (overrides or {}).items()
        }
        known = {**run.facts, "overrides": describe_overrides(names), **facts}
        completed, wall_time = known.pop("completed"), known.pop("wall_time")
        with writer.run(**known) as record:
            for data in run.monitors.values():
                record.append_data(data)
            record.store_values(run.values)
            record.finish(completed, wall_time)
        return record.number

    def _data(self) -> RunData:
        """The result as exports take it: NumPy arrays, rows first, with units."""
        origin = self._origin
        manifest = None if origin is None else origin.manifest
        recorders = {} if origin is None else origin.recorders
        values = dict(self.values)
        monitors = {}
        for name, record in self.monitors.items():
            rows = row_names(record)
            kind = kind_of(manifest, name, record._values)
            for extra in record:
                if extra not in rows and extra != "N":
                    values.setdefault(f"{name}.{extra}", record[extra])
            if kind == "count":
                continue
            columns = {variable: to_host(record[variable]) for variable in rows}
            monitors[name] = MonitorData(
                name,
                kind,
                {variable: column.T for variable, column in columns.items()},
                {variable: attributes_of(manifest, f"{name}.{variable}") for variable in rows},
                recorders.get(name, Recorder()),
            )
        facts = {
            name: getattr(self, name)
            for name in (
                *("seed", "duration", "completed", "t", "steps", "device", "wall_time"),
                *("upload_time", "reset_time", "loop_time", "read_time", "peak_memory"),
                "device_time",
            )
        }
        if origin is not None:
            facts["model_digest"] = origin.model_digest
            facts["brian2"] = origin.manifest.brian2
            facts["backend"] = origin.manifest.backend
        described = {}
        for name, value in values.items():
            array = to_host(value)
            dimensions = value_dimensions(manifest, name, array.ndim)
            described[name] = (array, {**attributes_of(manifest, name), "dimensions": dimensions})
        return RunData(facts, described, monitors)
