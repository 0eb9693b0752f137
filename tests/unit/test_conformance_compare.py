"""tests/conformance: splitting, journals, comparison and explanations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance.compare import (
    Difference,
    Explanation,
    deviations,
    differences,
    explain,
    read_explanations,
)
from tests.conformance.page import merge, render
from tests.conformance.plan import PARTS, UNIT_SIZE, read_units, shard, split, write_units
from tests.conformance.runner import About, Result, Runner, read_journal
from tests.conformance.toolkit import TOOLKIT, emulated

PART = {part.name: part for part in PARTS}
PASSED = Result("passed", binary_runs=1)
OURS = Result("passed", session_runs=2)
KEY = ("single", "test_a.py::test_one")


def test_units_keep_all_tests_in_order_and_files_apart(tmp_path: Path) -> None:
    tests = [f"test_a.py::test_{n}" for n in range(2 * UNIT_SIZE + 1)] + ["test_b.py::test_x"]
    units = split("single", tests)
    assert [test for unit in units for test in unit.tests] == tests
    assert [len(unit.tests) for unit in units] == [UNIT_SIZE, UNIT_SIZE, 1, 1]
    assert len({unit.key for unit in units}) == 4
    write_units(tmp_path / "units.json", units)
    assert read_units(tmp_path / "units.json") == units


def test_shards_share_out_all_units() -> None:
    units = split("single", [f"test_{n}.py::test" for n in range(7)])
    parts = [shard(units, f"{k}/3") for k in (1, 2, 3)]
    assert sorted(u.key for part in parts for u in part) == sorted(u.key for u in units)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "-1/2"])
def test_bad_shards_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="k/n"):
        shard([], text)


def journal(path: Path, *entries: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def test_a_journal_gives_outcomes_and_engines(tmp_path: Path) -> None:
    path = journal(
        tmp_path / "a.jsonl",
        {"event": "start", "test": "a"},
        {"event": "binary", "test": "a"},
        {"event": "session_run", "test": "a"},
        {"event": "session_run", "test": "a"},
        {"event": "finish", "test": "a", "outcome": "failed", "seconds": 2.0, "detail": "why"},
        {"event": "start", "test": "b"},
        {"event": "finish", "test": "b", "outcome": "passed", "seconds": 1.0, "detail": ""},
        {"event": "start", "test": "c"},
    )
    with path.open("a") as file:
        file.write('{"event": "fin')  # killed while it was writing
    results, running = read_journal(path)
    assert results["a"] == Result("failed", "why", 2.0, 1, 2)
    assert results["b"] == Result("passed", "", 1.0, 0, 0)
    assert running == "c"


def test_a_test_that_is_started_again_counts_once(tmp_path: Path) -> None:
    path = journal(
        tmp_path / "a.jsonl",
        {"event": "start", "test": "a"},
        {"event": "binary", "test": "a"},
        {"event": "start", "test": "a"},
        {"event": "binary", "test": "a"},
        {"event": "finish", "test": "a", "outcome": "passed"},
    )
    assert read_journal(path)[0]["a"].binary_runs == 1


def test_failures_can_be_forgotten(tmp_path: Path) -> None:
    runner = Runner("upstream", tmp_path)
    path = journal(
        runner.directory / "unit.jsonl",
        {"event": "start", "test": "a"},
        {"event": "finish", "test": "a", "outcome": "failed"},
        {"event": "start", "test": "b"},
        {"event": "finish", "test": "b", "outcome": "passed"},
    )
    runner.forget_failures()
    assert list(read_journal(path)[0]) == ["b"]


def test_equal_outcomes_on_the_right_engine_are_no_difference() -> None:
    assert differences("standin", {KEY: PASSED}, {KEY: OURS}) == []


@pytest.mark.parametrize(
    ("theirs", "ours", "kind", "upstream", "observed"),
    [
        (PASSED, Result("failed", session_runs=1), "outcome", "passed", "failed"),
        (PASSED, Result("skipped", session_runs=1), "outcome", "passed", "skipped"),
        (PASSED, Result("passed", binary_runs=1), "engine", "program", "program"),
        (PASSED, Result("passed", binary_runs=1, session_runs=1), "engine", "program", "both"),
        (PASSED, Result("passed"), "engine", "program", "none"),
        (PASSED, None, "selection", "selected", "not selected"),
        (None, OURS, "selection", "not selected", "selected"),
    ],
)
def test_every_kind_of_difference(
    theirs: Result | None, ours: Result | None, kind: str, upstream: str, observed: str
) -> None:
    upstream_results = {} if theirs is None else {KEY: theirs}
    found = differences("device", upstream_results, {} if ours is None else {KEY: ours})
    assert [(d.kind, d.upstream, d.observed) for d in found] == [(kind, upstream, observed)]


def test_a_test_that_runs_nothing_upstream_need_not_run_here() -> None:
    assert differences("device", {KEY: Result("passed")}, {KEY: Result("passed")}) == []


DIFFERENCE = Difference("device", "single", "test_a.py::test[x]", "outcome", "passed", "failed")
REASON = Explanation(
    ("device",), ("single",), ("test_a.py::test[x]",), "outcome", "passed", "failed", "Because."
)


def test_explanations_are_matched_and_stale_ones_found() -> None:
    stale = Explanation(("device",), ("single",), ("test_b.py::*",), "outcome", "*", "*", "Gone.")
    explained, unexplained = explain([DIFFERENCE], [stale, REASON])
    assert explained == {stale: [], REASON: [DIFFERENCE]}
    assert unexplained == []


@pytest.mark.parametrize(
    "change",
    [
        {"configuration": "standin"},
        {"phase": "multiple"},
        {"test": "test_a.py::testx"},
        {"kind": "engine"},
        {"upstream": "skipped"},
        {"observed": "crashed"},
    ],
)
def test_an_explanation_covers_nothing_else(change: dict[str, str]) -> None:
    other = Difference(**{**DIFFERENCE.__dict__, **change})
    assert not REASON.covers(other)
    assert explain([other], [REASON])[1] == [other]


@pytest.mark.parametrize(
    "text",
    [
        '[[explanation]]\nkind = "outcome"\n',
        '[[explanation]]\nkind = "outcome"\nupstream = "*"\nobserved = "*"\nwhy = " "\n',
        '[[explanation]]\nkind = "odd"\nupstream = "*"\nobserved = "*"\nwhy = "x"\n',
        '[[explanation]]\nkind = "outcome"\nupstream = "*"\nobserved = "*"\nwhy = "x"\nmore = 1\n',
    ],
)
def test_bad_explanations_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "explanations.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"explanations\.toml"):
        read_explanations(path)


def test_the_shipped_explanations_are_well_formed() -> None:
    for one in read_explanations():
        assert one.configurations
        assert one.phases
        assert one.tests


def test_the_page_lists_differences_and_totals() -> None:
    results = {"upstream": {KEY: PASSED}, "device": {KEY: Result("failed")}}
    abouts = {"upstream": About("2.10.1"), "device": About("2.10.1", ["0123"])}
    page = render(PARTS[0], abouts, results, {REASON: [DIFFERENCE]}, [])
    assert "| `device` | single | 1 | 1 failed |" in page
    assert "Because." in page
    assert "`test_a.py::test[x]`" in page
    assert "Unexplained" not in page
    assert "### Unexplained" in render(PARTS[0], abouts, results, {}, [DIFFERENCE])
    assert "None: every test" in render(PARTS[0], abouts, results, {}, [])


def test_a_part_of_the_page_is_replaced_and_the_others_stay() -> None:
    cpu, emulated = PARTS[0], PARTS[-1]
    page = merge(merge("", emulated, "## Two\n\n"), cpu, "## One\n\n")
    assert page.index("## One") < page.index("## Two")
    changed = merge(page, emulated, "## Three\n\n")
    assert changed == page.replace("## Two", "## Three")
    assert merge(changed, cpu, "## One\n\n") == changed


def test_configurations_without_a_counterpart_have_to_pass() -> None:
    one, two = ("single", "a"), ("single", "b")
    results = {
        "upstream": {one: PASSED, ("specific", "c"): PASSED},
        "emulated": {one: PASSED},
        "emulated-own": {one: Result("xfailed"), two: Result("crashed", "why")},
    }
    found = deviations(PART["emulated"], results)
    assert found == [
        Difference("emulated-own", "single", "b", "outcome", "passed", "crashed", "why")
    ]


def test_brian2cudas_own_tests_have_to_run_on_gpurun_alone() -> None:
    ours = {
        ("single", "runs"): OURS,
        ("single", "fails"): Result("failed", "why"),
        ("single", "nothing"): Result("passed"),
        ("single", "both"): Result("passed", binary_runs=1, session_runs=1),
        ("single", "unexpected"): Result("xpassed", session_runs=1),
    }
    found = deviations(PART["cuda"], {"upstream": {}, "cuda": {}, "cuda-own": ours})
    assert [(one.test, one.kind, one.upstream, one.observed) for one in found] == [
        ("fails", "outcome", "passed", "failed"),
        ("nothing", "engine", "gpurun", "none"),
        ("both", "engine", "gpurun", "both"),
        ("unexpected", "outcome", "passed", "xpassed"),
    ]


def test_the_page_says_what_ran_cuda_code() -> None:
    abouts = {
        "upstream": About("2.10.1"),
        "cuda": About("2.10.1", ["0123"], "1.0b1", ["one card", "another"]),
    }
    results = {"upstream": {KEY: PASSED}, "cuda": {KEY: OURS}}
    page = render(PART["cuda"], abouts, results, {}, [])
    assert "brian2cuda 1.0b1, on one card and another" in page


@pytest.mark.parametrize("chosen", [TOOLKIT, TOOLKIT.parent / "another toolkit"])
def test_cuda_path_says_whether_cuda_is_emulated(
    chosen: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_PATH", str(chosen))
    assert emulated() == (chosen == TOOLKIT)


def test_a_test_on_brian2cuda_has_to_run_its_program() -> None:
    found = differences("emulated", {KEY: PASSED}, {KEY: Result("passed")})
    assert [(one.kind, one.observed) for one in found] == [("engine", "none")]
