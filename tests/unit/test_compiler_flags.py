"""brian2's questions to the compiler about flags are asked once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from brian2.codegen import cpp_prefs

from gpurun import config
from gpurun.brian import compiler_flags


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The flags that the compiler was asked about; it accepts those of one letter."""
    flags: list[str] = []

    def ask(compiler: object, flag: str) -> bool:
        flags.append(flag)
        return len(flag) == 2

    program = tmp_path / "c++"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("GPURUN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(config, "_current", None)
    monkeypatch.setattr(compiler_flags, "_ask_brian", ask)
    monkeypatch.setattr(cpp_prefs, "_determine_flag_compatibility", ask)
    compiler_flags.install()
    return flags


def accepts(flag: str, *command: str) -> bool:
    compiler = SimpleNamespace(
        compiler_type="unix", executables={"compiler_cxx": list(command or ("c++",))}
    )
    cpp_prefs._compiler_flag_compatibility.clear()  # as in a new process
    return cpp_prefs.has_flag(compiler, flag)


def test_what_is_accepted_is_remembered(asked: list[str], tmp_path: Path) -> None:
    assert [accepts("-w"), accepts("-w"), accepts("-O")] == [True, True, True]
    assert asked == ["-w", "-O"]
    assert accepts("-w", "c++", "-pthread")
    assert asked == ["-w", "-O", "-w"]
    (tmp_path / "c++").write_text("#!/bin/sh\n# another version\n")
    assert accepts("-w")
    assert len(asked) == 4


def test_what_is_not_accepted_is_warned_of_again(asked: list[str]) -> None:
    assert [accepts("-wrong"), accepts("-wrong")] == [False, False]
    assert asked == ["-wrong", "-wrong"]


def test_compiler_that_is_not_there(asked: list[str]) -> None:
    assert accepts("-w", "no-such-compiler")
    assert accepts("-w", "no-such-compiler")
    assert len(asked) == 2
