// Atomic functions. Only one thread of the emulator runs at a time, so they are plain ones,
// except that a thread which waits for another by atomics has to let it run.
#ifndef CUDA_EMULATOR_ATOMICS_H
#define CUDA_EMULATOR_ATOMICS_H

#include <string.h>

namespace cuda_emulator {

// For instrumented code (see runtime/check.cpp): this is no ordinary access.
void note_atomic(const void* address, unsigned bytes);

// Called when an atomic operation leaves memory as it was: perhaps the thread spins.
void may_spin();

template <class T, class New>
__attribute__((no_sanitize_thread)) T update(T* address, New next) {
    note_atomic(address, sizeof(T));
    const T old = *address;
    const T replacement = next(old);
    *address = replacement;
    if (memcmp(&old, &replacement, sizeof(T)) == 0) may_spin();
    return old;
}

}  // namespace cuda_emulator

#define CUDA_EMULATOR_ATOMIC(name, type, expression)                                        \
    inline type name(type* address, type value) {                                           \
        return cuda_emulator::update(address, [value](type old) { return static_cast<type>(expression); }); \
    }                                                                                       \
    inline type name##_block(type* address, type value) { return name(address, value); }    \
    inline type name##_system(type* address, type value) { return name(address, value); }

#define CUDA_EMULATOR_ATOMICS(type)                             \
    CUDA_EMULATOR_ATOMIC(atomicAdd, type, old + value)          \
    CUDA_EMULATOR_ATOMIC(atomicExch, type, ((void)old, value))
CUDA_EMULATOR_ATOMICS(int)
CUDA_EMULATOR_ATOMICS(unsigned int)
CUDA_EMULATOR_ATOMICS(unsigned long long)
CUDA_EMULATOR_ATOMICS(float)
#undef CUDA_EMULATOR_ATOMICS
CUDA_EMULATOR_ATOMIC(atomicAdd, double, old + value)

CUDA_EMULATOR_ATOMIC(atomicSub, int, old - value)
CUDA_EMULATOR_ATOMIC(atomicSub, unsigned int, old - value)
CUDA_EMULATOR_ATOMIC(atomicInc, unsigned int, old >= value ? 0 : old + 1)
CUDA_EMULATOR_ATOMIC(atomicDec, unsigned int, old == 0 || old > value ? value : old - 1)

#define CUDA_EMULATOR_ATOMICS(type)                                    \
    CUDA_EMULATOR_ATOMIC(atomicMin, type, value < old ? value : old)   \
    CUDA_EMULATOR_ATOMIC(atomicMax, type, value > old ? value : old)   \
    CUDA_EMULATOR_ATOMIC(atomicAnd, type, old & value)                 \
    CUDA_EMULATOR_ATOMIC(atomicOr, type, old | value)                  \
    CUDA_EMULATOR_ATOMIC(atomicXor, type, old ^ value)
CUDA_EMULATOR_ATOMICS(int)
CUDA_EMULATOR_ATOMICS(unsigned int)
CUDA_EMULATOR_ATOMICS(unsigned long long)
#undef CUDA_EMULATOR_ATOMICS
CUDA_EMULATOR_ATOMIC(atomicMin, long long, value < old ? value : old)
CUDA_EMULATOR_ATOMIC(atomicMax, long long, value > old ? value : old)
#undef CUDA_EMULATOR_ATOMIC

#define CUDA_EMULATOR_CAS(type)                                                              \
    inline type atomicCAS(type* address, type compare, type value) {                         \
        return cuda_emulator::update(                                                        \
            address, [=](type old) { return static_cast<type>(old == compare ? value : old); });          \
    }                                                                                        \
    inline type atomicCAS_block(type* address, type compare, type value) {                   \
        return atomicCAS(address, compare, value);                                           \
    }                                                                                        \
    inline type atomicCAS_system(type* address, type compare, type value) {                  \
        return atomicCAS(address, compare, value);                                           \
    }
CUDA_EMULATOR_CAS(int)
CUDA_EMULATOR_CAS(unsigned int)
CUDA_EMULATOR_CAS(unsigned long long)
CUDA_EMULATOR_CAS(unsigned short)
#undef CUDA_EMULATOR_CAS

#endif
