"""Checkpoints of a loop over stimuli, and evaluations that leave no trace in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gpurun.checkpoint import read_header
from gpurun.errors import CheckpointError, StimulusError
from gpurun.session import Session
from gpurun.stimulus.stream import StimulusStream

_EXTRA = "present"
# No name that a user would choose
_BEFORE_EVALUATION = "present: before evaluation"


class Checkpoints:
    """Saves a session with the place in its stream.

    Parameters
    ----------
    session : Session
    stream : StimulusStream
    path : path-like
    every : int
        Presentations between two files.

    Raises
    ------
    StimulusError
        `every` is no positive integer.
    """

    def __init__(
        self, session: Session, stream: StimulusStream, path: str | os.PathLike[str], every: int
    ) -> None:
        self._session, self._digest = session, stream.digest
        self._path = Path(path)
        # Now, rather than when the first file is due
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._every = positive("checkpoint_every", every)
        self._saved = -1

    def resume(self) -> int | None:
        """Load the file; the place in the stream where it goes on, None without a file.

        Raises
        ------
        CheckpointError
            It cannot be used, or is not of this stream.
        """
        if not self._path.exists():
            return None
        extra = read_header(self._path).extra.get(_EXTRA)
        if extra is None or extra["stream"] != self._digest:
            what = "was not saved by present()" if extra is None else (
                "belongs to a stream with another order, source size or encoder"
            )  # fmt: skip
            raise CheckpointError(
                f"The checkpoint {self._path} {what}. Give another path, or resume=False to begin "
                "anew.",
                path=str(self._path),
                reason="other_model",
            )
        self._session.load(self._path)
        self._saved = int(extra["done"])
        return self._saved

    def after(self, done: int, *, last: bool = False) -> None:
        """Save, if it is time: after `done` presentations of the stream."""
        if done != self._saved and (last or done % self._every == 0):
            facts = {"done": done, "stream": self._digest}
            self._session.save(self._path, extra={_EXTRA: facts})
            self._saved = done


def evaluated(session: Session, evaluate: Callable[[Session], Any]) -> Any:
    """What `evaluate` finds out; the session is as before when it returns."""
    name = _BEFORE_EVALUATION
    while name in session.snapshots:  # within another evaluation
        name += "'"
    session.store(name)
    try:
        return evaluate(session)
    finally:
        if not session.closed:
            session.restore(name)
            session.forget(name)


def positive(name: str, value: Any) -> int:
    """`value`, which has to be an integer from 1 on; StimulusError if it is not."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise StimulusError(f"{name} is an integer from 1 on, not {value!r}.", name=name)
    return int(value)
