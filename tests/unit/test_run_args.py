"""Brian's ``run_args`` in the form of a command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpurun.brian.run_args import as_overrides
from gpurun.errors import GpurunError
from tests.unit.manifests import manifest


def given(run_args: Any, directory: Path = Path()) -> list[tuple[Any, Any]]:
    return as_overrides(manifest(), run_args, directory)


def test_mappings_and_pairs_pass() -> None:
    key = object()
    assert given(None) == []
    assert given({"cells.v": 1}) == [("cells.v", 1)]
    assert given([(key, 2), "cells.v=3"]) == [(key, 2), ("cells.v", 3)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("-5", -5), ("+5", 5), ("2.5", 2.5), ("1e-3", 1e-3), ("-.5", -0.5),
        ("true", True), ("True", True), ("false", False), ("False", False), ("0", 0),
    ],
)  # fmt: skip
def test_values(text: str, value: Any) -> None:
    [(name, got)] = given([f"cells.v={text}"])
    assert name == "cells.v"
    assert got == value
    assert type(got) is type(value)


def test_files_hold_raw_values(tmp_path: Path) -> None:
    np.arange(4, dtype=np.int32).tofile(tmp_path / "kind.dat")
    np.arange(6.0).tofile(tmp_path / "stim=1.dat")
    entries = dict(given(["cells.kind=kind.dat", "stim.values=stim=1.dat"], tmp_path))
    assert entries["cells.kind"].dtype == np.int32
    assert entries["cells.kind"].tolist() == [0, 1, 2, 3]
    assert entries["stim.values"].shape == (3, 2)


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ("cells.v", "group.variable=value"),
        ("=3", "group.variable=value"),
        ("cells.v=", "cells.v"),
        ("cells.v=nothing.dat", "nothing.dat.*neither a number nor a file"),
        ("cells.x=nothing.dat", "cells.x"),
        ("stim.values=short.dat", r"5 values.*\(3, 2\)"),
        ("links.delay=nothing.dat", "links_pre.delay"),
    ],
)
def test_entries_that_cannot_be_used(tmp_path: Path, entry: str, match: str) -> None:
    np.arange(5.0).tofile(tmp_path / "short.dat")
    with pytest.raises(GpurunError, match=match):
        given([entry], tmp_path)
