"""What is changed in a session's memory before each presentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpurun.calls import variable_name
from gpurun.errors import StimulusError
from gpurun.loop.expression import Change, Expression
from gpurun.loop.synapses import incidence
from gpurun.overrides import Target, pairs, resolve, shown
from gpurun.session import Session
from gpurun.values import check_dimensions


@dataclass(frozen=True)
class NormaliseWeights:
    """Scales synaptic weights so that those of each neuron have a given sum.

    Neurons without synapses, or whose weights sum to zero, are left as they are. Used as
    ``present(..., before={syn.w: NormaliseWeights(78.0)})``.

    Parameters
    ----------
    total : Quantity or float
        The sum of the weights of one neuron; a bare number is in the variable's SI unit.
    by : {"post", "pre"}, optional
        Whether the synapses that come into a neuron are summed, or those that leave it.

    Notes
    -----
    w[k] becomes w[k] * total / sum of w over the synapses with the same target (or source) as k,
    as in Diehl & Cook, "Unsupervised learning of digit recognition using spike-timing-dependent
    plasticity", Front. Comput. Neurosci. 9:99 (2015), whose program does so between two images.
    """

    total: Any
    by: str = "post"

    def __post_init__(self) -> None:
        if self.by not in ("post", "pre"):
            raise StimulusError(f"by is 'post' or 'pre', not {self.by!r}.", name="by")
        # bool() of an array would be asked by a comparison
        try:
            total = float(np.asarray(self.total)) if not np.ndim(self.total) else np.nan
        except (TypeError, ValueError):
            total = np.nan
        if not np.isfinite(total):
            raise StimulusError(f"total is one finite number, not {self.total!r}.", name="total")

    def bind(self, session: Session, key: Any) -> Change:
        """What scales the weights `key`."""
        target = resolve(session.model.manifest, key, session.model.resolver)
        name = variable_name(session.model, target)
        if target.selection is not None:
            raise StimulusError(
                f"'{name}' can only be normalised as a whole, not for a subgroup.", name=name
            )
        info = session.model.manifest.variables[session.model.index[name]]
        check_dimensions("total", self.total, info.dimensions, info.unit, require_unit=False)
        found = incidence(session, name)
        total = float(np.asarray(self.total))

        def scale(weights: Any) -> None:
            here = found.beside(weights)
            weights *= here.spread(_factors(here.sum(weights, self.by), total), self.by, weights)

        if not found.all_to_all:
            return Change(scale)

        def scale_matrix(weights: Any) -> None:
            # Without index arrays: synapse k goes from k // columns to k % columns
            matrix = weights.reshape(found.shape)
            axis = 0 if self.by == "post" else 1
            matrix *= _factors(matrix.sum(axis=axis, keepdims=True), total)

        return Change(scale_matrix)

    def apply(self, session: Session, key: Any) -> None:
        """Scale the weights `key` of a session now.

        Raises
        ------
        StimulusError
            They belong to no Synapses.
        OverrideError
            And its subclasses: `key` is not usable.
        """
        ((target, change),) = bind_changes(session, [(key, self)])
        session.modify(target, change.function)


def _factors(sums: Any, total: float) -> Any:
    zero = sums == 0
    # Where the sum is zero the factor is 1
    return (total + (1.0 - total) * zero) / (sums + zero)


def bind_changes(session: Session, before: Any) -> list[tuple[Target, Change]]:
    """The variables that `before` names, and what is done to each.

    Raises
    ------
    StimulusError
        A change is no function, expression or `NormaliseWeights`.
    OverrideError
        And its subclasses: a key is not usable.
    """
    found = []
    for key, change in pairs(before):
        target = resolve(session.model.manifest, key, session.model.resolver)
        name = variable_name(session.model, target)
        session.check_changeable(target)
        if isinstance(change, str):
            change = Expression(change)
        if hasattr(change, "bind"):
            change = change.bind(session, target)
        elif callable(change):
            change = Change(change)
        if not isinstance(change, Change):
            raise StimulusError(
                f"What is done to '{name}' before each presentation is a function of its elements, "
                f"an expression or NormaliseWeights, not {shown(change)}.",
                name=name,
            )
        found.append((target, change))
    return found
