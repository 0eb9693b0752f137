"""Results of models that run: files and other libraries' objects hold what was recorded."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import Subgroup, ms
from brian2.units.fundamentalunits import DIMENSIONLESS, get_unit

import gpurun
from gpurun.results import RunResult
from gpurun.results_file import ResultsWriter
from gpurun.results_schema import recorders_of
from gpurun.values import dimension_text
from tests import models, states

SCRIPTS = {"everything": models.everything, "rare": models.rare}


@pytest.fixture(scope="module", params=sorted(SCRIPTS))
def script(request: pytest.FixtureRequest) -> models.Script:
    return models.built(SCRIPTS[request.param])


@pytest.fixture(scope="module")
def made(script: models.Script) -> RunResult:
    names = list(script.model.manifest.monitors)
    values = [
        info.name
        for info in script.model.manifest.variables
        if info.role == "state" and info.kind != "static" and info.shape != (0,)
    ]
    with script.model.session() as session:
        return session.run(record=[*values, *names], seed=5)


def objects(script: models.Script) -> dict[str, Any]:
    return {obj.name: obj for obj in vars(script.objects).values()}


def same(found: Any, expected: np.ndarray) -> None:
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected, equal_nan=expected.dtype.kind == "f")


@pytest.mark.parametrize("pickled", [False, True])
def test_a_file_holds_what_was_recorded(made: RunResult, tmp_path: Path, pickled: bool) -> None:
    result = pickle.loads(pickle.dumps(made)) if pickled else made
    result.save(tmp_path / "r.zarr")
    (run,) = gpurun.open_results(tmp_path / "r.zarr")
    assert any(len(record.t) for record in made.monitors.values() if "t" in record)
    for name, value in made.values.items():
        same(run[name], value)
    for name, record in made.monitors.items():
        for variable in record:
            if variable != "N":
                same(run[name][variable], record[variable])


def test_units_and_elements_are_brians(
    script: models.Script, made: RunResult, tmp_path: Path
) -> None:
    made.save(tmp_path / "r.zarr")
    (run,) = gpurun.open_results(tmp_path / "r.zarr")
    known = objects(script)
    seen = set()
    for name, record in made.monitors.items():
        for variable in set(record) - {"N", "count"}:
            attributes = run[name][variable].attributes
            dimensions = known[name].variables[variable].dim
            assert attributes["dimension"] == dimension_text(dimensions._dims)
            named = "1" if dimensions is DIMENSIONLESS else str(get_unit(dimensions))
            assert attributes["units"] == named
            seen.add(attributes["units"])
    assert len(seen) > 1


def test_the_origin_says_what_the_digest_of_the_model_is(
    script: models.Script, made: RunResult
) -> None:
    assert made.to_xarray().attrs["model_digest"] == script.model.digest
    copy = pickle.loads(pickle.dumps(made))
    assert copy.to_xarray().attrs["model_digest"] == script.model.digest


def test_rows_as_a_stream_would_give_them(
    script: models.Script, made: RunResult, tmp_path: Path
) -> None:
    model = script.model
    with ResultsWriter(
        tmp_path / "r.zarr",
        manifest=model.manifest,
        model_digest=model.digest,
        recorders=recorders_of(model),
        chunk_bytes=512,
        sync=False,
    ) as out:
        with out.run() as run:
            for name, record in made.monitors.items():
                columns = {v: record[v].T for v in record if v not in ("N", "count")}
                for first in range(0, len(columns.get("t", ())), 7):
                    run.append(name, {v: rows[first : first + 7] for v, rows in columns.items()})
        number = made.save(out)
    streamed, whole = gpurun.open_results(tmp_path / "r.zarr")
    assert whole.number == number
    for name in streamed:
        for variable in streamed[name]:
            # Of another run: sums of atomics may differ in the last bit
            there = np.asarray(streamed[name][variable][:])
            assert states.same(there, np.asarray(whole[name][variable])), (name, variable)
        # Written to the same table
        assert len(gpurun.open_results(tmp_path / "r.zarr")[name].runs) == 2


def test_elements_of_state_monitors(script: models.Script, made: RunResult) -> None:
    tree = made.to_xarray()
    known = objects(script)
    states = [name for name in tree.children if "neuron" in tree[name].coords]
    assert states
    for name in states:
        indices = known[name].record
        expected = np.arange(len(tree[name].neuron)) if indices is True else np.asarray(indices)
        assert tree[name].neuron.values.tolist() == expected.tolist()
        dt = known[name].clock.dt_ if hasattr(known[name].clock, "dt_") else None
        assert tree[name].attrs.get("dt") == dt


def test_sources_of_monitors(script: models.Script, made: RunResult) -> None:
    known = objects(script)
    for name, node in made.to_xarray().children.items():
        source = known[name].source
        expected = source.name
        if isinstance(source, Subgroup):
            expected = f"{source.source.name}[{source.start}:{source.stop}]"
        assert node.attrs["source"] == expected


def test_monitors_go_on_in_an_advance(script: models.Script) -> None:
    names = list(script.model.manifest.monitors)
    with script.model.session() as session:
        session.run(seed=5, duration=5 * ms)
        result = session.advance(5 * ms, record=names)
        block = result.to_neo()
    for train in block.segments[0].spiketrains:
        assert train.t_start == 0 and train.t_stop >= result.t
