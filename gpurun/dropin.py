"""The Session behind Brian's own ``device.run``.

It follows Brian's rules where they differ from `Session.run`: every call is what
a new process would be. A seed in the script gives each run the same stream; no
seed gives each a fresh one, and draws connectivity and initial values anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gpurun.config import parse_device, settings
from gpurun.dropin_checkpoint import SavingSession
from gpurun.errors import ShapeMismatchError
from gpurun.model import Model
from gpurun.overrides import Write
from gpurun.reporting import Progress
from gpurun.results import RunResult


def device_for(model: Model) -> str:
    """The device of the command line where it fits the model, which a script may choose itself."""
    spec = parse_device(settings().device)
    return str(spec) if spec.kind == model.manifest.backend else model.manifest.backend


class DropInSession(SavingSession):
    """A Session that repeats the whole script for each run.

    Parameters
    ----------
    model : Model
    device : str
        Such as "cuda:0".
    directory : str
        Project directory handed to generated code.
    first : bool
        Whether nobody has used the network and the random stream that the build has drawn:
        then the first run can. Workers of a pool must not all use it.
    """

    def __init__(
        self, model: Model, device: str, *, directory: str = "", first: bool = True
    ) -> None:
        super().__init__(model, device, directory=directory)
        self._first = first

    def _after_fork(self) -> None:
        super()._after_fork()
        self._first = False

    def run_script(
        self,
        overrides: Iterable[tuple[Any, Any]],
        *,
        output: Path | None = None,
        results_directory: str | None = None,
        maximum_run_time: float | None = None,
        begin_with: str | None = None,
        allow_nonfinite: bool = False,
        progress: Progress | None = None,
    ) -> RunResult:
        """Run the script once, as a new process would.

        Parameters
        ----------
        overrides : pairs of key and value
        output : Path, optional
            File for what C++ code prints to standard output.
        results_directory : str, optional
            Where to write brian2's result files; ends with a path separator.
        maximum_run_time : float, optional
            Wall seconds after which the time loop ends.
        begin_with : str, optional
            A checkpoint file whose state the run starts from; the random stream is the run's.
        allow_nonfinite, progress
            As in `Session.run`.
        """
        with self._exclusive():
            started = time.perf_counter()
            manifest = self.model.manifest
            overrides = list(overrides)
            plan = self._script_checkpoint(overrides, alone=self._first)
            redraw = manifest.setup_random and not self._first
            planner = self._planner(allow_nonfinite)
            writes: list[Write] = []
            try:
                writes = planner.plan(overrides)
            except ShapeMismatchError:
                if not redraw:  # else the number of synapses is not known yet
                    raise
            self._notify_before(planner)
            reset_from = time.perf_counter()
            if redraw:
                self._instance.draw_again()
                writes = self._planner(allow_nonfinite, self._instance.size).plan(overrides)
            else:
                self._instance.begin()
                if manifest.seeded or self._first:
                    self._instance.restart_stream()
                else:
                    self._instance.reseed()
            self._first = False
            if begin_with is not None:
                self._load(begin_with, random=False)
            upload_from = time.perf_counter()
            self._note(writes)
            self._instance.apply(writes)
            self._instance.prepare(own_stream=False)
            loop_from = time.perf_counter()
            wanted = manifest.duration
            options: dict[str, Any] = {
                "progress": progress,
                "output": output,
                "results_directory": results_directory,
                "maximum_run_time": maximum_run_time,
            }
            if plan is None:
                info = self._loop(None, wanted, advance=False, **options)
            else:
                info = self._run_and_save(plan, **options)
            return self._result(
                info, [], self._reader(), None, wanted, started, reset_from, upload_from, loop_from
            )
