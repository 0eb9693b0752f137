"""What is in the HDF5 file of a checkpoint, written and read.

The layout is described in docs/checkpoints.md; whoever changes it raises `FORMAT` in
`gpurun.checkpoint_file`, unless older versions can read the result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata
from typing import Any
from urllib.parse import unquote

import numpy as np

from gpurun.checkpoint_header import CheckpointHeader, StoredVariable
from gpurun.model import Manifest, VariableInfo
from gpurun.state import QueueContents, RandomState, SessionState

_CONTENT = (
    "The state of a Brian2 model, saved by gpurun. All numbers are in SI units. Attributes named "
    "'content' say what things are. Names of groups and data sets have '/' as %2F and '%' as %25."
)
_GROUPS = {
    "variables": "Every variable of the model but input data, one data set each. Attributes: "
    "dtype, shape, SI unit, exponents of (m, kg, s, A, K, mol, cd) in 'dimensions', 'kind' (array; "
    "dynamic: a vector; dynamic2d: a matrix with one row for each recorded step) and 'role'.",
    "queues": "Spikes in flight, one group for each synaptic pathway. Event number n of a pathway "
    "arrives at synapse synapses[n] in steps[n] steps of the pathway's clock.",
    "event_spaces": "Which neurons had an event in the last step, one data set for each kind of "
    "event of each group: their indices at the start, their number at the end. Empty before the "
    "first step.",
    "networks": "Clock of each Network: model time in s, and the small rest in s that this number "
    "lacks to the exact sum of all durations.",
    "random": "The stream of random numbers. 'kind' is mersenne (the Mersenne Twister of "
    "the CPU) or philox (drawn from a counter, the same on all devices).",
    "timed_arrays": "TimedArrays with other values than those the model was built with, in SI "
    "units, one data set each.",
    "clocks": "Time step of each clock in s.",
    "constants": "External constants that were compiled into the model, as text.",
}
_CONNECTIVITY = {
    "_synaptic_pre": "Connectivity: index of the source neuron of each synapse.",
    "_synaptic_post": "Connectivity: index of the target neuron of each synapse.",
    "N_outgoing": "Connectivity: number of synapses of each source neuron.",
    "N_incoming": "Connectivity: number of synapses of each target neuron.",
}
_STEPS = "Steps until each event arrives, at least 1, ascending."
_SYNAPSES = "The synapse of each event, in the order of delivery within a step."
_RANDOM = "The state of the generators, as ASCII text."


def _key(name: str) -> str:
    """`name` as the name of a link: '/' would make groups, and '.' means the group itself."""
    key = name.replace("%", "%25").replace("/", "%2F")
    return "%2E" if key == "." else key


# -- writing -------------------------------------------------------------------------


def write(
    file: Any, state: SessionState, manifest: Manifest, model_digest: str, created: datetime
) -> None:
    """Put a state into an empty HDF5 file.

    Parameters
    ----------
    file : h5py.File
    state : SessionState
    manifest : Manifest
        Of the model that the state belongs to.
    model_digest : str
    created : datetime
        With time zone.
    """
    facts: dict[str, Any] = {
        "content": _CONTENT,
        "created": created.isoformat(),
        "gpurun": metadata.version("gpurun"),
        "brian2": manifest.brian2,
        "numpy": np.__version__,
        "backend": manifest.backend,
        "model_digest": model_digest,
        "identity": state.identity,
        "t": np.float64(state.t),
    }
    for name, value in facts.items():
        file.attrs[name] = value
    groups = {name: file.create_group(name) for name in _GROUPS}
    for name, group in groups.items():
        group.attrs["content"] = _GROUPS[name]
    known = {info.name: info for info in manifest.variables}
    for name, array in state.values.items():
        _write_variable(groups["variables"], name, np.asarray(array), known.get(name))
    for name, queue in state.queues.items():
        group = groups["queues"].create_group(_key(name))
        _write_array(group, "steps", queue.steps, _STEPS)
        _write_array(group, "synapses", queue.synapses, _SYNAPSES)
    for name, array in state.event_spaces.items():
        _write_array(groups["event_spaces"], name, array)
    for name, times in state.networks.items():
        _write_array(groups["networks"], name, np.array(times, dtype=np.float64))
    for name, array in state.timed_arrays.items():
        _write_array(groups["timed_arrays"], name, array)
    groups["random"].attrs["kind"] = state.random.kind
    _write_array(
        groups["random"], "state", np.frombuffer(state.random.text, dtype=np.uint8), _RANDOM
    )
    for name, step in manifest.clocks.items():
        groups["clocks"][_key(name)] = np.float64(step)
    for name, value in manifest.constants.items():
        groups["constants"][_key(name)] = value
    _write_json(
        file,
        "overridden",
        list(state.overridden),
        "Names of the variables that overrides have changed, as JSON.",
    )
    _write_json(file, "extra", dict(state.extra), "Notes of whoever saved the state, as JSON.")


def _write_array(group: Any, name: str, array: np.ndarray, content: str = "") -> Any:
    # No compression: see docs/design/state.md
    dataset = group.create_dataset(_key(name), data=np.asarray(array, order="C"))
    if content:
        dataset.attrs["content"] = content
    return dataset


def _write_variable(group: Any, name: str, array: np.ndarray, info: VariableInfo | None) -> None:
    dataset = _write_array(group, name, array, _CONNECTIVITY.get(name.rpartition(".")[2], ""))
    facts: dict[str, Any] = {
        "dtype": array.dtype.name,
        "shape": np.array(array.shape, dtype=np.int64),
    }
    if info is not None:
        facts |= {
            "unit": info.unit,
            "dimensions": np.array(info.dimensions, dtype=np.float64),
            "kind": info.kind,
            "role": info.role,
        }
    for key, value in facts.items():
        dataset.attrs[key] = value


def _write_json(file: Any, name: str, value: Any, content: str) -> None:
    # A data set, since an attribute holds at most 64 KiB
    dataset = file.create_dataset(name, data=json.dumps(value))
    dataset.attrs["content"] = content


# -- reading -------------------------------------------------------------------------


def read_header(file: Any, path: str, size: int, version: int) -> CheckpointHeader:
    """Everything but the arrays.

    Parameters
    ----------
    file : h5py.File
    path : str
    size : int
        Of the file in bytes.
    version : int
        Of the format.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        The file has not the layout that it should have.
    """
    facts = dict(file.attrs)
    return CheckpointHeader(
        path=path,
        size=size,
        format=version,
        gpurun=_text(facts["gpurun"]),
        brian2=_text(facts["brian2"]),
        numpy=_text(facts["numpy"]),
        created=datetime.fromisoformat(_text(facts["created"])),
        backend=_text(facts["backend"]),
        model_digest=_text(facts["model_digest"]),
        identity=_text(facts["identity"]),
        t=_number(facts["t"]),
        random_kind=_text(file["random"].attrs["kind"]),
        extra=_mapping(_json(file["extra"])),
        variables={
            unquote(key): _stored_variable(dataset) for key, dataset in file["variables"].items()
        },
        spikes_in_flight={
            unquote(key): int(group["steps"].shape[0]) for key, group in file["queues"].items()
        },
        clocks={unquote(key): _number(step[()]) for key, step in file["clocks"].items()},
        constants={unquote(key): value.asstr()[()] for key, value in file["constants"].items()},
        overridden=tuple(_text(name) for name in _json(file["overridden"])),
        timed_arrays=tuple(unquote(key) for key in file["timed_arrays"]),
    )


def read_state(file: Any, header: CheckpointHeader) -> SessionState:
    """The state, given what `read_header` has read.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        The file has not the layout that it should have.
    """
    return SessionState(
        values=_arrays(file["variables"]),
        queues={unquote(key): _queue(group) for key, group in file["queues"].items()},
        event_spaces=_arrays(file["event_spaces"]),
        networks={name: _pair(array) for name, array in _arrays(file["networks"]).items()},
        random=RandomState(header.random_kind, _array(file["random"]["state"]).tobytes()),
        t=header.t,
        timed_arrays=_arrays(file["timed_arrays"]),
        overridden=header.overridden,
        identity=header.identity,
        extra=header.extra,
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, np.floating):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no mapping")
    return value


def _json(dataset: Any) -> Any:
    return json.loads(dataset.asstr()[()])


def _stored_variable(dataset: Any) -> StoredVariable:
    facts = dict(dataset.attrs)
    stored = StoredVariable(dtype=dataset.dtype.name, shape=tuple(map(int, dataset.shape)))
    if stored.dtype != facts["dtype"] or stored.shape != tuple(facts["shape"]):
        raise ValueError(f"{dataset.name} is not what its attributes say")
    if "kind" not in facts:
        return stored
    return StoredVariable(
        dtype=stored.dtype,
        shape=stored.shape,
        kind=_text(facts["kind"]),
        unit=_text(facts["unit"]),
        role=_text(facts["role"]),
        dimensions=tuple(float(exponent) for exponent in facts["dimensions"]),
    )


def _arrays(group: Any) -> dict[str, np.ndarray]:
    return {unquote(key): _array(dataset) for key, dataset in group.items()}


def _array(dataset: Any) -> np.ndarray:
    array = np.empty(dataset.shape, dataset.dtype)
    if array.size:
        dataset.read_direct(array)
    return array


def _queue(group: Any) -> QueueContents:
    queue = QueueContents(_array(group["steps"]), _array(group["synapses"]))
    if queue.steps.ndim != 1 or queue.steps.shape != queue.synapses.shape:
        raise ValueError(f"{group.name} has not one synapse for each event")
    return queue


def _pair(array: np.ndarray) -> tuple[float, float]:
    first, second = array
    return float(first), float(second)
