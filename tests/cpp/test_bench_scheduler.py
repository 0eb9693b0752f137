"""The benchmark of the scheduler as a trial, and that what goes wrong in a round is told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import dask_way, scheduler
from benchmarks.budget import Part
from benchmarks.dask_way import DASK
from benchmarks.scheduler import ADDED, AUTO, AUTO_PROCESS, MAP, MAP_PROCESS, POOL, RUN
from benchmarks.scheduler_ways import BARE, LOOP, WALL, Way
from gpurun.bench import report
from gpurun.bench.cases import Recording
from tests.bench_trial import trial

ROOT = Path(__file__).parents[2]
EXPECTED = [np.array([0, 3]), np.array([1, 0])]


@pytest.mark.timeout(300)
def test_a_trial(tmp_path: Path) -> None:
    found = trial("scheduler", tmp_path)
    [pool] = {one.contender for one in found.series if one.contender.startswith(POOL)}
    threads = f"session.run in {pool[len(POOL) + 1 : -1]} threads"
    expected = {pool, BARE, threads, RUN, MAP, AUTO, AUTO_PROCESS}
    dask = str(found.parameters[DASK])
    for group in ("independent", "opened"):
        contenders = {one.contender for one in found.series if one.group == group}
        # Dask need not be there, and the report says whether it is
        others = contenders - expected
        assert contenders >= expected
        assert ("absent" in dask) == (not others)
        assert all(name.startswith(DASK) for name in others)
        for contender in contenders:
            assert len(found.values(group, contender, WALL)) == 2
            assert len(found.values(group, contender, LOOP)) == 2
        for contender in (AUTO, AUTO_PROCESS):
            sessions = str(found.parameters[f"sessions in each round, {group}, {contender}"])
            # The round before the clock counts is among them
            assert len(sessions.split()) == 3
            assert all(int(number) >= 1 for number in sessions.split())
    # Whatever takes part is checked
    assert len(found.checks) == len({(one.group, one.contender) for one in found.series})
    # What a scheduler adds is what its loop takes longer than the bare one
    bare = found.values("one step", BARE, WALL)
    stimuli = float(found.parameters["stimuli in a round, one step"])
    for contender in (RUN, MAP, MAP_PROCESS):
        walls = found.values("one step", contender, WALL)
        difference = [(a - b) / stimuli for a, b in zip(walls, bare, strict=True)]
        np.testing.assert_allclose(found.values("one step", contender, ADDED), difference)
    assert report.newest(tmp_path) == {}


class Planted(Way):
    """Gives what it is told to."""

    def __init__(
        self, values: list[Any], expected: list[Any] = EXPECTED, *, fresh: bool = False
    ) -> None:
        work: Any = SimpleNamespace(expected=expected, read="spikes.count")
        super().__init__("planted", work, fresh=fresh)
        self.values = values
        self.did: list[str] = []

    def open(self) -> None:
        self.did.append("open")

    def show(self) -> Iterator[tuple[Any, float | None]]:
        self.did.append("show")
        for value in self.values:
            if value is None:
                raise RuntimeError("planted")
            yield value, 0.25

    def close(self) -> None:
        self.did.append("close")


def take_turns(way: Way) -> Recording:
    recording = Recording(quick=True, say=lambda line: None)
    scheduler.take_turns(recording, "group", [way], Part(2))
    return recording


@pytest.mark.parametrize(
    ("values", "held"),
    [
        (EXPECTED, True),
        (EXPECTED[::-1], False),
        ([EXPECTED[0], np.array([1, 1])], False),
        ([EXPECTED[0], np.array([1])], False),
    ],
)
def test_what_is_not_as_expected_is_told(values: list[Any], held: bool) -> None:
    recording = take_turns(Planted(values))
    [check] = recording.checks
    assert "planted" in check.name
    assert check.passed is held
    # Warm-up included
    assert check.detail.startswith("3 of 3" if held else "0 of 3")


@pytest.mark.parametrize("values", [EXPECTED[:1], [*EXPECTED, EXPECTED[0]]])
def test_a_stimulus_too_few_or_too_many_ends_the_case(values: list[Any]) -> None:
    way = Planted(values)
    with pytest.raises(ValueError, match="zip"):
        take_turns(way)
    assert way.did == ["open", "show", "close"]


def test_silence_proves_nothing() -> None:
    silent = [np.zeros(2), np.zeros(2)]
    [check] = take_turns(Planted(silent, silent)).checks
    assert not check.passed


def test_rounds_that_begin_with_nothing_leave_nothing() -> None:
    way = Planted(EXPECTED, fresh=True)
    take_turns(way)
    assert way.did == ["open", "show", "close"] * 3
    way = Planted(EXPECTED)
    take_turns(way)
    assert way.did == ["open", "show", "show", "show", "close"]
    way = Planted([None], fresh=True)
    with pytest.raises(RuntimeError, match="planted"):
        take_turns(way)
    assert way.did == ["open", "show", "close"]


@pytest.mark.parametrize("missing", ["distributed", "gpurun.cluster"])
def test_dask_that_is_missing_is_named_as_absent(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    work: Any = None
    monkeypatch.setitem(sys.modules, missing, None)
    ways, said = dask_way.dask_ways(work, 2)
    assert not ways
    assert "absent" in said
    assert missing in said
