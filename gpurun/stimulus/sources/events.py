"""Recordings of dynamic vision sensors, as frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gpurun.errors import DatasetError, StimulusError
from gpurun.stimulus.encoders.events import EventsToFrames
from gpurun.stimulus.encoders.parameters import SI
from gpurun.stimulus.sources.dataset import DatasetSource
from gpurun.stimulus.sources.items import Gathering


class EventSource(DatasetSource):
    """A data set of event recordings, such as Tonic's, whose images are frames of events.

    An item is ``(events, label)`` or a mapping, its events a structured array with the fields
    ``x``, ``y``, ``t`` (microseconds) and ``p``; see `events_to_frames`. An image has the shape
    (steps, polarities, height, width).

    Parameters
    ----------
    dataset : object
        With ``__len__`` and ``__getitem__``.
    sensor_size : (int, int) or (int, int, int)
        Width, height, and number of polarities. Data sets of Tonic have it as ``sensor_size``.
    dt, steps, duration, start, dtype : optional
        As for `events_to_frames`. All recordings need the same number of frames, so `steps` or
        a `duration` is needed.
    events, label : key, position or callable, optional
        Where they are in an item, as ``image`` and ``label`` of `DatasetSource`.

    Raises
    ------
    StimulusError
        A parameter is not usable.
    UnitMismatchError
        A Quantity that is no time.
    DatasetError
        As for `DatasetSource`. Reading raises it for a recording with events that are not on the
        sensor, too.
    """

    def __init__(
        self,
        dataset: Any,
        sensor_size: tuple[int, ...],
        *,
        dt: SI = None,
        steps: int | None = None,
        duration: SI = None,
        start: SI = None,
        dtype: Any = "int32",
        events: Any = None,
        label: Any = None,
    ) -> None:
        self._frames = EventsToFrames(sensor_size, dt, steps, duration, start, dtype)
        if self._frames.steps is None:
            raise StimulusError(
                "Recordings are of different lengths, and all images need one shape: give 'steps' "
                "or 'duration' besides 'dt'.",
                name="steps",
            )
        super().__init__(dataset, events, label)

    def _gather_like(self, first: Any, image: Any, label: Any) -> Gathering:
        return Gathering(first, image, label, _Converter(self._frames))


@dataclass(frozen=True)
class _Converter:
    frames: EventsToFrames

    def __call__(self, events: Any, where: str) -> np.ndarray:
        if not isinstance(events, np.ndarray) or events.dtype.names is None:
            raise DatasetError(
                f"{where} holds no events but {type(events).__name__}: a recording is a structured "
                "NumPy array with the fields x, y, t and p.",
                file=None,
            )
        try:
            return self.frames(events)
        except StimulusError as error:
            raise DatasetError(f"{where}: {error.message}", file=None) from error
