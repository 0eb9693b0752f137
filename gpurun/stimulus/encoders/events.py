"""Events of a dynamic vision sensor, counted in frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gpurun.errors import StimulusError
from gpurun.stimulus.encoders import parameters
from gpurun.stimulus.encoders.parameters import SI

_FIELDS = ("x", "y", "t", "p")


def events_to_frames(
    events: np.ndarray,
    sensor_size: tuple[int, ...],
    *,
    dt: SI = None,
    steps: int | None = None,
    duration: SI = None,
    start: SI = None,
    dtype: Any = "int32",
) -> np.ndarray:
    """Count the events of one recording for each time step, polarity and pixel.

    Parameters
    ----------
    events : numpy.ndarray
        Structured, with the fields ``x`` (column), ``y`` (row), ``t`` (microseconds) and ``p``
        (polarity: above 0 is ON), in any order. Data sets of Tonic have it like this.
    sensor_size : (int, int) or (int, int, int)
        Width, height, and number of polarities: 2 (the default) or 1, which counts both together.
    dt : Quantity or float, optional
        Time step in seconds, a whole number of microseconds.
    steps : int, optional
        Number of time steps, in which `duration` is divided evenly.
    duration : Quantity or float, optional
        What of the recording is used, in seconds; events after it are left out. Default: up to
        the last event. Two of `dt`, `steps` and `duration` determine the third; one of `dt` and
        `steps` is enough.
    start : Quantity or float, optional
        Where time begins on the recording's clock, in seconds; earlier events are left out.
        Default: at the first event.
    dtype : dtype
        Of the counts.

    Returns
    -------
    numpy.ndarray, shape (steps, polarities, height, width)

    Raises
    ------
    StimulusError
        A parameter, another kind of array, or an event that is not on the sensor.
    UnitMismatchError
        A Quantity that is no time.

    Examples
    --------
    >>> import numpy as np
    >>> events = np.array([(1, 0, 100, 1), (1, 0, 900, 1), (0, 0, 1200, 0)],
    ...                   dtype=[("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "?")])
    >>> frames = events_to_frames(events, (2, 1), dt=1e-3, start=0)
    >>> frames.shape, frames[0, 1].tolist(), frames[1, 0].tolist()
    ((2, 2, 1, 2), [[0, 2]], [[1, 0]])
    """
    return EventsToFrames(sensor_size, dt, steps, duration, start, dtype)([events])[0]


@dataclass(frozen=True)
class EventsToFrames:
    """`events_to_frames` as an encoder: recordings to frames, on the host.

    Parameters
    ----------
    sensor_size, dt, steps, duration, start, dtype
        As for `events_to_frames`.
    """

    random: ClassVar[bool] = False
    unit: ClassVar[str | None] = "1"
    sensor_size: tuple[int, ...]
    dt: SI = None
    steps: int | None = None
    duration: SI = None
    start: SI = None
    dtype: Any = "int32"

    def __post_init__(self) -> None:
        try:
            size = tuple(parameters.integer("sensor_size", n, low=1) for n in self.sensor_size)
        except TypeError:
            size = ()
        if len(size) not in (2, 3) or size[2:] > (2,):
            raise StimulusError(
                "'sensor_size' is (width, height) or (width, height, polarities), with 1 or 2 "
                f"polarities, not {self.sensor_size!r}.",
                name="sensor_size",
            )
        parameters.set_field(self, "sensor_size", size if len(size) == 3 else (*size, 2))
        for name in ("dt", "duration", "start"):
            if (value := getattr(self, name)) is not None:
                value = parameters.seconds(name, value, zero=name == "start")
                parameters.set_field(self, name, value)
                _microseconds(name, value)
        if self.steps is not None:
            parameters.set_field(self, "steps", parameters.integer("steps", self.steps, low=1))
        self._check_times()
        parameters.set_field(self, "dtype", np.dtype(self.dtype).name)

    def _check_times(self) -> None:
        if self.dt is None and self.steps is None:
            raise StimulusError(
                "Give the time step 'dt' or the number of time steps, 'steps'.", name="dt"
            )
        if self.dt is None:
            return
        if self.steps is not None and self.duration is not None:
            raise StimulusError(
                "Two of 'dt', 'steps' and 'duration' determine the third; leave one out.",
                name="duration",
            )
        if self.steps is not None:
            parameters.set_field(self, "duration", self.steps * self.dt)
        elif self.duration is not None:
            steps = parameters.steps_in("duration", self.duration, self.dt)
            parameters.set_field(self, "steps", steps)

    def __call__(self, recordings: np.ndarray | Sequence[np.ndarray], *, first: int = 0) -> Any:
        """One recording to frames, (steps, polarities, height, width); several to (n, ...).

        Several recordings have equally many steps only with a `duration` or `steps`.

        Raises
        ------
        StimulusError
            A recording is no structured array, or has an event that is not on the sensor, or
            recordings have different numbers of steps.
        """
        if isinstance(recordings, np.ndarray) and recordings.dtype.names is not None:
            return self([recordings])[0]
        width, height, polarities = self.sensor_size
        if not len(recordings):
            shape = (0, self.steps or 0, polarities, height, width)
            return np.zeros(shape, np.dtype(self.dtype))
        placed = [self._placed(recording) for recording in recordings]
        counts = {steps for steps, _ in placed}
        if len(counts) > 1:
            raise StimulusError(
                f"The recordings have from {min(counts)} to {max(counts)} time steps. Give a "
                "'duration' or 'steps' for arrays of one shape.",
                name="duration",
            )
        (steps,) = counts
        size = steps * polarities * height * width
        cells = np.concatenate([number * size + cells for number, (_, cells) in enumerate(placed)])
        frames = np.bincount(cells, minlength=len(placed) * size)
        limit = np.iinfo(self.dtype).max if np.dtype(self.dtype).kind in "iu" else np.inf
        if frames.size and frames.max() > limit:
            raise StimulusError(
                f"A pixel has {frames.max()} events in a time step, which {self.dtype} cannot "
                "hold. Set dtype=.",
                name="dtype",
            )
        shape = (len(placed), steps, polarities, height, width)
        return frames.reshape(shape).astype(self.dtype, copy=False)

    def _placed(self, events: Any) -> tuple[int, np.ndarray]:
        """Number of time steps, and the place of each event among the cells of all frames."""
        names = events.dtype.names if isinstance(events, np.ndarray) else None
        if names is None or not set(_FIELDS) <= set(names):
            raise StimulusError(
                "A recording is a structured NumPy array with the fields x, y, t and p, not "
                f"{type(events).__name__}{'' if names is None else f' with {list(names)}'}.",
                name="events",
            )
        width, height, polarities = self.sensor_size
        x, y, t = (events[name].astype(np.int64, copy=False) for name in _FIELDS[:3])
        for values, limit, axis in ((x, width, "x"), (y, height, "y")):
            if len(values) and not 0 <= values.min() <= values.max() < limit:
                raise StimulusError(
                    f"Events have {axis} from {values.min()} to {values.max()}, and the sensor has "
                    f"0 to {limit - 1}; 'sensor_size' is (width, height).",
                    name="sensor_size",
                )
        if self.start is not None:
            t = t - _microseconds("start", self.start)
        elif len(t):
            t = t - t.min()
        length, steps, step = self._steps(t)
        channel = (events["p"] > 0).astype(np.int64) if polarities == 2 else 0
        cells = ((step * polarities + channel) * height + y) * width + x
        return steps, cells[(t >= 0) & (t < length)]

    def _steps(self, t: np.ndarray) -> tuple[int, int, np.ndarray]:
        """Length in microseconds, number of steps, and the step of each event."""
        last = int(t.max()) + 1 if len(t) else 0
        if self.dt is not None:
            width = _microseconds("dt", self.dt)
            steps = max(1, -(-last // width)) if self.steps is None else self.steps
            return steps * width, steps, t // width
        assert self.steps is not None
        length = max(1, last)
        if self.duration is not None:
            length = _microseconds("duration", self.duration)
        # In whole numbers, so that an event on a border has the step that begins there
        return length, self.steps, t * self.steps // length


def _microseconds(name: str, seconds: float) -> int:
    number = round(seconds * 1e6)
    if abs(seconds * 1e6 - number) > parameters.TOLERANCE or (number == 0 and seconds):
        raise StimulusError(
            f"'{name}' of {seconds:g} s is not a whole number of microseconds, in which events are "
            "counted.",
            name=name,
        )
    return number
