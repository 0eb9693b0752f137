"""Remembers which flags the C++ compiler accepts, which brian2 tries one by one in each process.

brian2 compiles an empty program for each flag of its preferences. That is a third of the time
of a build for which everything else is there already.
"""

from __future__ import annotations

import shutil
from typing import Any

from brian2.codegen import cpp_prefs

from gpurun.toolchain_memory import remembered

_ask_brian = cpp_prefs._determine_flag_compatibility


def _accepts(compiler: Any, flag: str) -> bool:
    """What brian2's function of this purpose does, once for each compiler and flag."""
    command = [str(word) for word in compiler.executables["compiler_cxx"]]
    program = shutil.which(command[0])
    if program is None:
        return _ask_brian(compiler, flag)
    # A flag that is not accepted is asked about again, because brian2 warns of it then.
    answer = remembered(
        ["flag", program, *command, flag],
        lambda: _ask_brian(compiler, flag) or None,
        lambda answer: [program],
    )
    return bool(answer)


def install() -> None:
    """Have brian2 ask here; its answers are the same."""
    cpp_prefs._determine_flag_compatibility = _accepts
