"""The emulated nvcc: its options, how it rewrites CUDA, and what it compiles."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gpurun.config import settings
from gpurun.toolchain_cuda import find_cuda
from tests.cuda_emulator.driver import prepare
from tests.cuda_emulator.driver.errors import Fatal, SourceError
from tests.cuda_emulator.driver.headers import Project
from tests.cuda_emulator.driver.lexer import tokenize
from tests.cuda_emulator.driver.options import Options, architecture_of, parse
from tests.cuda_emulator.driver.rewrite import defines_kernel, rewrite
from tests.cuda_emulator.driver.settings import architecture, read_settings

TOOLKIT = Path(__file__).parents[1] / "cuda_emulator"
NVCC = str(TOOLKIT / "bin" / "nvcc")

Nvcc = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def nvcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nvcc:
    """The emulated nvcc, run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("NVCC_") or name in ("CUDA_EMULATOR", "CUDA_EMULATOR_FILE"):
            monkeypatch.delenv(name)

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [NVCC, *words],
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
            timeout=300,
            check=False,
        )

    return run


def write(**texts: str) -> None:
    """Write files; `a_cu="..."` is the file a.cu."""
    for name, text in texts.items():
        stem, suffix = name.rsplit("_", 1)
        path = Path(stem.replace("__", "/") + "." + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def commands(said: subprocess.CompletedProcess[str]) -> list[str]:
    """Return the commands that a dry run printed."""
    lines = [line[3:] for line in said.stderr.splitlines() if line.startswith("#$ ")]
    return [line for line in lines if not re.match(r"\w+=", line)]


# -- the command line


def test_an_option_is_spelled_as_nvcc_wants_it():
    words = "-std=c++17 --gpu-architecture sm_90 -I. -I inc,more -DX=1 -D Y -O3 --threads=2 -t0"
    options = parse([*words.split(), "-lcurand", "-rdc=true", "a.cu", "-o", "out"])
    assert options.values == {
        "std": "c++17",
        "gpu-architecture": "sm_90",
        "optimize": "3",
        "threads": "0",
        "relocatable-device-code": "true",
        "output-file": "out",
    }
    assert options.all("include-path") == [".", "inc", "more"]
    assert options.all("define-macro") == ["X=1", "Y"]
    assert options.all("library") == ["curand"]
    assert options.inputs == ["a.cu"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        # brian2cuda's disable_asserts
        ("-NDEBUG a.cu", "Unknown option '-NDEBUG'"),
        ("-fPIC a.cu", "Unknown option '-fPIC'"),
        ("-gpu-architecture=sm_90 a.cu", "Unknown option '-gpu-architecture=sm_90'"),
        ("--arch=sm_90 a.cu", "Unknown option '--arch=sm_90'"),
        ("-ofoo a.cu", "Unknown option '-ofoo'"),
        ("-xcu a.cu", "Unknown option '-xcu'"),
        ("-Wl,-rpath,/x a.cu", "Unknown option '-Wl,-rpath,/x'"),
        ("-maxrregcount many a.cu", "'many': expected a number"),
        ("-Ofast a.cu", "'fast': expected a number"),
        ("-rdc=1 a.cu", "'1': expected true or false"),
        ("-std=gnu++17 a.cu", "Value 'gnu++17' is not defined for option 'std'"),
        ("-cudart=some a.cu", "Value 'some' is not defined for option 'cudart'"),
        ("-Werror foo a.cu", "Value 'foo' is not defined for option 'Werror'"),
        ("-w=1 a.cu", "no argument expected after '-w'"),
        ("a.cu -o", "argument expected after '-o'"),
        ("-ptx a.cu", "'-ptx' makes code for a card, which the emulated toolkit cannot"),
    ],
)
def test_what_nvcc_refuses_is_refused(words: str, message: str):
    with pytest.raises(Fatal) as error:
        parse(words.split())
    assert str(error.value) == message


def test_unknown_options_are_passed_on_only_on_request():
    options = parse(["-forward-unknown-to-host-compiler", "-fopenmp", "a.cu"])
    assert options.forwarded == ["-fopenmp"]


def test_commas_separate_unless_escaped():
    assert parse(["-Xcompiler=-w,-DA=f(1\\,2)", "-Xcompiler", "-O3 -g"]).all(
        "compiler-options"
    ) == ["-w", "-DA=f(1,2)", "-O3 -g"]


def test_an_options_file_is_read_in_its_place(tmp_path: Path):
    (tmp_path / "more").write_text("-DA='x y' # a comment\n-w\n")
    options = parse(["-optf", str(tmp_path / "more"), "-DB", "a.cu"])
    assert options.all("define-macro") == ["A=x y", "B"] and "disable-warnings" in options.flags


def test_the_last_value_counts_with_a_warning(capsys: pytest.CaptureFixture[str]):
    assert parse(["-std=c++17", "-std=c++20", "a.cu"]).values["std"] == "c++20"
    assert "incompatible redefinition for option 'std'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", 900),
        ("-arch=sm_80", 800),
        ("-arch=sm_90a", 900),
        ("-arch=native", 900),
        ("-arch=all-major", 900),
        (
            "-gencode arch=compute_80,code=sm_80 -gencode=arch=compute_90,code=[sm_90,compute_90]",
            900,
        ),
        ("-gencode arch=compute_75,code=sm_75 -gencode arch=compute_120,code=sm_120", 750),
        ("-arch=compute_86 -code=sm_86", 860),
        ("-arch=sm_120", 1200),
    ],
)
def test_the_architecture(words: str, expected: int):
    assert architecture_of(parse(words.split()), 900) == expected


def test_an_architecture_that_nvcc_does_not_know():
    for words in (["-arch=sm_60"], ["-arch=90"], ["-gencode", "arch=compute_10"]):
        with pytest.raises(Fatal, match="Unsupported gpu architecture"):
            architecture_of(parse(words), 900)
    assert architecture_of(parse(["-arch=sm_60"]), 900, release="12.9") == 600
    with pytest.raises(Fatal, match="not in 'keyword=value' format"):
        architecture_of(parse(["-gencode", "sm_90"]), 900)


def test_settings_come_from_the_environment_and_then_from_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.delenv("CUDA_EMULATOR_FILE", raising=False)
    monkeypatch.setenv("CUDA_EMULATOR", "cc=8.6, cuda=12.9 devices=2")
    assert read_settings()["cuda"] == "12.9" and architecture(read_settings()) == 860
    (tmp_path / "settings").write_text("# newer\ncc=12.0 # a card\n")
    monkeypatch.setenv("CUDA_EMULATOR_FILE", str(tmp_path / "settings"))
    assert architecture(read_settings()) == 1200 and read_settings()["devices"] == "2"
    monkeypatch.delenv("CUDA_EMULATOR")
    monkeypatch.delenv("CUDA_EMULATOR_FILE")
    assert architecture(read_settings()) == 900
    assert isinstance(Options(), Options)


# -- rewriting


def test_tokens_know_comments_strings_and_directives():
    code, directives = tokenize(
        'a // "x\n"b//" R"-(c)")-" \'"\' 1\'000.e+5 /* d */\n#define E(f) "g" \\\n  h\ni->j\n'
    )
    assert [token.text for token in code] == [
        "a", '"b//"', 'R"-(c)")-"', "'\"'", "1'000.e+5", "i", "->", "j",
    ]  # fmt: skip
    assert [(one.name, [t.text for t in one.tokens]) for one in directives] == [
        ("define", ["E", "(", "f", ")", '"g"', "h"])
    ]


L = "::cuda_emulator::launch("


@pytest.mark.parametrize(
    ("cuda", "expected"),
    [
        ("k<<<1, 2>>>(x);", f"{L}k, 1, 2)(x);"),
        ("k<T, 4><<<g, b, 0, s>>>(x);", f"{L}k<T, 4>, g, b, 0, s)(x);"),
        ("ns::k<<<dim3(1, 2), {1, 2}>>>();", f"{L}ns::k, dim3(1, 2), {{1, 2}})();"),
        ("::k<<<g,b>>>();", f"{L}::k, g,b)();"),
        ("::a::b<c>::k<<<g,b>>>();", f"{L}::a::b<c>::k, g,b)();"),
        ("return ::k<<<g,b>>>();", f"return {L}::k, g,b)();"),
        ("obj.k<<<g,b>>>();", f"{L}obj.k, g,b)();"),
        ("p->t.template k<int><<<g,b>>>();", f"{L}p->t.template k<int>, g,b)();"),
        ("(*fp)<<<g,b>>>();", f"{L}(*fp), g,b)();"),
        ("if (x) (*fp)<<<g,b>>>();", f"if (x) {L}(*fp), g,b)();"),
        ("(void)(*fp)<<<g,b>>>();", f"(void){L}(*fp), g,b)();"),
        ("get(1)(2)[3]<<<g,b>>>();", f"{L}get(1)(2)[3], g,b)();"),
        ("c ? k<<<1,1>>>() : q<<<2,2>>>();", f"c ? {L}k, 1,1)() : {L}q, 2,2)();"),
        # three closing angles that are no end of a configuration
        ("a<b<c<int>>> x; k<<<1,1>>>();", f"a<b<c<int>>> x; {L}k, 1,1)();"),
        ("k<<<f<a<b<int>>>(), 1>>>();", f"{L}k, f<a<b<int>>>(), 1)();"),
        ("k<<<1, f<int>>>>();", f"{L}k, 1, f<int>)();"),
        ("k<a<b<int>>><<<1,1>>>();", f"{L}k<a<b<int>>>, 1,1)();"),
        ("k<<<(n + 7) >> 3, n >> 1>>>();", f"{L}k, (n + 7) >> 3, n >> 1)();"),
        ("k<<<x < y ? 1 : 2, 3>>>(a > b);", f"{L}k, x < y ? 1 : 2, 3)(a > b);"),
        ("k<(a > b)><<<1,1>>>();", f"{L}k<(a > b)>, 1,1)();"),
        # no launches
        ("template <> operator<<<T>(x);", "template <> operator<<<T>(x);"),
        ('f("<<<>>>"); // k<<<1,1>>>()', 'f("<<<>>>"); // k<<<1,1>>>()'),
        ('R"(k<<<1,1>>>())" /* <<< */', 'R"(k<<<1,1>>>())" /* <<< */'),
        ("a << b >> c;", "a << b >> c;"),
        # macros
        ("#define GO k<<<1,1>>>", f"#define GO {L}k, 1,1)"),
        ("#define GO(k) (k)<<<1,1>>>()", f"#define GO(k) {L}(k), 1,1)()"),
        ("#define GO(n) k_##n<<<1,1>>>(n)", f"#define GO(n) {L}k_##n, 1,1)(n)"),
        ("k<<<CONFIGURATION>>>(x);", f"{L}k, CONFIGURATION)(x);"),
        # more than one line
        ("k\n<<<1, // >>>\n2>>>\n(x);", f"{L}k\n, 1, // >>>\n2)\n(x);"),
        ("k<<<\n#ifdef X\n1,\n#endif\n2>>>();", f"{L}k, \n#ifdef X\n1,\n#endif\n2)();"),
        ("#define GO(k) \\\n  k<<<1, \\\n2>>>()", f"#define GO(k) \\\n  {L}k, 1, \\\n2)()"),
    ],
)
def test_launches(cuda: str, expected: str):
    assert rewrite(cuda) == expected


def variable(name: str, kind: str, aligned: str = "") -> str:
    """Return the C++ for a variable in shared memory."""
    alias = f"cuda_shared_type_{name}"
    strict, alignment = "", alias
    if aligned:
        alignment = f"cuda_shared_aligned_{name}"
        strict = f"struct alignas(alignof({alias})) alignas({aligned}) {alignment} {{}}; "
    return (
        f"static char cuda_shared_{name}; using {alias} = {kind}; {strict}{alias}& {name} = "
        f"*static_cast<{alias}*>(::cuda_emulator::static_shared(&cuda_shared_{name}, "
        f'sizeof({alias}), alignof({alignment}), "{name}"))'
    )


@pytest.mark.parametrize(
    ("cuda", "expected"),
    [
        ("__shared__ float a[32];", variable("a", "float[32]") + ";"),
        (
            "__shared__ int a[2][N + 1], *p, q;",
            f"{variable('a', 'int[2][N + 1]')}; {variable('p', 'int *')}; {variable('q', 'int')};",
        ),
        (
            "static __shared__ volatile unsigned long v;",
            variable("v", "volatile unsigned long") + ";",
        ),
        ("float __shared__ x[3];", variable("x", "float[3]") + ";"),
        ("__shared__ const int* const p;", variable("p", "const int * const") + ";"),
        ("__shared__ __align__(16) char c[4];", variable("c", "char[4]", "16") + ";"),
        ("__shared__ alignas(T) char c[sizeof(T)];", variable("c", "char[sizeof(T)]", "T") + ";"),
        (
            "__shared__ __attribute__((aligned(8))) char c;",
            variable("c", "char", "8") + ";",
        ),
        (
            "__shared__ typename cub::Scan<T, 32>::Temp t;",
            variable("t", "typename cub::Scan<T, 32>::Temp") + ";",
        ),
        (
            "__shared__ struct { int a; /* b */ float b[2]; } s;",
            variable("s", "struct { int a; float b[2]; }") + ";",
        ),
        (
            "extern __shared__ char m[];",
            "char* m = static_cast<char*>(::cuda_emulator::dynamic_shared());",
        ),
        (
            "__shared__ extern volatile T m[];",
            "volatile T* m = static_cast<volatile T*>(::cuda_emulator::dynamic_shared());",
        ),
        (
            "extern __shared__ float m[][4];",
            "using cuda_shared_type_m = float[4]; cuda_shared_type_m* m = "
            "static_cast<cuda_shared_type_m*>(::cuda_emulator::dynamic_shared());",
        ),
        # on several lines
        ("__shared__\n  float // x\n  a[2];", variable("a", "float[2]") + "\n\n;"),
    ],
)
def test_shared_memory(cuda: str, expected: str):
    assert rewrite(f"void f() {{ {cuda} }}") == f"void f() {{ {expected} }}"


def test_shared_memory_in_macros():
    pasted = variable("@", "T[3]").replace("_@", "_##n").replace('"@"', "#n").replace("@", "n")
    assert rewrite("#define TILE(T, n) __shared__ T n[3]") == "#define TILE(T, n) " + pasted
    assert rewrite("#define TILE __shared__ int n") == "#define TILE " + variable("n", "int")


def test_dynamic_shared_memory_outside_of_functions():
    expected = "static const ::cuda_emulator::DynamicShared<int> s = {};"
    assert rewrite("extern __shared__ int s[];") == expected
    assert rewrite("namespace a { extern __shared__ int s[]; }") == f"namespace a {{ {expected} }}"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("void f() {\n __shared__ int x = 3; }", 2, "initializer not allowed for __shared__"),
        ("\n\n<<<1, 1>>>(x);", 3, "this launch cannot be understood"),
        ("k<<<1, 1;", 1, "this launch cannot be understood"),
        ("__shared__ int x;", 1, "outside of functions"),
        ("void f() { __shared__ int (*x)[3]; }", 1, "cannot be understood"),
        ("void f() { __shared__ int x }", 1, "does not end"),
        ("void f() { __shared__ int\n#if A\nx;\n#endif\n }", 1, "a directive within"),
    ],
)
def test_what_cannot_be_rewritten_is_named_with_its_line(text: str, line: int, message: str):
    with pytest.raises(SourceError, match=message) as error:
        rewrite(text, "unit.cu")
    assert str(error.value).startswith(f"unit.cu:{line}: error: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("__global__ void k(int) {}", True),
        (
            "template <class T> __global__ void\n__launch_bounds__(1024, 2)\nk(T x = T{})\n{\n}",
            True,
        ),
        ("#define KERNEL __global__ void", True),
        ("__global__ void k(int);\nvoid f() {}", False),
        ("// __global__ void k() {}\n/* __global__ */ __device__ int f() { return 1; }", False),
    ],
)
def test_a_unit_holds_a_kernel_if_it_defines_one(text: str, expected: bool):
    assert defines_kernel(text) is expected


# -- headers


@pytest.mark.usefixtures("nvcc")
def test_headers_with_cuda_are_copied_and_others_are_not(tmp_path: Path):
    write(
        src__unit_cu='#include "a.h"\n#include <inc.h>\n#include <vector>\n#include "none.h"\n',
        src__a_h='#pragma once\n#include "b.h"\n#include "plain.h"\n',
        src__b_h='#include "a.h"\n#define GO k<<<1, 1>>>()\n',
        src__plain_h="int plain;\n",
        inc__inc_h="int inc;\n",
    )
    project = Project("src/unit.cu", ["inc"], [])
    assert {file.path for file in project.copied} == {"src/unit.cu", "src/a.h", "src/b.h"}
    assert {file.path for file in project.headers} == {
        "src/a.h", "src/b.h", "src/plain.h", "inc/inc.h",
    }  # fmt: skip
    assert "vector" in project.names
    origins = project.write(str(tmp_path / "copies"))
    copies = {origin: copy for copy, origin in origins.items()}
    assert Path(copies["src/unit.cu"]).read_text() == (
        f'#line 1 "src/unit.cu"\n#include "{copies["src/a.h"]}"\n#include <inc.h>\n'
        '#include <vector>\n#include "none.h"\n'
    )
    assert Path(copies["src/a.h"]).read_text() == (
        f'#line 1 "src/a.h"\n#pragma once\n#include "{copies["src/b.h"]}"\n'
        f'#include "{tmp_path}/src/plain.h"\n'
    )
    assert f"{L}k, 1, 1)()" in Path(copies["src/b.h"]).read_text()


@pytest.mark.usefixtures("nvcc")
def test_foreign_headers_are_left_alone():
    write(unit_cu='#include "foreign/a.h"\n#include <b.h>\n', foreign__a_h="<<<", foreign__b_h="")
    project = Project("unit.cu", ["foreign"], ["foreign"])
    assert not project.copied and not project.headers


# -- what gpurun and brian2cuda ask of it


def test_gpurun_finds_the_toolkit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_PATH", str(TOOLKIT))
    monkeypatch.setenv("CUDA_EMULATOR", "cuda=12.9")
    # Other tests have asked this nvcc before, under another setting
    forgetful = replace(settings(), cache=False)
    monkeypatch.setattr("gpurun.toolchain_memory.settings", lambda: forgetful)
    toolkit = find_cuda()
    assert toolkit is not None
    assert (toolkit.nvcc, toolkit.version, toolkit.root) == (NVCC, "12.9", str(TOOLKIT))
    assert toolkit.complete and toolkit.curand == str(TOOLKIT / "lib64" / "libcurand.so")
    assert toolkit.include_dirs == (str(TOOLKIT / "include"),)


def test_version(nvcc: Nvcc):
    said = nvcc("--version")
    # What brian2cuda reads: the fourth line, between the first comma and the second.
    assert said.stdout.split("\n")[3].split(", ")[1] == "release 13.0"
    assert nvcc("-V", CUDA_EMULATOR="cuda=12.4").stdout.split("\n")[3].split(", ")[1] == (
        "release 12.4"
    )


def test_a_dry_run_only_prints(nvcc: Nvcc, tmp_path: Path):
    said = nvcc("-dryrun", "a.cu", "b.o", "-o", "x", CUDA_EMULATOR_CACHE=str(tmp_path / "cache"))
    assert said.returncode == 0
    assert f'#$ INCLUDES="-I{TOOLKIT}/include"' in said.stderr
    assert f'#$ LIBRARIES="-L{TOOLKIT}/lib64"' in said.stderr
    assert not list(tmp_path.iterdir())


def test_errors_are_nvccs(nvcc: Nvcc):
    for words, message in (
        (["-NDEBUG", "-c", "a.cu"], "Unknown option '-NDEBUG'"),
        ([], "No input files specified; use option --help for more information"),
        (["a.xyz"], "Don't know what to do with 'a.xyz'"),
        (["libcurand.so.10"], "Don't know what to do with 'libcurand.so.10'"),
        (
            ["-c", "a.cu", "b.cu", "-o", "x.o"],
            "A single input file is required for a non-link phase when an outputfile is specified",
        ),
    ):
        said = nvcc(*words)
        assert (said.returncode, said.stderr) == (1, f"nvcc fatal   : {message}\n")


def test_flags_for_the_host_compiler(nvcc: Nvcc):
    write(a_cu="__global__ void k() {}", b_cu="int main() {}", c_cpp="")
    (command,) = commands(
        nvcc(
            *("-dryrun", "-c", "a.cu", "-std=c++11", "-O3", "-arch=sm_80", "-use_fast_math"),
            *(
                "-Xcompiler",
                "-O2 -Ofast -ffast-math -march=native -std=c++14 -DA='1 2' -fPIC",
                "-maxrregcount=32",
            ),
        )
    )
    words = command.split()
    assert [word for word in words if word.startswith("-O")] == ["-O1"]
    assert [word for word in words if word.startswith("-std")] == ["-std=c++17"]
    assert "-ffast-math" not in words
    assert {"-march=native", "-fPIC", "-D__CUDA_ARCH__=800"} <= set(words)
    assert "'-DA=1 2'" in command
    assert "-std=c++20" in commands(nvcc("-dryrun", "-c", "a.cu", "-std=c++20"))[0]
    assert "-O0 -g" in commands(nvcc("-dryrun", "-c", "a.cu", "-G", "-O3"))[0]
    # Host code only
    assert "__CUDA_ARCH__" not in commands(nvcc("-dryrun", "-c", "b.cu"))[0]
    assert "__CUDACC__" not in commands(nvcc("-dryrun", "-c", "c.cpp"))[0]


def test_flags_from_the_environment(nvcc: Nvcc):
    write(a_cu="")
    said = nvcc("-dryrun", "-c", "a.cu", NVCC_PREPEND_FLAGS="-DA", NVCC_APPEND_FLAGS="-DB -w")
    assert re.search(r" -w .*-DA -DB", commands(said)[0])
    assert "Unknown option '-x1'" in nvcc("-c", "a.cu", NVCC_APPEND_FLAGS="-x1").stderr


def test_the_host_compiler_is_a_name_or_a_folder(nvcc: Nvcc):
    for given, expected in (("g++", "g++ "), ("gcc", "g++ "), ("/usr/bin", "/usr/bin/g++ ")):
        assert commands(nvcc("-dryrun", "-ccbin", given, "a.o"))[0].startswith(expected)
    assert "'none++'" in nvcc("-ccbin", "none++", "a.o").stderr


def test_cuda_libraries_are_not_linked(nvcc: Nvcc):
    said = nvcc(
        *("-dryrun", "a.o", "-lcurand", "-lcudart", "-lcuda", "-lm", "-cudart=shared"),
        *("-Xlinker", "-rpath,/x", str(TOOLKIT / "lib64" / "libcurand.so")),
    )
    (command,) = commands(said)
    assert not {"-lcurand", "-lcudart", "-lcuda"} & set(command.split()) and "lib64" not in command
    assert "-Xlinker -rpath -Xlinker /x" in command and " -lm " in command
    assert "-lcuda_emulator" in command and "--wrap=malloc" in command


# -- compiling

PROGRAM = r"""
#include <cstdio>
#include "kernels.cuh"
__global__ void add(int* x, int what) { atomicAdd(&x[threadIdx.x], what + two()); }
int main(int count, char** words) {
    int *x, y[4];
    cudaMalloc(&x, sizeof y);
    reverse<int, 4>
        <<<1, dim3(4), sizeof y>>>(x);
    LAUNCH(add, x, 8);
    auto kernel = &add;
    (*kernel)<<<{1, 1}, 2, 0, 0>>>(x, 98);
    cudaMemcpy(y, x, sizeof y, cudaMemcpyDeviceToHost);
    printf("%d %d %d %d: %s\n", y[0], y[1], y[2], y[3], cudaGetErrorString(cudaGetLastError()));
}
"""
KERNELS = r"""
#pragma once
#include "two.h"
#define LAUNCH(kernel, ...) kernel<<<1, 4>>>(__VA_ARGS__)
extern __shared__ float outer[];
template <class T, int N>
__global__ void reverse(T* x) {
    __shared__ __align__(64) T tile[N], once;
    extern __shared__ T dynamic[];
    if (threadIdx.x == 0) once = outer == (float*)dynamic && size_t(tile) % 64 == 0;
    dynamic[threadIdx.x] = 1000;
    tile[threadIdx.x] = threadIdx.x;
    __syncthreads();
    x[threadIdx.x] = tile[N - 1 - threadIdx.x] + dynamic[N - 1 - threadIdx.x] * once;
#if __CUDA_ARCH__ != 860
    x[0] = -1;
#endif
}
"""


def test_a_program_is_compiled_and_linked(nvcc: Nvcc):
    write(main_cu=PROGRAM, kernels_cuh=KERNELS, two_h="inline int two() { return 2; }\n")
    said = nvcc("-arch=sm_86", "main.cu", "-o", "main", "-MMD")
    assert (said.returncode, said.stderr) == (0, "")
    ran = subprocess.run(["./main"], capture_output=True, text=True, check=True)
    assert ran.stdout == "1113 1112 1011 1010: no error\n"
    target, names = Path("main.d").read_text().replace("\\\n", " ").split(":", 1)
    assert target == "main" and {"main.cu", "kernels.cuh", "two.h"} <= set(names.split())
    assert "nvcc-emulated" not in names and "precompiled" not in names


def test_objects_and_a_shared_library(nvcc: Nvcc):
    write(
        kernel_cu="__device__ int state;\n__global__ void set(int x) { state = x; }\n",
        host_cpp=r"""
#include <cuda_runtime.h>
int devices() { int n; cudaGetDeviceCount(&n); return n; }
""",
        library_cu=r"""
extern __device__ int state;
__global__ void set(int);
int devices();
extern "C" int work() {
    set<<<1, 1>>>(40);
    int x;
    cudaMemcpyFromSymbol(&x, state, sizeof x);
    return x + devices();
}
""",
    )
    flags = ["-rdc=true", "-Xcompiler=-fPIC,-fno-gnu-unique", "-w"]
    assert nvcc("-dc", "kernel.cu", *flags).returncode == 0
    assert nvcc("-c", "host.cpp", *flags).returncode == 0
    assert nvcc("-dlink", "kernel.o", "-o", "linked.o", *flags).returncode == 0
    said = nvcc("-shared", "library.cu", "kernel.o", "host.o", "linked.o", "-o", "a.so", *flags)
    assert (said.returncode, said.stderr) == (0, "")
    loaded = subprocess.run(
        [sys.executable, "-c", "import ctypes; print(ctypes.CDLL('./a.so').work())"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CUDA_EMULATOR": "devices=2"},
    )
    assert loaded.stdout == "42\n"


def test_messages_name_the_users_file_and_line(nvcc: Nvcc):
    write(
        unit_cu='#include "k.cuh"\nvoid f() {\n    k<<<1,\n      1>>>();\n    nothing();\n}\n',
        k_cuh='#include "deep.h"\n__global__ void k() {\n__shared__ int x[2],\n y;\n x = z;\n}\n',
        deep_h="int i = no_such;\n",
    )
    said = nvcc("-c", "unit.cu")
    assert said.returncode == 1
    assert re.search(
        r"^unit.cu:5:\d+: error: ‘nothing’|^unit.cu:5:\d+: error: .nothing.", said.stderr, re.M
    )
    assert re.search(r"^k.cuh:5:\d+: error", said.stderr, re.M)
    assert re.search(r"^\S*/deep.h:1:\d+: error", said.stderr, re.M)
    write(unit_cu="void f() {\n\n  <<<1, 1>>>();\n}\n")
    said = nvcc("-c", "unit.cu")
    assert said.stderr == "unit.cu:3: error: this launch cannot be understood\n"
    assert said.returncode == 1 and not Path("unit.o").exists()
    assert nvcc("-c", "missing.cu").returncode == 1


def test_dependencies_and_preprocessing(nvcc: Nvcc):
    write(unit_cu='#include "k.h"\nint X;\n', k_h="#define GO k<<<1, 1>>>()\n")
    said = nvcc("-MM", "unit.cu", "-I.")
    assert said.returncode == 0 and said.stdout.startswith("unit.o: unit.cu")
    assert " k.h" in said.stdout
    assert nvcc("-M", "unit.cu", "-MT", "x", "-o", "deps").stdout == ""
    assert Path("deps").read_text().startswith("x: unit.cu")
    assert "int three;" in nvcc("-E", "unit.cu", "-DX=three").stdout
    # A blank in a name
    write(**{"a b__unit_cu": '#include "go.h"\n#include "x.h"\n', "a b__x_h": ""})
    write(**{"a b__go_h": "#define GO k<<<1, 1>>>()\n"})
    assert nvcc("-c", "a b/unit.cu", "-o", "a b/x.o", "-MMD").returncode == 0
    listed = Path("a b/x.d").read_text().replace("\\\n", "")
    assert " ".join(listed.split()) == "a\\ b/x.o: a\\ b/unit.cu a\\ b/go.h a\\ b/x.h"
    assert nvcc("-c", "unit.cu", "-odir", ".", "-MD", "-MF", "place.d").returncode == 0
    assert Path("unit.o").exists() and "k.h" in Path("place.d").read_text()


def test_the_precompiled_header_is_used(nvcc: Nvcc):
    write(
        unit_cu="#include <iostream>\n#include <vector>\n#include <algorithm>\n"
        "__global__ void k() {}\nint main() { k<<<1, 1>>>(); }\n",
        debug_cu="int main() {}\n",
    )
    assert prepare.bundle_for(frozenset()) == "runtime"
    assert prepare.bundle_for(frozenset(("iostream", "vector", "algorithm", "map"))) == "standard"
    for flags in (["unit.cu"], ["unit.cu", "-DNDEBUG", "-DOTHER=1"], ["debug.cu", "-G"]):
        said = nvcc("-c", "-v", *flags, "-Xcompiler=-Winvalid-pch,-Werror,-H")
        assert said.returncode == 0
        assert re.search(r"^! .*/precompiled-\w+/cuda.h.gch$", said.stderr, re.M)
    said = nvcc("-c", "-v", "debug.cu", CUDA_EMULATOR_PRECOMPILED="off")
    assert said.returncode == 0 and "precompiled-" not in said.stderr


def test_what_a_unit_does_not_include_it_does_not_have(nvcc: Nvcc):
    write(unit_cu="std::vector<int> x;\n")
    said = nvcc("-c", "unit.cu")
    assert said.returncode == 1 and "vector" in said.stderr


def test_the_same_source_gives_the_same_object(nvcc: Nvcc):
    write(
        unit_cu="namespace { int x; }\n__global__ void k() { x++; }\nvoid f() { k<<<1, 1>>>(); }\n"
    )
    for name in ("a.o", "b.o"):
        assert nvcc("-c", "unit.cu", "-o", name).returncode == 0
    assert Path("a.o").read_bytes() == Path("b.o").read_bytes()
