"""What is compiled, what is not, and what happens when a build or its cache goes wrong."""

from __future__ import annotations

import ctypes.util
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from brian2 import NeuronGroup, prefs
from brian2.units import ms, volt

import gpurun
from gpurun import events
from gpurun.config import configure, settings
from gpurun.errors import BuildError, LibraryError
from gpurun.library import Library
from tests import models
from tests.states import assert_same, differing, state

ROOT = Path(__file__).parents[2]

#: Builds a script of tests.models and says what happened; arguments: name, options as JSON.
BUILD = """
import json, sys, warnings
sys.path.insert(0, sys.argv[1])
warnings.simplefilter("always")
from gpurun import events
from tests import models
from tests.states import digest, state
finished = []
events.subscribe(lambda e: isinstance(e, events.BuildFinished) and finished.append(e))
script = models.build(getattr(models, sys.argv[2]), **json.loads(sys.argv[3]))
model = script.model
with model.session() as session:
    session.run(seed=1)
    result = digest(state(session))
[event] = finished
print(json.dumps({
    "key": model.key, "cached": event.cached, "compile_time": event.compile_time,
    "result": result, "library": str(model.library),
}))
"""


def start(name: str, options: dict[str, Any] | None = None, **environment: Any) -> Any:
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(ROOT), name, json.dumps(options or {})],
        env=os.environ | {key: str(value) for key, value in environment.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: Any) -> dict[str, Any]:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return {**json.loads(output.splitlines()[-1]), "stderr": errors}


def elsewhere(name: str, options: dict[str, Any] | None = None, **environment: Any) -> Any:
    """Build in another process; what BUILD prints, as a dict."""
    return finish(start(name, options, **environment))


@contextmanager
def watched() -> Iterator[list[events.BuildFinished]]:
    """The builds that end in this process meanwhile."""
    seen: list[events.BuildFinished] = []

    def observe(event: events.Event) -> None:
        if isinstance(event, events.BuildFinished):
            seen.append(event)

    unsubscribe = events.subscribe(observe)
    try:
        yield seen
    finally:
        unsubscribe()


SMALL = {"random_setup": False}


# -- nothing is compiled twice -------------------------------------------------------


@pytest.mark.parametrize("name", ["everything", "rare", "two_runs", "tripping"])
def test_another_process_compiles_nothing(name: str) -> None:
    """Whatever the order in which its sets are iterated."""
    model = models.built(getattr(models, name)).model
    for seed in ("1", "2"):
        got = elsewhere(name, PYTHONHASHSEED=seed)
        assert got["key"] == model.key
        assert got["cached"]
        assert got["compile_time"] == 0.0


def test_events_of_a_build() -> None:
    seen: list[events.Event] = []
    unsubscribe = events.subscribe(seen.append)
    try:
        key = models.build(models.noisy, **SMALL).model.key
    finally:
        unsubscribe()
    first, last = seen
    assert isinstance(first, events.BuildStarted)
    assert isinstance(last, events.BuildFinished)
    assert first.name == last.name == key
    assert last.wall_time > 0


def test_other_weights_are_other_data_of_the_same_code() -> None:
    one = models.build(models.noisy, **SMALL).model
    with watched() as builds:
        two = models.build(models.noisy, **SMALL, weight=0.7).model
    assert [build.cached for build in builds] == [True]
    assert two.key == one.key
    assert two.library == one.library
    assert two.digest != one.digest
    with one.session() as session, two.session() as other:
        session.run(seed=1)
        other.run(seed=1)
        assert set(session.read("links.w")) == {0.1}
        assert set(other.read("links.w")) == {0.7}
        assert "cells.v" in differing(state(session), state(other))
        session.run({"links.w": 0.7}, seed=1)
        names = {info.name for info in one.manifest.variables if info.kind != "static"}
        mine, others = state(session), state(other)
        assert_same({n: mine[n] for n in names}, {n: others[n] for n in names})
    # The first one's data did not become the second one's, in the cache either
    with watched() as builds:
        again = models.build(models.noisy, **SMALL).model
    assert [build.cached for build in builds] == [True]
    assert again.data.frozen["links.w"][0] == 0.1


def test_other_inputs_are_other_data_of_the_same_code() -> None:
    one = models.built(models.everything).model
    values = {"stim": np.zeros(10), "grid": np.ones((5, 20)), "rate": 2000.0}
    values["gen"] = ([5, 4, 3, 2, 1, 0], np.arange(6) * 1e-3)
    with watched() as builds:
        script = models.build(models.everything, values=values)
    assert [build.cached for build in builds] == [True]
    assert script.model.key == one.key
    assert script.objects.stim(1 * ms) == 0 * volt
    with script.model.session() as session:
        session.run()
        assert not session.read("stim").any()
        assert session.read("gen.neuron_index").tolist() == [5, 4, 3, 2, 1, 0]


def test_two_processes_at_once_compile_once(tmp_path: Path) -> None:
    processes = [start("noisy", SMALL, GPURUN_CACHE_DIR=tmp_path) for _ in range(3)]
    results = [finish(process) for process in processes]
    assert sorted(result["cached"] for result in results) == [False, True, True]
    assert len({result["key"] for result in results}) == 1
    assert len({result["result"] for result in results}) == 1
    assert len(list((tmp_path / "code").glob("*/*"))) == 1


# -- a damaged cache -----------------------------------------------------------------


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def replace_by_text(path: Path) -> None:
    path.write_text("not what it was")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A cache with one model, and what building it said."""
    root = tmp_path_factory.mktemp("kept")
    return root, elsewhere("noisy", SMALL, GPURUN_CACHE_DIR=root)


@pytest.mark.parametrize("damage", [flip, truncate, replace_by_text, Path.unlink])
def test_a_damaged_library_is_compiled_again(
    kept: tuple[Path, dict[str, Any]], damage: Callable[[Path], Any]
) -> None:
    root, first = kept
    [library] = (root / "code").glob("*/*/model.so")
    damage(library)
    again = elsewhere("noisy", SMALL, GPURUN_CACHE_DIR=root)
    assert not again["cached"]
    assert again["key"] == first["key"]
    assert again["result"] == first["result"]
    assert elsewhere("noisy", SMALL, GPURUN_CACHE_DIR=root)["cached"]


@pytest.mark.parametrize("damage", [flip, truncate, Path.unlink])
def test_a_damaged_setup_is_run_again(
    kept: tuple[Path, dict[str, Any]], damage: Callable[[Path], Any]
) -> None:
    root, first = kept
    [frozen] = (root / "data").glob("*/*/frozen.npz")
    damage(frozen)
    again = elsewhere("noisy", SMALL, GPURUN_CACHE_DIR=root)
    assert again["cached"], "the library was good"
    assert again["result"] == first["result"]


@pytest.fixture
def present_cache() -> Iterator[None]:
    before = settings().cache_dir
    yield
    configure(cache_dir=before)


def test_a_cache_that_vanishes_under_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present_cache: None
) -> None:
    """The model carries its sources."""
    model = pickle.loads(pickle.dumps(models.built(models.noisy, **SMALL).model))
    with model.session() as session:
        session.run(seed=1)
        expected = state(session)
        configure(cache_dir=tmp_path / "new")
        monkeypatch.setattr(sys.modules["gpurun.build"], "_libraries", {})
        # An open session needs no file
        session.run(seed=1)
        assert_same(state(session), expected)
    with model.session() as session:
        session.run(seed=1)
        assert_same(state(session), expected)
    assert (tmp_path / "new" / "code").is_dir()


def test_without_a_cache_every_build_compiles(tmp_path: Path) -> None:
    first = elsewhere("noisy", SMALL, GPURUN_CACHE_DIR=tmp_path / "unused", GPURUN_CACHE="0")
    assert not first["cached"]
    assert not (tmp_path / "unused" / "code").exists()
    # ... into a directory that ends with the process
    assert not Path(first["library"]).exists()


# -- places --------------------------------------------------------------------------


def test_paths_with_spaces_capitals_and_umlauts(tmp_path: Path) -> None:
    odd = tmp_path / "Ein Pfad, GROSS & 'größer' (ü)"
    for name in ("cache", "tmp", "work"):
        (odd / name).mkdir(parents=True)
    options = {**SMALL, "directory": str(odd / "work" / "Mein Projekt")}
    # A compiler that cannot write there would fail; a shell in between would split the path
    got = elsewhere("noisy", options, GPURUN_CACHE_DIR=odd / "cache", TMPDIR=odd / "tmp")
    assert not got["cached"]
    assert got["library"].startswith(str(odd / "cache"))
    assert "CacheWarning" not in got["stderr"]
    assert elsewhere("noisy", options, GPURUN_CACHE_DIR=odd / "cache")["cached"]
    # Nothing is left behind
    assert not list((odd / "tmp").iterdir())


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    """For root every directory can be written, so there is a file where one should be."""
    (tmp_path / "file").write_text("in the way")
    got = elsewhere("noisy", SMALL, GPURUN_CACHE_DIR=tmp_path / "file" / "cache")
    assert "CacheWarning" in got["stderr"]
    assert str(tmp_path / "file" / "cache") in got["stderr"]
    assert got["result"] == elsewhere("noisy", SMALL)["result"]
    assert not Path(got["library"]).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_cache(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    got = elsewhere("noisy", SMALL, GPURUN_CACHE_DIR=tmp_path)
    assert "CacheWarning" in got["stderr"]


# -- errors of the compiler ------------------------------------------------------------


def with_function(code: str, **options: Any) -> NeuronGroup:
    """Record a script that calls a C++ function of the user in its set-up."""
    models.new_script()
    function = models.cpp_function(code, "mine", 1)
    if options:
        function.implementations[
            next(iter(function.implementations._implementations))
        ].compiler_kwds.update(options)
    cells = NeuronGroup(2, "v : 1", name="cells", namespace={"mine": function})
    cells.v = "mine(i)"
    network = models.b2.Network(cells)
    network.run(1 * ms)
    return cells


def test_a_syntax_error_in_the_users_code() -> None:
    cells = with_function("double mine(const double x) { return x +; }")
    with pytest.raises(BuildError) as caught:
        gpurun.build()
    error: Any = caught.value
    assert "return x +;" in str(error), "the compiler shows the line"
    assert "error:" in error.output
    assert error.returncode not in (0, None)
    assert any("-fno-gnu-unique" in word for word in error.command)
    assert Path(error.directory).is_dir()
    assert error.directory in str(error)
    assert "return x +;" in (Path(error.directory) / "code_objects.cpp").read_text()
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.output, copy.command) == (str(error), error.output, error.command)
    del cells
    # The directory is not taken for a good build, and the next script builds
    repaired = with_function("double mine(const double x) { return x + 3; }")
    with gpurun.build().session() as session:
        session.run()
        assert repaired.v[:].tolist() == [3, 4]


def test_a_function_that_does_not_exist() -> None:
    cells = with_function("double mine(const double x) { return nowhere(x); }")
    with pytest.raises(BuildError, match="nowhere"):
        gpurun.build()
    del cells


def test_a_missing_symbol_is_found_before_the_library_is_published() -> None:
    """It compiles and links, but cannot be loaded."""
    cells = with_function("double outside(double);\ndouble mine(const double x)\n"
                          "{ return outside(x); }")  # fmt: skip
    for _ in range(2):
        with pytest.raises((BuildError, LibraryError), match="outside"):
            gpurun.build()
    del cells


def test_a_library_that_the_linker_does_not_find(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = with_function("double mine(const double x) { return x; }")
    monkeypatch.setitem(prefs, "codegen.cpp.libraries", ["no_such_library"])
    with pytest.raises(BuildError, match="no_such_library"):
        gpurun.build()
    del cells


def test_a_header_of_the_user_is_part_of_the_model(tmp_path: Path) -> None:
    """Its contents, wherever it lies; brian2's own makefile does not see that it changes."""
    header = tmp_path / "my header.h"
    keys = []
    for value in (5, 6, 5):
        header.write_text(f"static inline double offset() {{ return {value}; }}\n")
        cells = with_function(
            "double mine(const double x) { return x + offset(); }",
            headers=[f'"{header}"'],
        )
        with watched() as builds:
            model = gpurun.build()
        keys.append(model.key)
        with model.session() as session:
            session.run()
            assert session.read("cells.v").tolist() == [value, value + 1]
        del cells
    assert keys[0] == keys[2]
    assert keys[0] != keys[1]
    assert builds[0].cached


# -- libraries -------------------------------------------------------------------------


def test_a_library_of_something_else() -> None:
    name = ctypes.util.find_library("m")
    assert name is not None
    found = [line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()
             if name in line]  # fmt: skip
    with pytest.raises(LibraryError, match="not a gpurun model library"):
        Library(Path(found[0]), [])


def test_a_library_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "model.so").write_text("text")
    with pytest.raises(LibraryError, match=r"model\.so.*cannot be loaded"):
        Library(tmp_path / "model.so", [])
    with pytest.raises((LibraryError, OSError)):
        Library(tmp_path / "nothing.so", [])


def test_a_library_of_another_model() -> None:
    model = models.built(models.noisy, **SMALL).model
    names = [info.name for info in model.manifest.variables]
    Library(model.library, names)
    with pytest.raises(LibraryError, match="another model"):
        Library(model.library, names[::-1])


# -- OpenMP ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parallel() -> models.Script:
    return models.built(models.noisy, threads=2, **SMALL)


def test_openmp(parallel: models.Script) -> None:
    assert parallel.model.manifest.threads == 2
    assert "-fopenmp" in parallel.model.code.flags
    drive = {"cells.drive": np.linspace(1, 3, 10)}
    with parallel.model.session() as session, parallel.model.session() as other:
        session.run({"links.delay": 2e-3, **drive}, duration=0.004, seed=1)
        session.advance(0.0013)
        session.advance(0.02)
        other.run(seed=5)
        other.run(drive, carry=["links.used"], seed=6)
        other.run({"links.delay": 2e-3, **drive}, duration=0.0253, seed=1)
        assert session.read("links.used").sum() > 5
        assert_same(state(session), state(other))


def test_openmp_has_a_stream_for_each_thread(parallel: models.Script) -> None:
    with parallel.model.session() as session:
        values = session.run({"cells.drive": 0, "links.w": 0}, record=["cells.v"], duration=0.001)
        assert len(set(values["cells.v"])) == 10
