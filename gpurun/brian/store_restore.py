"""Brian's ``store()`` and ``restore()`` in compiled scripts.

Between two ``run()`` calls of a script they become calls in the program: the state is kept in, and
put back by, the library. After the script has run they are calls of its session.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from brian2.core.network import Network, _get_all_objects
from brian2.core.variables import ArrayVariable

from gpurun.checkpoint import read_header
from gpurun.errors import CheckpointError, NotSupportedError, SessionError

#: Stands in the program where the numbers of variables are to come, which nobody knows yet.
_NUMBERS = re.compile(r"@gpurun_variables_(\d+)@")


@dataclass
class StoredStates:
    """What a script stores and restores, as far as it was recorded.

    Attributes
    ----------
    times : dict
        Model time in seconds at each ``store()``, by slot.
    variables : list of list
        The variables of each ``store()``.
    files : dict of str to str
        Files that a slot is saved to when the script has run, by slot.
    wanted : dict of str to str
        Files that are read before it runs, because it restores what it has not stored.
    first : str or None
        A file that every run begins with, because the script restores it before its first
        ``run()``.
    """

    times: dict[str, float] = field(default_factory=dict)
    variables: list[list[Any]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, str] = field(default_factory=dict)
    first: str | None = None


def slot_name(net: Network, name: str, filename: Any) -> str:
    """Name of a state in the library."""
    return f"brian {net.name} {name}" if filename is None else f"brian file {filename}"


def _quoted(text: str) -> str:
    """A string of C++: other bytes than plain letters in octal."""
    plain = re.compile(r"[\w ./-]", re.ASCII)
    characters = (chr(byte) for byte in text.encode())
    escaped = (c if plain.match(c) else f"\\{ord(c):03o}" for c in characters)
    return '"' + "".join(escaped) + '"'


def _state_of(net: Network) -> list[Any]:
    """The variables of a network's objects and their clocks."""
    found: dict[Any, None] = {}
    objects = sorted(_get_all_objects(net.objects), key=lambda obj: obj.name)
    clocks = sorted({obj.clock for obj in objects}, key=lambda clock: clock.name)
    for owner in (*objects, *clocks):
        for variable in getattr(owner, "variables", {}).values():
            if isinstance(variable, ArrayVariable):
                found[variable] = None
    return list(found)


def _check_file(states: StoredStates, name: str, filename: Any) -> str:
    path = os.fspath(filename)
    if name != "default":
        raise NotSupportedError(
            f"store/restore({name!r}, {path!r}): a checkpoint file holds one state. Leave the name "
            "out, and use a file for each state.",
            what=name,
        )
    return path


def record_store(
    states: StoredStates, net: Network, name: str = "default", filename: Any = None
) -> list[str]:
    """Lines of the program for a ``store()``."""
    slot = slot_name(net, name, filename)
    if filename is not None:
        states.files[slot] = _check_file(states, name, filename)
    states.times[slot] = float(net.t_)
    states.variables.append(_state_of(net))
    return [
        # Lines before may have changed anything
        "::gpurun::all_changed_on_host();",
        f"::gpurun::store_slot({_quoted(slot)}, "
        f"{{@gpurun_variables_{len(states.variables) - 1}@}});",
    ]


def record_restore(
    states: StoredStates,
    net: Network,
    name: str = "default",
    filename: Any = None,
    restore_random_state: bool = False,
    *,
    before_all_runs: bool,
) -> list[str] | None:
    """Lines of the program for a ``restore()``; None if it is no part of the program.

    Set-up code is run once, when a model is built; a file that it restores is the affair of
    every run instead.
    """
    slot = slot_name(net, name, filename)
    if slot not in states.times:
        if filename is None:
            raise KeyError(f"No state with name {name} has been stored yet.")
        path = _check_file(states, name, filename)
        net.t_ = read_header(path).t
        if before_all_runs:
            states.first = path
            return None
        states.wanted[slot] = path
        states.times[slot] = float(net.t_)
    # Brian sets the clocks for the next run() from this
    net.t_ = states.times[slot]
    random_too = "true" if restore_random_state else "false"
    return [
        "::gpurun::all_changed_on_host();",
        f"::gpurun::restore_slot({_quoted(slot)}, {{}}, {random_too});",
        "::gpurun::all_on_host();",
    ]


def with_numbers(text: str, states: StoredStates, numbers: Mapping[Any, int]) -> str:
    """`text`, with the numbers of variables in place."""

    def fill(match: re.Match[str]) -> str:
        variables: Iterable[Any] = states.variables[int(match[1])]
        return ", ".join(str(numbers[v]) for v in variables if v in numbers)

    return _NUMBERS.sub(fill, text)


class StoringDevice:
    """The device's half: a part of `CPPStandaloneDevice`."""

    stored_states: StoredStates
    main_queue: list[tuple[str, Any]]
    has_been_run: bool
    array_cache: dict[Any, Any]
    _dropin: Any

    def network_store(self, net: Network, name: str = "default", filename: Any = None) -> None:
        """See `brian2.Network.store`."""
        if self.has_been_run:
            session = self._session_for("store")
            if filename is None:
                session.store(slot_name(net, name, None))
            else:
                session.save(_check_file(self.stored_states, name, filename))
            return
        lines = record_store(self.stored_states, net, name, filename)
        self.main_queue.append(("state", lines))

    def network_restore(
        self,
        net: Network,
        name: str = "default",
        filename: Any = None,
        restore_random_state: bool = False,
    ) -> None:
        """See `brian2.Network.restore`."""
        if self.has_been_run:
            session = self._session_for("restore")
            slot = slot_name(net, name, None)
            if filename is not None:
                session.load_state(
                    _check_file(self.stored_states, name, filename), random=restore_random_state
                )
            elif slot not in session.snapshots:
                raise KeyError(f"No state with name {name} has been stored yet.")
            else:
                session.restore(slot, random=restore_random_state)
        else:
            lines = record_restore(
                self.stored_states,
                net,
                name,
                filename,
                restore_random_state,
                before_all_runs=not any(kind == "run_network" for kind, _ in self.main_queue),
            )
            self.main_queue.append(("state", lines))
        for variable in self.array_cache:
            if not variable.read_only:
                self.array_cache[variable] = None

    def _session_for(self, call: str) -> Any:
        if self._dropin is None:
            raise SessionError(f"{call}() comes before the first device.run(), or after it.")
        return self._dropin

    def read_state_files(self) -> None:
        """Before the script runs: files that it restores, and has not written itself."""
        for slot, path in self.stored_states.wanted.items():
            self._dropin.load_into(slot, path)

    def write_state_files(self) -> None:
        """When the script has run: files that it has asked for."""
        for slot, path in self.stored_states.files.items():
            try:
                self._dropin.save_from(slot, path)
            except SessionError as error:
                raise CheckpointError(
                    f"store(filename={path!r}): {error}", path=path, reason="not_written"
                ) from error
