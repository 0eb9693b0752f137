"""mersenne_twister.h: the numbers, and the text, of the generator that brian2 draws from."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from gpurun.toolchain import compile_shared
from tests.philox_draws import HOST_HEADERS

SOURCE = """
#include "mersenne_twister.h"
#include <random>
#include <sstream>
#include <vector>

template <class Generator>
static void draw(unsigned long seed, int64_t count, uint32_t* out) {
    Generator generator;
    generator.seed(seed);
    for (int64_t i = 0; i < count; i++) out[i] = (uint32_t)generator();
}
extern "C" void ours(unsigned long seed, int64_t count, uint32_t* out) {
    draw<gpurun::MersenneTwister>(seed, count, out);
}
extern "C" void theirs(unsigned long seed, int64_t count, uint32_t* out) {
    draw<std::mt19937>(seed, count, out);
}
// How many words after `drawn` are the same if the state goes to the other one as text.
extern "C" int64_t handed_over(unsigned long seed, int64_t drawn, int64_t count, int to_ours) {
    gpurun::MersenneTwister ours;
    std::mt19937 theirs;
    ours.seed(seed);
    theirs.seed(seed);
    for (int64_t i = 0; i < drawn; i++) (void)ours(), (void)theirs();
    std::stringstream text, back;
    if (to_ours) { text << theirs; ours.seed(1); text >> ours; }
    else { text << ours; theirs.seed(1); text >> theirs; }
    int64_t same = bool(text) ? 0 : -count;
    for (int64_t i = 0; i < count; i++) same += ours() == theirs();
    return same;
}
extern "C" int refused(const char* text) {
    std::istringstream in{std::string(text)};
    gpurun::MersenneTwister generator;
    const uint32_t before = gpurun::MersenneTwister(generator)();
    in >> generator;
    return !in && before == (uint32_t)generator();
}
"""


@pytest.fixture(scope="module", params=["-O1", "-O3"])
def twister(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> ctypes.CDLL:
    folder: Path = tmp_path_factory.mktemp("twister")
    (folder / "twister.cpp").write_text(SOURCE, encoding="utf-8")
    compile_shared(
        [Path("twister.cpp")],
        Path("twister.so"),
        flags=["-std=c++17", request.param, "-Wall", "-Wextra", "-Werror"],
        link_flags=[],
        include_dirs=[str(HOST_HEADERS)],
        cwd=folder,
    )
    library = ctypes.CDLL(str(folder / "twister.so"))
    for name in ("ours", "theirs"):
        getattr(library, name).argtypes = [ctypes.c_ulong, ctypes.c_int64, ctypes.c_void_p]
    library.handed_over.argtypes = [ctypes.c_ulong, ctypes.c_int64, ctypes.c_int64, ctypes.c_int]
    library.handed_over.restype = ctypes.c_int64
    library.refused.argtypes = [ctypes.c_char_p]
    return library


@pytest.mark.parametrize("seed", [0, 1, 5489, 2**31 + 7, 2**32 - 1, 2**40 + 3])
def test_the_words_are_those_of_the_standard_library(twister: ctypes.CDLL, seed: int) -> None:
    ours, theirs = np.zeros((2, 100_000), np.uint32)
    twister.ours(seed, ours.size, ours.ctypes.data)
    twister.theirs(seed, theirs.size, theirs.ctypes.data)
    assert np.array_equal(ours, theirs)


def test_the_ten_thousandth_word_is_the_one_in_the_standard(twister: ctypes.CDLL) -> None:
    """[rand.predef] of the C++ standard has it for std::mt19937 as it is made."""
    words = np.zeros(10_000, np.uint32)
    twister.ours(5489, words.size, words.ctypes.data)
    assert words[-1] == 4123659995


@pytest.mark.parametrize("to_ours", [True, False])
@pytest.mark.parametrize("drawn", [0, 1, 623, 624, 625, 1000])
def test_states_can_be_exchanged(twister: ctypes.CDLL, drawn: int, to_ours: bool) -> None:
    assert twister.handed_over(42, drawn, 2000, to_ours) == 2000


@pytest.mark.parametrize("text", [b"", b"1 2 3", b"1 " * 624 + b"625", b"x " * 625])
def test_other_text_is_refused_and_changes_nothing(twister: ctypes.CDLL, text: bytes) -> None:
    assert twister.refused(text)
