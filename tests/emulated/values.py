"""What a script's objects hold after a run, as plain arrays, and how two of them compare."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from brian2 import (
    EventMonitor,
    NeuronGroup,
    PoissonGroup,
    PopulationRateMonitor,
    SpatialNeuron,
    StateMonitor,
    Synapses,
)
from brian2.core.base import BrianObject
from brian2.core.variables import ArrayVariable
from numpy.testing import assert_allclose, assert_array_equal

Values = dict[str, np.ndarray]


def collect(objects: Mapping[str, BrianObject]) -> Values:
    """Read all that a script's objects hold.

    Returns
    -------
    values : dict of str to ndarray
        By ``object.variable``, in SI units. Events are sorted by time and index, because
        their order within a time step is free on a card.
    """
    found: Values = {}
    for name, one in objects.items():
        if isinstance(one, EventMonitor):
            order = np.lexsort((one.i[:], one.t_[:]))
            for variable in ("t", "i", *sorted(one.record_variables)):
                found[f"{name}.{variable}"] = np.asarray(getattr(one, f"{variable}_")[:])[order]
            found[f"{name}.count"] = np.asarray(one.variables["count"].get_value())
        elif isinstance(one, StateMonitor):
            for variable in ("t", *one.record_variables):
                found[f"{name}.{variable}"] = np.asarray(getattr(one, f"{variable}_"))
        elif isinstance(one, PopulationRateMonitor):
            found[f"{name}.t"], found[f"{name}.rate"] = one.t_[:], one.rate_[:]
        elif isinstance(one, NeuronGroup | SpatialNeuron | Synapses | PoissonGroup):
            for variable in _state(one):
                found[f"{name}.{variable}"] = np.asarray(getattr(one, f"{variable}_")[:])
            if isinstance(one, Synapses):
                found[f"{name}.i"], found[f"{name}.j"] = one.i[:], one.j[:]
    return found


def _state(group: NeuronGroup | SpatialNeuron | Synapses | PoissonGroup) -> list[str]:
    """The names of a group's own variables that its equations name."""
    equations = getattr(group, "equations", None)
    names = set(equations.names) if equations is not None else set()
    names -= set(equations.subexpr_names) if equations is not None else set()
    return sorted(
        name
        for name in names
        if isinstance(group.variables.get(name), ArrayVariable)
        and group.variables[name].owner.name == group.name
    )


def assert_same(observed: Values, expected: Values, *, rtol: float = 1e-10) -> None:
    """Compare all arrays: whole numbers exactly, others to `rtol` of the largest."""
    assert sorted(observed) == sorted(expected)
    for name, wanted in expected.items():
        got = observed[name]
        assert got.shape == wanted.shape, f"{name}: {got.shape}, expected {wanted.shape}"
        if wanted.dtype.kind in "iub":
            assert_array_equal(got, wanted, err_msg=name)
        else:
            finite = np.abs(wanted[np.isfinite(wanted)])
            scale = float(finite.max()) if finite.size else 0.0
            assert_allclose(got, wanted, rtol=rtol, atol=1e-14 * scale, err_msg=name)
