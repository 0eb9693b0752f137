"""Writes docs/conformance.md, part by part, from the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .compare import Difference, Explanation, Results, engine
from .plan import CONFIGURATIONS, PARTS, Part
from .runner import About

INTRODUCTION = """\
# Conformance with brian2's own tests

<!-- Written by `ci/conformance.sh compare`; the reasons come from
     tests/conformance/explanations.toml. Do not edit. -->

brian2 has a test suite for standalone devices (`brian2.test(test_standalone=...)`).
`ci/conformance.sh` runs it on brian2's own device, on gpurun's CPU and CUDA backends, and on
brian2cuda, in fresh processes and with the preferences that brian2 sets for it (no
optimisation, `-O0`), and compares the outcome of every single test. Where there is no card,
CUDA code is run by the [emulated toolkit](emulator.md). It also notes what ran the models: a
test that passes because brian2's compiled program did the work does not count as passing on
gpurun.

A small part of it runs with every change (`tests/cpp/test_conformance_sample.py`,
`tests/emulated/test_conformance_sample.py`).
"""


def merge(page: str, part: Part, text: str) -> str:
    """Return `page` with `text` as what it says about `part`."""
    found = {one.name: _find(page, one) for one in PARTS}
    found[part.name] = text
    blocks = [f"{_begin(one)}\n{found[one.name]}{_end(one)}\n" for one in PARTS if found[one.name]]
    return "\n".join([INTRODUCTION, *blocks])


def _begin(part: Part) -> str:
    return f"<!-- part {part.name} -->\n"


def _end(part: Part) -> str:
    return f"\n<!-- end of part {part.name} -->"


def _find(page: str, part: Part) -> str:
    _, found, rest = page.partition(f"{_begin(part)}\n")
    return rest.partition(_end(part))[0] if found else ""


def render(
    part: Part,
    abouts: Mapping[str, About],
    results: Mapping[str, Results],
    explained: Mapping[Explanation, list[Difference]],
    unexplained: list[Difference],
) -> str:
    """Return what the page says about a part.

    Parameters
    ----------
    part : Part
    abouts : mapping
        Configuration name to what it was run with.
    results : mapping
        Configuration name to its results.
    explained, unexplained
        As :func:`tests.conformance.compare.explain` returns them.
    """
    parts = [f"## {part.title}\n", "### What was run\n", _configurations(abouts), _phases(part)]
    parts += ["### Totals\n", _totals(results), "### Differences\n"]
    if unexplained:
        parts += ["#### Unexplained\n", _list(unexplained)]
    shown = [(reason, found) for reason, found in explained.items() if found]
    if not shown and not unexplained:
        parts.append("None: every test has the same outcome, on the engine it is meant for.\n")
    for number, (reason, found) in enumerate(shown, 1):
        places = sorted({f"`{one.configuration}`, phase {one.phase}" for one in found})
        parts += [
            f"#### {number}. {_title(found)}\n",
            f"In {'; '.join(places)}. {' '.join(reason.why.split())}\n",
            _list(found),
        ]
    return "\n".join(parts)


def _configurations(abouts: Mapping[str, About]) -> str:
    rows = []
    for name, about in abouts.items():
        versions = f"brian2 {about.brian2}"
        if about.brian2cuda:
            versions += f", brian2cuda {about.brian2cuda}"
        if about.toolkits:
            versions += f", on {' and '.join(about.toolkits)}"
        rows.append(
            (
                f"`{name}`",
                CONFIGURATIONS[name].meaning,
                versions,
                ", ".join(f"`{commit}`" for commit in about.commits) or "not involved",
            )
        )
    return _table(("Configuration", "Meaning", "Versions", "gpurun's repository"), rows)


def _phases(part: Part) -> str:
    rows: dict[tuple[str, ...], list[str]] = {}
    for name in part.configurations:
        for one in CONFIGURATIONS[name].phases:
            row = (one.name, f"`{one.markers}`", str(one.build_on_run).lower())
            rows.setdefault(row, []).append(f"`{name}`")
    table = _table(
        ("Phase", "Tests selected by", "`build_on_run`", "Configurations"),
        [(*row, ", ".join(names)) for row, names in rows.items()],
    )
    return (
        table + "\nThe third phase is selected by the marker `cpp_standalone` in every "
        "configuration that runs brian2's tests. (brian2 would use a marker named after the "
        "device, find no test for `gpurun`, and count that as success.) A phase that selects "
        "nothing is an error here.\n"
    )


def _totals(results: Mapping[str, Results]) -> str:
    rows = []
    for name, found in results.items():
        for phase in (*(one.name for one in CONFIGURATIONS[name].phases), "all"):
            own = [r for (where, _), r in found.items() if phase in (where, "all")]
            outcomes = Counter(result.outcome for result in own)
            engines = Counter(engine(result) for result in own)
            rows.append(
                (
                    f"`{name}`",
                    phase,
                    str(len(own)),
                    ", ".join(f"{count} {what}" for what, count in sorted(outcomes.items())),
                    str(engines["gpurun"]),
                    str(engines["program"] + engines["both"]),
                    str(engines["none"]),
                )
            )
    head = (
        "Configuration",
        "Phase",
        "Tests",
        "Outcomes",
        "Run by gpurun",
        "Run by a compiled program",
        "Run nothing",
    )
    return _table(head, rows)


def _title(found: list[Difference]) -> str:
    first = found[0]
    tests = len({one.test for one in found})
    count = f"{tests} test{'s' if tests > 1 else ''}"
    return f"{count}: {first.kind} `{first.upstream}` upstream, `{first.observed}` here"


def _list(found: list[Difference]) -> str:
    rows = [
        (f"`{one.test}`", f"`{one.configuration}`", one.phase, one.kind, one.upstream, one.observed)
        for one in found
    ]
    head = ("Test", "Configuration", "Phase", "What differs", "Upstream", "Here")
    return _table(head, rows)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
