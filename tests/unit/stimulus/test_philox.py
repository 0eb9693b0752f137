"""The random numbers of encoders: NumPy's Philox, one piece of it for each presentation."""

from __future__ import annotations

import array_api_compat.numpy as xp
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from gpurun.errors import SeedError, StimulusError
from gpurun.stimulus.encoders.philox import Draws, Seeded, presentation, words

KEYS = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))


def numpys(key: tuple[int, int], block: int, count: int) -> np.ndarray:
    return np.random.Philox(key=np.array(key, np.uint64), counter=block).random_raw(count)


@hypothesis.given(key=KEYS, start=st.integers(0, 200), count=st.integers(0, 40))
def test_words_are_those_of_numpy(key: tuple[int, int], start: int, count: int) -> None:
    drawn = words(xp, key, start, count)
    assert drawn.dtype == np.uint64 and drawn.shape == (count,)
    np.testing.assert_array_equal(drawn, numpys(key, 0, start + count)[start:])


@hypothesis.given(
    key=KEYS,
    block=st.sampled_from([2**32, 2**64 - 2, 2**64, 2**70 + 5, 2**120]),
    skip=st.integers(0, 9),
)
def test_far_counters(key: tuple[int, int], block: int, skip: int) -> None:
    # Across the border of a counter's words, too
    whole = numpys(key, block, 30)
    np.testing.assert_array_equal(words(xp, key, 4 * block + skip, 30 - skip), whole[skip:])


def test_known_words() -> None:
    """Streams are for ever: a script's numbers change only with a note in the changelog."""
    draws = Draws(seed=42, name="PoissonSpikes")
    assert draws.key == (0x3FE1D76E546A5B88, 0x21A227B70DDE8B2E)
    assert words(xp, draws.key, 2**40, 2).tolist() == [0x106D167B51DA4382, 0x42F948DBA9406BCC]


@hypothesis.given(
    first=st.sampled_from([0, 5, 2**32 - 1, 2**63]),
    n=st.integers(0, 5),
    count=st.integers(1, 30),
    a=st.integers(0, 5),
)
def test_a_presentation_has_its_own_numbers(first: int, n: int, count: int, a: int) -> None:
    draws = Draws(1, "test")
    whole = draws.uniforms(xp, first, n, count)
    assert whole.shape == (n, count) and whole.dtype == np.float64
    part = draws.uniforms(xp, first + min(a, n), n - min(a, n), count)
    np.testing.assert_array_equal(whole[min(a, n) :], part)


def test_uniforms_are_numpys_doubles() -> None:
    draws = Draws(1, "test")
    generator = np.random.Generator(np.random.Philox(key=np.array(draws.key, np.uint64)))
    np.testing.assert_array_equal(draws.uniforms(xp, 0, 1, 40)[0], generator.random(40))


def test_halves_are_numpys_32_bits() -> None:
    draws = Draws(1, "test")
    generator = np.random.Generator(np.random.Philox(key=np.array(draws.key, np.uint64)))
    ((_, _, numbers),) = draws.pieces(xp, 0, 1, 8, 5)
    expected = generator.integers(0, 2**32, size=40, dtype=np.uint32)
    np.testing.assert_array_equal(numbers.reshape(-1), expected)


def test_bits_are_even_and_independent() -> None:
    n = 4096
    streams = [
        Draws(0, "a").uniforms(xp, 0, n, 64),
        Draws(1, "a").uniforms(xp, 0, n, 64),  # another seed
        Draws(0, "b").uniforms(xp, 0, n, 64),  # another encoder
        Draws(0, "a", 1).uniforms(xp, 0, n, 64),  # another stream
        Draws(0, "a").uniforms(xp, n, n, 64),  # later presentations
    ]
    size = streams[0].size
    for values in streams:
        assert values.min() >= 0 and values.max() < 1
        # 16 bins: chi-square with 15 degrees of freedom; 50 is exceeded once in 80,000
        counts = np.bincount((values * 16).astype(int).ravel(), minlength=16)
        assert ((counts - size / 16) ** 2 / (size / 16)).sum() < 50
    for k, one in enumerate(streams):
        for two in streams[k + 1 :]:
            assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 5 / np.sqrt(size)
    # Between neighbouring presentations, and between neighbouring pixels
    values = streams[0]
    rows = np.corrcoef(values[:-1].ravel(), values[1:].ravel())[0, 1]
    columns = np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]
    assert abs(rows) < 5 / np.sqrt(size) and abs(columns) < 5 / np.sqrt(size)


def test_keys_differ() -> None:
    keys = {Draws(s, name, k).key for s in range(20) for name in ("a", "b") for k in range(20)}
    assert len(keys) == 800
    # No two attributes run together
    assert Draws(1, "a\x001", 1).key != Draws(1, "a", 11).key


def test_presentations_are_numbers() -> None:
    assert presentation(np.uint8(3)) == 3
    for wrong in (-1, 1.0, None, 2**64, "1"):
        with pytest.raises(StimulusError, match="'first' is the number"):
            presentation(wrong)


def test_seeds_are_checked() -> None:
    assert Seeded(seed=np.int64(3)).seed == 3
    with pytest.raises(StimulusError, match="'seed' is an integer, not None"):
        Seeded(seed=None)
    for wrong in (-1, 2**32, 0.5, True):
        with pytest.raises(SeedError):
            Seeded(seed=wrong)
    for wrong in (-1, 0.5, True):
        with pytest.raises(StimulusError, match="'stream'"):
            Seeded(stream=wrong)
