// Integer intrinsics, bit patterns, and loads and stores with cache hints. All are plain inline
// functions at global scope, as in the toolkit.
#ifndef CUDA_EMULATOR_MATH_INTEGER_H
#define CUDA_EMULATOR_MATH_INTEGER_H

inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned int>(x)); }
inline int __clzll(long long x) {
    return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x));
}
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline int __popc(unsigned int x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }

inline unsigned int __brev(unsigned int x) {
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0F0F0F0Fu) | (x & 0x0F0F0F0Fu) << 4;
    return __builtin_bswap32(x);
}
inline unsigned long long __brevll(unsigned long long x) {
    return static_cast<unsigned long long>(__brev(static_cast<unsigned int>(x))) << 32
           | __brev(static_cast<unsigned int>(x >> 32));
}

/// The position of the `offset`-th set bit at or after (`offset` > 0), or at or before
/// (`offset` < 0), bit `base`; 0xFFFFFFFF when there is none.
inline unsigned int __fns(unsigned int mask, unsigned int base, int offset) {
    const int step = offset < 0 ? -1 : 1;
    int wanted = offset < 0 ? -offset : offset;
    if (wanted == 0)
        return base < 32 && (mask >> base & 1u) ? base : 0xFFFFFFFFu;
    for (int bit = static_cast<int>(base); bit >= 0 && bit < 32; bit += step)
        if ((mask >> bit & 1u) && --wanted == 0)
            return static_cast<unsigned int>(bit);
    return 0xFFFFFFFFu;
}

inline int __mulhi(int x, int y) {
    return static_cast<int>(static_cast<long long>(x) * y >> 32);
}
inline unsigned int __umulhi(unsigned int x, unsigned int y) {
    return static_cast<unsigned int>(static_cast<unsigned long long>(x) * y >> 32);
}
inline long long __mul64hi(long long x, long long y) {
    return static_cast<long long>(static_cast<__int128>(x) * y >> 64);
}
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
    return static_cast<unsigned long long>(static_cast<unsigned __int128>(x) * y >> 64);
}
inline int mulhi(int x, int y) { return __mulhi(x, y); }
inline unsigned int mulhi(unsigned int x, unsigned int y) { return __umulhi(x, y); }
inline long long mul64hi(long long x, long long y) { return __mul64hi(x, y); }
inline unsigned long long mul64hi(unsigned long long x, unsigned long long y) {
    return __umul64hi(x, y);
}

// The low 24 bits of each factor, sign extended for the signed form.
inline unsigned int __umul24(unsigned int x, unsigned int y) {
    return (x & 0xFFFFFFu) * (y & 0xFFFFFFu);
}
inline int __mul24(int x, int y) {
    const int a = static_cast<int>(static_cast<unsigned int>(x) << 8) >> 8;
    const int b = static_cast<int>(static_cast<unsigned int>(y) << 8) >> 8;
    return static_cast<int>(static_cast<unsigned int>(a) * static_cast<unsigned int>(b));
}

inline unsigned int __sad(int x, int y, unsigned int z) {
    const unsigned int a = static_cast<unsigned int>(x);
    const unsigned int b = static_cast<unsigned int>(y);
    return z + (x > y ? a - b : b - a);
}
inline unsigned int __usad(unsigned int x, unsigned int y, unsigned int z) {
    return z + (x > y ? x - y : y - x);
}

// Averages without overflow: h rounds down, rh rounds up.
inline int __hadd(int x, int y) {
    return static_cast<int>((static_cast<long long>(x) + y) >> 1);
}
inline int __rhadd(int x, int y) {
    return static_cast<int>((static_cast<long long>(x) + y + 1) >> 1);
}
inline unsigned int __uhadd(unsigned int x, unsigned int y) {
    return static_cast<unsigned int>((static_cast<unsigned long long>(x) + y) >> 1);
}
inline unsigned int __urhadd(unsigned int x, unsigned int y) {
    return static_cast<unsigned int>((static_cast<unsigned long long>(x) + y + 1) >> 1);
}

/// Picks four of the eight bytes of y:x; bit 3 of a selector repeats the byte's sign bit instead.
inline unsigned int __byte_perm(unsigned int x, unsigned int y, unsigned int selectors) {
    const unsigned long long bytes = static_cast<unsigned long long>(y) << 32 | x;
    unsigned int result = 0;
    for (int i = 0; i < 4; ++i) {
        const unsigned int selector = selectors >> (4 * i);
        unsigned int byte = static_cast<unsigned int>(bytes >> (8 * (selector & 7u))) & 0xFFu;
        if (selector & 8u)
            byte = byte & 0x80u ? 0xFFu : 0;
        result |= byte << (8 * i);
    }
    return result;
}

// Shifts of the 64 bits high:low. The plain forms take the count modulo 32, the c forms clamp it.
inline unsigned int __funnelshift_l(unsigned int low, unsigned int high, unsigned int shift) {
    const unsigned long long both = static_cast<unsigned long long>(high) << 32 | low;
    return static_cast<unsigned int>(both << (shift & 31u) >> 32);
}
inline unsigned int __funnelshift_lc(unsigned int low, unsigned int high, unsigned int shift) {
    return shift >= 32 ? low : __funnelshift_l(low, high, shift);
}
inline unsigned int __funnelshift_r(unsigned int low, unsigned int high, unsigned int shift) {
    const unsigned long long both = static_cast<unsigned long long>(high) << 32 | low;
    return static_cast<unsigned int>(both >> (shift & 31u));
}
inline unsigned int __funnelshift_rc(unsigned int low, unsigned int high, unsigned int shift) {
    return shift >= 32 ? high : __funnelshift_r(low, high, shift);
}

// Dot products of packed bytes, added to c.
inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 4; ++i)
        c += static_cast<signed char>(a >> (8 * i)) * static_cast<signed char>(b >> (8 * i));
    return c;
}
inline unsigned int __dp4a(unsigned int a, unsigned int b, unsigned int c) {
    for (int i = 0; i < 4; ++i)
        c += (a >> (8 * i) & 0xFFu) * (b >> (8 * i) & 0xFFu);
    return c;
}

// Bit patterns.
namespace cuda_emulator {
template <typename To, typename From>
inline To bit_pattern(From from) {
    static_assert(sizeof(To) == sizeof(From), "a bit pattern keeps its size");
    To to;
    __builtin_memcpy(&to, &from, sizeof(to));
    return to;
}
}  // namespace cuda_emulator

inline int __float_as_int(float x) { return cuda_emulator::bit_pattern<int>(x); }
inline unsigned int __float_as_uint(float x) { return cuda_emulator::bit_pattern<unsigned int>(x); }
inline float __int_as_float(int x) { return cuda_emulator::bit_pattern<float>(x); }
inline float __uint_as_float(unsigned int x) { return cuda_emulator::bit_pattern<float>(x); }
inline long long __double_as_longlong(double x) { return cuda_emulator::bit_pattern<long long>(x); }
inline double __longlong_as_double(long long x) { return cuda_emulator::bit_pattern<double>(x); }
inline int __double2hiint(double x) { return static_cast<int>(__double_as_longlong(x) >> 32); }
inline int __double2loint(double x) { return static_cast<int>(__double_as_longlong(x)); }
inline double __hiloint2double(int high, int low) {
    return __longlong_as_double(static_cast<long long>(
        static_cast<unsigned long long>(static_cast<unsigned int>(high)) << 32
        | static_cast<unsigned int>(low)));
}

// Cache hints change no value.
template <typename T> inline T __ldg(const T* pointer) { return *pointer; }
template <typename T> inline T __ldcg(const T* pointer) { return *pointer; }
template <typename T> inline T __ldca(const T* pointer) { return *pointer; }
template <typename T> inline T __ldcs(const T* pointer) { return *pointer; }
template <typename T> inline T __ldlu(const T* pointer) { return *pointer; }
template <typename T> inline T __ldcv(const T* pointer) { return *pointer; }
namespace cuda_emulator {
template <typename T> struct Same { using type = T; };
}  // namespace cuda_emulator
template <typename T>
inline void __stwb(T* pointer, typename cuda_emulator::Same<T>::type value) { *pointer = value; }
template <typename T>
inline void __stcg(T* pointer, typename cuda_emulator::Same<T>::type value) { *pointer = value; }
template <typename T>
inline void __stcs(T* pointer, typename cuda_emulator::Same<T>::type value) { *pointer = value; }
template <typename T>
inline void __stwt(T* pointer, typename cuda_emulator::Same<T>::type value) { *pointer = value; }

// min and max as the toolkit overloads them: of a signed and an unsigned one the signed is
// converted, as the usual arithmetic conversions would.
#define CUDA_EMULATOR_MIN_MAX(RESULT, A, B)                                                        \
    inline RESULT min(A a, B b)                                                                    \
    {                                                                                              \
        return static_cast<RESULT>(a) < static_cast<RESULT>(b) ? static_cast<RESULT>(a)            \
                                                               : static_cast<RESULT>(b);           \
    }                                                                                              \
    inline RESULT max(A a, B b)                                                                    \
    {                                                                                              \
        return static_cast<RESULT>(a) > static_cast<RESULT>(b) ? static_cast<RESULT>(a)            \
                                                               : static_cast<RESULT>(b);           \
    }
#define CUDA_EMULATOR_MIN_MAX_INTEGER(SIGNED, UNSIGNED)                                            \
    CUDA_EMULATOR_MIN_MAX(SIGNED, SIGNED, SIGNED)                                                  \
    CUDA_EMULATOR_MIN_MAX(UNSIGNED, UNSIGNED, UNSIGNED)                                            \
    CUDA_EMULATOR_MIN_MAX(UNSIGNED, SIGNED, UNSIGNED)                                              \
    CUDA_EMULATOR_MIN_MAX(UNSIGNED, UNSIGNED, SIGNED)
CUDA_EMULATOR_MIN_MAX_INTEGER(int, unsigned int)
CUDA_EMULATOR_MIN_MAX_INTEGER(long, unsigned long)
CUDA_EMULATOR_MIN_MAX_INTEGER(long long, unsigned long long)
#undef CUDA_EMULATOR_MIN_MAX_INTEGER
#undef CUDA_EMULATOR_MIN_MAX

inline unsigned int umin(unsigned int a, unsigned int b) { return min(a, b); }
inline unsigned int umax(unsigned int a, unsigned int b) { return max(a, b); }
inline long long llmin(long long a, long long b) { return min(a, b); }
inline long long llmax(long long a, long long b) { return max(a, b); }
inline unsigned long long ullmin(unsigned long long a, unsigned long long b) { return min(a, b); }
inline unsigned long long ullmax(unsigned long long a, unsigned long long b) { return max(a, b); }

#endif
