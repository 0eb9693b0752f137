"""Runs the cases of a plan: correctness first, then everything else, contenders in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from gpurun.bench import stats
from gpurun.bench.suite import contender as names
from gpurun.bench.suite import floors
from gpurun.bench.suite.agreement import Result, Rules, judge
from gpurun.bench.suite.plan import REFERENCE, Deadline, Plan
from gpurun.bench.suite.rounds import Racer, race
from gpurun.bench.suite.schema import (
    ABSENT,
    FAILED,
    MEASURED,
    REFUSED,
    Case,
    Contender,
    Curve,
    Floor,
    Measure,
)

#: What a measure is held against.
FLOOR_OF = {
    names.LOAD: floors.LOADING,
    names.COMPILE: floors.COMPILING,
    names.OUTSIDE: floors.MOVED,
}
_BYTES = (names.HOST_PEAK, names.DEVICE_PEAK)
#: Fractions of a presentation's steps that the time loop is measured with.
_STEPS = (0.125, 0.25, 0.5, 1.0)
#: Seconds of work that a measurement of throughput should hold.
_WORK = 1.5
#: And one of energy, which cards count in steps of a tenth of a second or so; stimuli at most.
_COUNTED, _MOST = 2.0, 5000
#: Share of the time in which contenders have to be ready: the rest is for what is compared.
_READY = 0.7


class Worker(Protocol):
    """A contender in its process; see `gpurun.bench_contenders.client.Worker`."""

    def ask(self, request: Mapping[str, Any], timeout: float) -> Any:
        """Let the contender do something and return its answer."""
        ...

    def close(self) -> None:
        """End the process."""
        ...


#: Starts a worker: case, size, contender, and a folder for it alone.
Open = Callable[[str, str, str, Path], Worker]


@dataclass(frozen=True)
class Subject:
    """What the engine has to know of a case.

    Attributes
    ----------
    name, title, source, size : str
    rules : Rules
        How results are compared.
    parameters : dict
        For the report.
    steps : int
        Of a presentation.
    path : str
        What its workers are started with: its name, or a file.
    """

    name: str
    title: str
    source: str
    size: str
    rules: Rules
    parameters: dict[str, int | float | str | bool]
    steps: int
    path: str


@dataclass
class _Entry:
    """One contender while its case runs."""

    name: str
    title: str
    worker: Worker | None = None
    status: str = MEASURED
    detail: str = ""
    agreement: str = ""
    results: list[Result] = field(default_factory=list)
    facts: dict[str, int | float | str | bool] = field(default_factory=dict)
    measures: list[Measure] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)

    @property
    def going(self) -> bool:
        return self.worker is not None and self.status == MEASURED

    def end(self, status: str, detail: str) -> None:
        """Take it out of the case; what it measured does not count any more."""
        self.status, self.detail = status, detail
        self.close()

    def close(self) -> None:
        if self.worker is not None:
            self.worker.close()
        self.worker = None

    def fail(self, error: Exception) -> None:
        if isinstance(error, names.Absent):
            self.end(ABSENT, str(error))
        else:
            self.end(FAILED, f"{error}" or type(error).__name__)

    def keep(self, phase: str, measured: Mapping[str, list[float]]) -> None:
        for name, values in measured.items():
            unit = "B" if name in _BYTES else "J" if name == names.ENERGY else "s"
            self.measures.append(Measure(phase, name, unit, values, FLOOR_OF.get(name, "")))

    def values(self, phase: str, name: str) -> list[float]:
        return self.report().values(phase, name)

    def report(self) -> Contender:
        counted = self.status == MEASURED
        return Contender(
            self.name,
            self.title,
            self.status,
            self.detail,
            self.agreement,
            self.facts,
            self.measures if counted else [],
            self.curves if counted else [],
        )


def run_case(
    subject: Subject,
    plan: Plan,
    titles: Mapping[str, str],
    open_worker: Open,
    deadline: Deadline,
    say: Callable[[str], None],
) -> Case:
    """Measure one case at one size.

    Parameters
    ----------
    subject : Subject
    plan : Plan
    titles : dict of str to str
        Of all contenders, by name, in the order of the report.
    open_worker : callable
        Starts the process of a contender.
    deadline : Deadline
        When it has to be over.
    say : callable
        Takes lines of progress.

    Returns
    -------
    Case
    """
    return _CaseRun(subject, plan, titles, open_worker, deadline, say).run()


class _CaseRun:
    def __init__(
        self,
        subject: Subject,
        plan: Plan,
        titles: Mapping[str, str],
        open_worker: Open,
        deadline: Deadline,
        say: Callable[[str], None],
    ) -> None:
        self._subject, self._plan, self._deadline, self._say = subject, plan, deadline, say
        self._open = open_worker
        # The reference also where it is not asked for: nothing is timed that was not compared
        wanted = dict.fromkeys((*plan.contenders, REFERENCE))
        self._entries = [_Entry(name, titles[name]) for name in titles if name in wanted]
        self._floors: list[Floor] = []

    def run(self) -> Case:
        subject = self._subject
        with tempfile.TemporaryDirectory(prefix="gpurun-bench-") as folder:
            try:
                self._start(Path(folder))
                self._agree(Path(folder))
                self._present()
                self._over_steps()
                self._side_by_side()
                self._memory()
                self._energy()
            finally:
                for entry in self._entries:
                    entry.close()
        shown = [
            entry
            for entry in self._entries
            if entry.name in self._plan.contenders or entry.status != MEASURED
        ]
        return Case(
            subject.name,
            subject.title,
            subject.source,
            subject.size,
            subject.rules.deterministic,
            subject.parameters,
            REFERENCE,
            self._floors,
            [entry.report() for entry in shown],
        )

    def _going(self) -> list[_Entry]:
        return [entry for entry in self._entries if entry.going]

    def _ask(self, entry: _Entry, timeout: float | None = None, **request: Any) -> Any:
        assert entry.worker is not None
        left = self._deadline.left
        # A word with a worker takes a moment; it is told apart from being too late
        return entry.worker.ask(request, max(1.0, left if timeout is None else min(left, timeout)))

    def _try(self, entry: _Entry, **request: Any) -> Any:
        """The answer, or None after the contender was taken out."""
        try:
            return self._ask(entry, **request)
        except Exception as error:
            entry.fail(error)
            return None

    def _start(self, folder: Path) -> None:
        """One after the other, so that each compiles alone; the reference first."""
        limit = _READY * self._deadline.left
        ready = Deadline(limit)
        for entry in sorted(self._entries, key=lambda entry: entry.name != REFERENCE):
            if ready.left <= 0:
                entry.end(FAILED, "no time was left to begin with it (--max-time)")
                continue
            own = folder / str(self._entries.index(entry))
            own.mkdir()
            self._say(f"{self._subject.name}, {self._subject.size}: {entry.name}")
            try:
                entry.worker = self._open(self._subject.path, self._subject.size, entry.name, own)
                setup = self._ask(entry, ready.left, do="setup")
                (first,) = self._ask(entry, do="present", number=0, count=1)
                entry.facts = dict(self._ask(entry, do="facts"))
            except Exception as error:
                entry.fail(error)
                if ready.left <= 0:
                    entry.detail = (
                        f"not ready within {limit:.0f} s, all others included (--max-time)"
                    )
                continue
            entry.keep("setup", {name: [value] for name, value in setup.items()})
            entry.keep("first stimulus", {name: [value] for name, value in _parts(first).items()})

    def _agree(self, folder: Path) -> None:
        numbers = range(self._plan.judged)
        for entry in self._going():
            for number in numbers:
                file = folder / "result.npz"
                self._try(entry, do="result", number=number, file=str(file))
                if not entry.going:
                    break
                with np.load(file) as stored:
                    entry.results.append({name: stored[name] for name in stored.files})
                file.unlink()
        reference = next(entry for entry in self._entries if entry.name == REFERENCE)
        for entry in self._going():
            if entry is reference:
                entry.agreement = "the reference"
            elif not reference.going:
                entry.end(REFUSED, f"nothing to compare it with: {REFERENCE} is {reference.status}")
            else:
                verdict = judge(self._subject.rules, reference.results, entry.results)
                entry.agreement = verdict.words
                if not verdict.agrees:
                    entry.end(REFUSED, verdict.words)
                    self._say(f"  {entry.name} disagrees with {REFERENCE}: {verdict.words}")
        for entry in self._entries:
            entry.results.clear()
        if REFERENCE not in self._plan.contenders and reference.going:
            reference.close()

    def _present(self) -> None:
        entries = self._going()
        moved = [entry.facts["bytes moved"] for entry in entries if "bytes moved" in entry.facts]
        if moved:
            self._floors.append(floors.memory_copy(floors.MOVED, int(min(moved))))

        def racer(entry: _Entry) -> Racer:
            def present(number: int, count: int) -> list[dict[str, float]]:
                measured = self._ask(entry, do="present", number=number, count=count)
                return [_parts(one) for one in measured]

            return Racer(entry.name, present)

        racers = {entry.name: racer(entry) for entry in entries}
        by_name = {entry.name: entry for entry in entries}
        parts = 1 if not self._plan.replicas else 2
        race(
            list(racers.values()),
            self._deadline.share(parts),
            width=self._plan.width,
            most=self._plan.rounds,
            dropped=lambda racer, error: by_name[racer.name].fail(error),
        )
        for entry in self._going():
            measured = racers[entry.name].measured
            if measured.get(names.WALL):
                entry.keep("next stimulus", measured)

    def _over_steps(self) -> None:
        at = sorted({max(1, round(part * self._subject.steps)) for part in _STEPS})
        found: dict[str, dict[int, list[float]]] = {}
        able = self._going()
        deadline = self._deadline.share(2)
        for _ in range(3):
            for count in at:
                for entry in list(able):
                    if deadline.left <= 0:
                        break
                    seconds = self._try(entry, do="steps", count=count)
                    if seconds is None:
                        able.remove(entry)
                    else:
                        found.setdefault(entry.name, {}).setdefault(count, []).append(seconds)
        for entry in self._going():
            self._curve(entry, "steps", found.get(entry.name, {}))

    def _side_by_side(self) -> None:
        found: dict[str, dict[int, list[float]]] = {}
        unable: set[tuple[str, int]] = set()
        deadline = self._deadline
        for _ in range(3):
            for replicas in self._plan.replicas:
                for entry in self._going():
                    walls = entry.values("next stimulus", names.WALL)
                    if not walls or (entry.name, replicas) in unable:
                        continue
                    each = stats.median_interval(walls).value
                    count = replicas * max(2, min(32, round(_WORK / max(each, 1e-6) / replicas)))
                    if deadline.left < 2 * count * each:
                        continue
                    seconds = self._try(entry, do="throughput", replicas=replicas, count=count)
                    if seconds is None:
                        unable.add((entry.name, replicas))
                        continue
                    per_replicas = found.setdefault(entry.name, {})
                    per_replicas.setdefault(replicas, []).append(seconds / count)
        for entry in self._going():
            self._curve(entry, "replicas", found.get(entry.name, {}))

    @staticmethod
    def _curve(entry: _Entry, over: str, found: Mapping[int, list[float]]) -> None:
        if found:
            at = sorted(found)
            entry.curves.append(Curve(over, "s", [float(x) for x in at], [found[x] for x in at]))

    def _memory(self) -> None:
        for entry in self._going():
            found = self._try(entry, do="memory")
            if found:
                entry.keep("memory", {name: [value] for name, value in found.items()})

    def _energy(self) -> None:
        """Of as many stimuli as take long enough for what counts it to have counted.

        It comes last, and a contender that fails in it keeps what it has measured before.
        """
        found: dict[str, list[float]] = {}
        unable: set[str] = set()
        for _ in range(3):
            for entry in self._going():
                walls = entry.values("next stimulus", names.WALL)
                if not walls or entry.name in unable:
                    continue
                each = stats.median_interval(walls).value
                count = max(1, min(_MOST, round(_COUNTED / max(each, 1e-6))))
                if self._deadline.left < 2 * count * each:
                    continue
                try:
                    joules = self._ask(entry, do="energy", count=count)
                except Exception as error:
                    self._say(f"  {entry.name}: no energy, {error}")
                    entry.close()
                    continue
                if joules is None:
                    unable.add(entry.name)
                else:
                    found.setdefault(entry.name, []).append(joules / count)
        for entry in self._entries:
            if entry.name in found:
                entry.keep("energy", {names.ENERGY: found[entry.name]})


def _parts(measured: Mapping[str, float]) -> dict[str, float]:
    """What was measured, and what of the presentation was not the time loop."""
    parts = dict(measured)
    if names.LOOP in parts:
        parts.setdefault(names.OUTSIDE, parts[names.WALL] - parts[names.LOOP])
    return parts
