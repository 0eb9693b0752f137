"""A model library in this process: one private copy, loaded through ctypes.

Brian's generated code keeps its state in globals, so every session loads a copy
of the library file of its own. The copy is deleted as soon as it is loaded.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpurun.arrays import DeviceArray, DeviceSource
from gpurun.errors import (
    DeviceError,
    DeviceMemoryError,
    LibraryError,
    SessionError,
    SimulationError,
)
from gpurun.model import ABI_VERSION

_OK, _STOPPED, _OUT_OF_MEMORY, _CUDA_ERROR, _DEVICE_OUT_OF_MEMORY = 0, 2, 4, 5, 6

#: A library that is opened for this device uses no card: it can only run set-up code.
HOST_ONLY = -1

# Errors after which a process cannot use its card any more.
_STICKY = frozenset(
    "cudaError" + name
    for name in (
        "Assert",
        "ContextIsDestroyed",
        "ECCUncorrectable",
        "ExternalDevice",
        "HardwareStackError",
        "IllegalAddress",
        "IllegalInstruction",
        "InvalidAddressSpace",
        "InvalidPc",
        "LaunchFailure",
        "LaunchTimeout",
        "MisalignedAddress",
        "NvlinkUncorrectable",
        "Unknown",
    )
)
# What cuda_templates/device.h writes.
_CUDA_MESSAGE = re.compile(
    r"(?P<call>.*) failed with (?P<error>cudaError\w+).*? at (?P<file>[^:;]+):(?P<line>\d+)", re.S
)


class _View(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("rows", ctypes.c_int64),
        ("cols", ctypes.c_int64),
        ("stride", ctypes.c_int64),
        ("itemsize", ctypes.c_int32),
        ("location", ctypes.c_int32),
    )


class _RunInfo(ctypes.Structure):
    _fields_ = (
        ("loop_seconds", ctypes.c_double),
        ("completed", ctypes.c_double),
        ("t", ctypes.c_double),
        ("steps", ctypes.c_int64),
        ("device_seconds", ctypes.c_double),
    )


_Progress = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_double, ctypes.c_double, ctypes.c_void_p)

#: Called between two steps with the number of a streamed monitor that has its rows.
FULL = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64)

_int32, _int64, _double = ctypes.c_int32, ctypes.c_int64, ctypes.c_double
_text, _pointer, _ids = ctypes.c_char_p, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int64)

#: name -> (result, arguments); docs/abi.md describes each.
SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "gpurun_abi_version": (_int32, []),
    "gpurun_last_error": (_text, []),
    "gpurun_open": (_int32, [_text, _int32]),
    "gpurun_variable_count": (_int64, []),
    "gpurun_variable_name": (_text, [_int64]),
    "gpurun_variable": (_int32, [_int64, ctypes.POINTER(_View)]),
    "gpurun_resize": (_int32, [_int64, _int64, _int64]),
    "gpurun_write": (_int32, [_int64, _int64, _int64, _pointer]),
    "gpurun_write_device": (_int32, [_int64, _int64, _int64, _pointer, _int64]),
    "gpurun_count_nonfinite": (_int32, [_pointer, _int64, _int64, _int64, ctypes.POINTER(_int64)]),
    "gpurun_device_view": (_int32, [_int64, ctypes.POINTER(_View)]),
    "gpurun_free_memory": (_int32, [ctypes.POINTER(_int64)]),
    "gpurun_copy_to_host": (_int32, [_pointer, _int64, _pointer]),
    "gpurun_setup": (_int32, [_int32]),
    "gpurun_rebuild": (_int32, []),
    "gpurun_rebuild_changed": (_int32, []),
    "gpurun_baseline": (_int32, [_ids, _int64]),
    "gpurun_protect": (_int32, [_int64]),
    "gpurun_reset": (_int32, [_ids, _int64]),
    "gpurun_seed": (_int32, [ctypes.c_uint64]),
    "gpurun_random_state": (_int64, [_text, _int64]),
    "gpurun_set_random_state": (_int32, [_text, _int64]),
    "gpurun_store": (_int32, [_text, _ids, _int64]),
    "gpurun_restore": (_int32, [_text, _ids, _int64, _int32]),
    "gpurun_forget": (_int32, [_text]),
    "gpurun_queue": (_int32, [_int64, _int64, _pointer, _pointer, ctypes.POINTER(_int64)]),
    "gpurun_set_queue": (_int32, [_int64, _int64, _pointer, _pointer]),
    "gpurun_network": (
        _int32,
        [_int64, ctypes.POINTER(_text), ctypes.POINTER(_double), ctypes.POINTER(_double)],
    ),
    "gpurun_set_network": (_int32, [_int64, _double, _double]),
    "gpurun_event_spaces": (_int32, [_int32, ctypes.POINTER(_int32)]),
    "gpurun_event_space": (_int64, [_int64]),
    "gpurun_stream": (_int64, [_int64, _ids, _int64, _int64]),
    "gpurun_empty_stream": (_int32, [_int64]),
    "gpurun_when_full": (None, [FULL]),
    "gpurun_prepare": (_int32, []),
    "gpurun_run": (
        _int32,
        [
            _double,
            _int32,
            _double,
            _double,
            _Progress,
            _pointer,
            _text,
            ctypes.POINTER(_RunInfo),
        ],
    ),
    "gpurun_stop": (None, [_int32]),
    "gpurun_profile": (
        _int32,
        [_int64, ctypes.POINTER(_text), ctypes.POINTER(_double)],
    ),
    "gpurun_write_results": (_int32, [_text]),
    "gpurun_close": (None, []),
}


@dataclass(frozen=True)
class RunInfo:
    """What the time loop reports. Times in seconds, `t` in model seconds.

    `device_time` is None where no card took part.
    """

    loop_time: float
    completed: float
    t: float
    steps: int
    stopped: bool
    device_time: float | None = None


@contextlib.contextmanager
def _floating_point_environment() -> Iterator[None]:
    """Keep this thread's floating point mode.

    Older GCCs link code into a library made with ``-ffast-math`` that flushes denormal
    numbers to zero in whoever loads it. NumPy in the same process must not notice.
    """
    saved = ctypes.create_string_buffer(64)  # fenv_t: 32 bytes on x86-64, 8 on aarch64
    libm = ctypes.CDLL(None)  # the interpreter links it
    libm.fegetenv(saved)
    try:
        yield
    finally:
        libm.fesetenv(saved)


def _load_copy(path: Path) -> ctypes.CDLL:
    problems: list[str] = []
    # The temporary directory may forbid execution; the cache's own does not.
    for folder in (None, path.parent):
        try:
            handle, copy = tempfile.mkstemp(prefix="gpurun-", suffix=path.suffix, dir=folder)
        except OSError as error:
            problems.append(str(error))
            continue
        os.close(handle)
        try:
            shutil.copyfile(path, copy)
            os.chmod(copy, 0o700)
            with _floating_point_environment():
                library = ctypes.CDLL(copy, mode=os.RTLD_LOCAL | os.RTLD_NOW)
            if hasattr(library, "omp_get_max_threads"):
                _keep_openmp_runtime()
            return library
        except OSError as error:
            problems.append(str(error))
        finally:
            with contextlib.suppress(OSError):
                os.unlink(copy)
    raise LibraryError(
        f"The model library {path} cannot be loaded: {'; '.join(problems)}. "
        f"'gpurun cache clear' makes the next build compile it again.",
        path=str(path),
    )


#: GCC's, LLVM's and Intel's, as their own and as Debian's packages name them.
_OPENMP_RUNTIMES = (
    "libgomp.so.1",
    "libomp.so.5",
    "libomp.so",
    "libiomp5.so",
    "libgomp.1.dylib",
    "libomp.dylib",
)


@functools.cache
def _keep_openmp_runtime() -> None:
    """Never unload the OpenMP runtime: its threads live on when a library is unloaded."""
    for name in _OPENMP_RUNTIMES:
        with contextlib.suppress(OSError):
            # Finds it only if it is loaded, and holds it: ctypes closes no handles
            ctypes.CDLL(name, mode=os.RTLD_NOW | os.RTLD_NOLOAD)


#: The process in which OpenMP threads were started.
_threads_of: int | None = None


def check_threads(count: int) -> None:
    """Raise SessionError where `count` OpenMP threads would wait for some that are gone."""
    global _threads_of
    if count < 2:
        return
    if _threads_of not in (None, os.getpid()):
        raise SessionError(
            "This process was forked from one that had loaded a model with OpenMP threads. They "
            "do not survive a fork, and the run would wait for them for ever. Start workers "
            "with multiprocessing's 'spawn' method, or build the model with "
            "prefs.devices.cpp_standalone.openmp_threads = 0."
        )
    _threads_of = os.getpid()


def _unload(handle: int, close: Callable[[], None], pid: int) -> None:
    if os.getpid() != pid:
        return  # the parent's memory; it is gone with this process anyway
    close()
    dlclose = ctypes.CDLL(None).dlclose
    dlclose.argtypes = [ctypes.c_void_p]
    dlclose(handle)


class _Teller:
    """The progress callback of a library; keeps what it raised.

    It holds no reference to the library: a cycle would delay the unloading.
    """

    def __init__(self) -> None:
        self._progress: Callable[[float, float], bool] | None = None
        self._problem: BaseException | None = None

    def begin(self, progress: Callable[[float, float], bool] | None) -> None:
        self._progress = progress
        self._problem = None

    def end(self) -> None:
        problem, self._progress, self._problem = self._problem, None, None
        if problem is not None:
            raise problem

    def __call__(self, completed: float, elapsed: float, user: Any) -> int:
        try:
            return int(self._progress is not None and bool(self._progress(completed, elapsed)))
        except BaseException as problem:  # it cannot pass through the native call
            self._problem = problem
            return 1


class _Memory:
    """Elements of a variable, for NumPy to show; keeps their library loaded."""

    def __init__(
        self,
        owner: Library,
        address: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        strides: tuple[int, ...] | None,
    ) -> None:
        self._owner = owner
        # https://numpy.org/doc/stable/reference/arrays.interface.html
        self.__array_interface__ = {
            "version": 3,
            "data": (address, False),
            "shape": shape,
            "typestr": dtype.str,
            "strides": strides,
        }


def _device_error(message: str, function: str) -> DeviceError:
    match = _CUDA_MESSAGE.search(message)
    facts = match.groupdict() if match else {}
    error = facts.get("error", "")
    sticky = error in _STICKY
    if sticky:
        message += (
            ". The card cannot be used any more in this process; its other sessions are lost, too"
        )
    return DeviceError(
        message or f"gpurun_{function} failed on the card",
        status=_CUDA_ERROR,
        call=facts.get("call", f"gpurun_{function}"),
        error=error,
        file=facts.get("file"),
        line=int(facts["line"]) if match else None,
        sticky=sticky,
    )


def _memory_error(message: str) -> DeviceMemoryError:
    def bytes_in(pattern: str) -> int | None:
        match = re.search(pattern, message)
        return int(match[1]) if match else None

    needed = bytes_in(r"(\d+) bytes were asked for")
    free = bytes_in(r"(\d+) of \d+ bytes are free")
    return DeviceMemoryError(
        f"The card has not enough memory: {message}. Close sessions that are not needed, or record "
        "less.",
        needed=needed,
        free=free,
    )


class Library:
    """One loaded copy of a model library.

    The copy is unloaded when the last reference to this object is gone; views of its
    arrays hold one.

    Parameters
    ----------
    path : Path
        The library in the cache.
    names : sequence of str
        Names of the variables that it has to have, in order.
    directory : str
        Project directory handed to the library.
    device : int, optional
        Number of the card; the CPU backend takes no notice of it. `HOST_ONLY` for a library
        that only runs set-up code, which needs no card.

    Raises
    ------
    DeviceError, DeviceMemoryError
        The card cannot be used.
    LibraryError
        The file cannot be loaded, or is not of this ABI version or model.
    SessionError
        It uses OpenMP threads in a child of a process that did.
    """

    def __init__(
        self, path: Path, names: Sequence[str], directory: str = "", device: int = 0
    ) -> None:
        self._library = _load_copy(path)
        #: Functions that the library may call, by who has set them.
        self.kept_alive: dict[str, Any] = {}
        #: What the last run said of itself, also if `progress` raised an exception.
        self.last_run: RunInfo | None = None
        self._teller = _Teller()
        self._callback = _Progress(self._teller)
        for name, (result, arguments) in SIGNATURES.items():
            try:
                function = getattr(self._library, name)
            except AttributeError:
                raise LibraryError(
                    f"{path} is not a gpurun model library: it has no '{name}'. "
                    "'gpurun cache clear' makes the next build compile it again.",
                    path=str(path),
                ) from None
            function.restype = result
            function.argtypes = arguments
        version = self._library.gpurun_abi_version()
        if version != ABI_VERSION:
            raise LibraryError(
                f"{path} speaks ABI version {version}, this gpurun speaks {ABI_VERSION}. "
                "Build the model again.",
                path=str(path),
            )
        self._finalizer = weakref.finalize(
            self, _unload, self._library._handle, self._library.gpurun_close, os.getpid()
        )
        # At exit the order is undefined and views may still be in use.
        self._finalizer.atexit = False
        found = [
            self._library.gpurun_variable_name(n).decode()
            for n in range(self._library.gpurun_variable_count())
        ]
        if found != list(names):
            raise LibraryError(
                f"{path} was built for another model: its variables differ from the manifest's.",
                path=str(path),
            )
        self.call("open", directory.encode(), device)
        if hasattr(self._library, "omp_get_max_threads"):
            check_threads(int(self._library.omp_get_max_threads()))

    def call(self, name: str, *arguments: Any) -> int:
        """Call ``gpurun_<name>``; raise what its status says."""
        status = getattr(self._library, "gpurun_" + name)(*arguments)
        if status not in (_OK, _STOPPED):
            self._fail(name, status)
        return status

    def ask(self, name: str, *arguments: Any) -> int:
        """Call ``gpurun_<name>``, whose result is an answer and not a status."""
        return int(getattr(self._library, f"gpurun_{name}")(*arguments))

    def tell(self, name: str, *arguments: Any) -> None:
        """Call ``gpurun_<name>``, which cannot fail."""
        getattr(self._library, f"gpurun_{name}")(*arguments)

    def _fail(self, name: str, status: int) -> None:
        message = (self._library.gpurun_last_error() or b"").decode(errors="replace")
        if status == _OUT_OF_MEMORY:
            raise MemoryError(message)
        if status == _DEVICE_OUT_OF_MEMORY:
            raise _memory_error(message)
        if status == _CUDA_ERROR:
            raise _device_error(message, name)
        raise SimulationError(
            message or f"gpurun_{name} failed with status {status}", status=status, call=name
        )

    # -- variables ------------------------------------------------------------

    def view(self, number: int, dtype: np.dtype[Any]) -> np.ndarray:
        """The variable's elements where they are, without a copy.

        The array holds a reference to this library, so its memory outlives the session;
        it is only meaningful until the variable is resized.

        Returns
        -------
        ndarray
            1-D, or 2-D with shape (rows, columns) for matrices.
        """
        view = _View()
        self.call("variable", number, ctypes.byref(view))
        shape = (view.rows,) if view.cols == 1 and view.stride == 1 else (view.rows, view.cols)
        if view.itemsize != dtype.itemsize:
            raise LibraryError(f"variable {number} has {view.itemsize} bytes, not {dtype.itemsize}")
        if view.location != 0:
            raise LibraryError(f"variable {number} lies in the card's memory")
        if 0 in shape or not view.data:
            return np.empty(shape, dtype)
        strides = None if len(shape) == 1 else (view.stride * view.itemsize, view.itemsize)
        return np.asarray(_Memory(self, view.data, shape, dtype, strides))

    def shape(self, number: int) -> tuple[int, int]:
        """Current (rows, columns) of a variable; columns is 1 for one-dimensional ones."""
        view = _View()
        self.call("variable", number, ctypes.byref(view))
        return view.rows, view.cols

    def write(self, number: int, first: int, values: np.ndarray) -> None:
        """Copy contiguous `values` (of the variable's dtype) to elements from `first` on."""
        self.call("write", number, first, values.size, values.ctypes.data)

    def write_device(self, number: int, first: int, source: DeviceSource) -> None:
        """Copy what lies in the card's memory to elements from `first` on."""
        stream = -1 if source.stream is None else source.stream
        self.call("write_device", number, first, source.size, source.address, stream)

    def count_nonfinite(self, source: DeviceSource) -> int:
        """Number of nans and infinities in the card's memory."""
        found = _int64()
        stream = -1 if source.stream is None else source.stream
        self.call(
            "count_nonfinite",
            source.address,
            source.size,
            source.dtype.itemsize,
            stream,
            ctypes.byref(found),
        )
        return found.value

    def device_view(self, number: int, dtype: np.dtype[Any]) -> DeviceArray | None:
        """The variable's elements in the card's memory; None if they are on the host only."""
        view = _View()
        self.call("device_view", number, ctypes.byref(view))
        if not view.location:
            return None
        shape = (view.rows,) if view.cols == 1 else (view.rows, view.cols)
        return DeviceArray(self, view.data or 0, shape, dtype, self._fetch)

    def free_memory(self) -> int:
        """Bytes that are free on the card."""
        found = _int64()
        self.call("free_memory", ctypes.byref(found))
        return found.value

    def _fetch(self, address: int, target: np.ndarray) -> None:
        self.call("copy_to_host", address, target.nbytes, target.ctypes.data)

    def resize(self, number: int, rows: int, columns: int = 1) -> None:
        self.call("resize", number, rows, columns)

    # -- state ----------------------------------------------------------------

    @staticmethod
    def _as_ids(numbers: Sequence[int]) -> Any:
        return (ctypes.c_int64 * max(len(numbers), 1))(*numbers)

    def setup(self, *, again: bool = False) -> None:
        self.call("setup", int(again))

    def rebuild(self) -> None:
        self.call("rebuild")

    def rebuild_changed(self) -> None:
        """Rebuild only what is derived from variables that were written."""
        self.call("rebuild_changed")

    def prepare(self) -> None:
        self.call("prepare")

    def baseline(self, numbers: Sequence[int]) -> None:
        self.call("baseline", self._as_ids(numbers), len(numbers))

    def protect(self, number: int) -> None:
        self.call("protect", number)

    def reset(self, keep: Sequence[int] = ()) -> None:
        self.call("reset", self._as_ids(keep), len(keep))

    def seed(self, seed: int) -> None:
        self.call("seed", seed)

    def random_state(self) -> bytes:
        size = self._library.gpurun_random_state(None, 0)
        buffer = ctypes.create_string_buffer(size)
        self._library.gpurun_random_state(buffer, size)
        return buffer.raw

    def set_random_state(self, state: bytes) -> None:
        """Set the generators to a state from `random_state`, or seed them with ``b"seed N"``."""
        if state.startswith(b"seed "):
            self.seed(int(state[5:]))
            return
        self.call("set_random_state", state, len(state))

    # -- running --------------------------------------------------------------

    def run(
        self,
        duration: float | None,
        *,
        advance: bool = False,
        maximum_run_time: float | None = None,
        period: float = 0.05,
        progress: Callable[[float, float], bool] | None = None,
        output: Path | None = None,
    ) -> RunInfo:
        """Run the time loop; `progress(completed, elapsed)` returns true to stop it.

        An exception in `progress` stops the run as well, and is raised here.
        """
        info = _RunInfo()
        self.last_run = None
        self._teller.begin(progress)
        status = self.call(
            "run",
            -1.0 if duration is None else duration,
            int(advance),
            -1.0 if maximum_run_time is None or math.isinf(maximum_run_time) else maximum_run_time,
            period,
            self._callback,
            None,
            None if output is None else os.fsencode(output),
            ctypes.byref(info),
        )
        stopped = status == _STOPPED
        device_time = info.device_seconds if info.device_seconds >= 0 else None
        self.last_run = RunInfo(
            info.loop_seconds, info.completed, info.t, info.steps, stopped, device_time
        )
        self._teller.end()
        return self.last_run

    def stop(self, request: bool = True) -> None:
        """Stop the run that is under way, or the next one; forget that if not `request`."""
        self._library.gpurun_stop(int(request))

    def profile(self) -> list[tuple[str, float]]:
        """(code object, seconds spent) of the last run, for profiled code objects."""
        entries: list[tuple[str, float]] = []
        name, seconds = _text(), _double()
        while (
            self._library.gpurun_profile(len(entries), ctypes.byref(name), ctypes.byref(seconds))
            == _OK
        ):
            entries.append(((name.value or b"").decode(), seconds.value))
        return entries

    def write_results(self, directory: str) -> None:
        self.call("write_results", os.fsencode(directory))
