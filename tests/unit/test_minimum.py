from __future__ import annotations

from pathlib import Path

import pytest

from tests.minimum import MinimumTests


def report(nodeid: str, *, when: str = "call", outcome: str = "passed") -> pytest.TestReport:
    path = nodeid.partition("::")[0]
    return pytest.TestReport(
        nodeid,
        (path, 1, "test"),
        {},
        outcome,  # pyright: ignore[reportArgumentType]
        None,
        when,  # pyright: ignore[reportArgumentType]
    )


def test_only_executed_tests_count() -> None:
    plugin = MinimumTests({"unit": 2})
    plugin.pytest_runtest_logreport(report("tests/unit/test_a.py::test_1"))
    plugin.pytest_runtest_logreport(report("tests/unit/test_a.py::test_1", when="teardown"))
    plugin.pytest_runtest_logreport(report("tests/unit/test_a.py::test_2", outcome="skipped"))
    plugin.pytest_runtest_logreport(report("tests/cpp/test_a.py::test_3"))
    [line] = plugin.missing()
    assert line.startswith("tests/unit: 1 tests executed, at least 2 expected")

    expected_failure = report("tests/unit/test_a.py::test_4", outcome="passed")
    expected_failure.wasxfail = "known"  # pyright: ignore[reportAttributeAccessIssue]
    plugin.pytest_runtest_logreport(expected_failure)
    assert plugin.missing()

    plugin.pytest_runtest_logreport(report("tests/unit/test_a.py::test_5", outcome="failed"))
    assert not plugin.missing()


@pytest.mark.parametrize(
    ("wanted", "require_gpu", "folders"),
    [
        ("all", False, {"unit", "cpp"}),
        ("all", True, {"unit", "cpp", "gpu"}),
        ("cpp", False, {"cpp"}),
        ("cpp,unit", False, {"unit", "cpp"}),
        ("gpu", True, {"gpu"}),
    ],
)
def test_table(tmp_path: Path, wanted: str, require_gpu: bool, folders: set[str]) -> None:
    table = tmp_path / "minimum.toml"
    table.write_text("[minimum]\nunit = 3\ncpp = 2\ngpu = 1\n")
    plugin = MinimumTests.from_table(table, wanted, require_gpu=require_gpu)
    assert set(plugin.minimum) == folders


def test_unknown_folder(tmp_path: Path) -> None:
    table = tmp_path / "minimum.toml"
    table.write_text("[minimum]\nunit = 3\n")
    with pytest.raises(pytest.UsageError, match="no figure for the folder 'cp'"):
        MinimumTests.from_table(table, "cp", require_gpu=False)
