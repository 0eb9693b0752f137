"""Transforms and encoders one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from gpurun.errors import GpurunError, StimulusError
from gpurun.stimulus.encoders.philox import Seeded


@dataclasses.dataclass(frozen=True, init=False)
class Compose:
    """An encoder made of stages, each of which takes what the one before it gives.

    Parameters
    ----------
    *stages : callable
        Transforms, encoders, or plain functions of a batch. A Compose among them counts as the
        stages that it has. What has an attribute ``random`` that is true is also told the number
        of the batch's first presentation, as ``first=``.

    Attributes
    ----------
    stages : tuple
        Stages of gpurun that would draw the same random numbers, because they are of one kind and
        seed, are numbered by their `stream` here.
    random : bool
    unit : str or None

    Raises
    ------
    StimulusError
        There is no stage, or something that cannot be called.

    Examples
    --------
    >>> import numpy as np
    >>> from gpurun.stimulus.encoders.rates import Rates
    >>> from gpurun.stimulus.encoders.transforms import Contrast
    >>> encode = Compose(Contrast(gain=-1, offset=1), Rates(maximum=100))
    >>> encode.unit, encode(np.array([[0.25, 1.0]]))
    ('Hz', array([[75.,  0.]]))
    """

    stages: tuple[Callable[..., Any], ...]

    def __init__(self, *stages: Callable[..., Any]) -> None:
        flat: list[Callable[..., Any]] = []
        for stage in stages:
            flat += stage.stages if isinstance(stage, Compose) else [stage]
        for stage in flat:
            if not callable(stage) or isinstance(stage, type):
                hint = "; make one, with ()" if isinstance(stage, type) else ""
                raise StimulusError(
                    f"A stage is an encoder or a function, not {stage!r}{hint}.", name="stages"
                )
        if not flat:
            raise StimulusError("Compose takes at least one stage.", name="stages")
        object.__setattr__(self, "stages", _independent(flat))

    @property
    def random(self) -> bool:
        """Whether a stage draws random numbers."""
        return any(getattr(stage, "random", False) for stage in self.stages)

    @property
    def unit(self) -> str | None:
        """Unit of the last stage that says one; None after a function, which says nothing."""
        unit = None
        for stage in self.stages:
            said = getattr(stage, "unit", "")
            if said is not None:
                unit = said or None
        return unit

    def __call__(self, images: Any, *, first: int = 0) -> Any:
        """What the last stage makes of a batch; `first` is its first image's number.

        Raises
        ------
        GpurunError
            The error of a stage, of the same class, with the stage in its message. Other
            exceptions have it in a note.
        """
        for number, stage in enumerate(self.stages):
            try:
                if getattr(stage, "random", False):
                    images = stage(images, first=first)
                else:
                    images = stage(images)
            except GpurunError as error:
                where = f"stage {number}, {_name(stage)}"
                raise type(error)(f"{where}: {error.message}", **error.fields) from error
            except Exception as error:
                error.add_note(f"In stage {number}, {_name(stage)}, of a Compose.")
                raise
        return images

    def __repr__(self) -> str:
        return f"Compose({', '.join(map(_name, self.stages))})"


def _name(stage: Any) -> str:
    if dataclasses.is_dataclass(stage):
        return repr(stage)
    return getattr(stage, "__qualname__", None) or repr(stage)


def _independent(stages: list[Callable[..., Any]]) -> tuple[Callable[..., Any], ...]:
    """The stages, with another stream for each that would repeat an earlier one's draws."""
    taken: set[tuple[str, int, int]] = set()
    result: list[Any] = []
    for stage in stages:
        if isinstance(stage, Seeded):
            kind, stream = type(stage).__name__, stage.stream
            while (kind, stage.seed, stream) in taken:
                stream += 1
            if stream != stage.stream:
                stage = dataclasses.replace(stage, stream=stream)
            taken.add((kind, stage.seed, stream))
        result.append(stage)
    return tuple(result)
