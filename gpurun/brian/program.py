"""The script as a program: set-up, runs, and the code between them.

A Brian standalone device records what the script does as a queue of small
instructions. Here that queue becomes C++ lines in the order in which a session
executes them::

    head | overrides | tail | enter 0, run 0, leave 0, after 0 | enter 1, ... | trailing

The overrides stand where Brian's ``set_from_command_line`` stands: where the
script called ``device.apply_run_args()``, else right before the first run.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from brian2.devices.cpp_standalone.codeobject import openmp_pragma
from brian2.parsing.rendering import CPPNodeRenderer

from gpurun.errors import NotSupportedError

#: Instructions by which a script sets variables.
_SETTING = frozenset(
    {"run_code_object", "set_by_constant", "set_by_array", "set_array_by_array", "resize_array"}
)
OVERRIDES = "set_from_command_line(args);"


@dataclass
class Part:
    """One ``run()`` of the script; durations and periods in seconds."""

    network: str
    duration: float
    report: str
    report_period: float
    enter: list[str] = field(default_factory=list)
    leave: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


@dataclass
class Program:
    """C++ lines of the whole script and the facts a session needs about them."""

    head: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    trailing: list[str] = field(default_factory=list)
    functions: dict[str, list[str]] = field(default_factory=dict)
    #: Names of code objects executed in the head / anywhere behind it.
    head_codeobjects: list[str] = field(default_factory=list)
    later_codeobjects: list[str] = field(default_factory=list)
    #: ``_before_run_`` code objects in the head / behind it.
    head_derived: list[str] = field(default_factory=list)
    later_derived: list[str] = field(default_factory=list)
    after_run_codeobjects: list[str] = field(default_factory=list)
    #: C++ names of arrays that instructions behind the head write.
    later_arrays: set[str] = field(default_factory=set)
    #: Whether hand-written C++ (``insert_code``) stands in the head / behind it.
    opaque_head: bool = False
    opaque_later: bool = False
    #: Random numbers: drawn in the head before any seed; seeded when the head ends.
    draws_unseeded: bool = False
    seeded: bool = False
    draws_later: bool = False

    @property
    def duration(self) -> float:
        return sum(part.duration for part in self.parts)


_RUN = re.compile(r"^(?P<net>\w+)\.run\((?P<duration>.+?), (?P<report>\w+), (?P<period>.+)\);$")


class _Recorder:
    """Walks the queue once; knows on which side of the overrides it is."""

    def __init__(self, draws_random: Callable[[str], bool], threads: int) -> None:
        self.program = Program()
        self.draws_random = draws_random
        self.threads = max(threads, 1)
        self.overrides_seen = False
        #: Whether a run begins with a state from a file, which set-up code cannot change any more.
        self.begins_with_file = False

    # -- where lines go
    def lines(self) -> list[str]:
        program = self.program
        if program.parts:
            return program.parts[-1].after
        return program.tail if self.overrides_seen else program.head

    @property
    def in_head(self) -> bool:
        return not self.overrides_seen and not self.program.parts

    def add(self, *lines: str) -> None:
        self.lines().extend(lines)

    def writes(self, array: str) -> None:
        if not self.in_head:
            self.program.later_arrays.add(array)

    # -- instructions
    def code_object(self, name: str, prefix: str) -> None:
        program = self.program
        self.add(f"{prefix}{name}();")
        if prefix == "_after_run_":
            program.after_run_codeobjects.append(name)
            program.later_codeobjects.append(name)
            return
        if prefix == "_before_run_":
            (program.head_derived if self.in_head else program.later_derived).append(name)
        (program.head_codeobjects if self.in_head else program.later_codeobjects).append(name)
        if self.draws_random(name):
            if not self.in_head:
                program.draws_later = True
            elif not program.seeded:
                program.draws_unseeded = True

    def seed(self, value: int | None) -> None:
        call = "seed()" if value is None else f"seed({int(value)}L + _i)"
        self.add(
            f"for (int _i=0; _i<{self.threads}; _i++)",
            f"    brian::_random_generators[_i].{call};",
            f"::gpurun::restart_noise({'' if value is None else f'{int(value) % 2**64}u'});",
        )
        if not self.program.parts:
            self.program.seeded = value is not None

    def network(self, lines: list[str]) -> None:
        program = self.program
        enter: list[str] = []
        for number, line in enumerate(lines):
            if line == OVERRIDES:
                self.overrides_seen = True
                continue
            match = _RUN.match(line)
            if match is None:
                enter.append(line)
                continue
            program.parts.append(
                Part(
                    network=match["net"],
                    duration=float(match["duration"]),
                    report=match["report"],
                    report_period=float(match["period"]),
                    enter=enter,
                    leave=lines[number + 1 :],
                )
            )
            for added in re.findall(r", _run_(\w+)\);", "\n".join(enter)):
                program.later_codeobjects.append(added)
                if self.draws_random(added):
                    program.draws_later = True
            # Beyond the calls that brian2 generates stands hand-written code
            plain = re.compile(rf"^{match['net']}\.(clear\(\)|add\(&\w+, \w+\));$")
            if part_has_other_code(enter, plain) or lines[number + 1 :]:
                program.opaque_later = True
            return
        raise AssertionError(f"no run call in {lines}")

    def state(self, lines: list[str] | None) -> None:
        """Brian's store() or restore(); without lines a restore() that every run begins with."""
        if lines is None:
            self.begins_with_file = True
            return
        self.add(*lines)
        if self.in_head:
            # The frozen set-up has no stored states: it has to be run
            self.program.opaque_head = True

    def inserted(self, code: str) -> None:
        if code.strip() == OVERRIDES:
            self.overrides_seen = True
            return
        self.add(code)
        if self.in_head:
            self.program.opaque_head = True
        else:
            self.program.opaque_later = True


def part_has_other_code(lines: list[str], plain: re.Pattern[str]) -> bool:
    """Whether any of `lines` is not a call matched by `plain`."""
    return any(line.strip() and not plain.match(line) for line in lines)


def _size(array: str, dynamic: bool) -> str:
    return f"{array}.size()" if dynamic else f"_num_{array}"


def _loop(size: str, statement: str) -> list[str]:
    return [
        str(openmp_pragma("parallel-static")),
        f"for(int i=0; i<(int){size}; i++)",
        "{",
        f"    {statement}",
        "}",
    ]


def compile_program(
    queue: list[tuple[str, Any]],
    *,
    draws_random: Callable[[str], bool],
    threads: int,
) -> Program:
    """Turn a device's main queue into a `Program`.

    Parameters
    ----------
    queue : list of (str, args)
        ``device.main_queue`` of a brian2 standalone device.
    draws_random : callable
        Says of a code object's name whether it draws random numbers.
    threads : int
        Number of OpenMP threads, 0 without OpenMP.

    Raises
    ------
    NotImplementedError
        For an instruction that this version of gpurun does not know.
    """
    render = CPPNodeRenderer().render_expr
    recorder = _Recorder(draws_random, threads)
    program = recorder.program
    function_stack: list[tuple[str, bool]] = []

    for instruction, args in queue:
        # Lines of a run_function go into the function; they are also recorded
        # in place, because a function call would hide runs and overrides.
        mark = None
        if recorder.begins_with_file and not program.parts and instruction in _SETTING:
            raise NotSupportedError(
                "The script changes variables between restore(filename=...) and its first run(). "
                "Set-up code runs once, before any state is restored: give the values to "
                "device.run(run_args={...}) instead.",
                what="restore",
            )
        if function_stack and instruction not in ("start_run_func", "end_run_func"):
            mark = (recorder.lines(), len(recorder.lines()), len(program.parts))
        if instruction in ("before_run_code_object", "run_code_object", "after_run_code_object"):
            (codeobj,) = args
            prefix = "_" + instruction.removesuffix("code_object")
            recorder.code_object(codeobj.name, prefix)
        elif instruction == "run_network":
            _, lines = args
            recorder.network(list(lines))
        elif instruction == "set_by_constant":
            array, value, dynamic = args
            recorder.writes(array)
            recorder.add(*_loop(_size(array, dynamic), f"{array}[i] = {render(repr(value))};"))
        elif instruction == "set_by_array":
            array, static, dynamic = args
            recorder.writes(array)
            recorder.add(*_loop(_size(array, dynamic), f"{array}[i] = {static}[i];"))
        elif instruction == "set_by_single_value":
            array, item, value = args
            recorder.writes(array)
            recorder.add(f"{array}[{item}] = {value};")
        elif instruction == "set_array_by_array":
            array, index, value = args
            recorder.writes(array)
            recorder.add(*_loop(f"_num_{index}", f"{array}[{index}[i]] = {value}[i];"))
        elif instruction == "resize_array":
            array, size = args
            recorder.writes(array)
            recorder.add(f"{array}.resize({size});")
        elif instruction == "insert_code":
            recorder.inserted(args)
        elif instruction == "state":
            recorder.state(args)
        elif instruction == "start_run_func":
            name, inline = args
            function_stack.append((name, inline))
            program.functions[name] = []
        elif instruction == "end_run_func":
            function_stack.pop()
        elif instruction == "seed":
            recorder.seed(args)
        else:
            raise NotImplementedError(f"Unknown instruction in the main queue: {instruction}")
        if mark is not None:
            _copy_into_function(recorder, mark, program.functions[function_stack[-1][0]])
            if not all(inline for _, inline in function_stack):
                _remove_in_place(recorder, mark)
    if not recorder.overrides_seen and not program.parts:
        recorder.overrides_seen = True
    if program.parts:
        _split_trailing(program)
    return program


def _copy_into_function(
    recorder: _Recorder, mark: tuple[list[str], int, int], function: list[str]
) -> None:
    target, start, parts = mark
    function.extend(target[start:])
    for part in recorder.program.parts[parts:]:
        function.extend(part.enter)
        function.append(
            f"{part.network}.run({part.duration!r}, {part.report}, {part.report_period!r});"
        )
        function.extend(part.leave)


def _remove_in_place(recorder: _Recorder, mark: tuple[list[str], int, int]) -> None:
    target, start, parts = mark
    del target[start:]
    del recorder.program.parts[parts:]
    recorder.program.opaque_later = True


def _split_trailing(program: Program) -> None:
    """Separate Brian's own ``after_run`` calls from set-up code behind the last run."""
    last = program.parts[-1]
    for number, line in enumerate(last.after):
        if not line.startswith("_after_run_"):
            program.trailing = last.after[number:] + program.trailing
            del last.after[number:]
            return
