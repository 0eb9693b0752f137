"""The thread that writes what a simulation hands over."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpurun
from gpurun.errors import ResultsError
from gpurun.results_file import ResultsWriter
from gpurun.stream import StreamWriter
from tests.unit.results_runs import RECORDERS, results_manifest, spike_rows, trace_rows

PATIENCE = 60.0


class Gate:
    """A sink that takes one thing for each `let`."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.taken: list[Any] = []
        self.entered = threading.Semaphore(0)
        self._permits = threading.Semaphore(0)
        self._fail_at = fail_at

    def let(self, count: int = 1) -> None:
        self._permits.release(count)

    def append(self, monitor: str, columns: Mapping[str, Any]) -> None:
        self.entered.release()
        assert self._permits.acquire(timeout=PATIENCE)
        if len(self.taken) == self._fail_at:
            raise ResultsError("The disk is full.", path="x", reason="full")
        self.taken.append((monitor, columns["n"]))

    def flush(self, *, wait: bool) -> None:
        self.taken.append("flush, wait" if wait else "flush")


def test_what_was_put_is_written_in_order(tmp_path: Path) -> None:
    options: dict[str, Any] = {"manifest": results_manifest(), "recorders": RECORDERS}
    with ResultsWriter(tmp_path / "r.zarr", sync=False, **options) as out, out.run() as run:
        with StreamWriter(run, slots=2) as stream:
            for first in range(0, 1000, 100):
                stream.put("spikes", spike_rows(first, 100))
                stream.put("trace", trace_rows(first, 100))
                if first == 500:
                    stream.flush()
                    assert run.rows() == {"spikes": 600, "trace": 600}
        assert run.rows() == {"spikes": 1000, "trace": 1000}
    (record,) = gpurun.open_results(tmp_path / "r.zarr")
    assert np.array_equal(record["spikes"].v, spike_rows(0, 1000)["v"])
    assert np.array_equal(record["trace"].g, trace_rows(0, 1000)["g"].T)


def test_put_waits_while_the_queue_is_full() -> None:
    sink = Gate()
    stream = StreamWriter(sink, slots=2)
    done: list[int] = []

    def simulate() -> None:
        for n in range(6):
            stream.put("m", {"n": n})
            done.append(n)

    simulation = threading.Thread(target=simulate)
    simulation.start()
    for written in range(6):
        assert sink.entered.acquire(timeout=PATIENCE)
        # One is being written, two wait; the next put waits for one of these
        assert len(done) <= written + 3
        assert len(sink.taken) == written
        sink.let()
    simulation.join(PATIENCE)
    stream.close()
    assert sink.taken == [*(("m", n) for n in range(6)), "flush"]


def test_an_error_comes_back_at_the_next_put() -> None:
    sink = Gate(fail_at=1)
    stream = StreamWriter(sink, slots=1)
    sink.let(3)
    stream.put("m", {"n": 0})
    with pytest.raises(ResultsError, match="full"):  # noqa: PT012
        for n in range(1, 5):
            stream.put("m", {"n": n})
    assert stream.failed
    for call in (lambda: stream.put("m", {"n": 9}), stream.flush, stream.close):
        with pytest.raises(ResultsError, match="full"):
            call()
    stream.close()  # told once
    assert sink.taken == [("m", 0)]


def test_a_put_that_waits_is_woken_by_an_error() -> None:
    sink = Gate(fail_at=0)
    stream = StreamWriter(sink, slots=1)
    stream.put("m", {"n": 0})
    assert sink.entered.acquire(timeout=PATIENCE)
    stream.put("m", {"n": 1})  # the queue is full now
    errors: list[Exception] = []

    def simulate() -> None:
        try:
            stream.put("m", {"n": 2})
        except ResultsError as error:
            errors.append(error)

    simulation = threading.Thread(target=simulate)
    simulation.start()
    sink.let()
    simulation.join(PATIENCE)
    assert not simulation.is_alive()
    assert [str(error) for error in errors] == ["The disk is full."]


def test_an_error_does_not_hide_another() -> None:
    sink = Gate(fail_at=0)
    sink.let()
    stream = StreamWriter(sink)
    stream.put("m", {"n": 0})
    with pytest.raises(ZeroDivisionError), stream:
        raise ZeroDivisionError
    sink = Gate(fail_at=0)
    sink.let()
    stream = StreamWriter(sink)
    with pytest.raises(ResultsError, match="full"), stream:
        stream.put("m", {"n": 0})


def test_after_close() -> None:
    sink = Gate()
    stream = StreamWriter(sink)
    stream.close()
    stream.close()
    stream.flush()
    assert sink.taken == ["flush"]
    with pytest.raises(RuntimeError, match="closed"):
        stream.put("m", {"n": 0})
    with pytest.raises(ValueError, match="at least one slot"):
        StreamWriter(sink, slots=0)


def test_a_full_disk_keeps_what_was_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from gpurun.results_store import Disk

    out = ResultsWriter(tmp_path / "r.zarr", sync=False, chunk_bytes=800)
    run = out.run()
    stream = StreamWriter(run)
    stream.put("spikes", spike_rows(0, 150))
    stream.flush()
    with monkeypatch.context() as patch:

        def full(*arguments: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(Disk, "write", full)
        stream.put("spikes", spike_rows(150, 500))
        with pytest.raises(ResultsError, match="full"):
            stream.close()
    out.close()
    (record,) = gpurun.open_results(tmp_path / "r.zarr")
    assert np.array_equal(record["spikes"].v, spike_rows(0, 150)["v"])
    assert not record.finished


def test_only_who_asks_waits_for_the_disk() -> None:
    sink = Gate()
    stream = StreamWriter(sink)
    stream.flush(wait=False)
    stream.flush()
    stream.close()
    assert sink.taken == ["flush", "flush, wait", "flush"]
