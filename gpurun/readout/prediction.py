"""The class of an image, from the spike counts of named neurons."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpurun.errors import StimulusError
from gpurun.readout.assignment import Assignment
from gpurun.readout.checks import check_counts

METHODS = ("all", "proportion")
"""The methods of :func:`votes` and :func:`predict`."""

Method = Literal["all", "proportion"]


def votes(counts: Any, assignment: Assignment, method: Method = "all") -> NDArray[np.float64]:
    """How strongly the neurons speak for each class.

    Parameters
    ----------
    counts : array_like
        Spike counts, shape (images, neurons); NumPy or CuPy.
    assignment : Assignment
        Names of the neurons, from :func:`assign_labels`.
    method : {"all", "proportion"}
        ``"all"`` is the mean number of spikes of the neurons that have the class's name [1]_.
        ``"proportion"`` is that mean with each spike weighted by the proportion of the class in
        the neuron's own rates: a neuron that fires for many classes says less [2]_.

    Returns
    -------
    numpy.ndarray
        ``float64`` of shape (images, classes), in the order of ``assignment.classes``; 0 for a
        class that no neuron is named after.

    Raises
    ------
    StimulusError
        The shape of `counts` does not fit, or there is no such method.

    References
    ----------
    .. [1] P. U. Diehl and M. Cook, "Unsupervised learning of digit recognition using
       spike-timing-dependent plasticity", Frontiers in Computational Neuroscience 9:99, 2015.
       https://doi.org/10.3389/fncom.2015.00099
    .. [2] H. Hazan et al., "BindsNET: A machine learning-oriented spiking neural networks
       library in Python", Frontiers in Neuroinformatics 12:89, 2018.
       https://doi.org/10.3389/fninf.2018.00089

    Examples
    --------
    >>> from gpurun.readout import assign_labels
    >>> assignment = assign_labels([[3, 0, 1], [5, 0, 0], [1, 1, 4]], [7, 7, 2])
    >>> votes([[2, 1, 0]], assignment)
    array([[0.5, 2. ]])
    """
    if method not in METHODS:
        raise StimulusError(
            f"'method' is {method!r}, expected one of {', '.join(METHODS)}. Spike order is read by "
            "gpurun.readout.NGram.",
            name="method",
        )
    spikes = check_counts(counts, assignment.neurons)
    named = assignment.names[:, None] == assignment.classes
    weights = named * assignment.proportions if method == "proportion" else named
    # Divided after the sum: of whole numbers it is exact, and equal means are equal
    return spikes @ weights.astype(np.float64) / np.maximum(named.sum(axis=0), 1)


def predict(
    counts: Any,
    assignment: Assignment,
    method: Method = "all",
    *,
    no_answer: int | None = None,
) -> NDArray[np.int64]:
    """The class with the most votes for each image.

    Parameters
    ----------
    counts : array_like
        Spike counts, shape (images, neurons); NumPy or CuPy.
    assignment : Assignment
        Names of the neurons, from :func:`assign_labels`.
    method : {"all", "proportion"}
        See :func:`votes`.
    no_answer : int, optional
        The answer for an image for which no named neuron fired, such as -1. By default it is a
        tie of all classes.

    Returns
    -------
    numpy.ndarray
        ``int64`` of shape (images,). In a tie it is the lowest class. A class that no neuron is
        named after is never the answer, except that without any named neuron all answers are
        the lowest class.

    Raises
    ------
    StimulusError
        The shape of `counts` does not fit, or there is no such method.

    Examples
    --------
    >>> from gpurun.readout import assign_labels
    >>> assignment = assign_labels([[3, 0, 1], [5, 0, 0], [1, 1, 4]], [7, 7, 2])
    >>> predict([[2, 1, 0], [0, 0, 0]], assignment)
    array([7, 2])
    >>> predict([[2, 1, 0], [0, 0, 0]], assignment, no_answer=-1)
    array([ 7, -1])
    """
    scores = votes(counts, assignment, method)
    possible = np.isin(assignment.classes, assignment.names)
    return winners(scores, assignment.classes, possible, no_answer)


def winners(
    scores: NDArray[np.float64],
    classes: NDArray[np.int64],
    possible: NDArray[np.bool_],
    no_answer: int | None,
) -> NDArray[np.int64]:
    """The best of the `possible` classes for each row of `scores`, the lowest in a tie."""
    answers = classes[np.where(possible, scores, -np.inf).argmax(axis=1)]
    return answers if no_answer is None else np.where((scores > 0).any(axis=1), answers, no_answer)
