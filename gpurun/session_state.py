"""The half of a Session that stores, restores, saves and loads its state."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpurun import instance_state, library_state
from gpurun.calls import as_list, variable_name
from gpurun.checkpoint import read_checkpoint, write_checkpoint
from gpurun.checkpoint_differences import differences, other_model
from gpurun.checkpoint_header import Checkpoint
from gpurun.errors import (
    CheckpointError,
    OverrideError,
    SeedError,
    SessionError,
    UnknownVariableError,
)
from gpurun.instance import Instance
from gpurun.library import RunInfo
from gpurun.model import Model
from gpurun.overrides import resolve
from gpurun.process import Interruptible
from gpurun.state import SessionState
from gpurun.values import check_seed

#: Of the facts in a checkpoint: what the last run before it has carried.
CARRIED = "gpurun: carried"
# No names that a user would choose
_BEFORE_LOAD, _BEFORE_FAILURE = "\x01before load", "\x01before failure"


@dataclass(frozen=True)
class _Snapshot:
    """What Python knows of a named snapshot; the rest lies in the library."""

    last: RunInfo | None
    timed_arrays: Mapping[str, np.ndarray]
    overridden: frozenset[str]


class StatefulSession:
    """Named snapshots and checkpoint files; a part of `Session`."""

    model: Model
    device: str
    _instance: Instance
    _timed_arrays: dict[str, np.ndarray]
    _overridden: set[str]
    _snapshots: dict[str, _Snapshot]
    #: What the last run has carried.
    _carried: tuple[str, ...]

    def _exclusive(self) -> AbstractContextManager[None]:
        raise NotImplementedError

    def _tell_timed_arrays(self) -> None:
        raise NotImplementedError

    # -- snapshots --------------------------------------------------------------

    def store(self, name: str = "default") -> None:
        """Keep the whole state under a name, in the memory of the device.

        Variables, spikes in flight, clocks, the random stream, what monitors have recorded:
        everything that `restore` needs to go on as if nothing had happened in between. A
        snapshot of the same name is replaced.

        Parameters
        ----------
        name : str, optional

        Raises
        ------
        SessionError
            The model is reloaded for every run because of static state in C++ code.
        MemoryError, DeviceMemoryError
            There is not enough memory; an earlier snapshot of this name is still there.
        """
        name = _snapshot_name(name)
        with self._exclusive(), Interruptible():
            self._refuse_static_state("store")
            last = instance_state.store(self._instance, name)
            self._snapshots[name] = _Snapshot(
                last, dict(self._timed_arrays), frozenset(self._overridden)
            )

    def restore(
        self, name: str = "default", *, keep: Iterable[Any] = (), random: bool = True
    ) -> None:
        """Go back to a snapshot.

        `advance` goes on from there; `run` begins with the baseline, as always, except for
        what it carries.

        Parameters
        ----------
        name : str, optional
        keep : iterable of keys, optional
            Variables that keep their present values, such as weights.
        random : bool, optional
            False: the random stream goes on where it is, so that what follows differs from
            what followed then.

        Raises
        ------
        SessionError
            There is no such snapshot; the message lists those that are there.
        OverrideError
            And its subclasses: an entry of `keep` is not usable.
        """
        name = _snapshot_name(name)
        with self._exclusive(), Interruptible():
            snapshot = self._snapshots.get(name)
            if snapshot is None:
                known = ", ".join(map(repr, self._snapshots)) or "none"
                raise SessionError(
                    f"There is no snapshot '{name}' in this session. Stored: {known}."
                )
            numbers = self._kept_numbers(keep)
            instance_state.restore(self._instance, name, snapshot.last, numbers, random=random)
            kept = {self.model.manifest.variables[number].name for number in numbers}
            self._overridden = set(snapshot.overridden) | (self._overridden & kept)
            self._timed_arrays = {
                **snapshot.timed_arrays,
                **{
                    name: values
                    for name, values in self._timed_arrays.items()
                    if self.model.manifest.timed_arrays[name] in kept
                },
            }
            self._tell_timed_arrays()

    def forget(self, name: str = "default") -> None:
        """Free the memory of a snapshot.

        Raises
        ------
        SessionError
            There is no such snapshot.
        """
        name = _snapshot_name(name)
        with self._exclusive():
            if name not in self._snapshots:
                raise SessionError(f"There is no snapshot '{name}' in this session.")
            library_state.forget(self._instance.library, name)
            del self._snapshots[name]

    @property
    def snapshots(self) -> tuple[str, ...]:
        """Names of the snapshots, the oldest first."""
        return tuple(self._snapshots)

    @property
    def carried(self) -> tuple[str, ...]:
        """Names of the variables that the last `run` has carried."""
        return self._carried

    def _kept_numbers(self, keep: Iterable[Any]) -> list[int]:
        numbers = []
        for key in as_list(keep, "keep"):
            target = resolve(self.model.manifest, key, self.model.resolver)
            name = variable_name(self.model, target)
            info = self.model.manifest.variables[self.model.index[name]]
            if target.selection is not None:
                raise OverrideError(
                    f"'{name}' can only be kept as a whole, not for a subgroup.", name=name
                )
            if not info.writable:
                raise OverrideError(f"'{name}' belongs to the state and cannot be kept.", name=name)
            if info.role == "delay":
                raise OverrideError(
                    f"'{name}' cannot be kept: the spikes in flight of the snapshot belong to its "
                    "own delays.",
                    name=name,
                )
            numbers.append(self.model.index[name])
        return numbers

    def _refuse_static_state(self, call: str) -> None:
        if self._instance.reload_for_runs:
            names = ", ".join(self.model.manifest.static_state)
            raise SessionError(
                f"This model cannot {call}: its C++ code ({names}) may hold static state, so it is "
                "reloaded for every run. Open the session with keep_static_state=True if that "
                "state may stay; it is not stored."
            )

    # -- checkpoints ------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, extra: Mapping[str, Any] | None = None) -> None:
        """Save the whole state to a file.

        The file is complete when this returns; a file that was there before is replaced at
        that moment and not earlier.

        Parameters
        ----------
        path : path-like
        extra : mapping, optional
            Facts of your own that JSON can hold, given back by
            `gpurun.checkpoint.read_header`.

        Raises
        ------
        CheckpointError
            It cannot be written.
        SessionError
            As `store`.
        """
        # Ctrl-C waits: in between, variables are not what they should be
        with self._exclusive(), Interruptible():
            self._save(path, extra or {})

    def _save(self, path: str | os.PathLike[str], extra: Mapping[str, Any]) -> None:
        self._refuse_static_state("save")
        write_checkpoint(
            path, self._capture(extra), self.model.manifest, model_digest=self.model.digest
        )

    def _capture(self, extra: Mapping[str, Any]) -> SessionState:
        if self._carried:
            extra = {**extra, CARRIED: list(self._carried)}
        facts = instance_state.SessionFacts(
            self._timed_arrays, tuple(sorted(self._overridden)), extra
        )
        return instance_state.capture(self._instance, facts)

    def load(
        self,
        path: str | os.PathLike[str],
        *,
        only: Iterable[Any] | None = None,
        seed: int | None = None,
    ) -> None:
        """Go to the state in a file, which a session of any backend has saved.

        If the network in the file was drawn otherwise (connectivity, constants), the session
        has that network until the next `run`, which begins with the model's own.

        Parameters
        ----------
        path : path-like
        only : iterable of keys, optional
            Take over these variables and leave everything else as it is. They have to be
            the same in both models, which may differ otherwise.
        seed : int, optional
            Restart the random stream. Needed where the streams differ, as between the CPU's
            Mersenne twister and a card.

        Raises
        ------
        CheckpointError
            The file cannot be read, is damaged, or belongs to another model.
        SeedError
            The streams differ, and there is no `seed`.
        OverrideError
            And its subclasses: an entry of `only` is not usable.
        """
        with self._exclusive(), Interruptible():
            self._load(path, only=only, seed=seed)

    def _load(
        self,
        path: str | os.PathLike[str],
        *,
        only: Iterable[Any] | None = None,
        seed: int | None = None,
        random: bool = True,
    ) -> Checkpoint:
        self._refuse_static_state("load")
        seed = check_seed(seed)
        checkpoint = read_checkpoint(path)
        if only is not None:
            self._take_over(checkpoint, only)
            if seed is not None:
                self._instance.library.seed(seed)
            return checkpoint
        found = differences(checkpoint, self.model.manifest)
        if found:
            raise other_model(checkpoint, found)
        state = checkpoint.state
        instance = self._instance
        instance.ensure_started()
        stream = instance_state.random_state_for(instance, state.random) if random else None
        if random and stream is None and seed is None and self.model.manifest.run_random:
            raise SeedError(
                f"The random numbers of {os.fspath(path)} come from another generator "
                f"({state.random.kind}) than this session's ({self.model.manifest.rng}), and "
                "cannot go on. Give load(..., seed=n) to start a stream.",
                seed=None,
            )
        with self._undone_on_failure():
            instance_state.put(instance, state, stream)
            if seed is not None:
                instance.library.seed(seed)
        self._overridden = set(state.overridden)
        self._timed_arrays = dict(state.timed_arrays)
        self._tell_timed_arrays()
        return checkpoint

    # -- for Brian's store and restore with a file ------------------------------

    def load_state(self, path: str | os.PathLike[str], *, random: bool) -> None:
        """`load`, with or without the random stream."""
        with self._exclusive():
            self._load(path, random=random)

    def load_into(self, slot: str, path: str | os.PathLike[str]) -> None:
        """Have the library keep what is in a file as if it had stored it itself."""
        with self._exclusive(), self._back_afterwards():
            self._load(path, random=False)
            instance_state.store(self._instance, slot)

    def save_from(self, slot: str, path: str | os.PathLike[str]) -> None:
        """Save what the library has stored.

        Raises
        ------
        SimulationError
            It has stored nothing under this name.
        """
        with self._exclusive(), self._back_afterwards():
            library_state.restore(self._instance.library, slot)
            times = [t for _, t, _ in library_state.networks(self._instance.library)]
            self._instance.went_to(RunInfo(0.0, 1.0, max(times, default=0.0), 0, False))
            self._save(path, {})

    @contextlib.contextmanager
    def _back_afterwards(self) -> Any:
        """Leave the session as it was, whatever happens in between."""
        last = instance_state.store(self._instance, _BEFORE_LOAD)
        facts = self._overridden, self._timed_arrays
        try:
            yield
        finally:
            instance_state.restore(self._instance, _BEFORE_LOAD, last)
            library_state.forget(self._instance.library, _BEFORE_LOAD)
            self._overridden, self._timed_arrays = facts
            self._tell_timed_arrays()

    @contextlib.contextmanager
    def _undone_on_failure(self) -> Any:
        """Leave the session as it was if something in between fails."""
        last = instance_state.store(self._instance, _BEFORE_FAILURE)
        try:
            yield
        except BaseException:
            instance_state.restore(self._instance, _BEFORE_FAILURE, last)
            raise
        finally:
            library_state.forget(self._instance.library, _BEFORE_FAILURE)

    def _take_over(self, checkpoint: Checkpoint, only: Iterable[Any]) -> None:
        chosen: dict[int, np.ndarray] = {}
        different = {d.name: d for d in differences(checkpoint, self.model.manifest) if d.name}
        for key in as_list(only, "only"):
            target = resolve(self.model.manifest, key, self.model.resolver)
            name = variable_name(self.model, target)
            number = self.model.index[name]
            if target.selection is not None:
                raise OverrideError(
                    f"'{name}' can only be taken over as a whole, not for a subgroup.", name=name
                )
            if name in different:
                raise other_model(checkpoint, [different[name]])
            if name not in checkpoint.state.values:
                raise UnknownVariableError(
                    f"The checkpoint {checkpoint.header.path} has no variable '{name}'.",
                    name=name,
                    candidates=tuple(sorted(checkpoint.state.values)),
                )
            info = self.model.manifest.variables[number]
            if not info.writable:
                raise OverrideError(
                    f"'{name}' is not set by a user, and is taken over only with the whole state.",
                    name=name,
                )
            values = checkpoint.state.values[name]
            size = self._instance.size(number)
            if values.size != size:
                raise CheckpointError(
                    f"'{name}' has {size} elements here and {values.size} in the checkpoint "
                    f"{checkpoint.header.path}.",
                    path=checkpoint.header.path,
                    reason="other_model",
                    differences=(),
                )
            chosen[number] = values
        self._instance.ensure_started()
        library = self._instance.library
        with self._undone_on_failure():
            for number, values in chosen.items():
                library.protect(number)
                self._instance.put_variable(number, values)
            library.rebuild_changed()
        for number in chosen:
            self._overridden.add(self.model.manifest.variables[number].name)


def _snapshot_name(name: Any) -> str:
    if not isinstance(name, str) or not name or not name.isprintable():
        raise SessionError(f"A snapshot's name is a text that can be printed, not {name!r}.")
    return name
