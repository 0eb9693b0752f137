"""The emulator's settings, as far as nvcc needs them."""

from __future__ import annotations

import os
import re

DEFAULTS = {"cc": "9.0", "cuda": "13.0"}


def read_settings() -> dict[str, str]:
    """Return the settings of ``CUDA_EMULATOR`` and, over them, ``CUDA_EMULATOR_FILE``."""
    words = re.split(r"[\s,]+", os.environ.get("CUDA_EMULATOR", ""))
    path = os.environ.get("CUDA_EMULATOR_FILE")
    if path and os.path.isfile(path):
        with open(path, encoding="utf-8") as file:
            words += [line.split("#", 1)[0].strip() for line in file]
    found = dict(DEFAULTS)
    for word in words:
        key, equals, value = word.partition("=")
        if equals:
            found[key.strip()] = value.strip()
    return found


def architecture(settings: dict[str, str]) -> int:
    """Return ``__CUDA_ARCH__`` for the emulated card: 900 for compute capability 9.0."""
    major, _, minor = settings["cc"].partition(".")
    return int(major) * 100 + int(minor or 0) * 10
