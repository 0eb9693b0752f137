"""Many stimuli on many machines, through Dask.

The cluster is Dask's, whatever started it: a ``LocalCluster``, dask-jobqueue (SLURM, PBS, ...),
dask-cuda, Kubernetes. Nothing but gpurun is needed on its workers, and a compiler where the
model's library is not in their cache.
"""

from __future__ import annotations

import contextlib
import pickle
import secrets
import threading
import time
import weakref
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from typing import Any

from gpurun.calls import label
from gpurun.errors import ConfigError, NotSupportedError, ScheduleError, WorkerError
from gpurun.model import Model, digest_arrays
from gpurun.overrides import resolve
from gpurun.results import RunResult
from gpurun.scheduler.jobs import Failed, Job, Request
from gpurun.scheduler.policy import integer
from gpurun.scheduler.start import start_values
from gpurun.session import choose_device
from gpurun.stimulus.stream import StimulusStream
from gpurun.values import check_seed
from gpurun.worker_values import portable_overrides, unpack_error, unpack_result

__all__ = ["map", "release", "sessions"]

ON_ERROR = ("raise", "skip")
#: How often it is asked whether there are more workers.
_SECONDS = 2.0
#: How often runs are asked to end, and the seconds between.
_STOPS, _PAUSE = 20, 0.05


def map(  # noqa: A001
    client: Any,
    model: Model,
    stimuli: Iterable[Any],
    *,
    target: Any = None,
    record: Iterable[Any] = (),
    duration: Any = None,
    start: Any = None,
    keep: Iterable[Any] | None = None,
    seed: int | None = None,
    device: str | int = "auto",
    ordered: bool = True,
    retries: int = 2,
    on_error: str = "raise",
    window: int | None = None,
) -> Generator[Any]:
    """Present independent stimuli on the workers of a Dask cluster.

    The model is sent once to each worker, and its library comes from the worker's cache or is
    compiled there. Sessions stay open between stimuli and between calls, one for each thread of
    a worker, until `release`. Results are the same as those of `Scheduler.map` with the same
    seed, to the last bit where compilers and machines are the same.

    Parameters
    ----------
    client : distributed.Client
        Not an asynchronous one.
    model : Model
    stimuli : iterable
        Of overrides; or of what `target` takes, such as a `StimulusStream`. It is consumed in
        this thread, `window` stimuli ahead of the results.
    target : key, optional
    record : iterable of keys, optional
    duration : Quantity or float (s), optional
    start : path-like, Session or mapping, optional
        What every run begins with instead of the set-up; see `Scheduler`. A checkpoint is read
        here, not by the workers.
    keep : iterable of keys, optional
    seed : int, optional
        Stimulus k has a seed of its own, made from this one and k. Left out: drawn.
    device : str or int, optional
        On each worker. ``"cuda"`` is the first card that the worker can see.
    ordered : bool, optional
        False: results come as they are ready, as pairs (index, result).
    retries : int, optional
        How often a stimulus that fails is tried again, unless it is wrong in itself (a name, a
        shape, a unit). A worker that is lost does not count: Dask runs its stimuli again, until
        one was on more lost workers than ``distributed.scheduler.allowed-failures``. Because
        that also counts stimuli that only waited on these workers, such a stimulus is then run
        once more with no other under way, and only then given up.
    on_error : {"raise", "skip"}, optional
        ScheduleError, or a `Failed` in the place of the result.
    window : int, optional
        Stimuli under way at most. Left out: two for each thread of the cluster and two more,
        also when workers come and go.

    Yields
    ------
    RunResult or Failed, or (int, RunResult or Failed)

    Raises
    ------
    NotSupportedError
        distributed is not installed, a worker has no gpurun or another version, or the model is
        too large to be sent.
    ConfigError
        An argument is not usable.
    DeviceUnavailableError, CheckpointError, OverrideError
        Likewise.
    ScheduleError
        A stimulus failed, no session can be opened, or the cluster is gone. Results before it
        were given, and what is under way is stopped.
    """
    _require()
    _check_client(client)
    choose_device(model, device)
    if on_error not in ON_ERROR:
        raise ConfigError(
            f"on_error is 'raise' or 'skip', not {on_error!r}.", name="on_error", value=on_error
        )
    found = check_seed(seed)
    request = Request.of(
        model,
        target=target,
        record=record,
        duration=duration,
        seed=secrets.randbits(32) if found is None else found,
    )
    if isinstance(stimuli, StimulusStream) and stimuli.device == "auto":
        # Arrays of a card cannot be sent
        stimuli = replace(stimuli, device="cpu")
    mapping = _Mapping(
        client,
        request,
        device,
        start_values(model, start, keep),
        integer("retries", retries, 0),
        on_error == "skip",
        None if window is None else integer("window", window, 1),
    )
    return mapping.run(stimuli, ordered)


def release(client: Any) -> None:
    """Close the sessions that `map` has left open on the workers, and forget its models there.

    Sessions are also closed when a worker ends. Not to be called while stimuli are under way.

    Parameters
    ----------
    client : distributed.Client
        Only what was sent with it is released.

    Raises
    ------
    NotSupportedError
        distributed is not installed.
    """
    _require()
    _check_client(client)
    with _lock:
        names = list(_placed.pop(client, {}))
    for name in names:
        client.unregister_worker_plugin(name)


def sessions(client: Any) -> dict[str, int]:
    """How many sessions are open on each worker.

    Parameters
    ----------
    client : distributed.Client

    Returns
    -------
    dict of str to int
        By the worker's address.
    """
    _require()
    _check_client(client)
    from gpurun.cluster_worker import counts

    return {address: found["open"] for address, found in client.run(counts).items()}


def _require() -> None:
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise NotSupportedError(
            f"gpurun.cluster needs Dask's distributed, which cannot be imported ({error}): "
            "pip install 'gpurun[cluster]'",
            what="distributed",
        ) from error


def _check_client(client: Any) -> None:
    from distributed import Client

    if not isinstance(client, Client) or client.asynchronous:
        what = "an asynchronous one" if isinstance(client, Client) else type(client).__name__
        raise ConfigError(
            f"client is a distributed.Client that waits for its answers, not {what}.",
            name="client",
            value=type(client).__name__,
        )


# -- what is on the workers ----------------------------------------------------------------

_lock = threading.Lock()
#: For each client, the plugins it has sent, with the number of calls that use them.
_placed: weakref.WeakKeyDictionary[Any, dict[str, int]] = weakref.WeakKeyDictionary()
_MODEL, _START = "gpurun-model-", "gpurun-start-"


def _version() -> str:
    return metadata.version("gpurun")


def _check_workers(client: Any) -> None:
    """All workers there are have this gpurun; those that come later check it for each stimulus."""
    # A function of the standard library, because they may have none
    for worker, found in client.run(metadata.version, "gpurun", on_error="return").items():
        if found != _version():
            has = "no gpurun" if isinstance(found, Exception) else f"gpurun {found}"
            raise NotSupportedError(
                f"The worker {worker} has {has}, this process has gpurun {_version()}. Install "
                "the same version everywhere.",
                what="worker",
            )


@contextlib.contextmanager
def _on_workers(client: Any, prefix: str, digest: str, value: Any) -> Iterator[None]:
    """Have `value` on all workers. It stays there, except starts that others take the place of."""
    from gpurun.cluster_worker import Artefact

    name = f"{prefix}{digest}-{client.id}"
    with _lock:
        placed = _placed.setdefault(client, {})
        if name not in placed:
            pickled = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
            if len(pickled) >= 2**32:
                raise NotSupportedError(
                    f"The model takes {len(pickled) / 2**30:.1f} GiB, and what Dask sends to its "
                    "workers has to be smaller than 4 GiB.",
                    what="size",
                )
            unused = [n for n, users in placed.items() if n.startswith(_START) and not users]
            for old in unused if prefix == _START else ():
                client.unregister_worker_plugin(old)
                del placed[old]
            client.register_plugin(Artefact(digest, client.id, pickled), name=name)
            placed[name] = 0
        placed[name] += 1
    try:
        yield
    finally:
        with _lock:
            if name in placed:
                placed[name] -= 1


# -- one call ------------------------------------------------------------------------------


@dataclass(eq=False)
class _Flight:
    """A stimulus that is under way."""

    job: Job
    work: Any
    future: Any


class _Mapping:
    """One call of `map`."""

    def __init__(
        self,
        client: Any,
        request: Request,
        device: str | int,
        start: dict[str, Any],
        retries: int,
        skip: bool,
        window: int | None,
    ) -> None:
        self._client, self._request, self._device = client, request, device
        self._model = request.model
        self._start, self._retries, self._skip, self._window = start, retries, skip, window
        self._token = secrets.token_hex(8)
        self._digests = (self._model.digest, digest_arrays(start) if start else "")
        self._under_way: list[_Flight] = []
        self._looked, self._threads = -1e9, 0

    def run(self, stimuli: Iterable[Any], ordered: bool) -> Generator[Any]:
        """See `map`."""
        _check_workers(self._client)
        coming = enumerate(stimuli)
        model, start = self._digests
        with contextlib.ExitStack() as stack:
            stack.enter_context(_on_workers(self._client, _MODEL, model, self._model))
            if start:
                stack.enter_context(_on_workers(self._client, _START, start, self._start))
            stack.callback(self._give_up)
            exhausted = False
            while True:
                while not exhausted and len(self._under_way) < self._limit():
                    found = next(coming, None)
                    if found is None:
                        exhausted = True
                    else:
                        self._under_way.append(self._submit(self._request.job(*found)))
                if not self._under_way:
                    return
                flight = self._under_way[0] if ordered else self._first_ready()
                outcome = self._outcome(flight)
                self._under_way.remove(flight)
                # The worker may forget the result now
                flight.future.release()
                index = flight.job.index
                yield outcome if ordered else (index, outcome)

    def _limit(self) -> int:
        if self._window is not None:
            return self._window
        if time.monotonic() - self._looked > _SECONDS:
            self._threads = sum(self._client.nthreads().values())
            self._looked = time.monotonic()
        return 2 * self._threads + 2

    def _submit(self, job: Job, attempt: int = 0) -> _Flight:
        from gpurun.cluster_worker import Work

        key = f"gpurun_map-{self._token}-{job.index}-{attempt}"
        overrides = portable_overrides(self._model, job.overrides)
        model, start = self._digests
        work = Work(key, _version(), model, start, self._device, overrides, job.options)
        return _Flight(job, work, self._send(work))

    def _send(self, work: Any) -> Any:
        import dask.config

        from gpurun.cluster_worker import present

        # Stimuli are as large as they are: Dask's advice would be to scatter them, but then
        # they would be lost with the worker that has them
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            return self._client.submit(
                present, work, key=work.key, pure=False, retries=self._retries
            )

    def _first_ready(self) -> _Flight:
        while True:
            for flight in self._under_way:
                if flight.future.done():
                    return flight
            self._wait(self._under_way, "FIRST_COMPLETED")

    def _wait(self, flights: Iterable[_Flight], until: str = "ALL_COMPLETED") -> None:
        from concurrent.futures import CancelledError

        from distributed import wait

        # One that was cancelled is done
        with contextlib.suppress(CancelledError):
            wait([flight.future for flight in flights], return_when=until)

    def _outcome(self, flight: _Flight, *, alone: bool = False) -> RunResult | Failed:
        from distributed.scheduler import KilledWorker

        job = flight.job
        try:
            facts, refused = flight.future.result()
        except KilledWorker as error:
            job.attempts += error.allowed_failures + 1
            if not alone:
                return self._alone(flight)
            lost = WorkerError(
                f"{job.attempts} workers died while they had it.", exitcode=None, signal=None
            )
            return self._failed(job, lost)
        except Exception as error:
            if flight.future.status != "error":
                raise self._lost(job, error) from error
            job.attempts += self._retries + 1
            if isinstance(error, WorkerError):
                # Not the stimulus: there is no session for any
                raise self._lost(job, error) from error
            return self._failed(job, error)
        job.attempts += 1
        if refused is not None:
            return self._failed(job, unpack_error(refused, self._model))
        return unpack_result(facts, self._model, self._name_of)

    def _alone(self, flight: _Flight) -> RunResult | Failed:
        """Run a stimulus again whose workers died, with nothing else that could be to blame."""
        self._wait([other for other in self._under_way if other is not flight])
        flight.future.release()
        again = self._submit(flight.job, 1)
        flight.work, flight.future = again.work, again.future
        return self._outcome(flight, alone=True)

    def _failed(self, job: Job, error: BaseException) -> Failed:
        if self._skip:
            # A traceback would keep everything that its frames refer to
            error = error.with_traceback(None)
            return Failed(job.index, error, job.attempts)
        raise job.failure(error)

    def _lost(self, job: Job, error: BaseException) -> ScheduleError:
        return ScheduleError(
            f"Stimulus {job.index} cannot be run: {type(error).__name__}: {error}",
            index=job.index,
            attempts=job.attempts,
        )

    def _name_of(self, key: Any) -> str:
        return label(resolve(self._model.manifest, key, self._model.resolver))

    def _give_up(self) -> None:
        """Nobody wants the others any more."""
        from gpurun.cluster_worker import stop

        left, self._under_way = self._under_way, []
        if not left or self._client.status != "running":
            return
        self._client.cancel([flight.future for flight in left])
        keys = [flight.work.key for flight in left]
        for _ in range(_STOPS):
            # One that had only just begun did not notice
            if not any(self._client.run(stop, keys, on_error="ignore").values()):
                return
            time.sleep(_PAUSE)
