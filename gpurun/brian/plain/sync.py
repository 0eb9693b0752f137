"""Keeps a session and the runtime device's arrays the same.

The runtime device's arrays are the truth between two runs, the session's during one. What a
session holds in host memory is what it had when it was last in step, so that it says by itself
what is different now.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2.core.variables import DynamicArrayVariable

from gpurun import library_state
from gpurun.brian.plain.recorder import Recording
from gpurun.errors import PlainScriptError, SimulationError
from gpurun.instance import Instance
from gpurun.library import RunInfo
from gpurun.library_state import EventSpaces
from gpurun.model import VariableInfo
from gpurun.state import QueueContents


def raw(array: np.ndarray) -> np.ndarray:
    """The elements as they lie in memory, booleans as bytes."""
    array = np.ascontiguousarray(array)
    return array.view(np.uint8) if array.dtype.kind == "b" else array


def values_of(recording: Recording, recorded: set[Any]) -> dict[str, np.ndarray]:
    """Copies of the present values, by name, for the frozen set-up of a model."""
    found = {}
    for info in recording.manifest.variables:
        variable = recording.variables.get(info.name)
        if variable is None:
            continue
        values = np.asarray(variable.get_value())
        if variable in recorded:
            values = np.zeros((0, *values.shape[1:]) if info.kind != "array" else 1, values.dtype)
        found[info.name] = np.array(values, copy=True)
    return found


class Sync:
    """Upload and download between Brian's arrays and an instance of a model.

    Parameters
    ----------
    recording : Recording
    recorded : set of Variable
        See `recorded_variables`.
    instance : Instance
        Of the recording's code; what it holds does not matter.
    """

    def __init__(self, recording: Recording, recorded: set[Any], instance: Instance) -> None:
        self.recording = recording
        self.recorded = recorded
        self.instance = instance
        manifest = recording.manifest
        pathway_info = manifest.pathway_info.values()
        #: A change of these makes spike queues anew.
        self._wiring = {name for info in pathway_info for name in (info.sources, info.delay)}
        #: Slots of Brian's queues: a change of the time step depends on it.
        self._slots: dict[str, int] = {}

    # -- to the session ---------------------------------------------------------

    def upload(self, t: float) -> None:
        """Bring the session to the state of the script, at the model time `t` (s).

        Raises
        ------
        PlainScriptError
            Spikes in flight do not fit the present delays.
        """
        library = self.instance.library
        rewired = False
        for number, info in enumerate(self.recording.manifest.variables):
            if self._upload_variable(number, info):
                rewired |= info.name in self._wiring or info.kind == "static"
        if rewired:
            library.rebuild()
        else:
            library.rebuild_changed()
        for name, pathway in self.recording.pathways.items():
            self._upload_queue(name, pathway)
        # Runtime mode begins a run without the events of the last step
        library_state.event_spaces(library, EventSpaces.FORGET)
        library_state.set_network(library, 0, t, 0.0)
        self.instance.went_to(RunInfo(0.0, 1.0, t, 0, False))

    def _upload_variable(self, number: int, info: VariableInfo) -> bool:
        """Write one variable if it is different; returns whether it was."""
        library = self.instance.library
        if info.kind == "static":
            values = raw(self.recording.static[info.c_name]).reshape(-1)
        else:
            variable = self.recording.variables.get(info.name)
            if variable is None:
                return False
            if variable in self.recorded:
                self._empty(number, info)
                return False
            values = raw(np.asarray(variable.get_value()))
        if info.kind == "dynamic2d":
            rows, columns = len(values), int(np.prod(values.shape[1:]))
            if library.shape(number) != (rows, columns):
                library.resize(number, rows, columns)
            there = library.view(number, values.dtype).reshape(rows, columns)
            if np.array_equal(there, values):
                return False
            there[...] = values
            library.write(number, 0, there)
            return True
        values = values.reshape(-1)
        there = library.view(number, values.dtype).reshape(-1)
        if there.size != values.size:
            library.resize(number, values.size)
        elif there.tobytes() == values.tobytes():
            return False
        library.write(number, 0, values)
        return True

    def _empty(self, number: int, info: VariableInfo) -> None:
        library = self.instance.library
        if info.kind == "array":
            library.write(number, 0, np.zeros(1, info.numpy_dtype))
        elif info.kind == "dynamic2d":
            library.resize(number, 0, info.shape[1])
        else:
            library.resize(number, 0)

    def _upload_queue(self, name: str, pathway: Any) -> None:
        # As Brian does before a run: for the present delays and time step
        pathway.initialise_queue()
        offset, slots = pathway.queue._full_state()
        self._slots[name] = len(slots)
        steps: list[np.ndarray] = []
        synapses: list[np.ndarray] = []
        for ahead in range(len(slots)):
            # The slot of the step that comes next is the first, and it has yet to be delivered
            slot = slots[(offset + ahead) % len(slots)]
            if slot:
                synapses.append(np.asarray(slot, np.int32))
                steps.append(np.full(len(slot), ahead + 1, np.int32))
        contents = QueueContents(
            np.concatenate(steps) if steps else np.empty(0, np.int32),
            np.concatenate(synapses) if synapses else np.empty(0, np.int32),
        )
        number = self.recording.manifest.pathways.index(name)
        try:
            library_state.set_queue(self.instance.library, number, contents)
        except SimulationError as error:
            raise PlainScriptError(
                f"Spikes of '{pathway.name}' are in flight with longer delays than its synapses "
                f"have now ({error}). gpurun cannot deliver them; run the script with "
                "'--device runtime'.",
                what=pathway.name,
                line=None,
            ) from error

    # -- from the session -------------------------------------------------------

    def download(self) -> None:
        """Bring Brian's arrays to the state of the session after a run."""
        for number, info in enumerate(self.recording.manifest.variables):
            variable = self.recording.variables.get(info.name)
            if variable is None or not (info.changes or variable in self.recorded):
                continue
            values = self.instance.read_stored(number)
            if variable in self.recorded:
                _append(variable, info, values)
                continue
            held = variable.device.arrays[variable]
            if isinstance(variable, DynamicArrayVariable):
                if len(held.data) != len(values):
                    variable.resize(values.shape if values.ndim == 2 else len(values))
                held.data[:] = values
            else:
                held[:] = values
        for name, pathway in self.recording.pathways.items():
            number = self.recording.manifest.pathways.index(name)
            contents = library_state.queue(self.instance.library, number)
            slots: list[list[int]] = [[] for _ in range(self._slots[name])]
            for step in np.unique(contents.steps):
                slots[step - 1] = contents.synapses[contents.steps == step].tolist()
            pathway.queue._restore_from_full_state((0, slots))


def _append(variable: Any, info: VariableInfo, values: np.ndarray) -> None:
    """Add what a monitor has recorded in a run to what it had recorded before."""
    held = variable.device.arrays[variable]
    if info.kind == "array":
        held += values.astype(held.dtype)
        return
    if not len(values):
        return
    before = len(held.data)
    # Also tells the variable its size, which store() asks for
    if values.ndim == 2:
        variable.resize((before + len(values), values.shape[1]))
    else:
        variable.resize(before + len(values))
    held.data[before:] = values
