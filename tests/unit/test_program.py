"""A recorded script becomes head, tail, parts and what stands between them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gpurun.brian.codeobject import draws_random_numbers
from gpurun.brian.program import OVERRIDES, Program, compile_program

NO_REPORT = "NULL, 10.0"


def code(name: str, when: str = "") -> tuple[str, Any]:
    """An instruction that runs a code object; `when` is "before_" or "after_"."""
    return (f"{when}run_code_object", (SimpleNamespace(name=name),))


def network(
    duration: float = 0.1, *added: str, overrides: bool = True, extra: tuple[str, ...] = ()
) -> tuple[str, Any]:
    """A run as Brian records it: objects, the place of the overrides, the run."""
    lines = ["net.clear();", *(f"net.add(&clock, _run_{name});" for name in added)]
    if overrides:
        lines.append(OVERRIDES)
    lines.append(f"net.run({duration}, {NO_REPORT});")
    return ("run_network", (None, [*lines, *extra]))


def compiled(*queue: tuple[str, Any], draws: tuple[str, ...] = (), threads: int = 0) -> Program:
    return compile_program(list(queue), draws_random=lambda name: name in draws, threads=threads)


# -- where things go -----------------------------------------------------------------


def test_setup_stands_before_the_overrides() -> None:
    program = compiled(
        ("set_by_single_value", ("a", 2, "0.5")),
        code("init"),
        code("queue", "before_"),
        network(0.25, "update", "reset"),
        code("space", "after_"),
    )
    assert program.head == ["a[2] = 0.5;", "_run_init();", "_before_run_queue();"]
    assert program.tail == []
    [part] = program.parts
    assert (part.network, part.duration, part.report, part.report_period) == (
        "net", 0.25, "NULL", 10.0
    )  # fmt: skip
    assert part.enter == [
        "net.clear();", "net.add(&clock, _run_update);", "net.add(&clock, _run_reset);"
    ]  # fmt: skip
    assert part.after == ["_after_run_space();"]
    assert program.head_codeobjects == ["init", "queue"]
    assert program.later_codeobjects == ["update", "reset", "space"]
    assert program.head_derived == ["queue"]
    assert program.later_derived == []
    assert program.duration == 0.25


def test_apply_run_args_puts_setup_behind_the_overrides() -> None:
    program = compiled(
        code("one"),
        ("insert_code", OVERRIDES),
        code("two"),
        ("set_by_single_value", ("a", 0, "1")),
        code("queue", "before_"),
        network(0.1, overrides=False),
    )
    assert program.head == ["_run_one();"]
    assert program.tail == ["_run_two();", "a[0] = 1;", "_before_run_queue();"]
    # What stands behind them can change with every run
    assert program.later_codeobjects == ["two", "queue"]
    assert program.later_derived == ["queue"]
    assert program.later_arrays == {"a"}
    assert not program.opaque_head


def test_several_runs() -> None:
    program = compiled(
        network(0.1, "update"),
        code("space", "after_"),
        ("set_by_single_value", ("a", 0, "1")),
        code("between"),
        network(0.2, "update", overrides=False),
        code("space", "after_"),
        code("behind"),
        ("set_by_single_value", ("b", 0, "2")),
    )
    first, second = program.parts
    assert first.after == ["_after_run_space();", "a[0] = 1;", "_run_between();"]
    assert second.after == ["_after_run_space();"]
    assert program.trailing == ["_run_behind();", "b[0] = 2;"]
    assert program.duration == pytest.approx(0.3)
    assert program.later_arrays == {"a", "b"}
    assert program.later_codeobjects == [
        "update", "space", "between", "update", "space", "behind"
    ]  # fmt: skip


def test_a_script_without_a_run() -> None:
    program = compiled(code("init"))
    assert program.head == ["_run_init();"]
    assert program.parts == []
    assert program.duration == 0


# -- instructions ----------------------------------------------------------------------


def test_arrays() -> None:
    program = compiled(
        ("set_by_constant", ("a", 1.5, False)),
        ("set_by_constant", ("b", True, True)),
        ("set_by_array", ("c", "_static_c", False)),
        ("set_by_array", ("d", "_static_d", True)),
        ("set_array_by_array", ("e", "_static_index", "_static_value")),
        ("resize_array", ("f", 7)),
    )
    text = "\n".join(program.head)
    assert "a[i] = 1.5;" in text
    assert "i<(int)_num_a;" in text
    assert "b[i] = true;" in text
    assert "i<(int)b.size();" in text
    assert "c[i] = _static_c[i];" in text
    assert "i<(int)d.size();" in text
    assert "e[_static_index[i]] = _static_value[i];" in text
    assert "i<(int)_num__static_index;" in text
    assert "f.resize(7);" in text
    assert program.later_arrays == set()


def test_an_unknown_instruction_is_named() -> None:
    with pytest.raises(NotImplementedError, match="make_coffee"):
        compiled(("make_coffee", ()))


def test_run_functions_are_kept_in_place_and_apart() -> None:
    program = compiled(
        code("init"),
        ("start_run_func", ("part", True)),
        code("inside"),
        network(0.1, "update"),
        code("space", "after_"),
        ("end_run_func", ("part", True)),
        code("behind"),
    )
    assert program.head == ["_run_init();", "_run_inside();"]
    assert program.functions["part"][0] == "_run_inside();"
    assert any("net.run(0.1, NULL, 10.0);" in line for line in program.functions["part"])
    assert program.functions["part"][-1] == "_after_run_space();"
    assert len(program.parts) == 1
    assert program.trailing == ["_run_behind();"]
    assert not program.opaque_later


def test_a_run_function_that_is_only_called_by_hand() -> None:
    program = compiled(
        ("start_run_func", ("part", False)),
        code("inside"),
        network(0.1, "update"),
        ("end_run_func", ("part", False)),
        ("insert_code", "part();"),
    )
    assert "_run_inside();" in program.functions["part"]
    assert program.parts == []
    assert "_run_inside();" not in program.head
    # Nobody knows what it changes
    assert program.opaque_later


@pytest.mark.parametrize(
    ("queue", "head", "later"),
    [
        ([("insert_code", "f();"), network()], True, False),
        ([network(), ("insert_code", "f();")], False, True),
        ([("insert_code", OVERRIDES), ("insert_code", "f();"), network()], False, True),
        ([network(0.1, "update", extra=("f();",))], False, True),
        ([network(0.1, "update")], False, False),
    ],
    ids=["before", "behind", "behind the overrides", "behind the run", "none"],
)
def test_hand_written_code(queue: list[tuple[str, Any]], head: bool, later: bool) -> None:
    program = compiled(*queue)
    assert program.opaque_head == head
    assert program.opaque_later == later


# -- random numbers --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "unseeded", "seeded", "later"),
    [
        ([code("init"), network()], False, False, False),
        ([code("dice"), network()], True, False, False),
        ([("seed", 3), code("dice"), network()], False, True, False),
        ([code("dice"), ("seed", 3), network()], True, True, False),
        ([("seed", 3), ("seed", None), code("dice"), network()], True, False, False),
        ([("seed", 3), code("dice"), ("seed", None), network()], False, False, False),
        ([network(0.1, "dice")], False, False, True),
        ([("seed", 3), network(0.1, "dice")], False, True, True),
        ([network(), code("dice"), network()], False, False, True),
        # A seed between two runs says nothing about the first
        ([network(0.1, "dice"), ("seed", 3), network(0.1, "dice")], False, False, True),
        ([("insert_code", OVERRIDES), code("dice"), network()], False, False, True),
    ],
)
def test_random_setup(
    queue: list[tuple[str, Any]], unseeded: bool, seeded: bool, later: bool
) -> None:
    program = compiled(*queue, draws=("dice",))
    assert program.draws_unseeded == unseeded
    assert program.seeded == seeded
    assert program.draws_later == later


@pytest.mark.parametrize(("threads", "count"), [(0, 1), (1, 1), (4, 4)])
def test_every_thread_is_seeded(threads: int, count: int) -> None:
    program = compiled(("seed", 5), network(), threads=threads)
    assert program.head == [
        f"for (int _i=0; _i<{count}; _i++)",
        "    brian::_random_generators[_i].seed(5L + _i);",
        "::gpurun::restart_noise(5u);",
    ]


def test_a_seed_without_a_number_restarts_both_streams() -> None:
    assert compiled(("seed", None), network()).head[-2:] == [
        "    brian::_random_generators[_i].seed();",
        "::gpurun::restart_noise();",
    ]


DEFINED = """
inline double _rand(const int _vectorisation_idx) {
    return brian::_random_generators[0].rand();
}
"""


STREAMS = "static inline double _rand(const int64_t) { return ::gpurun::own_stream().uniform(); }\n"


@pytest.mark.parametrize(
    ("text", "draws"),
    [
        ("", False),
        (DEFINED, False),
        (DEFINED.replace("[0]", "[omp_get_thread_num()]"), False),
        (DEFINED + "void f() { x = _rand(_vectorisation_idx); }", True),
        (DEFINED + "double _poisson(double l, int i) { return _rand (i); }", True),
        (DEFINED + "void f() { x = my_rand(i); }", False),
        (DEFINED + DEFINED.replace("_rand(", "_randn(") + "void f() { _randn(i); }", True),
        ("void f() { x = brian::_random_generators[0].randn(); }", True),
        (DEFINED.replace("return", "double x = 1; return"), True),
        (STREAMS, False),
        (STREAMS + "void f() { x = _rand(i); }", True),
        (STREAMS + "double f() { double x = ::gpurun::own_stream().normal(); return x; }", True),
    ],
)
def test_who_draws_random_numbers(text: str, draws: bool) -> None:
    assert draws_random_numbers(text) == draws
