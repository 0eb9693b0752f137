"""A RemoteSession: a Session in a process of its own, which may die without harm to this one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from gpurun.calls import as_list, check_duration, label
from gpurun.config import settings
from gpurun.errors import DeviceUnavailableError
from gpurun.model import Model
from gpurun.overrides import Target, resolve
from gpurun.reporting import wall_seconds
from gpurun.results import RunResult
from gpurun.session import choose_device
from gpurun.values import check_seed
from gpurun.worker_card import pinned
from gpurun.worker_link import Link
from gpurun.worker_values import own, portable_overrides, unpack_result


class RemoteSession(Link):
    """A `Session` in another process, with the same calls and results.

    Whatever ends that process (a segmentation fault in C++ code, a card that is lost, the
    system for lack of memory) raises a WorkerError here, and nothing else happens. The process
    ends with this one, too, however this one ends.

    Parameters
    ----------
    model : Model
    device : str or int, optional
        As for a `Session`. The process sees this card only, as its first.
    directory : str, optional
        Project directory handed to generated code that asks for one.
    keep_static_state : bool, optional
        As for a `Session`.
    start_timeout : Quantity or float (s), optional
        Wall time for the start of the process and the opening of the session.

    Raises
    ------
    ConfigError, DeviceUnavailableError, DeviceMemoryError
        As for a `Session`.
    WorkerError
        The process could not be started, or died while the session was opened.
    WorkerTimeoutError
        It took longer than `start_timeout`.

    Notes
    -----
    Brian objects are taken as keys, but do not show the state of the session.
    """

    def __init__(
        self,
        model: Model,
        device: str | int = "auto",
        *,
        directory: str = "",
        keep_static_state: bool = False,
        start_timeout: Any = 120.0,
    ) -> None:
        seconds = wall_seconds("start_timeout", start_timeout)
        name, number = choose_device(model, device)
        backend = model.manifest.backend
        # A compiler is not to run in a process that may be killed
        library = model.library
        options = {
            "model": model,
            "library": str(library),
            "device": "cpu" if backend == "cpu" else "cuda:0",
            "name": name,
            "directory": os.path.abspath(directory) if directory else "",
            "keep_static_state": keep_static_state,
            "settings": asdict(settings()),
        }
        super().__init__(model, name, pinned(backend, number))
        try:
            self._call("open", options=options, timeout=seconds, needs=0)
        except DeviceUnavailableError as error:
            self.close()
            raise _renamed(error, self.device) from None
        except BaseException:
            self.close()
            raise

    # -- running --------------------------------------------------------------

    def run(
        self,
        overrides: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None = None,
        *,
        carry: Iterable[Any] = (),
        record: Iterable[Any] = (),
        duration: Any = None,
        seed: int | None = None,
        allow_nonfinite: bool | Iterable[Any] = False,
        timeout: Any = None,
    ) -> RunResult:
        """Present one stimulus; see `Session.run`.

        Parameters
        ----------
        overrides, carry, record, duration, seed, allow_nonfinite
            As for `Session.run`. Arrays in a card's memory go through the host.
        timeout : Quantity or float (s), optional
            Wall time. A run that takes longer is stopped after its present step. If that does
            not help, the process is killed, and the session is lost.

        Returns
        -------
        RunResult
            Its arrays belong to the caller, and its times are those of the process.

        Raises
        ------
        WorkerError
            The process has died.
        WorkerTimeoutError
            The run took too long. `alive` says whether the session can still be used.
        Exception
            What `Session.run` raises.
        """
        options = {
            "carry": self._targets(carry, "carry"),
            "record": self._targets(record, "record"),
            "duration": check_duration(self.model.manifest, duration, "run"),
            "seed": check_seed(seed),
            "allow_nonfinite": self._names(allow_nonfinite),
        }
        sent = portable_overrides(self.model, overrides)
        return self._result(self._call("run", sent, options=options, timeout=timeout, needs=1))

    def advance(
        self, duration: Any = None, *, record: Iterable[Any] = (), timeout: Any = None
    ) -> RunResult:
        """Go on from where the last run stopped; see `Session.advance`, and `run`."""
        seconds = check_duration(self.model.manifest, duration, "advance")
        options = {"record": self._targets(record, "record")}
        return self._result(
            self._call("advance", seconds, options=options, timeout=timeout, needs=1)
        )

    # -- state ----------------------------------------------------------------

    def write(
        self,
        values: Mapping[Any, Any] | Iterable[tuple[Any, Any]],
        *,
        allow_nonfinite: bool | Iterable[Any] = False,
    ) -> None:
        """Change variables now; see `Session.write`."""
        options = {"allow_nonfinite": self._names(allow_nonfinite)}
        self._call("write", portable_overrides(self.model, values), options=options)

    def rebase(self, values: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> None:
        """Make values the baseline of all further runs; see `Session.rebase`."""
        self._call("rebase", portable_overrides(self.model, values))

    def read(self, key: Any) -> np.ndarray:
        """Present value of one variable, as a copy; see `Session.read`."""
        return own(self._call("read", self._target(key)))

    @property
    def t(self) -> float:
        """Model time in seconds."""
        return self._call("t")

    def save(self, path: str | os.PathLike[str], *, extra: Mapping[str, Any] | None = None) -> None:
        """Save the whole state to a file; see `Session.save`."""
        self._call("save", os.path.abspath(path), options={"extra": extra})

    def load(
        self,
        path: str | os.PathLike[str],
        *,
        only: Iterable[Any] | None = None,
        seed: int | None = None,
    ) -> None:
        """Go to the state in a file; see `Session.load`."""
        chosen = None if only is None else self._targets(only, "only")
        options = {"only": chosen, "seed": check_seed(seed)}
        self._call("load", os.path.abspath(path), options=options)

    def store(self, name: str = "default") -> None:
        """Keep the whole state under a name; see `Session.store`."""
        self._call("store", name)

    def restore(
        self, name: str = "default", *, keep: Iterable[Any] = (), random: bool = True
    ) -> None:
        """Go back to a snapshot; see `Session.restore`."""
        options = {"keep": self._targets(keep, "keep"), "random": random}
        self._call("restore", name, options=options)

    def forget(self, name: str = "default") -> None:
        """Free the memory of a snapshot; see `Session.forget`."""
        self._call("forget", name)

    @property
    def snapshots(self) -> tuple[str, ...]:
        """Names of the snapshots, the oldest first."""
        return self._call("snapshots")

    # -- keys -----------------------------------------------------------------

    def _target(self, key: Any) -> Target:
        return resolve(self.model.manifest, key, self.model.resolver)

    def _targets(self, keys: Iterable[Any], what: str) -> list[Target]:
        return [self._target(key) for key in as_list(keys, what)]

    def _names(self, allowed: bool | Iterable[Any]) -> Any:
        # What is neither is refused there, as by any session
        if isinstance(allowed, bool | str) or not isinstance(allowed, Iterable):
            return allowed
        return self._targets(allowed, "allow_nonfinite")

    def _name_of(self, key: Any) -> str:
        return label(self._target(key))

    def _result(self, facts: Any) -> RunResult:
        return unpack_result(facts, self.model, self._name_of)


def _renamed(error: DeviceUnavailableError, device: str) -> DeviceUnavailableError:
    """The error with the name that the card has in this process."""
    message = error.message.replace("'cuda:0'", f"'{device}'")
    return type(error)(message, **{**error.fields, "device": device})
