"""The real compiler, in a place with an awkward name."""

from __future__ import annotations

import ctypes
import tempfile
from pathlib import Path

import pytest

from gpurun.cache import Cache
from gpurun.errors import BuildError
from gpurun.toolchain import compile_shared, cpu_features, find_cxx, preprocess
from gpurun.toolchain_pieces import compile_pieces, light_flags

FLAGS = ["-std=c++17", "-O1"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "Großer Ordner mit Leerzeichen 'und' Ωmega"
    (made / "include").mkdir(parents=True)
    (made / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(made / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    (made / "include" / "Wert ü.h").write_text("#define ANSWER 42\n", encoding="utf-8")
    (made / "Quelle é.cpp").write_text(
        '#include "Wert ü.h"\nextern "C" int answer() { return ANSWER; }\n', encoding="utf-8"
    )
    return made


def test_library_is_compiled_and_cached(folder: Path) -> None:
    times: list[float] = []

    def make(directory: Path) -> None:
        times.append(
            compile_shared(
                [folder / "Quelle é.cpp"],
                directory / "model.so",
                flags=[*FLAGS, "-march=native"],
                include_dirs=[str(folder / "include")],
                cwd=directory,
            )
        )

    cache = Cache(folder / "Cache", enabled=True)
    path = cache.build("code", "0123456789", make)
    assert ctypes.CDLL(str(path / "model.so")).answer() == 42
    assert cache.build("code", "0123456789", make) == path
    assert len(times) == 1
    assert times[0] > 0
    # The compiler's own temporary files are gone too.
    assert list((folder / "tmp").iterdir()) == []


def test_error_is_the_compilers_own_and_the_directory_stays(folder: Path) -> None:
    (folder / "Quelle é.cpp").write_text("int broken( {\n", encoding="utf-8")

    def make(directory: Path) -> None:
        compile_shared(
            [folder / "Quelle é.cpp"], directory / "model.so", flags=FLAGS, cwd=directory
        )

    with pytest.raises(BuildError) as caught:
        Cache(folder / "Cache", enabled=True).build("code", "0123456789", make)
    fields = caught.value.fields
    assert "Quelle é.cpp:1:" in fields["output"]
    assert "error:" in fields["output"]
    assert str(folder / "Quelle é.cpp") in fields["command"]
    log = Path(fields["directory"]) / "compile.log"
    assert fields["output"] in log.read_text(encoding="utf-8")


def test_preprocess_follows_headers_and_not_places(folder: Path) -> None:
    def text() -> bytes:
        return preprocess(
            folder / "Quelle é.cpp", flags=FLAGS, include_dirs=[folder / "include"], cwd=folder
        )

    before = text()
    assert b"return 42;" in before
    assert str(folder).encode() not in before
    (folder / "include" / "Wert ü.h").write_text("#define ANSWER 43\n", encoding="utf-8")
    assert text() != before


def test_compiler_and_processor_are_known() -> None:
    compiler = find_cxx()
    assert Path(compiler.path).is_absolute()
    assert compiler.version in compiler.identity
    assert compiler.family in ("gcc", "clang")
    assert cpu_features() == cpu_features()
    assert len(cpu_features()) == 16


def test_pieces_become_one_library(folder: Path) -> None:
    other = folder / "Zweite é.cpp"
    other.write_text(
        'extern "C" int answer();\nextern "C" int twice() { return 2 * answer(); }\n',
        encoding="utf-8",
    )
    units = [folder / "Quelle é.cpp", other]
    directory = folder / "tmp"
    seconds = compile_pieces(
        units,
        Path("model.so"),
        light=[other],
        flags=[*FLAGS, "-O3"],
        include_dirs=[folder / "include"],
        cwd=directory,
    )
    assert ctypes.CDLL(str(directory / "model.so")).twice() == 84
    assert seconds > 0
    # Nothing else stays
    assert [path.name for path in directory.iterdir()] == ["model.so"]


def test_a_piece_that_fails_is_named(folder: Path) -> None:
    broken = folder / "kaputt.cpp"
    broken.write_text("int broken( {\n", encoding="utf-8")
    with pytest.raises(BuildError) as caught:
        compile_pieces(
            [folder / "Quelle é.cpp", broken],
            Path("model.so"),
            light=[],
            flags=FLAGS,
            include_dirs=[folder / "include"],
            cwd=folder,
        )
    assert str(broken) in caught.value.fields["command"]
    assert "kaputt.cpp:1:" in caught.value.fields["output"]


@pytest.mark.parametrize(
    ("flags", "added"),
    [
        (["-w", "-O3"], ("-O1",)),
        (["-O0", "-O2"], ("-O1",)),
        (["-Ofast"], ("-O1",)),
        (["-O3", "-O0"], ()),
        (["-O1"], ()),
        (["-Os"], ()),
        (["-Og"], ()),
        ([], ()),
    ],
)
def test_light_units_are_never_optimised_more(flags: list[str], added: tuple[str, ...]) -> None:
    assert light_flags(flags) == added
