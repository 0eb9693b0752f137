"""Sweeps over parameters, into one results file, which an interrupted sweep goes on with."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gpurun.calls import label
from gpurun.errors import ConfigError, NotSupportedError, ResultsError
from gpurun.loop.progress import LoopReporter
from gpurun.model import Model, digest_arrays
from gpurun.overrides import Target, pairs, resolve
from gpurun.results_file import ResultsWriter
from gpurun.results_reader import Results
from gpurun.scheduler.jobs import Failed, Job, Request, seed_of
from gpurun.scheduler.policy import integer

MODES = ("product", "zip")
Deliver = Callable[[Iterable[Job], bool, "LoopReporter | None"], Iterator[Any]]


@dataclass(frozen=True)
class Sweep:
    """A finished sweep.

    Attributes
    ----------
    path : Path
        Of the results file. The facts of each run have ``sweep``, with ``point`` and
        ``repeat``, and ``parameters``, by name.
    parameters : mapping of str to list
        Values of each parameter, in SI units.
    mode : {"product", "zip"}
    repeats : int
    ran : int
        Runs that this call has made; the others were in the file.
    failed : tuple of Failed
        What was skipped.
    """

    path: Path
    parameters: Mapping[str, list[Any]]
    mode: str
    repeats: int
    ran: int
    failed: tuple[Failed, ...] = ()

    @property
    def results(self) -> Results:
        """The results file, opened."""
        return Results(self.path)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each parameter; of points for ``"zip"``."""
        return shape_of(self.parameters, self.mode)

    def to_xarray(self, name: str) -> Any:
        """One recorded variable at all points, with the parameters as coordinates.

        Parameters
        ----------
        name : str
            Such as ``"spikes.count"``.

        Returns
        -------
        xarray.DataArray
            With a dimension for each parameter (``"product"``) or ``point`` (``"zip"``), then
            ``repeat``, then those of the variable. What was not run is nan. A parameter whose
            values are arrays has their numbers as coordinate.

        Raises
        ------
        NotSupportedError
            xarray is not installed.
        ResultsError
            It was not recorded.
        """
        try:
            import xarray
        except ImportError as error:
            raise NotSupportedError(
                f"to_xarray needs xarray, which cannot be imported ({error}): pip install xarray",
                what="xarray",
            ) from error
        whole: np.ndarray | None = None
        for run in self.results:
            place = run.facts.get("sweep")
            if place is None or not run.finished or place["repeat"] >= self.repeats:
                continue
            if name not in run:
                raise ResultsError(
                    f"'{name}' was not recorded in this sweep. Recorded: {', '.join(run)}.",
                    path=str(self.path),
                    reason="missing",
                )
            value = np.asarray(run[name])
            if whole is None:
                points = math.prod(self.shape)
                whole = np.full((points, self.repeats, *value.shape), np.nan)
            if value.shape != whole.shape[2:]:
                raise ResultsError(
                    f"'{name}' has the shape {value.shape} in one run and {whole.shape[2:]} in "
                    "another, such as the spikes of a monitor have: it is no array over all "
                    "points. Read it run by run: sweep.results.",
                    path=str(self.path),
                    reason="shape",
                )
            whole[place["point"], place["repeat"]] = value
        if whole is None:
            raise ResultsError(
                f"'{self.path}' has no finished run of a sweep.", path=str(self.path),
                reason="missing",
            )  # fmt: skip
        own = [f"{name}.{k}" for k in range(whole.ndim - 2)]
        coordinates = {
            key: list(range(len(values)))
            if any(isinstance(v, str) for v in values)
            else list(values)
            for key, values in self.parameters.items()
        }
        if self.mode == "zip":
            coordinates = {key: ("point", values) for key, values in coordinates.items()}
            return xarray.DataArray(whole, coordinates, ["point", "repeat", *own], name=name)
        whole = whole.reshape(*self.shape, *whole.shape[1:])
        return xarray.DataArray(whole, coordinates, [*self.parameters, "repeat", *own], name=name)


def shape_of(parameters: Mapping[str, list[Any]], mode: str) -> tuple[int, ...]:
    """Numbers of values."""
    sizes = tuple(len(values) for values in parameters.values())
    return sizes if mode == "product" else sizes[:1]


def run_sweep(
    model: Model,
    request: Request,
    parameters: Mapping[Any, Any],
    path: Path,
    *,
    mode: str,
    repeats: int,
    overrides: Any,
    report: Any,
    deliver: Deliver,
    start: Mapping[str, np.ndarray],
    seed_given: bool = True,
) -> Sweep:
    """See `Scheduler.sweep`."""
    if mode not in MODES:
        raise ConfigError(f"mode is 'product' or 'zip', not {mode!r}.", name="mode", value=mode)
    repeats = integer("repeats", repeats, 1)
    targets, values = _parameters(model, parameters, mode)
    names = [label(target) for target in targets]
    combine = itertools.product if mode == "product" else zip
    points = list(combine(*values))
    fixed = [
        (resolve(model.manifest, key, model.resolver), value) for key, value in pairs(overrides)
    ]
    digest = _digest(model, names, values, mode, request, fixed, start)
    seed, done = _begun(path, digest, request.seed, seed_given)
    wanted = [
        (point, repeat)
        for repeat in range(repeats)
        for point in range(len(points))
        if (point, repeat) not in done
    ]

    def jobs() -> Iterator[Job]:
        for point, repeat in wanted:
            # The same number when the sweep goes on after an interruption
            job = request.job(repeat * len(points) + point, {})
            job.overrides = [*fixed, *zip(targets, points[point], strict=True)]
            job.options = {**job.options, "seed": seed_of(seed, point, repeat)}
            yield job

    failed = []
    reporter = LoopReporter(report, 10.0, len(points) * repeats, len(done))
    with ResultsWriter(path, manifest=model.manifest, model_digest=model.digest) as writer:
        for index, result in deliver(jobs(), False, reporter):
            if isinstance(result, Failed):
                failed.append(result)
                continue
            repeat, point = divmod(index, len(points))
            shown = {name: _plain(v) for name, v in zip(names, points[point], strict=True)}
            result.save(
                writer,
                sweep={"point": point, "repeat": repeat, "digest": digest, "seed": seed},
                parameters=shown,
            )
    return Sweep(
        path,
        {name: [_plain(v) for v in own] for name, own in zip(names, values, strict=True)},
        mode,
        repeats,
        len(wanted) - len(failed),
        tuple(failed),
    )


def _parameters(
    model: Model, parameters: Mapping[Any, Any], mode: str
) -> tuple[list[Target], list[list[Any]]]:
    found = pairs(parameters)
    if not found:
        raise ConfigError("A sweep needs at least one parameter.", name="parameters", value=None)
    targets, values = [], []
    for key, given in found:
        target = resolve(model.manifest, key, model.resolver)
        try:
            own = list(given)
        except TypeError:
            own = []
        if not own:
            raise ConfigError(
                f"'{target.name}' is given a list with a value for each point, not {given!r}.",
                name=target.name,
                value=None,
            )
        targets.append(target)
        values.append(own)
    sizes = {label(t): len(own) for t, own in zip(targets, values, strict=True)}
    if mode == "zip" and len(set(sizes.values())) != 1:
        raise ConfigError(
            f"With mode='zip' all parameters have as many values; these have {sizes}.",
            name="parameters",
            value=sizes,
        )
    return targets, values


def _plain(value: Any) -> Any:
    """A number in SI units, or what stands for an array."""
    array = np.asarray(value)
    if array.size == 1:
        return array.reshape(-1)[0].item()
    return f"array of shape {array.shape}, {_of_array(array)[:12]}"


def _of_array(array: np.ndarray) -> str:
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=10).hexdigest()


def _digest(
    model: Model,
    names: list[str],
    values: list[list[Any]],
    mode: str,
    request: Request,
    fixed: list[tuple[Target, Any]],
    start: Mapping[str, np.ndarray],
) -> str:
    """What a file has to agree in for a sweep to go on with it."""
    # Not the state of the random stream, which is another one in each process of a script
    # without seed(): every run has a seed of its own
    data = model.data
    parts: list[Any] = [model.key, digest_arrays(data.static), digest_arrays(data.frozen)]
    parts += [data.random_state if model.manifest.tail_draws else b""]
    parts += [mode, str(request.duration)]
    parts += [sorted(label(target) for target in request.record)]
    for name, own in zip(names, values, strict=True):
        parts += [name, [_of_array(np.asarray(value, dtype=float)) for value in own]]
    parts += [(label(target), _of_array(np.asarray(value))) for target, value in fixed]
    parts += [(name, _of_array(value)) for name, value in sorted(start.items())]
    return hashlib.blake2b(repr(parts).encode(), digest_size=10).hexdigest()


def _begun(
    path: Path, digest: str, seed: int, seed_given: bool
) -> tuple[int, set[tuple[int, int]]]:
    """The seed of the sweep, and the points that are in the file."""
    if not (path / "zarr.json").exists() and (path.is_dir() or not path.exists()):
        # Nothing, or what a process has left that was killed while it made the file: the writer
        # goes on with that, and refuses anything else
        return seed, set()
    done, found = set(), None
    for run in Results(path):
        place = run.facts.get("sweep")
        if place is None or place["digest"] != digest:
            raise ConfigError(
                f"'{path}' has results of something else than this sweep (other parameters, "
                "another model, another start, or another list of what is recorded; a network "
                "that is drawn at random is another one each time without seed(n)). Give another "
                "path.",
                name="path",
                value=str(path),
            )
        found = int(place["seed"])
        if run.finished:
            done.add((int(place["point"]), int(place["repeat"])))
    if found is not None and seed_given and found != seed:
        raise ConfigError(
            f"'{path}' was begun with Scheduler(seed={found}), this scheduler has seed={seed}. "
            "Use that seed, none, or another path.",
            name="seed",
            value=seed,
        )
    return seed if found is None else found, done
