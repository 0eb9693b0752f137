// cuRAND's device API without NVIDIA's header: the same functions, all on Philox4x32-10. Other
// numbers than a card's, but numbers of the same distributions.
#ifndef CUDA_EMULATOR_CURAND_FALLBACK_KERNEL_H
#define CUDA_EMULATOR_CURAND_FALLBACK_KERNEL_H

#include "curand.h"

#include "cuda_emulator/philox.h"

struct curandStateXORWOW : cuda_emulator::Philox {};
struct curandStateMRG32k3a : cuda_emulator::Philox {};
struct curandStatePhilox4_32_10 : cuda_emulator::Philox {};
typedef curandStateXORWOW curandState;
typedef curandStateXORWOW curandState_t;
typedef curandStateXORWOW curandStateXORWOW_t;
typedef curandStateMRG32k3a curandStateMRG32k3a_t;
typedef curandStatePhilox4_32_10 curandStatePhilox4_32_10_t;

inline void curand_init(unsigned long long seed, unsigned long long subsequence,
                        unsigned long long offset, cuda_emulator::Philox* state) {
    state->start(seed, subsequence, offset);
}
inline void skipahead(unsigned long long n, cuda_emulator::Philox* state) {
    state->move_to(state->position() + n);
}
inline void skipahead_sequence(unsigned long long n, cuda_emulator::Philox* state) {
    const unsigned long long sequence =
        (static_cast<unsigned long long>(state->counter[3]) << 32 | state->counter[2]) + n;
    state->counter[2] = static_cast<unsigned int>(sequence);
    state->counter[3] = static_cast<unsigned int>(sequence >> 32);
    state->move_to(state->position());
}
inline void skipahead_subsequence(unsigned long long n, cuda_emulator::Philox* state) {
    skipahead_sequence(n, state);
}

inline unsigned int curand(cuda_emulator::Philox* state) { return state->next(); }
inline uint4 curand4(cuda_emulator::Philox* state) {
    uint4 result;
    result.x = state->next();
    result.y = state->next();
    result.z = state->next();
    result.w = state->next();
    return result;
}

inline float curand_uniform(cuda_emulator::Philox* state) { return state->uniform(); }
inline float4 curand_uniform4(cuda_emulator::Philox* state) {
    float4 result;
    result.x = state->uniform();
    result.y = state->uniform();
    result.z = state->uniform();
    result.w = state->uniform();
    return result;
}
inline double curand_uniform_double(cuda_emulator::Philox* state) {
    return state->uniform_double();
}
inline double2 curand_uniform2_double(cuda_emulator::Philox* state) {
    double2 result;
    result.x = state->uniform_double();
    result.y = state->uniform_double();
    return result;
}

inline float curand_normal(cuda_emulator::Philox* state) { return state->normal(); }
inline double curand_normal_double(cuda_emulator::Philox* state) {
    return state->normal_double();
}
inline double2 curand_normal2_double(cuda_emulator::Philox* state) {
    double2 result;
    state->normal_pair(&result.x, &result.y);
    return result;
}
inline float2 curand_normal2(cuda_emulator::Philox* state) {
    const double2 pair = curand_normal2_double(state);
    float2 result;
    result.x = static_cast<float>(pair.x);
    result.y = static_cast<float>(pair.y);
    return result;
}
inline float4 curand_normal4(cuda_emulator::Philox* state) {
    const float2 first = curand_normal2(state), second = curand_normal2(state);
    float4 result;
    result.x = first.x;
    result.y = first.y;
    result.z = second.x;
    result.w = second.y;
    return result;
}

inline float curand_log_normal(cuda_emulator::Philox* state, float mean, float stddev) {
    return expf(mean + stddev * curand_normal(state));
}
inline float2 curand_log_normal2(cuda_emulator::Philox* state, float mean, float stddev) {
    float2 result = curand_normal2(state);
    result.x = expf(mean + stddev * result.x);
    result.y = expf(mean + stddev * result.y);
    return result;
}
inline float4 curand_log_normal4(cuda_emulator::Philox* state, float mean, float stddev) {
    const float2 first = curand_log_normal2(state, mean, stddev);
    const float2 second = curand_log_normal2(state, mean, stddev);
    float4 result;
    result.x = first.x;
    result.y = first.y;
    result.z = second.x;
    result.w = second.y;
    return result;
}
inline double curand_log_normal_double(cuda_emulator::Philox* state, double mean, double stddev) {
    return exp(mean + stddev * curand_normal_double(state));
}
inline double2 curand_log_normal2_double(cuda_emulator::Philox* state, double mean,
                                         double stddev) {
    double2 result = curand_normal2_double(state);
    result.x = exp(mean + stddev * result.x);
    result.y = exp(mean + stddev * result.y);
    return result;
}

inline unsigned int curand_poisson(cuda_emulator::Philox* state, double lambda) {
    return state->poisson(lambda);
}
inline uint4 curand_poisson4(cuda_emulator::Philox* state, double lambda) {
    uint4 result;
    result.x = state->poisson(lambda);
    result.y = state->poisson(lambda);
    result.z = state->poisson(lambda);
    result.w = state->poisson(lambda);
    return result;
}

#endif
