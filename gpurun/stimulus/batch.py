"""A batch of encoded stimuli, and one of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpurun.errors import StimulusError
from gpurun.stimulus.place import Place
from gpurun.values import check_dimensions

_DIMENSIONS = {
    "Hz": (0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0),
    "1": (0.0,) * 7,
    "s": (0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0),
}


def _plain(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label


@dataclass(frozen=True, eq=False)
class Stimulus:
    """What is shown in one presentation.

    Attributes
    ----------
    value : array or (indices, times)
        What the target's override takes, in bare SI units: a view of the batch's memory.
    label : int or None
    index : int
        Number of the image in the data set.
    number : int
        Number of the presentation, over all epochs and shards.
    place : int
        How many presentations of this shard came before.
    epoch : int
    unit : str or None
        ``"Hz"``, ``"1"``, ``"s"``, or None if that is not known.
    """

    value: Any
    label: Any = None
    index: int = 0
    number: int = 0
    place: int = 0
    epoch: int = 0
    unit: str | None = None


@dataclass(frozen=True, eq=False)
class StimulusBatch:
    """Encoded stimuli side by side in the memory of one device.

    ``batch[k]`` is the k-th `Stimulus`, whose value is a view: nothing is copied, and memory
    lasts as long as something refers to it.

    Attributes
    ----------
    values : array, shape (n, ...), or SpikeLists
        One allocation, C-contiguous; NumPy's, or CuPy's for a card.
    labels : ndarray or None
        Shape (n,).
    indices : ndarray of int64, shape (n,)
        Numbers of the images in the data set.
    first, place, epoch : int
        Of the first stimulus, see `Stimulus`.
    unit : str or None
    """

    values: Any
    labels: np.ndarray | None
    indices: np.ndarray
    first: int = 0
    place: int = 0
    epoch: int = 0
    unit: str | None = None

    @classmethod
    def of(
        cls, values: Any, labels: Any = None, *, device: str | int = "auto", unit: str | None = None
    ) -> StimulusBatch:
        """Put encoded stimuli on a device, all at once.

        Parameters
        ----------
        values : array_like, shape (n, ...), or SpikeLists
            What lies on the device already is not copied.
        labels : array_like, optional
            Shape (n,).
        device : str or int, optional
            As for `StimulusStream`.
        unit : {"Hz", "1", "s"}, optional
            Of the values; ``"Hz"`` is checked against the target.

        Raises
        ------
        StimulusError
            There are no stimuli, or not as many labels.
        DeviceUnavailableError
            There is no such card, or no CuPy.
        """
        if unit is not None and unit not in _DIMENSIONS:
            raise StimulusError(
                f"unit is one of {', '.join(map(repr, _DIMENSIONS))}, not {unit!r}.", name="unit"
            )
        if hasattr(values, "dim") and unit is None:
            raise StimulusError(
                "Stimuli are bare SI values; say of what: of(values/Hz, unit='Hz'), or without "
                "a unit.",
                name="values",
            )
        if hasattr(values, "dim"):
            check_dimensions(
                "values", values, _DIMENSIONS[unit or ""], unit or "", require_unit=True
            )
        place = Place.choose(device)
        if not hasattr(values, "offsets") and np.ndim(values) < 1:
            raise StimulusError("A batch is an array with a stimulus in each row.", name="values")
        held = values if hasattr(values, "offsets") else place.hold(values)
        count = len(held)
        if not count:
            raise StimulusError("A batch needs at least one stimulus.", name="values")
        if labels is not None:
            labels = np.asarray(labels)
            if labels.shape != (count,):
                raise StimulusError(
                    f"There are {count} stimuli, but labels of shape {labels.shape}.",
                    name="labels",
                )
        return cls(held, labels, np.arange(count), unit=unit)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, number: int) -> Stimulus:
        if not -len(self) <= number < len(self):
            raise IndexError(f"There are {len(self)} stimuli, no number {number}.")
        number %= len(self)
        return Stimulus(
            self.values[number],
            None if self.labels is None else _plain(self.labels[number]),
            int(self.indices[number]),
            self.first + number,
            self.place + number,
            self.epoch,
            self.unit,
        )

    def __iter__(self) -> Iterator[Stimulus]:
        return (self[number] for number in range(len(self)))

    @property
    def nbytes(self) -> int:
        """Bytes of the encoded values."""
        return int(self.values.nbytes)
