"""What goes into a checkpoint comes out of it, bit by bit; the file explains itself."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpurun.checkpoint import read_checkpoint, read_header, write_checkpoint
from gpurun.state import QueueContents, RandomState, SessionState
from tests.unit.checkpoint_states import facts, state
from tests.unit.manifests import VOLT, manifest

DIGEST = "0123456789abcdef" * 2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a state.h5"


def round_trip(path: Path, one: SessionState) -> SessionState:
    write_checkpoint(path, one, manifest(), model_digest=DIGEST)
    return read_checkpoint(path).state


# -- round trips ---------------------------------------------------------------------


def test_round_trip(path: Path) -> None:
    one = state()
    assert facts(round_trip(path, one)) == facts(one)
    assert facts(read_checkpoint(str(path)).state) == facts(one)


def test_what_is_compared_notices_a_difference() -> None:
    assert facts(state()) == facts(state())
    assert facts(state(t=np.nextafter(0.3, 1))) != facts(state())
    values = dict(state().values)
    values["cells.v"] = values["cells.v"].copy()
    values["cells.v"][1] = np.nan
    assert facts(state(values=values)) != facts(state())


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
dtypes = st.sampled_from(
    ["bool", "int8", "uint8", "int32", "int64", "uint64", "float32", "float64", ">f8", "complex128"]
).map(np.dtype)
shapes = st.lists(st.integers(0, 4), max_size=2).map(tuple)


@st.composite
def arrays(draw: st.DrawFn, dtypes: Any = dtypes, shapes: Any = shapes) -> np.ndarray:
    """Arrays of any bits, some of them not contiguous."""
    dtype, shape = draw(dtypes), draw(shapes)
    size = int(np.prod(shape)) * dtype.itemsize
    array = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype=dtype)
    array = array.reshape(shape)
    return array.T if draw(st.booleans()) else array


@st.composite
def queues(draw: st.DrawFn) -> QueueContents:
    exactly = st.tuples(st.integers(0, 5))
    steps = draw(arrays(st.just(np.dtype("int32")), exactly))
    return QueueContents(steps, draw(arrays(st.just(np.dtype("int32")), st.just(steps.shape))))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
states = st.builds(
    SessionState,
    values=st.dictionaries(names, arrays(), max_size=4),
    queues=st.dictionaries(names, queues(), max_size=3),
    event_spaces=st.dictionaries(names, arrays(), max_size=2),
    networks=st.dictionaries(names, st.tuples(st.floats(), st.floats()), max_size=2),
    random=st.builds(RandomState, st.sampled_from(["mersenne", "philox"]), st.binary(max_size=20)),
    t=st.floats(),
    timed_arrays=st.dictionaries(names, arrays(), max_size=2),
    overridden=st.lists(names, max_size=3).map(tuple),
    identity=st.text("0123456789abcdef", max_size=40),
    extra=st.dictionaries(st.text(max_size=5), json_values, max_size=3),
)


# Each example replaces the file of the one before
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(one=states)
def test_round_trip_of_anything(path: Path, one: SessionState) -> None:
    assert facts(round_trip(path, one)) == facts(one)


@pytest.mark.parametrize(
    "name",
    ["a/b", "/", "//", ".", "..", "%", "%2F", "a%2fb", "./a", "content", "ä", "cells.v ", "\n"],
)
def test_any_name(path: Path, name: str) -> None:
    one = state(
        values={name: np.arange(3), name + "x": np.arange(2)},
        queues={name: state().queues["links_pre"]},
        event_spaces={name: np.arange(4)},
        networks={name: (1.0, 0.0)},
        timed_arrays={name: np.arange(5)},
        overridden=(name,),
    )
    described = manifest(clocks={name: 1e-4}, constants={name: name})
    write_checkpoint(path, one, described, model_digest="")
    found = read_checkpoint(path)
    assert facts(found.state) == facts(one)
    assert dict(found.header.clocks) == {name: 1e-4}
    assert dict(found.header.constants) == {name: name}
    assert set(found.header.spikes_in_flight) == {name}


def test_large_notes(path: Path) -> None:
    one = state(extra={"log": "line\n" * 50_000})
    assert facts(round_trip(path, one)) == facts(one)


def test_notes_that_json_cannot_hold(path: Path) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        round_trip(path, state(extra={"when": datetime.now(UTC)}))
    assert list(path.parent.iterdir()) == []


def test_read_arrays_belong_to_the_reader(path: Path) -> None:
    found = round_trip(path, state())
    found.values["cells.v"][:] = 1
    found.queues["links_pre"].steps[:] = 1
    assert facts(read_checkpoint(path).state) == facts(state())


# -- what the file says of itself ----------------------------------------------------


def test_header(path: Path) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    one = state(identity="abc")
    write_checkpoint(path, one, manifest(backend="cuda"), model_digest=DIGEST)
    header = read_header(path)
    assert header.path == str(path)
    assert header.size == path.stat().st_size
    assert (header.gpurun, header.numpy) == (metadata.version("gpurun"), np.__version__)
    assert (header.brian2, header.backend) == (manifest().brian2, "cuda")
    assert before <= header.created <= datetime.now(UTC)
    assert (header.model_digest, header.identity) == (DIGEST, "abc")
    assert (header.t, header.random_kind, header.extra) == (0.3, "mersenne", one.extra)
    assert dict(header.spikes_in_flight) == {"links_pre": 3, "links_post": 0}
    assert dict(header.clocks) == dict(manifest().clocks)
    assert dict(header.constants) == dict(manifest().constants)
    assert (header.overridden, header.timed_arrays) == (("links.w", "stim"), ("stim",))
    assert header == read_checkpoint(path).header


def test_variables_in_the_header(path: Path) -> None:
    one = state()
    write_checkpoint(path, one, manifest(), model_digest="")
    found = read_header(path).variables
    assert set(found) == set(one.values)
    for info in manifest().variables:
        if info.kind == "static":
            assert info.name not in found
            continue
        stored = found[info.name]
        assert (stored.dtype, stored.kind, stored.unit) == (info.dtype, info.kind, info.unit)
        assert (stored.role, stored.dimensions) == (info.role, info.dimensions)
        assert stored.shape == one.values[info.name].shape
        assert stored.bytes == one.values[info.name].nbytes


def test_format_is_as_documented(path: Path) -> None:
    """With nothing but h5py and hashlib, as in docs/checkpoints.md."""
    one = state()
    values = {**one.values, "links._synaptic_pre": np.arange(6, dtype=np.int32)}
    write_checkpoint(path, state(values=values), manifest(), model_digest=DIGEST)
    data = path.read_bytes()
    lines = data[:512].decode("ascii").splitlines()
    digest = hashlib.blake2b(data[512:], digest_size=32).hexdigest()
    assert lines[:4] == [
        "gpurun checkpoint",
        "format 1",
        f"length {len(data)}",
        f"blake2b {digest}",
    ]
    assert lines[-1] == hashlib.blake2b(data[:495], digest_size=8).hexdigest()
    assert data[512:520] == b"\x89HDF\r\n\x1a\n"
    opened: Any = h5py.File(path, "r")
    with opened as file:
        assert file.attrs["model_digest"] == DIGEST
        assert file.attrs["t"] == 0.3
        v = file["variables/cells.v"]
        assert v[()].tobytes() == one.values["cells.v"].tobytes()
        assert (v.attrs["dtype"], v.attrs["unit"], v.attrs["kind"]) == ("float64", "V", "array")
        assert tuple(v.attrs["dimensions"]) == VOLT
        assert tuple(v.attrs["shape"]) == (4,)
        assert file["variables/cells.on"].dtype == np.bool_
        assert "source neuron" in file["variables/links._synaptic_pre"].attrs["content"]
        assert list(file["queues/links_pre/steps"]) == [1, 1, 20]
        assert list(file["queues/links_pre/synapses"]) == [5, 0, 3]
        assert tuple(file["networks/network"]) == (0.3, -1.1e-17)
        assert file["random"].attrs["kind"] == "mersenne"
        assert file["random/state"][()].tobytes() == one.random.text
        assert file["clocks/defaultclock"][()] == 1e-4
        assert file["constants/tau"].asstr()[()] == "0.01"
        assert json.loads(file["extra"].asstr()[()]) == one.extra
        for group in file.values():
            assert group.attrs["content"].endswith(".")
