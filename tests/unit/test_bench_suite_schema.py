"""The suite's report: its JSON form, and its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpurun.bench.machine import Commit
from gpurun.bench.suite import files
from gpurun.bench.suite.schema import VERSION, from_json, to_json
from gpurun.errors import ConfigError
from tests.unit.bench_suite_reports import make


def test_json_round_trip() -> None:
    assert from_json(to_json(make())) == make()


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
        ("kind", "something else", "something else"),
        ("kind", None, "kind"),
        ("seconds", None, "expected the fields"),
        ("surplus", 1, "expected the fields"),
        ("card.name", 3, "card.name"),
        ("floors.0.values", ["fast"], r"floors\[0\].values\[0\]"),
        ("cases.0.parameters.neurons", [3], r"cases\[0\].parameters.neurons"),
        ("cases.0.contenders.0.status", None, r"cases\[0\].contenders\[0\]"),
        ("cases.0.contenders.0.measures.1.values", 1.5, r"measures\[1\].values"),
        ("cases.0.contenders.0.curves.0.values", [1.5], r"curves\[0\].values\[0\]"),
    ],
)
def test_a_bad_report_is_refused_by_name(path: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_json(change(path, value))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"version": 1}'])
def test_what_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        from_json(text)


def test_files_keep_the_report_and_name_time_and_commit(tmp_path: Path) -> None:
    report = make(commit=Commit("f" * 40, modified=True))
    path = files.write(report, tmp_path / "new")
    assert path.name == "bench-20261128T102030-ffffffff-modified.json"
    assert files.read(path) == report


def test_a_measure_is_one_line(tmp_path: Path) -> None:
    lines = files.write(make(), tmp_path).read_text("utf-8").splitlines()
    values = make().cases[0].contenders[0].measures[-2].values
    assert len(values) == 30
    found = [line for line in lines if repr(values[0]) in line]
    assert len(found) == 1 and repr(values[-1]) in found[0]


@pytest.mark.parametrize("content", [b"{}", b"\xff\xfe"])
def test_reading_names_the_bad_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"odd\.json"):
        files.newest(tmp_path)


def test_reading_names_the_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json"):
        files.read(tmp_path / "none.json")


def test_newest_leaves_trials_out_and_can_ask_for_a_card(tmp_path: Path) -> None:
    assert files.newest(tmp_path / "nowhere") is None
    card = {"name": "a card"}
    times = [f"2026-11-{day}T00:00:00+00:00" for day in (25, 26, 27, 28)]
    files.write(make(created=times[0], card=card), tmp_path)
    files.write(make(created=times[1], command="old"), tmp_path)
    latest = files.write(make(created=times[2], command="new"), tmp_path)
    files.write(make(created=times[3], quick=True), tmp_path)
    found = files.newest(tmp_path)
    assert found is not None and found[0] == latest and found[1].command == "new"
    assert files.newest(tmp_path, card=False) == found
    with_card = files.newest(tmp_path, card=True)
    assert with_card is not None and with_card[1].card == card
