"""A whole run of the suite: floors, then case after case, into one report."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gpurun.bench import card, machine
from gpurun.bench.suite import floors
from gpurun.bench.suite.agreement import Rules
from gpurun.bench.suite.engine import Open, Subject, run_case
from gpurun.bench.suite.plan import Deadline, Plan
from gpurun.bench.suite.schema import KIND, VERSION, Case, SuiteReport
from gpurun.errors import ConfigError, DeviceUnavailableError, ToolchainError

_DESCRIBE = "gpurun.bench_contenders.describe"
#: Packages that contenders need beside those of every report.
_OF_CONTENDERS = ("cupy-cuda13x", "pygenn", "bindsnet", "torch", "scipy")


def describe(case: str, size: str) -> Subject:
    """Make the network of a case, in another process, and return what the engine has to know.

    Raises
    ------
    ConfigError
        The case cannot be made; the message has the error.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", _DESCRIBE, case, size],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ConfigError(
            f"The benchmark case {case!r} cannot be made at size {size!r}:\n{done.stderr[-2000:]}"
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    rules = Rules(
        deterministic=found["deterministic"],
        spikes=tuple(found["spikes"]),
        values=tuple(found["values"]),
        exact_for=math.inf if found["exact_for"] is None else found["exact_for"],
        dt=found["dt"],
    )
    name = Path(case).stem if case.endswith(".py") else case
    return Subject(
        name,
        found["title"],
        found["source"],
        size,
        rules,
        found["parameters"],
        found["steps"],
        case,
    )


def run_suite(
    plan: Plan,
    titles: Mapping[str, str],
    open_worker: Open,
    argv: Sequence[str],
    root: Path,
    say: Callable[[str], None],
    *,
    settings: Mapping[str, int | float | str | bool],
    describing: Callable[[str, str], Subject] = describe,
    done: Callable[[SuiteReport], None] = lambda report: None,
) -> SuiteReport:
    """Measure everything in `plan`.

    Parameters
    ----------
    plan : Plan
    titles, open_worker, say
        As in :func:`gpurun.bench.suite.engine.run_case`.
    argv : sequence of str
        The command, for the record.
    root : Path
        The checkout that the commit is read from.
    settings : mapping
        Flags and such, for the record.
    describing : callable
        Returns the subject for a case and a size.
    done : callable
        Is given the report so far after every case, so that nothing is lost if a later one fails.

    Returns
    -------
    SuiteReport
    """
    started = time.perf_counter()
    deadline = Deadline(plan.seconds)
    # Before the suite itself puts load on the machine
    where = machine.describe(_OF_CONTENDERS)
    state = machine.commit(root)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    say("floors")
    of_machine = floors.of_machine(3 if plan.quick else 15)
    cases: list[Case] = []

    def report() -> SuiteReport:
        on = _card()
        return SuiteReport(
            kind=KIND,
            version=VERSION,
            created=created,
            # On an emulated card times mean nothing
            quick=plan.quick or on.get("card") == card.EMULATED,
            command=" ".join(argv),
            seconds=round(time.perf_counter() - started, 1),
            commit=state,
            machine=where,
            card=on,
            settings={
                **settings,
                "time limit in s": plan.seconds,
                "interval's half-width": plan.width,
                "presentations compared": plan.judged,
            },
            floors=of_machine,
            cases=list(cases),
        )

    for number, (name, size) in enumerate(plan.cases):
        share = deadline.share(len(plan.cases) - number)
        if share.left <= 0:
            say(f"{name}, {size}: left out, the time is over (--max-time)")
            continue
        cases.append(run_case(describing(name, size), plan, titles, open_worker, share, say))
        done(report())
    return report()


def _card() -> dict[str, str]:
    try:
        return card.describe().parameters()
    except (DeviceUnavailableError, ToolchainError):
        return {}
