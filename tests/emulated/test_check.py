"""Instrumented code (the setting check=on): each access is checked, and races are found."""

from __future__ import annotations

import subprocess

import pytest

from tests.emulated.programs import compile_and_run
from tests.emulated.test_runtime import ORDERS, PRELUDE, REDUCTION


def checked(source: str, settings: str = "") -> subprocess.CompletedProcess[str]:
    return compile_and_run(PRELUDE + source, settings=settings, check=True)


@pytest.mark.parametrize("order", ORDERS)
def test_a_missing_barrier_is_found_in_every_order(order: str) -> None:
    good = checked(REDUCTION.replace("BARRIER", "__syncthreads();"), f"order={order}")
    assert (good.returncode, good.stdout, good.stderr) == (0, "4950\n", "")
    done = checked(REDUCTION.replace("BARRIER", ""), f"order={order}")
    assert "race: " in done.stderr
    assert "shared memory 'part'" in done.stderr
    assert done.stdout == "cudaMemcpy(host, out, sizeof(double), cudaMemcpyDeviceToHost): "\
        "cudaErrorLaunchFailure\n"  # fmt: skip


KERNEL = """
__device__ int variable;
__global__ void k(int* x, char* c, int* lock) { BODY }
int main() {
    int* x;
    char* c;
    OK(cudaMalloc(&x, 64 * sizeof(int)));
    OK(cudaMalloc(&c, 64));
    OK(cudaMemset(x, 0, 64 * sizeof(int)));
    void* address;
    OK(cudaGetSymbolAddress(&address, variable));
    k<<<GRID, 64, 64>>>(x, c, x + 63);
    SAYS(cudaDeviceSynchronize());
}
"""

T = "const int t = threadIdx.x;"
RACES = [
    (1, f"{T} x[t / 2] = t;", "write by"),
    (1, f"{T} x[t] = t; if (t > 0) x[0] = x[t - 1];", "race: "),
    (1, f"{T} x[t] = t; __syncwarp(); if (t >= 32) x[t] = x[t - 32];", "race: "),
    (1, "variable++;", "a device variable"),
    (1, f"{T} c[t / 2] = t;", "device memory of 64 bytes"),
    (1, f"{T} if (t == 1) atomicAdd(x, 1); if (t == 2) x[0] = 5;", "atomic operation"),
    (2, "x[threadIdx.x] = blockIdx.x;", "block"),
    (2, f"{T} if (blockIdx.x) x[t] = 1; __syncthreads(); if (!blockIdx.x) x[t] = 2;", "race: "),
]
NO_RACES = [
    (1, f"{T} x[t] = t; __syncthreads(); x[63 - t] += 1;"),
    (1, f"{T} c[t] = t;"),
    (1, f"{T} x[t] = t; __syncwarp(); const int v = x[t ^ 1]; __syncwarp(); x[t] = v;"),
    (1, "atomicAdd(x, 1);"),
    (2, f"{T} __shared__ int s[64]; s[t] = t; __syncthreads(); if (s[63 - t] != 63 - t) __trap();"),
    (2, f"{T} extern __shared__ int s[]; if (t < 1) s[t] = t; __syncthreads(); s[0] == t ? t : 0;"),
    (3, "atomicAdd(&variable, 1); if (threadIdx.x == 64) x[0] = 1;"),
    (2, f"{T} x[0] == 5 ? atomicExch(x + 1, 2) : t;"),
    # A lock that hands over from block to block
    (3, f"{T} if (t == 0) while (atomicCAS(lock, 0, 1)) {{}}"
        " __syncthreads(); x[t % 60 + 1] += 0 * t;".replace("x[t % 60 + 1] += 0 * t", "c[t] += 1")
        + " __syncthreads(); if (t == 0) atomicExch(lock, 0);"),
]  # fmt: skip


@pytest.mark.parametrize(("grid", "body", "message"), RACES)
def test_races(grid: int, body: str, message: str) -> None:
    source = KERNEL.replace("GRID", str(grid)).replace("BODY", body)
    for order in ("forward", "random:3"):
        done = checked(source, f"order={order}")
        assert "race: " in done.stderr, order
        assert message in done.stderr
        assert done.stdout == "cudaErrorLaunchFailure\n"
    report = checked(source, "races=report")
    assert "race: " in report.stderr
    assert report.stdout == "cudaSuccess\n"
    off = checked(source, "races=off")
    assert (off.stdout, off.stderr) == ("cudaSuccess\n", "")


@pytest.mark.parametrize(("grid", "body"), NO_RACES)
def test_no_races(grid: int, body: str) -> None:
    source = KERNEL.replace("GRID", str(grid)).replace("BODY", body)
    for order in ORDERS:
        done = checked(source, f"order={order}")
        assert (done.stdout, done.stderr) == ("cudaSuccess\n", "")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("c[64] = 1;", "0 bytes behind the end of device memory of 64 bytes"),
        ("x[0] = c[70];", "6 bytes behind the end of device memory of 64 bytes"),
        ("x[0] = x[-1];", "4 bytes before device memory of 256 bytes"),
        ("*(long long*)(c + 60) = 1;", "device memory of 64 bytes"),
        ("__shared__ char s[10]; s[10 + threadIdx.x] = 1;", "outside of the shared memory 's'"),
    ],
)
def test_each_access_is_within_bounds(body: str, message: str) -> None:
    done = checked(KERNEL.replace("GRID", "1").replace("BODY", body))
    assert message in done.stderr
    assert done.stdout == "cudaErrorIllegalAddress\n"


def test_host_code_may_not_touch_device_memory() -> None:
    done = checked("int main() { int* x; OK(cudaMalloc(&x, 40)); x[1] = 2; }")
    assert done.returncode == -6
    assert "host code accesses device memory: byte 4 of device memory of 40" in done.stderr
