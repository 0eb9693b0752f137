"""A Session: one resident instance of a Model on one device."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from gpurun import events
from gpurun.arrays import DeviceArray, require_cupy
from gpurun.calls import (
    carried_numbers,
    check_duration,
    label,
    record_targets,
    select,
    variable_name,
)
from gpurun.config import parse_device, settings
from gpurun.errors import (
    DeviceError,
    DeviceUnavailableError,
    OverrideError,
    SessionBusyError,
    SessionClosedError,
    SessionError,
)
from gpurun.instance import Instance
from gpurun.library import RunInfo, check_threads
from gpurun.model import Model, register
from gpurun.monitor_memory import bytes_per_second
from gpurun.overrides import Planner, Target, Write, resolve
from gpurun.process import Interruptible, peak_memory
from gpurun.reporting import Progress, Reporter
from gpurun.results import MonitorRecord, RunResult
from gpurun.results_schema import origin_of
from gpurun.session_write import WritableSession
from gpurun.streams import Streams
from gpurun.values import check_seed

# What CUDA answers when a card cannot be opened at all.
_UNAVAILABLE = frozenset(
    "cudaError" + name
    for name in (
        "CallRequiresNewerDriver",
        "CompatNotSupportedOnDevice",
        "DeviceUnavailable",
        "DevicesUnavailable",
        "InitializationError",
        "InsufficientDriver",
        "InvalidDevice",
        "InvalidKernelImage",
        "NoDevice",
        "NoKernelImageForDevice",
        "StartupFailure",
        "StubLibrary",
        "SystemDriverMismatch",
        "SystemNotReady",
        "UnsupportedPtxVersion",
    )
)


def choose_device(model: Model, device: str | int) -> tuple[str, int]:
    """Return the name of the device on which `model` opens, and the number of the card.

    Parameters
    ----------
    model : Model
    device : str or int
        ``"auto"`` is what the command line or ``GPURUN_DEVICE`` says, else what the model was
        built for.

    Raises
    ------
    ConfigError
        `device` is not understood.
    DeviceUnavailableError
        The model was built for something else.
    """
    spec = parse_device(device)
    if spec.kind == "auto":
        spec = parse_device(settings().device)
    backend = model.manifest.backend
    if spec.kind not in ("auto", backend):
        there, here = ("the CPU", "cuda") if backend == "cpu" else ("CUDA", "cpu")
        raise DeviceUnavailableError(
            f"The device '{spec}' was asked for, but this model was built for {there}. Build it "
            f"with set_device('gpurun', backend='{here}'), or run the script with "
            f"'gpurun SCRIPT --device {spec}'. This one runs with device='{backend}'.",
            device=str(spec),
        )
    if backend == "cpu":
        return "cpu", 0
    number = spec.index or 0
    return f"cuda:{number}", number


class _Reader(NamedTuple):
    """How results are read: the function, and whether it may lend the session's memory."""

    read: Callable[..., Any]
    view: bool


class Session(WritableSession):
    """One resident instance of a `Model`, opened from the frozen set-up.

    Sessions of one model share nothing and run side by side in threads. A session itself
    serves one thread at a time. Use it as a context manager, or call `close`.

    Parameters
    ----------
    model : Model
    device : str or int, optional
        ``"auto"`` (what ``gpurun --device`` or ``GPURUN_DEVICE`` says), ``"cpu"``,
        ``"cuda"`` (the first card), ``"cuda:1"`` or the number of a card.
    directory : str, optional
        Project directory handed to generated code that asks for one.
    keep_static_state : bool, optional
        C++ functions of the script may hold ``static`` state (an open file, a counter). Such
        a model is reloaded for every run, as if each run were a process of its own, unless
        this is true.

    Raises
    ------
    ConfigError
        `device` is not understood.
    DeviceUnavailableError
        The device cannot be used, or the model was built for another kind.
    DeviceMemoryError
        The model does not fit into the memory that is free on the card.
    """

    def __init__(
        self,
        model: Model,
        device: str | int = "auto",
        *,
        directory: str = "",
        keep_static_state: bool = False,
    ) -> None:
        self.model = model
        self.device, number = choose_device(model, device)
        try:
            self._instance = Instance(
                model,
                directory,
                reload_for_runs=bool(model.manifest.static_state) and not keep_static_state,
                device=number,
            )
        except DeviceError as error:
            if error.fields["error"] not in _UNAVAILABLE:
                raise
            raise DeviceUnavailableError(
                f"The device '{self.device}' cannot be used: {error.message}. 'gpurun devices' "
                "lists the cards; 'gpurun doctor' says what is missing.",
                device=self.device,
            ) from error
        #: Why the card is lost for this session, if it is.
        self._lost: str | None = None
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._closed = False
        self._overridden: set[str] = set()
        #: Values of overridden TimedArrays that are in force, by name.
        self._timed_arrays: dict[str, np.ndarray] = {}
        self._timed_baseline = {}
        self._carried: tuple[str, ...] = ()
        self._stop_requested = False
        self._snapshots = {}
        self._streams = Streams(self._instance)
        self._recorded_per_second = bytes_per_second(model.manifest)

    # -- life -----------------------------------------------------------------

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the memory back. Borrowed views stay readable; closing twice is allowed."""
        if not self._closed:
            with self._exclusive(allow_closed=True):
                self._closed = True
                try:
                    self._close_streams()
                finally:
                    self._instance.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @contextmanager
    def _exclusive(self, *, allow_closed: bool = False) -> Iterator[None]:
        if self._pid != os.getpid():
            self._after_fork()
        if not self._lock.acquire(blocking=False):
            raise SessionBusyError(
                "Another thread is using this session. Open one session per thread."
            )
        try:
            if self._closed and not allow_closed:
                raise SessionClosedError("This session has been closed; open a new one.")
            if self._lost and not allow_closed:
                raise SessionError(self._lost)
            self._stop_requested = False
            yield
        except DeviceError as error:
            if error.fields["sticky"]:
                self._lost = (
                    f"This session has lost its device '{self.device}' to an earlier error: "
                    f"{error.message}. Close it, and go on in a new process."
                )
            raise
        finally:
            self._lock.release()

    def _after_fork(self) -> None:
        """Make this copy of the parent's session one of its own.

        Its memory is already private. Only a run that another thread of the parent had under
        way is lost, and OpenMP's threads do not exist in the child. A card's memory is not
        there at all.
        """
        interrupted = self._lock.locked()
        self._lock = threading.Lock()
        self._pid = os.getpid()
        if self._closed:
            return
        self._streams.abandon()
        if self.model.manifest.backend == "cuda":
            self._lost = (
                f"This session was opened on '{self.device}' by the process from which this one "
                "was forked. CUDA does not survive a fork: start workers with multiprocessing's "
                "'spawn' method, or open sessions in the workers only."
            )
            return
        check_threads(self.model.manifest.threads)
        if interrupted:
            self._instance.reopen()
            self._snapshots.clear()

    # -- running --------------------------------------------------------------

    def run(
        self,
        overrides: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None = None,
        *,
        carry: Iterable[Any] = (),
        record: Iterable[Any] = (),
        duration: Any = None,
        seed: int | None = None,
        view: bool = False,
        on_device: bool = False,
        allow_nonfinite: bool | Iterable[Any] = False,
        report: Any = None,
        report_period: Any = 10.0,
        progress: Progress | None = None,
    ) -> RunResult:
        """Present one stimulus: baseline, overrides, time loop, results.

        Parameters
        ----------
        overrides : mapping or list of pairs, optional
            Values by key. Keys are Brian variables (``group.v``, also of subgroups),
            TimedArrays, SpikeGeneratorGroups (with a pair ``(indices, times)``) or names
            such as ``"group.v"``. A value has the shape of the variable, or fills it.
        carry : iterable of keys, optional
            Variables that keep their present values instead of being put back.
        record : iterable of keys, optional
            Variables and monitors to read at the end.
        duration : Quantity or float (s), optional
            Model time, instead of the script's. Only for scripts with a single ``run()``.
        seed : int, optional
            Restart the random stream, as Brian's ``seed(n)``. Otherwise it goes on.
        view : bool, optional
            Give borrowed views of the session's memory where its place is fixed. They show
            the values of later runs too. What can move in memory (monitors) is copied.
        on_device : bool, optional
            Give what is recorded as CuPy arrays in the card's memory; nothing goes through
            the host. Needs a session on a card, and CuPy.
        allow_nonfinite : bool or iterable of keys, optional
            Whether overrides may hold nan and inf.
        report : {"text", "stdout", "stderr"} or callable, optional
            As in Brian's ``run``: at the start, now and then, and at the end. A function gets
            (elapsed, completed, start, duration): wall seconds, a fraction, and seconds of
            model time.
        report_period : Quantity or float (s), optional
            Wall time between two reports.
        progress : callable, optional
            Called about 20 times a second with the completed fraction and the wall seconds;
            a true result stops the run after the present step.

        Returns
        -------
        RunResult

        Raises
        ------
        OverrideError
            And its subclasses: an override, `carry` or `record` entry is not usable.
            Nothing was changed.
        DurationError, SeedError
            Likewise.
        DeviceUnavailableError, NotSupportedError
            Likewise: `on_device` without a card, or without CuPy.
        SimulationError
            The generated code raised an error.
        KeyboardInterrupt
            After Ctrl-C; the session stays usable.
        SessionClosedError, SessionBusyError
        """
        with self._exclusive():
            started = time.perf_counter()
            seconds = check_duration(self.model.manifest, duration, "run")
            seed = check_seed(seed)
            planner = self._planner(allow_nonfinite)
            writes = planner.plan(overrides)
            keep = carried_numbers(self.model, carry)
            targets = record_targets(self.model, record)
            reader = self._reader(view, on_device)
            wanted = self.model.manifest.duration if seconds is None else seconds
            reporter = Reporter.of(report, report_period, 0.0, wanted, progress)
            self._check_monitors(targets, wanted, goes_on=False)
            self._notify_before(planner, keep)
            self._carried = tuple(self.model.manifest.variables[number].name for number in keep)
            reset_from = time.perf_counter()
            self._instance.begin(keep=keep)
            upload_from = time.perf_counter()
            self._note(writes)
            self._instance.apply(writes)
            self._instance.prepare()
            if seed is not None:
                self._instance.library.seed(seed)
            if self._streams.entries:
                self._begin_streams(seed, writes, wanted)
            loop_from = time.perf_counter()
            reporter.begin()
            info = self._loop(seconds, wanted, advance=False, progress=reporter.progress)
            reporter.end(info.completed, info.loop_time)
            return self._result(
                info, targets, reader, seed, wanted, started, reset_from, upload_from, loop_from
            )

    def advance(
        self,
        duration: Any = None,
        *,
        record: Iterable[Any] = (),
        view: bool = False,
        on_device: bool = False,
        report: Any = None,
        report_period: Any = 10.0,
        progress: Progress | None = None,
    ) -> RunResult:
        """Go on from where the last run stopped, spikes in flight included.

        Nothing is reset: several advances equal one run of their total duration.

        Parameters
        ----------
        duration : Quantity or float (s), optional
            Model time; the script's if left out.
        record, view, on_device, report, report_period, progress
            As in `run`.

        Raises
        ------
        DurationError
            Also for a script with several ``run()`` calls, which cannot be continued.
        SessionError
            The model is reloaded for every run because of static state in C++ code.
        """
        with self._exclusive():
            started = time.perf_counter()
            seconds = check_duration(self.model.manifest, duration, "advance")
            if self._instance.reload_for_runs:
                names = ", ".join(self.model.manifest.static_state)
                raise SessionError(
                    f"This model cannot advance: its C++ code ({names}) may hold static state, so "
                    "it is reloaded for every run. Open the session with keep_static_state=True "
                    "if that state may stay."
                )
            targets = record_targets(self.model, record)
            reader = self._reader(view, on_device)
            wanted = self.model.manifest.duration if seconds is None else seconds
            reporter = Reporter.of(report, report_period, self._instance.t, wanted, progress)
            self._check_monitors(targets, wanted, goes_on=True)
            self._instance.ensure_started()
            self._tell_timed_arrays()
            now = time.perf_counter()
            reporter.begin()
            info = self._loop(seconds, wanted, advance=True, progress=reporter.progress)
            reporter.end(info.completed, info.loop_time)
            return self._result(info, targets, reader, None, wanted, started, now, now, now)

    def stop(self) -> None:
        """Stop the run that is under way in another thread after its present step."""
        if self._lock.locked():
            self._stop_requested = True
            self._instance.stop()

    def read(self, key: Any, *, view: bool = False) -> np.ndarray:
        """Present value of one variable, as a copy (or a borrowed view, see `run`).

        Raises
        ------
        UnknownVariableError, AmbiguousVariableError, OverrideError
        """
        with self._exclusive():
            target = resolve(self.model.manifest, key, self.model.resolver)
            name = variable_name(self.model, target)
            return select(target, self._instance.read(self._number(name), view=view))

    def device_view(self, key: Any) -> DeviceArray:
        """One variable where it is, in the card's memory, without a copy.

        Returns
        -------
        DeviceArray
            Of shape (elements,), or (time steps, elements) for what a StateMonitor records.
            Valid until the session runs, writes or closes.

        Raises
        ------
        UnknownVariableError, AmbiguousVariableError, OverrideError
        DeviceUnavailableError
            The model runs on the CPU; use `read`.
        """
        with self._exclusive():
            self._require_card("session.read(key, view=True)")
            target = resolve(self.model.manifest, key, self.model.resolver)
            name = variable_name(self.model, target)
            found = self._instance.device_view(self._number(name))
            if found is None:
                raise OverrideError(
                    f"No kernel uses '{name}', so that it is in host memory only. Use "
                    "session.read(key, view=True).",
                    name=name,
                )
            return found

    @property
    def t(self) -> float:
        """Model time in seconds."""
        with self._exclusive():
            return self._instance.t

    # -- parts of a run -------------------------------------------------------

    def _planner(
        self,
        allow_nonfinite: bool | Iterable[Any],
        size: Callable[[int], int] | None = None,
    ) -> Planner:
        return Planner(
            self.model.manifest,
            self.model.index,
            size or self._instance.baseline_size,
            self.model.resolver,
            allow_nonfinite,
            # Not before it is needed: a model with static state would be loaded for it
            lambda source: self._instance.library.count_nonfinite(source),
        )

    def _note(self, writes: list[Write]) -> None:
        self._overridden |= {self.model.manifest.variables[w.number].name for w in writes}

    def overridden_names(self) -> set[str]:
        """Names of the variables that were overridden in this session so far."""
        return self._overridden

    def read_raw(self, name: str) -> np.ndarray:
        """Value of a variable as it is stored: matrices with one row per time step."""
        with self._exclusive():
            return self._instance.read_stored(self._number(name))

    def profile(self) -> list[tuple[str, float]]:
        """(code object, seconds) of the last run, where the script asked for profiling."""
        return self._instance.profile

    def _notify_before(self, planner: Planner, keep: Iterable[int] = ()) -> None:
        names = {self.model.manifest.variables[number].name for number in keep}
        carried = {
            name: values
            for name, values in self._timed_arrays.items()
            if self.model.manifest.timed_arrays[name] in names
        }
        self._timed_arrays = {**self._timed_baseline, **carried, **planner.timed_arrays}
        self._tell_timed_arrays()

    def _tell_timed_arrays(self) -> None:
        if self.model.resolver is not None:
            self.model.resolver.before_run(self, self._timed_arrays)

    def _loop(
        self,
        seconds: float | None,
        wanted: float,
        *,
        advance: bool,
        progress: Progress | None,
        **options: Any,
    ) -> RunInfo:
        if events.observed():
            events.emit(events.RunStarted(wanted))
        began = time.perf_counter()
        info: RunInfo | None = None
        try:
            with Interruptible() as interruption:

                def tell(completed: float, elapsed: float) -> bool:
                    if interruption.requested:
                        return True
                    events.emit(events.RunProgress(completed, elapsed))
                    return bool(progress is not None and progress(completed, elapsed))

                # Forget a request that came after the end of an earlier loop, and keep one
                # that came since this call began, perhaps to a copy that was reloaded since
                self._instance.stop(False)
                if self._stop_requested:
                    self._instance.stop()
                self._streams.attach()
                try:
                    info = self._instance.run(seconds, advance=advance, progress=tell, **options)
                except BaseException:
                    # The error that is on its way says more than one of the files
                    with suppress(Exception):
                        self._streams.collect(0.0)
                    raise
                self._streams.collect(info.completed)
        finally:
            if self.model.resolver is not None:
                self.model.resolver.after_run(self)
            if info is not None and events.observed():
                events.emit(
                    events.RunFinished(
                        wanted * info.completed, time.perf_counter() - began, info.completed
                    )
                )
        assert info is not None
        return info

    def _result(
        self,
        info: RunInfo,
        targets: list[Target],
        reader: _Reader,
        seed: int | None,
        wanted: float,
        started: float,
        reset_from: float,
        upload_from: float,
        loop_from: float,
    ) -> RunResult:
        read_from = time.perf_counter()
        values: dict[str, np.ndarray] = {}
        monitors: dict[str, MonitorRecord] = {}
        for target in targets:
            if target.kind == "monitor":
                monitors[target.name] = self._monitor(target.name, reader)
            else:
                name = variable_name(self.model, target)
                array = reader.read(self._number(name), view=reader.view)
                values[label(target)] = select(target, array)
        ended = time.perf_counter()
        return RunResult(
            values=values,
            monitors=monitors,
            upload_time=max(loop_from - upload_from, 0.0),
            reset_time=max(upload_from - reset_from, 0.0),
            loop_time=info.loop_time,
            read_time=ended - read_from,
            wall_time=ended - started,
            duration=wanted,
            completed=info.completed,
            t=info.t,
            steps=info.steps,
            seed=seed,
            device=self.device,
            peak_memory=peak_memory(),
            device_time=info.device_time,
            _name_of=self._name_of,
            _origin=origin_of(self.model),
        )

    def _name_of(self, key: Any) -> str:
        return label(resolve(self.model.manifest, key, self.model.resolver))

    def _require_card(self, instead: str) -> None:
        if self.model.manifest.backend != "cuda":
            raise DeviceUnavailableError(
                "This model runs on the CPU, so that nothing lies in a card's memory. Use "
                f"{instead}.",
                device=self.device,
            )

    def _reader(self, view: bool = False, on_device: bool = False) -> _Reader:
        """What reads variables at the end of a run; checked before it."""
        if not on_device:
            return _Reader(self._instance.read, view)
        self._require_card("record without on_device")
        require_cupy("on_device=True")
        return _Reader(self._instance.read_on_device, view)

    def _monitor(self, name: str, reader: _Reader) -> MonitorRecord:
        values = {
            variable.removeprefix(name + "."): reader.read(self._number(variable))
            for variable in self.model.manifest.monitors[name]
        }
        return MonitorRecord(name, values)

    # -- checks ---------------------------------------------------------------

    def _number(self, name: str) -> int:
        return self.model.index[name]


register(session=Session)
