"""Device functions: their accuracy, exact roundings, integer intrinsics."""

from __future__ import annotations

import itertools
import math
import random
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest

from tests.emulated.programs import compile_and_run

mpmath.mp.dps = 60
mpf = mpmath.mpf


def evaluate(expressions: Sequence[str], result: str = "double") -> list[str]:
    """Return what a kernel prints for each expression: exact numbers of the given type."""
    form, cast = {
        "double": ("%a", "double"),
        "float": ("%a", "double"),
        "int": ("%d", "int"),
        "unsigned": ("%u", "unsigned"),
        "long long": ("%lld", "long long"),
        "unsigned long long": ("%llu", "unsigned long long"),
    }[result]
    # The compiler must not do the arithmetic: it rounds better than any library
    body = "\n".join(f'    printf("{form}\\n", ({cast})({one}));' for one in expressions)
    done = compile_and_run(f"""
        #include <cuda_runtime.h>
        #include <math_constants.h>
        #include <cstdio>
        template <class T> __device__ T given(T x) {{ volatile T y = x; return y; }}
        __global__ void kernel() {{
        {body}
        }}
        int main() {{
            kernel<<<1, 1>>>();
            const cudaError_t error = cudaDeviceSynchronize();
            if (error) printf("%s\\n", cudaGetErrorString(error));
            return error;
        }}
    """)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.split("\n")[:-1]
    assert len(lines) == len(expressions)
    return lines


def numbers(expressions: Sequence[str], result: str = "double") -> list[float]:
    return [float.fromhex(line) for line in evaluate(expressions, result)]


def literal(x: float, single: bool = False) -> str:
    if math.isnan(x):
        return "CUDART_NAN_F" if single else "CUDART_NAN"
    if math.isinf(x):
        return ("-" if x < 0 else "") + ("CUDART_INF_F" if single else "CUDART_INF")
    return x.hex() + ("f" if single else "")


def given(x: float, single: bool = False) -> str:
    return f"given({literal(x, single)})"


def ulps(actual: float, exact: Any, single: bool = False) -> float:
    """Return the error in units of the exact value's last place."""
    if mpmath.isnan(exact):
        return 0.0 if math.isnan(actual) else math.inf
    largest = float(np.finfo(np.float32 if single else np.float64).max)
    if abs(exact) > largest * (1 + 2.0**-54):
        return 0.0 if actual == math.copysign(math.inf, float(mpmath.sign(exact))) else math.inf
    digits, lowest = (24, -149) if single else (53, -1074)
    exponent = lowest if exact == 0 else max(int(mpmath.frexp(exact)[1]) - digits, lowest)
    return float(abs(mpf(actual) - exact) / mpf(2) ** exponent)


def normal_cdf(x: Any) -> Any:
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def inverse_erfc(q: Any) -> Any:
    """Solve erfc(x) = q: mpmath's erfinv loses the tail."""
    if q > 1:
        return -inverse_erfc(2 - q)
    if q > 0.5:
        return mpmath.erfinv(1 - q)
    x = mpmath.sqrt(-mpmath.log(q)) if q > 0 else mpf(1)
    for _ in range(60):
        step = (mpmath.erfc(x) - q) * mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(x * x)
        step /= 1 - x * step  # Halley's
        x += step
        if abs(step) < mpf(10) ** -40 * x:
            return x
    raise AssertionError(q)


def signed(rng: random.Random, low: float, high: float, count: int = 30) -> list[float]:
    """Return numbers whose logarithms are uniform, of both signs."""
    return [
        rng.choice((-1, 1)) * math.exp(rng.uniform(math.log(low), math.log(high)))
        for _ in range(count)
    ]


def positive(rng: random.Random, low: float, high: float, count: int = 60) -> list[float]:
    return [abs(x) for x in signed(rng, low, high, count)]


RNG = random.Random(20)
UNIT = [RNG.uniform(0, 1) for _ in range(60)]
# Function, exact one, arguments, and the largest errors that the CUDA programming guide gives
# (appendix on mathematical functions) for double and for float. Of exp10 of a double it says 1;
# ours is the C library's.
FUNCTIONS: list[tuple[str, Callable[[Any], Any], list[float], float, float]] = [
    ("rsqrt", lambda x: 1 / mpmath.sqrt(x), positive(RNG, 1e-300, 1e300), 1, 2),
    ("rcbrt", lambda x: 1 / mpmath.cbrt(x), positive(RNG, 1e-300, 1e300), 1, 1),
    ("sinpi", mpmath.sinpi, [*signed(RNG, 1e-10, 1e6), 0.25, 0.75, 1.5, -2.5, 1e15 + 0.5], 2, 1),
    ("cospi", mpmath.cospi, [*signed(RNG, 1e-10, 1e6), 0.25, 0.75, 1.0, -3.0, 1e15], 2, 1),
    ("exp10", lambda x: mpf(10) ** x, [RNG.uniform(-300, 300) for _ in range(40)], 2, 2),
    ("erfinv", mpmath.erfinv, [*signed(RNG, 1e-200, 0.5), *UNIT, 1 - 2**-53, 0.5], 5, 2),
    ("erfcinv", inverse_erfc, [*positive(RNG, 5e-324, 1.0), *(2 * u for u in UNIT)], 6, 4),
    (
        "erfcx",
        lambda x: mpmath.exp(x * x) * mpmath.erfc(x),
        [*positive(RNG, 1e-3, 1e6), *(-6 * u for u in UNIT), -26.0, 24.999, 25.001],
        4,
        4,
    ),
    ("normcdf", normal_cdf, [*(12 * u - 8 for u in UNIT), -37.5, 0.0], 5, 5),
    (
        "normcdfinv",
        lambda p: -mpmath.sqrt(2) * inverse_erfc(2 * p),
        [*positive(RNG, 1e-320, 0.5), *UNIT],
        8,
        5,
    ),
    ("cyl_bessel_i0", lambda x: mpmath.besseli(0, x), signed(RNG, 1e-3, 700, 60), 6, 6),
    ("cyl_bessel_i1", lambda x: mpmath.besseli(1, x), signed(RNG, 1e-3, 700, 60), 6, 6),
]


@pytest.mark.parametrize("name", [one[0] for one in FUNCTIONS])
def test_function_is_within_documented_error(name: str) -> None:
    _, exact, arguments, double_bound, float_bound = next(f for f in FUNCTIONS if f[0] == name)
    actual = numbers([f"{name}({given(x)})" for x in arguments])
    for x, y in zip(arguments, actual, strict=True):
        assert ulps(y, exact(mpf(x))) <= double_bound, (x, y)
    singles = [float(np.float32(x)) for x in arguments if 1e-37 < abs(x) < 1e37]
    for spelling in (name, name + "f"):
        actual = numbers([f"{spelling}({given(x, single=True)})" for x in singles], "float")
        for x, y in zip(singles, actual, strict=True):
            assert ulps(y, exact(mpf(x)), single=True) <= float_bound, (x, y)


def test_special_values() -> None:
    inf, nan = math.inf, math.nan
    cases: list[tuple[str, float]] = [
        ("rsqrt(given(0.0))", inf),
        ("rsqrt(given(-0.0))", -inf),
        ("rsqrt(given(CUDART_INF))", 0.0),
        ("rsqrt(given(-1.0))", nan),
        ("rcbrt(given(-8.0))", -0.5),
        ("erfinv(given(1.0))", inf),
        ("erfinv(given(-1.0))", -inf),
        ("erfinv(given(1.5))", nan),
        ("erfcinv(given(0.0))", inf),
        ("erfcinv(given(2.0))", -inf),
        ("erfcinv(given(1.0))", 0.0),
        ("erfcx(given(CUDART_INF))", 0.0),
        ("erfcx(given(-30.0))", inf),
        ("erfcx(given(CUDART_NAN))", nan),
        ("normcdf(given(-CUDART_INF))", 0.0),
        ("normcdfinv(given(1.0))", inf),
        ("normcdfinv(given(0.0))", -inf),
        ("normcdfinv(given(0.5))", 0.0),
        ("cyl_bessel_i0(given(CUDART_INF))", inf),
        ("cyl_bessel_i1(given(-CUDART_INF))", -inf),
        ("sinpi(given(CUDART_INF))", nan),
        ("sinpi(given(-3.0))", -0.0),
        ("sinpi(given(3.0))", 0.0),
        ("cospi(given(0.5))", 0.0),
        ("cospi(given(-1.5))", 0.0),
        ("sinpi(given(-0.5))", -1.0),
        ("norm3d(given(CUDART_INF), CUDART_NAN, 1.0)", inf),
        ("norm3d(given(1e300), 2e300, 2e300)", 3e300),
        ("norm4d(given(1.0), 1.0, 1.0, 1.0)", 2.0),
        ("rnorm3d(given(1e-300), 2e-300, 2e-300)", 1 / 3e-300),
        ("rhypot(given(3.0), 4.0)", 0.2),
        ("hypot(given(3.0), 4.0)", 5.0),
        ("__fdividef(given(1.0f), 0x1p127f)", 0.0),
        ("__fdividef(given(CUDART_INF_F), 0x1p127f)", nan),
        ("__powf(given(2.0f), 10.0f)", 1024.0),
        ("__powf(given(-2.0f), 2.0f)", nan),
        ("__saturatef(given(1.5f))", 1.0),
        ("__saturatef(given(-1.5f))", 0.0),
        ("__saturatef(given(CUDART_NAN_F))", 0.0),
        ("fmin(given(CUDART_NAN), 1.0)", 1.0),
        ("max(given(CUDART_NAN), 1.0)", 1.0),
        ("min(given(1.0f), CUDART_NAN_F)", 1.0),
    ]
    actual = numbers([expression for expression, _ in cases])
    for (expression, expected), y in zip(cases, actual, strict=True):
        same = math.isnan(y) if math.isnan(expected) else y == expected
        assert same, (expression, y)
        assert math.isnan(y) or math.copysign(1, y) == math.copysign(1, expected), (expression, y)


def test_sincos_and_fast_intrinsics() -> None:
    source = """
        #include <cuda_runtime.h>
        #include <cstdio>
        __global__ void kernel(double x) {
            double s, c; float f, g;
            sincos(x, &s, &c); printf("%.15g %.15g\\n", s, c);
            sincospi(x, &s, &c); printf("%.15g %.15g\\n", s, c);
            sincosf(float(x), &f, &g); printf("%.9g %.9g\\n", f, g);
            sincospif(float(x), &f, &g); printf("%.9g %.9g\\n", f, g);
            __sincosf(float(x), &f, &g); printf("%.9g %.9g\\n", f, g);
            printf("%.9g %.9g\\n", __sinf(float(x)), __cosf(float(x)));
            printf("%.9g %.9g\\n", __tanf(float(x)), __expf(float(x)));
            printf("%.9g %.9g\\n", __logf(float(x)), __log2f(float(x)));
            printf("%.9g %.9g\\n", __log10f(float(x)), __exp10f(float(x)));
            printf("%d %d %d\\n", isnan(x), isinf(x), signbit(x));
            printf("%d %d %d\\n", abs(-3), int(abs(-3ll)), int(abs(-3.5) * 2));
        }
        int main() { kernel<<<1, 1>>>(0.3); return cudaDeviceSynchronize(); }
    """
    done = compile_and_run(source)
    assert done.returncode == 0, done.stderr
    rows = [[float(word) for word in line.split()] for line in done.stdout.splitlines()]
    x = 0.3
    sine, cosine = math.sin(x), math.cos(x)
    of_pi = [math.sin(math.pi * x), math.cos(math.pi * x)]
    expected = [[sine, cosine], of_pi, [sine, cosine], of_pi, [sine, cosine], [sine, cosine]]
    expected += [[math.tan(x), math.exp(x)], [math.log(x), math.log2(x)]]
    expected += [[math.log10(x), 10**x], [0, 0, 0], [3, 3, 7]]
    for row, right in zip(rows, expected, strict=True):
        assert row == pytest.approx(right, rel=2e-6)


# Rounding ------------------------------------------------------------------------------------

MODES = ("rn", "rz", "ru", "rd")


def rounded(exact: Fraction, mode: str, single: bool) -> float:
    """Round to a normal number of 24 or 53 bits."""
    if exact == 0:
        return 0.0
    digits = 24 if single else 53
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    while size >= Fraction(2) ** (exponent + 1):
        exponent += 1
    while size < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** (exponent - digits + 1)
    return float(to_integer(exact / unit, mode) * unit)


def to_integer(x: Fraction, mode: str) -> int:
    if mode == "rz":
        return math.trunc(x)
    return {"rn": round, "ru": math.ceil, "rd": math.floor}[mode](x)


@pytest.mark.parametrize("single", [True, False], ids=["float", "double"])
def test_directed_arithmetic_is_exact(single: bool) -> None:
    rng = random.Random(7)
    letter = "f" if single else "d"
    fused = "__fmaf" if single else "__fma"

    def draw() -> float:
        x = rng.choice((-1, 1)) * math.ldexp(rng.uniform(1, 2), rng.randint(-12, 12))
        return float(np.float32(x)) if single else x

    expressions: list[str] = []
    expected: list[float] = []
    for _ in range(12):
        a, b, c = draw(), draw(), draw()
        p, q, r = (given(x, single) for x in (a, b, c))
        fractions = Fraction(a), Fraction(b), Fraction(c)
        for mode in MODES:
            expressions += [
                f"__{letter}add_{mode}({p}, {q})",
                f"__{letter}sub_{mode}({p}, {q})",
                f"__{letter}mul_{mode}({p}, {q})",
                f"__{letter}div_{mode}({p}, {q})",
                f"__{letter}rcp_{mode}({p})",
                f"{fused}_{mode}({p}, {q}, {r})",
            ]
            exact = [fractions[0] + fractions[1], fractions[0] - fractions[1]]
            exact += [fractions[0] * fractions[1], fractions[0] / fractions[1]]
            exact += [1 / fractions[0], fractions[0] * fractions[1] + fractions[2]]
            expected += [rounded(x, mode, single) for x in exact]
    actual = numbers(expressions)
    for expression, x, y in zip(expressions, expected, actual, strict=True):
        assert x == y, expression


def test_directed_roots_and_narrowing() -> None:
    rng = random.Random(8)
    values = [math.ldexp(rng.uniform(1, 2), rng.randint(-20, 20)) for _ in range(12)]
    expressions = [f"__dsqrt_{mode}({given(x)})" for x in values for mode in MODES]
    roots = numbers(expressions)
    for (x, mode), y in zip(itertools.product(values, MODES), roots, strict=True):
        if mode in ("rz", "rd"):
            assert Fraction(y) ** 2 <= Fraction(x) < Fraction(math.nextafter(y, math.inf)) ** 2
        elif mode == "ru":
            assert Fraction(math.nextafter(y, 0)) ** 2 < Fraction(x) <= Fraction(y) ** 2
        else:
            assert y == math.sqrt(x)
    values += [-x for x in values]
    narrowed = numbers([f"__double2float_{m}({given(x)})" for x in values for m in MODES])
    for (x, mode), y in zip(itertools.product(values, MODES), narrowed, strict=True):
        assert y == rounded(Fraction(x), mode, single=True)


def test_overflow_and_signs_of_zero_follow_the_mode() -> None:
    largest = float.fromhex("0x1.fffffffffffffp1023")
    expressions = [f"__dadd_{m}({given(largest)}, {given(largest)})" for m in MODES]
    assert numbers(expressions) == [math.inf, largest, math.inf, largest]
    expressions = [f"__dmul_{m}({given(largest)}, given(-2.0))" for m in MODES]
    assert numbers(expressions) == [-math.inf, -largest, -largest, -math.inf]
    zeros = numbers([f"__dsub_{m}({given(1.5)}, {given(1.5)})" for m in MODES])
    assert [math.copysign(1, z) for z in zeros] == [1, 1, 1, -1]
    zeros = numbers([f"__ddiv_{m}({given(1.0)}, {given(0.0)})" for m in MODES])
    assert zeros == [math.inf] * 4


INTEGERS = {
    "int": ("int", -(2**31), 2**31 - 1),
    "uint": ("unsigned", 0, 2**32 - 1),
    "ll": ("long long", -(2**63), 2**63 - 1),
    "ull": ("unsigned long long", 0, 2**64 - 1),
}


@pytest.mark.parametrize("integer", INTEGERS)
def test_conversions_to_integers_saturate(integer: str) -> None:
    result, lowest, highest = INTEGERS[integer]
    values = [0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 1e5 + 0.75, -7.25, 3e9, -3e9, 1e10, 1e19, -1e19]
    values += [1e30, -1e30, math.inf, -math.inf]
    for source in ("double", "float"):
        single = source == "float"
        values = [float(np.float32(x)) for x in values] if single else values
        expressions = [
            f"__{source}2{integer}_{m}({given(x, single)})" for x in values for m in MODES
        ]
        actual = [int(line) for line in evaluate(expressions, result)]
        for (x, mode), y in zip(itertools.product(values, MODES), actual, strict=True):
            if math.isinf(x):
                exact = highest if x > 0 else lowest
            else:
                exact = min(max(to_integer(Fraction(x), mode), lowest), highest)
            assert y == exact, (source, x, mode)
        not_a_number = int(
            evaluate([f"__{source}2{integer}_rn({given(math.nan, single)})"], result)[0]
        )
        top = 1 << ((highest.bit_length() + (lowest < 0)) - 1)
        pattern = -top if lowest < 0 else top
        assert not_a_number == (0 if single and top < 1 << 60 else pattern)


def test_conversions_from_integers() -> None:
    values = [0, 1, 2**24 + 1, 2**24 + 3, 2**31 - 1, 2**53 + 1, 2**53 + 3, 2**62 + 1, 2**63 - 1]
    values += [-x for x in values]
    for target in ("float", "double"):
        actual = numbers([f"__ll2{target}_{m}(given({x}ll))" for x in values for m in MODES])
        for (x, mode), y in zip(itertools.product(values, MODES), actual, strict=True):
            assert y == rounded(Fraction(x), mode, target == "float"), (x, mode)
    small = [x for x in values if abs(x) < 2**31]
    actual = numbers([f"__int2float_{m}(given({x}))" for x in small for m in MODES])
    for (x, mode), y in zip(itertools.product(small, MODES), actual, strict=True):
        assert y == rounded(Fraction(x), mode, single=True)
    assert numbers(["__int2double_rn(given(-7))", "__uint2double_rn(given(4294967295u))"]) == [
        -7,
        2**32 - 1,
    ]
    actual = numbers(
        ["__ull2double_rd(given(18446744073709551615ull))", "__ull2float_ru(given(1ull))"]
    )
    assert actual == [float(2**64 - 2**11), 1.0]


def test_bit_patterns() -> None:
    bits = struct.unpack("<q", struct.pack("<d", -1.1))[0]
    lines = evaluate(
        ["__double_as_longlong(given(-1.1))", "__float_as_int(given(1.0f))"], "long long"
    )
    assert [int(line) for line in lines] == [bits, 0x3F800000]
    high, low = evaluate(["__double2hiint(given(-1.1))", "__double2loint(given(-1.1))"], "int")
    assert int(high) == bits >> 32
    assert int(low) & 0xFFFFFFFF == bits & 0xFFFFFFFF
    assert numbers(
        [
            f"__hiloint2double(given({high}), given({low}))",
            f"__longlong_as_double(given({bits}ll))",
            "__int_as_float(given(0x3F800000))",
            "__uint_as_float(given(0xC0000000u))",
        ]
    ) == [-1.1, -1.1, 1.0, -2.0]


# Integers ------------------------------------------------------------------------------------


def signed_of(x: int, bits: int = 32) -> int:
    x &= (1 << bits) - 1
    return x - (1 << bits) if x >> (bits - 1) else x


def byte_perm(x: int, y: int, selectors: int) -> int:
    data = (y << 32 | x).to_bytes(8, "little")
    result = 0
    for i in range(4):
        selector = selectors >> 4 * i & 15
        byte = data[selector & 7]
        if selector & 8:
            byte = 0xFF if byte & 0x80 else 0
        result |= byte << 8 * i
    return result


def test_integer_intrinsics() -> None:
    rng = random.Random(3)
    words = [0, 1, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFF, 0x00F0F000]
    words += [rng.getrandbits(32) for _ in range(6)]
    cases: list[tuple[str, int]] = []
    for x in words:
        s = signed_of(x)
        cases += [
            (f"__clz({s})", 32 - x.bit_length()),
            (f"__ffs({s})", (x & -x).bit_length()),
            (f"__popc({x}u)", x.bit_count()),
            (f"__brev({x}u)", int(f"{x:032b}"[::-1], 2)),
        ]
    for x, y in itertools.pairwise(words):
        s, t = signed_of(x), signed_of(y)
        shift = rng.randrange(70)
        selectors = rng.getrandbits(16)
        left = lambda count, x=x, y=y: (y << 32 | x) << count >> 32 & 0xFFFFFFFF  # noqa: E731
        right = lambda count, x=x, y=y: (y << 32 | x) >> count & 0xFFFFFFFF  # noqa: E731
        cases += [
            (f"__umulhi({x}u, {y}u)", x * y >> 32),
            (f"__mulhi({s}, {t})", s * t >> 32),
            (f"__umul24({x}u, {y}u)", (x & 0xFFFFFF) * (y & 0xFFFFFF)),
            (f"__mul24({s}, {t})", signed_of(x & 0xFFFFFF, 24) * signed_of(y & 0xFFFFFF, 24)),
            (f"__sad({s}, {t}, 5u)", abs(s - t) + 5),
            (f"__usad({x}u, {y}u, 5u)", abs(x - y) + 5),
            (f"__hadd({s}, {t})", (s + t) >> 1),
            (f"__rhadd({s}, {t})", (s + t + 1) >> 1),
            (f"__uhadd({x}u, {y}u)", (x + y) >> 1),
            (f"__urhadd({x}u, {y}u)", (x + y + 1) >> 1),
            (f"__byte_perm({x}u, {y}u, {selectors}u)", byte_perm(x, y, selectors)),
            (f"__funnelshift_l({x}u, {y}u, {shift}u)", left(shift & 31)),
            (f"__funnelshift_r({x}u, {y}u, {shift}u)", right(shift & 31)),
            (f"__funnelshift_lc({x}u, {y}u, {shift}u)", left(min(shift, 32))),
            (f"__funnelshift_rc({x}u, {y}u, {shift}u)", right(min(shift, 32))),
        ]
    # The least int has no literal of its own
    texts = [text.replace("-2147483648", "(-2147483647 - 1)") for text, _ in cases]
    actual = [int(line) for line in evaluate(texts, "unsigned")]
    for (text, expected), y in zip(cases, actual, strict=True):
        assert y == expected & 0xFFFFFFFF, text


def test_integer_intrinsics_of_64_bits() -> None:
    rng = random.Random(4)
    words = [0, 1, 1 << 63, *(rng.getrandbits(64) for _ in range(6))]
    cases: list[tuple[str, int]] = []
    for x, y in itertools.pairwise(words):
        cases += [
            (f"__clzll((long long){x}ull)", 64 - x.bit_length()),
            (f"__ffsll((long long){x}ull)", (x & -x).bit_length()),
            (f"__popcll({x}ull)", x.bit_count()),
            (f"__brevll({x}ull)", int(f"{x:064b}"[::-1], 2)),
            (f"__umul64hi({x}ull, {y}ull)", x * y >> 64),
            (
                f"__mul64hi((long long){x}ull, (long long){y}ull)",
                signed_of(x, 64) * signed_of(y, 64) >> 64,
            ),
        ]
    actual = [int(line) for line in evaluate([text for text, _ in cases], "unsigned long long")]
    for (text, expected), y in zip(cases, actual, strict=True):
        assert y == expected & (1 << 64) - 1, text


def test_min_and_max_of_mixed_types() -> None:
    lines = evaluate(
        [
            "min(-1, 2)",
            "min(-1, 2u)",  # -1 is converted
            "max(-1, 2u)",
            "max(3ll, -4ll)",
            "min(3ul, 4l)",
            "umax(1u, 2u)",
            "llmin(-1ll, 2ll)",
            "(long long)max(1.5f, 2.25)",
            "__fns(0xF0u, 0u, 2)",
            "__fns(0xF0u, 31u, -1)",
            "__dp4a(0x01020304, 0x01010101, 10)",
        ],
        "long long",
    )
    assert [int(line) for line in lines] == [-1, 2, 4294967295, 3, 3, 2, -1, 2, 5, 7, 20]


def test_cached_loads_and_stores() -> None:
    done = compile_and_run("""
        #include <cuda_runtime.h>
        #include <cstdio>
        __global__ void kernel(double* x, const int* y) {
            __stcg(x, __ldcg(x) + 1);
            __stwt(x, __ldcs(x) + __ldg(y));
            printf("%g\\n", *x);
        }
        int main() {
            double* x; int* y;
            cudaMalloc(&x, sizeof *x); cudaMalloc(&y, sizeof *y);
            cudaMemset(x, 0, sizeof *x); cudaMemset(y, 0, sizeof *y);
            kernel<<<1, 1>>>(x, y);
            return cudaDeviceSynchronize();
        }
    """)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
