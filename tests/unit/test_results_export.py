"""Results as objects of other libraries, and RunResult.save."""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpurun
from gpurun.errors import NotSupportedError, ResultsError
from gpurun.results import MonitorRecord, RunResult
from gpurun.results_file import ResultsWriter
from gpurun.results_reader import describe_results
from tests.unit.results_runs import (
    ELEMENTS,
    RECORDERS,
    rate_rows,
    result,
    results_manifest,
    spike_rows,
    trace_rows,
)

ROWS = 20


def saved(tmp_path: Path, **changes: Any) -> Any:
    number = result(**changes).save(tmp_path / "r.zarr")
    return gpurun.open_results(tmp_path / "r.zarr")[number]


@pytest.fixture(params=["result", "pickled", "file"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The same run: as a session gives it, from another process, and from a file."""
    if request.param == "file":
        return saved(tmp_path)
    made = result()
    return pickle.loads(pickle.dumps(made)) if request.param == "pickled" else made


# -- xarray --------------------------------------------------------------------------------


def test_xarray(source: Any) -> None:
    tree: Any = source.to_xarray()
    assert set(tree.children) == {"spikes", "trace", "rate"}
    spikes, trace, rate = (tree[name].to_dataset() for name in ("spikes", "trace", "rate"))
    for name, rows in spike_rows(0, ROWS).items():
        assert np.array_equal(spikes[name], rows)
    assert spikes.i.dims == ("event",)
    assert "t" in spikes.coords
    assert trace.v.dims == ("time", "neuron")
    assert trace.neuron.values.tolist() == ELEMENTS.tolist()
    expected = trace_rows(0, ROWS)
    for name in ("v", "g", "x"):
        assert np.array_equal(trace[name], expected[name])
    assert np.array_equal(trace.time, expected["t"])
    assert trace.v.sel(time=5e-3, neuron=1, method="nearest") == expected["v"][5, 1]
    assert np.array_equal(rate.rate, rate_rows(0, ROWS)["rate"])
    units = [trace[name].attrs["units"] for name in ("v", "g", "x")]
    assert units == ["V", "S", "m/s^0.5"]
    assert (spikes.t.attrs["units"], rate.rate.attrs["units"]) == ("s", "Hz")
    assert trace.x.attrs["dimension"] == "m s^-0.5"
    assert (trace.attrs["source"], trace.attrs["dt"]) == ("cells", 1e-3)
    assert tree["cells.v"].dims == ("cells.i",)
    assert tree["cells.v"].attrs["units"] == "V"
    assert tree["cells.v[1:3]"].coords["cells.i[1:3]"].values.tolist() == [1, 2]
    assert tree["stim"].shape == (3, 2)
    assert tree["spikes.count"].values.tolist() == [5] * 4
    assert tree["counter.count"].values.tolist() == [0, 1, 2, 3]
    assert (tree.attrs["seed"], tree.attrs["model_digest"]) == (3, "abc")


def test_xarray_objects_can_be_saved(source: Any, tmp_path: Path) -> None:
    import xarray

    tree: Any = source.to_xarray()
    tree.to_zarr(tmp_path / "tree.zarr", consolidated=False)
    again = xarray.open_datatree(tmp_path / "tree.zarr", engine="zarr", consolidated=False)
    assert np.array_equal(again["trace"].v, trace_rows(0, ROWS)["v"])
    again.close()


def test_xarray_reads_from_a_file_what_is_used(tmp_path: Path) -> None:
    run = saved(tmp_path, rows=3000)
    dataset = run["trace"].to_xarray()
    part = dataset.v.isel(time=slice(7, 2000, 3), neuron=1)
    lists = dataset.g.isel(time=[5, 3, 5], neuron=[1])
    for file in (tmp_path / "r.zarr/monitors/trace/x/c").rglob("*"):
        if file.is_file():
            file.unlink()  # nobody has asked for x
    expected = trace_rows(0, 3000)
    assert np.array_equal(part, expected["v"][7:2000:3, 1])
    assert np.array_equal(lists, expected["g"][[5, 3, 5]][:, [1]])
    with pytest.raises(ResultsError, match=r"trace/x"):
        dataset.x.load()


def test_xarray_opens_a_table(tmp_path: Path) -> None:
    import xarray

    saved(tmp_path)
    options: dict[str, Any] = {"consolidated": False, "chunks": None}
    trace: Any = xarray.open_zarr(tmp_path / "r.zarr", group="monitors/trace", **options)
    assert trace.v.dims == ("time", "neuron")
    assert np.array_equal(trace.v, trace_rows(0, ROWS)["v"])
    assert trace.neuron.values.tolist() == ELEMENTS.tolist()
    assert trace.v.attrs["units"] == "V"
    spikes: Any = xarray.open_zarr(tmp_path / "r.zarr", group="monitors/spikes", **options)
    assert "t" in spikes.i.coords
    assert spikes.offsets.values.tolist() == [0, ROWS]


@pytest.mark.parametrize("lengths", [(20, 20, 20), (20, 5, 12), (7,), (0, 3)])
def test_many_runs_as_one_dataset(tmp_path: Path, lengths: tuple[int, ...]) -> None:
    with ResultsWriter(
        tmp_path / "r.zarr",
        manifest=results_manifest(),
        recorders=RECORDERS,
        chunk_bytes=256,
        sync=False,
    ) as out:
        for number, length in enumerate(lengths):
            with out.run() as run:
                run.append("trace", trace_rows(0, length))
                run.append("spikes", spike_rows(number, length))
                run.append("rate", rate_rows(0, length))
                run.values({"cells.v": np.arange(4.0) + number})
            out.run().finish()  # one without anything
    results = gpurun.open_results(tmp_path / "r.zarr")
    numbers = list(range(0, 2 * len(lengths), 2))
    longest = max(lengths)
    trace = results["trace"].to_xarray()
    assert trace.v.dims == ("run", "time", "neuron")
    assert trace.v.shape == (len(lengths), longest, 2)
    assert trace.run.values.tolist() == numbers
    assert trace.rows.values.tolist() == list(lengths)
    expected = np.full((len(lengths), longest, 2), np.nan)
    for number, length in enumerate(lengths):
        expected[number, :length] = trace_rows(0, length)["v"]
    assert np.array_equal(trace.v, expected, equal_nan=True)
    assert np.array_equal(
        trace.v.isel(time=slice(1, 9, 2), neuron=0), expected[:, 1:9:2, 0], equal_nan=True
    )
    last = len(lengths) - 1
    assert np.array_equal(
        trace.v.isel(run=last, time=longest - 1), expected[last, -1], equal_nan=True
    )
    assert np.array_equal(
        trace.v.isel(run=[last, 0], time=[2, 1]), expected[[last, 0]][:, [2, 1]], equal_nan=True
    )
    assert trace.v.isel(run=slice(0, 0)).shape == (0, longest, 2)
    same = len(set(lengths)) == 1
    assert ("time" in trace.coords) == same
    times = trace.time if same else trace.t[int(np.argmax(lengths))]
    assert np.array_equal(times, trace_rows(0, longest)["t"])
    assert results["rate"].to_xarray().rate.shape == (len(lengths), longest)
    spikes = results["spikes"].to_xarray()
    assert spikes.sizes["event"] == sum(lengths)
    assert np.array_equal(spikes.run_of_event, np.repeat(numbers, lengths))
    assert spikes.offsets.values.tolist() == [0, *np.cumsum(lengths)]
    parts = [spike_rows(number, length)["v"] for number, length in enumerate(lengths)]
    assert np.array_equal(spikes.v, np.concatenate(parts))
    values = results["cells.v"].to_xarray()
    assert values.dims == ("run", "cells.i")
    assert values.sel(run=numbers[-1]).values.tolist() == (np.arange(4.0) + last).tolist()


# -- pandas --------------------------------------------------------------------------------


def test_pandas(source: Any) -> None:
    frames = source.to_pandas()
    for name, rows in spike_rows(0, ROWS).items():
        assert np.array_equal(frames["spikes"][name], rows)
    assert list(frames["spikes"].columns) == ["t", "i", "v"]
    assert frames["spikes"].attrs["units"] == {"t": "s", "i": "1", "v": "V"}
    trace = frames["trace"]
    expected = trace_rows(0, ROWS)
    assert trace.index.name == "t"
    assert np.array_equal(trace.index, expected["t"])
    for k, element in enumerate(ELEMENTS):
        for name in ("v", "g", "x"):
            assert np.array_equal(trace[name, element], expected[name][:, k])
    assert np.array_equal(frames["rate"]["rate"], rate_rows(0, ROWS)["rate"])
    assert frames["cells.v"].tolist() == [0, 1, 2, 3]
    assert frames["cells.v[1:3]"].index.tolist() == [1, 2]
    assert frames["cells.v"].attrs["units"] == "V"
    assert frames["stim"].shape == (3, 2)
    assert frames["spikes.count"].tolist() == [5] * 4


def test_pandas_of_a_file(tmp_path: Path) -> None:
    run = saved(tmp_path)
    assert np.array_equal(run["spikes"].to_pandas().v, spike_rows(0, ROWS)["v"])
    result(seed=9).save(tmp_path / "r.zarr", label=4)
    table = gpurun.open_results(tmp_path / "r.zarr").to_pandas()
    assert table.index.tolist() == [0, 1]
    assert table.seed.tolist() == [3, 9]
    assert table.label[1] == 4
    with ResultsWriter(tmp_path / "empty.zarr"):
        pass
    assert len(gpurun.open_results(tmp_path / "empty.zarr").to_pandas()) == 0


# -- Neo -----------------------------------------------------------------------------------


def test_neo(source: Any) -> None:
    import quantities as pq

    block = source.to_neo()
    (segment,) = block.segments
    expected = spike_rows(0, ROWS)
    assert len(segment.spiketrains) == 4
    for number, train in enumerate(segment.spiketrains):
        mine = expected["i"] == number
        assert np.array_equal(train.rescale("s").magnitude, expected["t"][mine])
        assert np.array_equal(train.array_annotations["v"], expected["v"][mine] * pq.V)
        assert (train.t_start, train.t_stop) == (0 * pq.s, 0.5 * pq.s)
        assert (train.annotations["neuron"], train.annotations["source"]) == (number, "cells")
    signals = {signal.name: signal for signal in segment.analogsignals}
    assert set(signals) == {"trace.v", "trace.g", "trace.x", "rate.rate"}
    trace = trace_rows(0, ROWS)
    assert np.array_equal(signals["trace.v"].magnitude, trace["v"])
    assert signals["trace.v"].units == pq.V
    assert signals["trace.g"].units == pq.S
    assert signals["rate.rate"].units == pq.Hz
    assert signals["trace.x"].dimensionality == (pq.m / pq.s**0.5).dimensionality
    assert np.allclose(signals["trace.v"].times.magnitude, trace["t"])
    assert signals["trace.v"].array_annotations["neuron"].tolist() == ELEMENTS.tolist()
    assert block.annotations["seed"] == 3


def test_neo_of_irregular_times() -> None:
    t = np.array([0.0, 1e-3, 5e-3])
    record = {"t": t, "v": np.arange(6.0).reshape(2, 3)}
    made = result(monitors={"trace": MonitorRecord("trace", record)})
    (segment,) = made.to_neo().segments
    (signal,) = segment.irregularlysampledsignals
    assert np.array_equal(signal.times.magnitude, t)
    assert np.array_equal(signal.magnitude, record["v"].T)


def test_neo_of_nothing() -> None:
    (segment,) = result(rows=0).to_neo().segments
    assert [len(train) for train in segment.spiketrains] == [0] * 4
    assert not segment.analogsignals


# -- without the libraries -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "library"), [("to_xarray", "xarray"), ("to_pandas", "pandas"), ("to_neo", "neo")]
)
def test_a_library_that_is_not_installed(
    source: Any, call: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(NotSupportedError, match=rf"needs {library}.*gpurun\[analysis\]") as caught:
        getattr(source, call)()
    assert caught.value.fields["what"] == library


def test_the_package_itself_needs_none_of_them() -> None:
    import subprocess

    script = (
        "import sys, gpurun\n"
        "print(*sorted({'zarr', 'h5py', 'xarray', 'pandas', 'neo'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


# -- saving --------------------------------------------------------------------------------


def test_save(tmp_path: Path) -> None:
    made = result()
    path = tmp_path / "folder" / "r.zarr"
    overrides = {"cells.v": np.arange(4.0), "tau": 2.0}
    assert made.save(path, overrides=overrides, label=7) == 0
    assert made.save(path) == 1
    with ResultsWriter(path) as out:
        assert made.save(out) == 2
        assert made.save(out) == 3
    results = gpurun.open_results(path)
    assert len(results) == 4
    for run in results:
        assert run.finished
        assert set(run) == {
            "cells.v", "cells.v[1:3]", "stim", "spikes.count", "counter.count",
            "spikes", "trace", "rate",
        }  # fmt: skip
        for name in made.values:
            assert np.array_equal(run[name], made[name])
        for monitor in ("spikes", "trace", "rate", "counter"):
            for name in made[monitor]:
                if name != "N":
                    # In the orientation that they have in the result
                    assert np.array_equal(run[monitor][name], made[monitor][name])
    facts = results.runs[0]
    for name in ("seed", "duration", "completed", "t", "steps", "device", "wall_time"):
        assert facts[name] == getattr(made, name)
    assert (facts["label"], facts["overrides"]["tau"]["value"]) == (7, 2.0)
    assert describe_results(path)["models"] == ["abc"]


def test_save_resolves_keys_and_keeps_a_failed_run_apart(tmp_path: Path) -> None:
    key = object()
    made = result(_name_of={key: "cells.v"}.__getitem__)
    made.save(tmp_path / "r.zarr", overrides={key: 1.5})
    with ResultsWriter(tmp_path / "r.zarr") as out:
        with pytest.raises(ResultsError, match="plain data"):
            made.save(out, thing=object())
        assert made.save(out) == 1
    overrides = [facts["overrides"] for facts in gpurun.open_results(tmp_path / "r.zarr").runs]
    assert overrides[0]["cells.v"]["value"] == 1.5
    assert overrides[1] == {}


class OnCard:
    """An array in a card's memory, as CuPy's look from here."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        raise AssertionError("nobody reads a card's memory here")

    def __array__(self, *arguments: Any, **options: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def get(self) -> np.ndarray:
        return self._array.copy()


def test_results_on_a_card_are_copied_to_the_host(tmp_path: Path) -> None:
    host = result()
    card: RunResult = result(
        values={name: OnCard(value) for name, value in host.values.items()},
        monitors={
            name: MonitorRecord(name, {k: OnCard(record[k]) for k in record})  # type: ignore[arg-type]
            for name, record in host.monitors.items()
        },
    )
    assert card.to_xarray().equals(host.to_xarray())
    card.save(tmp_path / "r.zarr")
    (run,) = gpurun.open_results(tmp_path / "r.zarr")
    assert np.array_equal(run["trace"].v, host["trace"].v)
    assert np.array_equal(run["cells.v"], host["cells.v"])


def test_a_result_of_nowhere(tmp_path: Path) -> None:
    """Made by hand, without a model: names, but no units."""
    made = result(_origin=None)
    run = made.save(tmp_path / "r.zarr")
    found = gpurun.open_results(tmp_path / "r.zarr")[run]
    assert np.array_equal(found["trace"].v, made["trace"].v)
    assert found["trace"].v.attributes == {"long_name": "trace.v"}
    assert "units" not in made.to_xarray()["trace"].v.attrs


def test_a_pickle_takes_only_what_it_needs() -> None:
    made = result(monitors={"rate": result().monitors["rate"]}, values={})
    copy = pickle.loads(pickle.dumps(made))
    names = [info.name for info in copy._origin.manifest.variables]
    assert names == ["rate.t", "rate.rate"]
    assert json.loads(copy._origin.manifest.to_json())["monitors"] == {
        "rate": ["rate.rate", "rate.t"]
    }
    assert copy.to_xarray()["rate"].rate.attrs["units"] == "Hz"
