"""What a run gives back, without a run."""

from __future__ import annotations

import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from gpurun.errors import UnknownVariableError
from gpurun.results import MonitorRecord, RunResult


def record() -> MonitorRecord:
    return MonitorRecord("seen", {"i": np.array([0, 2]), "t": np.array([1e-3, 2e-3])})


def result(**changes: Any) -> RunResult:
    fields: dict[str, Any] = {
        "values": {"cells.v": np.arange(3.0), "cells.v[0:2]": np.arange(2.0)},
        "monitors": {"seen": record()},
        "upload_time": 0.1, "reset_time": 0.2, "loop_time": 0.3, "read_time": 0.4,
        "wall_time": 1.1, "duration": 0.5, "completed": 1.0, "t": 0.5, "steps": 5000,
        "seed": 3, "device": "cpu", "peak_memory": 2**20,
    }  # fmt: skip
    return RunResult(**{**fields, **changes})


def test_a_monitor_record() -> None:
    seen = record()
    assert seen.i.tolist() == [0, 2]
    assert seen["t"] is seen.t
    assert list(seen) == ["i", "t"]
    assert {"i", "t"} <= set(dir(seen))
    assert repr(seen) == "<seen: i(2,), t(2,)>"
    with pytest.raises(AttributeError, match=r"'seen' recorded \['i', 't'\], not 'v'"):
        seen.v  # noqa: B018
    with pytest.raises(KeyError):
        seen["v"]
    assert not hasattr(seen, "v")


def test_a_monitor_record_is_picklable_and_copyable() -> None:
    copy = pickle.loads(pickle.dumps(record()))
    assert repr(copy) == repr(record())
    assert np.array_equal(copy.t, record().t)


def test_values_by_name() -> None:
    got = result()
    assert got["cells.v"].tolist() == [0, 1, 2]
    assert got["cells.v[0:2]"].tolist() == [0, 1]
    assert got["seen"].i.tolist() == [0, 2]
    assert list(got) == ["cells.v", "cells.v[0:2]", "seen"]
    assert "cells.v" in got
    assert "cells.w" not in got
    with pytest.raises(
        UnknownVariableError, match=r"cells\.w.*cells\.v, .*seen.*record="
    ) as caught:
        got["cells.w"]
    assert caught.value.candidates == ("cells.v", "cells.v[0:2]", "seen")  # type: ignore[attr-defined]
    with pytest.raises(UnknownVariableError, match="nothing"):
        result(values={}, monitors={})["cells.v"]


def test_values_by_object() -> None:
    key, other = object(), object()
    names = {key: "cells.v", other: "cells.w"}
    got = result(_name_of=names.__getitem__)
    assert got[key] is got["cells.v"]
    assert key in got
    assert other not in got


def test_a_result_is_immutable_and_survives_a_pickle() -> None:
    got = result(_name_of=lambda key: "cells.v")
    with pytest.raises(dataclasses.FrozenInstanceError):
        got.seed = 4  # type: ignore[misc]
    copy = pickle.loads(pickle.dumps(got))
    assert copy["cells.v"].tolist() == [0, 1, 2]
    assert copy["seen"].t.tolist() == [1e-3, 2e-3]
    for field in dataclasses.fields(RunResult):
        if field.name not in ("values", "monitors", "_name_of"):
            assert getattr(copy, field.name) == getattr(got, field.name)
    # It still resolves keys where it came from
    assert got[object()] is got["cells.v"]
    with pytest.raises(UnknownVariableError):
        copy[object()]
