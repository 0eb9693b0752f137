"""`gpurun report`: its numbers, checked against ones worked out by hand, and its picture."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from gpurun import cli
from gpurun.cli.report_numbers import Spread, summarise, window
from gpurun.cli.report_picture import draw
from gpurun.cli.report_series import (
    PHASES,
    Spans,
    coverage,
    memory_lines,
    phases,
    throughput,
)
from gpurun.config import settings as gpurun_settings
from gpurun.runlog import LoggedRun, MemoryEntry, RunLog, StimulusEntry, read_log

BEGAN = 1_700_000_000.0
MIB = 1024**2


@pytest.fixture(autouse=True)
def restored_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpurun.config._current", gpurun_settings())


def entry(index: int, began: float, wall: float, **more: Any) -> StimulusEntry:
    usual = {
        "attempt": 1, "seat": 0, "device": "cuda:0", "queue_time": 0.0, "upload_time": 0.0,
        "reset_time": 0.0, "loop_time": 0.0, "read_time": 0.0, "memory": None, "seed": None,
        "ok": True, "error": None,
    }  # fmt: skip
    return StimulusEntry(**{"index": index, "began": began, "wall_time": wall, **usual, **more})


def logged(*stimuli: StimulusEntry, memory: tuple[MemoryEntry, ...] = ()) -> LoggedRun:
    return LoggedRun(1, {}, stimuli, memory, (), None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two seats. Stimulus 2 succeeds in its second attempt, stimulus 3 never does."""
    path = tmp_path / "run [bold].jsonl"
    with RunLog(path, model="abc123", devices=["cuda:0", "cuda:1"]) as log:
        log.event("seat opened", "0", time=BEGAN - 1)

        def add(index: int, seat: int, at: float, wall: float, **more: Any) -> None:
            log.stimulus(
                index,
                **{"seat": seat, "device": f"cuda:{seat}", "began": BEGAN + at, "wall_time": wall}
                | more,
            )

        times = {"upload_time": 0.1, "reset_time": 0.2, "read_time": 0.3}
        add(0, 0, 0.0, 2.0, queue_time=0.5, loop_time=1.0, memory=300 * MIB, **times)
        add(1, 1, 0.0, 1.0, queue_time=0.5, memory=50 * MIB)
        add(2, 0, 2.0, 0.5, ok=False, error="DeviceError: lost", memory=900 * MIB)
        add(2, 0, 3.0, 4.0, queue_time=1.5, loop_time=3.0, attempt=2, memory=100 * MIB, **times)
        add(4, 0, 8.0, 2.0, queue_time=2.5, loop_time=2.0)
        failed = {"ok": False, "error": "Traceback (most recent call last):\n  x\nKeyError: 'no'"}
        add(3, 1, 4.0, 1.0, **failed)
        add(3, 1, 6.0, 0.5, attempt=2, **failed)
        log.memory("cuda:0", 700 * MIB, own=300 * MIB, total=1024 * MIB, time=BEGAN + 1)
        log.memory("cuda:0", 600 * MIB, own=500 * MIB, total=1024 * MIB, time=BEGAN + 2)
        log.memory("cpu", 2048 * MIB, time=BEGAN + 2)
        log.event("worker lost", "seat 0: SIGSEGV\nmore", time=BEGAN + 2.5)
    return path


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    return [line.split() for line in capsys.readouterr().out.splitlines()]


# -- the table -------------------------------------------------------------------------


def test_for_people(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(path)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    rows = printed.out.splitlines()
    words = [row.split() for row in rows]
    facts = {row[:9].strip(): row[9:] for row in rows[: rows.index("")]}
    assert facts["log"] == str(path)
    assert (facts["model"], facts["devices"]) == ("abc123", "cuda:0, cuda:1")
    assert facts["stimuli"] == "4 done, 1 failed, 2 retried, in 10.0 s: 0.4/s"
    # Of 10 s seat 0 works for 2 + 0.5 + 4 + 2, seat 1 for 1 + 1 + 0.5
    assert ["0", "cuda:0", "3", "1", "85.0", "%", "0.3", "900.0", "MiB"] in words
    assert ["1", "cuda:1", "1", "2", "25.0", "%", "0.1", "50.0", "MiB"] in words
    start = words.index(["seat", "ms", "queue", "reset", "upload", "loop", "read", "wall"])
    # Loops of 1, 3 and 2 s; the 95th percentile lies at 1.9 of the two steps between them
    first = [" ".join(row) for row in words[start + 1 : start + 4]]
    assert first == [
        "0 median 1500.000 200.000 100.000 2000.000 300.000 2000.000",
        "mean 1500.000 133.333 66.667 2000.000 200.000 2666.667",
        "p95 2400.000 200.000 100.000 2900.000 300.000 3800.000",
    ]
    # Queue times of 0.5, 0.5, 1.5 and 2.5 s
    assert words[start + 7][:3] == ["all", "median", "1000.000"]
    assert words[start + 8][:2] == ["mean", "1250.000"]
    assert words[start + 9][:2] == ["p95", "2350.000"]
    assert ["cuda:0", "700.0", "MiB", "500.0", "MiB", "1.0", "GiB"] in words
    assert ["cpu", "2.0", "GiB", "–", "–"] in words
    assert "  stimulus 3, 2 attempts: KeyError: 'no'" in rows
    assert "  +2.5 s  worker lost: seat 0: SIGSEGV" in rows
    assert "seat opened" not in printed.out


def test_for_programs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["kind"], facts["path"]) == ("run log", str(path))
    assert (facts["runs"], facts["run"], facts["cut"]) == (1, 1, [])
    assert facts["begin"]["model"] == "abc123" and facts["end"]["lost"] == 0
    assert (facts["done"], facts["failed"], facts["retried"]) == (4, 1, 2)
    assert (facts["elapsed"], facts["rate"]) == (10.0, 0.4)
    (failure,) = facts["failures"]
    assert (failure["index"], failure["attempts"]) == (3, 2)
    seat = facts["seats"][0]
    assert (seat["seat"], seat["devices"], seat["memory"]) == ("0", ["cuda:0"], 900 * MIB)
    assert seat["busy"] == pytest.approx(0.85)
    assert seat["times"]["loop"] == pytest.approx({"median": 2.0, "mean": 2.0, "p95": 2.9})
    assert facts["devices"][1] == {
        "device": "cuda:0", "used": 700 * MIB, "own": 500 * MIB, "total": 1024 * MIB,
    }  # fmt: skip
    assert [event["what"] for event in facts["events"]] == ["seat opened", "worker lost"]


def test_one_seat_needs_no_sum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLog(tmp_path / "log") as log:
        log.stimulus(0, seat="a", device="cpu", began=BEGAN, wall_time=0.5)
    assert cli.main(["report", str(tmp_path / "log")]) == 0
    rows = lines_of(capsys)
    assert ["a", "cpu", "1", "0", "100.0", "%", "2", "–"] in rows
    assert not any(row[:1] in (["all"], ["failed"], ["events"]) for row in rows)


def test_times_that_are_not_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLog(tmp_path / "log") as log:
        log.stimulus(0, seat=0, device="cpu", began=BEGAN, wall_time=1.0, loop_time=math.nan)
        log.stimulus(1, seat=0, device="cpu", began=BEGAN + 3, wall_time=math.nan, loop_time=0.25)
    assert cli.main(["report", str(tmp_path / "log")]) == 0
    rows = lines_of(capsys)
    assert ["0", "cpu", "2", "0", "33.3", "%", "0.667", "–"] in rows
    median = next(row for row in rows if row[1:2] == ["median"])
    assert (median[5], median[7]) == ("250.000", "1000.000")


def test_only_failures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLog(tmp_path / "log") as log:
        for index in range(12):
            log.stimulus(index, seat=0, device="cpu", began=BEGAN, wall_time=0.0, ok=False)
    assert cli.main(["report", str(tmp_path / "log")]) == 0
    rows = lines_of(capsys)
    assert ["stimuli", "0", "done,", "12", "failed,", "0", "retried"] in rows
    assert ["0", "cpu", "0", "12", "–", "–", "–"] in rows
    assert ["0", "median", *"––––––"] in rows
    assert ["stimulus", "9,", "1", "attempt:", "no", "reason", "given"] in rows
    assert ["and", "2", "more", "(--json", "has", "all", "of", "them)"] in rows


@pytest.mark.parametrize("text", ["", '{"type": "beg', '{"type": "begin", "format": 1}\n'])
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_empty_logs(
    text: str, more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log"
    path.write_text(text)
    assert cli.main(["report", str(path), *more]) == 0
    printed = capsys.readouterr().out
    if more:
        facts = json.loads(printed)
        assert facts["runs"] == text.endswith("\n") and facts["events"] == []
    else:
        said = "0 done" if text.endswith("\n") else "none: nothing was written yet"
        assert f"stimuli    {said}" in printed or f"stimuli  {said}" in printed
    # No picture of nothing
    assert cli.main(["report", str(path), "-o", str(tmp_path / "x.png")]) == 1
    assert "nothing to draw" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()


def test_cut_lines_are_mentioned(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-5])
    assert cli.main(["report", str(path)]) == 0
    printed = capsys.readouterr().out
    assert f"1, not written to their end: {data.count(b'\n')}" in printed
    assert "ended      not yet, or it was killed" in printed


def test_runs_of_a_log(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLog(path, model="second") as log:
        log.stimulus(0, seat=7, device="cpu", began=BEGAN + 1e6, wall_time=1.0)
    assert cli.main(["report", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "run      2 of 2" in printed and "model    second" in printed
    assert "1 done, 0 failed, 0 retried, in 1.0 s: 1/s" in printed
    assert cli.main(["report", str(path), "--run", "1"]) == 0
    assert "4 done, 1 failed" in capsys.readouterr().out
    for wrong in ("0", "3", "-1"):
        assert cli.main(["report", str(path), f"--run={wrong}"]) == 2
        assert "the log holds 2 runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ([], 2, "required: LOG"),
        (["a", "b"], 2, "unrecognized arguments: b"),
        (["nowhere"], 1, "There is no run log 'nowhere'"),
        ([__file__], 1, f"Line 1 of '{__file__}' is not of a run log of gpurun"),
    ],
)
def test_refused(
    words: list[str], status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", *words]) == status
    printed = capsys.readouterr()
    assert printed.err.startswith("gpurun: error: ") and said in printed.err
    assert printed.out == ""


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", "--help"]) == 0
    assert "usage: gpurun report" in capsys.readouterr().out


# -- numbers ---------------------------------------------------------------------------


def test_spread() -> None:
    assert Spread.of([]) == Spread.of([math.nan]) == Spread(None, None, None)
    assert Spread.of([3.0]) == Spread(3.0, 3.0, 3.0)
    # 0, 1, ..., 100 and one that is not known
    spread = Spread.of([*map(float, range(101)), math.nan])
    assert (spread.median, spread.mean, spread.p95) == pytest.approx((50.0, 50.0, 95.0))


def test_attempts_count_by_their_number_and_not_their_place() -> None:
    late = entry(0, 5.0, 1.0, attempt=1, ok=False, error="first")
    report = summarise(logged(entry(0, 7.0, 1.0, attempt=2, ok=False, error="second"), late))
    (failure,) = report.failures
    assert (failure.attempts, failure.error, report.retried) == (2, "second", 1)
    assert (report.done, report.elapsed) == (0, 3.0)


def test_seats_are_in_order() -> None:
    seats = [10, "b", 2, "a"]
    report = summarise(logged(*(entry(n, n, 1, seat=seat) for n, seat in enumerate(seats))))
    assert [one.seat for one in report.seats] == ["2", "10", "a", "b"]


def test_a_seat_that_moved() -> None:
    report = summarise(logged(entry(0, 0, 1), entry(1, 1, 1, device="cuda:1"), entry(2, 2, 1)))
    assert report.seats[0].devices == ("cuda:0", "cuda:1")


# -- what is drawn ---------------------------------------------------------------------


def test_phases_are_laid_end_to_end() -> None:
    parts = {"reset_time": 0.5, "upload_time": 1.0, "loop_time": 2.0, "read_time": 0.25}
    found = phases([entry(0, 10.0, 4.0, **parts), entry(1, 20.0, 3.0, ok=False, **parts)], 5.0)
    assert list(found) == list(PHASES)
    spans = {
        name: list(zip(one.start.tolist(), one.length.tolist(), strict=True))
        for name, one in found.items()
    }
    assert spans == {
        "reset": [(5.0, 0.5)],
        "upload": [(5.5, 1.0)],
        "loop": [(6.5, 2.0)],
        "read": [(8.5, 0.25)],
        "other": [(8.75, 0.25)],
        "failed": [(15.0, 3.0)],
    }


seconds = st.floats(0, 10) | st.just(math.nan)


@settings(deadline=None)
@given(st.lists(st.tuples(seconds, seconds, seconds, seconds, seconds, st.booleans())))
def test_phases_add_up_to_the_wall_time(times: list[tuple[float, ...]]) -> None:
    stimuli = [
        entry(n, 10.0 * n, wall, reset_time=a, upload_time=b, loop_time=c, read_time=d, ok=bool(ok))
        for n, (wall, a, b, c, d, ok) in enumerate(times)
    ]
    found = phases(stimuli, 0.0)
    total = sum(float(one.length.sum()) for one in found.values())
    assert total == pytest.approx(sum(0 if math.isnan(one[0]) else one[0] for one in times))
    for spans in found.values():
        assert (spans.length > 0).all()


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-5, 15), st.floats(0, 20)), min_size=1, max_size=20),
    st.integers(1, 9),
)
def test_coverage_is_the_length_within_each_bin(
    spans: list[tuple[float, float]], bins: int
) -> None:
    edges = np.linspace(0.0, 10.0, bins + 1)
    start, length = np.array(spans).T
    wanted = [
        sum(max(min(s + n, right) - max(s, left), 0) for s, n in spans) / (right - left)
        for left, right in pairwise(edges)
    ]
    np.testing.assert_allclose(coverage(Spans(start, length), edges), wanted, atol=1e-9)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10), st.booleans()), min_size=1))
def test_throughput_counts_every_success_once(times: list[tuple[float, float, bool]]) -> None:
    stimuli = [entry(n, BEGAN + t, w, ok=ok) for n, (t, w, ok) in enumerate(times)]
    rates, edges = throughput(stimuli, *window(stimuli))
    assert float((rates * np.diff(edges)).sum()) == pytest.approx(sum(ok for *_, ok in times))


def test_peaks_survive_thinning_out() -> None:
    values = np.full(50_000, 10)
    values[[0, 12_345, 49_999]] = 20, 99, 30
    memory = [MemoryEntry(float(n), "cpu", int(value), None, 100) for n, value in enumerate(values)]
    lines = memory_lines(memory[::-1], 5.0, most=500)  # their order does not matter
    assert set(lines["cpu"]) == {"used", "total"}
    times, used = lines["cpu"]["used"]
    assert len(times) == 500 and (np.diff(times) > 0).all()
    assert used.max() == 99 and times[used.argmax()] == 12_345 - 5
    short, _ = memory_lines(memory[:500], 0.0, most=500)["cpu"]["used"]
    np.testing.assert_array_equal(short, np.arange(500.0))


def axes_of(figure: Figure) -> dict[str, Axes]:
    return {str(axes.get_label()): axes for axes in figure.axes}


def steps_of(axes: Axes) -> list[Any]:
    """Values, edges and baseline of each set of steps."""
    assert all(isinstance(patch, StepPatch) for patch in axes.patches)
    return [patch.get_data() for patch in axes.patches if isinstance(patch, StepPatch)]


def names_of(axes: Axes) -> dict[Any, str]:
    """Names in the legend by colour."""
    legend = axes.get_legend()
    assert legend is not None
    colours = [to_rgb(patch.get_facecolor()) for patch in legend.get_patches()]
    return dict(zip(colours, (text.get_text() for text in legend.get_texts()), strict=True))


def bars_of(axes: Axes) -> dict[tuple[str, int], list[tuple[float, float]]]:
    """Beginning and end of each bar, by phase and row."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for bars in axes.collections:
        assert isinstance(bars, PolyCollection)
        corners = [np.asarray(path.vertices) for path in bars.get_paths()]
        (row,) = {round(float(one[:, 1].min()) + 0.4) for one in corners}
        name = names_of(axes)[to_rgb(bars.get_facecolor()[0])]
        found[name, row] = [(float(one[:, 0].min()), float(one[:, 0].max())) for one in corners]
    return found


def test_the_picture_of_a_few_stimuli(path: Path) -> None:
    (run,) = read_log(path).runs
    axes = axes_of(draw(run))
    assert list(axes) == ["seats", "throughput", "memory cpu", "memory cuda:0"]
    assert [text.get_text() for text in axes["seats"].get_yticklabels()] == ["0", "1"]
    bars = bars_of(axes["seats"])
    wanted = {
        ("reset", 0): [(0.0, 0.2), (3.0, 3.2)],
        ("upload", 0): [(0.2, 0.3), (3.2, 3.3)],
        ("loop", 0): [(0.3, 1.3), (3.3, 6.3), (8.0, 10.0)],
        ("read", 0): [(1.3, 1.6), (6.3, 6.6)],
        ("other", 0): [(1.6, 2.0), (6.6, 7.0)],
        ("failed", 0): [(2.0, 2.5)],
        ("other", 1): [(0.0, 1.0)],
        ("failed", 1): [(4.0, 5.0), (6.0, 6.5)],
    }
    assert bars.keys() == wanted.keys()
    for place, spans in wanted.items():
        np.testing.assert_allclose(bars[place], spans, atol=1e-6)
    marks = [line.get_xdata() for line in axes["seats"].lines if line.get_marker() == "v"]
    assert [len(np.asarray(mark)) for mark in marks] == [1, 2]
    (event,) = [line for line in axes["seats"].lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(np.asarray(event.get_xdata()), 2.5)
    assert [text.get_text() for text in axes["seats"].texts] == ["worker lost"]
    (rates,) = steps_of(axes["throughput"])
    np.testing.assert_allclose(rates.values, [0.4])
    np.testing.assert_allclose(rates.edges, [0, 10])
    used, own, total = (np.asarray(line.get_xydata()) for line in axes["memory cuda:0"].lines)
    np.testing.assert_allclose(used, [(1, 700 / 1024), (2, 600 / 1024)])
    np.testing.assert_allclose(own, [(1, 300 / 1024), (2, 500 / 1024)])
    np.testing.assert_allclose(total, [(1, 1), (2, 1)])
    assert axes["seats"].get_xlim() == (0, 10)


def test_the_picture_of_thousands_of_stimuli() -> None:
    # In the first half seat 0 simulates half of the time and reads a quarter; seat 1 fails
    stimuli = [
        entry(n, BEGAN + 0.01 * n, 0.0075, loop_time=0.005, read_time=0.0025) for n in range(2000)
    ]
    stimuli += [entry(5000 + n, BEGAN + 0.02 * n, 0.02, seat=1, ok=False) for n in range(2000)]
    axes = axes_of(draw(logged(*stimuli)))
    assert not axes["seats"].collections
    loop, read, failed = steps_of(axes["seats"])
    middle = len(loop.values) // 2
    for steps, part in ((loop, 0.5), (read, 0.25), (failed, 1.0)):
        height = np.asarray(steps.baseline) - steps.values
        assert height[:middle].mean() == pytest.approx(0.8 * part, rel=1e-6)
    np.testing.assert_allclose(loop.values[middle:], 0.4)
    # Row 0 is drawn from 0.4 up to -0.4, row 1 from 1.4 to 0.6, and reading above the loop
    assert np.max(loop.baseline) == 0.4
    np.testing.assert_allclose(failed.values, 0.6, atol=1e-4)
    np.testing.assert_array_equal(read.baseline, loop.values)
    (marks,) = axes["seats"].lines
    assert 100 <= len(np.asarray(marks.get_xdata())) <= 200
    assert "4000 attempts" in axes["seats"].get_title("left")
    (rates,) = steps_of(axes["throughput"])
    assert float((rates.values * np.diff(rates.edges)).sum()) == pytest.approx(2000)


def test_a_log_of_memory_alone() -> None:
    memory = tuple(MemoryEntry(BEGAN + n, "cpu", n * 1024**3, None, None) for n in range(3))
    (axes,) = draw(logged(memory=memory)).axes
    (line,) = axes.lines
    np.testing.assert_allclose(np.asarray(line.get_xydata()), [(0, 0), (1, 1), (2, 2)])


@pytest.mark.parametrize(("name", "head"), [("x.png", b"\x89PNG"), ("x.svg", b"<?xml")])
def test_picture_files(
    path: Path, name: str, head: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    target = path.with_name(name)
    assert cli.main(["report", str(path), "-o", str(target)]) == 0
    assert target.read_bytes().startswith(head)
    assert "4 done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x.doc", "expected a name that ends in .png, .svg or .pdf"),
        ("x", "expected a name that ends in .png, .svg or .pdf"),
        ("no/x.png", "cannot be written (No such file or directory)"),
    ],
)
def test_pictures_that_cannot_be_made(
    path: Path, name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["report", str(path), "-o", str(path.with_name("x").parent / name)]) == 1
    printed = capsys.readouterr()
    assert said in printed.err and "4 done" in printed.out


def test_without_matplotlib(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "gpurun.cli.report_picture")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert cli.main(["report", str(path)]) == 0
    assert capsys.readouterr().err == ""
    assert cli.main(["report", str(path), "-o", str(path.with_name("x.png"))]) == 1
    printed = capsys.readouterr()
    assert "4 done" in printed.out
    assert "pip install 'gpurun[images]'" in printed.err and printed.err.count("\n") == 1


def test_neither_pyplot_nor_brian_is_imported(path: Path) -> None:
    program = (
        "import sys; from gpurun import cli; cli.main(sys.argv[1:4]); "
        "print([m for m in ('matplotlib', 'brian2') if m in sys.modules]); "
        "cli.main(sys.argv[1:]); print('matplotlib.pyplot' in sys.modules)"
    )
    words = ["report", str(path), "--run=1", "-o", str(path.with_name("x.svg"))]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert "[]" in lines and lines[-1] == "False"
