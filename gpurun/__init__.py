"""Run Brian2 models resident: compile once, present many stimuli.

Importing this package registers the Brian device ``"gpurun"``::

    from brian2 import *
    import gpurun

    set_device("gpurun", build_on_run=False)
    ...                                  # any standalone model
    run(350*ms)
    with gpurun.build().session() as session:
        result = session.run({group.v: values}, record=[monitor.count])

A pickled Model can be used without brian2.
"""

from __future__ import annotations

import os
from importlib import metadata
from typing import TYPE_CHECKING, Any

from gpurun import build as _build_module  # registers with gpurun.model
from gpurun import estimate as _estimate_module
from gpurun import session as _session_module
from gpurun.errors import GpurunError
from gpurun.model import Model
from gpurun.registration import register_device
from gpurun.results import MonitorRecord, RunResult
from gpurun.session import Session

if TYPE_CHECKING:
    from gpurun import cluster as cluster
    from gpurun import datasets, loop, readout, scheduler, stimulus
    from gpurun.loop import NormaliseWeights, present
    from gpurun.results_reader import Results
    from gpurun.scheduler import Scheduler

__version__ = metadata.version("gpurun")
__all__ = [
    "GpurunError",
    "Model",
    "MonitorRecord",
    "NormaliseWeights",
    "RunResult",
    "Scheduler",
    "Session",
    "__version__",
    "build",
    "datasets",
    "loop",
    "open_results",
    "present",
    "readout",
    "scheduler",
    "stimulus",
]

del _build_module, _estimate_module, _session_module


def build() -> Model:
    """Build what the active Brian device has recorded, and return it as a `Model`.

    Nothing is compiled if the same code was compiled before, on this machine.

    Returns
    -------
    Model

    Raises
    ------
    SessionError
        The active device is not gpurun's.
    BuildError
        Compilation failed; the message is the compiler's.
    """
    from gpurun.brian.api import build_active

    return build_active()


def open_results(path: str | os.PathLike[str]) -> Results:
    """Open a results file for reading, also while it is written.

    Nothing is read but what is asked for.

    Parameters
    ----------
    path : str or Path
        As given to :meth:`RunResult.save` or to a
        :class:`~gpurun.results_file.ResultsWriter`.

    Returns
    -------
    gpurun.results_reader.Results

    Raises
    ------
    ResultsError
        There is no such file, or it is something else, or from a newer gpurun.
    """
    from gpurun import results_reader

    return results_reader.Results(path)


# Imported when they are first used: most scripts need none of them
_MODULES = ("cluster", "datasets", "loop", "readout", "scheduler", "stimulus")
_FROM = {
    "NormaliseWeights": "gpurun.loop",
    "Scheduler": "gpurun.scheduler",
    "present": "gpurun.loop",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"gpurun.{name}")
    if name in _FROM:
        return getattr(import_module(_FROM[name]), name)
    raise AttributeError(f"module 'gpurun' has no attribute {name!r}")


register_device()
