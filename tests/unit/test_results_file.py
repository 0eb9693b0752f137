"""Results files: what was appended is what is read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings

import gpurun
from gpurun.errors import ResultsError, UnknownVariableError
from gpurun.results_file import ResultsWriter
from gpurun.results_reader import Results, describe_results
from gpurun.results_schema import Recorder, describe_overrides
from tests.unit.results_runs import (
    ELEMENTS,
    RECORDERS,
    ROWS,
    results_manifest,
    spike_rows,
    trace_rows,
)

SMALL = 512  # bytes of a chunk, so that a few rows fill some


def writer(path: Path, **options: Any) -> ResultsWriter:
    given: dict[str, Any] = {
        "manifest": results_manifest(),
        "model_digest": "abc",
        "recorders": RECORDERS,
        "sync": False,
        "chunk_bytes": SMALL,
    }
    return ResultsWriter(path, **{**given, **options})


def check_rows(run: Any, monitor: str, count: int) -> None:
    expected = ROWS[monitor](0, count)
    found = run[monitor]
    assert len(found) == count
    assert set(found) >= set(expected)
    for name, rows in expected.items():
        assert found[name].dtype == rows.dtype
        assert np.array_equal(found[name], rows.T)


# -- round trips -------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    runs=st.lists(
        st.lists(
            st.tuples(st.sampled_from(sorted(ROWS)), st.integers(0, 150), st.booleans()),
            max_size=8,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_runs_in_any_pieces(
    tmp_path_factory: pytest.TempPathFactory, runs: list[list[tuple[str, int, bool]]]
) -> None:
    path = tmp_path_factory.mktemp("results") / "r.zarr"
    totals = []
    for number, pieces in enumerate(runs):
        done: dict[str, int] = {}
        with writer(path) as out, out.run(seed=number) as run:
            assert run.number == number
            for monitor, count, flush in pieces:
                run.append(monitor, ROWS[monitor](done.get(monitor, 0), count))
                done[monitor] = done.get(monitor, 0) + count
                if flush:
                    run.flush()
                    assert run.rows() == done
        totals.append(done)
    results = gpurun.open_results(path)
    assert len(results) == len(runs)
    assert [facts["seed"] for facts in results.runs] == list(range(len(runs)))
    for run, done in zip(results, totals, strict=True):
        assert set(run) == set(done)
        for monitor, count in done.items():
            check_rows(run, monitor, count)
    for monitor in ROWS:
        lengths = [done[monitor] for done in totals if monitor in done]
        if lengths:
            table = results[monitor]
            assert np.diff(table.offsets).tolist() == lengths
            assert table.runs.tolist() == [n for n, done in enumerate(totals) if monitor in done]
            column = next(name for name in table if name not in ("t", "i"))
            expected = [ROWS[monitor](0, length)[column].T for length in lengths]
            assert np.array_equal(table[column], np.concatenate(expected, axis=-1))


def test_many_runs_of_one_writer(tmp_path: Path) -> None:
    with writer(tmp_path / "r.zarr") as out:
        for number in range(30):
            with out.run(seed=number) as run:
                run.append("spikes", spike_rows(0, number))
                run.values({"cells.v": np.full(4, float(number)), "spikes.count": np.arange(4)})
    results = gpurun.open_results(tmp_path / "r.zarr")
    assert results["spikes"].offsets.tolist() == np.cumsum([0, *range(30)]).tolist()
    assert np.array_equal(results["cells.v"], np.arange(30.0)[:, None] * np.ones(4))
    assert results["cells.v"].runs.tolist() == list(range(30))
    check_rows(results[-1], "spikes", 29)
    assert results[7]["spikes"].count.tolist() == [0, 1, 2, 3]
    assert results[7]["cells.v"].tolist() == [7.0] * 4
    with pytest.raises(IndexError, match="30 runs"):
        results[30]


def test_values_of_every_kind(tmp_path: Path) -> None:
    values = {
        "cells.v": np.array([np.nan, np.inf, -0.0, 1e-300]),
        "cells.on": np.array([True, False, True, True]),
        "cells.kind": np.array([-1, 0, 2**31 - 1, -(2**31)], dtype=np.int32),
        "cells.small": np.arange(4, dtype=np.float32),
        "cells.shared": np.array([2.5]),
        "stim": np.arange(6.0).reshape(3, 2),
        "links.w": np.zeros(0),
    }
    with writer(tmp_path / "r.zarr") as out, out.run() as run:
        run.values(values)
        run.values({"cells.shared": np.array([3.5])})  # the later one counts
    (run,) = gpurun.open_results(tmp_path / "r.zarr")
    assert set(run) == set(values)
    for name, value in values.items():
        assert run[name].dtype == value.dtype
        expected = np.array([3.5]) if name == "cells.shared" else value
        assert np.array_equal(run[name], expected, equal_nan=value.dtype.kind == "f")


def test_nothing_recorded_is_not_the_same_as_no_monitor(tmp_path: Path) -> None:
    with writer(tmp_path / "r.zarr") as out, out.run() as run:
        run.append("spikes", spike_rows(0, 0))
    (run,) = gpurun.open_results(tmp_path / "r.zarr")
    assert run["spikes"].t[:].tolist() == []
    assert "trace" not in run
    with pytest.raises(UnknownVariableError, match=r"'trace' is not in run 0.*spikes"):
        run["trace"]


def test_what_changes_between_runs_is_kept_apart(tmp_path: Path) -> None:
    with writer(tmp_path / "r.zarr") as out:
        for width in (2, 3, 2):
            with out.run() as run:
                n = np.arange(10.0)
                run.append("other", {"t": n, "v": n[:, None] + np.arange(width)})
                run.values({"cells.v": np.zeros(width)})
    results = gpurun.open_results(tmp_path / "r.zarr")
    assert [run["other"].v.shape for run in results] == [(2, 10), (3, 10), (2, 10)]
    assert [run["cells.v"].shape for run in results] == [(2,), (3,), (2,)]
    assert results[2]["other"].v[1].tolist() == list(range(1, 11))
    for name in ("other", "cells.v"):
        with pytest.raises(ResultsError, match=r"not recorded in the same way.*results\[run\]"):
            results[name]


def test_without_a_manifest(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "r.zarr") as out, out.run() as run:
        run.append("a", spike_rows(0, 5))
        run.append("b", trace_rows(0, 5))
        run.append("time", {"t": np.arange(3.0), "time": np.ones(3), "neuron": np.zeros(3)})
    results = gpurun.open_results(tmp_path / "r.zarr")
    assert results[0]["a"].i[:].tolist() == [0, 1, 2, 3, 0]
    assert results[0]["b"].elements.tolist() == [0, 1]
    # Names that mean something in the file, too
    assert results[0]["time"]["time"][:].tolist() == [1, 1, 1]
    assert results[0]["time"].neuron[:].tolist() == [0, 0, 0]
    kinds = {entry["name"]: entry["kind"] for entry in describe_results(results.path)["monitors"]}
    assert kinds == {"a": "events", "b": "state", "time": "rate"}


# -- what the file says ----------------------------------------------------------------------


def test_facts_of_a_run(tmp_path: Path) -> None:
    overrides = describe_overrides({"cells.v": np.arange(4.0), "tau": 0.25, "gen": ([1], [0.1])})
    with writer(tmp_path / "r.zarr") as out:
        run = out.run(seed=np.uint32(7), device="cpu", overrides=overrides, label={3, 1})
        assert gpurun.open_results(tmp_path / "r.zarr").runs[0]["finished"] is False
        run.finish(completed=0.5, wall_time=1.25, steps=np.int64(10))
        with out.run(seed=8) as run, pytest.raises(ResultsError, match=r"plain data.*object"):
            run.finish(thing=object())
    first, second = gpurun.open_results(tmp_path / "r.zarr").runs
    assert (first["number"], first["seed"], first["device"], first["label"]) == (
        0,
        7,
        "cpu",
        [1, 3],
    )
    assert (first["completed"], first["wall_time"], first["steps"]) == (0.5, 1.25, 10)
    assert (first["model_digest"], first["brian2"], first["backend"]) == ("abc", "2.10.1", "cpu")
    assert first["gpurun"] == gpurun.__version__
    assert first["began"] <= first["ended"] <= second["began"]
    assert first["overrides"] == overrides
    assert overrides["tau"]["value"] == 0.25
    assert len({entry["digest"] for entry in overrides.values()}) == 3
    assert second["finished"] is True


def test_zarr_alone_can_read_it(tmp_path: Path) -> None:
    """The layout that docs/results.md describes."""
    with writer(tmp_path / "r.zarr") as out:
        for count in (30, 0, 50):
            with out.run() as run:
                run.append("spikes", spike_rows(0, count))
                run.append("trace", trace_rows(0, count))
                run.values({"cells.v": np.arange(4.0) + count})
    root = zarr.open_group(str(tmp_path / "r.zarr"), mode="r")
    assert root.attrs["format"] == "gpurun results"
    spikes: Any = root["monitors/spikes"]
    assert dict(spikes.attrs) | {"kind": "events", "source": "cells", "dt": 1e-4} == {
        **spikes.attrs, "kind": "events", "monitor": "spikes", "source": "cells", "dt": 1e-4,
        "size": 4,
    }  # fmt: skip
    run, offsets = spikes["run"][:], spikes["offsets"][:]
    assert run.tolist() == [0, 1, 2]
    assert offsets.tolist() == [0, 30, 30, 80]
    assert np.array_equal(spikes["i"][offsets[2] : offsets[3]], spike_rows(0, 50)["i"])
    assert spikes["v"].attrs["units"] == "V"
    assert spikes["v"].attrs["dimension"] == "m^2 kg s^-3 A^-1"
    trace: Any = root["monitors/trace"]
    assert trace["neuron"][:].tolist() == ELEMENTS.tolist()
    assert trace["v"].metadata.dimension_names == ("time", "neuron")
    assert trace["time"].attrs["units"] == "s"
    assert np.array_equal(trace["g"][30:80], trace_rows(0, 50)["g"])
    values: Any = root["values/cells.v"]
    assert values["value"].metadata.dimension_names == ("run", "cells.i")
    assert values["value"][:, 0].tolist() == [30, 0, 50]
    facts: Any = root["runs/2"]
    assert facts.attrs["monitors"]["spikes"] == {
        "table": "monitors/spikes", "start": 30, "stop": 80,
    }  # fmt: skip
    # Nothing that zarr does not know lies between its own
    assert sorted(name for name, _ in root.members()) == ["monitors", "runs", "values"]


def test_what_a_file_holds_as_plain_data(tmp_path: Path) -> None:
    with writer(tmp_path / "r.zarr") as out:
        with out.run() as run:
            run.append("spikes", spike_rows(0, 70))
            run.append("trace", trace_rows(0, 40))
            run.values({"cells.v": np.arange(4.0)})
        out.run().append("spikes", spike_rows(0, 10))
    described = describe_results(tmp_path / "r.zarr")
    assert json.loads(json.dumps(described)) == described
    assert (described["runs"], described["finished"]) == (2, 1)
    assert described["models"] == ["abc"]
    spikes, trace = described["monitors"]
    assert (spikes["name"], spikes["rows"], spikes["runs"], spikes["source"]) == (
        "spikes", 80, 2, "cells",
    )  # fmt: skip
    assert (trace["rows"], trace["runs"], trace["elements"]) == (40, 1, 2)
    assert trace["columns"]["v"] == {"dtype": "float64", "units": "V"}
    (value,) = described["values"]
    assert (value["name"], value["runs"], value["shape"], value["units"]) == (
        "cells.v", 1, [4], "V",
    )  # fmt: skip
    on_disk = sum(p.stat().st_size for p in (tmp_path / "r.zarr").rglob("*") if p.is_file())
    assert described["bytes"] == on_disk
    assert 0 < spikes["bytes"] + trace["bytes"] + value["bytes"] < on_disk


# -- reading what is asked for -----------------------------------------------------------------


def test_a_slice_reads_only_its_chunks(tmp_path: Path) -> None:
    with writer(tmp_path / "r.zarr") as out, out.run() as run:
        run.append("trace", trace_rows(0, 400))
    (run,) = gpurun.open_results(tmp_path / "r.zarr")
    folder = tmp_path / "r.zarr" / "monitors" / "trace" / "v"
    rows = json.loads((folder / "zarr.json").read_text())["chunk_grid"]["configuration"][
        "chunk_shape"
    ][0]
    assert 2 * rows < 400
    for chunk in (folder / "c").iterdir():
        if chunk.name != "1":
            (chunk / "0").write_bytes(b"not a chunk")
    expected = trace_rows(0, 400)["v"].T
    assert np.array_equal(run["trace"].v[:, rows : 2 * rows], expected[:, rows : 2 * rows])
    with pytest.raises(ResultsError, match=r"trace/v' of .* cannot be read"):
        run["trace"].v[:, rows - 1]
    (folder / "c" / "0" / "0").unlink()
    with pytest.raises(ResultsError, match=r"trace/v' of .* cannot be read"):
        run["trace"].v[:, rows - 1]


SHAPE = (37, 5)
axis = st.one_of(
    st.slices(SHAPE[0]),
    st.integers(-SHAPE[0], SHAPE[0] - 1),
    st.lists(st.integers(-SHAPE[0], SHAPE[0] - 1), max_size=6),
    st.lists(st.booleans(), min_size=SHAPE[0], max_size=SHAPE[0]).map(np.array),
)
other = st.one_of(st.slices(SHAPE[1]), st.integers(-SHAPE[1], SHAPE[1] - 1))
KEYS = st.one_of(
    axis, st.tuples(axis, other), st.just(...), st.tuples(st.just(...), other), st.just(())
)


@pytest.fixture(scope="module")
def lazy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, np.ndarray]:
    values = np.arange(float(np.prod(SHAPE))).reshape(SHAPE)
    path = tmp_path_factory.mktemp("lazy") / "r.zarr"
    with ResultsWriter(path, chunk_bytes=160) as out:
        for offset in (1000.0, 0.0):  # not the first rows of the file
            with out.run() as run:
                run.append("m", {"t": np.arange(SHAPE[0]), "v": values + offset})
    return gpurun.open_results(path)[1]["m"].v, values


@given(key=KEYS)
def test_a_lazy_array_takes_the_indices_of_an_array(lazy: tuple[Any, np.ndarray], key: Any) -> None:
    found, values = lazy
    for array, expected in ((found.rows, values), (found, values.T)):
        try:
            wanted = expected[key]
        except IndexError:
            with pytest.raises(IndexError):
                array[key]
            continue
        got = array[key]
        assert np.shape(got) == np.shape(wanted)
        assert np.array_equal(got, wanted)


def test_a_lazy_array_as_an_array(lazy: tuple[Any, np.ndarray]) -> None:
    found, values = lazy
    assert (found.shape, found.ndim, found.size, len(found)) == ((5, 37), 2, 185, 5)
    assert found.nbytes == values.nbytes
    assert np.array_equal(np.asarray(found), values.T)
    assert np.mean(found) == values.mean()
    assert np.array_equal(list(found), list(values.T))
    assert "float64" in repr(found) and "(5, 37)" in repr(found)
    for key in (None, (0, 0, 0), 5, -6, [[0]], ([0], [0]), np.array([True]), "a"):
        with pytest.raises(IndexError):
            found[key]
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(found, copy=False)


# -- what cannot be ------------------------------------------------------------------------------


def test_rows_that_do_not_fit(tmp_path: Path) -> None:
    rows = spike_rows(0, 5)
    wide = trace_rows(0, 5)
    with writer(tmp_path / "r.zarr") as out, out.run() as run:
        run.append("spikes", rows)
        run.append("trace", wide)
        for monitor, wrong in (
            ("spikes", {**rows, "i": rows["i"][:4]}),
            ("spikes", {"i": rows["i"]}),
            ("spikes", {**rows, "w": rows["v"]}),
            ("spikes", {**rows, "v": rows["v"].astype(np.float32)}),
            ("spikes", {**rows, "v": np.float64(1)}),
            ("trace", {**wide, "v": wide["v"][:, :1]}),
            ("new", {**wide, "v": wide["v"][:, :1]}),
            ("new", {"t": rows["t"], "v": np.zeros((5, 2, 2))}),
        ):
            with pytest.raises(ResultsError, match=monitor) as caught:
                run.append(monitor, wrong)
            assert caught.value.fields["reason"] == "shape"
        run.append("spikes", spike_rows(5, 5))
    check_rows(gpurun.open_results(tmp_path / "r.zarr")[0], "spikes", 10)


def test_runs_come_one_after_the_other(tmp_path: Path) -> None:
    out = writer(tmp_path / "r.zarr")
    first = out.run()
    with pytest.raises(ResultsError, match=r"Run 0.*still open"):
        out.run()
    first.append("spikes", spike_rows(0, 5))
    first.finish()
    for call in (first.finish, first.flush, lambda: first.append("spikes", spike_rows(5, 5))):
        with pytest.raises(ResultsError, match=r"Run 0.*has ended"):
            call()
    second = out.run()
    second.append("spikes", spike_rows(0, 7))
    with pytest.raises(ZeroDivisionError), second:
        raise ZeroDivisionError
    third = out.run()
    third.append("spikes", spike_rows(0, 9))
    out.close()
    out.close()
    for call in (out.run, third.flush):
        with pytest.raises(ResultsError, match=r"closed"):
            call()
    results = gpurun.open_results(tmp_path / "r.zarr")
    assert [run.finished for run in results] == [True, False, False]
    for run, count in zip(results, (5, 7, 9), strict=True):
        check_rows(run, "spikes", count)
    assert "not finished" in repr(results[1])


def test_files_that_are_something_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious").write_text("text")
    zarr.create_group(str(tmp_path / "foreign.zarr"))
    for name in ("file", "folder", "foreign.zarr"):
        for call in (gpurun.open_results, ResultsWriter):
            with pytest.raises(ResultsError, match="is not a results file") as caught:
                call(tmp_path / name)
            assert caught.value.fields["reason"] == "not_results"
    assert (tmp_path / "folder" / "precious").read_text() == "text"
    with pytest.raises(ResultsError, match="There is no results file") as caught:
        gpurun.open_results(tmp_path / "missing")
    assert caught.value.fields["path"] == str(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with ResultsWriter(tmp_path / "empty") as out:
        out.run().finish()
    assert len(Results(tmp_path / "empty")) == 1


def test_a_newer_format_and_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "r.zarr"
    with writer(path) as out, out.run() as run:
        run.append("spikes", spike_rows(0, 5))
    root = path / "zarr.json"
    good = root.read_text()
    document = json.loads(good)
    document["attributes"]["version"] += 1
    root.write_text(json.dumps(document))
    for call in (gpurun.open_results, ResultsWriter):
        with pytest.raises(ResultsError, match="newer") as caught:
            call(path)
        assert caught.value.fields["reason"] == "newer_format"
    root.write_text(good)
    (path / "runs" / "0" / "zarr.json").write_text(good[: len(good) // 2])
    with pytest.raises(ResultsError, match=r"'runs/0' of .* cannot be read") as caught:
        gpurun.open_results(path)[0]
    assert caught.value.fields["reason"] == "damaged"


def test_parts_of_a_views_that_are_not_there(tmp_path: Path) -> None:
    with writer(tmp_path / "r.zarr") as out, out.run() as run:
        run.append("spikes", spike_rows(0, 5))
        run.values({"counter.count": np.arange(4)})
    results = gpurun.open_results(tmp_path / "r.zarr")
    with pytest.raises(AttributeError, match="'w' is not in the monitor 'spikes'"):
        results[0]["spikes"].w  # noqa: B018
    with pytest.raises(UnknownVariableError, match=r"'cells\.w' is not in this file"):
        results["cells.w"]
    assert {"t", "i", "v"} <= set(dir(results[0]["spikes"]))
    # A monitor that only counts
    assert results[0]["counter"].count.tolist() == [0, 1, 2, 3]
    assert len(results[0]["counter"]) == 0
    assert results[0]["counter"].elements is None
    assert "spikes" in repr(results) and "counter.count" in repr(results[0])


def test_sources_can_change_their_number(tmp_path: Path) -> None:
    """A wrong list of elements does not stop a run."""
    recorders = {"trace": Recorder(elements=np.arange(9))}
    with writer(tmp_path / "r.zarr", recorders=recorders) as out, out.run() as run:
        run.append("trace", trace_rows(0, 5))
    assert gpurun.open_results(tmp_path / "r.zarr")[0]["trace"].elements.tolist() == [0, 1]


def test_flush_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.zarr"
    synced: set[str] = set()

    def fsync(descriptor: int) -> None:
        synced.add(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "fsync", fsync)
    out = writer(path, sync=True)
    run = out.run()
    run.append("trace", trace_rows(0, 300))
    run.flush()
    files = {str(p) for p in path.rglob("*") if p.is_file()}
    assert files <= synced
    assert {str(Path(file).parent) for file in files} <= synced
    synced.clear()
    run.append("spikes", spike_rows(0, 1))
    run.finish()
    out.close()
    assert str(path / "runs" / "0" / "zarr.json") in synced


def test_a_flush_need_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with writer(tmp_path / "r.zarr", sync=True) as out, out.run() as run:
        synced.clear()
        run.append("trace", trace_rows(0, 300))
        run.flush(wait=False)
        assert synced == []
        # But what is written is committed
        assert len(gpurun.open_results(tmp_path / "r.zarr")[0]["trace"]) == 300
        run.flush()
        assert synced
