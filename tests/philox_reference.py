"""Philox streams in Python, written from the documentation (docs/random_numbers.md)."""

from __future__ import annotations

from statistics import NormalDist


def philox4x32_10(counter: list[int], key: list[int]) -> list[int]:
    """Four words for a counter of four and a key of two."""
    a, b, c, d = counter
    k, m = key
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (q >> 32) ^ b ^ k, q & 0xFFFFFFFF, (p >> 32) ^ d ^ m, p & 0xFFFFFFFF
        k, m = (k + 0x9E3779B9) & 0xFFFFFFFF, (m + 0xBB67AE85) & 0xFFFFFFFF
    return [a, b, c, d]


class Stream:
    """What one element draws in one step in one code object."""

    def __init__(self, seed: int, code_object: int, step: int, element: int) -> None:
        self.key = [seed & 0xFFFFFFFF, seed >> 32]
        self.place = (element, code_object, step)
        self.block = 0
        self.words: list[int] = []

    def bits(self) -> int:
        if not self.words:
            element, code_object, step = self.place
            counter = [
                element,
                code_object << 16 | self.block & 0xFFFF,
                step & 0xFFFFFFFF,
                (self.block >> 16) << 16 | step >> 32,
            ]
            self.words = philox4x32_10(counter, self.key)
            self.block += 1
        return self.words.pop(0)

    def uniform(self) -> float:
        low, high = self.bits(), self.bits()
        return ((high << 32 | low) >> 11) * 2.0**-53

    def normal(self) -> float:
        low, high = self.bits(), self.bits()
        size = (high & 0x7FFFFFFF) << 32 | low
        value = -NormalDist().inv_cdf((float(size) + 0.5) * 2.0**-64)
        return -value if high >> 31 else value
