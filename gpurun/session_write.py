"""The half of a Session that changes its state between runs, where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from gpurun.arrays import require_cupy
from gpurun.calls import as_list, variable_name
from gpurun.errors import NonFiniteValueError, OverrideError, ReadOnlyVariableError
from gpurun.overrides import Planner, Target, Write, pairs, resolve
from gpurun.session_stream import StreamingSession
from gpurun.values import check_dimensions, convert, fit


class WritableSession(StreamingSession):
    """Changes between runs; a part of `Session`."""

    #: Values of TimedArrays that `rebase` has made part of the baseline.
    _timed_baseline: dict[str, np.ndarray]

    def _planner(
        self,
        allow_nonfinite: bool | Iterable[Any],
        size: Callable[[int], int] | None = None,
    ) -> Planner:
        raise NotImplementedError

    def _note(self, writes: list[Write]) -> None:
        raise NotImplementedError

    def write(
        self,
        values: Mapping[Any, Any] | Iterable[tuple[Any, Any]],
        *,
        allow_nonfinite: bool | Iterable[Any] = False,
    ) -> None:
        """Change variables now, without going back to the baseline.

        A following `advance` goes on with them. A following `run` begins with the baseline
        again, except for what it carries.

        Parameters
        ----------
        values : mapping or list of pairs
            As the overrides of `run`, but without delays and spikes of a SpikeGeneratorGroup.
        allow_nonfinite : bool or iterable of keys, optional

        Raises
        ------
        OverrideError
            And its subclasses: an entry is not usable. Nothing was changed.
        SessionError
            The model is reloaded for every run because of static state in C++ code.
        """
        with self._exclusive():
            self._refuse_static_state("write")
            entries = pairs(values)
            for key, _ in entries:
                self.check_changeable(resolve(self.model.manifest, key, self.model.resolver))
            planner = self._planner(allow_nonfinite, self._instance.size)
            writes = planner.plan(entries)
            self._instance.ensure_started()
            self._note(writes)
            self._instance.apply(writes)
            self._instance.library.rebuild_changed()
            # Whoever gave an array on a card may change it as soon as this returns
            self._instance.wait_for_copies(writes)
            self._timed_arrays.update(planner.timed_arrays)
            self._tell_timed_arrays()

    def rebase(
        self,
        values: Mapping[Any, Any] | Iterable[tuple[Any, Any]],
        *,
        allow_nonfinite: bool | Iterable[Any] = False,
    ) -> None:
        """Make values part of the baseline, as if the set-up code had given them.

        Every `run` begins with them from now on, unless it overrides or carries them. The
        session goes back to the baseline; snapshots stay as they were stored.

        Parameters
        ----------
        values : mapping or list of pairs
            As for `write`.
        allow_nonfinite : bool or iterable of keys, optional

        Raises
        ------
        OverrideError
            And its subclasses: an entry is not usable. Nothing was changed.
        SessionError
            As `write`.
        """
        with self._exclusive():
            self._refuse_static_state("rebase")
            entries = pairs(values)
            for key, _ in entries:
                self.check_changeable(resolve(self.model.manifest, key, self.model.resolver))
            planner = self._planner(allow_nonfinite)
            writes = planner.plan(entries)
            self._note(writes)
            self._instance.rebase(writes)
            self._timed_baseline.update(planner.timed_arrays)
            self._timed_arrays = dict(self._timed_baseline)
            self._tell_timed_arrays()

    def modify(
        self,
        key: Any,
        change: Callable[..., Any],
        *,
        reading: Iterable[Any] = (),
        allow_nonfinite: bool = False,
    ) -> None:
        """Change one variable in the memory where it is, without a copy through Python.

        Parameters
        ----------
        key : key
            A variable, also of a subgroup.
        change : callable
            Gets the elements, shape (n,), as an array in the session's memory: NumPy's on the
            CPU, CuPy's on a card (NumPy's for what no kernel uses). It changes them in place
            and returns None, or returns what is to be written there: an array of that shape
            or one number, bare SI values. The array is not to be kept.
        reading : iterable of keys, optional
            Further variables that `change` gets, one argument each, not to be changed.
        allow_nonfinite : bool, optional
            Whether what is returned may hold nan and inf.

        Raises
        ------
        OverrideError
            And its subclasses: `key` or what was returned is not usable.
        NotSupportedError
            The session is on a card, and there is no CuPy.
        SessionError
            As `write`.

        Notes
        -----
        An exception of `change` leaves what it had changed in place until then.

        Examples
        --------
        >>> def halve(w):
        ...     w *= 0.5
        >>> session.modify("feed.w", halve)  # doctest: +SKIP
        """
        with self._exclusive():
            self._refuse_static_state("modify")
            target = resolve(self.model.manifest, key, self.model.resolver)
            self.check_changeable(target)
            name = variable_name(self.model, target)
            number = self.model.index[name]
            info = self.model.manifest.variables[number]
            self._instance.ensure_started()
            library = self._instance.library
            library.protect(number)
            others = [self._lend(other) for other in as_list(reading, "reading")]
            lent = self._instance.lend(number)
            first, count = target.selection or (0, lent.array.size)
            part = lent.array[first : first + count]
            try:
                with self._instance.own_card():
                    made = change(part, *others)
                if made is not None and made is not part:
                    check_dimensions(name, made, info.dimensions, info.unit, require_unit=False)
                    with self._instance.own_card():
                        _put(name, part, made, info.numpy_dtype, allow_nonfinite, lent.on_card)
            finally:
                # Also what was changed before an error
                self._instance.changed_in_place(number, lent)
                self._overridden.add(name)
                library.rebuild_changed()
                if target.kind == "timed_array":
                    shape = tuple(info.shape)
                    self._timed_arrays[target.name] = lent.copy_on_host().reshape(shape)
                    self._tell_timed_arrays()

    def lend(self, key: Any) -> Any:
        """One variable where it is, not to be changed: NumPy's array, or CuPy's on a card.

        It is valid until the session runs, writes or closes.

        Raises
        ------
        OverrideError
            And its subclasses: `key` is not usable.
        NotSupportedError
            The session is on a card, and there is no CuPy.
        SessionError
            As `write`.
        """
        with self._exclusive():
            self._refuse_static_state("lend")
            return self._lend(key)

    def _lend(self, key: Any) -> Any:
        target = resolve(self.model.manifest, key, self.model.resolver)
        lent = self._instance.lend(self.model.index[variable_name(self.model, target)])
        first, count = target.selection or (0, lent.array.size)
        part = lent.array[first : first + count]
        if not lent.on_card:
            part.flags.writeable = False
        return part

    def own_card(self) -> AbstractContextManager[Any]:
        """Context in which CuPy works on this session's card; it does nothing on the CPU."""
        return self._instance.own_card()

    def check_changeable(self, target: Target) -> None:
        """Raise OverrideError if `target` cannot be changed outside of `run`."""
        if target.kind == "monitor":
            raise ReadOnlyVariableError(
                f"'{target.name}' is a monitor; it can be recorded but not changed.",
                name=target.name,
            )
        if target.kind == "spikes":
            raise OverrideError(
                f"The spikes of '{target.name}' cannot be replaced while it is under way. Give "
                "them to run().",
                name=target.name,
            )
        if target.kind == "variable":
            info = self.model.manifest.variables[self.model.index[target.name]]
            if not info.writable:
                raise ReadOnlyVariableError(
                    f"'{target.name}' is read-only: it is computed or recorded by the model.",
                    name=target.name,
                )
            if info.role == "delay":
                raise OverrideError(
                    f"'{target.name}' cannot be changed while spikes are under way. Give it to "
                    "run().",
                    name=target.name,
                )


def _put(
    name: str,
    part: Any,
    made: Any,
    dtype: np.dtype[Any],
    allow_nonfinite: bool,
    on_card: bool,
) -> None:
    """Check what a function has returned, and write it to `part`."""
    if not on_card:
        array = convert(name, made, dtype, allow_nonfinite=allow_nonfinite)
        part[...] = fit(name, array, part.shape)
        return
    cupy = require_cupy("modify")
    array = cupy.asarray(made)
    if array.shape not in ((), (1,), part.shape):
        # The same message as on the CPU
        fit(name, np.empty(array.shape, np.uint8), part.shape)
    if array.dtype != dtype and not np.can_cast(array.dtype, dtype, "safe"):
        convert(name, array.get(), dtype, allow_nonfinite=allow_nonfinite)
    if not allow_nonfinite and array.dtype.kind == "f":
        bad = int(array.size - int(cupy.isfinite(array).sum()))
        if bad:
            raise NonFiniteValueError(
                f"'{name}' was given {bad} value(s) that are nan or infinite. If that is meant, "
                "say so with allow_nonfinite=True.",
                name=name,
            )
    part[...] = array
