"""A script's run that saves itself, and goes on after a crash (``gpurun --checkpoint FILE``)."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gpurun import events
from gpurun.checkpoint import read_header
from gpurun.checkpoint_differences import differences, other_model
from gpurun.checkpoint_header import CheckpointHeader
from gpurun.config import settings
from gpurun.errors import CheckpointError, NotSupportedError, SessionError
from gpurun.library import RunInfo
from gpurun.process import Interruptible
from gpurun.reporting import Progress
from gpurun.session import Session

#: Where a checkpoint says which run it belongs to.
_KEY = "script"

#: Processes in which the run of the script has begun: this one, or one that it was forked from.
_used_in: list[int] = []


def used() -> bool:
    """Whether a run of this process was saved, or is one that goes on."""
    return os.getpid() in _used_in


def check_file(path: Path, *, resume: bool) -> CheckpointHeader | None:
    """Make sure that a run may be saved to `path`, which the script's run has not begun yet.

    Returns
    -------
    CheckpointHeader or None
        What is there to go on from; None where the run begins.

    Raises
    ------
    CheckpointError
        There is a file, and it is not to be used, or no file can be written there.
    """
    if not os.path.lexists(path):
        folder = Path(os.path.realpath(path)).parent
        if not os.access(folder, os.W_OK | os.X_OK):
            why = "nothing can be written in" if folder.is_dir() else "there is no directory"
            raise CheckpointError(
                f"The checkpoint {path} cannot be written: {why} {folder}.",
                path=str(path),
                reason="not_written",
            )
        return None
    if resume:
        return read_header(path)
    try:
        what = f"a checkpoint {_progress_of(read_header(path))}"
    except CheckpointError:
        what = "a file that is not an intact checkpoint"
    raise CheckpointError(
        f"{path} is there already: {what}. It is not overwritten. Use --resume (GPURUN_RESUME=1) "
        "to go on from a checkpoint, or remove the file, or give another name.",
        path=str(path),
        reason="exists",
    )


def _progress_of(header: CheckpointHeader) -> str:
    facts = header.extra.get(_KEY)
    if not isinstance(facts, Mapping):
        return f"at t = {header.t:.12g} s"
    how = "of a finished run" if facts.get("ended") else "of a run that is not finished"
    return f"{how}, at t = {header.t:.12g} s of {facts.get('end')} s"


def _say(text: str) -> None:
    # stderr, because stdout is the script's; it may have been closed
    if sys.stderr is not None:
        print(f"gpurun: {text}", file=sys.stderr, flush=True)


def _inform(text: str) -> None:
    if not settings().quiet:
        _say(text)


@dataclass(frozen=True)
class ScriptCheckpoint:
    """How the run that is about to begin is saved.

    Attributes
    ----------
    path : Path
    every : float
        Wall seconds between two checkpoints.
    belongs : mapping
        Which run it is.
    found : CheckpointHeader or None
        What to go on from.
    """

    path: Path
    every: float
    belongs: Mapping[str, Any]
    found: CheckpointHeader | None


@dataclass
class _Run:
    """A run that is saved as `plan` says, from `start` to `end` in seconds of model time."""

    plan: ScriptCheckpoint
    start: float
    end: float
    #: Where the last checkpoint is.
    saved: float | None = None

    def where(self, t: float) -> str:
        return f"t = {t:.12g} s of {self.end:.12g} s"


class _Piece:
    """The progress function of a piece, which ends when it is time for a checkpoint."""

    def __init__(self, deadline: float, progress: Progress | None) -> None:
        self._deadline = deadline
        self._progress = progress
        #: Whether that is why it ended.
        self.due = False

    def __call__(self, completed: float, elapsed: float) -> bool:
        if self._progress is not None and self._progress(completed, elapsed):
            return True
        self.due = time.perf_counter() >= self._deadline
        return self.due


class SavingSession(Session):
    """The half of a `DropInSession` that saves the script's run and goes on from the file."""

    def _script_checkpoint(
        self, overrides: list[tuple[Any, Any]], *, alone: bool
    ) -> ScriptCheckpoint | None:
        """Check whether the run that is about to begin can be saved.

        Parameters
        ----------
        overrides : list of pairs of key and value
        alone : bool
            Whether it is the run of the process that has built the model.

        Returns
        -------
        ScriptCheckpoint or None
            None if that is not asked for.

        Raises
        ------
        CheckpointError
            The file there is damaged, or of another run or model, or must not be replaced.
        NotSupportedError
            This kind of script cannot be saved.
        SessionError
            It is not the only run of the script.
        """
        chosen = settings()
        if chosen.checkpoint is None:
            return None
        self._refuse_scripts()
        self._refuse_more_runs(alone)
        path = chosen.checkpoint
        belongs = {
            "run_args": self._overrides_digest(overrides),
            "seed": self._seed_digest(),
        }
        found = check_file(path, resume=chosen.resume)
        if found is not None:
            self._refuse_other_runs(found, belongs)
        return ScriptCheckpoint(path, chosen.checkpoint_every, belongs, found)

    def _refuse_scripts(self) -> None:
        manifest = self.model.manifest
        if len(manifest.durations) != 1:
            raise NotSupportedError(
                f"The script has {len(manifest.durations)} run() calls, and --checkpoint is for "
                "scripts with a single one: a checkpoint does not hold what is between them. Run "
                "it without --checkpoint (GPURUN_CHECKPOINT).",
                what="checkpoints of scripts with several run() calls",
            )
        if self._instance.reload_for_runs:
            names = ", ".join(manifest.static_state)
            raise NotSupportedError(
                f"The C++ code of this model ({names}) may hold static state, which no checkpoint "
                "contains. Run it without --checkpoint (GPURUN_CHECKPOINT).",
                what="checkpoints of static state in C++ code",
            )

    def _refuse_more_runs(self, alone: bool) -> None:
        if used():
            raise SessionError(
                "This is the second device.run of the script, and --checkpoint is for scripts "
                "with a single one: the file holds one run. Run the script without --checkpoint "
                "(GPURUN_CHECKPOINT), or give each process one run and a file of its own."
            )
        if not alone or _used_in or multiprocessing.parent_process() is not None:
            raise SessionError(
                "This process was started by the script's own, and --checkpoint is for scripts "
                "that run in one process: the file holds one run. Run the script without "
                "--checkpoint (GPURUN_CHECKPOINT)."
            )

    def _seed_digest(self) -> str | None:
        """What tells seeds apart; None without a seed."""
        if not self.model.manifest.seeded:
            return None
        # Other generators are there for OpenMP's threads, and on other backends
        first = self.model.data.random_state.partition(b"\n")[0]
        return hashlib.blake2b(first, digest_size=20).hexdigest()

    def _refuse_other_runs(self, found: CheckpointHeader, belongs: Mapping[str, Any]) -> None:
        if differ := differences(found, self.model.manifest):
            raise other_model(found, differ)
        facts = found.extra.get(_KEY)
        if not isinstance(facts, Mapping):
            why = "was not saved by 'gpurun SCRIPT --checkpoint'"
        elif others := [name for name in belongs if facts.get(name) != belongs[name]]:
            why = f"belongs to a run with another choice of {' and '.join(others)}"
        elif self._steps_left(found.t - (end := facts["start"] + self.model.manifest.duration)):
            why = f"is at t = {found.t:.12g} s, behind the script's end at {end:.12g} s"
        else:
            return
        raise CheckpointError(
            f"The checkpoint {found.path} {why}. Give another file, or the script and the options "
            "that it was saved with.",
            path=found.path,
            reason="other_run",
        )

    def _run_and_save(
        self,
        plan: ScriptCheckpoint,
        *,
        progress: Progress | None,
        output: Path | None,
        results_directory: str | None,
        maximum_run_time: float | None,
    ) -> RunInfo:
        """Run what is left of the script, saving it now and then and at the end.

        The model is where the script's run begins. Arguments are those of `run_script`.
        """
        _used_in.append(os.getpid())
        # Not 0 after Brian's restore() of a file
        start = self._instance.t if plan.found is None else plan.found.extra[_KEY]["start"]
        run = _Run(plan, start, start + self.model.manifest.duration)
        with events.joined() as whole:
            if plan.found is not None:
                self._load(plan.path)
                _inform(f"going on from {plan.path}, at {run.where(self._instance.t)}")
            whole.begin(run.end - self._instance.t)
            total = self._pieces(run, progress, output, maximum_run_time)
            # What the script does after its run; it is in no checkpoint, so that all can go on
            last = self._loop(
                0.0,
                0.0,
                advance=False,
                progress=None,
                output=output,
                results_directory=results_directory,
            )
        return replace(
            last,
            loop_time=total.loop_time,
            device_time=total.device_time,
            completed=total.completed,
            steps=total.steps,
        )

    def _pieces(
        self,
        run: _Run,
        progress: Progress | None,
        output: Path | None,
        maximum_run_time: float | None,
    ) -> RunInfo:
        spent, steps, completed = 0.0, 0, 1.0
        device_times: list[float] = []
        left = run.end - self._instance.t
        going_on = self._steps_left(left)
        if not going_on and run.plan.found is None:
            self._save_script(run)
        while going_on:
            piece = _Piece(time.perf_counter() + run.plan.every, progress)
            limit = None if maximum_run_time is None else max(maximum_run_time - spent, 0.0)
            try:
                info = self._loop(
                    left,
                    left,
                    advance=True,
                    progress=piece,
                    output=output,
                    maximum_run_time=limit,
                )
                self._save_script(run)
            except KeyboardInterrupt:
                # It may have come right after a checkpoint
                if run.saved == self._instance.t or self._save_script(run):
                    where = run.where(self._instance.t)
                    _inform(f"saved {run.plan.path}, at {where}; --resume goes on from there")
                raise
            spent, steps, ended = spent + info.loop_time, steps + info.steps, info.completed == 1
            if info.device_time is not None:
                device_times.append(info.device_time)
            left = run.end - self._instance.t
            completed = 1.0 if ended else 1 - left / (run.end - run.start)
            going_on = piece.due and not ended
        device_time = sum(device_times) if device_times else None
        return RunInfo(spent, completed, self._instance.t, steps, completed < 1, device_time)

    def _save_script(self, run: _Run) -> bool:
        """Save the run; a full disk is no reason to lose it, and is only warned of."""
        t = self._instance.t
        ended = not self._steps_left(run.end - t)
        facts = {**run.plan.belongs, "start": run.start, "end": run.end, "ended": ended}
        try:
            # Ctrl-C waits until the file is there
            with Interruptible():
                self._save(run.plan.path, {_KEY: facts})
                run.saved = t
        except (CheckpointError, MemoryError) as error:
            what = str(error) or "there is not enough memory for a checkpoint."
            _say(f"warning: {what} The run is not saved at {run.where(t)}.")
            return False
        return True
