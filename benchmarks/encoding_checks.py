"""What encoders have to give before they are timed: the loop's rates, and spikes of chance."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
#: Of a part: counts, their expectations and variances, by what the part is divided into.
Counts = dict[str, tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]
#: Images that are looked at together.
_TOGETHER = 200
#: A right encoder is refused about once in a million times.
_DEVIATIONS = NormalDist().inv_cdf(1 - 5e-7)


def wrong_rates(
    expected: NDArray[np.float64], rates: NDArray[Any], *, tolerance: float = 0.0
) -> str:
    """In which way `rates` are not the expected ones, if they are not.

    Parameters
    ----------
    expected, rates : ndarray
    tolerance : float
        Relative; 0 asks for the same values.
    """
    if rates.shape != expected.shape:
        return f"rates of shape {rates.shape} for {expected.shape}"
    differ = int(np.count_nonzero(~(np.abs(rates - expected) <= tolerance * expected)))
    return f"{differ} of {expected.size} rates are not the loop's" if differ else ""


def spike_counts(images: Images, spikes: NDArray[Any]) -> Counts:
    """Spikes by intensity, by time step and by pixel, and what chance lets expect.

    Given the images, each count is a sum of independent spikes with known probabilities.
    """
    n, steps, pixels = spikes.shape
    flat = images.reshape(n, pixels)
    by_step, by_pixel, by_level = np.zeros(steps), np.zeros(pixels), np.zeros(256)
    for start in range(0, n, _TOGETHER):
        part = spikes[start : start + _TOGETHER] != 0
        by_step += part.sum(axis=(0, 2))
        of_image = part.sum(axis=1)
        by_pixel += of_image.sum(axis=0)
        levels = flat[start : start + _TOGETHER].reshape(-1)
        by_level += np.bincount(levels, of_image.reshape(-1), minlength=256)
    probability = np.arange(256) / 255
    spread = probability * (1 - probability)
    occur = np.bincount(flat.reshape(-1), minlength=256)
    of_pixel = np.array([np.bincount(column, minlength=256) for column in flat.T])
    each_step = np.ones(steps)
    return {
        "intensity": (by_level, steps * occur * probability, steps * occur * spread),
        "time step": (by_step, each_step * (occur @ probability), each_step * (occur @ spread)),
        "pixel": (by_pixel, steps * (of_pixel @ probability), steps * (of_pixel @ spread)),
    }


def wrong_spikes(images: Images, spikes: NDArray[Any], *, steps: int) -> str:
    """In which way `spikes` are no independent ones of the right probabilities, if they are not.

    The sum of squared deviations, in units of the standard deviation, has to be one that a
    chi-squared variable has with a probability of all but a millionth (by the cube root of
    Wilson and Hilferty, PNAS 17 (1931), 684-688). Too little chance is as wrong as too much.
    """
    expected_shape = (len(images), steps, images[0].size)
    if spikes.shape != expected_shape:
        return f"spikes of shape {spikes.shape} for {expected_shape}"
    for part, (counts, expected, variance) in spike_counts(images, spikes).items():
        random = variance > 1e-9 * (expected + 1)
        if np.abs(counts - expected)[~random].max(initial=0.0) > 0.5:
            return f"by {part}: spikes where there are none, or none where there always are"
        squares = float(((counts - expected)[random] ** 2 / variance[random]).sum())
        degrees = int(random.sum())
        share = 2 / (9 * degrees)
        deviation = ((squares / degrees) ** (1 / 3) - (1 - share)) / math.sqrt(share)
        if abs(deviation) > _DEVIATIONS:
            return f"by {part}: chi-squared {squares:.1f} for {degrees} degrees of freedom"
    return ""
