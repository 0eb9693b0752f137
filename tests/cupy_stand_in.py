"""CuPy for tests on an emulated card, whose memory is the host's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.backend import BACKEND, EMULATED


@contextmanager
def cupy_for_tests() -> Iterator[None]:
    """On an emulated card, the stand-in instead of the real CuPy, which would find no card."""
    if not EMULATED:
        yield
        return
    from tests.emulated import fake_cupy

    before = sys.modules.get("cupy")
    sys.modules["cupy"] = fake_cupy
    try:
        yield
    finally:
        if before is None:
            del sys.modules["cupy"]
        else:
            sys.modules["cupy"] = before


#: Whether sessions of these tests have arrays in a card's memory.
ON_CARD = BACKEND == "cuda"
