"""Draws the figures of a report, without pyplot and its global state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from gpurun.bench.stats import Estimate, median_interval
from gpurun.bench.suite import contender as names
from gpurun.bench.suite.figures import CAPTIONS, Plan, scaling
from gpurun.bench.suite.schema import Case, Contender, SuiteReport
from gpurun.bench.suite.summary import NEXT, curve, first_result, measured, points, seconds_each
from gpurun.bench.text import quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 8.2  # inches
_HEIGHT = 4.0
_STIMULI = 10_000
# Told apart by readers who do not see all colours, together with the markers
_COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#000000",
    "#8c564b",
    "#7f7f7f",
    "#9a9a00",
)
_MARKERS = "osD^vPX<>*"
_PARTS = {
    names.UPLOAD: "#ffa600",
    names.RESET: "#7a5195",
    names.LOOP: "#3a7ca5",
    names.READ: "#58a65c",
    "the rest": "#c8c8c8",
}
# Contenders that take longer than so many times the fastest leave no room to see its parts.
_ZOOM = 10.0


def draw(report: SuiteReport, plan: Plan) -> Figure:
    """One figure of a report.

    Returns
    -------
    matplotlib.figure.Figure
        Its axes have the kind as their label; those of ``"parts"`` may be two, the second one
        for the faster contenders alone.
    """
    styles = _styles(report)
    if plan.kind == "parts":
        figure = _draw_parts(plan.sizes[0])
    else:
        figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
        axes = figure.subplots()
        axes.set_label(plan.kind)
        _CURVES[plan.kind](axes, plan.sizes, styles)
        axes.grid(True, which="major", color="#e4e4e4", linewidth=0.6)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)
    figure.suptitle(f"{plan.heading}\n{CAPTIONS[plan.kind]}", fontsize=9.5, x=0.01, ha="left")
    figure.supxlabel(
        f"{report.machine.processor}, {report.machine.cores} cores; {report.created[:10]}, "
        f"commit {report.commit.revision[:8]}",
        fontsize=7,
        color="#707070",
        x=0.01,
        ha="left",
    )
    return figure


def _styles(report: SuiteReport) -> dict[str, dict[str, Any]]:
    """Colour and marker of each contender, the same in all figures."""
    known = dict.fromkeys(one.name for case in report.cases for one in case.contenders)
    return {
        name: {
            "color": _COLOURS[n % len(_COLOURS)],
            "marker": _MARKERS[n % len(_MARKERS)],
            "linestyle": "-" if n < len(_COLOURS) else "--",
            "label": name,
        }
        for n, name in enumerate(known)
    }


def _band(
    axes: Axes, at: Sequence[float], found: Sequence[Estimate], style: dict[str, Any]
) -> None:
    axes.fill_between(
        at,
        [one.low for one in found],
        [one.high for one in found],
        color=style["color"],
        alpha=0.2,
        linewidth=0,
    )
    axes.plot(at, [one.value for one in found], markersize=4, linewidth=1.3, **style)


def _logarithmic(axes: Axes, *, ticks: Sequence[float] = ()) -> None:
    """Both axes; where few numbers were measured, these are what the horizontal one names."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 100 * low:
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    if ticks:
        axes.set_xticks(list(ticks), [f"{one:,.0f}" for one in ticks])
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())


def _seconds(axes: Axes, label: str) -> None:
    axes.set_ylabel(label)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _short(y)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _short(value: float) -> str:
    """A time without zeros behind the point."""
    number, _, unit = quantity(value, "s").partition(" ")
    shown = f"{float(number):,.3f}".rstrip("0").rstrip(".")
    return f"{shown} {unit}" if value else "0"


# -- curves --------------------------------------------------------------------------


def _draw_stimuli(axes: Axes, sizes: Sequence[Case], styles: dict[str, dict[str, Any]]) -> None:
    at = np.unique(np.round(np.geomspace(1, _STIMULI, 41)))
    for one in measured(sizes[0]):
        first, walls = first_result(one), one.values(NEXT, names.WALL)
        if first is None or not walls:
            continue
        each = median_interval(walls)
        found = [
            Estimate(
                first.value + (n - 1) * each.value,
                first.low + (n - 1) * each.low,
                first.high + (n - 1) * each.high,
                each.level,
                each.count,
            )
            for n in at
        ]
        _band(axes, list(at), found, {**styles[one.name], "markevery": 10})
        taken = curve(one, "stimuli")
        if taken is not None:
            for n, values in points(taken):
                axes.plot([n] * len(values), values, "x", color=styles[one.name]["color"])
    _logarithmic(axes)
    axes.set_xlabel("stimuli")
    _seconds(axes, "time until they are done")


def _draw_sizes(axes: Axes, sizes: Sequence[Case], styles: dict[str, dict[str, Any]]) -> None:
    name, _ = scaling(sizes)
    every: dict[str, dict[float, Estimate]] = {}
    for case in sizes:
        for one in measured(case):
            if walls := one.values(NEXT, names.WALL):
                at = float(case.parameters[name])
                every.setdefault(one.name, {})[at] = median_interval(walls)
    for contender, found in every.items():
        at = sorted(found)
        _band(axes, at, [found[x] for x in at], styles[contender])
    ticks = sorted({x for found in every.values() for x in found})
    _logarithmic(axes, ticks=ticks)
    axes.set_xlabel(name)
    _seconds(axes, "time of a next stimulus")


def _draw_steps(axes: Axes, sizes: Sequence[Case], styles: dict[str, dict[str, Any]]) -> None:
    every: set[float] = set()
    for one in measured(sizes[0]):
        found = curve(one, "steps")
        if found is not None:
            at = [x for x, _ in points(found)]
            every.update(at)
            _band(axes, at, [median_interval(v) for _, v in points(found)], styles[one.name])
    _logarithmic(axes, ticks=sorted(every))
    axes.set_xlabel("time steps")
    _seconds(axes, "time of the time loop")


def _draw_replicas(axes: Axes, sizes: Sequence[Case], styles: dict[str, dict[str, Any]]) -> None:
    every: set[int] = set()
    for one in measured(sizes[0]):
        if found := seconds_each(one):
            every.update(found)
            rates = [median_interval([1 / v for v in values]) for values in found.values()]
            _band(axes, list(found), rates, styles[one.name])
    _logarithmic(axes, ticks=sorted(every))
    axes.set_xlabel("stimuli at a time")
    axes.set_ylabel("stimuli per second")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


_CURVES = {
    "stimuli": _draw_stimuli,
    "size": _draw_sizes,
    "steps": _draw_steps,
    "replicas": _draw_replicas,
}


# -- bars ----------------------------------------------------------------------------


def _draw_parts(case: Case) -> Figure:
    shown = [one for one in measured(case) if one.values(NEXT, names.WALL)]
    walls = {one.name: float(np.median(one.values(NEXT, names.WALL))) for one in shown}
    near = [one for one in shown if walls[one.name] <= _ZOOM * min(walls.values())]
    panels = [shown] if len(near) == len(shown) else [shown, near]
    heights = [0.3 * len(panel) + 0.5 for panel in panels]
    figure = Figure(figsize=(_WIDTH, sum(heights) + 1.2), layout="constrained")
    every = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[
        :, 0
    ]
    for axes, panel in zip(every, panels, strict=True):
        axes.set_label("parts")
        _bars(axes, panel, walls)
    if len(panels) > 1:
        every[1].set_title("the fastest ones, enlarged", loc="left", fontsize=8.5)
    every[0].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)
    return figure


def _bars(axes: Axes, shown: Sequence[Contender], walls: dict[str, float]) -> None:
    rows = np.arange(len(shown))
    left = np.zeros(len(shown))
    for part, colour in _PARTS.items():
        if part in (names.UPLOAD, names.RESET, names.LOOP, names.READ):
            lengths = np.array([_median(one, part) for one in shown])
        else:
            lengths = np.array([walls[one.name] for one in shown]) - left
        # Medians need not add up
        lengths = np.maximum(lengths, 0.0)
        axes.barh(rows, lengths, 0.7, left=left, color=colour, label=part)
        left = left + lengths
    furthest = left.copy()
    for row, one in enumerate(shown):
        found = median_interval(one.values(NEXT, names.WALL))
        ends = [[found.value - found.low], [found.high - found.value]]
        axes.errorbar([found.value], [row], xerr=ends, color="black", capsize=2, linewidth=1)
        furthest[row] = max(found.high, left[row])
        axes.annotate(
            quantity(found.value, "s"),
            (furthest[row], row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(rows, [one.name for one in shown])
    axes.invert_yaxis()
    # Room for the last label
    axes.set_xlim(0, 1.15 * float(furthest.max()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _short(x)))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _median(contender: Contender, part: str) -> float:
    values = contender.values(NEXT, part)
    return float(np.median(values)) if values else 0.0
