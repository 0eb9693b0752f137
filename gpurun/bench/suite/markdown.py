"""A report of the suite as Markdown: nothing in it is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpurun.bench.stats import median_interval
from gpurun.bench.suite import contender as names
from gpurun.bench.suite.schema import (
    ABSENT,
    FAILED,
    MEASURED,
    REFUSED,
    Case,
    Contender,
    Measure,
    SuiteReport,
)
from gpurun.bench.suite.summary import (
    FIRST,
    NEXT,
    SETUP,
    curve,
    fastest,
    first_result,
    floor_of,
    line,
    measured,
    seconds_each,
)
from gpurun.bench.suite.wording import amount, count, of_floor, plain, times, where_behind
from gpurun.bench.text import place, quantity, table

# Columns of the tables; a measure that is not listed follows these.
_NEXT = (
    names.WALL,
    names.UPLOAD,
    names.RESET,
    names.LOOP,
    names.DEVICE,
    names.READ,
    names.OUTSIDE,
)
_SETUP = (names.GENERATION, names.COMPILE, names.COMPILE_CPU, names.LOAD)
_WORDS = {
    ABSENT: "absent",
    REFUSED: "**refused**",
    FAILED: "**failed**",
}
_SIZES = ("neurons", "synapses", "steps")


def render(report: SuiteReport, figures: Mapping[str, Sequence[str]] | None = None) -> str:
    """Render a report.

    Parameters
    ----------
    report : SuiteReport
    figures : dict of str to sequence of str, optional
        By name of a case, lines of Markdown that show its figures; they follow its tables.
    """
    parts = [_where(report)]
    if report.floors:
        parts.append(_floors(report))
    for index, case in enumerate(report.cases):
        parts += _case(report, case)
        if all(later.name != case.name for later in report.cases[index + 1 :]):
            parts += (figures or {}).get(case.name, ())
    return "\n\n".join(parts) + "\n"


def _where(report: SuiteReport) -> str:
    card = ", ".join(f"{name} {value}" for name, value in report.card.items())
    settings = ", ".join(f"{name} {count(value)}" for name, value in report.settings.items())
    return (
        f"{place(report)} {f'Card: {plain(card)}.' if card else 'There was no card.'} It took "
        f"{report.seconds / 60:.1f} minutes.\n\n"
        f"Settings: {settings or 'none'}.\n\n"
        "Times are medians, with an interval between two order statistics that holds the true "
        "median with a probability of at least 95 % (with fewer than six values: the whole range; "
        "none for a single one)."
    )


def _floors(report: SuiteReport) -> str:
    rows = [
        (one.name, amount(median_interval(one.values), one.unit), plain(one.detail))
        for one in report.floors
        if one.values
    ]
    return "What things cost at least on this machine:\n\n" + table(
        ("Floor", "Median [interval]", "What was done"), rows
    )


def _case(report: SuiteReport, case: Case) -> list[str]:
    parts = [f"### {case.title} ({case.size})", _head(case), _next(report, case)]
    if behind := where_behind(case):
        parts.append("\n".join(f"- {sentence}" for sentence in behind))
    parts += _setup(report, case)
    parts += _long(case)
    parts += _resources(report, case)
    parts.append(_circumstances(case))
    return parts


def _head(case: Case) -> str:
    sizes = [f"{count(case.parameters[name])} {name}" for name in _SIZES if name in case.parameters]
    others = [
        f"{plain(name)} {count(v)}" for name, v in case.parameters.items() if name not in _SIZES
    ]
    kind = "Deterministic" if case.deterministic else "Noisy"
    floors = "".join(
        f" Floor: {one.name} {amount(median_interval(one.values), one.unit)} ({plain(one.detail)})."
        for one in case.floors
        if one.values
    )
    return (
        f"`{case.name}`, {case.source.rstrip('.')}. {', '.join([*sizes, *others])}. {kind}; "
        f"results have to agree with those of {case.reference}.{floors}"
    )


def _cell(report: SuiteReport, case: Case, one: Measure | None) -> str:
    if one is None or not one.values:
        return ""
    shown = amount(median_interval(one.values), one.unit)
    return shown + of_floor(one.values, one.unit, floor_of(report, case, one.floor))


def _columns(case: Case, phase: str, wanted: Sequence[str]) -> list[str]:
    """The measures that somebody has, the wanted ones first."""
    there = [m.name for c in measured(case) for m in c.measures if m.phase == phase and m.values]
    return [name for name in dict.fromkeys((*wanted, *there)) if name in there]


def _measure(contender: Contender, phase: str, name: str) -> Measure | None:
    for one in contender.measures:
        if (one.phase, one.name) == (phase, name):
            return one
    return None


def _next(report: SuiteReport, case: Case) -> str:
    columns = _columns(case, NEXT, _NEXT) or [names.WALL]
    first = fastest(case)
    rows = []
    for one in case.contenders:
        who = f"{plain(one.title)} (`{one.name}`)"
        if one.status != MEASURED:
            reason = f"{_WORDS.get(one.status, one.status)}: {plain(one.detail)}"
            rows.append((who, reason, *[""] * (len(columns) - 1)))
            continue
        cells = [_cell(report, case, _measure(one, NEXT, name)) for name in columns]
        if one is first:
            cells[0] = f"**{cells[0]}**, the fastest"
        elif not one.values(NEXT, names.WALL):
            cells[0] = "not measured"
        rows.append((who, *cells))
    titles = ["total" if name == names.WALL else name for name in columns]
    return table(("Each next stimulus", *titles), rows)


def _setup(report: SuiteReport, case: Case) -> list[str]:
    columns = _columns(case, SETUP, _SETUP)
    rows = []
    for one in measured(case):
        cells = [_cell(report, case, _measure(one, SETUP, name)) for name in columns]
        whole = first_result(one)
        rows.append(
            (
                f"`{one.name}`",
                *cells,
                _cell(report, case, _measure(one, FIRST, names.WALL)),
                "" if whole is None else amount(whole, "s"),
            )
        )
    head = ("Until the first result", *columns, "first stimulus", "in all")
    return [table(head, rows)] if rows else []


def _long(case: Case) -> list[str]:
    lines = {
        one.name: line(found)
        for one in measured(case)
        if (found := curve(one, "steps")) is not None
    }
    each = {one.name: seconds_each(one) for one in measured(case)}
    replicas = sorted({number for found in each.values() for number in found})
    if not replicas and not any(lines.values()):
        return []
    rows = []
    for one in measured(case):
        found = lines.get(one.name)
        cells = ["", ""]
        if found is not None:
            cells = [amount(found.slope, "s"), amount(found.intercept, "s")]
        for number in replicas:
            values = each[one.name].get(number, [])
            rate = median_interval([1 / value for value in values]) if values else None
            cells.append("" if rate is None else times(rate))
        rows.append((f"`{one.name}`", *cells))
    titles = (f"stimuli per second, {number} at a time" for number in replicas)
    return [table(("Long runs, many stimuli", "each step", "each run", *titles), rows)]


def _resources(report: SuiteReport, case: Case) -> list[str]:
    wanted = {"memory": (names.HOST_PEAK, names.DEVICE_PEAK), "energy": (names.ENERGY,)}
    columns = [
        (phase, name) for phase, some in wanted.items() for name in _columns(case, phase, some)
    ]
    if not columns:
        return []
    rows = [
        (f"`{one.name}`", *(_cell(report, case, _measure(one, *column)) for column in columns))
        for one in measured(case)
    ]
    return [table(("Memory and energy", *(name for _, name in columns)), rows)]


def _circumstances(case: Case) -> str:
    rows = [
        (
            f"`{one.name}`",
            plain(one.agreement),
            "; ".join(_fact(name, value) for name, value in one.facts.items()),
        )
        for one in case.contenders
        if one.agreement or one.facts
    ]
    return table(("Contender", "Agreement", "Circumstances"), rows)


def _fact(name: str, value: object) -> str:
    if name.startswith("bytes") and isinstance(value, int | float):
        return f"{name}: {quantity(float(value), 'B')}"
    return f"{plain(name)}: {count(value)}"
