"""Plain models on an emulated card: the tests of ``tests/cpp/test_plain_runs.py`` once more."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .isolated import emulator_cache
from .upstream import TOOLKIT

pytestmark = pytest.mark.timeout(1500)

ROOT = Path(__file__).parents[2]
#: How many tests have to be executed.
MINIMUM = 10


def test_plain_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/cpp/test_plain_runs.py", "-q", "--tb=short",
         "-p", "no:cacheprovider", "--timeout", "600"],
        cwd=ROOT,
        env={
            **os.environ,
            "GPURUN_TEST_BACKEND": "cuda",
            "GPURUN_TEST_CACHE_DIR": os.environ["GPURUN_CACHE_DIR"],
            "CUDA_PATH": str(TOOLKIT),
            "CUDA_EMULATOR": "order=random:7 strict=on leaks=fatal",
            "CUDA_EMULATOR_CACHE": emulator_cache(),
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= MINIMUM
