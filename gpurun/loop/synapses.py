"""Which synapses belong to which neuron, in a session's own memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_cupy_array

from gpurun.errors import StimulusError
from gpurun.session import Session


@dataclass(frozen=True)
class Incidence:
    """Pre- and post-synaptic neurons of the synapses of one Synapses.

    Attributes
    ----------
    pre, post : array of int, shape (synapses,)
        NumPy's or CuPy's.
    shape : (int, int)
        One more than the largest index of each.
    all_to_all : bool
        Whether synapse k goes from neuron k // shape[1] to neuron k % shape[1].
    """

    pre: Any
    post: Any
    shape: tuple[int, int]
    all_to_all: bool

    def beside(self, array: Any) -> Incidence:
        """The same with arrays in the memory where `array` is."""
        if is_cupy_array(array) == is_cupy_array(self.pre):
            return self
        if is_cupy_array(array):
            xp = array_namespace(array)
            return replace(self, pre=xp.asarray(self.pre), post=xp.asarray(self.post))
        return replace(self, pre=self.pre.get(), post=self.post.get())

    def _side(self, by: str) -> tuple[Any, int]:
        return (self.post, self.shape[1]) if by == "post" else (self.pre, self.shape[0])

    def sum(self, values: Any, by: str) -> Any:
        """Sums of `values`, one for each synapse, over the synapses of each neuron."""
        index, count = self._side(by)
        return array_namespace(values).bincount(index, weights=values, minlength=count)

    def spread(self, values: Any, by: str, like: Any) -> Any:
        """One of `values` for each synapse: that of its neuron."""
        index, _ = self._side(by)
        return values[index].astype(like.dtype, copy=False)


def incidence(session: Session, name: str) -> Incidence:
    """Where the synapses with the variable `name` begin and end.

    Raises
    ------
    StimulusError
        The variable does not belong to a Synapses.
    """
    owner = name.rpartition(".")[0]
    names = [f"{owner}._synaptic_{side}" for side in ("pre", "post")]
    if any(name not in session.model.index for name in names):
        raise StimulusError(
            f"'{name}' is no variable of a Synapses, and has no pre- and post-synaptic neurons.",
            name=name,
        )
    # Copied once: connectivity does not change, and what a session lends ends with a run
    with session.own_card():
        pre, post = (session.lend(name).copy() for name in names)
        if not len(pre):
            return Incidence(pre, post, (0, 0), all_to_all=False)
        shape = int(pre.max()) + 1, int(post.max()) + 1
        xp = array_namespace(pre)
        number = xp.arange(len(pre), dtype=np.int64)
        all_to_all = (
            shape[0] * shape[1] == len(pre)
            and bool((pre == number // shape[1]).all())
            and bool((post == number % shape[1]).all())
        )
        return Incidence(pre, post, shape, all_to_all)
