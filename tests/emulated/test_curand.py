"""cuRAND on the emulator: NVIDIA's numbers where NVIDIA's wheels are, its errors, and Philox."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.emulated.programs import TOOLKIT, compile_program, run_program

WHEEL = Path(__file__).parents[2] / ".venv"
LIBRARIES = sorted(WHEEL.glob("lib/python*/site-packages/nvidia/cu*/lib/libcurand.so.*"))
needs_nvidia = pytest.mark.skipif(not LIBRARIES, reason="needs cuda-toolkit[curand]")
FALLBACK = str(TOOLKIT / "include" / "curand_fallback")

PREAMBLE = """
#include <curand.h>
#include <curand_kernel.h>
#include <cstdio>
#include <cstdlib>
#include <vector>
#define CUDA(CALL) do { cudaError_t e = CALL; if (e) { \\
    printf("%s: %s\\n", #CALL, cudaGetErrorName(e)); exit(2); } } while (0)
#define RAND(CALL) do { curandStatus_t s = CALL; if (s) { \\
    printf("%s: %d\\n", #CALL, s); exit(3); } } while (0)
template <class T> std::vector<T> read(const T* device, size_t n) {
    std::vector<T> host(n);
    CUDA(cudaMemcpy(host.data(), device, n * sizeof(T), cudaMemcpyDeviceToHost));
    return host;
}
template <class T> T* memory(size_t n) {
    T* pointer;
    CUDA(cudaMalloc(&pointer, n * sizeof(T)));
    return pointer;
}
inline curandGenerator_t generator(curandRngType_t type = CURAND_RNG_PSEUDO_DEFAULT,
                                   unsigned long long seed = 42) {
    curandGenerator_t made;
    RAND(curandCreateGenerator(&made, type));
    if (type < CURAND_RNG_QUASI_DEFAULT) RAND(curandSetPseudoRandomGeneratorSeed(made, seed));
    return made;
}
"""


def run(
    main: str,
    *,
    device: str = "",
    settings: str = "",
    options: Sequence[str] = (),
    curand: str | None = None,
    status: int = 0,
) -> subprocess.CompletedProcess[str]:
    """Run `main` as the body of main(), with NVIDIA's library (if there is one) or `curand`."""
    source = PREAMBLE + device + "\nint main() {\n" + main + "\n}\n"
    program = compile_program(source, options=options)
    library = curand or (str(LIBRARIES[-1]) if LIBRARIES else "off")
    done = run_program(program, settings=settings, environment={"CUDA_EMULATOR_CURAND": library})
    assert done.returncode == status, done.stdout + done.stderr
    return done


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


# Numbers -------------------------------------------------------------------------------------


@needs_nvidia
@pytest.mark.parametrize(
    ("name", "type_", "state"),
    [
        ("default", "CURAND_RNG_PSEUDO_DEFAULT", "curandState"),
        ("xorwow", "CURAND_RNG_PSEUDO_XORWOW", "curandStateXORWOW"),
        ("mrg", "CURAND_RNG_PSEUDO_MRG32K3A", "curandStateMRG32k3a"),
    ],
)
def test_host_api_gives_the_documented_interleaving(name: str, type_: str, state: str) -> None:
    """Number n is from position n / 4096 of subsequence n mod 4096 (the legacy ordering)."""
    done = run(
        f"""
        const unsigned n = 3 * 4096 + 100;
        curandGenerator_t g = generator({type_});
        RAND(curandSetGeneratorOrdering(g, CURAND_ORDERING_PSEUDO_LEGACY));
        auto* a = memory<unsigned>(n); auto* b = memory<unsigned>(n);
        RAND(curandGenerate(g, a, n));
        kernel<<<16, 256>>>(b, n);
        const auto x = read(a, n), y = read(b, n);
        int different = 0;
        for (unsigned i = 0; i < n; i++) different += x[i] != y[i];
        printf("%d %u\\n", different, x[0]);
        """,
        device=f"""
        __global__ void kernel(unsigned* out, unsigned n) {{
            const unsigned t = blockIdx.x * blockDim.x + threadIdx.x;
            {state} state;
            curand_init(42, t, 0, &state);
            for (unsigned i = t; i < n; i += 4096) out[i] = curand(&state);
        }}""",
    )
    different, first = words(done.stdout)[0]
    assert different == "0"
    assert int(first) == (994013773 if name == "mrg" else 300737663)  # of NVIDIA's library itself


@needs_nvidia
def test_philox_of_host_api_and_device_api_agree() -> None:
    """Four at a time, from 65,536 subsequences in turn."""
    done = run(
        """
        const unsigned n = 4 * 65536 + 400;
        curandGenerator_t g = generator(CURAND_RNG_PSEUDO_PHILOX4_32_10);
        auto* a = memory<unsigned>(n); auto* b = memory<unsigned>(n);
        RAND(curandGenerate(g, a, n));
        kernel<<<256, 256>>>(b, n);
        const auto x = read(a, n), y = read(b, n);
        int different = 0;
        for (unsigned i = 0; i < n; i++) different += x[i] != y[i];
        printf("%d\\n", different);
        """,
        device="""
        __global__ void kernel(unsigned* out, unsigned n) {
            const unsigned t = blockIdx.x * blockDim.x + threadIdx.x;
            curandStatePhilox4_32_10_t state;
            curand_init(42, t, 0, &state);
            for (unsigned i = 4 * t; i < n; i += 4 * 65536) {
                const uint4 four = curand4(&state);
                out[i] = four.x; out[i + 1] = four.y; out[i + 2] = four.z; out[i + 3] = four.w;
            }
        }""",
    )
    assert done.stdout == "0\n"


@needs_nvidia
def test_mersenne_twister_of_a_block_needs_its_barriers() -> None:
    done = run(
        """
        const int blocks = 64, n = blocks * 256 * 2;
        auto* states = memory<curandStateMtgp32>(blocks);
        auto* constants = memory<mtgp32_kernel_params>(1);
        RAND(curandMakeMTGP32Constants(mtgp32dc_params_fast_11213, constants));
        RAND(curandMakeMTGP32KernelState(states, mtgp32dc_params_fast_11213, constants, 64, 42));
        curandGenerator_t g = generator(CURAND_RNG_PSEUDO_MTGP32);
        RAND(curandSetGeneratorOrdering(g, CURAND_ORDERING_PSEUDO_LEGACY));
        auto* a = memory<unsigned>(n); auto* b = memory<unsigned>(n);
        RAND(curandGenerate(g, a, n));
        kernel<<<blocks, 256>>>(states, b);
        const auto x = read(a, n), y = read(b, n);
        int different = 0;
        for (int i = 0; i < n; i++) different += x[i] != y[i];
        printf("%d\\n", different);
        """,
        device="""
        #include <curand_mtgp32_host.h>
        #include <curand_mtgp32dc_p_11213.h>
        __global__ void kernel(curandStateMtgp32* states, unsigned* out) {
            for (int i = 0; i < 2; i++)
                out[(i * gridDim.x + blockIdx.x) * 256 + threadIdx.x] = curand(&states[blockIdx.x]);
        }""",
        settings="order=random:3",
    )
    assert done.stdout == "0\n"


@needs_nvidia
def test_device_generator_equals_the_host_generator() -> None:
    """In all distributions, over several calls of odd sizes, with an offset."""
    calls = [
        ("unsigned", "curandGenerate", "7", ""),
        ("float", "curandGenerateUniform", "5001", ""),
        ("double", "curandGenerateUniformDouble", "333", ""),
        ("float", "curandGenerateNormal", "1000", ", 1.0f, 2.0f"),
        ("double", "curandGenerateNormalDouble", "1000", ", -1.0, 0.5"),
        ("float", "curandGenerateLogNormal", "100", ", 1.0f, 0.1f"),
        ("double", "curandGenerateLogNormalDouble", "100", ", 0.0, 1.0"),
        ("unsigned", "curandGeneratePoisson", "99", ", 3.5"),
        ("unsigned", "curandGeneratePoisson", "99", ", 2000.0"),
    ]
    body = "\n".join(
        f"""{{
            const size_t n = {n};
            auto* a = memory<{type_}>(n); std::vector<{type_}> right(n);
            RAND({function}(g, a, n{rest}));
            RAND({function}(h, right.data(), n{rest}));
            printf("%d\\n", int(read(a, n) == right));
        }}"""
        for type_, function, n, rest in calls
    )
    done = run(
        """
        curandGenerator_t g = generator(), h;
        RAND(curandCreateGeneratorHost(&h, CURAND_RNG_PSEUDO_XORWOW));
        RAND(curandSetPseudoRandomGeneratorSeed(h, 42));
        RAND(curandSetGeneratorOffset(g, 12345));
        RAND(curandSetGeneratorOffset(h, 12345));
        """
        + body
    )
    assert done.stdout.split() == ["1"] * len(calls)


@needs_nvidia
def test_sobol_sequences() -> None:
    done = run("""
        curandGenerator_t g = generator(CURAND_RNG_QUASI_SOBOL32);
        RAND(curandSetQuasiRandomGeneratorDimensions(g, 2));
        auto* x = memory<double>(8);
        RAND(curandGenerateUniformDouble(g, x, 8));
        for (double y : read(x, 8)) printf("%.4f ", y);
        curandDirectionVectors32_t* vectors;
        RAND(curandGetDirectionVectors32(&vectors, CURAND_DIRECTION_VECTORS_32_JOEKUO6));
        printf("%.4f", vectors[0][0] / 4294967296.0);
    """)
    numbers = [float(word) for word in done.stdout.split()]
    assert numbers == pytest.approx([0, 0.5, 0.75, 0.25, 0, 0.5, 0.25, 0.75, 0.5], abs=1e-4)


# What the kernel draws: mean, variance and, for the discrete ones, nothing below zero.
DEVICE_DRAWS = """
    __global__ void kernel(double* out, int n, int what) {
        const int t = blockIdx.x * blockDim.x + threadIdx.x;
        STATE state;
        curand_init(7, t, 0, &state);
        for (int i = t; i < n; i += gridDim.x * blockDim.x) {
            double x = 0;
            switch (what) {
                case 0: x = curand_uniform(&state); break;
                case 1: x = curand_uniform_double(&state); break;
                case 2: x = curand_normal(&state); break;
                case 3: x = curand_normal_double(&state); break;
                case 4: x = curand_normal2(&state).y; break;
                case 5: x = curand_normal2_double(&state).x; break;
                case 6: x = log(double(curand_log_normal(&state, 0.0f, 1.0f))); break;
                case 7: x = log(curand_log_normal_double(&state, 0.0, 1.0)); break;
                case 8: x = curand_poisson(&state, 0.5); break;
                case 9: x = curand_poisson(&state, 20.0); break;
                case 10: x = curand_poisson(&state, 100.0); break;
                case 11: x = curand_poisson(&state, 2500.0); break;
                case 12: x = curand_poisson(&state, 10000.0); break;
                case 13: x = curand(&state) / 4294967296.0; break;
            }
            out[i] = x;
        }
    }
"""
MOMENTS = [(0.5, 1 / 12)] * 2 + [(0.0, 1.0)] * 6
MOMENTS += [(mean, mean) for mean in (0.5, 20.0, 100.0, 2500.0, 10000.0)] + [(0.5, 1 / 12)]


def check_moments(text: str, n: int) -> None:
    rows = [[float(word) for word in line] for line in words(text)]
    assert len(rows) == len(MOMENTS)
    for what, ((mean, variance), right) in enumerate(zip(rows, MOMENTS, strict=True)):
        assert abs(mean - right[0]) < 5 * math.sqrt(right[1] / n), what
        assert variance == pytest.approx(right[1], rel=0.05), what


@pytest.mark.parametrize("state", ["curandState", "curandStatePhilox4_32_10_t", "philox only"])
def test_distributions_of_the_device_api(state: str) -> None:
    """`philox only`: without NVIDIA's headers."""
    own = state == "philox only"
    done = run(
        """
        const int n = 40000;
        auto* x = memory<double>(n);
        for (int what = 0; what < 14; what++) {
            kernel<<<8, 64>>>(x, n, what);
            double sum = 0, squares = 0;
            for (double y : read(x, n)) sum += y, squares += y * y;
            printf("%.9g %.9g\\n", sum / n, squares / n - sum / n * sum / n);
        }
        """,
        device=DEVICE_DRAWS.replace("STATE", "curandState" if own else state),
        options=["-I", FALLBACK] if own else (),
    )
    check_moments(done.stdout, 40000)


@pytest.mark.parametrize("mean", [0.7, 9.9, 10.1, 60.0])
def test_own_poisson_numbers_have_the_distribution(mean: float) -> None:
    """A chi-square test of what is used without NVIDIA's library."""
    n = 100_000
    done = run(
        f"""
        const int n = {n};
        curandGenerator_t g = generator(CURAND_RNG_PSEUDO_DEFAULT, 1);
        auto* x = memory<unsigned>(n);
        RAND(curandGeneratePoisson(g, x, n, {mean}));
        std::vector<int> counts(1000);
        for (unsigned k : read(x, n)) counts.at(k)++;
        for (int count : counts) printf("%d ", count);
        """,
        curand="off",
    )
    counts = [int(word) for word in done.stdout.split()]
    weights = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(1000)]
    kept = [k for k in range(1000) if n * weights[k] >= 10]
    assert sum(counts[k] for k in kept) > 0.99 * n
    square = sum((counts[k] - n * weights[k]) ** 2 / (n * weights[k]) for k in kept)
    assert square < len(kept) + 5 * math.sqrt(2 * len(kept))


def test_own_numbers_do_not_depend_on_the_division_into_calls() -> None:
    done = run(
        """
        curandGenerator_t g = generator(), h = generator();
        auto* a = memory<double>(300); auto* b = memory<double>(300);
        RAND(curandGenerateNormalDouble(g, a, 300, 2.0, 3.0));
        RAND(curandGenerateNormalDouble(h, b, 100, 2.0, 3.0));
        RAND(curandGenerateNormalDouble(h, b + 100, 200, 2.0, 3.0));
        printf("%d\\n", int(read(a, 300) == read(b, 300)));
        RAND(curandSetGeneratorOffset(h, 100));
        RAND(curandGenerateNormalDouble(h, b + 100, 200, 2.0, 3.0));
        printf("%d\\n", int(read(a, 300) == read(b, 300)));
        """,
        curand="off",
    )
    assert done.stdout.split() == ["1", "1"]


# Errors --------------------------------------------------------------------------------------

NOT_INITIALIZED, ALLOCATION_FAILED, TYPE_ERROR, OUT_OF_RANGE, LENGTH = 101, 102, 103, 104, 105
LAUNCH_FAILURE, PREEXISTING, INITIALIZATION = 201, 202, 203


@pytest.mark.parametrize("curand", [None, "off"], ids=["nvidia", "philox"])
def test_wrong_arguments(curand: str | None) -> None:
    cases = {
        "curandGenerateNormal(g, f, 3, 0, 1)": LENGTH,
        "curandGenerateNormalDouble(g, d, 3, 0, 1)": LENGTH,
        "curandGenerateLogNormal(g, f, 3, 0, 1)": LENGTH,
        "curandGenerateLogNormalDouble(g, d, 3, 0, 1)": LENGTH,
        "curandGenerateNormalDouble(philox, d, 3, 0, 1)": LENGTH,
        "curandGenerateUniformDouble(g, d, 3)": 0,
        "curandGenerateUniformDouble(g, nullptr, 0)": 0,
        "curandGeneratePoisson(g, u, 4, 0.0)": OUT_OF_RANGE,
        "curandGeneratePoisson(g, u, 4, -1.0)": OUT_OF_RANGE,
        "curandGeneratePoisson(g, u, 4, 400001.0)": OUT_OF_RANGE,
        "curandGeneratePoisson(g, u, 4, 0.0 / zero)": OUT_OF_RANGE,
        "curandGenerateLongLong(g, l, 4)": TYPE_ERROR,
        "curandSetQuasiRandomGeneratorDimensions(g, 2)": TYPE_ERROR,
        "curandSetGeneratorOrdering(g, CURAND_ORDERING_QUASI_DEFAULT)": OUT_OF_RANGE,
        "curandSetGeneratorOrdering(g, CURAND_ORDERING_PSEUDO_BEST)": 0,
        "curandSetGeneratorOrdering(g, CURAND_ORDERING_PSEUDO_DYNAMIC)": 0,
        "curandCreateGenerator(&made, curandRngType_t(99))": TYPE_ERROR,
        "curandGenerate(nullptr, u, 4)": NOT_INITIALIZED,
        "curandSetStream(nullptr, nullptr)": NOT_INITIALIZED,
        "curandSetPseudoRandomGeneratorSeed(nullptr, 1)": NOT_INITIALIZED,
        "curandDestroyGenerator(nullptr)": NOT_INITIALIZED,
        "curandGenerateSeeds(g)": 0,
        "curandDestroyGenerator(g)": 0,
        "curandDestroyGenerator(g) ": NOT_INITIALIZED,
        "curandGenerate(g, u, 4)": NOT_INITIALIZED,
    }
    done = run(
        """
        double zero = 0;
        curandGenerator_t made, g = generator();
        curandGenerator_t philox = generator(CURAND_RNG_PSEUDO_PHILOX4_32_10);
        auto* f = memory<float>(4); auto* d = memory<double>(4);
        auto* u = memory<unsigned>(4); auto* l = memory<unsigned long long>(4);
        """
        + "\n".join(f'printf("%d\\n", {call});' for call in cases)
        + "(void)made; (void)f; (void)l; (void)zero; (void)philox;",
        curand=curand,
    )
    assert dict(zip(cases, map(int, done.stdout.split()), strict=True)) == cases


@needs_nvidia
def test_wrong_arguments_of_quasirandom_generators() -> None:
    cases = {
        "curandSetPseudoRandomGeneratorSeed(g, 1)": TYPE_ERROR,
        "curandSetQuasiRandomGeneratorDimensions(g, 0)": OUT_OF_RANGE,
        "curandSetQuasiRandomGeneratorDimensions(g, 20001)": OUT_OF_RANGE,
        "curandSetQuasiRandomGeneratorDimensions(g, 3)": 0,
        "curandSetGeneratorOrdering(g, CURAND_ORDERING_PSEUDO_DEFAULT)": OUT_OF_RANGE,
        "curandGenerateUniformDouble(g, d, 4)": LENGTH,
        "curandGenerateNormalDouble(g, d, 3, 0, 1)": 0,
        "curandGenerateLongLong(g, l, 3)": TYPE_ERROR,
        "curandGenerate(wide, u, 4)": TYPE_ERROR,
        "curandGenerateLongLong(wide, l, 4)": 0,
    }
    done = run(
        """
        curandGenerator_t g = generator(CURAND_RNG_QUASI_DEFAULT);
        curandGenerator_t wide = generator(CURAND_RNG_QUASI_SOBOL64);
        auto* d = memory<double>(4); auto* u = memory<unsigned>(4);
        auto* l = memory<unsigned long long>(4);
        """
        + "\n".join(f'printf("%d\\n", {call});' for call in cases)
    )
    assert dict(zip(cases, map(int, done.stdout.split()), strict=True)) == cases


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("host.data()", "cudaErrorIllegalAddress"),
        ("nullptr", "cudaErrorIllegalAddress"),
        ("device + 61", "cudaErrorIllegalAddress"),  # 4 numbers, of which 1 is outside
        ("(double*)((char*)device + 4)", "cudaErrorMisalignedAddress"),
    ],
)
def test_wrong_targets_fail_as_a_kernel_does(target: str, error: str) -> None:
    """At the next call that waits, and for good."""
    done = run(f"""
        std::vector<double> host(64);
        double* device = memory<double>(64);
        curandGenerator_t g = generator();
        curandGenerateUniformDouble(g, {target}, 4);
        printf("%s\\n", cudaGetErrorName(cudaDeviceSynchronize()));
        printf("%d\\n", curandGenerateUniformDouble(g, device, 4));
        printf("%s\\n", cudaGetErrorName(cudaFree(device)));
    """)
    assert done.stdout.split() == [error, str(PREEXISTING), error]
    assert "cuRAND" in done.stderr


def test_pinned_memory_is_a_target() -> None:
    done = run("""
        double* pinned;
        CUDA(cudaMallocHost(&pinned, 4 * sizeof(double)));
        pinned[3] = 7;
        RAND(curandGenerateUniformDouble(generator(), pinned, 4));
        CUDA(cudaDeviceSynchronize());
        printf("%d\\n", int(pinned[3] <= 1));
    """)
    assert done.stdout == "1\n"


def test_memory_of_generators_counts() -> None:
    done = run("""
        size_t at_first, with, after, total;
        CUDA(cudaFree(nullptr));
        CUDA(cudaMemGetInfo(&at_first, &total));
        auto* x = memory<unsigned>(4);
        curandGenerator_t g = generator();
        RAND(curandGenerate(g, x, 4));
        CUDA(cudaFree(x));
        CUDA(cudaMemGetInfo(&with, &total));
        RAND(curandDestroyGenerator(g));
        CUDA(cudaMemGetInfo(&after, &total));
        printf("%d %d\\n", int(with < at_first), int(after == at_first));
    """)
    assert done.stdout == "1 1\n"


def test_no_room_for_the_state() -> None:
    done = run(
        'printf("%d\\n", curandGenerateSeeds(generator(CURAND_RNG_PSEUDO_MT19937)));',
        settings="memory=8M",
    )
    assert int(done.stdout) == ALLOCATION_FAILED


def test_without_a_card() -> None:
    done = run(
        """
        curandGenerator_t g;
        printf("%d ", curandCreateGenerator(&g, CURAND_RNG_PSEUDO_DEFAULT));
        RAND(curandCreateGeneratorHost(&g, CURAND_RNG_PSEUDO_DEFAULT));
        float x = 7;
        RAND(curandGenerateUniform(g, &x, 1));
        printf("%d\\n", int(x <= 1));
        """,
        settings="devices=0",
    )
    assert done.stdout.split() == [str(INITIALIZATION), "1"]


def test_generator_belongs_to_its_card() -> None:
    done = run(
        """
        curandGenerator_t g = generator();
        CUDA(cudaSetDevice(1));
        printf("%d\\n", curandGenerate(g, memory<unsigned>(4), 4));
        """,
        settings="devices=2",
    )
    assert int(done.stdout) == LAUNCH_FAILURE


def test_strict_mode() -> None:
    done = run(
        """
        auto* x = memory<double>(1000);
        RAND(curandGenerateNormalDouble(generator(), x, 1000, 0.0, 1.0));
        double sum = 0;
        for (double y : read(x, 1000)) sum += y;
        printf("%d\\n", int(sum / 1000 < 0.2 && sum / 1000 > -0.2));
        """,
        settings="strict=on",
    )
    assert done.stdout == "1\n"


# Streams and graphs --------------------------------------------------------------------------

GRAPH = """
    cudaStream_t stream; cudaGraph_t graph; cudaGraphExec_t exec;
    CUDA(cudaStreamCreate(&stream));
    auto* x = memory<unsigned>(4);
    curandGenerator_t g = generator();
    RAND(curandSetStream(g, stream));
"""


def test_a_captured_generation_goes_on_with_each_launch() -> None:
    done = run(
        GRAPH
        + """
        RAND(curandGenerateSeeds(g));
        CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
        RAND(curandGenerate(g, x, 4));
        CUDA(cudaStreamEndCapture(stream, &graph));
        CUDA(cudaGraphInstantiate(&exec, graph, 0));
        std::vector<unsigned> all;
        for (int i = 0; i < 3; i++) {
            CUDA(cudaGraphLaunch(exec, stream));
            CUDA(cudaStreamSynchronize(stream));
            for (unsigned y : read(x, 4)) all.push_back(y);
        }
        auto* y = memory<unsigned>(12);
        RAND(curandGenerate(generator(), y, 12));
        printf("%d\\n", int(all == read(y, 12)));
        RAND(curandDestroyGenerator(g));
        CUDA(cudaGraphLaunch(exec, stream));
        printf("%s\\n", cudaGetErrorName(cudaStreamSynchronize(stream)));
        """
    )
    assert done.stdout.split() == ["1", "cudaErrorIllegalAddress"]


def test_capture_needs_seeds_that_are_there() -> None:
    done = run(
        GRAPH
        + """
        CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
        printf("%d ", curandGenerate(g, x, 4));
        printf("%s\\n", cudaGetErrorName(cudaStreamEndCapture(stream, &graph)));
        (void)exec;
        """
    )
    assert done.stdout.split() == [str(ALLOCATION_FAILED), "cudaErrorStreamCaptureInvalidated"]


# Building ------------------------------------------------------------------------------------


def test_library_is_not_loaded_before_it_is_needed() -> None:
    done = run(
        """
        CUDA(cudaFree(nullptr));
        FILE* maps = fopen("/proc/self/maps", "r");
        char line[4096];
        int found = 0;
        while (fgets(line, sizeof line, maps)) found += strstr(line, "libcurand") != nullptr;
        printf("%d\\n", found);
        """,
        curand="/nowhere/libcurand.so.10",
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


@needs_nvidia
def test_library_is_found_without_being_told() -> None:
    program = compile_program(
        PREAMBLE
        + """
        int main() {
            auto* x = memory<unsigned>(4);
            RAND(curandGenerate(generator(), x, 4));
            printf("%u\\n", read(x, 4)[0]);
        }
        """
    )
    assert run_program(program).stdout == "300737663\n"


def test_a_library_that_is_missing_is_told() -> None:
    done = run("generator();", curand="/nowhere/libcurand.so.10")
    assert "cuRAND's numbers will not be NVIDIA's: /nowhere" in done.stderr


def test_targets() -> None:
    """NV_IF_TARGET and its kin, in code with and without parentheses."""
    done = run(
        """
        NV_IF_TARGET(NV_IS_DEVICE, (printf("device "); printf("code\\n");))
        NV_IF_TARGET(NV_IS_HOST, (printf("wrong\\n");), (printf("else\\n");))
        NV_IF_ELSE_TARGET(NV_PROVIDES_SM_70, printf("%d %d\\n", 7, 0);, printf("before\\n");)
        NV_DISPATCH_TARGET(NV_PROVIDES_SM_121, (printf("new\\n");), NV_PROVIDES_SM_80, (
            int a = 1, b = 2;
            printf("%d\\n", a + b);
        ), NV_IS_HOST, (printf("host\\n");))
        NV_DISPATCH_TARGET(NV_NO_TARGET, (printf("none\\n");))
        """,
        device="__global__ void kernel() {}",
        options=["-arch=sm_90"],
    )
    assert done.stdout.splitlines() == ["device code", "else", "7 0", "3"]


def test_host_code_may_include_the_device_header() -> None:
    done = run(
        """printf("%d\\n", CURAND_VERSION >= 10000); NV_IF_TARGET(NV_IS_HOST, (puts("host");))"""
    )
    assert done.stdout.split() == ["1", "host"]
