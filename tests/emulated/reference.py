"""The same scripts on brian2's own C++ device."""

from __future__ import annotations

from .backends import StandaloneBackend


def backend() -> StandaloneBackend:
    """Return brian2's device ``cpp_standalone``."""
    return StandaloneBackend("cpp_standalone", {"devices.cpp_standalone.openmp_threads": 0})
