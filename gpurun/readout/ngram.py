"""The class of an image, from the order in which neurons fired."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpurun.errors import StimulusError
from gpurun.readout.checks import check_classes, check_integers, check_label_classes
from gpurun.readout.order import Orders, read_orders
from gpurun.readout.prediction import winners

_LARGEST = 2**63 - 1


class NGram:
    """Reads the class from which neurons fire one after the other.

    It learns how often each sequence of `n` successive spikes comes with an image of each
    class. An image's votes for a class are the mean numbers of occurrences in an image of the
    class, summed over the image's own sequences.

    Parameters
    ----------
    n : int
        Length of a sequence, at least 1. With 1, order plays no part.

    Attributes
    ----------
    n : int
    classes : numpy.ndarray or None
        The classes in ascending order, ``int64``; None before :meth:`fit`.
    images : numpy.ndarray or None
        Number of images of each class, ``int64`` of shape (classes,).

    Raises
    ------
    StimulusError
        `n` is not an integer from 1 to 62.

    Notes
    -----
    The method is described for self-organising spiking networks [1]_, and is part of
    BindsNET [2]_. Here spikes of one time step are taken in the order of their indices, in
    learning as well as in reading, and classes are weighted by their number of images, so they
    need not be of the same size.

    Only sequences that have occurred take memory, 16 bytes for each class in which they did.

    References
    ----------
    .. [1] H. Hazan, D. J. Saunders, D. T. Sanghavi, H. Siegelmann and R. Kozma, "Lattice map
       spiking neural networks (LM-SNNs) for clustering and classifying image data", Annals of
       Mathematics and Artificial Intelligence 88, 2020.
       https://doi.org/10.1007/s10472-019-09665-3
    .. [2] H. Hazan et al., "BindsNET: A machine learning-oriented spiking neural networks
       library in Python", Frontiers in Neuroinformatics 12:89, 2018.
       https://doi.org/10.3389/fninf.2018.00089

    Examples
    --------
    Both neurons fire twice for both classes, in another order:

    >>> ngram = NGram(n=2).fit([[0, 0, 1, 1], [1, 1, 0, 0]], [5, 8])
    >>> ngram.predict([[1, 0], [0, 1]])
    array([8, 5])
    """

    def __init__(self, n: int = 2) -> None:
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= 62:
            raise StimulusError(f"'n' is {n!r}, expected an integer from 1 to 62.", name="n")
        self.n = n
        self.classes: NDArray[np.int64] | None = None
        self.images: NDArray[np.int64] | None = None
        # A sequence is one number: its indices are the digits to this base, the largest that
        # lets all sequences fit into 64 bits.
        self._base = _root(_LARGEST, n)
        # For each class, the sequences that occurred (ascending), and how often
        self._known: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def fit(self, spikes: Any, labels: Any, classes: Any = None) -> NGram:
        """Learn from these images, and forget all others.

        Parameters
        ----------
        spikes : iterable of array_like of int, or array_like of bool
            Of each image, the indices of the neurons in the order of their spikes (see
            :func:`firing_order`); or spike trains, an array of shape (images, time, neurons).
        labels : array_like of int
            Class of each image, shape (images,). Any integers but -1.
        classes : array_like of int, optional
            All classes, where some may be missing among these images.

        Returns
        -------
        NGram
            Itself.

        Raises
        ------
        StimulusError
            Shapes do not fit, there is no image, labels are no integers or not among `classes`,
            or an index is too large for sequences of this length.
        """
        orders, given = self._read(spikes, labels)
        self.classes = check_label_classes(classes, given)
        self.images = np.zeros(len(self.classes), np.int64)
        nothing = np.zeros(0, np.int64)
        self._known = [(nothing, nothing)] * len(self.classes)
        self._learn(*orders, given)
        return self

    def update(self, spikes: Any, labels: Any) -> NGram:
        """Learn from these images, too.

        Parameters
        ----------
        spikes, labels
            As for :meth:`fit`. Labels have to be among the classes given there.

        Returns
        -------
        NGram
            Itself; the same as if all images had been given to :meth:`fit`.

        Raises
        ------
        StimulusError
            As for :meth:`fit`; nothing has been learnt then.
        """
        classes, _ = self._fitted()
        orders, given = self._read(spikes, labels)
        check_classes(classes, labels=given)
        self._learn(*orders, given)
        return self

    def votes(self, spikes: Any) -> NDArray[np.float64]:
        """How strongly the spike order speaks for each class.

        Parameters
        ----------
        spikes
            As for :meth:`fit`.

        Returns
        -------
        numpy.ndarray
            ``float64`` of shape (images, classes); 0 where no known sequence occurs.

        Raises
        ------
        StimulusError
            `spikes` is not of the right shape, or nothing has been learnt.
        """
        classes, of_class = self._fitted()
        orders = read_orders(spikes)
        keys, image = self._sequences(orders)
        scores = np.zeros((orders.images, len(classes)))
        for column, (known, times) in enumerate(self._known):
            if known.size:
                place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
                found = np.where(known[place] == keys, times[place], 0)
                scores[:, column] = np.bincount(image, found, orders.images) / of_class[column]
        return scores

    def predict(self, spikes: Any, *, no_answer: int | None = None) -> NDArray[np.int64]:
        """The class with the most votes for each image.

        Parameters
        ----------
        spikes
            As for :meth:`fit`.
        no_answer : int, optional
            The answer for an image without any known sequence, such as -1. By default it is a
            tie of all classes that images were given of.

        Returns
        -------
        numpy.ndarray
            ``int64`` of shape (images,). In a tie it is the lowest class.

        Raises
        ------
        StimulusError
            `spikes` is not of the right shape, or nothing has been learnt.
        """
        classes, of_class = self._fitted()
        return winners(self.votes(spikes), classes, of_class > 0, no_answer)

    def __len__(self) -> int:
        """Number of known sequences, each counted in every class in which it occurred."""
        return sum(len(known) for known, _ in self._known)

    def __repr__(self) -> str:
        if self.classes is None:
            return f"<NGram n={self.n}, nothing learnt>"
        return f"<NGram n={self.n}, {len(self)} sequences of {len(self.classes)} classes>"

    def _fitted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        if self.classes is None or self.images is None:
            raise StimulusError("This NGram has learnt nothing yet. Call fit first.", name="NGram")
        return self.classes, self.images

    def _read(
        self, spikes: Any, labels: Any
    ) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]:
        """Sequences with their images, and labels, all of them checked."""
        orders = read_orders(spikes)
        given = check_integers("labels", labels, orders.images)
        return self._sequences(orders), given

    def _sequences(self, orders: Orders) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Every sequence that occurs as a number, and the image in which it does."""
        neurons, image, _ = orders
        if neurons.size and neurons.max() >= self._base:
            raise StimulusError(
                f"'spikes' has the neuron {neurons.max()}, but sequences of {self.n} spikes can be "
                f"told apart for indices below {self._base}. Use a smaller n.",
                name="spikes",
            )
        last = max(len(neurons) - self.n + 1, 0)
        keys = np.zeros(last, np.int64)
        for place in range(self.n):
            keys = keys * self._base + neurons[place : place + last]
        # Spikes of two images make no sequence
        whole = image[:last] == image[self.n - 1 :][:last]
        return keys[whole], image[:last][whole]

    def _learn(
        self, keys: NDArray[np.int64], image: NDArray[np.int64], labels: NDArray[np.int64]
    ) -> None:
        classes, of_class = self._fitted()
        of_key = labels[image]
        for column, one in enumerate(classes):
            known, times = self._known[column]
            new, new_times = np.unique(keys[of_key == one], return_counts=True)
            joined, place = np.unique(np.concatenate((known, new)), return_inverse=True)
            counted = np.zeros(len(joined), np.int64)
            np.add.at(counted, place, np.concatenate((times, new_times)))
            self._known[column] = (joined, counted)
            of_class[column] += (labels == one).sum()


def _root(value: int, n: int) -> int:
    """The largest integer whose n-th power is at most `value`."""
    guess = math.floor(value ** (1 / n)) + 1
    while guess**n > value:
        guess -= 1
    return guess
