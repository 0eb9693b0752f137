"""The figures of a report of the suite."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import BarContainer

from gpurun.bench.stats import median_interval
from gpurun.bench.suite import contender as names
from gpurun.bench.suite import figures, panels
from gpurun.bench.suite.figures import draw, plan, scaling
from gpurun.bench.suite.schema import Case, Curve, Measure, SuiteReport
from gpurun.bench.suite.summary import first_result
from gpurun.errors import ConfigError, NotSupportedError
from tests.unit.bench_suite_reports import case, make, missing

REPORT = make()
NAMES = [
    *(f"alpha-{kind}" for kind in ("parts", "stimuli", "steps", "replicas", "size")),
    *(f"beta-{kind}" for kind in ("parts", "stimuli", "steps", "replicas")),
]


def drawn(name: str, report: SuiteReport = REPORT) -> list[Axes]:
    (one,) = [found for found in plan(report) if found.name == name]
    return panels.draw(report, one).axes


def lines(axes: Axes) -> dict[str, tuple[list[float], list[float]]]:
    return {
        str(line.get_label()): (
            np.asarray(line.get_xdata()).tolist(),
            np.asarray(line.get_ydata()).tolist(),
        )
        for line in axes.get_lines()
    }


def test_a_report_says_which_figures_it_has() -> None:
    assert [one.name for one in plan(REPORT)] == NAMES
    captions = {one.name: one.caption for one in plan(REPORT)}
    assert captions["alpha-parts"].startswith("The alpha network (full): ")
    assert captions["alpha-size"].startswith("The alpha network: ")


def test_what_was_not_measured_has_no_figure() -> None:
    absent = case("alpha", "full", [missing("gpurun-cpu", "absent", "")])
    assert plan(make(cases=[absent])) == []
    bare = [
        dataclasses.replace(
            one,
            curves=[Curve("steps", "s", [1.0, 2.0], [[1.0], []])],
            measures=[Measure("next stimulus", names.WALL, "s", [1.0])],
        )
        for one in REPORT.cases[0].contenders[:1]
    ]
    assert [one.kind for one in plan(make(cases=[case("alpha", "full", bare)]))] == ["parts"]


def sized(size: str, **parameters: int) -> Case:
    one = REPORT.cases[0]
    return dataclasses.replace(one, size=size, parameters=dict(parameters))


def test_sizes_are_comparable_if_they_run_for_as_many_steps() -> None:
    full = sized("full", neurons=4000, steps=10_000)
    small, large = (sized(str(n), neurons=n, steps=2000) for n in (1000, 16_000))
    assert scaling([full, large, small]) == ("neurons", [small, large])
    assert scaling([full, small]) == ("", [])
    assert scaling([full]) == ("", [])


def test_sizes_may_be_synapses_or_the_length_of_the_run() -> None:
    few, many = (sized(str(n), neurons=10, synapses=n, steps=100) for n in (5, 50))
    assert scaling([many, few]) == ("synapses", [few, many])
    short, long = (sized(str(n), neurons=10, synapses=5, steps=n) for n in (100, 1000))
    assert scaling([long, short]) == ("steps", [short, long])
    assert [one.name for one in plan(make(cases=[long, short]))][-1] == "alpha-size"


def test_files_are_the_same_each_time_and_small(tmp_path: Path) -> None:
    report = make(cases=REPORT.cases[:2])
    first = draw(report, tmp_path / "a", source="x.json")
    wanted = [f"{name}.{end}" for name in NAMES[:5] for end in ("png", "svg")]
    assert [path.name for path in first] == wanted
    second = draw(report, tmp_path / "b", source="x.json")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert one.stat().st_size < 100_000
        assert b"x.json" in one.read_bytes()
    assert b"<dc:date>" not in first[1].read_bytes()


def test_only_the_wanted_formats_are_drawn_and_others_refused(tmp_path: Path) -> None:
    report = make(cases=REPORT.cases[2:])
    assert {path.suffix for path in draw(report, tmp_path, formats=["svg"])} == {".svg"}
    with pytest.raises(ConfigError, match="gif"):
        draw(report, tmp_path, formats=["gif"])


def test_the_users_own_settings_neither_matter_nor_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = make(cases=REPORT.cases[2:])
    (plain, *_) = draw(report, tmp_path / "a", formats=["svg"])
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 30.0)
    (odd, *_) = draw(report, tmp_path / "b", formats=["svg"])
    assert plain.read_bytes() == odd.read_bytes()
    assert matplotlib.rcParams["font.size"] == 30.0


def test_without_matplotlib_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NotSupportedError, match=r"pip install 'gpurun\[bench\]'"):
        draw(REPORT, tmp_path)
    assert plan(REPORT)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match="taken"):
        draw(REPORT, tmp_path / "taken")


def test_curves_over_stimuli_begin_with_the_first_result() -> None:
    (axes,) = drawn("alpha-stimuli")
    contender = REPORT.cases[0].contenders[0]
    at, values = lines(axes)["gpurun-cpu"]
    whole = first_result(contender)
    each = median_interval(contender.values("next stimulus", names.WALL)).value
    assert whole is not None
    assert values[0] == pytest.approx(whole.value)
    assert values[-1] == pytest.approx(whole.value + (at[-1] - 1) * each)
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("stimuli", "time until they are done")


def test_measured_totals_are_marked_beside_the_computed_ones() -> None:
    one = REPORT.cases[0]
    first = dataclasses.replace(
        one.contenders[0], curves=[Curve("stimuli", "s", [10.0, 100.0], [[7.5, 7.6], [8.5]])]
    )
    (axes,) = drawn("alpha-stimuli", make(cases=[dataclasses.replace(one, contenders=[first])]))
    crosses = [line for line in axes.get_lines() if line.get_marker() == "x"]
    assert [np.asarray(line.get_ydata()).tolist() for line in crosses] == [[7.5, 7.6], [8.5]]


@pytest.mark.parametrize(
    ("kind", "at"),
    [("steps", [100.0, 200.0, 400.0, 800.0]), ("replicas", [1, 2]), ("size", [200.0, 1000.0])],
)
def test_curves_show_medians_with_bands(kind: str, at: list[float]) -> None:
    (axes,) = drawn(f"alpha-{kind}")
    found = lines(axes)
    assert set(found) == {"gpurun-cpu", "brian2-cpp", "brian2-numpy"}
    assert all(x == at for x, _ in found.values())
    assert len(axes.collections) == 3
    legend = axes.get_legend()
    assert legend is not None and len(legend.get_texts()) == 3


def test_a_band_reaches_from_end_to_end_of_the_interval() -> None:
    (axes,) = drawn("alpha-steps")
    (path,) = axes.collections[0].get_paths()
    heights = np.asarray(path.vertices)[:, 1]
    values = REPORT.cases[0].contenders[0].curves[0].values
    assert heights.min() == pytest.approx(min(values[0]))
    assert heights.max() == pytest.approx(max(values[-1]))


def bars(axes: Axes) -> dict[str, list[float]]:
    return {
        str(one.get_label()): [float(bar.get_width()) for bar in one.patches]
        for one in axes.containers
        if isinstance(one, BarContainer)
    }


def test_parts_of_a_stimulus_are_stacked_to_its_total() -> None:
    every, near = drawn("alpha-parts")
    found = bars(every)
    assert list(found) == ["upload", "reset", "time loop", "read", "the rest"]
    shown = [one for one in REPORT.cases[0].contenders if one.measures]
    for number, one in enumerate(shown):
        wall = median_interval(one.values("next stimulus", names.WALL)).value
        assert sum(widths[number] for widths in found.values()) == pytest.approx(wall)
    # numpy's second would leave nothing of the others to be seen
    labels = [text.get_text() for text in near.get_yticklabels()]
    assert labels == ["gpurun-cpu", "brian2-cpp"]
    assert near.get_title(loc="left") == "the fastest ones, enlarged"


def test_all_of_an_interval_can_be_seen() -> None:
    for axes in drawn("alpha-parts"):
        highest = max(
            median_interval(one.values("next stimulus", names.WALL)).high
            for one in REPORT.cases[0].contenders
            if one.name in [text.get_text() for text in axes.get_yticklabels()]
        )
        assert axes.get_xlim()[1] > highest


def test_there_is_one_panel_where_all_can_be_seen() -> None:
    (axes,) = drawn("beta-parts")
    assert [text.get_text() for text in axes.get_yticklabels()] == ["gpurun-cpu", "brian2-cpp"]


def test_a_contender_looks_the_same_in_all_figures() -> None:
    def colours(name: str) -> dict[str, Any]:
        (axes,) = drawn(name)
        return {str(line.get_label()): line.get_color() for line in axes.get_lines()}

    assert colours("alpha-steps") == colours("alpha-size") == colours("alpha-stimuli")
    assert colours("beta-steps").items() <= colours("alpha-steps").items()


def test_every_kind_has_a_caption() -> None:
    assert {one.kind for one in plan(REPORT)} == set(figures.CAPTIONS)
