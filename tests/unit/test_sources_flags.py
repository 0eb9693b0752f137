"""Flags of a model's compiler, from those of brian2's makefile."""

from __future__ import annotations

from pathlib import Path

import brian2
import pytest

from gpurun.brian.sources import compiler_options

BRIAN2 = Path(brian2.__file__).parent


def compiler_flags(text: str) -> list[str]:
    """What becomes of flags that the script sets."""
    return list(compiler_options(text, "", threads=0, debug=False)[0])


def test_brians_own_folders_make_no_other_model(tmp_path: Path) -> None:
    """Brian adds them to its preferences in a process that compiles its queue for Cython."""
    added = f"-I{BRIAN2 / 'synapses'} -I{BRIAN2 / 'devices' / 'cpp_standalone' / 'brianlib'}"
    assert compiler_flags(f"{added} -w -O2") == compiler_flags("-w -O2")
    assert f"-I{tmp_path}" in compiler_flags(f"-I{tmp_path} -w")
    assert compiler_flags(f"-I{tmp_path / 'missing'} -w") == compiler_flags("-w")


@pytest.mark.parametrize("flag", ["-ftrapping-math", "-fno-trapping-math"])
def test_what_the_script_says_of_traps_comes_later(flag: str) -> None:
    found = compiler_flags(f"-w {flag}")
    assert [one for one in found if "trapping" in one][-1] == flag
    assert "-fno-trapping-math" in compiler_flags("-w")
