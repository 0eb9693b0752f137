"""Philox4x64-10 for a card, compiled by NVRTC when it is first used.

The text is plain C++ but for ``__device__``, ``__global__``, ``__umul64hi`` and the numbers of
the thread, so that a test can run it on the CPU.
"""

from __future__ import annotations

#: Of the kernel in `SOURCE`.
KERNEL_NAME = "gpurun_stimulus_words"

#: Thread i computes the four words of the counter (low, high) + i.
SOURCE = r"""
typedef unsigned long long u64;

__device__ inline void philox4x64_10(u64 c0, u64 c1, u64 c2, u64 c3, u64 k0, u64 k1, u64* out) {
    for (int round = 0; round < 10; round++) {
        const u64 high0 = __umul64hi(0xD2E7470EE14C6C93ull, c0);
        const u64 low0 = 0xD2E7470EE14C6C93ull * c0;
        const u64 high1 = __umul64hi(0xCA5A826395121157ull, c2);
        const u64 low1 = 0xCA5A826395121157ull * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B97F4A7C15ull;
        k1 += 0xBB67AE8584CAA73Bull;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

extern "C" __global__ void gpurun_stimulus_words(u64 key0, u64 key1, u64 low, u64 high, u64 skip,
                                                 u64 count, u64* out) {
    const u64 blocks = (skip + count + 3) / 4;
    const u64 threads = (u64)gridDim.x * blockDim.x;
    for (u64 i = (u64)blockIdx.x * blockDim.x + threadIdx.x; i < blocks; i += threads) {
        const u64 c0 = low + i;
        u64 words[4];
        philox4x64_10(c0, high + (c0 < low), 0, 0, key0, key1, words);
        for (int j = 0; j < 4; j++) {
            const u64 place = 4 * i + j;
            if (place >= skip && place - skip < count) out[place - skip] = words[j];
        }
    }
}
"""
