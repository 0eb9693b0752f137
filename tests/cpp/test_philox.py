"""The random numbers of philox.h: known answers, distributions, independence."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gpurun.toolchain import compile_shared
from tests.philox_draws import DRAW, HEADERS, KINDS

SOURCE = (
    '#include "philox.h"\n'
    + DRAW
    + """
extern "C" void block(const uint32_t* counter, const uint32_t* key, uint32_t* out) {
    gpurun::philox4x32_10(counter, key, out);
}
extern "C" void words(uint64_t seed, uint32_t code_object, uint64_t step, uint32_t element,
                      int64_t skip, int64_t count, uint32_t* out) {
    gpurun::Stream stream(seed, code_object, step, element);
    for (int64_t i = 0; i < skip; i++) stream.bits();
    for (int64_t i = 0; i < count; i++) out[i] = stream.bits();
}
extern "C" void draws(int kind, double a, double b, uint64_t seed, uint32_t code_object,
                      uint64_t step, uint32_t element, int64_t elements, int64_t each,
                      double* out) {
    for (int64_t e = 0; e < elements; e++) {
        gpurun::Stream stream(seed, code_object, step, element + (uint32_t)e);
        for (int64_t i = 0; i < each; i++) *out++ = draw(stream, kind, a, b);
    }
}
extern "C" double quantile(double tail) { return gpurun::detail::upper_quantile(tail); }
extern "C" float quantile_float(float tail) { return gpurun::detail::upper_quantile(tail); }
"""
)

#: Standard deviations, or what corresponds, that chance exceeds once in millions.
FAR = 5.2


@pytest.fixture(scope="module")
def philox(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder: Path = tmp_path_factory.mktemp("philox")
    (folder / "draws.cpp").write_text(SOURCE, encoding="utf-8")
    compile_shared(
        [Path("draws.cpp")],
        Path("draws.so"),
        flags=["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"],
        link_flags=[],
        include_dirs=[str(HEADERS)],
        cwd=folder,
    )
    library = ctypes.CDLL(str(folder / "draws.so"))
    library.quantile.restype, library.quantile.argtypes = ctypes.c_double, [ctypes.c_double]
    library.quantile_float.restype = ctypes.c_float
    library.quantile_float.argtypes = [ctypes.c_float]
    place = [ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_uint32]
    library.words.argtypes = [*place, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    library.draws.argtypes = [
        ctypes.c_int, ctypes.c_double, ctypes.c_double, *place,
        ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p,
    ]  # fmt: skip

    def block(counter: list[int], key: list[int]) -> list[int]:
        out = np.zeros(4, np.uint32)
        given = np.array(counter, np.uint32), np.array(key, np.uint32)
        library.block(*(ctypes.c_void_p(a.ctypes.data) for a in (*given, out)))
        return out.tolist()

    def words(seed: int, code: int, step: int, element: int, skip: int, count: int) -> np.ndarray:
        out = np.zeros(count, np.uint32)
        library.words(seed, code, step, element, skip, count, out.ctypes.data)
        return out

    def draw(
        kind: str, a: float = 0, b: float = 0, *, seed: int = 1, code: int = 0, step: int = 0,
        element: int = 0, elements: int = 1, each: int = 1,
    ) -> np.ndarray:  # fmt: skip
        out = np.zeros((elements, each))
        library.draws(
            KINDS.index(kind), a, b, seed, code, step, element, elements, each, out.ctypes.data
        )
        return out

    return SimpleNamespace(
        block=block,
        words=words,
        draw=draw,
        quantile=library.quantile,
        quantile_float=library.quantile_float,
    )


# -- the generator -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        # kat_vectors of Random123
        ("0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
         "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
         "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)  # fmt: skip
def test_known_answers(philox: Any, counter: str, key: str, expected: str) -> None:
    numbers = [[int(word, 16) for word in text.split()] for text in (counter, key, expected)]
    assert philox.block(*numbers[:2]) == numbers[2]


def test_the_counter(philox: Any) -> None:
    """element | code object, block | step | block, step: as the documentation says."""
    seed, code, step, element = 0x1234567890ABCDEF, 0xBEEF, 0xFEDC_5678_9ABC, 0x89ABCDEF
    key = [0x90ABCDEF, 0x12345678]
    got = philox.words(seed, code, step, element, 0, 12)
    for block in range(3):
        counter = [element, code << 16 | block, 0x56789ABC, 0xFEDC]
        assert got[4 * block : 4 * block + 4].tolist() == philox.block(counter, key)


def test_blocks_carry_into_the_upper_half_of_the_last_word(philox: Any) -> None:
    for block in (0xFFFF, 0x10000, 0x10001, 0x2FFFF, 0x30000):
        counter = [7, 3 << 16 | block & 0xFFFF, 5, (block >> 16) << 16]
        assert philox.words(1, 3, 5, 7, 4 * block, 4).tolist() == philox.block(counter, [1, 0])


def test_what_the_functions_take(philox: Any) -> None:
    words = philox.words(1, 0, 0, 0, 0, 8).astype(np.uint64)
    doubles = [((int(words[i + 1]) << 32 | int(words[i])) >> 11) * 2.0**-53 for i in range(0, 8, 2)]
    assert philox.draw("uniform", each=4)[0].tolist() == doubles
    singles = [(int(word) >> 8) * 2.0**-24 for word in words]
    assert philox.draw("uniform_float", each=8)[0].tolist() == singles
    assert philox.draw("bits", each=8)[0].tolist() == words.tolist()


# -- distributions --------------------------------------------------------------------


def chi_square_bound(degrees: int) -> float:
    """What a chi-square variable exceeds once in millions (Wilson & Hilferty, 1931)."""
    part = 2 / (9 * degrees)
    return degrees * (1 - part + FAR * math.sqrt(part)) ** 3


def assert_distributed(values: np.ndarray, cumulative: Callable[[np.ndarray], np.ndarray]) -> None:
    """Kolmogorov and Smirnov."""
    expected = cumulative(np.sort(values.ravel()))
    n = expected.size
    steps = np.arange(n + 1) / n
    distance = max(np.abs(expected - steps[1:]).max(), np.abs(expected - steps[:-1]).max())
    # 2 exp(-2 x**2) is 1e-7 at 2.9
    assert distance * math.sqrt(n) < 2.9


def assert_counts(values: np.ndarray, log_chance: Callable[[int], float]) -> None:
    """Chi-square against the exact chances of whole numbers, rare ones taken together."""
    values = values.ravel()
    n = values.size
    assert np.array_equal(values, np.floor(values))
    low, high = int(values.min()), int(values.max())
    observed = np.bincount((values - low).astype(np.int64))
    expected = np.array([n * math.exp(log_chance(k)) for k in range(low, high + 1)])
    assert expected.sum() == pytest.approx(n, rel=1e-3)
    classes: list[list[float]] = []
    seen = want = 0.0
    for count, chance in zip(observed, expected, strict=True):
        seen, want = seen + count, want + chance
        if want >= 20:
            classes.append([seen, want])
            seen = want = 0.0
    if classes:
        classes[-1][0] += seen
        classes[-1][1] += n - sum(c[1] for c in classes)  # what was never seen, too
    else:
        classes.append([seen, n])
    table = np.array(classes)
    if len(table) == 1:
        return
    chi_square = ((table[:, 0] - table[:, 1]) ** 2 / table[:, 1]).sum()
    assert chi_square < chi_square_bound(len(table) - 1)


@pytest.mark.parametrize("shape", [(1, 200_000), (200_000, 1), (20_000, 10)])
def test_uniform(philox: Any, shape: tuple[int, int]) -> None:
    for kind, step in (("uniform", 2.0**-53), ("uniform_float", 2.0**-24)):
        values = philox.draw(kind, elements=shape[0], each=shape[1], seed=3)
        assert values.min() >= 0
        assert values.max() < 1
        assert np.array_equal(values / step, np.floor(values / step))
        assert_distributed(values, lambda x: x)


@pytest.mark.parametrize("shape", [(1, 200_000), (200_000, 1), (20_000, 10)])
def test_normal(philox: Any, shape: tuple[int, int]) -> None:
    normal = np.vectorize(NormalDist().cdf)
    for kind in ("normal", "normal_float"):
        values = philox.draw(kind, elements=shape[0], each=shape[1], seed=4)
        assert_distributed(values, normal)
        n = values.size
        assert abs(values.mean()) * math.sqrt(n) < FAR
        assert abs((values**2).mean() - 1) * math.sqrt(n / 2) < FAR
        assert abs((values**3).mean()) * math.sqrt(n / 15) < FAR
        assert abs((values**4).mean() - 3) * math.sqrt(n / 96) < FAR


def test_normal_quantiles(philox: Any) -> None:
    """The same algorithm as Python's, so that all digits are the same, tails included."""
    dist = NormalDist()
    tails = [*np.linspace(1e-3, 0.5, 999), *(2.0**-k for k in range(1, 65)), 2.0**-65]
    for tail in tails:
        assert philox.quantile(tail) == pytest.approx(-dist.inv_cdf(tail), rel=4e-16, abs=1e-300)
        if tail >= 2.0**-33:
            single = float(np.float32(tail))
            expected = -dist.inv_cdf(single)
            assert philox.quantile_float(single) == pytest.approx(expected, rel=2e-6, abs=1e-6)


MEANS = (1e-9, 0.01, 0.5, 1.0, 3.7, 9.99, 10.0, 10.5, 12.0, 30.0, 100.0, 1234.5)


@pytest.mark.parametrize("mean", MEANS)
def test_poisson(philox: Any, mean: float) -> None:
    values = philox.draw("poisson", mean, elements=1000, each=200, seed=5)
    assert_counts(values, lambda k: k * math.log(mean) - mean - math.lgamma(k + 1))


def test_poisson_of_large_means(philox: Any) -> None:
    for mean in (1e5, 3e7, 2e9):
        values = philox.draw("poisson", mean, each=100_000, seed=6)[0]
        score = (values - mean) / math.sqrt(mean)
        assert abs(score.mean()) * math.sqrt(score.size) < FAR
        assert abs((score**2).mean() - 1) * math.sqrt(score.size / 2) < FAR


def test_poisson_of_strange_means(philox: Any) -> None:
    for mean in (0.0, -0.0, -3.0, math.nan, -math.inf):
        assert not philox.draw("poisson", mean, each=100).any()
    for mean in (2.0**31, 1e300, math.inf):
        assert (philox.draw("poisson", mean, each=10) == 2**31 - 1).all()
    assert philox.draw("poisson", 2.0**31 - 5, each=100).max() == 2**31 - 1


@pytest.mark.parametrize("n", [1, 2, 10, 19, 20, 21, 33, 100, 1000, 20_000])
@pytest.mark.parametrize("p", [1e-4, 0.01, 0.1, 0.3, 0.49, 0.5, 0.51, 0.7, 0.95, 0.999])
def test_binomial(philox: Any, n: int, p: float) -> None:
    values = philox.draw("binomial", n, p, elements=500, each=200, seed=7)
    assert values.min() >= 0
    assert values.max() <= n

    def log_chance(k: int) -> float:
        ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        return ways + k * math.log(p) + (n - k) * math.log1p(-p)

    assert_counts(values, log_chance)


def test_binomial_at_the_ends(philox: Any) -> None:
    for n in (0, 1, 50, 10**9):
        for p in (0.0, -1.0, math.nan):
            assert not philox.draw("binomial", n, p, each=10).any()
        for p in (1.0, 2.0):
            assert (philox.draw("binomial", n, p, each=10) == n).all()
    assert not philox.draw("binomial", -5, 0.5, each=10).any()


# -- independence ---------------------------------------------------------------------


def correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """In standard deviations of what chance gives, row by row."""
    one = one - one.mean(axis=-1, keepdims=True)
    other = other - other.mean(axis=-1, keepdims=True)
    product = (one * other).mean(axis=-1) / (one.std(axis=-1) * other.std(axis=-1))
    return product * math.sqrt(one.shape[-1])


WIDTHS = {"seed": 64, "code": 16, "step": 48, "element": 32}
BITS = [
    (what, bit) for what, width in WIDTHS.items() for bit in (0, 1, 5, 15, 31, 40) if bit < width
]


@pytest.mark.parametrize(("what", "bit"), BITS)
@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_streams_of_other_places_are_independent(
    philox: Any, what: str, bit: int, kind: str
) -> None:
    place = {"seed": 9, "code": 2, "step": 11, "element": 4}
    # Far into one stream, and the beginnings of many (neurons in one step)
    moved = {**place, what: place[what] ^ (1 << bit)}
    one, other = (philox.draw(kind, each=100_000, **at) for at in (place, moved))
    assert abs(correlations(one, other)).max() < FAR
    if what != "element":
        one, other = (philox.draw(kind, elements=100_000, **at).T for at in (place, moved))
        assert abs(correlations(one, other)).max() < FAR


def test_neighbours_are_independent(philox: Any) -> None:
    """Between elements, between the draws of one element, and from one step to the next."""
    field = np.array(
        [philox.draw("uniform", step=step, elements=300, each=5, seed=8) for step in range(300)]
    )
    for axis in range(3):
        ahead = np.roll(field, 1, axis=axis)
        assert abs(correlations(field.reshape(1, -1), ahead.reshape(1, -1))).max() < FAR
    # A diagonal, for who adds step and element
    ahead = np.roll(field, (1, -1), axis=(0, 1))
    assert abs(correlations(field.reshape(1, -1), ahead.reshape(1, -1))).max() < FAR


def test_no_two_places_share_numbers(philox: Any) -> None:
    blocks = {
        tuple(philox.words(seed, code, step, element, 0, 8).reshape(2, 4)[block].tolist())
        for seed in range(4)
        for code in range(6)
        for step in (0, 1, 2, 3, 2**32, 2**32 + 1)
        for element in (0, 1, 2, 3, 2**31, 2**32 - 1)
        for block in range(2)
    }
    assert len(blocks) == 4 * 6 * 6 * 6 * 2
