"""A session whose state is that of the runtime device between two runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gpurun.brian.plain.recorder import Recording
from gpurun.brian.plain.sync import Sync
from gpurun.library import RunInfo
from gpurun.session import Session


class PlainSession(Session):
    """Computes single runs; every one begins with the values that Brian's arrays hold."""

    def compute(
        self,
        recording: Recording,
        recorded: set[Any],
        *,
        start: float,
        duration: float,
        seed: Callable[[], int],
        progress: Callable[[float, float], bool],
        maximum_run_time: float | None,
    ) -> tuple[RunInfo, list[tuple[str, float]]]:
        """Take over the state, run, and give the state back.

        Parameters
        ----------
        recording : Recording
            Of the code that this session runs.
        recorded : set of Variable
            See `gpurun.brian.plain.sync.recorded_variables`.
        start, duration : float
            Model time in seconds.
        seed : callable
            Gives the start of the random stream; called only if the run draws from it.
        progress : callable
            See `Session.run`.
        maximum_run_time : float or None
            Wall time in seconds after which the run ends early.

        Returns
        -------
        RunInfo
        list of (str, float)
            Seconds spent in code objects, where they measure themselves.
        """
        with self._exclusive():
            # What is compiled is the same; sizes and time steps may be others
            self.model = replace(self.model, manifest=recording.manifest)
            sync = Sync(recording, recorded, self._instance)
            self._check_monitors([], duration, goes_on=True)
            sync.upload(start)
            if recording.manifest.run_random:
                self._instance.library.seed(seed())
            before = dict(self._instance.profile)
            try:
                info = self._loop(
                    duration,
                    duration,
                    advance=True,
                    progress=progress,
                    maximum_run_time=maximum_run_time,
                )
            finally:
                sync.download()
            spent = [(name, t - before.get(name, 0.0)) for name, t in self._instance.profile]
            return info, spent
