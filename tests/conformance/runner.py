"""Runs one configuration unit by unit in fresh processes, and goes on after an interruption.

Layout of a run directory, per configuration: ``units.json`` (what there is to do),
``<unit>.jsonl`` (the journal of each unit), ``<unit>.log`` (its output).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

from gpurun.bench.machine import commit
from tests.emulated.isolated import emulator_cache

from . import toolkit
from .plan import CONFIGURATIONS, Unit, read_units, shard, split, write_units

ROOT = Path(__file__).resolve().parents[2]
GOOD = ("passed", "skipped", "xfailed")


@dataclass
class Result:
    """What is known about one test in one configuration and phase.

    Attributes
    ----------
    outcome : str
        ``passed``, ``failed``, ``error``, ``skipped``, ``xfailed``, ``xpassed`` or
        ``crashed`` (the process died, or ran out of time, during the test).
    detail : str
        The traceback or the reason.
    seconds : float
        Wall time.
    binary_runs : int
        How often brian2's compiled program was started.
    session_runs : int
        How often gpurun ran a model.
    """

    outcome: str
    detail: str = ""
    seconds: float = 0.0
    binary_runs: int = 0
    session_runs: int = 0


@dataclass
class About:
    """What a configuration was run with.

    Attributes
    ----------
    brian2, brian2cuda : str
        Versions; empty where it is not used.
    commits : list of str
        Of this repository.
    toolkits : list of str
        What ran gpurun's CUDA code.
    """

    brian2: str
    commits: list[str] = field(default_factory=list)
    brian2cuda: str = ""
    toolkits: list[str] = field(default_factory=list)


@dataclass
class _Pending:
    binary_runs: int = 0
    session_runs: int = 0


def read_journal(path: Path) -> tuple[dict[str, Result], str]:
    """Results in a journal, and the test that was running when it ends ("" if none)."""
    results: dict[str, Result] = {}
    running = ""
    pending = _Pending()
    if not path.exists():
        return results, running
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue  # the last line of a process that was killed while writing
        event, test = entry["event"], entry["test"]
        if event == "start":
            running, pending = test, _Pending()
        elif event == "binary":
            pending.binary_runs += 1
        elif event == "session_run":
            pending.session_runs += 1
        elif event in ("finish", "crash"):
            outcome = entry.get("outcome", "crashed")
            results[test] = Result(
                outcome,
                entry.get("detail", ""),
                entry.get("seconds", 0.0),
                pending.binary_runs,
                pending.session_runs,
            )
            running = ""
    return results, running


class Runner:
    """Runs the units of one configuration.

    Parameters
    ----------
    configuration : str
        A key of ``CONFIGURATIONS``.
    directory : Path
        The run directory; finished tests found there are not run again.
    timeout : float
        Seconds that one test may take.
    say : callable
        Takes a line of progress.
    """

    def __init__(
        self,
        configuration: str,
        directory: Path,
        *,
        timeout: float = 600.0,
        say: Callable[[str], None] = print,
    ) -> None:
        self.configuration = CONFIGURATIONS[configuration]
        # The worker runs in a scratch directory, so every path has to be absolute.
        self.directory = directory.resolve() / configuration
        self.timeout = timeout
        self.say = say
        self.directory.mkdir(parents=True, exist_ok=True)

    def units(self) -> list[Unit]:
        """All units, collected with pytest the first time.

        Raises
        ------
        RuntimeError
            If the collection of a phase fails or selects no test.
        """
        path = self.directory / "units.json"
        if not path.exists():
            found: list[Unit] = []
            for one in self.configuration.phases:
                found += split(one.name, self._collect(one.name))
            write_units(path, found)
        return read_units(path)

    def about(self) -> About:
        """What was noted when tests were run.

        Raises
        ------
        RuntimeError
            If nothing was run yet.
        """
        path = self.directory / "about.json"
        if not path.exists():
            raise RuntimeError(f"{self.configuration.name}: nothing was run in {self.directory}")
        return About(**json.loads(path.read_text(encoding="utf-8")))

    def forget_failures(self) -> None:
        """Drop the results of tests that did not pass, so that they are run again."""
        for journal in self.directory.glob("*.jsonl"):
            results, _ = read_journal(journal)
            again = {test for test, result in results.items() if result.outcome not in GOOD}
            if again:
                lines = journal.read_text(encoding="utf-8").splitlines()
                kept = [line for line in lines if json.loads(line)["test"] not in again]
                journal.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def run(self, part: str = "1/1", units: list[Unit] | None = None) -> None:
        """Run what is not finished yet of the given shard."""
        self._note_versions()
        todo = shard(self.units() if units is None else units, part)
        for number, unit in enumerate(todo, 1):
            done, _ = self._finish_unit(unit)
            bad = [t for t in unit.tests if done[t].outcome not in GOOD]
            note = f": {', '.join(bad)}" if bad else ""
            self.say(
                f"{self.configuration.name} {number}/{len(todo)} {unit.key}: "
                f"{len(unit.tests) - len(bad)} of {len(unit.tests)} passed{note}"
            )

    def results(self, units: list[Unit] | None = None) -> dict[tuple[str, str], Result]:
        """What is known so far, by phase and test ID."""
        known = {}
        for unit in self.units() if units is None else units:
            found, _ = read_journal(self.directory / f"{unit.key}.jsonl")
            for test in unit.tests:
                if test in found:
                    known[unit.phase, test] = found[test]
        return known

    def _note_versions(self) -> None:
        path = self.directory / "about.json"
        about = self.about() if path.exists() else About(metadata.version("brian2"))
        if self.configuration.cuda:
            about.brian2cuda = metadata.version("brian2cuda")
            if self.configuration.gpurun and (one := toolkit.describe()) not in about.toolkits:
                about.toolkits.append(one)
        if self.configuration.gpurun or self.configuration.cuda:
            state = commit(ROOT)
            name = state.revision[:12] + (" and changes" if state.modified else "")
            if name not in about.commits:
                about.commits.append(name)
        path.write_text(json.dumps(asdict(about)) + "\n", encoding="utf-8")

    def _finish_unit(self, unit: Unit) -> tuple[dict[str, Result], int]:
        journal = self.directory / f"{unit.key}.jsonl"
        processes = 0
        while True:
            done, running = read_journal(journal)
            if running and processes:
                # Ours: the process died in this test. (Without a process of ours it is
                # what an interrupted earlier run left, and the test is run again.)
                with journal.open("a", encoding="utf-8") as file:
                    detail = self._log_tail(unit)
                    line = {"event": "crash", "test": running, "detail": detail}
                    file.write(json.dumps(line) + "\n")
                continue
            left = [test for test in unit.tests if test not in done]
            if not left:
                return done, processes
            before = len(done)
            status = self._start(unit, left, journal)
            processes += 1
            after, running = read_journal(journal)
            if len(after) == before and not running:
                raise RuntimeError(
                    f"{self.configuration.name} {unit.key}: the process ended with status "
                    f"{status} and ran none of its tests; see {self._log(unit)}"
                )

    def _log(self, unit: Unit) -> Path:
        return self.directory / f"{unit.key}.log"

    def _log_tail(self, unit: Unit) -> str:
        return self._log(unit).read_text(encoding="utf-8", errors="replace")[-3000:]

    def _collect(self, phase_name: str) -> list[str]:
        output = self.directory / f"collect-{phase_name}.jsonl"
        output.unlink(missing_ok=True)
        unit = Unit(f"collect-{phase_name}", phase_name, ())
        status = self._start(unit, [], output)
        lines = output.read_text(encoding="utf-8").splitlines() if output.exists() else []
        tests = json.loads(lines[-1])["tests"] if lines else []
        if status != 0 or not tests:
            raise RuntimeError(
                f"{self.configuration.name}: phase {phase_name!r} selected {len(tests)} tests "
                f"(pytest status {status}); see {self._log(unit)}"
            )
        return tests

    def _start(self, unit: Unit, tests: list[str], journal: Path) -> int:
        """Run `tests` in a fresh process and an empty working directory."""
        scratch = self.directory / "scratch" / unit.key
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        job = scratch / "job.json"
        job.write_text(
            json.dumps(
                {
                    "configuration": self.configuration.name,
                    "phase": unit.phase,
                    "tests": tests,
                    "output": str(journal),
                    "timeout": self.timeout,
                }
            ),
            encoding="utf-8",
        )
        environment = dict(os.environ)
        path = [str(ROOT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(p for p in path if p)
        # Every run directory starts with an empty cache: the builds belong to the test.
        environment["GPURUN_CACHE_DIR"] = str(self.directory / "cache")
        environment["TMPDIR"] = str(scratch)
        if self.configuration.cuda:
            environment.setdefault("CUDA_EMULATOR_CACHE", emulator_cache())
        command = [sys.executable, "-m", f"{__package__}.worker", str(job)]
        with self._log(unit).open("a", encoding="utf-8") as log:
            status = subprocess.run(
                command,
                cwd=scratch,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=None,
                check=False,
            ).returncode
        shutil.rmtree(scratch, ignore_errors=True)
        return status
