"""The state of an `Instance`: named copies inside its library, and as data for a checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpurun import library_state
from gpurun.errors import CheckpointError
from gpurun.instance import Instance
from gpurun.library import RunInfo
from gpurun.library_state import EventSpaces
from gpurun.state import RandomState, SessionState


def store(instance: Instance, name: str) -> RunInfo | None:
    """Keep the whole state under `name`; returns what has to be given back to `restore`."""
    instance.ensure_started()
    library_state.store(instance.library, name, instance.changing_numbers())
    return instance.last


def restore(
    instance: Instance,
    name: str,
    last: RunInfo | None,
    keep: Iterable[int] = (),
    *,
    random: bool = True,
) -> None:
    """Put back what was stored under `name`, except for the variables in `keep`."""
    library_state.restore(instance.library, name, list(keep), random=random)
    instance.went_to(last)


@dataclass(frozen=True)
class SessionFacts:
    """What a session knows beside its instance; see `SessionState`."""

    timed_arrays: Mapping[str, np.ndarray]
    overridden: tuple[str, ...]
    extra: Mapping[str, Any]


def capture(instance: Instance, facts: SessionFacts) -> SessionState:
    """Copy the whole state to host memory."""
    instance.ensure_started()
    library, manifest = instance.library, instance.model.manifest
    values = {
        info.name: instance.read_stored(number)
        for number, info in enumerate(manifest.variables)
        if info.kind != "static" or info.name in facts.overridden
    }
    spaces: dict[str, np.ndarray] = {}
    if library_state.event_spaces(library, EventSpaces.ASK):
        numbers = library_state.event_space_numbers(library)
        library_state.event_spaces(library, EventSpaces.SHOW)
        for number in numbers:
            name = manifest.variables[number].name
            spaces[name] = instance.read_stored(number)
            library.write(number, 0, values[name])
    return SessionState(
        values=values,
        queues={
            name: library_state.queue(library, number)
            for number, name in enumerate(manifest.pathways)
        },
        event_spaces=spaces,
        networks={name: (t, rest) for name, t, rest in library_state.networks(library)},
        random=RandomState(manifest.rng, library.random_state()),
        t=instance.t,
        timed_arrays=dict(facts.timed_arrays),
        overridden=facts.overridden,
        identity=manifest.identity,
        extra=dict(facts.extra),
    )


def random_state_for(instance: Instance, state: RandomState) -> bytes | None:
    """The text with which the stream of `state` goes on here; None if there is no such text."""
    own_kind = instance.model.manifest.rng
    own = instance.library.random_state().splitlines(keepends=True)
    theirs = state.text.splitlines(keepends=True)
    if state.kind == own_kind and len(own) == len(theirs):
        return state.text
    if state.kind == own_kind == "philox":
        # The generators of the set-up are one for each thread, and no run draws from them
        noise = [line for line in theirs if line.startswith(b"philox ")]
        return b"".join([*(line for line in own if not line.startswith(b"philox ")), *noise])
    return None


def put(instance: Instance, state: SessionState, random: bytes | None) -> None:
    """Bring the instance into a state that fits its model.

    Parameters
    ----------
    instance : Instance
    state : SessionState
        With values for every variable but static arrays, of the model's types and dimensions.
    random : bytes or None
        See `random_state_for`; None leaves the stream as it is.

    Raises
    ------
    CheckpointError
        Spikes in flight do not fit the delays.
    """
    library, manifest = instance.library, instance.model.manifest
    library.reset()
    # A monitor's counter says how much of its arrays is valid: it comes after them
    order = sorted(enumerate(manifest.variables), key=lambda entry: entry[1].kind == "array")
    for number, info in order:
        values = state.values.get(info.name)
        if values is None:
            continue
        if not info.changes:
            if _same_bits(values, instance.baseline_values(number)):
                continue
            # As an override: the next reset puts the model's own value back
            library.protect(number)
        instance.put_variable(number, values)
    library.rebuild()
    for number, name in enumerate(manifest.pathways):
        if name in state.queues:
            try:
                library_state.set_queue(library, number, state.queues[name])
            except Exception as error:
                raise CheckpointError(
                    f"The spikes in flight of '{name}' cannot be taken over: {error}",
                    path="",
                    reason="damaged",
                ) from error
    if state.event_spaces:
        numbers = library_state.event_space_numbers(library)
        for number in numbers:
            instance.put_variable(number, state.event_spaces[manifest.variables[number].name])
        library_state.event_spaces(library, EventSpaces.KEEP)
        for number in numbers:
            instance.put_variable(number, state.values[manifest.variables[number].name])
    else:
        library_state.event_spaces(library, EventSpaces.FORGET)
    for number, (name, _, _) in enumerate(library_state.networks(library)):
        if name in state.networks:
            library_state.set_network(library, number, *state.networks[name])
    if random is not None:
        library.set_random_state(random)
    instance.went_to(RunInfo(0.0, 1.0, state.t, 0, False))


def _same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()
