"""Thrust and CUB of the emulated toolkit. Real headers compile the same programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulated.programs import TOOLKIT, compile_and_run

PROGRAMS = Path(__file__).parent / "thrust"
CHECK = """
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>
static int failures = 0;
#define CHECK(condition) \\
    ((condition) ? void() : void((++failures, printf("line %d: %s\\n", __LINE__, #condition))))
"""
SETTINGS = ["", "order=reverse,strict=on", "order=random:3,strict=on,poison=off"]


def source(name: str) -> str:
    text = (PROGRAMS / f"{name}.cu").read_text(encoding="utf-8")
    return f'{CHECK}\n#line 1 "{name}.cu"\n{text}'


def run(name: str, *arguments: str, settings: str = "") -> tuple[int, str, str]:
    """Exit status, output and error output of a program."""
    done = compile_and_run(
        source(name), settings=settings, options=["-std=c++17"], arguments=arguments
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", ["vectors", "algorithms", "iterators", "device_wide", "blocks"])
def test_results(name: str, settings: str) -> None:
    assert run(name, settings=settings) == (0, "", "")


OUT_OF_MEMORY = "std::bad_alloc: cudaErrorMemoryAllocation: out of memory\n"
CAPTURING = "cudaErrorStreamCaptureUnsupported: operation not permitted when stream is capturing\n"
INVALIDATED = "capture: cudaErrorStreamCaptureInvalidated\n"


@pytest.mark.parametrize(
    ("what", "output"),
    [
        ("allocation", OUT_OF_MEMORY),
        (
            "null",
            "system_error 1: device_reference: reading failed: "
            "cudaErrorInvalidValue: invalid argument\n",
        ),
        (
            "assert",
            "system_error 710: for_each failed to synchronize: "
            "cudaErrorAssert: device-side assert triggered\nthen: cudaErrorAssert\n",
        ),
        (
            "free",
            "system_error 1: device free failed: cudaErrorInvalidValue: invalid argument\n",
        ),
        # Whatever only launches is recorded
        ("captured for_each", "no exception\ncapture: cudaSuccess\n3\n"),
        # As on a card: waiting is refused, so is cudaMalloc of temporary memory
        (
            "captured wait",
            f"system_error 900: for_each failed to synchronize: {CAPTURING}{INVALIDATED}",
        ),
        ("captured sort", f"std::bad_alloc: {CAPTURING}{INVALIDATED}"),
        ("captured reduce", f"system_error 900: reduce: {CAPTURING}{INVALIDATED}"),
    ],
)
def test_exceptions(what: str, output: str) -> None:
    assert run("errors", what)[:2] == (0, output)


@pytest.mark.parametrize("what", ["host memory", "zipped host memory"])
def test_host_memory_for_the_device(what: str) -> None:
    status, output, errors = run("errors", what)
    assert (status, output) == (
        0,
        "system_error 700: sort failed to synchronize: "
        "cudaErrorIllegalAddress: an illegal memory access was encountered\n",
    )
    assert "sort: an algorithm on the device was given host memory at 0x" in errors


def test_collective_of_another_block_size() -> None:
    status, output, errors = run("blocks", "block size")
    assert (status, output) == (0, "cudaErrorLaunchFailure\n")
    assert "cub::BlockScan for 128 threads in a block of 256" in errors


def test_missing_barrier_between_collectives_shows_in_some_order() -> None:
    orders = ["forward", "reverse", *(f"random:{seed}" for seed in range(3))]
    right = {order: run("blocks", "barrier", settings=f"order={order}")[1] for order in orders}
    assert "0\n" in right.values()


def test_headers_alone() -> None:
    """Each header compiles by itself, and is light: nothing of what is slow to parse."""
    folder = TOOLKIT / "include"
    headers = sorted(
        str(path.relative_to(folder))
        for pattern in ("thrust/**/*.h", "cub/**/*.cuh")
        for path in folder.glob(pattern)
        if "detail" not in path.parts
    )
    assert len(headers) > 80
    # All of them in reverse order, so that one which leans on another's includes fails
    includes = "".join(f"#include <{header}>\n" for header in reversed(headers))
    heavy = "#if defined(_GLIBCXX_IOSTREAM) || defined(_GLIBCXX_REGEX)\n#error heavy\n#endif\n"
    done = compile_and_run(f"{includes}{heavy}int main() {{}}", options=["-std=c++17"])
    assert done.returncode == 0
