"""Runs of hours and days: a part of `Session` that saves itself on the way."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gpurun import events
from gpurun.calls import as_list, check_duration, record_targets
from gpurun.checkpoint import read_header
from gpurun.errors import CheckpointError, ConfigError, DurationError
from gpurun.overrides import resolve
from gpurun.process import Interruptible
from gpurun.reporting import Progress, Reporter, wall_seconds
from gpurun.results import RunResult
from gpurun.session_state import StatefulSession
from gpurun.values import check_seed

#: Where a checkpoint says which run it belongs to.
_KEY = "run_for"


class LongRunningSession(StatefulSession):
    """A session whose runs can be killed and go on; a part of `Session`."""

    def run(self, *args: Any, **options: Any) -> RunResult:
        """See `Session.run`."""
        raise NotImplementedError

    def advance(self, *args: Any, **options: Any) -> RunResult:
        """See `Session.advance`."""
        raise NotImplementedError

    @property
    def t(self) -> float:
        """See `Session.t`."""
        raise NotImplementedError

    def run_for(
        self,
        total: Any,
        *,
        to: str | os.PathLike[str],
        checkpoint_every: Any = 600.0,
        resume: bool = True,
        overrides: Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None = None,
        seed: int | None = None,
        record: Iterable[Any] = (),
        report: Any = None,
        report_period: Any = 10.0,
        progress: Progress | None = None,
    ) -> RunResult:
        """Run for `total`, saving a checkpoint now and then; go on from one that is there.

        After a crash or Ctrl-C the same call goes on from the last checkpoint, and ends in the
        state of a run that was never stopped.

        Parameters
        ----------
        total : Quantity or float (s)
            Model time from the start of the run, what an earlier call has done included.
        to : path-like
            The checkpoint file.
        checkpoint_every : Quantity or float (s), optional
            Wall time between two checkpoints. One more is saved at the end, and on Ctrl-C.
        resume : bool, optional
            False: begin anew, even if there is a checkpoint.
        overrides, seed
            As in `run`; used when the run begins. A checkpoint of a run with others is refused.
        record : iterable of keys, optional
            Variables and monitors to read at the end.
        report : {"text", "stdout", "stderr"} or callable, optional
            As in Brian's ``run``; a function gets (elapsed, completed, start, duration) in
            seconds.
        report_period : Quantity or float (s), optional
            Wall time between two reports.
        progress : callable, optional
            As in `run`. If it stops the run, a checkpoint is saved.

        Returns
        -------
        RunResult
            Times and steps are those of this call.

        Raises
        ------
        CheckpointError
            The file there is damaged, belongs to another model or another run
            (``reason == "other_run"``), or a new one cannot be written.
        DurationError
            `total` is none, or the script has several ``run()`` calls, or code behind it.
        KeyboardInterrupt
            After Ctrl-C, when a checkpoint has been saved.
        """
        manifest = self.model.manifest
        seconds = check_duration(manifest, total, "run_for")
        if seconds is None:
            raise ConfigError("run_for needs the model time to reach.", name="total", value=total)
        if manifest.trailing:
            raise DurationError(
                "The script changes the model behind its run(), which a run in pieces cannot do "
                "at its end. Leave these lines out, or use session.run.",
                duration=seconds,
            )
        every = wall_seconds("checkpoint_every", checkpoint_every)
        seed = check_seed(seed)
        record = list(as_list(record, "record"))
        record_targets(self.model, record)
        reporter = Reporter.of(report, report_period, 0.0, seconds, progress)
        path = Path(to)
        pairs = list(overrides.items() if isinstance(overrides, Mapping) else overrides or ())
        belongs = {"overrides": self._overrides_digest(pairs), "seed": seed}
        with events.joined() as whole:
            if resume and path.exists():
                self._resume(path, belongs)
            else:
                self.run(pairs, duration=0, seed=seed)
            whole.begin(max(seconds - self.t, 0.0))
            return self._run_on(seconds, path, {_KEY: belongs}, every, reporter, record)

    def _overrides_digest(self, pairs: list[tuple[Any, Any]]) -> str:
        state = hashlib.blake2b(digest_size=20)
        for key, value in pairs:
            name = resolve(self.model.manifest, key, self.model.resolver).name
            array = np.asarray(value if not hasattr(value, "get") else value.get())
            state.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
            # An array of objects, such as a ragged list, has no bytes of its own
            state.update(repr(value).encode() if array.dtype.kind == "O" else array.tobytes())
        return state.hexdigest()

    def _resume(self, path: Path, belongs: Mapping[str, Any]) -> None:
        found = read_header(path).extra.get(_KEY)
        if found != belongs:
            what = "was not saved by run_for"
            if found is not None:
                differ = [name for name in belongs if found.get(name) != belongs[name]]
                what = f"belongs to a run with another choice of {' and '.join(differ)}"
            raise CheckpointError(
                f"The checkpoint {path} {what}. Give run_for another file, the same "
                "arguments as then, or resume=False to begin anew and replace it.",
                path=str(path),
                reason="other_run",
            )
        self.load(path)

    def _run_on(
        self,
        total: float,
        path: Path,
        extra: Mapping[str, Any],
        every: float,
        reporter: Reporter,
        record: list[Any],
    ) -> RunResult:
        began, first = time.perf_counter(), self.t
        loop_time, steps, stopped, left = 0.0, 0, False, total - self.t
        device_times: list[float] = []
        reporter.begin()
        while not stopped and self._steps_left(left):
            deadline, start = time.perf_counter() + every, self.t

            def tell(
                completed: float,
                elapsed: float,
                start: float = start,
                left: float = left,
                deadline: float = deadline,
            ) -> bool:
                nonlocal stopped
                now = time.perf_counter()
                if reporter.progress is not None:
                    done = (start + completed * left) / total
                    stopped = bool(reporter.progress(done, now - began))
                return stopped or now >= deadline

            try:
                piece = self.advance(left, progress=tell)
            except KeyboardInterrupt:
                self.save(path, extra=extra)
                raise
            loop_time, steps = loop_time + piece.loop_time, steps + piece.steps
            if piece.device_time is not None:
                device_times.append(piece.device_time)
            left = total - self.t if piece.completed < 1 else 0.0
            # Ctrl-C waits until the file is there
            with Interruptible():
                self.save(path, extra=extra)
        wall = time.perf_counter() - began
        reporter.end(min(self.t / total, 1.0) if total else 1.0, wall)
        result = self.advance(0, record=record)
        reached = 1.0 if left <= 0 else (self.t - first) / (total - first)
        return replace(
            result,
            loop_time=loop_time,
            device_time=sum(device_times) if device_times else None,
            steps=steps,
            wall_time=time.perf_counter() - began,
            duration=total,
            completed=reached,
        )

    def _steps_left(self, seconds: float) -> bool:
        steps = [dt for dt in self.model.manifest.clocks.values() if dt > 0 and math.isfinite(dt)]
        return seconds > 0.5 * min(steps, default=0.0)
