"""What else is different between two reports, so that ratios are read with care."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from gpurun.bench.suite.schema import FAILED, MEASURED, REFUSED, Case, SuiteReport

_ABSENT = "nothing"


def differences(a: SuiteReport, b: SuiteReport) -> list[str]:
    """Sentences on what differs other than the figures: machine, card, flags, versions, cases."""
    return [*_machine(a, b), *_state(a, b), *_cases(a, b)]


def lost(a: SuiteReport, b: SuiteReport) -> list[str]:
    """Sentences on contenders that were measured in `a`, and are refused or failed in `b`."""
    found = []
    for before, after in _common(a, b):
        older = {one.name: one.status for one in before.contenders}
        found += [
            f"{after.name} ({after.size}): {one.name} is {one.status}: {one.detail}"
            for one in after.contenders
            if one.status in (REFUSED, FAILED) and older.get(one.name) == MEASURED
        ]
    return found


def _common(a: SuiteReport, b: SuiteReport) -> Iterator[tuple[Case, Case]]:
    older = {(one.name, one.size): one for one in a.cases}
    for case in b.cases:
        if (case.name, case.size) in older:
            yield older[case.name, case.size], case


def _machine(a: SuiteReport, b: SuiteReport) -> Iterator[str]:
    before, after = asdict(a.machine), asdict(b.machine)
    for one in (before, after):
        # These say how the machine was, not which one it is
        del one["load_per_core"], one["quiet"]
    packages = before.pop("packages"), after.pop("packages")
    yield from _changed("the machine's", before, after)
    yield from _changed("the version of", *packages)
    yield from _changed("the card's", a.card, b.card)
    yield from _changed("the setting", a.settings, b.settings)


def _changed(what: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        if old != new:
            yield f"{what} {name.replace('_', ' ')} was {old}, and is {new}"


def _state(a: SuiteReport, b: SuiteReport) -> Iterator[str]:
    for which, report in (("first", a), ("second", b)):
        if not report.machine.quiet:
            yield (
                f"the machine was not quiet for the {which} report (load "
                f"{report.machine.load_per_core:g} per core)"
            )
        if report.quick:
            yield f"the {which} report is a trial with few rounds"
        if report.commit.modified:
            yield f"the {which} report was made with uncommitted changes"


def _cases(a: SuiteReport, b: SuiteReport) -> Iterator[str]:
    keys = [{(one.name, one.size) for one in report.cases} for report in (a, b)]
    for which, some in (("first", keys[0] - keys[1]), ("second", keys[1] - keys[0])):
        for name, size in sorted(some):
            yield f"{name} ({size}) is in the {which} report only"
    for before, after in _common(a, b):
        place = f"{after.name} ({after.size})"
        if before.parameters != after.parameters:
            yield (
                f"{place} is another network now, and is not compared: "
                + "; ".join(_changed("", before.parameters, after.parameters)).strip()
            )
            continue
        older = {one.name: one for one in before.contenders}
        newer = {one.name: one for one in after.contenders}
        for name in dict.fromkeys((*older, *newer)):
            if name not in older or name not in newer:
                which = "second" if name in newer else "first"
                yield f"{place}: {name} is in the {which} report only"
                continue
            if older[name].status != newer[name].status:
                yield f"{place}: {name} was {older[name].status}, and is {newer[name].status}"
            elif older[name].status == MEASURED:
                yield from _changed(f"{place}: {name}'s", older[name].facts, newer[name].facts)
