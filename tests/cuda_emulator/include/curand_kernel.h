// cuRAND's device functions: NVIDIA's own header where it is found, or else
// curand_fallback/curand_kernel.h. This one makes NVIDIA's one digestible for a C++ compiler.
#ifndef CUDA_EMULATOR_CURAND_KERNEL_H
#define CUDA_EMULATOR_CURAND_KERNEL_H

#include <math.h>
#include <memory.h>
#include <stdlib.h>
#include <string.h>
#include <type_traits>

#include "cuda_runtime.h"
#include "library_types.h"
#include "nv/target"

namespace cuda_emulator {
namespace ptx {

enum class Instruction { rsqrt, exp2, log2, reciprocal, multiply, multiply_add };

constexpr bool begins(const char* text, const char* name) {
    while (*name)
        if (*text++ != *name++) return false;
    return true;
}

// Which instruction the text of an asm statement is; not a constant for one that is not known.
constexpr Instruction instruction(const char* text) {
    if (begins(text, "\"rsqrt.approx.f32.ftz ")) return Instruction::rsqrt;
    if (begins(text, "\"ex2.approx.f32.ftz ")) return Instruction::exp2;
    if (begins(text, "\"lg2.approx.f32.ftz ")) return Instruction::log2;
    if (begins(text, "\"rcp.approx.f32.ftz ")) return Instruction::reciprocal;
    if (begins(text, "\"mul.wide.u32 ")) return Instruction::multiply;
    if (begins(text, "\"mad.wide.u32 ")) return Instruction::multiply_add;
    throw "an instruction that the emulator does not know";
}

// The card approximates these to about 2^-22 and takes subnormal numbers as zero.
template <Instruction which>
inline float unary(float x) {
    switch (which) {
    case Instruction::rsqrt:
        return rsqrtf(x);
    case Instruction::exp2:
        return exp2f(x);
    case Instruction::log2:
        return log2f(x);
    default:
        static_assert(which <= Instruction::reciprocal, "an instruction of one operand");
        return 1.0f / x;
    }
}

}  // namespace ptx
}  // namespace cuda_emulator

// NVIDIA's headers hold machine instructions of three shapes, always on variables of the same
// names: a = op(a), r = a b, and r = a b + c; their operands' lists have one, two and three parts.
#define asm(...)                                                                                   \
    CUDA_EMULATOR_PTX_SHAPE(__VA_ARGS__, CUDA_EMULATOR_PTX_MAD, CUDA_EMULATOR_PTX_MUL,             \
                            CUDA_EMULATOR_PTX_UNARY, )                                             \
    (#__VA_ARGS__)
#define CUDA_EMULATOR_PTX_SHAPE(A, B, C, SHAPE, ...) SHAPE
#define CUDA_EMULATOR_PTX_UNARY(TEXT)                                                              \
    a = ::cuda_emulator::ptx::unary<::cuda_emulator::ptx::instruction(TEXT)>(a)
#define CUDA_EMULATOR_PTX_MUL(TEXT)                                                                \
    static_assert(::cuda_emulator::ptx::instruction(TEXT)                                          \
                  == ::cuda_emulator::ptx::Instruction::multiply, TEXT);                           \
    r = static_cast<unsigned long long>(a) * b
#define CUDA_EMULATOR_PTX_MAD(TEXT)                                                                \
    static_assert(::cuda_emulator::ptx::instruction(TEXT)                                          \
                  == ::cuda_emulator::ptx::Instruction::multiply_add, TEXT);                       \
    r = static_cast<unsigned long long>(a) * b + c

#ifndef __NV_SILENCE_DEPRECATION_BEGIN
#define __NV_SILENCE_DEPRECATION_BEGIN
#define __NV_SILENCE_DEPRECATION_END
#define CUDA_EMULATOR_SILENCE_DEFINED
#endif

// In host code the header declares the built-in variables anew, with other types.
#ifndef __CUDA_ARCH__
#define __CUDA_ARCH__ 0
#define CUDA_EMULATOR_ARCH_DEFINED
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include_next <curand_kernel.h>
#pragma GCC diagnostic pop

#ifdef CUDA_EMULATOR_ARCH_DEFINED
#undef __CUDA_ARCH__
#undef CUDA_EMULATOR_ARCH_DEFINED
#endif
#ifdef CUDA_EMULATOR_SILENCE_DEFINED
#undef __NV_SILENCE_DEPRECATION_BEGIN
#undef __NV_SILENCE_DEPRECATION_END
#undef CUDA_EMULATOR_SILENCE_DEFINED
#endif
#undef asm
#undef CUDA_EMULATOR_PTX_SHAPE
#undef CUDA_EMULATOR_PTX_UNARY
#undef CUDA_EMULATOR_PTX_MUL
#undef CUDA_EMULATOR_PTX_MAD

#endif
