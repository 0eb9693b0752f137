// cuRAND's host API. The numbers are those of a generator of the CPU; NVIDIA documents that it
// gives the same sequence as one of the card. They come to device memory in a kernel of one
// thread, so that stream order, capture, strict mode and faults are as with any kernel.
#include <curand.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cuda_emulator/launch.h"
#include "cuda_emulator/report.h"
#include "curand_source.h"
#include "device.h"
#include "memory.h"

namespace cuda_emulator {

struct RandomGenerator {
    curandRngType_t type;
    bool on_host;
    int device = 0;
    cudaStream_t stream = nullptr;
    unsigned int dimensions = 1;
    void* state = nullptr;  // device memory that a card's generator would keep its state in
    bool destroyed = false;
    std::unique_ptr<RandomSource> source;
    std::vector<char> numbers;  // on their way

    bool quasi() const { return type >= CURAND_RNG_QUASI_DEFAULT; }
    bool quasi64() const {
        return type == CURAND_RNG_QUASI_SOBOL64 || type == CURAND_RNG_QUASI_SCRAMBLED_SOBOL64;
    }

    // An estimate: the states of as many threads as NVIDIA documents that take part.
    size_t state_bytes() const {
        switch (type) {
            case CURAND_RNG_PSEUDO_MRG32K3A: return size_t(81920) * 72;
            case CURAND_RNG_PSEUDO_MTGP32: return size_t(64) * 8192;
            case CURAND_RNG_PSEUDO_MT19937: return size_t(8192) * 2500;
            case CURAND_RNG_PSEUDO_PHILOX4_32_10: return size_t(65536) * 64;
            case CURAND_RNG_QUASI_SOBOL64:
            case CURAND_RNG_QUASI_SCRAMBLED_SOBOL64: return size_t(dimensions) * 65 * 8;
            default: return quasi() ? size_t(dimensions) * 33 * 4 : size_t(4096) * 48;
        }
    }
};

// The one thread of the kernel. What it is given keeps the generator alive, also in a graph.
void curand_generate(std::shared_ptr<RandomGenerator> generator, RandomRequest request,
                     void* output) {
    if (generator->destroyed)
        device_fault(cudaErrorIllegalAddress, "cuRAND: the generator was destroyed");
    const uintptr_t address = reinterpret_cast<uintptr_t>(output);
    if (address % request.element_bytes())
        device_fault(cudaErrorMisalignedAddress, "cuRAND: the output is misaligned");
    if (!is_device_memory(output, request.bytes())) {
        char text[160];
        std::snprintf(text, sizeof text, "cuRAND: %zu bytes at %p are no device memory ",
                      request.bytes(), output);
        device_fault(cudaErrorIllegalAddress, (text + describe_address(output)).c_str());
    }
    generator->numbers.resize(request.bytes());
    if (generator->source->generate(request, generator->numbers.data()) != CURAND_STATUS_SUCCESS)
        device_fault(cudaErrorLaunchFailure, "cuRAND: NVIDIA's library generates no numbers");
    std::memcpy(output, generator->numbers.data(), request.bytes());
    // Big arrays are drawn once, mostly
    if (request.bytes() > (size_t(1) << 24)) std::vector<char>().swap(generator->numbers);
}

namespace {

using Pointer = std::shared_ptr<RandomGenerator>;
using Guard = std::lock_guard<std::recursive_mutex>;

// A handle is the address of its generator.
std::set<Pointer>& generators() {
    static auto* all = new std::set<Pointer>;
    return *all;
}

Pointer find(curandGenerator_t handle) {
    for (const Pointer& generator : generators())
        if (static_cast<void*>(generator.get()) == static_cast<void*>(handle)) return generator;
    return nullptr;
}

curandStatus_t create(curandGenerator_t* handle, curandRngType_t type, bool on_host) {
    const Guard guard(lock());
    if (!handle) return CURAND_STATUS_NOT_INITIALIZED;
    *handle = nullptr;
    auto generator = std::make_shared<RandomGenerator>();
    generator->on_host = on_host;
    if (type == CURAND_RNG_PSEUDO_DEFAULT) type = CURAND_RNG_PSEUDO_XORWOW;
    if (type == CURAND_RNG_QUASI_DEFAULT) type = CURAND_RNG_QUASI_SOBOL32;
    generator->type = type;
    if (!on_host) {
        if (entry_error() != cudaSuccess) return CURAND_STATUS_INITIALIZATION_FAILED;
        use_device();
        generator->device = current_device();
    }
    const curandStatus_t status = make_random_source(type, &generator->source);
    if (status != CURAND_STATUS_SUCCESS) return status;
    *handle = reinterpret_cast<curandGenerator_t>(generator.get());
    generators().insert(std::move(generator));
    return CURAND_STATUS_SUCCESS;
}

void free_state(RandomGenerator& generator) {
    if (generator.state) cudaFree(generator.state);
    generator.state = nullptr;
}

// What a card does before the first numbers, and again when a setting has changed. In a captured
// stream cudaMalloc() fails: seeds are generated before.
curandStatus_t generate_seeds(RandomGenerator& generator) {
    if (generator.on_host || generator.state) return CURAND_STATUS_SUCCESS;
    if (entry_error() != cudaSuccess) return CURAND_STATUS_PREEXISTING_FAILURE;
    if (current_device() != generator.device) return CURAND_STATUS_LAUNCH_FAILURE;
    if (cudaMalloc(&generator.state, generator.state_bytes()) != cudaSuccess) {
        generator.state = nullptr;
        return CURAND_STATUS_ALLOCATION_FAILED;
    }
    return CURAND_STATUS_SUCCESS;
}

// Settings make a card's generator begin anew.
template <class Set>
curandStatus_t change(curandGenerator_t handle, const Set& set) {
    const Guard guard(lock());
    const Pointer generator = find(handle);
    if (!generator) return CURAND_STATUS_NOT_INITIALIZED;
    const curandStatus_t status = set(*generator);
    if (status == CURAND_STATUS_SUCCESS) free_state(*generator);
    return status;
}

curandStatus_t check(const RandomGenerator& generator, const RandomRequest& request) {
    if ((request.kind == RandomRequest::bits && generator.quasi64()) ||
        (request.kind == RandomRequest::bits64 && !generator.quasi64()))
        return CURAND_STATUS_TYPE_ERROR;
    // Of no number for lambda NVIDIA says nothing (its library writes beyond its own memory)
    if (request.kind == RandomRequest::poisson && !(request.first > 0 && request.first <= 400000))
        return CURAND_STATUS_OUT_OF_RANGE;
    if (generator.quasi() ? request.n % generator.dimensions != 0
                          : request.gaussian() && request.n % 2 != 0)
        return CURAND_STATUS_LENGTH_NOT_MULTIPLE;
    return CURAND_STATUS_SUCCESS;
}

curandStatus_t generate(curandGenerator_t handle, const RandomRequest& request, void* output) {
    const Guard guard(lock());
    const Pointer generator = find(handle);
    if (!generator) return CURAND_STATUS_NOT_INITIALIZED;
    curandStatus_t status = check(*generator, request);
    if (status != CURAND_STATUS_SUCCESS) return status;
    if (generator->on_host) return generator->source->generate(request, output);
    if (entry_error() != cudaSuccess) return CURAND_STATUS_PREEXISTING_FAILURE;
    status = generate_seeds(*generator);
    if (status != CURAND_STATUS_SUCCESS || request.n == 0) return status;
    if (current_device() != generator->device) return CURAND_STATUS_LAUNCH_FAILURE;
    using Kernel = Call<Pointer, RandomRequest, void*>;
    const auto call =
        std::make_shared<Kernel>(&curand_generate, std::make_tuple(generator, request, output));
    const Configuration configuration{dim3(1), dim3(1), 0, generator->stream, false};
    return submit(configuration, call) == cudaSuccess ? CURAND_STATUS_SUCCESS
                                                      : CURAND_STATUS_LAUNCH_FAILURE;
}

// The ordering that NVIDIA's generators of the CPU take for one that only a card's take.
curandOrdering_t ordering_on_host(const RandomGenerator& generator, curandOrdering_t order) {
    if (generator.on_host) return order;
    // Documented as the default's other name; not every generator of the CPU knows it
    if (order == CURAND_ORDERING_PSEUDO_BEST) return CURAND_ORDERING_PSEUDO_DEFAULT;
    // Any order is right: a card's depends on its model
    const bool dynamic = generator.type == CURAND_RNG_PSEUDO_XORWOW ||
                         generator.type == CURAND_RNG_PSEUDO_MRG32K3A ||
                         generator.type == CURAND_RNG_PSEUDO_PHILOX4_32_10;
    if (order == CURAND_ORDERING_PSEUDO_DYNAMIC && dynamic) return CURAND_ORDERING_PSEUDO_DEFAULT;
    return order;
}

}  // namespace

}  // namespace cuda_emulator

using cuda_emulator::RandomGenerator;
using cuda_emulator::RandomRequest;

extern "C" {

curandStatus_t curandCreateGenerator(curandGenerator_t* generator, curandRngType_t type) {
    return cuda_emulator::create(generator, type, false);
}

curandStatus_t curandCreateGeneratorHost(curandGenerator_t* generator, curandRngType_t type) {
    return cuda_emulator::create(generator, type, true);
}

curandStatus_t curandDestroyGenerator(curandGenerator_t handle) {
    const cuda_emulator::Guard guard(cuda_emulator::lock());
    const cuda_emulator::Pointer generator = cuda_emulator::find(handle);
    if (!generator) return CURAND_STATUS_NOT_INITIALIZED;
    cuda_emulator::free_state(*generator);
    generator->destroyed = true;
    cuda_emulator::generators().erase(generator);
    return CURAND_STATUS_SUCCESS;
}

curandStatus_t curandGetVersion(int* version) {
    if (!version) return CURAND_STATUS_OUT_OF_RANGE;
    *version = CURAND_VERSION;
    return CURAND_STATUS_SUCCESS;
}

curandStatus_t curandGetProperty(libraryPropertyType type, int* value) {
    if (!value) return CURAND_STATUS_OUT_OF_RANGE;
    switch (type) {
        case MAJOR_VERSION: *value = CURAND_VER_MAJOR; return CURAND_STATUS_SUCCESS;
        case MINOR_VERSION: *value = CURAND_VER_MINOR; return CURAND_STATUS_SUCCESS;
        case PATCH_LEVEL: *value = CURAND_VER_PATCH; return CURAND_STATUS_SUCCESS;
    }
    return CURAND_STATUS_OUT_OF_RANGE;
}

curandStatus_t curandSetStream(curandGenerator_t handle, cudaStream_t stream) {
    const cuda_emulator::Guard guard(cuda_emulator::lock());
    const cuda_emulator::Pointer generator = cuda_emulator::find(handle);
    if (!generator) return CURAND_STATUS_NOT_INITIALIZED;
    generator->stream = stream;
    return CURAND_STATUS_SUCCESS;
}

curandStatus_t curandSetPseudoRandomGeneratorSeed(curandGenerator_t handle,
                                                  unsigned long long seed) {
    return cuda_emulator::change(handle, [=](RandomGenerator& generator) {
        return generator.quasi() ? CURAND_STATUS_TYPE_ERROR : generator.source->seed(seed);
    });
}

curandStatus_t curandSetGeneratorOffset(curandGenerator_t handle, unsigned long long offset) {
    return cuda_emulator::change(
        handle, [=](RandomGenerator& generator) { return generator.source->offset(offset); });
}

curandStatus_t curandSetGeneratorOrdering(curandGenerator_t handle, curandOrdering_t order) {
    return cuda_emulator::change(handle, [=](RandomGenerator& generator) {
        if ((order == CURAND_ORDERING_QUASI_DEFAULT) != generator.quasi())
            return CURAND_STATUS_OUT_OF_RANGE;
        return generator.source->ordering(cuda_emulator::ordering_on_host(generator, order));
    });
}

curandStatus_t curandSetQuasiRandomGeneratorDimensions(curandGenerator_t handle,
                                                       unsigned int dimensions) {
    return cuda_emulator::change(handle, [=](RandomGenerator& generator) {
        if (!generator.quasi()) return CURAND_STATUS_TYPE_ERROR;
        const curandStatus_t status = generator.source->dimensions(dimensions);
        if (status == CURAND_STATUS_SUCCESS) generator.dimensions = dimensions;
        return status;
    });
}

curandStatus_t curandGenerateSeeds(curandGenerator_t handle) {
    const cuda_emulator::Guard guard(cuda_emulator::lock());
    const cuda_emulator::Pointer generator = cuda_emulator::find(handle);
    if (!generator) return CURAND_STATUS_NOT_INITIALIZED;
    return cuda_emulator::generate_seeds(*generator);
}

curandStatus_t curandGenerate(curandGenerator_t generator, unsigned int* output, size_t n) {
    return cuda_emulator::generate(generator, {RandomRequest::bits, n}, output);
}

curandStatus_t curandGenerateLongLong(curandGenerator_t generator, unsigned long long* output,
                                      size_t n) {
    return cuda_emulator::generate(generator, {RandomRequest::bits64, n}, output);
}

curandStatus_t curandGenerateUniform(curandGenerator_t generator, float* output, size_t n) {
    return cuda_emulator::generate(generator, {RandomRequest::uniform, n}, output);
}

curandStatus_t curandGenerateUniformDouble(curandGenerator_t generator, double* output, size_t n) {
    return cuda_emulator::generate(generator, {RandomRequest::uniform_double, n}, output);
}

curandStatus_t curandGenerateNormal(curandGenerator_t generator, float* output, size_t n,
                                    float mean, float stddev) {
    return cuda_emulator::generate(generator, {RandomRequest::normal, n, mean, stddev}, output);
}

curandStatus_t curandGenerateNormalDouble(curandGenerator_t generator, double* output, size_t n,
                                          double mean, double stddev) {
    return cuda_emulator::generate(generator, {RandomRequest::normal_double, n, mean, stddev},
                                   output);
}

curandStatus_t curandGenerateLogNormal(curandGenerator_t generator, float* output, size_t n,
                                       float mean, float stddev) {
    return cuda_emulator::generate(generator, {RandomRequest::log_normal, n, mean, stddev},
                                   output);
}

curandStatus_t curandGenerateLogNormalDouble(curandGenerator_t generator, double* output, size_t n,
                                             double mean, double stddev) {
    return cuda_emulator::generate(generator, {RandomRequest::log_normal_double, n, mean, stddev},
                                   output);
}

curandStatus_t curandGeneratePoisson(curandGenerator_t generator, unsigned int* output, size_t n,
                                     double lambda) {
    return cuda_emulator::generate(generator, {RandomRequest::poisson, n, lambda}, output);
}

}
