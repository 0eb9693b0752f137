"""The emulator's own tests: that good programs work, and that planted faults are found."""

from __future__ import annotations

import subprocess

import pytest

from tests.emulated.programs import compile_and_run, compile_program, run_program

ORDERS = ["forward", "reverse", "random:1", "random:2"]

PRELUDE = """
#include <cstdio>
#include <cstdlib>
#include <cassert>
#define OK(call) do { cudaError_t ok_ = (call); if (ok_ != cudaSuccess) { \\
    printf("%s: %s\\n", #call, cudaGetErrorName(ok_)); exit(3); } } while (0)
#define SAYS(call) printf("%s\\n", cudaGetErrorName(call))
"""


def run(source: str, settings: str = "") -> subprocess.CompletedProcess[str]:
    return compile_and_run(PRELUDE + source, settings=settings)


def lines(source: str, settings: str = "") -> list[str]:
    """What a program prints that ends well."""
    done = run(source, settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split("\n")[:-1]


# -- good programs -----------------------------------------------------------------

REDUCTION = """
__global__ void reduce(const double* x, int n, double* out) {
    __shared__ double part[64];
    extern __shared__ double copy[];
    const int t = threadIdx.x;
    part[t] = 0;
    for (int i = t; i < n; i += blockDim.x) part[t] += x[i];
    __syncthreads();
    for (int k = blockDim.x / 2; k > 0; k /= 2) {
        if (t < k) part[t] += part[t + k];
        BARRIER
    }
    copy[t] = part[0];
    if (t == 0) *out = copy[0];
}
int main() {
    double host[100], *x, *out;
    for (int i = 0; i < 100; i++) host[i] = i;
    OK(cudaMalloc(&x, sizeof host));
    OK(cudaMalloc(&out, sizeof(double)));
    OK(cudaMemcpy(x, host, sizeof host, cudaMemcpyHostToDevice));
    reduce<<<1, 64, 64 * sizeof(double)>>>(x, 100, out);
    OK(cudaMemcpy(host, out, sizeof(double), cudaMemcpyDeviceToHost));
    printf("%g\\n", host[0]);
    OK(cudaFree(x));
    OK(cudaFree(out));
}
"""


@pytest.mark.parametrize("order", ORDERS)
def test_a_reduction_with_shared_memory(order: str) -> None:
    source = REDUCTION.replace("BARRIER", "__syncthreads();")
    assert lines(source, f"order={order} strict=on leaks=fatal") == ["4950"]


@pytest.mark.parametrize("order", ORDERS)
def test_what_the_lanes_of_a_warp_tell_each_other(order: str) -> None:
    source = """
    #include <cooperative_groups.h>
    namespace cg = cooperative_groups;
    __global__ void lanes(int* out) {
        const int t = threadIdx.x, lane = t % 32;
        assert(__shfl_sync(~0u, t, 5) == t - lane + 5);
        assert(__shfl_up_sync(~0u, t, 1) == (lane ? t - 1 : t));
        assert(__shfl_down_sync(~0u, t, 2, 8) == (lane % 8 < 6 ? t + 2 : t));
        assert(__shfl_xor_sync(~0u, t, 3) == (t ^ 3));
        assert(__ballot_sync(~0u, lane < 3) == 7u);
        assert(__any_sync(~0u, lane == 9) && !__all_sync(~0u, lane == 9));
        assert(__match_any_sync(~0u, lane / 16) == (lane < 16 ? 0xffffu : 0xffff0000u));
        assert(__reduce_add_sync(~0u, 1u) == 32u);
        // Halves of a warp on their own
        const unsigned half = lane < 16 ? 0xffffu : 0xffff0000u;
        if (lane < 16) assert(__shfl_sync(half, t, 3) == t - lane + 3);
        else assert(__ballot_sync(half, 1) == half);
        assert(__syncthreads_count(t % 2) == 32 && __syncthreads_or(t == 7));
        assert(__syncthreads_and(t < 64) && !__syncthreads_and(t != 7));
        auto tile = cg::tiled_partition<8>(cg::this_thread_block());
        assert(tile.shfl(t, 2) == t / 8 * 8 + 2 && tile.thread_rank() == t % 8);
        assert(tile.ballot(t % 8 == 1) == 2u);
        assert(cg::reduce(tile, t % 8, cg::plus<int>()) == 28);
        if (t == 0) *out = 1;
    }
    int main() {
        int *out, host = 0;
        OK(cudaMalloc(&out, sizeof(int)));
        lanes<<<1, 64>>>(out);
        OK(cudaMemcpy(&host, out, sizeof(int), cudaMemcpyDeviceToHost));
        printf("%d\\n", host);
    }
    """
    assert lines(source, f"order={order}") == ["1"]


@pytest.mark.parametrize("order", ORDERS)
def test_blocks_of_a_cooperative_launch_wait_for_each_other(order: str) -> None:
    source = """
    #include <cooperative_groups.h>
    __global__ void rotate(int* x, int* y, int n) {
        auto grid = cooperative_groups::this_grid();
        __shared__ int own[1];
        if (threadIdx.x == 0) own[0] = blockIdx.x;
        const int i = grid.thread_rank();
        x[i] = i;
        grid.sync();
        y[i] = x[(i + 1) % n];
        grid.sync();
        assert(own[0] == int(blockIdx.x));
        x[i] = y[(i + 1) % n];
    }
    int main() {
        int *x, *y, n = 4 * 32, host[128];
        OK(cudaMalloc(&x, sizeof host));
        OK(cudaMalloc(&y, sizeof host));
        void* arguments[] = {&x, &y, &n};
        OK(cudaLaunchCooperativeKernel(rotate, 4, 32, arguments));
        OK(cudaMemcpy(host, x, sizeof host, cudaMemcpyDeviceToHost));
        for (int i = 0; i < n; i++) assert(host[i] == (i + 2) % n);
        SAYS(cudaLaunchCooperativeKernel(rotate, 4096, 1024, arguments));
    }
    """
    assert lines(source, f"order={order}") == ["cudaErrorCooperativeLaunchTooLarge"]


@pytest.mark.parametrize("order", ORDERS)
def test_a_lock_between_the_threads_of_a_block(order: str) -> None:
    source = """
    __global__ void count(int* lock, int* counter) {
        bool done = false;
        while (!done) {
            if (atomicCAS(lock, 0, 1) == 0) {
                counter[0] += 1;
                __threadfence();
                atomicExch(lock, 0);
                done = true;
            }
        }
    }
    __global__ void hand_over(volatile int* turn) {
        // Each waits for the one before it
        while (atomicAdd((int*)turn, 0) != int(threadIdx.x)) {}
        atomicAdd((int*)turn, 1);
    }
    int main() {
        int *memory, host[3];
        OK(cudaMalloc(&memory, sizeof host));
        OK(cudaMemset(memory, 0, sizeof host));
        count<<<3, 50>>>(memory, memory + 1);
        hand_over<<<1, 64>>>(memory + 2);
        OK(cudaMemcpy(host, memory, sizeof host, cudaMemcpyDeviceToHost));
        printf("%d %d\\n", host[1], host[2]);
    }
    """
    assert lines(source, f"order={order}") == ["150 64"]


def test_orders_are_what_they_say() -> None:
    source = """
    __global__ void note(int* next, int* order) {
        order[atomicAdd(next, 1)] = blockIdx.x * blockDim.x + threadIdx.x;
    }
    int main() {
        int *next, *order, host[8];
        OK(cudaMalloc(&next, sizeof(int)));
        OK(cudaMalloc(&order, sizeof host));
        OK(cudaMemset(next, 0, sizeof(int)));
        note<<<2, 4>>>(next, order);
        OK(cudaMemcpy(host, order, sizeof host, cudaMemcpyDeviceToHost));
        for (int i = 0; i < 8; i++) printf("%d", host[i]);
        printf("\\n");
    }
    """
    assert lines(source, "order=forward") == ["01234567"]
    assert lines(source, "order=reverse") == ["76543210"]
    first, second = lines(source, "order=random:1"), lines(source, "order=random:2")
    assert sorted(first[0]) == sorted("01234567")
    assert first != second
    assert lines(source, "order=random:1") == first


# -- planted faults ----------------------------------------------------------------


def test_missing_barrier_changes_the_result_in_some_order() -> None:
    source = REDUCTION.replace("BARRIER", "")
    results = {lines(source, f"order={order}")[0] for order in ORDERS}
    assert results != {"4950"}


def test_host_dereference_of_device_memory() -> None:
    source = """
    int main() {
        int* x;
        OK(cudaMalloc(&x, 40));
        printf("before\\n");
        fflush(stdout);
        x[3] = 1;
        printf("after\\n");
    }
    """
    done = run(source, "strict=on")
    assert done.returncode == -11
    assert "host code accesses device memory" in done.stderr
    assert "byte 12 of device memory of 40 bytes" in done.stderr
    assert done.stdout == "before\n"
    # Without the setting nobody notices
    assert run(source).stdout == "before\nafter\n"


@pytest.mark.parametrize("index", [32, 40, -1000])
def test_out_of_bounds_index_of_shared_memory(index: int) -> None:
    source = """
    __global__ void wrong(int i) {
        __shared__ int part[32];
        part[i] = 1;
    }
    int main() {
        wrong<<<1, 1>>>(INDEX);
        SAYS(cudaGetLastError());
        SAYS(cudaDeviceSynchronize());
    }
    """.replace("INDEX", str(index))
    done = run(source)
    assert done.stdout.split() == ["cudaSuccess", "cudaErrorIllegalAddress"]
    assert "part" in done.stderr
    assert "thread (0,0,0)" in done.stderr


def test_out_of_bounds_index_of_dynamic_shared_memory() -> None:
    source = """
    __global__ void wrong() {
        extern __shared__ double part[];
        part[8] = 1;
    }
    int main() {
        wrong<<<1, 1, 8 * sizeof(double)>>>();
        SAYS(cudaDeviceSynchronize());
    }
    """
    done = run(source)
    assert done.stdout.split() == ["cudaErrorIllegalAddress"]
    assert "extern __shared__" in done.stderr


GLOBAL_WRITE = """
__global__ void write(int* x, long i) { x[i] = 1; }
int main(int argc, char** argv) {
    int* x;
    OK(cudaMalloc(&x, 100 * sizeof(int)));
    write<<<1, 1>>>(x, INDEX);
    SAYS(cudaDeviceSynchronize());
    SAYS(cudaFree(x));
}
"""


def test_out_of_bounds_index_of_global_memory_far_away() -> None:
    done = run(GLOBAL_WRITE.replace("INDEX", "2000"))
    assert done.stdout.split() == ["cudaErrorIllegalAddress", "cudaErrorIllegalAddress"]
    assert "illegal access" in done.stderr


@pytest.mark.parametrize("index", [100, -1])
def test_out_of_bounds_index_of_global_memory_next_to_it(index: int) -> None:
    # No page ends there: found when the memory is freed
    done = run(GLOBAL_WRITE.replace("INDEX", str(index)))
    assert done.stdout.split()[1] == "cudaErrorIllegalAddress"
    assert "something was written" in done.stderr


def test_use_after_free_and_double_free() -> None:
    source = """
    __global__ void write(int* x) { x[0] = 1; }
    int main() {
        int* x;
        OK(cudaMalloc(&x, 4));
        OK(cudaFree(x));
        SAYS(cudaFree(x));
        SAYS(cudaMemset(x, 0, 4));
        write<<<1, 1>>>(x);
        SAYS(cudaDeviceSynchronize());
    }
    """
    done = run(source)
    assert done.stdout.split() == [
        "cudaErrorInvalidValue", "cudaErrorInvalidValue", "cudaErrorIllegalAddress",
    ]  # fmt: skip
    assert "that was freed" in done.stderr


LAUNCHES = [
    ("<<<0, 32>>>", "cudaErrorInvalidConfiguration"),
    ("<<<1, 0>>>", "cudaErrorInvalidConfiguration"),
    ("<<<1, 1025>>>", "cudaErrorInvalidConfiguration"),
    ("<<<1, dim3(1, 1, 65)>>>", "cudaErrorInvalidConfiguration"),
    ("<<<dim3(1, 65536), 1>>>", "cudaErrorInvalidConfiguration"),
    ("<<<-1, 1>>>", "cudaErrorInvalidConfiguration"),
    ("<<<1, 1, 48 * 1024 + 1>>>", "cudaErrorInvalidValue"),
    ("<<<1, 1, 0, (cudaStream_t)0x1234>>>", "cudaErrorInvalidResourceHandle"),
    ("<<<1, 1024, 48 * 1024>>>", "cudaSuccess"),
]


def test_wrong_launch_sizes() -> None:
    body = "".join(f"k{launch}(); SAYS(cudaGetLastError());\n" for launch, _ in LAUNCHES)
    source = f"__global__ void k() {{}}\nint main() {{ {body} SAYS(cudaDeviceSynchronize()); }}"
    # An error of a launch is not sticky
    assert lines(source) == [*[expected for _, expected in LAUNCHES], "cudaSuccess"]


def test_more_threads_than_the_kernel_has_registers_for() -> None:
    source = """
    __global__ void k() {}
    int main() {
        cudaFuncAttributes a;
        OK(cudaFuncGetAttributes(&a, k));
        int grid, block;
        OK(cudaOccupancyMaxPotentialBlockSize(&grid, &block, k));
        printf("%d %d\\n", a.maxThreadsPerBlock, block);
        k<<<1, 65>>>();
        SAYS(cudaGetLastError());
    }
    """
    assert lines(source, "kernel_threads=64") == ["64 64", "cudaErrorLaunchOutOfResources"]


def test_leaks() -> None:
    source = """
    int main() {
        size_t before, after, total;
        void *a, *b;
        OK(cudaMemGetInfo(&before, &total));
        OK(cudaMalloc(&a, 1000));
        OK(cudaMalloc(&b, 3000));
        OK(cudaFree(a));
        OK(cudaMemGetInfo(&after, &total));
        printf("%zu %zu\\n", before - after, total);
    }
    """
    done = run(source, "leaks=fatal memory=1M")
    assert done.returncode == 86
    assert "leak: 1 allocations of device memory, 3000 bytes" in done.stderr
    assert done.stdout == "3072 1048576\n"
    assert run(source).returncode == 0


def test_memory_is_limited() -> None:
    source = """
    int main() {
        void *a, *b;
        SAYS(cudaMalloc(&a, 700 * 1024));
        SAYS(cudaMalloc(&b, 700 * 1024));
        printf("%d\\n", b == nullptr);
        OK(cudaFree(a));
        SAYS(cudaMalloc(&b, 700 * 1024));
        SAYS(cudaMalloc(&a, 0));
        printf("%d\\n", a == nullptr);
        SAYS(cudaFree(nullptr));
    }
    """
    assert lines(source, "memory=1M") == [
        "cudaSuccess", "cudaErrorMemoryAllocation", "1", "cudaSuccess", "cudaSuccess", "1",
        "cudaSuccess",
    ]  # fmt: skip


def test_a_failed_assert_is_sticky_and_kills_the_device_for_good() -> None:
    source = """
    __global__ void check(int i) { assert(i != int(threadIdx.x)); }
    int main() {
        int* x;
        OK(cudaMalloc(&x, 4));
        check<<<1, 4>>>(9);
        OK(cudaDeviceSynchronize());
        check<<<2, 4>>>(2);
        SAYS(cudaGetLastError());
        SAYS(cudaMemcpy(x, x, 4, cudaMemcpyDeviceToDevice));
        SAYS(cudaGetLastError());
        SAYS(cudaGetLastError());
        SAYS(cudaMalloc(&x, 4));
        check<<<1, 1>>>(9);
        SAYS(cudaGetLastError());
        OK(cudaDeviceReset());
        SAYS(cudaMalloc(&x, 4));
    }
    """
    done = run(source)
    assert done.stdout.split() == ["cudaSuccess", *["cudaErrorAssert"] * 5, "cudaSuccess"]
    assert "block: [0,0,0]" in done.stderr or "block (0,0,0), thread (2,0,0)" in done.stderr
    assert "Assertion `i != int(threadIdx.x)` failed" in done.stderr
    blocking = run(source, "blocking=on")
    assert blocking.stdout.split()[0] == "cudaErrorAssert"


def test_assert_of_host_code_ends_the_process() -> None:
    done = run("int main() { assert(1 + 1 == 3); }")
    assert done.returncode == -6
    assert "Assertion `1 + 1 == 3' failed" in done.stderr


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("if (threadIdx.x == 0) __syncwarp();", "would hang"),
        ("if (threadIdx.x < 16) __shfl_sync(~0u, 1, 0); else __ballot_sync(~0u, 1);", "would hang"),
        ("if (threadIdx.x % 2) __syncthreads(); else\n __syncthreads();", "different barriers"),
        ("__shfl_sync(1u, 1, 0);", "leaves out the thread"),
        ("__shared__ int flag; flag = 1; while (atomicAdd(&flag, 0)) {}", "atomic operations"),
        ("cooperative_groups::this_grid().sync();", "not cooperative"),
    ],
)
def test_kernels_that_would_hang(body: str, message: str) -> None:
    source = """
    #include <cooperative_groups.h>
    __global__ void k() { BODY __syncthreads(); }
    int main() { k<<<1, 32>>>(); cudaError_t e = cudaDeviceSynchronize(); SAYS(e); }
    """.replace("BODY", body)
    done = run(source)
    assert message in done.stderr
    assert done.stdout.strip() in ("cudaErrorLaunchTimeout", "cudaErrorLaunchFailure")


def test_threads_that_have_ended_are_not_waited_for() -> None:
    source = """
    __global__ void k(int* x, int n) {
        const int i = threadIdx.x;
        if (i >= n) return;
        x[i] = i;
        __syncthreads();
        x[i + n] = x[n - 1 - i];
    }
    int main() {
        int *x, host[100];
        OK(cudaMalloc(&x, sizeof host));
        k<<<1, 64>>>(x, 50);
        OK(cudaMemcpy(host, x, sizeof host, cudaMemcpyDeviceToHost));
        for (int i = 0; i < 50; i++) assert(host[50 + i] == 49 - i);
        printf("good\\n");
    }
    """
    for order in ORDERS:
        assert lines(source, f"order={order}") == ["good"]


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("int* p = nullptr; *p = 1;", "cudaErrorIllegalAddress", "null pointer"),
        ("__trap();", "cudaErrorLaunchFailure", "__trap()"),
        ("volatile int z = 0; x[0] = 7 / z;", "cudaErrorLaunchFailure", "division by zero"),
        ("void* volatile p = malloc(4); free(p); free(p);", "cudaErrorIllegalAddress", "or twice"),
        (
            "volatile char* p = new char[5]; p[5] = 1; delete[] p;",
            "cudaErrorIllegalAddress",
            "behind",
        ),
        ("free(x);", "cudaErrorIllegalAddress", "did not allocate"),
        ("volatile char a[300000]; a[0] = a[299999] = 1;", "cudaErrorIllegalAddress", "stack"),
    ],
)
def test_faults_of_device_code(body: str, error: str, message: str) -> None:
    source = """
    __global__ void k(int* x) { BODY }
    int main() {
        int* x;
        OK(cudaMalloc(&x, 4));
        k<<<1, 1>>>(x);
        SAYS(cudaDeviceSynchronize());
    }
    """.replace("BODY", body)
    done = run(source)
    assert done.stdout.split() == [error], done.stderr
    assert message in done.stderr


def test_device_heap_is_limited_and_gives_null() -> None:
    source = """
    __global__ void fill(int* count) {
        *count = 0;
        while (malloc(1000)) ++*count;
    }
    int main() {
        int *x, count;
        OK(cudaDeviceSetLimit(cudaLimitMallocHeapSize, 100 * 1024));
        OK(cudaMalloc(&x, 4));
        fill<<<1, 1>>>(x);
        OK(cudaMemcpy(&count, x, 4, cudaMemcpyDeviceToHost));
        printf("%d\\n", count);
        SAYS(cudaDeviceSetLimit(cudaLimitMallocHeapSize, 200 * 1024));
    }
    """
    count, late = lines(source)
    assert 80 < int(count) <= 102
    assert late == "cudaErrorInvalidValue"


def test_fresh_memory_is_poisoned() -> None:
    source = """
    __global__ void k(const double* x, int* y) {
        __shared__ int part[4];
        y[0] = part[2];
        y[1] = x[0] != x[0];  // a nan
    }
    int main() {
        double* x;
        int *y, host[3];
        OK(cudaMalloc(&x, 8));
        OK(cudaMalloc(&y, 12));
        k<<<1, 1>>>(x, y);
        OK(cudaMemcpy(host, y, 12, cudaMemcpyDeviceToHost));
        printf("%d %d %d\\n", host[0], host[1], host[2]);
    }
    """
    assert lines(source) == ["-1 1 -1"]
    assert lines(source, "poison=0x01") == [f"{0x01010101} 0 {0x01010101}"]


def test_copies_are_checked() -> None:
    calls = [
        ("cudaMemcpy(x, h, 40, cudaMemcpyHostToDevice)", "cudaSuccess"),
        ("cudaMemcpy(x, h, 41, cudaMemcpyHostToDevice)", "cudaErrorInvalidValue"),
        ("cudaMemcpy(x + 5, h, 40, cudaMemcpyHostToDevice)", "cudaErrorInvalidValue"),
        ("cudaMemcpy(h, x, 40, cudaMemcpyHostToDevice)", "cudaErrorInvalidValue"),
        ("cudaMemcpy(x, h, 40, cudaMemcpyDeviceToHost)", "cudaErrorInvalidValue"),
        ("cudaMemcpy(h, x, 40, cudaMemcpyDefault)", "cudaSuccess"),
        ("cudaMemcpy(x, h, 40, (cudaMemcpyKind)9)", "cudaErrorInvalidMemcpyDirection"),
        ("cudaMemcpy(nullptr, h, 40, cudaMemcpyHostToDevice)", "cudaErrorInvalidValue"),
        ("cudaMemcpy(x, h, 0, cudaMemcpyHostToDevice)", "cudaSuccess"),
        ("cudaMemset(h, 0, 4)", "cudaErrorInvalidValue"),
        ("cudaMemset(x, 0, 41)", "cudaErrorInvalidValue"),
        ("cudaMemcpyToSymbol(symbol, h, 8)", "cudaSuccess"),
        ("cudaMemcpyToSymbol(symbol, h, 12)", "cudaErrorInvalidValue"),
        ("cudaMemcpyToSymbol(symbol, h, 8, 4)", "cudaErrorInvalidValue"),
        ("cudaFree(x + 1)", "cudaErrorInvalidValue"),
        ("cudaFreeHost(h)", "cudaErrorInvalidValue"),
        ("cudaHostUnregister(h)", "cudaErrorHostMemoryNotRegistered"),
    ]
    source = """
    __device__ int symbol[2];
    int main() {
        int *x, h[20] = {};
        OK(cudaMalloc(&x, 40));
    """
    source += "".join(f"SAYS({call});\n" for call, _ in calls) + "}"
    assert lines(source, "strict=on") == [expected for _, expected in calls]


def test_several_cards() -> None:
    source = """
    int main() {
        int n, can;
        OK(cudaGetDeviceCount(&n));
        for (int i = 0; i < n; i++) {
            cudaDeviceProp p;
            OK(cudaGetDeviceProperties(&p, i));
            size_t free, total;
            OK(cudaSetDevice(i));
            void* x;
            OK(cudaMalloc(&x, 1 << 20));
            OK(cudaMemGetInfo(&free, &total));
            cudaPointerAttributes a;
            OK(cudaPointerGetAttributes(&a, x));
            printf("%s %d.%d %d %zu %zu %d\\n", p.name, p.major, p.minor, p.multiProcessorCount,
                   total >> 20, free >> 20, a.device);
        }
        SAYS(cudaSetDevice(n));
        SAYS(cudaSetDevice(-1));
        OK(cudaDeviceCanAccessPeer(&can, 0, 1));
    }
    """
    settings = "devices=2 memory=64M sm=2 device1.memory=32M device1.cc=8.6 device1.sm=7"
    assert lines(source, settings) == [
        "Emulated CUDA card 9.0 2 64 63 0",
        "Emulated CUDA card 8.6 7 32 31 1",
        "cudaErrorInvalidDevice",
        "cudaErrorInvalidDevice",
    ]


def test_no_card() -> None:
    source = """
    __global__ void k() {}
    int main() {
        int n = 7;
        void* x;
        SAYS(cudaGetDeviceCount(&n));
        printf("%d\\n", n);
        SAYS(cudaMalloc(&x, 1));
        SAYS(cudaSetDevice(0));
        k<<<1, 1>>>();
        SAYS(cudaGetLastError());
    }
    """
    none = "cudaErrorNoDevice"
    assert lines(source, "devices=0") == [none, "0", none, none, none]


def test_unknown_settings_are_refused() -> None:
    source = 'int main() { void* x; cudaMalloc(&x, 1); printf("ran\\n"); }'
    for settings in ("order=sideways", "strict=perhaps", "memory=much", "leaks=some"):
        done = run(source + "\n__global__ void k() {}", settings + " devices=1")
        assert done.returncode != 0, settings
        assert "cuda_emulator: " in done.stderr


def test_one_compile_serves_several_settings() -> None:
    program = compile_program(PRELUDE + "int main() { int n; cudaGetDeviceCount(&n); return n; }")
    for count in (1, 2, 5):
        assert run_program(program, settings=f"devices={count}").returncode == count


def test_an_unloaded_library_leaves_nothing_behind() -> None:
    library = """
    __constant__ int* where;
    __device__ char large[1 << 16];
    __global__ void fill(int value) { where[threadIdx.x] = value; large[0] = 1; }
    extern "C" __attribute__((visibility("default"))) void* use(int* to) {
        char one = 1;
        OK(cudaMemcpyToSymbol(large, &one, 1));
        OK(cudaMemcpyToSymbol(where, &to, sizeof to));
        fill<<<1, 4>>>(7);
        OK(cudaDeviceSynchronize());
        void* address;
        OK(cudaGetSymbolAddress(&address, large));
        return address;
    }
    """
    options = ("-shared", "-Xcompiler", "-fPIC,-fno-gnu-unique", "-lcudart")
    path = compile_program(PRELUDE + library, options=options, name="library")
    source = """
    #include <dlfcn.h>
    #include <sys/mman.h>
    int main(int, char** arguments) {
        int *out, host[4] = {};
        OK(cudaMalloc(&out, sizeof host));
        for (int round = 0; round < 3; round++) {
            void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
            void* address = ((void* (*)(int*))dlsym(library, "use"))(out);
            dlclose(library);
            // The place is anybody's now
            void* page = (void*)((size_t(address) + 4095) / 4096 * 4096);
            void* mine = mmap(page, 4096, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
            if (mine == MAP_FAILED) return 4;
            OK(cudaMemcpy(mine, out, sizeof host, cudaMemcpyDeviceToHost));
            printf("%d\\n", ((int*)mine)[3]);
            munmap(mine, 4096);
        }
    }
    """
    program = compile_program(PRELUDE + source)
    done = run_program(program, arguments=[str(path)])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split() == ["7", "7", "7"]
