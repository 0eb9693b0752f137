"""Which C++ text is taken to keep state between calls."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpurun.brian.static_state import functions_with_state, holds_state

KEEPS = {
    "a counter": "double f(double x) { static double n = 0; return n += 1; }",
    "a stream": 'int f(int i) { static std::ofstream file("out.txt"); file << i; return 0; }',
    "in a block": "double f(double x) { if (x > 0) { static int n; n++; } return x; }",
    "after a statement": "double f(double x) { x += 1; static int n = 0; return n++; }",
    "thread_local": "double f(double x) { static thread_local int n = 0; return n++; }",
    "thread_local alone": "double f(double x) { thread_local int n = 0; return n++; }",
    "a global": "int calls = 0;\ndouble f(double x) { return calls++; }",
    "a static global": "static int calls = 0;\ndouble f(double x) { return calls++; }",
    "a global pointer": "double* buffer;\ndouble f(double x) { return x; }",
    "a global vector": "std::vector<double> seen;\ndouble f(double x) { return x; }",
    "a global array": "double seen[3] = {1, 2, 3};\ndouble f(double x) { return x; }",
    "a static array": "double f(int i) { static double seen[] = {1, 2}; return seen[i]++; }",
    "in a namespace": "namespace mine { int calls = 0; }\ndouble f(double x) { return 1; }",
    "a static member": "struct S { static int n; };\nint S::n = 0;",
    "a pointer to const": 'double f(double x) { static const char* p = 0; p = "a"; return x; }',
    "braces as initialiser": "double f(double x) { static int n{0}; return n++; }",
    "a global with braces": "std::atomic<int> calls{0};\ndouble f(double x) { return calls++; }",
}
KEEPS |= {
    "a global stream": 'std::ofstream file("out.txt");\ndouble f(double x) { return x; }',
    "a global of a size": "std::vector<double> seen(10);\ndouble f(double x) { return x; }",
    "a macro": "#define COUNT static int n = 0; \\\n n++\ndouble f(double x) { COUNT; return n; }",
    "a variable after its type": "struct S { int n; } s;\ndouble f(double x) { return s.n++; }",
    "an inline member": "struct S { inline static int n = 0; };\ndouble f(double x) { return 1; }",
    "in a lambda": "double f(double x) { auto g = [] { static int n; return n++; }; return g(); }",
    "in an argument": "int f(int i) { g([](int i) { static int n; n += i; }); return i; }",
    "after a URL": 'double f(double x) { log("http://x"); static int n = 0; return n++; }',
    "after a quote": "int f(int i) { char c = '\"'; static int n = 0; char d = '\"'; return n; }",
    "in extern C": 'extern "C" { int calls; }\ndouble f(double x) { return calls++; }',
    "an anonymous namespace": "namespace { double last; }\ndouble f(double x) { return last = x; }",
    "a global lambda": "auto g = [](double x) { return x; };\ndouble f(double x) { return g(x); }",
    "in a method": "struct S { int f() { static int n; return n++; } };",
    "behind a for": "int f(int x) { for (int i = 0; i < 3; i++) { static int n; n++; } return x; }",
}

DOES_NOT = {
    "nothing": "double f(double x) { double y = 2*x; return y; }",
    "a static function": "static double f(double x) { return x; }",
    "static inline": "static inline double f(double x) { return x; }",
    "inline": "inline double f(const double x) { return x; }",
    "a constant": "static const double tau = 0.01;\ndouble f(double x) { return x/tau; }",
    "a constexpr": "constexpr int n = 4;\ndouble f(double x) { return x*n; }",
    "a constant inside": "double f(double x) { static const double t[] = {1, 2}; return t[0]; }",
    "a declaration": "double g(double);\ndouble f(double x) { return g(x); }",
    "a comment": "// static int n = 0;\ndouble f(double x) { return x; /* static int n; */ }",
    "a string": 'double f(double x) { const char* s = "static int n;"; return s[0]; }',
    "a macro": "#define N 3\ndouble f(double x) { return x*N; }",
    "using": "using namespace std;\ndouble f(double x) { return x; }",
    "typedef": "typedef double real;\nreal f(real x) { return x; }",
    "a template": "template <class T> T twice(T x) { return 2*x; }\nint f(int i) { return i; }",
    "a cast": "double f(double x) { int n = static_cast<int>(x); return n; }",
    "a name": "double f(double ecstatic) { double static_x = ecstatic; return static_x; }",
    "empty": "",
    "loops": "double f(double x) { for (int i = 0; i < 3; i++) x += i; return x; }",
    "a type": "struct S { int n; S() : n(0) {} int f() const { return n; } };",
    "a declared type": "struct S;\nclass T;\nenum E { A, B };\ndouble f(double x) { return x; }",
    "declarations": "double g(const std::vector<double>& x, int n = 3, ...);\nint32_t h();\n"
    "static inline double k(double*, const char* name);\n"
    "double f(double x) { return g(x); }",
    "a lambda": "double f(double x) { auto g = [&](double y) { return x + y; }; return g(1); }",
    "a table": "static const double table[2][2] = {{1, 2}, {3, 4}};\n"
    "double f(int i) { return table[i][0]; }",
    "a constant pointer": 'static const char* const name = "a";\ndouble f(double x) { return x; }',
    "extern C": 'extern "C" { double g(double); }\ndouble f(double x) { return g(x); }',
    "an operator": "struct S {};\nbool operator<(const S& a, const S& b) { return false; }",
    "a static method": "struct S { static int f(int i) { return i; } static int g(int i); };",
    "an initialiser": "int f(int i) { int y[] = {1, 2}; std::array<int, 2> z{1}; return y[i]; }",
}


@pytest.mark.parametrize("name", KEEPS)
def test_keeps_state(name: str) -> None:
    assert holds_state(KEEPS[name])


@pytest.mark.parametrize("name", DOES_NOT)
def test_keeps_none(name: str) -> None:
    assert not holds_state(DOES_NOT[name])


def names(**kwds: Any) -> tuple[str, ...]:
    code_object: Any = SimpleNamespace(name="updater", variables={}, compiler_kwds=kwds)
    return functions_with_state([code_object])


def test_libraries_and_sources_may_keep_anything() -> None:
    assert names() == ()
    assert names(libraries=["m"], sources=[]) == ("updater",)
    assert names(sources=["mine.cpp"]) == ("updater",)


def test_headers_of_the_user_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "keeps.h").write_text("#pragma once\nstatic int calls = 0;\n")
    (tmp_path / "harmless.h").write_text("#pragma once\ninline int f(int i) { return i; }\n")
    folder = [str(tmp_path)]
    assert names(headers=["<random>", '"harmless.h"'], include_dirs=folder) == ()
    assert names(headers=['"keeps.h"'], include_dirs=folder) == ("updater",)
    assert names(headers=[f'"{tmp_path / "keeps.h"}"']) == ("updater",)
    assert names(headers=[f'"{tmp_path / "harmless.h"}"']) == ()
    # One that is not found may keep anything
    assert names(headers=['"somewhere_else.h"'], include_dirs=folder) == ("updater",)
