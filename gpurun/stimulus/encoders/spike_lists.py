"""Spikes as lists of indices and times, which a SpikeGeneratorGroup takes."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, overload

import numpy as np
from array_api_compat import is_cupy_array, to_device

from gpurun.errors import StimulusError
from gpurun.stimulus.encoders import parameters, pixels
from gpurun.stimulus.encoders.parameters import SI


class SpikeLists:
    """The spikes of a batch of presentations.

    ``lists[k]`` is the pair (indices, times) of presentation k, ``lists[a:b]`` the lists of
    several; both are views. Within a presentation spikes are in the order of their times, then
    of their indices, and an index occurs once in a time step.

    Parameters
    ----------
    offsets : numpy.ndarray of int64, shape (n + 1,)
        Presentation k has the spikes ``offsets[k]`` to ``offsets[k + 1]``.
    indices : array of int32, shape (spikes,)
        Pixels.
    times : array of float64, shape (spikes,)
        Seconds since the presentation began.
    """

    def __init__(self, offsets: np.ndarray, indices: Any, times: Any) -> None:
        self.offsets = offsets
        self.indices = indices
        self.times = times

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, item: slice) -> SpikeLists: ...

    @overload
    def __getitem__(self, item: int) -> tuple[Any, Any]: ...

    def __getitem__(self, item: int | slice) -> SpikeLists | tuple[Any, Any]:
        if isinstance(item, slice):
            start, stop, step = item.indices(len(self))
            if step != 1:
                raise StimulusError("SpikeLists are sliced without a step.", name="item")
            offsets = self.offsets[start : max(start, stop) + 1]
            part = slice(int(offsets[0]), int(offsets[-1]))
            return SpikeLists(offsets - offsets[0], self.indices[part], self.times[part])
        number = operator.index(item)
        if not -len(self) <= number < len(self):
            raise IndexError(f"presentation {number} of {len(self)}")
        number %= len(self)
        part = slice(int(self.offsets[number]), int(self.offsets[number + 1]))
        return self.indices[part], self.times[part]

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return (self[k] for k in range(len(self)))

    @property
    def nbytes(self) -> int:
        """Bytes of all three arrays."""
        return int(self.offsets.nbytes + self.indices.nbytes + self.times.nbytes)

    def on_host(self) -> SpikeLists:
        """The same lists with NumPy arrays; themselves if they have them already."""
        if not is_cupy_array(self.indices):
            return self
        return SpikeLists(self.offsets, self.indices.get(), self.times.get())

    def __repr__(self) -> str:
        return f"<SpikeLists of {len(self)} presentations, {int(self.offsets[-1])} spikes>"


@dataclass(frozen=True)
class ToSpikeLists:
    """Trains, or times, to the lists of a SpikeGeneratorGroup.

    Trains are booleans of shape (n, steps, pixels), from `PoissonSpikes`, `Phase` and the like.
    Times are floats of shape (n, pixels), or (n, spikes, pixels) for several spikes of a pixel;
    nan stands for no spike.

    Times are put on the grid as brian2 does it, ``floor((t + dt/1000)/dt)`` steps, and come out as
    that step times `dt`, which brian2 takes for the same step. Spikes of a pixel that fall into
    one step become one, since a SpikeGeneratorGroup refuses others.

    Parameters
    ----------
    dt : Quantity or float
        Time step of the SpikeGeneratorGroup, in seconds; one step of a train.

    Raises
    ------
    StimulusError
        A parameter, something that is neither trains nor times, times that are negative or
        infinite.
    UnitMismatchError
        A Quantity that is no time.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = "s"
    dt: SI

    def __post_init__(self) -> None:
        parameters.set_field(self, "dt", parameters.seconds("dt", self.dt))

    def __call__(self, spikes: Any, *, first: int = 0) -> SpikeLists:
        """Trains or times of n presentations to their lists."""
        xp, spikes = pixels.batch(spikes)
        trains = xp.isdtype(spikes.dtype, "bool")
        wanted = (3,) if trains else (2, 3)
        if spikes.ndim not in wanted or xp.isdtype(spikes.dtype, "integral"):
            raise StimulusError(
                "ToSpikeLists takes trains, booleans of shape (n, steps, pixels), or times, floats "
                "of shape (n, pixels) or (n, spikes, pixels); not an array of type "
                f"{spikes.dtype} and shape {tuple(spikes.shape)}.",
                name="images",
            )
        n = spikes.shape[0]
        if spikes.shape[-1] > 2**31 - 1:
            raise StimulusError("A group has no more than 2**31 - 1 neurons.", name="images")
        if trains:
            number, step, index = xp.nonzero(spikes)
        else:
            number, step, index = self._on_grid(xp, spikes)
        # Searched on the card, where the list is
        ends = xp.searchsorted(number, xp.arange(n + 1, dtype=number.dtype))
        times = xp.astype(step, xp.float64) * self.dt
        return SpikeLists(to_device(ends, "cpu"), xp.astype(index, xp.int32), times)

    def _on_grid(self, xp: Any, times: Any) -> tuple[Any, Any, Any]:
        """Numbers, steps and pixels of all spikes, sorted in this order, each once."""
        n, count = times.shape[0], times.shape[-1]
        present = ~xp.isnan(times)
        number, *_, index = xp.nonzero(present)
        given = xp.astype(times[present], xp.float64)
        if not given.shape[0]:
            return number, number, index
        low, high = float(xp.min(given)), float(xp.max(given))
        if low < 0 or high == float("inf"):
            raise StimulusError(
                f"Times of spikes are from 0 s on, and nan where there is none. These reach from "
                f"{low:g} s to {high:g} s.",
                name="images",
            )
        steps = int((high + parameters.TOLERANCE * self.dt) / self.dt) + 1
        if n * steps * count >= 2**63:
            raise StimulusError(
                f"Times up to {high:g} s are too many steps of {self.dt:g} s to be sorted.",
                name="images",
            )
        step = xp.astype(xp.floor((given + parameters.TOLERANCE * self.dt) / self.dt), xp.int64)
        key = xp.sort((number * steps + step) * count + index)
        differs = key[1:] != key[:-1]
        key = xp.concat([key[:1], key[1:][differs]])
        rest, index = key // count, key % count
        return rest // steps, rest % steps, index
