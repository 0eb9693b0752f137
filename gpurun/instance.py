"""A loaded library with the state of one model in it.

`Instance` knows how to open from the frozen set-up, what has to happen before a
run, and where to read values; it checks nothing (`Session` does).
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpurun.arrays import DeviceArray, DeviceSource, require_cupy
from gpurun.errors import SessionError
from gpurun.library import HOST_ONLY, Library, RunInfo
from gpurun.model import Data, Model
from gpurun.overrides import Write


def _raw(dtype: np.dtype) -> np.dtype:
    """The dtype as it lies in memory: Brian keeps booleans as one byte."""
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype


# CUDA's own name for the stream that CuPy uses unless told otherwise
_LEGACY_STREAM = 1


@dataclass(frozen=True)
class Lent:
    """A variable in its own memory, to be changed there.

    Attributes
    ----------
    array : ndarray or cupy.ndarray
        Shape (n,).
    source : DeviceSource or None
        The same on a card.
    """

    array: Any
    source: DeviceSource | None

    @property
    def on_card(self) -> bool:
        """Whether it is in a card's memory."""
        return self.source is not None

    def copy_on_host(self) -> np.ndarray:
        """The elements now."""
        return np.array(self.array.get() if self.on_card else self.array)


class Instance:
    """State of one model in one private copy of its library.

    Parameters
    ----------
    model : Model
    directory : str
        Project directory handed to the library.
    reload_for_runs : bool
        Load a new copy for every run, because the user's C++ holds static state.
    device : int, optional
        Number of the card, see `Library`.
    data : Data, optional
        Use this instead of the model's own; without a frozen set-up the set-up code runs.
    """

    def __init__(
        self,
        model: Model,
        directory: str = "",
        *,
        reload_for_runs: bool = False,
        device: int = 0,
        data: Data | None = None,
    ) -> None:
        self.model = model
        self.directory = directory
        self.reload_for_runs = reload_for_runs
        self.device = device
        self.data = data or model.data
        self._changes = [n for n, v in enumerate(model.manifest.variables) if v.changes]
        self._library: Library | None = None
        #: Values copied out of a library that was unloaded, by variable number.
        self._kept: dict[int, np.ndarray] | None = None
        self._fresh = True
        #: What `rebase` has written.
        self._rebased: list[Write] = []
        #: Whether the set-up was run again, so that any variable may differ from the frozen one.
        self._whole = False
        self._closed = False
        self._last: RunInfo | None = None
        self._random_state: bytes | None = None
        self._profile: list[tuple[str, float]] = []
        if self.data.frozen:
            self._open()

    # -- life -----------------------------------------------------------------

    @property
    def library(self) -> Library:
        if self._library is None:
            if self._closed:
                raise SessionError("The library of this session is not loaded.")
            self._open()
        assert self._library is not None
        return self._library

    def _load(self) -> Library:
        names = [info.name for info in self.model.manifest.variables]
        library = Library(self.model.library, names, self.directory, self.device)
        for number, info in enumerate(self.model.manifest.variables):
            if info.kind == "static":
                array = self.data.static[info.c_name]
                library.write(number, 0, np.ascontiguousarray(array).reshape(-1))
        return library

    def _open(self) -> None:
        library = self._load()
        if self.model.manifest.setup_opaque:
            # Hand-written set-up code may do more than set variables
            library.set_random_state(self.data.setup_state)
            library.setup()
        variables = self.model.manifest.variables
        for number, info in enumerate(variables):
            array = self.data.frozen.get(info.name)
            if array is None:
                continue
            self._put(library, number, array)
        library.rebuild()
        library.set_random_state(self.data.random_state)
        library.baseline(self._changes)
        self._library = library
        self._kept = None
        self._fresh = True
        if self._rebased:
            self._move_baseline(self._rebased)

    def _put(self, library: Library, number: int, array: np.ndarray) -> None:
        info = self.model.manifest.variables[number]
        if info.kind == "dynamic2d":
            rows, columns = array.shape if array.size else (0, info.shape[1])
            library.resize(number, rows, columns)
            if rows:
                raw = _raw(info.numpy_dtype)
                library.view(number, raw).reshape(rows, columns)[...] = array.view(raw)
            return
        flat = np.ascontiguousarray(array).reshape(-1)
        if info.kind == "dynamic":
            library.resize(number, flat.size)
        library.write(number, 0, flat)

    def put_variable(self, number: int, array: np.ndarray) -> None:
        """Replace a variable, its size included, by values as `read_stored` gives them."""
        self._put(self.library, number, array)

    @classmethod
    def draw(cls, model: Model, static: dict[str, np.ndarray], seed: int | None) -> Data:
        """Run the set-up code once and return the data with the frozen result.

        No card is needed: set-up code runs on the host on every backend.

        Parameters
        ----------
        static : dict
            Static arrays by C name.
        seed : int or None
            Start of the random stream; None takes fresh entropy.
        """
        instance = cls(model, device=HOST_ONLY, data=Data(static))
        library = instance._load()
        library.seed(_entropy() if seed is None else seed)
        start = library.random_state()
        library.setup()
        instance._library = library
        frozen = {
            info.name: instance._read(number, info.kind, info.numpy_dtype)
            for number, info in enumerate(model.manifest.variables)
            if info.kind != "static"
        }
        return Data(static, frozen, library.random_state(), start)

    def reopen(self) -> None:
        """Start over from the frozen set-up in a new copy of the library."""
        self._library = None
        self._kept = None
        self._random_state = None
        if self.data.frozen:
            self._open()

    def close(self) -> None:
        self._closed = True
        self._library = None
        self._kept = None

    # -- before a run ---------------------------------------------------------

    def begin(self, keep: Sequence[int] = ()) -> None:
        """Put the baseline back, except for the variables in `keep`."""
        if self.reload_for_runs and not self._fresh:
            self._begin_reloaded(keep)
        else:
            self.library.reset(keep)
        self._fresh = False

    def _begin_reloaded(self, keep: Sequence[int]) -> None:
        carried = {number: self.read(number) for number in keep}
        state = self._random_state
        self._library = None
        self._open()
        if state is not None:
            self.library.set_random_state(state)
        for number, array in carried.items():
            info = self.model.manifest.variables[number]
            self.apply(
                [Write(number, np.ascontiguousarray(array).reshape(-1), 0, info.kind == "dynamic")]
            )

    def draw_again(self) -> None:
        """Run the set-up code again with fresh random numbers (drop-in runs only)."""
        if self.reload_for_runs or self._library is None or self.model.manifest.setup_opaque:
            self._library = self._load()
            self._kept = None
            self._library.baseline([])
            self._library.seed(_entropy())
            self._library.setup()
        else:
            self._library.reset()
            self._library.seed(_entropy())
            self._library.setup(again=True)
            # What the set-up made is the baseline of this run only
            self._library.baseline([])
        self._fresh = False
        self._whole = True

    def reseed(self) -> None:
        """Give the random stream fresh entropy."""
        self.library.seed(_entropy())

    def changing_numbers(self) -> list[int]:
        """Numbers of the variables that make up the state: what a run can have changed."""
        if not self._whole:
            return list(self._changes)
        return [n for n, v in enumerate(self.model.manifest.variables) if v.kind != "static"]

    def baseline_values(self, number: int) -> np.ndarray:
        """The value of a variable in the frozen set-up."""
        info = self.model.manifest.variables[number]
        if info.kind == "static":
            return np.asarray(self.data.static[info.c_name]).reshape(info.shape)
        return self.data.frozen[info.name]

    @property
    def last(self) -> RunInfo | None:
        """What the last run said of itself."""
        return self._last

    def went_to(self, last: RunInfo | None) -> None:
        """The state is another one, that of the end of the run `last`."""
        self._last = last
        self._fresh = False

    def restart_stream(self) -> None:
        """Put the random stream back to where the set-up left it."""
        self.library.set_random_state(self.data.random_state)

    def ensure_started(self) -> None:
        """Before a first advance(): the baseline, with nothing overridden."""
        if self._fresh:
            self.library.reset()
            self.prepare()
            self._fresh = False

    def apply(self, writes: Iterable[Write]) -> None:
        """Write overrides; what they cover is kept for the next reset first."""
        library = self.library
        for write in writes:
            library.protect(write.number)
            if write.resize:
                library.resize(write.number, write.values.size)
            if write.source is None:
                library.write(write.number, write.first, write.values)
            else:
                library.write_device(write.number, write.first, write.source)

    def rebase(self, writes: Sequence[Write]) -> None:
        """Make `writes` part of the baseline, to which the state is put back."""
        # From a card's memory, which its owner may change: another copy is needed to open again
        kept = [write for write in writes if write.source is None]
        self.library.reset()
        self._move_baseline(writes)
        for write in writes:
            if write.source is not None:
                kept.append(Write(write.number, self.read_stored(write.number).reshape(-1)))
        # What was written before to the same place is of no use any more
        places = {(write.number, write.first, write.values.size) for write in kept}
        self._rebased = [
            write
            for write in self._rebased
            if (write.number, write.first, write.values.size) not in places
        ] + kept
        self._fresh = True
        self._last = None

    def _move_baseline(self, writes: Sequence[Write]) -> None:
        self.apply(writes)
        self.library.rebuild_changed()
        self.library.baseline(self._changes)

    def prepare(self, *, own_stream: bool = True) -> None:
        """Set-up code that depends on overrides, and what is derived from variables.

        With `own_stream` that code draws the same random numbers every time, as befits
        initial values that are drawn once per model, and the session's stream is left alone.
        """
        library = self.library
        if not (own_stream and self.model.manifest.tail_draws):
            library.prepare()
            return
        state = library.random_state()
        library.set_random_state(self.data.random_state)
        library.prepare()
        library.set_random_state(state)

    # -- running --------------------------------------------------------------

    def run(
        self,
        duration: float | None,
        *,
        advance: bool = False,
        progress: Callable[[float, float], bool] | None = None,
        maximum_run_time: float | None = None,
        output: Path | None = None,
        results_directory: str | None = None,
    ) -> RunInfo:
        library = self.library
        # Generated code prints to the same terminal, past Python's buffer
        if sys.stdout is not None:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
        try:
            info = library.run(
                duration,
                advance=advance,
                progress=progress,
                maximum_run_time=maximum_run_time,
                output=output,
            )
            if results_directory is not None:
                library.write_results(results_directory)
        finally:
            self._last = library.last_run
            if self.reload_for_runs:
                self._unload()
        self._last = info
        return info

    def _unload(self) -> None:
        """Let static C++ objects end (files are written), keeping all values."""
        self._kept = {
            number: self._read(number, info.kind, info.numpy_dtype)
            for number, info in enumerate(self.model.manifest.variables)
        }
        self._random_state = self.library.random_state()
        self._profile = self.library.profile()
        self._library = None

    def stop(self, request: bool = True) -> None:
        library = self._library
        if library is not None:
            library.stop(request)

    # -- reading --------------------------------------------------------------

    def _read(self, number: int, kind: str, dtype: np.dtype, *, view: bool = False) -> np.ndarray:
        array = self.library.view(number, _raw(dtype))
        if kind == "dynamic2d" and array.ndim == 1:
            array = array.reshape(-1, 1)
        if dtype.kind == "b":
            array = array.view(dtype)
        return array if view else array.copy()

    def read(self, number: int, *, view: bool = False) -> np.ndarray:
        """Value of a variable, in the shape that users know (see `MonitorRecord`)."""
        info = self.model.manifest.variables[number]
        array = self.read_stored(number, view=view)
        return np.ascontiguousarray(array.T) if info.kind == "dynamic2d" else array

    def read_stored(self, number: int, *, view: bool = False) -> np.ndarray:
        """Value of a variable as it is stored: matrices with one row per time step."""
        info = self.model.manifest.variables[number]
        if self._kept is not None:
            array = self._kept[number]
            array = array if view else array.copy()
        else:
            # Only memory that never moves can be lent
            lend = view and not info.resizes
            array = self._read(number, info.kind, info.numpy_dtype, view=lend)
            if lend:
                array.flags.writeable = False
        if info.kind == "dynamic2d" and not len(array):
            # Before the first step a monitor's matrix does not know its width yet
            return np.empty((0, info.shape[1]), info.numpy_dtype)
        return array.reshape(info.shape) if info.kind == "static" else array

    def device_view(self, number: int) -> DeviceArray | None:
        """Elements of a variable in the card's memory, matrices with one row per time step.

        None for what no kernel uses, which is in host memory only.
        """
        info = self.model.manifest.variables[number]
        array = self.library.device_view(number, info.numpy_dtype)
        if array is None:
            return None
        if info.kind == "dynamic2d":
            array.shape = (array.shape[0] if array.size else 0, info.shape[1])
        elif info.kind == "static":
            array.shape = tuple(info.shape)
        return array

    def own_card(self) -> contextlib.AbstractContextManager[Any]:
        """CuPy works on this card within it; nothing on the CPU."""
        if self.model.manifest.backend != "cuda":
            return contextlib.nullcontext()
        return require_cupy("Changing an array on a card").cuda.Device(self.device)

    def wait_for_copies(self, writes: Iterable[Write]) -> None:
        """Until what `apply` copies from a card's memory has been copied."""
        for write in writes:
            if write.source is not None:
                # Lending waits for the session's stream
                self.device_view(write.number)
                return

    def lend(self, number: int) -> Lent:
        """The elements of a variable where they are; `changed_in_place` has to follow a change."""
        there = self.device_view(number) if self.model.manifest.backend == "cuda" else None
        if there is None:
            info = self.model.manifest.variables[number]
            array = self._read(number, info.kind, info.numpy_dtype, view=True)
            return Lent(array.reshape(-1), None)
        array = there.to_cupy(self.device, copy=False).reshape(-1)
        address = int(there.__cuda_array_interface__["data"][0] or 0)
        return Lent(array, DeviceSource(address, array.size, array.dtype, None, array))

    def changed_in_place(self, number: int, lent: Lent) -> None:
        """What `lend` has given was changed."""
        # Written onto itself: nothing is copied, and the library learns that it has changed
        if lent.source is None:
            self.library.write(number, 0, lent.array)
            return
        cupy = require_cupy("Changing an array on a card")
        with cupy.cuda.Device(self.device):
            stream = int(cupy.cuda.get_current_stream().ptr)
        source = dataclasses.replace(lent.source, stream=stream or _LEGACY_STREAM)
        self.library.write_device(number, 0, source)

    def read_on_device(self, number: int, *, view: bool = False) -> Any:
        """What `read` gives, as a CuPy array."""
        info = self.model.manifest.variables[number]
        lent = None if self._kept is not None else self.device_view(number)
        if lent is None:
            cupy = require_cupy("Reading on the card")
            with cupy.cuda.Device(self.device):
                return cupy.asarray(self.read(number, view=True))
        array = lent.to_cupy(self.device, copy=not view or info.resizes)
        return array.T if info.kind == "dynamic2d" else array

    @property
    def is_loaded(self) -> bool:
        """Whether a library is loaded, without loading one."""
        return self._library is not None

    def free_memory(self) -> int:
        """Bytes that are free on the card."""
        return self.library.free_memory()

    def recorded_bytes(self, monitor: str) -> int:
        """Bytes that a monitor's arrays take now."""
        return sum(
            self.size(number) * info.numpy_dtype.itemsize
            for number, info in enumerate(self.model.manifest.variables)
            if info.kind != "array" and info.name in self.model.manifest.monitors[monitor]
        )

    def baseline_size(self, number: int) -> int:
        """Number of elements a variable has when overrides are applied."""
        info = self.model.manifest.variables[number]
        frozen = self.data.frozen.get(info.name)
        return int(np.prod(info.shape)) if frozen is None else int(frozen.size)

    def size(self, number: int) -> int:
        """Number of elements a variable has now."""
        return int(np.prod(self.library.shape(number)))

    @property
    def profile(self) -> list[tuple[str, float]]:
        """(code object, seconds) of the last run, for profiled code objects."""
        return self._profile if self._library is None else self._library.profile()

    @property
    def t(self) -> float:
        return 0.0 if self._last is None else self._last.t


def _entropy() -> int:
    return secrets.randbits(32)
