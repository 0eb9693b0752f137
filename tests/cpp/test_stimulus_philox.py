"""The kernel that draws encoders' random numbers on a card, run on the CPU, against NumPy."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from gpurun.stimulus.encoders.philox_kernel import KERNEL_NAME, SOURCE
from gpurun.toolchain import compile_shared

#: What a CUDA compiler knows by itself.
CARD = """
#define __device__
#define __global__
struct Place { unsigned x; };
static Place gridDim, blockDim, blockIdx, threadIdx;
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
"""
#: A launch: all threads of all blocks, one after the other.
LAUNCH = f"""
extern "C" void launch(unsigned grid, unsigned block, u64 key0, u64 key1, u64 low, u64 high,
                       u64 skip, u64 count, u64* out) {{
    gridDim.x = grid;
    blockDim.x = block;
    for (blockIdx.x = 0; blockIdx.x < grid; blockIdx.x++)
        for (threadIdx.x = 0; threadIdx.x < block; threadIdx.x++)
            {KERNEL_NAME}(key0, key1, low, high, skip, count, out);
}}
"""
WORD = st.integers(0, 2**64 - 1)


@pytest.fixture(scope="module")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("kernel")
    (folder / "kernel.cpp").write_text(CARD + SOURCE + LAUNCH, encoding="utf-8")
    compile_shared(
        [Path("kernel.cpp")],
        Path("kernel.so"),
        flags=["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror"],
        link_flags=[],
        include_dirs=[],
        cwd=folder,
    )
    function = ctypes.CDLL(str(folder / "kernel.so")).launch
    function.argtypes = [ctypes.c_uint] * 2 + [ctypes.c_uint64] * 6 + [ctypes.c_void_p]
    function.restype = None
    return function


@hypothesis.settings(max_examples=300)
@hypothesis.given(
    key=st.tuples(WORD, WORD),
    block=st.one_of(
        st.integers(0, 2**128 - 1000),
        st.integers(2**64 - 20, 2**64 + 3),  # the carry, within a launch and before it
        st.integers(0, 3),
    ),
    skip=st.integers(0, 3),
    count=st.integers(0, 60),
    grid=st.integers(1, 3),
    threads=st.integers(1, 8),
)
def test_the_kernel_gives_numpys_words(
    launch: Any, key: tuple[int, int], block: int, skip: int, count: int, grid: int, threads: int
) -> None:
    counter = block + 1
    guard = 0xA5A5A5A5A5A5A5A5
    out = np.full(count + 2, guard, np.uint64)
    low, high = counter & (2**64 - 1), counter >> 64
    launch(grid, threads, *key, low, high, skip, count, out[1:].ctypes.data)
    generator = np.random.Philox(key=np.array(key, np.uint64), counter=block)
    np.testing.assert_array_equal(out[1:-1], generator.random_raw(skip + count)[skip:])
    assert out[0] == guard and out[-1] == guard
