"""Every exception that gpurun raises.

All of them derive from :class:`GpurunError`, carry the facts of the failure as
attributes, and survive pickling, so that a worker process can hand them on.
Most also derive from the built-in exception that a Brian2 user would expect
(``ValueError``, ``TypeError``, ``KeyError``, ...).
"""

from __future__ import annotations

from typing import Any


def _rebuild(cls: type[GpurunError], message: str, fields: dict[str, Any]) -> GpurunError:
    return cls(message, **fields)


class GpurunError(Exception):
    """Base class of all gpurun exceptions.

    Parameters
    ----------
    message : str
        What went wrong, what was expected, and what to do.
    **fields
        Facts of the failure; each becomes an attribute.
    """

    def __init__(self, message: str, **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields
        for name, value in fields.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        # KeyError would print the repr of the message.
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.fields))


class ConfigError(GpurunError, ValueError):
    """A setting (argument or ``GPURUN_*`` variable) has no usable value."""


class ToolchainError(GpurunError, RuntimeError):
    """A compiler, header or library is missing. Fields: ``missing``, ``fix``."""


class BuildError(GpurunError, RuntimeError):
    """Compilation failed.

    Fields: ``command`` (list of str), ``directory`` (str, kept for inspection),
    ``returncode`` (int) and ``output`` (str, the compiler's own message).
    """


class CacheError(GpurunError, OSError):
    """The cache directory cannot be used. Fields: ``path``."""

    # OSError's constructor would take over the arguments.
    def __init__(self, message: str, **fields: Any) -> None:
        OSError.__init__(self, message)
        GpurunError.__init__(self, message, **fields)


class LibraryError(GpurunError, RuntimeError):
    """A model library could not be loaded or is of another ABI version."""


class DeviceUnavailableError(GpurunError, RuntimeError):
    """The requested compute device cannot be used. Fields: ``device``."""


class SimulationError(GpurunError, RuntimeError):
    """The generated code raised an error. Fields: ``status``, ``call``."""


class DeviceError(SimulationError):
    """A CUDA call failed.

    Fields: ``error`` (such as ``"cudaErrorIllegalAddress"``), ``call`` (the C++ expression),
    ``file`` and ``line`` (int) where they are known, ``status``, and ``sticky``: whether the
    card cannot be used any more in this process.
    """


class DeviceMemoryError(GpurunError, MemoryError):
    """A card has not enough memory.

    Fields: ``needed`` and ``free`` in bytes, each None where it is not known.
    """


class MonitorMemoryError(GpurunError, MemoryError):
    """What monitors would record in a run does not fit into the memory; it was not started.

    Fields: ``needed`` and ``free`` (bytes), ``monitors`` (bytes by name).
    """


class SessionError(GpurunError, RuntimeError):
    """A Session was used in a way its state does not allow."""


class SessionClosedError(SessionError):
    """The Session has been closed."""


class SessionBusyError(SessionError):
    """Another thread is using the Session."""


class NotSupportedError(GpurunError, NotImplementedError):
    """The model uses something that gpurun cannot run. Fields: ``what``."""


class DurationError(GpurunError, ValueError):
    """A duration is negative, not finite, or not a multiple of the time step."""


class SeedError(GpurunError, ValueError):
    """A seed is not an integer in the range [0, 2**32)."""


class OverrideError(GpurunError, ValueError):
    """An override, ``carry`` or ``record`` entry is not usable. Fields: ``name``."""


class UnknownVariableError(OverrideError, KeyError):
    """No variable has this name. Fields: ``name``, ``candidates``."""


class AmbiguousVariableError(OverrideError, KeyError):
    """Several variables fit the name. Fields: ``name``, ``candidates``."""


class ReadOnlyVariableError(OverrideError, TypeError):
    """The variable cannot be changed by a run. Fields: ``name``."""


class UnitMismatchError(OverrideError, TypeError):
    """The value has the wrong physical dimension. Fields: ``name``, ``expected``."""


class ShapeMismatchError(OverrideError, TypeError):
    """The value has the wrong shape. Fields: ``name``, ``expected``, ``got``."""


class DtypeMismatchError(OverrideError, TypeError):
    """The value cannot be converted without loss. Fields: ``name``, ``expected``, ``got``."""


class NonFiniteValueError(OverrideError):
    """The value contains nan or inf and that was not allowed. Fields: ``name``."""


class CheckpointError(GpurunError, OSError):
    """A checkpoint file cannot be written, read, or used for this model.

    Fields: ``path`` (str) and ``reason``, one of

    - ``"missing"``: there is no such file;
    - ``"unreadable"``: the system does not let it be read (``errno``);
    - ``"not_a_checkpoint"``: it is something else;
    - ``"truncated"``: its end is missing;
    - ``"damaged"``: it was changed after it was written;
    - ``"newer_format"``: a later version of gpurun wrote it;
    - ``"other_model"``: it belongs to another model (``differences``, a tuple);
    - ``"other_run"``: it belongs to another run: `Session.run_for` was called with other
      arguments then, or the script was given others;
    - ``"exists"``: there is a file, which is not to be replaced;
    - ``"not_written"``: it could not be written, the disk is full, say (``errno``). An older
      file of this name is still there.
    """

    # OSError's constructor would take over the arguments.
    def __init__(self, message: str, **fields: Any) -> None:
        OSError.__init__(self, message)
        GpurunError.__init__(self, message, **fields)


class ResultsError(GpurunError, OSError):
    """A results file cannot be written or read.

    Fields: ``path`` (str) and ``reason``, one of

    - ``"missing"``: there is no such file;
    - ``"not_results"``: it is something else;
    - ``"newer_format"``: a later version of gpurun wrote it;
    - ``"damaged"``: a part of it cannot be read;
    - ``"locked"``: another writer is at work on it;
    - ``"full"``: the disk or a quota is full. What was committed is readable;
    - ``"not_written"``: it could not be written for another reason (``errno``). Likewise;
    - ``"closed"``: the writer or its run has been closed;
    - ``"shape"``: the arrays given do not fit together, or what was recorded before.
    """

    # OSError's constructor would take over the arguments.
    def __init__(self, message: str, **fields: Any) -> None:
        OSError.__init__(self, message)
        GpurunError.__init__(self, message, **fields)


class DatasetError(GpurunError, ValueError):
    """A data set's file is damaged or of another format. Fields: ``file``."""


class StimulusError(GpurunError, ValueError):
    """A transform, an encoder or a stream of stimuli was given something unusable.

    Fields: ``name`` (of the parameter or part).
    """


class WorkerError(GpurunError, RuntimeError):
    """A session's process has ended, or could not be started.

    Fields: ``exitcode`` (int or None), ``signal`` (str or None, such as ``"SIGSEGV"``).
    """


class WorkerTimeoutError(WorkerError, TimeoutError):
    """A stimulus took longer than it may. Fields: also ``seconds``."""

    def __init__(self, message: str, **fields: Any) -> None:
        TimeoutError.__init__(self, message)
        GpurunError.__init__(self, message, **fields)


class ScheduleError(GpurunError, RuntimeError):
    """A stimulus failed. Fields: ``index`` (of the stimulus), ``attempts``."""


class ScriptError(GpurunError, RuntimeError):
    """The script given to the ``gpurun`` command cannot be run."""


class PlainScriptError(NotSupportedError):
    """A script without ``set_device`` does something that compiled code cannot do.

    Fields: ``what`` (str, the object's name), ``line`` (str or None, such as
    ``"figure.py, line 12"``).
    """
