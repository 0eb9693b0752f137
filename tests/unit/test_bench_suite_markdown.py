"""A report of the suite as Markdown."""

from __future__ import annotations

import dataclasses
import re

import pytest

from gpurun.bench.suite import contender as names
from gpurun.bench.suite.markdown import render
from gpurun.bench.suite.schema import Case, Contender, Curve, Floor, Measure, SuiteReport
from gpurun.bench.suite.summary import best_seconds_each, fastest, first_result, line
from gpurun.bench.suite.wording import count, factor, of_floor, where_behind
from tests.unit.bench_suite_reports import MACHINE, case, make

TEXT = render(make())


def section(text: str, title: str) -> str:
    found = re.search(
        rf"^### {re.escape(title)}\n(.*?)(?=^### |\Z)", text, re.DOTALL | re.MULTILINE
    )
    assert found, f"no section {title!r}"
    return found[1]


def rows(text: str, head: str) -> dict[str, dict[str, str]]:
    """The table whose first title is `head`: cells by the first one of the row, and by title."""
    lines = text.splitlines()
    at = next(n for n, one in enumerate(lines) if one.startswith(f"| {head} |"))
    titles = _cells(lines[at])
    found = {}
    for one in lines[at + 2 :]:
        if not one.startswith("|"):
            break
        cells = _cells(one)
        assert len(cells) == len(titles)
        found[cells[0]] = dict(zip(titles, cells, strict=True))
    return found


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def measured(name: str, *measures: Measure, curves: tuple[Curve, ...] = ()) -> Contender:
    return Contender(name, name, "measured", "", "", {}, list(measures), list(curves))


def wall(*values: float, phase: str = "next stimulus", floor: str = "") -> Measure:
    return Measure(phase, names.WALL, "s", list(values), floor)


def setup(seconds: float) -> Measure:
    return Measure("setup", names.COMPILE, "s", [seconds])


def only(*contenders: Contender) -> SuiteReport:
    return make(cases=[case("alpha", "full", list(contenders))])


def test_where_and_how_it_was_measured() -> None:
    for part in (
        "Measured 2026-11-28T10:20:30+00:00 with `gpurun bench` at commit `0123456789ab`",
        "A processor (2 cores, 16 GiB)",
        "There was no card. It took 10.0 minutes.",
        "Settings: flags -O3, precision float64, time limit 1,800.",
    ):
        assert part in TEXT
    assert "trial" not in TEXT
    changed = render(
        make(
            quick=True,
            card={"name": "H100", "driver": "580"},
            machine=dataclasses.replace(MACHINE, quiet=False),
        )
    )
    for part in ("trial", "Card: name H100, driver 580.", "**not quiet**"):
        assert part in changed


def test_floors_of_the_machine() -> None:
    floors = [Floor("dlopen", "s", [1e-4, 2e-4, 3e-4], "an | empty library")]
    assert rows(render(make(floors=floors)), "Floor")["dlopen"] == {
        "Floor": "dlopen",
        "Median [interval]": "200 µs [100 µs, 300 µs]",
        "What was done": "an \\| empty library",
    }


def test_every_case_says_what_it_is() -> None:
    text = section(TEXT, "The beta network (full)")
    assert "`beta`, A and B (2015). 1,000 neurons, 50,000 synapses, 800 steps" in text
    assert "dt in ms 0.1, dense yes. Deterministic; results have to agree" in text
    assert "those of brian2-cpp. Floor: host memory copy of the bytes moved 110 µs" in text


def test_contenders_without_figures_stand_in_their_place_with_the_reason() -> None:
    found = rows(section(TEXT, "The beta network (full)"), "Each next stimulus")
    assert [one.partition("`")[2].rstrip("`)") for one in found] == [
        "gpurun-cpu",
        "gpurun-cuda",
        "brian2-cpp",
        "brian2-numpy",
        "bindsnet",
    ]
    totals = {one.partition(" ")[0]: cells["total"] for one, cells in found.items()}
    assert totals["gpurun-cuda"] == "absent: no card can be used"
    assert totals["brian2-numpy"] == "**refused**: spikes of 'x' differ from 3 ms on"
    assert totals["bindsnet"] == "**failed**: out of memory Traceback \\| more"


def test_a_contender_that_had_no_time_is_not_measured() -> None:
    text = render(only(measured("gpurun-cpu", wall(1.0, phase="first stimulus"))))
    assert rows(text, "Each next stimulus")["gpurun-cpu (`gpurun-cpu`)"]["total"] == "not measured"


def test_measures_are_kept_apart_and_held_against_their_floors() -> None:
    report = only(
        measured(
            "gpurun-cpu",
            setup(2.0),
            wall(0.5, phase="first stimulus"),
            wall(1e-3, 2e-3, 3e-3),
            Measure("next stimulus", names.OUTSIDE, "s", [4e-4], "host memory copy"),
            Measure("next stimulus", "something new", "s", [5e-4]),
            Measure("memory", names.HOST_PEAK, "B", [2.0**20]),
            Measure("energy", names.ENERGY, "J", [0.5, 0.6, 0.7]),
            curves=(
                Curve("steps", "s", [100, 200, 300], [[1.1], [2.1], [3.1]]),
                Curve("replicas", "s", [1, 2], [[0.5], [0.25]]),
            ),
        ),
        measured("other", wall(1e-2), curves=(Curve("replicas", "1/s", [2], [[8.0]]),)),
    )
    floors = [Floor("host memory copy", "s", [1e-4, 1e-4], "")]
    text = render(dataclasses.replace(report, floors=floors))
    following = rows(text, "Each next stimulus")["gpurun-cpu (`gpurun-cpu`)"]
    assert following["total"] == "**2.00 ms [1.00 ms, 3.00 ms]**, the fastest"
    assert following["outside the time loop"] == "400 µs (4.00 × host memory copy)"
    assert following["something new"] == "500 µs"
    first = rows(text, "Until the first result")
    assert first["`gpurun-cpu`"]["compilation, wall"] == "2.00 s"
    assert first["`gpurun-cpu`"]["first stimulus"] == "500 ms"
    assert first["`gpurun-cpu`"]["in all"] == "2.50 s"
    assert first["`other`"]["in all"] == ""
    long = rows(text, "Long runs, many stimuli")
    assert long["`gpurun-cpu`"]["each step"] == "10.0 ms"
    assert long["`gpurun-cpu`"]["each run"] == "100 ms"
    assert long["`gpurun-cpu`"]["stimuli per second, 2 at a time"] == "4.00"
    assert long["`other`"]["stimuli per second, 1 at a time"] == ""
    assert long["`other`"]["stimuli per second, 2 at a time"] == "8.00"
    assert rows(text, "Memory and energy")["`gpurun-cpu`"]["energy"] == "600 mJ [500 mJ, 700 mJ]"


def test_agreement_and_circumstances_of_every_contender() -> None:
    found = rows(section(TEXT, "The alpha network (full)"), "Contender")
    assert found["`brian2-cpp`"]["Agreement"] == "spike trains identical (12 spikes)"
    assert found["`brian2-cpp`"]["Circumstances"] == "flags: -O3; threads: 1; bytes moved: 1.0 MiB"
    assert "`gpurun-cuda`" not in found


def test_figures_follow_the_last_size_of_their_case() -> None:
    text = render(make(), {"alpha": ["![shown](alpha.svg)"]})
    assert "![shown]" not in section(text, "The alpha network (full)")
    assert section(text, "The alpha network (quick)").rstrip().endswith("![shown](alpha.svg)")
    assert "![shown]" not in section(text, "The beta network (full)")


def test_a_report_without_cases_and_contenders() -> None:
    assert "###" not in render(make(cases=[], floors=[]))
    text = render(only())
    assert rows(text, "Each next stimulus") == {}
    assert "the fastest" not in text


# -- where gpurun is behind ----------------------------------------------------------


def sentences(*contenders: Contender) -> list[str]:
    return where_behind(case("alpha", "full", list(contenders)))


def test_nothing_is_said_where_gpurun_is_the_fastest() -> None:
    assert sentences(measured("gpurun-cpu", wall(1, 1)), measured("other", wall(2, 2))) == []
    assert sentences(measured("gpurun-cpu", wall(1, 1))) == []
    assert sentences(measured("other", wall(1, 1))) == []
    assert sentences(measured("gpurun-cpu", wall(2)), measured("gpurun-cuda", wall(1))) == []


def test_where_gpurun_is_not_the_fastest_the_report_says_so() -> None:
    (found,) = sentences(
        measured("gpurun-cpu", wall(1, 1, 1)),
        measured("slower", wall(2, 2, 2)),
        measured("faster", wall(0.8, 0.8, 0.8)),
    )
    assert found == (
        "gpurun-cpu is not the fastest here: faster takes 0.800 [0.800, 0.800] times as long for "
        "a stimulus."
    )
    assert found in render(
        only(measured("gpurun-cpu", wall(1, 1, 1)), measured("faster", wall(0.8, 0.8, 0.8)))
    )


def test_what_may_be_the_noise_is_said_to_be() -> None:
    values = [0.5, 0.9, 0.99, 1.2, 1.5]
    (found,) = sentences(
        measured("gpurun-cpu", wall(*(v + 0.01 for v in values))), measured("other", wall(*values))
    )
    assert found.endswith(", which may be the noise.")


def test_each_of_gpuruns_contenders_is_held_against_the_others() -> None:
    found = sentences(
        measured("gpurun-cuda", wall(1, 1)),
        measured("gpurun-cpu", wall(3, 3)),
        measured("other", wall(2, 2)),
    )
    assert len(found) == 1 and found[0].startswith("gpurun-cpu is not the fastest here: other")


def test_time_loop_first_result_and_throughput_are_told_apart() -> None:
    def one(name: str, factor: float) -> Contender:
        return measured(
            name,
            setup(10 * factor),
            wall(factor, phase="first stimulus"),
            Measure("next stimulus", names.LOOP, "s", [factor, factor]),
            curves=(Curve("replicas", "s", [1, 2], [[factor] * 2, [factor / 2] * 2]),),
        )

    found = sentences(one("gpurun-cpu", 1.0), one("other", 0.05))
    assert [text.partition(":")[0] for text in found] == [
        "The time loop of gpurun-cpu is not the fastest here",
        "gpurun-cpu is not the first to have a result",
        "gpurun-cpu does not have the highest throughput",
    ]
    assert all("0.05" in text for text in found)


# -- summaries -----------------------------------------------------------------------


def test_the_line_is_not_moved_by_an_outlier() -> None:
    at = [100.0, 200.0, 300.0, 400.0, 500.0]
    values = [[0.5 + 0.01 * x] * 5 for x in at]
    values[2] = [9.0] * 5
    found = line(Curve("steps", "s", at, values))
    assert found is not None
    assert found.slope.value == pytest.approx(0.01, rel=0.1)
    assert found.intercept.value == pytest.approx(0.5, abs=0.1)


def test_the_interval_of_a_line_holds_it() -> None:
    report = make(3, noise=0.02)
    curve = report.cases[0].contenders[0].curves[0]
    found = line(curve)
    assert found is not None
    assert found.slope.low <= found.slope.value <= found.slope.high
    assert found.slope.value == pytest.approx(0.010 / 800, rel=0.1)
    assert found.intercept.low <= found.intercept.value <= found.intercept.high


def test_a_line_needs_two_points() -> None:
    assert line(Curve("steps", "s", [100.0], [[1.0, 2.0]])) is None
    assert line(Curve("steps", "s", [100.0, 200.0], [[1.0, 2.0], []])) is None


def test_the_first_result_takes_setup_and_stimulus() -> None:
    everything = [
        Measure("setup", name, "s", [1.0])
        for name in (names.GENERATION, names.COMPILE, names.COMPILE_CPU, names.LOAD)
    ]
    whole = first_result(measured("x", *everything, wall(0.5, phase="first stimulus")))
    # Processor time is no wall time
    assert whole is not None and whole.value == 3.5
    assert first_result(measured("x", wall(1.0))) is None


def test_the_fastest_and_the_best_throughput() -> None:
    slow, fast = measured("slow", wall(2.0)), measured("fast", wall(1.0))
    found: Case = case("alpha", "full", [slow, fast, measured("none")])
    assert fastest(found) is fast
    assert fastest(case("alpha", "full", [measured("none")])) is None
    both = measured("x", curves=(Curve("replicas", "1/s", [1, 4], [[2.0], [8.0]]),))
    assert best_seconds_each(both) == (4, [0.125])
    assert best_seconds_each(slow) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.00123, "0.0012"), (0.5, "0.500"), (2.0, "2.00"), (1234.0, "1234")],
)
def test_factors(value: float, text: str) -> None:
    assert factor(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), (1234567, "1,234,567"), (0.25, "0.25"), ("a|b\nc", "a\\|b c")],
)
def test_counts(value: object, text: str) -> None:
    assert count(value) == text


def test_a_floor_of_another_unit_or_of_nothing_is_no_floor() -> None:
    assert of_floor([1.0], "s", None) == ""
    assert of_floor([1.0], "s", Floor("x", "B", [1.0], "")) == ""
    assert of_floor([1.0], "s", Floor("x", "s", [0.0], "")) == ""
    assert of_floor([3.0], "s", Floor("x", "s", [2.0], "")) == " (1.50 × x)"
