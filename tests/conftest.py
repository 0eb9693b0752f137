"""What all tests share: an own cache, markers by folder, and skip reasons.

``GPURUN_REQUIRE_GPU=1``
    A test of ``tests/gpu`` that would be skipped fails instead, unless all that it lacks is
    another library to share the card with.
``GPURUN_TEST_CACHE_DIR=PATH``
    Keep compiled models in PATH between test sessions. Without it each session
    has an empty cache, which is shared by all of its tests and then removed.
``GPURUN_TEST_BACKEND=cuda``
    What `tests.models` builds for, and so what ``tests/semantics`` tests, instead of the CPU.
    With ``CUDA_PATH=tests/cuda_emulator`` it needs no card; ``tests/emulated`` runs it like this.
"""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

from tests.minimum import MinimumTests

TESTS = Path(__file__).parent
FOLDERS = ("unit", "cpp", "semantics", "cuda_compile", "emulated", "gpu")
KEPT = ("GPURUN_REQUIRE_GPU", "GPURUN_TEST_CACHE_DIR", "GPURUN_TEST_BACKEND")
EMULATOR = TESTS / "cuda_emulator"
#: The folder whose needs the tests of semantics share.
if os.environ.get("GPURUN_TEST_BACKEND", "cpu") == "cpu":
    SEMANTICS = "cpp"
elif Path(os.environ.get("CUDA_PATH", "")).resolve() == EMULATOR:
    SEMANTICS = "emulated"
else:
    SEMANTICS = "gpu"
#: gpurun works beside it, and does not need it.
NO_TORCH = "torch is not installed"
REQUIRE_GPU = os.environ.get("GPURUN_REQUIRE_GPU", "") not in ("", "0")


def _isolate_environment() -> Path | None:
    """Point gpurun at an own cache; returns the directory to remove at the end.

    This happens when this file is imported, before any test imports gpurun and
    in a way that the processes started by tests inherit.
    """
    for name in [name for name in os.environ if name.startswith("GPURUN_")]:
        if name not in KEPT:
            del os.environ[name]
    os.environ["MPLBACKEND"] = "Agg"
    kept = os.environ.get("GPURUN_TEST_CACHE_DIR")
    directory = Path(kept).resolve() if kept else Path(tempfile.mkdtemp(prefix="gpurun-tests-"))
    os.environ["GPURUN_CACHE_DIR"] = str(directory)
    # For the workers of pytest-xdist, which share it
    os.environ["GPURUN_TEST_CACHE_DIR"] = str(directory)
    return None if kept else directory


_temporary_cache = _isolate_environment()

# Compiling takes as long as it takes; CI must not depend on luck.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


def _hear_signals() -> None:
    """Undo what ``nohup`` and a shell's ``&`` leave to all processes that tests start."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (getattr(signal, "SIGHUP", None), signal.SIG_DFL),
    ):
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--minimum-tests",
        metavar="FOLDER[,FOLDER]|all",
        help="fail unless as many tests of the folders ran as ci/minimum_tests.toml asks for",
    )


def pytest_configure(config: pytest.Config) -> None:
    _hear_signals()
    wanted = config.getoption("--minimum-tests")
    if wanted:
        table = TESTS.parent / "ci" / "minimum_tests.toml"
        plugin = MinimumTests.from_table(table, wanted, require_gpu=REQUIRE_GPU)
        config.pluginmanager.register(plugin, "minimum-tests")


def pytest_unconfigure() -> None:
    if _temporary_cache is not None:
        shutil.rmtree(_temporary_cache, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        relative = item.path.relative_to(TESTS)
        if relative.parts[0] not in FOLDERS:
            raise pytest.UsageError(
                f"{relative}: a test file belongs into one of the folders {', '.join(FOLDERS)}"
            )
        folder = relative.parts[0]
        item.add_marker(SEMANTICS if folder == "semantics" else folder)


@functools.cache
def missing_card() -> str | None:
    """Why no CUDA card can be used, or None where one can."""
    if "cuda_emulator" in os.environ.get("CUDA_PATH", ""):
        return None
    if not os.path.exists("/dev/nvidiactl") and not os.path.exists("/dev/dxg"):
        # The emulator's driver may be loaded in this process
        return "no NVIDIA driver (there is no /dev/nvidiactl)"
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "no NVIDIA driver (libcuda.so.1 cannot be loaded)"
    count = ctypes.c_int()
    if status := driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return f"the NVIDIA driver does not start (CUDA error {status})"
    return None if count.value else "the NVIDIA driver finds no card"


@functools.cache
def missing_nvcc() -> str | None:
    """Why no CUDA source can be compiled, or None where it can."""
    from gpurun.toolchain import find_cuda

    return None if find_cuda() else "no CUDA toolkit (`gpurun doctor` says how to install it)"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and (reason := missing_card()):
        pytest.skip(reason)
    if item.get_closest_marker("cuda_compile") and (reason := missing_nvcc()):
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    expected_failure = hasattr(report, "wasxfail")
    if REQUIRE_GPU and report.skipped and not expected_failure and item.get_closest_marker("gpu"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        if str(reason).endswith(NO_TORCH):
            return report
        report.outcome = "failed"
        report.longrepr = f"GPURUN_REQUIRE_GPU is set, but the test was skipped: {reason}"
    return report
