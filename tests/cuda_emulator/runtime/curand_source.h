// Where the numbers of cuRAND's host API come from.
#ifndef CUDA_EMULATOR_CURAND_SOURCE_H
#define CUDA_EMULATOR_CURAND_SOURCE_H

#include <curand.h>

#include <cstddef>
#include <memory>

namespace cuda_emulator {

// What one generating function is asked for.
struct RandomRequest {
    enum Kind {
        bits,
        bits64,
        uniform,
        uniform_double,
        normal,
        normal_double,
        log_normal,
        log_normal_double,
        poisson
    } kind;
    size_t n;
    double first = 0;   // mean, or lambda
    double second = 0;  // standard deviation

    bool wide() const {
        return kind == bits64 || kind == uniform_double || kind == normal_double ||
               kind == log_normal_double;
    }
    bool gaussian() const { return kind >= normal && kind <= log_normal_double; }
    size_t element_bytes() const { return wide() ? 8 : 4; }
    size_t bytes() const { return n * element_bytes(); }
};

class RandomSource {
public:
    virtual ~RandomSource() = default;
    virtual curandStatus_t seed(unsigned long long value) = 0;
    virtual curandStatus_t offset(unsigned long long value) = 0;
    virtual curandStatus_t ordering(curandOrdering_t value) = 0;
    virtual curandStatus_t dimensions(unsigned int value) = 0;
    virtual curandStatus_t generate(const RandomRequest& request, void* output) = 0;
};

// NVIDIA's library, whose generators of the CPU need no card; nullptr where it is not installed.
// It is looked for when the first generator is made: at the path in CUDA_EMULATOR_CURAND ("off":
// nowhere), or else where it was when the runtime was built.
struct CurandLibrary;
const CurandLibrary* curand_library();

// A generator of that library, or without it one on Philox.
curandStatus_t make_random_source(curandRngType_t type, std::unique_ptr<RandomSource>* source);

}  // namespace cuda_emulator

#endif
