"""How good answers are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpurun.readout.checks import check_classes, check_integers, require


def _pair(truth: Any, guesses: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    right = check_integers("truth", truth)
    return right, check_integers("guesses", guesses, len(right))


def accuracy(truth: Any, guesses: Any) -> float:
    """The part of the images that were recognised, from 0 to 1.

    Parameters
    ----------
    truth : array_like of int
        Class of each image, shape (images,).
    guesses : array_like of int
        The answer for each image, shape (images,).

    Raises
    ------
    StimulusError
        They are not flat arrays of integers of the same length, or empty.

    Examples
    --------
    >>> accuracy([3, 3, 8, 9], [3, 8, 8, 9])
    0.75
    """
    right, given = _pair(truth, guesses)
    return float((right == given).mean())


def confusion_matrix(truth: Any, guesses: Any, classes: Any = None) -> NDArray[np.int64]:
    """How often each class was taken for each class, counted by scikit-learn.

    Parameters
    ----------
    truth : array_like of int
        Class of each image, shape (images,).
    guesses : array_like of int
        The answer for each image, shape (images,).
    classes : array_like of int, optional
        All classes. By default those that occur, among the answers too.

    Returns
    -------
    numpy.ndarray
        ``int64`` of shape (classes, classes): a row for each class shown, a column for each
        answer, in ascending order. Every image is counted.

    Raises
    ------
    StimulusError
        `truth` and `guesses` do not fit together, or have a value that is not among `classes`.
    NotSupportedError
        scikit-learn is not installed.

    Examples
    --------
    >>> confusion_matrix([3, 3, 8, 9], [3, 8, 8, 9])
    array([[1, 1, 0],
           [0, 1, 0],
           [0, 0, 1]])
    """
    metrics = require("sklearn.metrics", "scikit-learn", "A confusion matrix")
    right, given = _pair(truth, guesses)
    known = check_classes(classes, truth=right, guesses=given)
    if len(known) == 1:
        return np.array([[len(right)]])  # scikit-learn warns that there may be other classes
    return metrics.confusion_matrix(right, given, labels=known)


def report(truth: Any, guesses: Any, classes: Any = None) -> str:
    """Precision, recall and F1 score of each class: scikit-learn's ``classification_report``.

    Parameters
    ----------
    truth, guesses, classes
        As for :func:`confusion_matrix`.

    Returns
    -------
    str
        A table to print. Where a score is not defined, because a class was never shown or never
        answered, it stands as 0.

    Raises
    ------
    StimulusError
        `truth` and `guesses` do not fit together, or have a value that is not among `classes`.
    NotSupportedError
        scikit-learn is not installed.
    """
    metrics = require("sklearn.metrics", "scikit-learn", "A report of scores")
    right, given = _pair(truth, guesses)
    known = check_classes(classes, truth=right, guesses=given)
    return metrics.classification_report(right, given, labels=known, zero_division=0)
