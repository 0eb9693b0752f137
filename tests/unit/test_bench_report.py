"""gpurun/bench: the schema, files, Markdown, and the page of the documentation."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from gpurun.bench import report
from gpurun.bench.machine import Commit, Machine
from gpurun.bench.schema import VERSION, Check, Comparison, Report, Series, from_json, to_json
from gpurun.errors import ConfigError

ROOT = Path(__file__).parents[2]
MACHINE = Machine(
    "A processor", 2, 2**34, "Linux 6 x86_64", "CPython 3.12", "gcc 12", {"numpy": "2"}, 0.1, True
)


def make(**changes: Any) -> Report:
    one = Report(
        version=VERSION,
        case="sample",
        title="A sample",
        created="2025-11-24T10:20:30+00:00",
        quick=False,
        command="python -m gpurun.bench sample",
        commit=Commit("0123456789abcdef", modified=False),
        machine=MACHINE,
        parameters={"runs": 3, "rate": 2.5, "plastic": True, "name": "x"},
        series=[
            Series("runs", "slow", "wall", "s", [0.1, 0.2, 0.3]),
            Series("runs", "fast", "wall", "s", [0.001, 0.002, 0.003]),
            Series("memory", "fast", "resident", "B", [2.0**20, 2.0**20]),
        ],
        comparisons=[Comparison("slow over fast", 100.0, 90.0, 110.0, 0.95)],
        checks=[Check("equal", True, "3 of 3"), Check("flat", False, "grows")],
    )
    return dataclasses.replace(one, **changes)


def test_json_round_trip() -> None:
    assert from_json(to_json(make())) == make()


def test_json_round_trip_without_series() -> None:
    assert from_json(to_json(make(series=[]))).series == []


def change(path: str, value: Any) -> str:
    plain = json.loads(to_json(make()))
    *parents, last = path.split(".")
    place = plain
    for name in parents:
        place = place[int(name)] if name.isdigit() else place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(plain)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("version", VERSION + 1, "version"),
        ("version", None, "version"),
        ("title", None, "expected the fields"),
        ("surplus", 1, "expected the fields"),
        ("machine.cores", "two", "machine.cores"),
        ("machine.quiet", 1, "machine.quiet"),
        ("series.0.values", 1.5, r"series\[0\].values"),
        ("series.1.values", ["fast"], r"series\[1\].values\[0\]"),
        ("parameters.runs", [3], "parameters.runs"),
        ("checks", ["equal"], r"checks\[0\]"),
    ],
)
def test_a_bad_report_is_refused_by_name(path: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_json(change(path, value))


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        from_json(text)


def test_files_are_named_by_case_time_and_commit(tmp_path: Path) -> None:
    path = report.write(make(commit=Commit("f" * 40, modified=True)), tmp_path)
    assert path.name == "sample-20251124T102030-ffffffff-modified.json"
    assert report.read(path).commit.modified


def test_reading_names_the_bad_file(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"odd\.json"):
        report.newest(tmp_path)


def test_newest_leaves_trials_out(tmp_path: Path) -> None:
    report.write(make(), tmp_path)
    report.write(make(created="2025-11-25T00:00:00+00:00", title="later"), tmp_path)
    report.write(make(created="2025-11-26T00:00:00+00:00", quick=True), tmp_path)
    assert {case: r.title for case, r in report.newest(tmp_path).items()} == {"sample": "later"}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.0, "s", "1.00 s"),
        (9.996, "s", "10.0 s"),
        (12.34, "s", "12.3 s"),
        (123.4, "s", "123 s"),
        (0.0012345, "s", "1.23 ms"),
        (0.0123, "s", "12.3 ms"),
        (4.2e-7, "s", "420 ns"),
        (0.0, "s", "0 ns"),
        (3 * 2**20, "B", "3.0 MiB"),
        (1536, "B", "1.5 KiB"),
        (0.25, "J", "250 mJ"),
    ],
)
def test_quantities_have_three_digits_and_a_unit(value: float, unit: str, text: str) -> None:
    assert report.quantity(value, unit) == text


def test_markdown_states_place_numbers_and_verdicts() -> None:
    text = report.markdown(make())
    for part in (
        "A processor",
        "`0123456789ab`",
        "gcc 12",
        "| wall | 200 ms [100 ms, 300 ms] | 2.00 ms [1.00 ms, 3.00 ms] |",
        "| slow over fast | 100 [90.0, 110] |",
        "| equal | yes | 3 of 3 |",
        "| flat | **no** | grows |",
        "| resident | 1.0 MiB [1.0 MiB, 1.0 MiB] |",
    ):
        assert part in text
    assert "trial" not in text
    assert "trial" in report.markdown(make(quick=True))


def test_the_page_keeps_its_own_words() -> None:
    page = "before\n<!-- begin sample -->\nOUTDATED\n<!-- end sample -->\nafter\n"
    once = report.render_page(page, {"sample": make()})
    assert once.startswith("before\n")
    assert once.endswith("after\n")
    assert "OUTDATED" not in once
    assert report.render_page(once, {"sample": make()}) == once


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ConfigError, match="begin sample"):
        report.render_page("nothing here", {"sample": make()})


def test_the_documentation_shows_the_stored_reports() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    reports = report.newest(ROOT / "benchmarks" / "results")
    assert reports, "benchmarks/results holds no report"
    assert report.render_page(page, reports) == page, "run `python -m gpurun.bench --page`"
