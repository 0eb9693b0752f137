"""Pictures of weights and of confusions. They are made without pyplot and its global state."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gpurun.errors import StimulusError
from gpurun.readout.checks import check_integers, require, to_host
from gpurun.readout.mosaic import lay_out, weight_matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_confusions", "draw_receptive_fields", "weight_matrix"]

_DPI = 120
_INCHES = 0.45  # of an image in the mosaic
_ORDERS = ("name", "index")


def draw_receptive_fields(
    weights: Any,
    shape: tuple[int, int],
    names: Any = None,
    order: str = "name",
    path: str | PathLike[str] | None = None,
    *,
    i: Any = None,
    j: Any = None,
    neurons: int | None = None,
    title: str | None = None,
) -> Figure:
    """The incoming weights of each neuron as a small image, all of them side by side.

    Parameters
    ----------
    weights : array_like
        Weights of shape (inputs, neurons), nan where there is no synapse. Or one weight for
        each synapse, shape (synapses,), with `i` and `j`.
    shape : tuple of int
        Rows and columns of an image; their product is the number of inputs.
    names : array_like of int, optional
        Class of each neuron, shape (neurons,), shown in the corner of its image: -1, a silent
        neuron, as a dash. Without names there are no corners.
    order : {"name", "index"}
        Sort neurons by name (silent ones last) and then by index, or by index alone.
    path : path_like, optional
        Where to save the picture; the name's ending decides the format.
    i, j : array_like of int, optional
        Input and neuron of each synapse, see :func:`weight_matrix`.
    neurons : int, optional
        Number of neurons, with `i` and `j`; by default the largest `j` and one more.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        With a colour bar. Weights of both signs are shown on a scale that is symmetrical
        about 0, others on one that begins at 0.

    Raises
    ------
    StimulusError
        Shapes do not fit, a weight is infinite, or `order` is not known.
    NotSupportedError
        matplotlib is not installed.
    """
    figures = require("matplotlib.figure", "matplotlib", "A picture of receptive fields")
    if order not in _ORDERS:
        raise StimulusError(
            f"'order' is {order!r}, expected one of {', '.join(_ORDERS)}.", name="order"
        )
    if len(shape) != 2 or min(shape) < 1:
        raise StimulusError(
            f"'shape' is {shape}, expected the rows and columns of an image.", name="shape"
        )
    table = _fields(weights, shape, i, j, neurons)
    arranged = np.arange(table.shape[1])
    labels = None
    if names is not None:
        labels = check_integers("names", names)
        if len(labels) != len(arranged):
            raise StimulusError(
                f"'names' has {len(labels)} elements, expected {len(arranged)}, one for each "
                "neuron.",
                name="names",
            )
        if order == "name":
            arranged = np.lexsort((labels, labels == -1))

    mosaic, corners = lay_out(table[:, arranged], shape)
    pixel = _INCHES / (max(shape) + 1)
    size = (max(mosaic.shape[1] * pixel + 1, 3.0), max(mosaic.shape[0] * pixel + 0.3, 2.0))
    figure = figures.Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    largest, both_signs = float(np.nanmax(np.abs(table))), bool((table < 0).any())
    shown = axes.imshow(
        mosaic,
        cmap="RdBu_r" if both_signs else "inferno",
        vmin=-largest if both_signs else 0.0,
        vmax=largest or 1.0,
    )
    if labels is not None:
        colour, behind = ("black", "white") if both_signs else ("white", "black")
        box = {"facecolor": behind, "alpha": 0.5, "pad": 0.5, "linewidth": 0}
        for (top, left), name in zip(corners, labels[arranged], strict=True):
            text = "–" if name == -1 else str(name)
            axes.text(left, top, text, color=colour, bbox=box, fontsize=7, va="top")
    axes.set_axis_off()
    if title:
        axes.set_title(title)
    figure.colorbar(shown, ax=axes, label="synaptic weight", shrink=0.7, pad=0.01)
    if path is not None:
        figure.savefig(path, dpi=_DPI)
    return figure


def _fields(
    weights: Any, shape: tuple[int, int], i: Any, j: Any, neurons: int | None
) -> NDArray[np.float64]:
    """Weights of shape (inputs, neurons)."""
    inputs = shape[0] * shape[1]
    if i is not None or j is not None:
        return weight_matrix(weights, i, j, inputs, neurons)
    table = to_host("weights", weights).astype(np.float64)
    if table.ndim != 2 or table.shape[0] != inputs or not table.size:
        raise StimulusError(
            f"'weights' has the shape {table.shape}, expected ({inputs}, neurons) for images of "
            f"the shape {shape}. Reshape the weights of an all-to-all connection, or give i and j "
            "of the synapses.",
            name="weights",
        )
    if np.isinf(table).any() or np.isnan(table).all():
        raise StimulusError(
            "'weights' has infinite values, or none but nan. Give the weights of the synapses.",
            name="weights",
        )
    return table


def draw_confusions(
    table: Any, classes: Any = None, path: str | PathLike[str] | None = None
) -> Figure:
    """A confusion matrix with its numbers.

    Parameters
    ----------
    table : array_like
        Shape (classes, classes), from :func:`confusion_matrix`: a row for each class shown, a
        column for each answer. Numbers of images, or parts of them.
    classes : array_like of int or str, optional
        What to write at rows and columns. By default 0, 1, 2 and so on.
    path : path_like, optional
        Where to save the picture; the name's ending decides the format.

    Returns
    -------
    matplotlib.figure.Figure
        Its title tells how many images were recognised, if the table holds whole numbers.

    Raises
    ------
    StimulusError
        `table` is not square, or has negative values, or `classes` does not fit.
    NotSupportedError
        matplotlib is not installed.
    """
    figures = require("matplotlib.figure", "matplotlib", "A picture of a confusion matrix")
    numbers = to_host("table", table)
    if numbers.ndim != 2 or numbers.shape[0] != numbers.shape[1] or not numbers.size:
        raise StimulusError(
            f"'table' has the shape {numbers.shape}, expected (classes, classes).", name="table"
        )
    if not np.isfinite(numbers).all() or (numbers < 0).any():
        raise StimulusError("'table' has values that are negative, nan or infinite.", name="table")
    labels = [str(one) for one in (range(len(numbers)) if classes is None else classes)]
    if len(labels) != len(numbers):
        raise StimulusError(
            f"'classes' has {len(labels)} elements, but the table has {len(numbers)} rows.",
            name="classes",
        )
    counted = numbers.dtype.kind != "f"

    size = max(0.45 * len(numbers) + 1, 3.0)
    figure = figures.Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(numbers, cmap="Blues", vmin=0, vmax=numbers.max() or 1)
    for shown, answer in np.argwhere(numbers > 0):
        value = numbers[shown, answer]
        colour = "white" if value > 0.5 * numbers.max() else "black"
        text = str(int(value)) if counted else f"{value:.2f}"
        axes.text(answer, shown, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("answer")
    axes.set_ylabel("class shown")
    if counted:
        axes.set_title(f"{np.trace(numbers)} of {numbers.sum()} recognised")
    if path is not None:
        figure.savefig(path, dpi=_DPI)
    return figure
