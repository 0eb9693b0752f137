"""`gpurun inspect`: what a checkpoint holds."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from gpurun import cli
from gpurun.checkpoint import read_header, write_checkpoint
from gpurun.cli import inspect
from gpurun.config import settings
from tests.unit.checkpoint_states import state
from tests.unit.manifests import manifest

DIGEST = "0123456789abcdef" * 2


@pytest.fixture(autouse=True)
def restored_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpurun.config._current", settings())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run [bold].h5"
    values = {**state().values, "big.matrix": np.zeros((100, 2000)), "tag[red].v": np.zeros(3)}
    write_checkpoint(
        path, state(values=values, identity="1d" * 20), manifest(), model_digest=DIGEST
    )
    return path


def test_for_people(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(path)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    facts = {line[:16].strip(): line[16:] for line in lines[: lines.index("")]}
    header = read_header(path)
    assert facts["file"].startswith(f"{path}, a checkpoint, 1.6 MiB, intact")
    assert header.created.astimezone().strftime("%Y-%m-%d %H:%M:%S") in facts["saved"]
    assert header.gpurun in facts["saved"]
    assert facts["model"] == f"{DIGEST}, for cpu, of brian2 {manifest().brian2}"
    assert facts["identity"] == "1d" * 20
    assert facts["model time"] == "0.3 s"
    assert facts["random numbers"] == "mersenne"
    assert facts["overridden"] == "links.w, stim, TimedArray stim"
    assert json.loads(facts["notes"]) == state().extra
    rows = [line.split() for line in lines]
    assert ["cells.v", "float64", "4", "V", "32", "B", "state"] in rows
    assert ["seen.t", "float64", "0", "1", "0", "B", "monitor"] in rows
    assert ["big.matrix", "float64", "100x2000", "1.5", "MiB"] in rows
    assert ["tag[red].v", "float64", "3", "24", "B"] in rows
    assert f"{len(header.variables)} variables, 1.5 MiB" in lines
    assert ["links_pre", "3"] in rows
    assert ["links_post", "0"] in rows


def test_little_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = state(values={}, queues={}, timed_arrays={}, overridden=(), extra={})
    write_checkpoint(tmp_path / "x", one, manifest(), model_digest="")
    assert cli.main(["inspect", str(tmp_path / "x")]) == 0
    text = capsys.readouterr().out
    assert "0 variables, 0 B" in text
    assert "identity        not known" in text
    assert not any(word in text for word in ("overridden", "notes", "pathway"))


def test_for_programs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    header = read_header(path)
    assert facts["kind"] == "checkpoint"
    assert (facts["path"], facts["size"]) == (str(path), path.stat().st_size)
    assert datetime.fromisoformat(facts["created"]) == header.created
    assert (facts["model_digest"], facts["identity"]) == (DIGEST, "1d" * 20)
    assert (facts["backend"], facts["t"], facts["random_kind"]) == ("cpu", 0.3, "mersenne")
    assert facts["spikes_in_flight"] == {"links_pre": 3, "links_post": 0}
    assert facts["extra"] == state().extra
    assert facts["variables"]["big.matrix"]["bytes"] == 100 * 2000 * 8
    assert facts["variables"]["cells.v"]["unit"] == "V"
    assert set(facts["variables"]) == set(header.variables)


def test_json_has_no_nan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    described = manifest(clocks={"events": math.nan})
    one = state(extra={"best": [math.inf, 1.0]})
    write_checkpoint(tmp_path / "x", one, described, model_digest="")
    assert cli.main(["inspect", "--json", str(tmp_path / "x")]) == 0

    def refuse(word: str) -> None:
        raise AssertionError(word)

    facts = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert facts["clocks"] == {"events": None}
    assert facts["extra"] == {"best": [None, 1.0]}


@pytest.mark.parametrize("more", [[], ["--json"]])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[:-1], "Use another copy"),
        (lambda data: data[:-1] + b"x", "its digest is not right"),
        (lambda data: b"#!/bin/sh\n", "is not a checkpoint"),
    ],
)
def test_damaged(
    path: Path, damage: object, said: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    assert cli.main(["inspect", str(path), *more]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("gpurun: error: ")
    assert str(path) in printed.err and said in printed.err
    assert printed.err.count("\n") == 1


def test_no_such_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(tmp_path / "x")]) == 1
    assert capsys.readouterr().err == f"gpurun: error: There is no checkpoint {tmp_path / 'x'}.\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "required: FILE"),
        (["a", "b"], "unrecognized arguments: b"),
        (["a", "--yaml"], "unrecognized arguments: --yaml"),
    ],
)
def test_wrong_words(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", *words]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("gpurun: error: gpurun inspect: ")
    assert said in printed.err
    assert printed.out == ""


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", "--help"]) == 0
    assert "usage: gpurun inspect" in capsys.readouterr().out


# -- results -------------------------------------------------------------------------


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two runs, of which the second was not finished."""
    from gpurun.results_file import ResultsWriter

    path = tmp_path / "results.zarr"
    with ResultsWriter(path, model_digest="abc123") as writer:
        with writer.run(seed=1) as run:
            run.append("spikes", {"t": np.array([0.1, 0.2]), "i": np.array([3, 1], np.int32)})
            run.values({"cells.v": np.arange(4.0)})
        writer.run(seed=2).append("spikes", {"t": np.array([0.3]), "i": np.array([0], np.int32)})
    return path


def test_results(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect.run([str(results)]) == 0
    text = capsys.readouterr().out
    assert "2 runs, 1 not finished" in text
    assert "abc123" in text
    row = next(line for line in text.splitlines() if line.startswith("spikes"))
    assert " 3 " in row
    assert any(line.startswith("cells.v") and " 4 " in line for line in text.splitlines())


def test_results_for_programs(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect.run([str(results), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == "results"
    assert (facts["runs"], facts["finished"]) == (2, 1)
    assert facts["monitors"][0]["rows"] == 3


def test_a_folder_of_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect.run([str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert str(tmp_path) in captured.err
