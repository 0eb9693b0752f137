"""Results files while they are written, after a kill, and on a full disk."""

from __future__ import annotations

import errno
import random
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpurun
from gpurun.errors import ResultsError
from gpurun.results_file import ResultsWriter
from gpurun.results_reader import Results, describe_results
from gpurun.results_store import Disk
from tests.unit.results_runs import RECORDERS, ROWS, results_manifest, spike_rows, trace_rows

ROOT = Path(__file__).parents[2]


@contextmanager
def process(path: Path, *arguments: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A writer in another process, which has begun its first run."""
    command = [sys.executable, "-m", "tests.unit.results_writer", str(path), *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    ) as child:
        try:
            assert child.stdout is not None and child.stderr is not None
            if child.stdout.readline().strip() != "begun":
                raise AssertionError(child.stderr.read())
            yield child
        finally:
            child.kill()


def check(results: Results) -> list[dict[str, int]]:
    """Every run holds the first rows of each monitor; returns how many."""
    found = []
    for run in results:
        counts = {}
        for monitor in run:
            counts[monitor] = len(run[monitor])
            for name, rows in ROWS[monitor](0, counts[monitor]).items():
                assert np.array_equal(run[monitor][name], rows.T), (run, monitor, name)
        found.append(counts)
    return found


# -- a reader beside a writer ------------------------------------------------------------------


def test_a_reader_beside_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    looks: list[tuple[int, int]] = []
    with process(path, 1, 2000, 4) as child:
        results = gpurun.open_results(path)
        while True:
            over = child.poll() is not None
            counts = check(results.refresh())
            looks.append((len(counts), sum(counts[-1].values()) if counts else 0))
            assert [run.finished for run in results][:-1] == [True] * (len(results) - 1)
            for monitor in results.monitors:
                # All runs in one: committed rows only
                table = results[monitor]
                assert len(table) == sum(count.get(monitor, 0) for count in counts)
            assert describe_results(path)["runs"] >= len(results)
            if over:
                break
        assert child.returncode == 0
    assert looks == sorted(looks)
    assert len(set(looks)) > 2  # it was seen growing
    assert counts == [dict.fromkeys(ROWS, 2000)] * 4


def test_a_second_writer_is_kept_out(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    with process(path, 1, 10**9) as child:
        started = time.monotonic()
        for timeout in (0.0, 0.2):
            with pytest.raises(ResultsError, match="Another writer is at work") as caught:
                ResultsWriter(path, timeout=timeout)
            assert caught.value.fields == {"path": str(path), "reason": "locked"}
        assert time.monotonic() - started >= 0.2
        child.kill()
        child.wait()
        with ResultsWriter(path) as out:  # a kill leaves no lock
            with pytest.raises(ResultsError, match="Another writer"):
                ResultsWriter(path)
            out.run().finish()
    with ResultsWriter(path) as out:
        assert out.run().number == 2


# -- kills -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_kills(tmp_path: Path, seed: int) -> None:
    """One file, whose writer is killed again and again at random moments."""
    path = tmp_path / "r.zarr"
    moments = random.Random(seed)
    before: list[dict[str, int]] = []
    for _ in range(3):
        with process(path, moments.randrange(10**6), 3000) as child:
            time.sleep(moments.uniform(0, 0.8))
            child.send_signal(signal.SIGKILL)
            child.wait()
        results = gpurun.open_results(path)
        counts = check(results)
        assert len(counts) > len(before)
        # What was there is there
        assert counts[: len(before)] == before
        assert results[-1].finished is False
        assert [facts["seed"] for facts in results.runs][len(before) :] == list(
            range(len(counts) - len(before))
        )
        before = counts
    with ResultsWriter(path, manifest=results_manifest(), recorders=RECORDERS) as out:
        assert not list(path.rglob("*.partial"))
        with out.run() as run:
            for monitor, rows in ROWS.items():
                run.append(monitor, rows(0, 1234))
    results = gpurun.open_results(path)
    assert check(results) == [*before, dict.fromkeys(ROWS, 1234)]
    for monitor in ROWS:
        expected = [count[monitor] for count in before if monitor in count] + [1234]
        assert np.diff(results[monitor].offsets).tolist() == expected


class _KilledError(BaseException):
    """Stands for a kill: nothing of ours catches it."""


def _killed_at(monkeypatch: pytest.MonkeyPatch, number: int, error: BaseException) -> list[str]:
    """Make the write with this number, and all after it, fail; returns what was written."""
    written: list[str] = []
    original = Disk.write

    def write(self: Disk, key: str, content: bytes) -> None:
        if len(written) >= number:
            raise error
        original(self, key, content)
        written.append(key)

    monkeypatch.setattr(Disk, "write", write)
    return written


def _story(path: Path) -> None:
    """Something of everything, in few writes."""
    out = ResultsWriter(
        path, manifest=results_manifest(), recorders=RECORDERS, chunk_bytes=1024, sync=False
    )
    try:
        for _ in range(2):
            run = out.run()
            run.append("spikes", spike_rows(0, 100))
            run.append("trace", trace_rows(0, 30))
            run.flush()
            run.append("trace", trace_rows(30, 30))
            run.values({"cells.v": np.arange(4.0)})
            run.finish()
    except _KilledError:
        out._lock.release()  # as the system does
        raise
    except ResultsError:
        out.close()
        raise
    out.close()


@pytest.mark.parametrize("killed_again", [False, True])
def test_a_kill_between_any_two_writes(tmp_path: Path, killed_again: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written = _killed_at(patch, 10**9, _KilledError())
        _story(tmp_path / "whole.zarr")
    assert len(written) > 50
    for number in range(len(written)):
        path = tmp_path / f"{number}.zarr"
        with pytest.MonkeyPatch.context() as patch:
            _killed_at(patch, number, _KilledError())
            with pytest.raises(_KilledError):
                _story(path)
        before = []
        if (path / "zarr.json").is_file():
            results = gpurun.open_results(path)
            before = [_rows(run) for run in results]
            describe_results(path)
        if killed_again:
            # By a writer that has only begun a run, which uses none of the tables
            out = ResultsWriter(path, manifest=results_manifest(), recorders=RECORDERS, sync=False)
            out.run()
            out._lock.release()
            before.append({})
        # A writer that comes after it overwrites what was not committed
        out = ResultsWriter(path, manifest=results_manifest(), recorders=RECORDERS, sync=False)
        with out, out.run() as run:
            run.append("spikes", spike_rows(0, 77))
            run.append("trace", trace_rows(0, 11))
            run.values({"cells.v": np.ones(4)})
        results = gpurun.open_results(path)
        assert [_rows(run) for run in results] == [*before, {"spikes": 77, "trace": 11}]
        assert results[-1]["cells.v"].tolist() == [1] * 4
        spikes = results["spikes"]
        assert len(spikes) == sum(rows.get("spikes", 0) for rows in before) + 77
        assert np.array_equal(spikes.v[-77:], spike_rows(0, 77)["v"])
        lengths = [len(run["spikes"]) for run in results if "spikes" in run]
        assert np.diff(spikes.offsets).tolist() == lengths
        values = results["cells.v"]
        assert values.runs.tolist() == [run.number for run in results if "cells.v" in run]
        assert np.array_equal(values, [run["cells.v"] for run in results if "cells.v" in run])


def _rows(run: Any) -> dict[str, int]:
    """Rows by monitor, which have to be the first ones."""
    counts = {}
    for monitor in run:
        if monitor not in ROWS:
            continue
        counts[monitor] = len(run[monitor])
        for name, rows in ROWS[monitor](0, counts[monitor]).items():
            assert np.array_equal(run[monitor][name], rows.T)
    return counts


# -- going on ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0, 1, 40, 64, 100])
def test_a_run_is_resumed(tmp_path: Path, kept: int) -> None:
    """As after a checkpoint: rows beyond it are written again."""
    path = tmp_path / "r.zarr"
    options: dict[str, Any] = {"manifest": results_manifest(), "recorders": RECORDERS}
    with ResultsWriter(path, chunk_bytes=512, **options) as out:
        out.run().finish()
        run = out.run(seed=5)
        run.append("spikes", spike_rows(0, 100))
        run.append("trace", trace_rows(0, 40))
        run.flush()
        assert run.rows() == {"spikes": 100, "trace": 40}
    with ResultsWriter(path, **options) as out:
        run = out.resume(1, {"spikes": kept})
        assert run.rows() == {"spikes": kept, "trace": 40}
        assert len(gpurun.open_results(path)[1]["spikes"]) == kept
        run.append("spikes", spike_rows(kept, 200 - kept))
        run.append("trace", trace_rows(40, 10))
        run.append("rate", ROWS["rate"](0, 3))
        run.finish(wall_time=2.0)
        for number in (0, 1, 2, -1):
            with pytest.raises(ResultsError, match=f"Run {number} .*cannot be continued"):
                out.resume(number)
        with out.run() as run:
            run.append("spikes", spike_rows(0, 5))
    results = gpurun.open_results(path)
    assert check(results) == [{}, {"spikes": 200, "trace": 50, "rate": 3}, {"spikes": 5}]
    assert results[1].facts["seed"] == 5 and results[1].finished
    assert results["spikes"].offsets.tolist() == [0, 200, 205]


def test_more_rows_than_there_are(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "r.zarr") as out:
        out.run().append("spikes", spike_rows(0, 10))
    with ResultsWriter(tmp_path / "r.zarr") as out:
        with pytest.raises(ResultsError, match="has 10 rows of 'spikes', not 11"):
            out.resume(0, {"spikes": 11})
        out.resume(0).abandon()
    assert check(gpurun.open_results(tmp_path / "r.zarr")) == [{"spikes": 10}]


# -- full disks --------------------------------------------------------------------------------


def test_a_disk_that_is_full_at_any_write(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        written = _killed_at(patch, 10**9, _KilledError())
        _story(tmp_path / "whole.zarr")
        count = len(written)
    for number in range(0, count, 3):
        path = tmp_path / f"{number}.zarr"
        with pytest.MonkeyPatch.context() as patch:
            _killed_at(patch, number, OSError(errno.ENOSPC, "No space left on device"))
            with pytest.raises(ResultsError, match=r"disk .* is full") as caught:
                _story(path)
        assert caught.value.fields["reason"] == "full"
        assert caught.value.fields["path"] == str(path)
        if (path / "zarr.json").is_file():
            for run in gpurun.open_results(path):
                _rows(run)


def test_after_a_full_disk_nothing_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.zarr"
    out = ResultsWriter(path, manifest=results_manifest(), recorders=RECORDERS)
    run = out.run()
    run.append("spikes", spike_rows(0, 10))
    run.flush()
    with monkeypatch.context() as patch:
        _killed_at(patch, 0, OSError(errno.EDQUOT, "Disk quota exceeded"))
        run.append("spikes", spike_rows(10, 10))  # held back
        with pytest.raises(ResultsError, match="full"):
            run.flush()
    for call in (run.flush, run.finish, out.run, lambda: run.append("spikes", spike_rows(20, 1))):
        with pytest.raises(ResultsError, match="full"):
            call()
    out.close()
    assert check(gpurun.open_results(path)) == [{"spikes": 10}]
    with ResultsWriter(path) as again:
        again.resume(0).finish()


def test_another_error_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ResultsWriter(tmp_path / "r.zarr").run()
    _killed_at(monkeypatch, 0, OSError(errno.EIO, "Input/output error"))
    with pytest.raises(ResultsError, match=r"Writing failed .*Input/output error") as caught:
        run.finish()
    assert caught.value.fields["reason"] == "not_written"
    assert caught.value.fields["errno"] == errno.EIO


def test_a_limit_of_the_system(tmp_path: Path) -> None:
    """The real thing: a process that may not write files as large as its chunks."""
    path = tmp_path / "r.zarr"
    limit = 20_000
    script = f"""
import resource, numpy as np
from gpurun.errors import ResultsError
from gpurun.results_file import ResultsWriter
out = ResultsWriter({str(path)!r}, chunk_bytes=8 * {limit})
run = out.run()
noise = np.random.default_rng(1).uniform(size=({limit}, 1))
run.append("a", dict(t=np.arange(100.0), v=noise[:100]))
run.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    run.append("a", dict(t=np.arange({limit}) * 1.0, v=noise))
except ResultsError as error:
    print(error.reason, error.errno)
out.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["full", str(errno.EFBIG)], done.stderr
    (run,) = gpurun.open_results(path)
    assert not run.finished
    noise = np.random.default_rng(1).uniform(size=(limit, 1))
    assert np.array_equal(run["a"].v[0], noise[:100, 0])
    assert not list(path.rglob("*.partial"))


# -- memory ------------------------------------------------------------------------------------


def _peak(path: Path, rows: int) -> int:
    with ResultsWriter(path, chunk_bytes=2**18, sync=False) as out, out.run() as run:
        tracemalloc.start()
        try:
            for first in range(0, rows, 50):
                n = np.arange(first, first + 50.0)
                run.append("trace", {"t": n, "v": np.tile(n[:, None], 200)})
            run.flush()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def test_memory_does_not_grow_with_the_run(tmp_path: Path) -> None:
    _peak(tmp_path / "warm.zarr", 1000)
    short, long = _peak(tmp_path / "short.zarr", 2000), _peak(tmp_path / "long.zarr", 20_000)
    assert long < 2 * short
    assert long < 20_000 * 200 * 8 / 4
    (run,) = gpurun.open_results(tmp_path / "long.zarr")
    assert run["trace"].v[199, -1] == 19_999


def test_the_reader_takes_no_memory_for_what_is_not_asked(tmp_path: Path) -> None:
    _peak(tmp_path / "r.zarr", 20_000)
    tracemalloc.start()
    try:
        (run,) = gpurun.open_results(tmp_path / "r.zarr")
        assert run["trace"].v[:, 10_000:10_010].shape == (200, 10)
        assert tracemalloc.get_traced_memory()[1] < 20_000 * 200 * 8 / 8
    finally:
        tracemalloc.stop()
