"""The picture of ``gpurun report``. It is made without pyplot and its global state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from gpurun.cli.report_numbers import seat_order, window
from gpurun.cli.report_series import PHASES, coverage, memory_lines, phases, throughput
from gpurun.errors import ConfigError
from gpurun.runlog import EventEntry, LoggedRun, StimulusEntry

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DPI = 120
_WIDTH = 11.0  # inches
_BARS = 1000  # stimuli that are drawn one by one; a picture has no room for more
_BINS = 800  # of the time line otherwise
_MARKERS = 200  # of failures in a row
_GIB = 1024**3
_COLOURS = {
    "reset": "#7a5195",
    "upload": "#ffa600",
    "loop": "#3a7ca5",
    "read": "#58a65c",
    "other": "#c8c8c8",
    "failed": "#d62728",
}


def save(run: LoggedRun, path: Path) -> None:
    """Draw a run to a file; its ending decides the format.

    Raises
    ------
    ConfigError
        The format is not known, or the file cannot be written.
    """
    figure = draw(run)
    known = figure.canvas.get_supported_filetypes()
    ending = path.suffix.lower().removeprefix(".")
    if ending not in known:
        raise ConfigError(
            f"'{path}' cannot be drawn: expected a name that ends in .png, .svg or .pdf.",
            name="output",
            value=str(path),
        )
    try:
        figure.savefig(path, dpi=_DPI)
    except OSError as error:
        raise ConfigError(
            f"'{path}' cannot be written ({error.strerror or error}).",
            name="output",
            value=str(path),
        ) from error


def draw(run: LoggedRun) -> Figure:
    """The picture: a time line of the seats, throughput, and memory of each device.

    Returns
    -------
    matplotlib.figure.Figure
        Axes with the labels ``seats``, ``throughput`` and ``memory DEVICE``; the first two if
        the run has stimuli. Time is in seconds after the first stimulus began, or, without
        stimuli, after the first figure of the memory.
    """
    began, ended = window(run.stimuli)
    if not run.stimuli:
        began = min(entry.time for entry in run.memory)
        ended = max(entry.time for entry in run.memory)
    seats = sorted({entry.seat for entry in run.stimuli}, key=seat_order)
    memory = memory_lines(run.memory, began)
    heights = [max(0.32 * len(seats) + 0.9, 1.6), 1.8] if seats else []
    heights += [1.8] * len(memory)
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.5), layout="constrained")
    rows = figure.subplots(
        len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
    )[:, 0]
    if seats:
        _draw_seats(rows[0], run.stimuli, seats, began, ended)
        _draw_events(rows[0], run.events, began, ended)
        _draw_throughput(rows[1], run.stimuli, began, ended)
    for axes, (device, lines) in zip(rows[2 if seats else 0 :], memory.items(), strict=True):
        _draw_memory(axes, device, lines)
    rows[-1].set_xlabel("time (s)")
    rows[-1].set_xlim(0.0, max(ended - began, 1e-9))
    return figure


def _draw_seats(
    axes: Axes,
    stimuli: Sequence[StimulusEntry],
    seats: Sequence[int | str],
    began: float,
    ended: float,
) -> None:
    one_by_one = len(stimuli) <= _BARS
    edges = np.linspace(0.0, max(ended - began, 1e-9), _BINS + 1)
    drawn: set[str] = set()
    for row, seat in enumerate(seats):
        found = phases([entry for entry in stimuli if entry.seat == seat], began)
        bottom = np.full(_BINS, row + 0.4)
        for name in PHASES:
            spans = found[name]
            if not spans.start.size:
                continue
            label = name if name not in drawn else None
            drawn.add(name)
            if one_by_one:
                bars = list(zip(spans.start, spans.length, strict=True))
                axes.broken_barh(bars, (row - 0.4, 0.8), facecolor=_COLOURS[name], label=label)
                continue
            # The part of the time that a phase takes, as a part of the row's height
            top = np.maximum(bottom - 0.8 * coverage(spans, edges), row - 0.4)
            axes.stairs(top, edges, baseline=bottom, fill=True, color=_COLOURS[name], label=label)
            bottom = top
        if found["failed"].start.size:
            # Bars of short ones would not be seen.
            places = edges[:: _BINS // _MARKERS]
            last = np.searchsorted(places, found["failed"].start, "right") - 1
            lost = np.unique(places[last])
            axes.plot(lost, np.full(len(lost), row - 0.46), "v", color=_COLOURS["failed"], ms=4)
    axes.set_yticks(range(len(seats)), [str(seat) for seat in seats])
    # The first seat is at the top
    axes.set_ylim(len(seats) - 0.5, -0.6)
    axes.set_ylabel("seat")
    axes.set_label("seats")
    how = "" if one_by_one else f"; {len(stimuli)} attempts, drawn as parts of the time"
    axes.set_title(f"what the seats did{how}", loc="left", fontsize=10)
    if drawn:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)


def _draw_events(axes: Axes, events: Sequence[EventEntry], began: float, ended: float) -> None:
    shown = [
        event
        for event in events
        if event.what not in ("seat opened", "seat closed") and began <= event.time <= ended
    ]
    for number, event in enumerate(shown):
        axes.axvline(event.time - began, color="black", linestyle=":", linewidth=0.8)
        if number < 10:
            axes.annotate(
                event.what,
                (event.time - began, 1.0),
                xycoords=("data", "axes fraction"),
                rotation=90,
                va="top",
                ha="right",
                fontsize=6,
                bbox={"facecolor": "white", "alpha": 0.8, "pad": 0.5, "linewidth": 0},
            )


def _draw_throughput(
    axes: Axes, stimuli: Sequence[StimulusEntry], began: float, ended: float
) -> None:
    rates, edges = throughput(stimuli, began, ended)
    axes.stairs(rates, edges, color=_COLOURS["loop"], fill=True, alpha=0.6)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("stimuli/s")
    axes.set_label("throughput")


def _draw_memory(axes: Axes, device: str, lines: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    styles = {
        "used": ("all that is used", "#444444", "-"),
        "own": ("this run", _COLOURS["loop"], "-"),
        "total": ("in all", "#d62728", "--"),
    }
    for part, (label, colour, style) in styles.items():
        if part in lines:
            times, values = lines[part]
            axes.plot(times, values / _GIB, style, color=colour, label=label, linewidth=1.2)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel(f"{device} (GiB)")
    axes.set_label(f"memory {device}")
    if lines:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, frameon=False)
