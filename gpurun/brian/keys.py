"""Finds the manifest's names for Brian objects, and keeps Brian's view up to date."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
from brian2.core.variables import (
    ArrayVariable,
    AuxiliaryVariable,
    Constant,
    Subexpression,
    VariableView,
)
from brian2.groups.group import VariableOwner
from brian2.input.poissoninput import PoissonInput
from brian2.input.timedarray import TimedArray
from brian2.units.fundamentalunits import DimensionMismatchError, get_dimensions

from gpurun.brian.manifest import Description
from gpurun.errors import (
    OverrideError,
    ReadOnlyVariableError,
    UnitMismatchError,
    UnknownVariableError,
)
from gpurun.overrides import Target


class BrianUnitMismatchError(UnitMismatchError, DimensionMismatchError):
    """The wrong unit, as a class that code written for Brian catches too."""

    def __init__(self, message: str, **fields: Any) -> None:
        UnitMismatchError.__init__(self, message, **fields)
        self.dims = (get_dimensions(1),)
        self.desc = message


class BrianResolver:
    """Resolver of one built script.

    Parameters
    ----------
    device : gpurun.brian.cpu.CPPStandaloneDevice
    description : Description
    """

    unit_error = BrianUnitMismatchError

    def __init__(self, device: Any, description: Description) -> None:
        self._device = weakref.proxy(device)
        self._description = description
        self._names = description.names
        self._timed_arrays = description.timed_arrays
        self._manifest = description.manifest
        #: TimedArray values as the script made them, to put back.
        self._original = {
            name: np.array(array.values, copy=True)
            for name, array in description.timed_arrays.items()
        }
        self._replaced: set[str] = set()
        # First element and size of subgroups: known also when the device has another script
        self._ranges = {
            variable: (int(start), int(np.prod(variable.size)))
            for variable, _, start in device.arange_arrays
        }

    # -- keys -------------------------------------------------------------------

    def resolve(self, key: Any) -> Target | None:
        if isinstance(key, VariableView):
            return self._view(key)
        if isinstance(key, TimedArray):
            if key.name in self._manifest.timed_arrays and self._timed_arrays[key.name] is key:
                return Target(key.name, "timed_array", require_unit=True)
            raise UnknownVariableError(
                f"The TimedArray '{key.name}' is not used by the model, so nothing depends on it.",
                name=key.name,
                candidates=tuple(self._manifest.timed_arrays),
            )
        if isinstance(key, ArrayVariable):
            return self._array(key, None, require_unit=False)
        if isinstance(key, PoissonInput):
            raise UnknownVariableError(
                f"'{key.name}' is a PoissonInput; use '{key.name}.rate' or '{key.name}.weight'.",
                name=key.name,
                candidates=(f"{key.name}.rate", f"{key.name}.weight"),
            )
        if isinstance(key, VariableOwner):
            name = key.name
            if name in self._manifest.spike_generators:
                return Target(name, "spikes", require_unit=True)
            if name in self._manifest.monitors:
                return Target(name, "monitor")
            raise UnknownVariableError(
                f"'{name}' is a whole group; name one of its variables, such as group.v.",
                name=name,
                candidates=(),
            )
        return None

    def _view(self, view: VariableView) -> Target:
        variable = view.variable
        label = f"{view.group_name}.{view.name}"
        if isinstance(variable, Subexpression):
            raise ReadOnlyVariableError(
                f"'{label}' is a subexpression: it is computed from other variables and is neither "
                "stored nor settable. Override the variables it depends on, or record it with a "
                "StateMonitor.",
                name=label,
            )
        if isinstance(variable, Constant | AuxiliaryVariable) or variable not in self._names:
            raise UnknownVariableError(
                f"'{label}' is not a variable of the built model. Objects made after build() "
                "do not belong to it.",
                name=label,
                candidates=(),
            )
        # A view with unit (group.v) wants units; group.v_ takes bare SI values
        return self._array(variable, view, require_unit=view.dim is not None)

    def _array(self, variable: Any, view: VariableView | None, *, require_unit: bool) -> Target:
        name = self._names[variable]
        selection = None
        if view is not None and not variable.scalar:
            if view.index_var_name == "_sub_idx":
                selection = self._ranges.get(view.index_var) or _subgroup_range(view, name)
            elif view.index_var_name != "_idx" and not name.startswith(f"{view.group_name}."):
                label = f"{view.group_name}.{view.name}"
                raise OverrideError(
                    f"'{label}' shows '{name}' through indices of '{view.group_name}', one value "
                    f"for several elements perhaps. Use '{name}' itself.",
                    name=label,
                )
        return Target(name, "variable", selection, require_unit)

    # -- Brian's view -----------------------------------------------------------

    def before_run(self, session: Any, values: Mapping[str, np.ndarray]) -> None:
        """Let Python-side calls of TimedArrays see what the run sees."""
        for name in self._replaced - set(values):
            np.copyto(self._timed_arrays[name].values, self._original[name])
        for name, array in values.items():
            np.copyto(self._timed_arrays[name].values, array)
        self._replaced = set(values)

    def after_run(self, session: Any) -> None:
        """Brian objects read from `session` from now on."""
        # Unless the device knows another script by now
        if self._device.model_description is self._description:
            self._device.reads_from(session)


def _subgroup_range(view: VariableView, name: str) -> tuple[int, int] | None:
    """First element and number of elements of a subgroup's variable."""
    indices = np.asarray(view.indexing(slice(None), view.index_var)).reshape(-1)
    if indices.size and not np.array_equal(indices, np.arange(indices.size) + indices[0]):
        raise OverrideError(
            f"'{view.group_name}.{view.name}' selects elements of '{name}' that do not lie side "
            "by side. Override the whole variable instead.",
            name=name,
        )
    return (int(indices[0]) if indices.size else 0, int(indices.size))
