"""Manifest, code and data of a model: their text, their digests, their pickles."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gpurun.errors import ConfigError, DeviceUnavailableError
from gpurun.model import Code, Data, Manifest, Model, digest_arrays
from tests.unit.manifests import manifest

CODE = Code(
    files={"model.cpp": "int main() {}", "objects.h": "// nothing"},
    units=("model.cpp",),
    flags=("-O3", "-march=native"),
    link_flags=("-lm",),
    include_dirs=("/usr/include/x",),
)
DATA = Data({"_static_a": np.arange(3.0)}, {"cells.v": np.zeros(4)}, b"state")


# -- manifest --------------------------------------------------------------------------


def test_a_manifest_as_text_and_back() -> None:
    one = manifest()
    text = one.to_json()
    assert Manifest.from_json(text) == one
    assert Manifest.from_json(text).to_json() == text
    assert json.loads(text)["format"] == one.format
    assert one.duration == 0.25
    assert manifest(durations=(0.1, 0.2)).duration == pytest.approx(0.3)
    assert manifest(durations=()).duration == 0


def test_clocks_without_a_time_step() -> None:
    one = Manifest.from_json(manifest(clocks={"event": float("nan")}).to_json())
    assert np.isnan(one.clocks["event"])


def test_the_text_does_not_depend_on_the_order_of_names() -> None:
    constants = {"tau": "1", "alpha": "2", "beta": "3"}
    reordered = dict(reversed(constants.items()))
    assert manifest(constants=constants).to_json() == manifest(constants=reordered).to_json()


# -- code ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"files": {**CODE.files, "model.cpp": "int main() { }"}},
        {"files": {**CODE.files, "new.h": ""}},
        {"files": {"model.cpp": CODE.files["model.cpp"]}},
        {"units": ("model.cpp", "objects.h")},
        {"flags": ("-O2", "-march=native")},
        {"flags": ("-march=native", "-O3")},
        {"link_flags": ()},
        {"include_dirs": ("/usr/include/y",)},
        {"fingerprint": "abc"},
        {"flags": ("-O3", "-march=native", "-lm"), "link_flags": ()},
        {"flags": ("-O3", "-march=native", "--link", "-lm"), "link_flags": ()},
    ],
    ids=str,
)
def test_the_key_depends_on_everything(change: dict[str, Any]) -> None:
    assert replace(CODE, **change).digest("gcc") != CODE.digest("gcc")


def test_the_key_depends_on_compiler_and_processor() -> None:
    contexts = [(), ("gcc 12",), ("gcc 13",), ("gcc", "12")]
    assert len({CODE.digest(*context) for context in contexts}) == 4
    reordered = replace(CODE, files=dict(sorted(CODE.files.items(), reverse=True)))
    assert CODE.digest("gcc") == reordered.digest("gcc")


# -- data ------------------------------------------------------------------------------

DTYPES = st.sampled_from([np.dtype(name) for name in ("f8", "i4", "?")])
ARRAYS = st.dictionaries(
    st.text("abc", min_size=1, max_size=3),
    hnp.arrays(DTYPES, hnp.array_shapes(max_dims=2, max_side=3)),
    max_size=3,
)


@hypothesis.given(ARRAYS)
def test_equal_arrays_have_equal_digests(arrays: dict[str, np.ndarray]) -> None:
    strided = {name: np.asfortranarray(np.stack([a, a]))[0] for name, a in reversed(arrays.items())}
    assert digest_arrays(strided) == digest_arrays(arrays)


@hypothesis.given(ARRAYS, ARRAYS)
def test_other_arrays_have_other_digests(
    one: dict[str, np.ndarray], two: dict[str, np.ndarray]
) -> None:
    equal = one.keys() == two.keys() and all(
        one[k].dtype == two[k].dtype
        and one[k].shape == two[k].shape
        and one[k].tobytes() == two[k].tobytes()
        for k in one
    )
    assert (digest_arrays(one) == digest_arrays(two)) == equal


def test_arrays_that_look_alike() -> None:
    """The same bytes, cut differently."""
    zeros = np.zeros(4, "u1")
    texts = {
        digest_arrays(arrays)
        for arrays in (
            {"a": zeros}, {"a": zeros.view("u4")}, {"a": zeros.reshape(2, 2)}, {"b": zeros},
            {"a": zeros[:2], "b": zeros[2:]}, {"a": zeros.view("i1")}, {"a": zeros[:0]}, {},
        )
    }  # fmt: skip
    assert len(texts) == 8


def test_the_digest_of_data() -> None:
    others = [
        Data(DATA.static, DATA.frozen, b"other"),
        Data({"_static_a": np.arange(4.0)}, DATA.frozen, DATA.random_state),
        Data(DATA.static, {"cells.v": np.ones(4)}, DATA.random_state),
        Data(DATA.frozen, DATA.static, DATA.random_state),
    ]
    assert len({DATA.digest(), *(data.digest() for data in others)}) == 5


# -- model -----------------------------------------------------------------------------


def model() -> Model:
    return Model(manifest(), CODE, DATA, "key", resolver=object())


def test_a_model_survives_a_pickle_without_its_resolver() -> None:
    one = model()
    copy = pickle.loads(pickle.dumps(one))
    assert copy.manifest == one.manifest
    assert copy.code == one.code
    assert copy.key == "key"
    assert copy.digest == one.digest
    assert copy.index == one.index
    assert copy.resolver is None
    assert one.resolver is not None
    assert pickle.loads(pickle.dumps(copy)).digest == one.digest


def test_a_pickle_needs_no_brian2() -> None:
    """... which a worker may not have."""
    import pickletools

    names = [
        str(argument)
        for opcode, argument, _ in pickletools.genops(pickle.dumps(model()))
        if opcode.name in ("GLOBAL", "SHORT_BINUNICODE", "BINUNICODE") and argument
    ]
    modules = {name for name in names if name.startswith(("brian2", "gpurun.brian"))}
    assert not modules


def test_equal_digests_mean_equal_code_and_data() -> None:
    one = model()
    assert replace(one, resolver=None).digest == one.digest
    assert replace(one, key="other").digest != one.digest
    assert replace(one, data=Data(DATA.static, DATA.frozen, b"other")).digest != one.digest


def test_a_model_is_immutable_and_short_to_look_at() -> None:
    one = model()
    with pytest.raises(AttributeError):
        one.key = "other"  # type: ignore[misc]
    assert len(repr(one)) < 200
    assert "key" in repr(one)


@pytest.mark.parametrize(
    ("device", "error"),
    [("tpu", ConfigError), ("cuda:x", ConfigError), (-1, ConfigError), ("cuda", Exception)],
)
def test_devices_are_checked_before_anything_is_loaded(device: Any, error: type[Exception]) -> None:
    """There is no library behind this model."""
    import gpurun

    assert gpurun.Model is Model
    with pytest.raises(error) as caught:
        model().session(device=device)
    assert isinstance(caught.value, ConfigError | DeviceUnavailableError)
    assert str(device) in str(caught.value)


def test_sources_can_be_written_out(tmp_path: Path) -> None:
    from gpurun.build import export_sources

    export_sources(replace(CODE, files={**CODE.files, "brianlib/x.h": "// größer"}), tmp_path)
    assert (tmp_path / "brianlib" / "x.h").read_text(encoding="utf-8") == "// größer"
    assert (tmp_path / "model.cpp").read_text() == "int main() {}"
