"""What the emulated nvcc prepares once: libraries, links to headers, the cache they are in."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cuda_emulator.driver import cache, prepare
from tests.cuda_emulator.driver.errors import Unprepared

TOOLKIT = Path(__file__).parents[1] / "cuda_emulator"


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CUDA_EMULATOR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _slowly(folder: str) -> None:
    time.sleep(0.2)
    (Path(folder) / "made").touch()
    # One line per time that it is made
    with (Path(folder).parent / "log").open("a") as file:
        file.write("made\n")


def _prepare_slowly(_: int) -> str:
    return cache.prepared("thing-1", _slowly)


def test_processes_make_a_thing_once(own_cache: Path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        folders = set(pool.map(_prepare_slowly, range(3)))
    assert folders == {str(own_cache / "thing-1")}
    assert (own_cache / "thing-1" / "made").exists()
    assert (own_cache / "log").read_text() == "made\n"


def test_what_could_not_be_made_leaves_nothing(own_cache: Path):
    def fail(folder: str) -> None:
        (Path(folder) / "half").touch()
        raise Unprepared("no")

    with pytest.raises(Unprepared):
        cache.prepared("thing-1", fail)
    assert [path.name for path in own_cache.iterdir()] == ["thing-1.lock"]
    assert Path(cache.prepared("thing-1", lambda folder: None)).is_dir()


def test_only_what_was_used_lately_is_kept(own_cache: Path):
    for number in range(4):
        folder = cache.prepared(f"thing-{number}", lambda folder: None, keep=2)
        os.utime(folder, (0, time.time() - 7200 + number))
    cache.prepared("other-1", lambda folder: None)
    cache.prepared("thing-1", lambda folder: None, keep=2)  # used again
    cache.prepared("thing-4", lambda folder: None, keep=2)
    kept = sorted(path.name for path in own_cache.iterdir() if path.is_dir())
    assert kept == ["other-1", "thing-1", "thing-4"]


def test_a_digest_tells_contents_and_names(tmp_path: Path):
    def digest(skip: tuple[str, ...] = ()) -> str:
        return cache.digest_of_files(str(tmp_path), ("a",), skip)

    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "x.h").write_text("1")
    first = digest()
    (tmp_path / "a" / ".x.h.swp").write_text("2")
    assert digest() == first
    (tmp_path / "a" / "b" / "y.h").write_text("2")
    second = digest()
    assert second != first and digest(("a/b",)) == first
    (tmp_path / "a" / "b" / "y.h").rename(tmp_path / "a" / "b" / "z.h")
    assert digest() not in (first, second)
    assert cache.digest_of("ab", "c") != cache.digest_of("a", "bc")


def test_nvidias_curand_headers_are_linked(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    include = tmp_path / "env" / "lib" / "python3.12" / "site-packages" / "nvidia/cu13/include"
    include.mkdir(parents=True)
    for name in ("curand.h", "curand_kernel.h", "cuda_runtime.h"):
        (include / name).touch()
    monkeypatch.setenv("CUDA_EMULATOR_PYTHON", str(tmp_path / "env" / "bin" / "python"))
    links = prepare.curand()
    assert links is not None and Path(links).parent == own_cache
    assert sorted(os.listdir(links)) == ["curand.h", "curand_kernel.h"]
    assert os.path.realpath(Path(links) / "curand.h") == str(include / "curand.h")
    assert prepare.include_flags()[:4] == ["-I", str(TOOLKIT / "include"), "-isystem", links]
    monkeypatch.setenv("CUDA_EMULATOR_PYTHON", str(tmp_path / "none" / "bin" / "python"))
    assert prepare.curand() is None


def test_a_compiler_that_is_missing():
    with pytest.raises(Unprepared, match="no host compiler 'none\\+\\+'"):
        prepare.identity("none++")


def test_everything_is_printed():
    said = subprocess.run(
        [sys.executable, str(TOOLKIT / "driver" / "prepare.py"), "--print"],
        capture_output=True,
        text=True,
        check=True,
    )
    places = dict(line.split("=", 1) for line in said.stdout.splitlines())
    assert (Path(places["library"]) / "libcuda_emulator.so").exists()
    for name in ("libnvidia-ml.so.1", "libcuda.so.1"):
        ctypes.CDLL(str(Path(places["nvml"]) / name))
    assert (Path(places["precompiled"]) / "cuda.h.gch").exists()


def test_a_program_is_linked_with_the_emulated_nvml(tmp_path: Path):
    (tmp_path / "a.cpp").write_text(
        'extern "C" int nvmlInit_v2(), nvmlDeviceGetCount_v2(unsigned*);\n'
        "int main() { unsigned n = 0; nvmlInit_v2(); nvmlDeviceGetCount_v2(&n); return n; }\n"
    )
    nvcc = str(TOOLKIT / "bin" / "nvcc")
    subprocess.run([nvcc, "a.cpp", "-o", "a", "-lnvidia-ml"], cwd=tmp_path, check=True)
    ran = subprocess.run(
        [str(tmp_path / "a")], env={**os.environ, "CUDA_EMULATOR": "devices=3"}, check=False
    )
    assert ran.returncode == 3
