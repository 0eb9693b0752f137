"""What keeps a checkpoint from being loaded is listed, and said in the error."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpurun.checkpoint import (
    CheckpointHeader,
    differences,
    other_model,
    read_checkpoint,
    read_header,
    write_checkpoint,
)
from gpurun.model import Manifest
from tests.unit.checkpoint_states import state
from tests.unit.manifests import NONE, SECOND, VARIABLES, VOLT, manifest, variable

IDENTITY = "a1" * 20


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> CheckpointHeader:
    path = tmp_path_factory.mktemp("differences") / "run.h5"
    one = state(identity=IDENTITY)
    write_checkpoint(path, one, manifest(identity=IDENTITY), model_digest="d")
    assert differences(read_checkpoint(path), manifest(identity=IDENTITY)) == []
    return read_header(path)


def other(**changes: Any) -> Manifest:
    return manifest(**{"identity": IDENTITY, **changes})


def changed(name: str, **changes: Any) -> Manifest:
    """The model with one variable changed."""
    assert name in [info.name for info in VARIABLES]
    return other(
        variables=tuple(
            replace(info, **changes) if info.name == name else info for info in VARIABLES
        )
    )


def found(header: CheckpointHeader, described: Manifest) -> list[tuple[str, str, Any, Any]]:
    return [(one.what, one.name, one.saved, one.expected) for one in differences(header, described)]


def test_what_does_not_matter(header: CheckpointHeader) -> None:
    """The backend, another build, input data, and sizes that are part of the state."""
    assert found(header, other(backend="cuda", gpurun="9", brian2="9", threads=4)) == []
    assert found(header, changed("stim.values", shape=(7, 2))) == []
    assert found(header, changed("links.w", shape=(60,))) == []
    assert found(header, changed("cells.v", c_name="_v", writable=False, role="internal")) == []


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("cells.v", {"dtype": "float32"}, ("dtype", "float64", "float32")),
        ("cells.v", {"shape": (5,)}, ("shape", (4,), (5,))),
        ("cells.v", {"kind": "dynamic"}, ("kind", "array", "dynamic")),
        ("cells.v", {"dimensions": SECOND}, ("unit", "m^2 kg s^-3 A^-1", "s")),
        ("links.w", {"shape": (6, 2)}, ("shape", (6,), (6, 2))),
    ],
)
def test_changed_variable(
    header: CheckpointHeader, name: str, changes: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    what, saved, wanted = expected
    assert found(header, changed(name, **changes)) == [(what, name, saved, wanted)]


def test_columns_of_a_matrix_are_compared_and_rows_are_not(tmp_path: Path) -> None:
    import numpy as np

    path = tmp_path / "x.h5"

    def with_columns(count: int) -> Manifest:
        return manifest(variables=(variable("seen.v", kind="dynamic2d", shape=(0, count)),))

    one = state(values={"seen.v": np.zeros((100, 3))})
    write_checkpoint(path, one, with_columns(3), model_digest="")
    assert found(read_header(path), with_columns(3)) == []
    assert found(read_header(path), with_columns(4)) == [("shape", "seen.v", (100, 3), (0, 4))]


def test_variables_of_one_side(header: CheckpointHeader) -> None:
    fewer = other(variables=VARIABLES[1:])
    assert found(header, fewer) == [("unknown", "cells.v", "float64", None)]
    more = other(variables=(*VARIABLES, variable("cells.u")))
    assert found(header, more) == [("missing", "cells.u", None, "float64")]


def test_clocks_and_constants(header: CheckpointHeader) -> None:
    described = other(clocks={"defaultclock": 2e-4, "slow": 1e-3}, constants={})
    assert found(header, described) == [
        ("clock", "defaultclock", 1e-4, 2e-4),
        ("clock", "slow", None, 1e-3),
        ("constant", "tau", "0.01", None),
    ]


def test_clock_without_a_time_step(tmp_path: Path) -> None:
    described = manifest(clocks={"events": float("nan")})
    write_checkpoint(tmp_path / "x.h5", state(), described, model_digest="")
    assert found(read_header(tmp_path / "x.h5"), described) == []


def test_identity(header: CheckpointHeader) -> None:
    assert found(header, other(identity="b2")) == [("identity", "", IDENTITY, "b2")]


def test_error(header: CheckpointHeader) -> None:
    described = other(
        identity="b2",
        variables=(
            variable("cells.v", dtype="float32", dimensions=VOLT),
            variable("cells.u"),
            *VARIABLES[2:],
        ),
        clocks={"defaultclock": 2e-4},
        constants={"tau": "0.02", "g": "3"},
    )
    listed = differences(header, described)
    error = other_model(header, listed)
    assert str(error).splitlines() == [
        f"The checkpoint {header.path} was saved by another model:",
        "  'cells.v': the dtype is float64 in the file and float32 in the model",
        "  the file has no variable 'cells.u'",
        "  the model has no variable 'cells.on'",
        "  the clock 'defaultclock' is 0.0001 in the file and is 0.0002 in the model",
        "  the constant 'g' is not there in the file and is 3 in the model",
        "  the constant 'tau' is 0.01 in the file and is 0.02 in the model",
        "  the model is defined in another way (its equations, functions or objects)",
        "Nothing was taken from it. load(path, only=[...]) takes over variables that are the same "
        "in both.",
    ]
    assert (error.fields["reason"], error.fields["path"]) == ("other_model", header.path)
    assert error.fields["differences"] == tuple(listed)
    copy = pickle.loads(pickle.dumps(error))
    assert copy.fields == error.fields


def test_long_lists_are_cut(header: CheckpointHeader) -> None:
    described = other(variables=tuple(variable(f"new.v{n}", dimensions=NONE) for n in range(30)))
    listed = differences(header, described)
    assert len(listed) > 30
    lines = str(other_model(header, listed)).splitlines()
    shown = [line for line in lines if "'new.v" in line]
    assert f"  and {len(listed) - len(shown)} more" in lines
    assert len(lines) < 15
