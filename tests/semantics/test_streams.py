"""Monitors that are streamed: the file holds what memory would, which stays small."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import gpurun
from gpurun import monitor_memory
from gpurun.errors import (
    ConfigError,
    MonitorMemoryError,
    OverrideError,
    ResultsError,
    SessionError,
    UnknownVariableError,
)
from tests import backend, models
from tests.states import assert_same, same, state

STEPS = 300 if backend.EMULATED else 2000
TOTAL = STEPS * models.DT


@pytest.fixture(scope="module")
def everything() -> models.Script:
    return models.built(models.everything)


def monitors_of(script: models.Script) -> list[str]:
    """The monitors that record more than counts."""
    manifest, index = script.model.manifest, script.model.index
    return [
        name
        for name, variables in manifest.monitors.items()
        if any(manifest.variables[index[v]].kind != "array" for v in variables)
    ]


def recorded(script: models.Script, **options: Any) -> dict[str, dict[str, np.ndarray]]:
    """What the monitors hold after an ordinary run."""
    names = monitors_of(script)
    with script.model.session() as session:
        result = session.run(record=names, **options)
    return {name: {v: result[name][v] for v in result[name]} for name in names}


def assert_equal(found: Any, expected: dict[str, dict[str, np.ndarray]]) -> None:
    """A run of a file against what a RunResult gave."""
    for name, columns in expected.items():
        for variable, values in columns.items():
            if variable in ("N", "count", "source_idx", "source") or values.ndim == 0:
                continue
            if not hasattr(found[name], variable):
                continue
            streamed = np.asarray(getattr(found[name], variable)[:])
            assert streamed.shape == values.shape, (name, variable)
            assert same(streamed, values), (name, variable)


@pytest.mark.parametrize("chunk", [1, 7, None])
def test_the_file_holds_what_memory_would(
    everything: models.Script, tmp_path: Path, chunk: int | None
) -> None:
    expected = recorded(everything, duration=TOTAL, seed=3)
    assert sum(len(columns["t"]) for columns in expected.values()) > STEPS
    path = tmp_path / "results.zarr"
    with everything.model.session() as session:
        for name in expected:
            session.stream(name, path, chunk=chunk)
        assert session.streams == dict.fromkeys(expected, path)
        result = session.run(duration=TOTAL, seed=3, record=["spikes.count", "exc.v"])
        # Complete as soon as the call returns
        assert_equal(gpurun.open_results(path)[0], expected)
        assert np.array_equal(result["spikes.count"], expected["spikes"]["count"])
        for name in expected:
            assert session.read(f"{name}.N") == 0
    [facts] = gpurun.open_results(path).runs
    assert facts["finished"]
    assert facts["seed"] == 3


def test_runs_and_advances(everything: models.Script, tmp_path: Path) -> None:
    path = tmp_path / "results.zarr"
    part = 70 * models.DT
    with everything.model.session() as session:
        session.stream("spikes", path, chunk=16)
        session.stream("trace", path, chunk=16)
        for seed in (1, 2):
            session.run({"exc.v": 0.001 * seed}, duration=part, seed=seed)
            session.advance(part)
            session.advance(0)
            session.advance(models.DT)
    results = gpurun.open_results(path)
    assert len(results) == 2
    for number, seed in enumerate((1, 2)):
        with everything.model.session() as session:
            session.run({"exc.v": 0.001 * seed}, duration=part, seed=seed)
            whole = session.advance(part + models.DT, record=["spikes", "trace"])
        assert_equal(
            results[number],
            {name: {v: whole[name][v] for v in whole[name]} for name in ("spikes", "trace")},
        )
        [(name, facts)] = results.runs[number]["overrides"].items()
        assert name == "exc.v"
        assert len(facts["digest"]) == 40


def test_nothing_else_changes(everything: models.Script, tmp_path: Path) -> None:
    with everything.model.session() as session, everything.model.session() as other:
        names = monitors_of(everything)
        for name in names:
            session.stream(name, tmp_path / "results.zarr", chunk=11)
        session.run(duration=TOTAL, seed=3)
        other.run(duration=TOTAL, seed=3)
        one, two = state(session), state(other)
        monitored = {v for name in names for v in everything.model.manifest.monitors[name]}
        assert_same(one, two, but=[v for v in monitored if not v.endswith(".count")])
        # ... and afterwards memory holds everything again
        for name in names:
            session.end_stream(name)
        assert not session.streams
        session.run(duration=TOTAL, seed=3)
        assert_same(state(session), two)


def test_what_cannot_be_streamed(everything: models.Script, tmp_path: Path) -> None:
    path = tmp_path / "results.zarr"
    with everything.model.session() as session:
        for key, error in (
            ("exc.v", OverrideError),
            ("nothing", UnknownVariableError),
            ("counts", OverrideError),
        ):
            with pytest.raises(error):
                session.stream(key, path)
        for chunk in (0, -1, 1.5, True):
            with pytest.raises(ConfigError):
                session.stream("spikes", path, chunk=chunk)  # type: ignore[arg-type]
        assert not path.exists()
        session.stream("spikes", path)
        with pytest.raises(SessionError, match="already"):
            session.stream("spikes", tmp_path / "other.zarr")
        with pytest.raises(SessionError, match="not streamed"):
            session.end_stream("trace")
        for key in ("spikes", "spikes.t"):
            with pytest.raises(OverrideError, match="open_results"):
                session.run(record=[key], duration=models.DT)
        (tmp_path / "a file").write_text("mine")
        with pytest.raises(ResultsError):
            session.stream("trace", tmp_path / "a file")
        session.run(record=["spikes.count", "trace"], duration=models.DT)


def test_a_file_that_cannot_be_written(
    everything: models.Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk ends the run; what was written before is there, and the session goes on."""
    from gpurun.results_run import RunWriter

    path = tmp_path / "results.zarr"
    append, calls = RunWriter.append, []

    def full(self: RunWriter, *arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 4:
            raise ResultsError("No space left on device", path=str(path), reason="full")
        append(self, *arguments)

    monkeypatch.setattr(RunWriter, "append", full)
    with everything.model.session() as session:
        session.stream("trace", path, chunk=10)
        with pytest.raises(ResultsError, match="No space left"):
            session.run(duration=TOTAL, seed=3)
        assert 0 < session.t < TOTAL
        session.end_stream("trace")
        session.advance(models.DT, record=["trace"])
    expected = recorded(everything, duration=TOTAL, seed=3)
    found = gpurun.open_results(path)[0]
    values = np.asarray(found["trace"].v[:])
    assert values.shape[1] == 30
    assert same(values, expected["trace"]["v"][:, :30])


def test_memory_is_flat(everything: models.Script, tmp_path: Path) -> None:
    process = psutil.Process()
    with everything.model.session() as session:
        for name in monitors_of(everything):
            session.stream(name, tmp_path / "results.zarr", chunk=50)
        session.run(duration=TOTAL)
        before = process.memory_info().rss
        for _ in range(3):
            session.advance(2 * TOTAL)
        assert process.memory_info().rss - before < 32 * 2**20
        for name in monitors_of(everything):
            assert session.read(f"{name}.t").size == 0


def test_monitors_that_would_not_fit(
    everything: models.Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with everything.model.session() as session:
        session.run(duration=10 * models.DT)
        before = state(session)
        with pytest.raises(MonitorMemoryError, match="trace") as caught:
            session.run(duration=1e9)
        assert caught.value.fields["needed"] > caught.value.fields["free"] > 0
        assert caught.value.fields["monitors"]["trace"] > 10**9
        with pytest.raises(MonitorMemoryError):
            session.advance(1e9)
        assert_same(state(session), before)
        # Nothing is wrong with a long run as such
        for name in monitors_of(everything):
            session.stream(name, tmp_path / "results.zarr")
        session.run(duration=1e9, progress=lambda done, wall: True)
        assert session.t > 0


def test_how_much_monitors_need(everything: models.Script) -> None:
    manifest = everything.model.manifest
    sizes = monitor_memory.needed_bytes(manifest, 1.0, streamed=())
    with everything.model.session() as session:
        session.run(duration=1000 * models.DT)
        for name, size in sizes.items():
            assert session._instance.recorded_bytes(name) == pytest.approx(
                size * 1000 * models.DT, rel=0.01
            )


@pytest.mark.skipif(backend.BACKEND != "cpu", reason="CUDA does not survive a fork")
def test_a_forked_child_leaves_the_file_to_the_parent(
    everything: models.Script, tmp_path: Path
) -> None:
    path = tmp_path / "results.zarr"
    with everything.model.session() as session:
        session.stream("trace", path, chunk=10)
        session.run(duration=TOTAL, seed=3)
        with warnings.catch_warnings():
            # Threads do not live on in the child; that is the point
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            status = 1
            try:
                result = session.run(duration=30 * models.DT, record=["trace"])
                status = int(result["trace"].t.size == 0 or bool(session.streams))
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        session.advance(30 * models.DT)
    expected = recorded(everything, duration=TOTAL + 30 * models.DT, seed=3)
    [found] = gpurun.open_results(path)
    assert_equal(found, {"trace": expected["trace"]})


def test_rows_are_on_the_disk_before_the_state_that_they_led_to(
    everything: models.Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    stream, state_file = tmp_path / "results.zarr", tmp_path / "state.h5"
    with everything.model.session() as session:
        session.stream("spikes", stream)
        session.run(duration=TOTAL)
        monkeypatch.setattr(os, "fsync", note)
        session.run(duration=TOTAL)
        # Seconds ago is late enough for a run; a short one does not wait each time
        assert not any(name.startswith(str(stream)) for name in synced)
        session.save(state_file)
    rows = [n for n, name in enumerate(synced) if name.startswith(str(stream))]
    states = [n for n, name in enumerate(synced) if "state.h5" in name]
    assert rows
    assert states
    assert rows[0] < states[0]
