"""Which class each neuron stands for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpurun.errors import StimulusError
from gpurun.readout.checks import (
    SILENT,
    check_classes,
    check_counts,
    check_integers,
    check_label_classes,
)


@dataclass(frozen=True, eq=False, repr=False)
class Assignment:
    """What neurons responded to, made by :func:`assign_labels`.

    Attributes
    ----------
    classes : numpy.ndarray
        The classes in ascending order, ``int64`` of shape (classes,).
    totals : numpy.ndarray
        Spikes of each neuron for all images of a class, ``float64`` of shape
        (neurons, classes).
    images : numpy.ndarray
        Number of images of each class, ``float64`` of shape (classes,). Forgotten images
        count only in part, as their spikes do.
    """

    classes: NDArray[np.int64]
    totals: NDArray[np.float64]
    images: NDArray[np.float64]

    def __post_init__(self) -> None:
        # What is computed from them is kept
        for array in (self.classes, self.totals, self.images):
            array.setflags(write=False)

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return len(self.totals)

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """Mean number of spikes for an image, shape (neurons, classes).

        0 for a class of which there was no image.
        """
        return np.divide(
            self.totals, self.images, out=np.zeros_like(self.totals), where=self.images > 0
        )

    @cached_property
    def proportions(self) -> NDArray[np.float64]:
        """Rates divided by their sum over the classes, shape (neurons, classes).

        0 for a neuron that never fired.
        """
        whole = self.rates.sum(axis=1, keepdims=True)
        return np.divide(self.rates, whole, out=np.zeros_like(self.rates), where=whole > 0)

    @cached_property
    def names(self) -> NDArray[np.int64]:
        """The class with the highest rate, ``int64`` of shape (neurons,).

        The lowest of several such classes; -1 for a neuron that never fired.
        """
        fired = (self.rates > 0).any(axis=1)
        return np.where(fired, self.classes[self.rates.argmax(axis=1)], SILENT)

    def update(self, counts: Any, labels: Any, *, forgetting: float = 0.0) -> Assignment:
        """Another Assignment that knows these images, too.

        Parameters
        ----------
        counts : array_like
            Spike counts, shape (images, neurons).
        labels : array_like of int
            Class of each image, shape (images,).
        forgetting : float
            How much of what is known about a class is forgotten when new images of it come,
            from 0 (nothing) to 1 (all). Classes without a new image are left as they are.

        Returns
        -------
        Assignment
            With ``forgetting=0``, the same as if all images had been given at once.

        Raises
        ------
        StimulusError
            As for :func:`assign_labels`, or a label is not among the classes, or `forgetting`
            is not in [0, 1].

        Notes
        -----
        Like the decay in BindsNET [1]_, with the difference that rates stay mean counts: there,
        old rates are multiplied with a factor and new ones are added to them.

        References
        ----------
        .. [1] H. Hazan et al., "BindsNET: A machine learning-oriented spiking neural networks
           library in Python", Frontiers in Neuroinformatics 12:89, 2018.
           https://doi.org/10.3389/fninf.2018.00089
        """
        if not 0 <= forgetting <= 1:
            raise StimulusError(
                f"'forgetting' is {forgetting}, expected a number from 0 (nothing is forgotten) to "
                "1 (only the new images count).",
                name="forgetting",
            )
        spikes = check_counts(counts, self.neurons)
        given = check_integers("labels", labels, len(spikes))
        check_classes(self.classes, labels=given)
        totals, images = _add_up(spikes, given, self.classes)
        kept = np.where(images > 0, 1.0 - forgetting, 1.0)
        return Assignment(self.classes, self.totals * kept + totals, self.images * kept + images)

    def __repr__(self) -> str:
        silent = int((self.names == SILENT).sum())
        return (
            f"<Assignment of {self.neurons} neurons to {len(self.classes)} classes, "
            f"{silent} silent>"
        )


def assign_labels(counts: Any, labels: Any, classes: Any = None) -> Assignment:
    """Name each neuron after the class for which it fires most, on average.

    Parameters
    ----------
    counts : array_like
        Spike counts, integers or floating point numbers of shape (images, neurons); NumPy or
        CuPy. The result is always in NumPy arrays.
    labels : array_like of int
        Class of each image, shape (images,). Any integers but -1.
    classes : array_like of int, optional
        All classes, where some may be missing among these images. By default those that occur.

    Returns
    -------
    Assignment
        Names, mean counts and proportions of all neurons.

    Raises
    ------
    StimulusError
        Shapes do not fit, there is no image, a count is negative or not finite, labels are no
        integers, or a label is not among `classes`.

    Notes
    -----
    The method is that of Diehl and Cook [1]_. The mean is over the images of a class, so
    classes need not be of the same size.

    References
    ----------
    .. [1] P. U. Diehl and M. Cook, "Unsupervised learning of digit recognition using
       spike-timing-dependent plasticity", Frontiers in Computational Neuroscience 9:99, 2015.
       https://doi.org/10.3389/fncom.2015.00099

    Examples
    --------
    >>> assignment = assign_labels([[3, 0, 1], [5, 0, 0], [1, 0, 4]], [7, 7, 2])
    >>> assignment.names
    array([ 7, -1,  2])
    """
    spikes = check_counts(counts)
    given = check_integers("labels", labels, len(spikes))
    known = check_label_classes(classes, given)
    return Assignment(known, *_add_up(spikes, given, known))


def _add_up(
    counts: NDArray[np.float64], labels: NDArray[np.int64], classes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Spikes (neurons, classes) and images (classes,) of each class."""
    of_class = [labels == one for one in classes]
    totals = np.stack([counts[chosen].sum(axis=0) for chosen in of_class], axis=1)
    return totals, np.array([chosen.sum() for chosen in of_class], dtype=np.float64)
