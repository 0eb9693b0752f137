#include "curand_source.h"

#include <dlfcn.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string>

#include "cuda_emulator/philox.h"
#include "cuda_emulator/report.h"

namespace cuda_emulator {

struct CurandLibrary {
    void* handle;

    // `like` gives the function's type.
    template <class Function>
    Function* function(Function* like, const char* name) const {
        (void)like;
        void* found = dlsym(handle, name);
        if (!found) {
            complain((std::string(name) + " is missing in NVIDIA's cuRAND").c_str());
            std::abort();
        }
        return reinterpret_cast<Function*>(found);
    }
};

// The library's function of the same name as the emulator's own.
#define CUDA_EMULATOR_CURAND(NAME) curand_library()->function(&::NAME, #NAME)

namespace {

const CurandLibrary* open_library() {
    const char* path = std::getenv("CUDA_EMULATOR_CURAND");
#ifdef CUDA_EMULATOR_CURAND_PATH
    if (!path) path = CUDA_EMULATOR_CURAND_PATH;
#endif
    if (!path || !*path || std::strcmp(path, "off") == 0) return nullptr;
    // Deep: it must call its own functions, not the emulator's of the same names
    void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (!handle) {
        complain((std::string("cuRAND's numbers will not be NVIDIA's: ") + dlerror()).c_str());
        return nullptr;
    }
    return new CurandLibrary{handle};
}

class LibrarySource final : public RandomSource {
    curandGenerator_t generator_;

public:
    explicit LibrarySource(curandGenerator_t generator) : generator_(generator) {}
    ~LibrarySource() override { CUDA_EMULATOR_CURAND(curandDestroyGenerator)(generator_); }

    curandStatus_t seed(unsigned long long value) override {
        return CUDA_EMULATOR_CURAND(curandSetPseudoRandomGeneratorSeed)(generator_, value);
    }
    curandStatus_t offset(unsigned long long value) override {
        return CUDA_EMULATOR_CURAND(curandSetGeneratorOffset)(generator_, value);
    }
    curandStatus_t ordering(curandOrdering_t value) override {
        return CUDA_EMULATOR_CURAND(curandSetGeneratorOrdering)(generator_, value);
    }
    curandStatus_t dimensions(unsigned int value) override {
        return CUDA_EMULATOR_CURAND(curandSetQuasiRandomGeneratorDimensions)(generator_, value);
    }
    curandStatus_t generate(const RandomRequest& r, void* output) override {
        auto* const integers = static_cast<unsigned int*>(output);
        auto* const floats = static_cast<float*>(output);
        auto* const doubles = static_cast<double*>(output);
        const float mean = float(r.first), stddev = float(r.second);
        switch (r.kind) {
            case RandomRequest::bits:
                return CUDA_EMULATOR_CURAND(curandGenerate)(generator_, integers, r.n);
            case RandomRequest::bits64:
                return CUDA_EMULATOR_CURAND(curandGenerateLongLong)(
                    generator_, static_cast<unsigned long long*>(output), r.n);
            case RandomRequest::uniform:
                return CUDA_EMULATOR_CURAND(curandGenerateUniform)(generator_, floats, r.n);
            case RandomRequest::uniform_double:
                return CUDA_EMULATOR_CURAND(curandGenerateUniformDouble)(generator_, doubles, r.n);
            case RandomRequest::normal:
                return CUDA_EMULATOR_CURAND(curandGenerateNormal)(generator_, floats, r.n, mean,
                                                                  stddev);
            case RandomRequest::normal_double:
                return CUDA_EMULATOR_CURAND(curandGenerateNormalDouble)(generator_, doubles, r.n,
                                                                        r.first, r.second);
            case RandomRequest::log_normal:
                return CUDA_EMULATOR_CURAND(curandGenerateLogNormal)(generator_, floats, r.n, mean,
                                                                     stddev);
            case RandomRequest::log_normal_double:
                return CUDA_EMULATOR_CURAND(curandGenerateLogNormalDouble)(
                    generator_, doubles, r.n, r.first, r.second);
            case RandomRequest::poisson:
                return CUDA_EMULATOR_CURAND(curandGeneratePoisson)(generator_, integers, r.n,
                                                                   r.first);
        }
        return CURAND_STATUS_INTERNAL_ERROR;
    }
};

// Each number has a sequence of its own, so that it does not matter in how many calls they come.
class PhiloxSource final : public RandomSource {
    unsigned long long seed_ = 0, position_ = 0;

public:
    curandStatus_t seed(unsigned long long value) override {
        seed_ = value;
        position_ = 0;
        return CURAND_STATUS_SUCCESS;
    }
    curandStatus_t offset(unsigned long long value) override {
        position_ = value;
        return CURAND_STATUS_SUCCESS;
    }
    curandStatus_t ordering(curandOrdering_t) override { return CURAND_STATUS_SUCCESS; }
    curandStatus_t dimensions(unsigned int) override { return CURAND_STATUS_TYPE_ERROR; }
    curandStatus_t generate(const RandomRequest& r, void* output) override {
        for (size_t i = 0; i < r.n; i++) {
            Philox philox;
            philox.start(seed_, position_++, 0);
            auto* const integer = static_cast<unsigned int*>(output) + i;
            auto* const single = static_cast<float*>(output) + i;
            auto* const twofold = static_cast<double*>(output) + i;
            switch (r.kind) {
                case RandomRequest::bits: *integer = philox.next(); break;
                case RandomRequest::uniform: *single = philox.uniform(); break;
                case RandomRequest::uniform_double: *twofold = philox.uniform_double(); break;
                case RandomRequest::normal:
                    *single = float(r.first + r.second * philox.normal_double());
                    break;
                case RandomRequest::normal_double:
                    *twofold = r.first + r.second * philox.normal_double();
                    break;
                case RandomRequest::log_normal:
                    *single = float(std::exp(r.first + r.second * philox.normal_double()));
                    break;
                case RandomRequest::log_normal_double:
                    *twofold = std::exp(r.first + r.second * philox.normal_double());
                    break;
                case RandomRequest::poisson: *integer = philox.poisson(r.first); break;
                case RandomRequest::bits64: return CURAND_STATUS_TYPE_ERROR;
            }
        }
        return CURAND_STATUS_SUCCESS;
    }
};

}  // namespace

const CurandLibrary* curand_library() {
    static const CurandLibrary* const library = open_library();
    return library;
}

curandStatus_t make_random_source(curandRngType_t type, std::unique_ptr<RandomSource>* source) {
    if (curand_library()) {
        curandGenerator_t generator = nullptr;
        const curandStatus_t status =
            CUDA_EMULATOR_CURAND(curandCreateGeneratorHost)(&generator, type);
        if (status == CURAND_STATUS_SUCCESS) *source = std::make_unique<LibrarySource>(generator);
        return status;
    }
    switch (type) {
        case CURAND_RNG_PSEUDO_DEFAULT:
        case CURAND_RNG_PSEUDO_XORWOW:
        case CURAND_RNG_PSEUDO_MRG32K3A:
        case CURAND_RNG_PSEUDO_MTGP32:
        case CURAND_RNG_PSEUDO_MT19937:
        case CURAND_RNG_PSEUDO_PHILOX4_32_10:
            *source = std::make_unique<PhiloxSource>();
            return CURAND_STATUS_SUCCESS;
        case CURAND_RNG_QUASI_DEFAULT:
        case CURAND_RNG_QUASI_SOBOL32:
        case CURAND_RNG_QUASI_SCRAMBLED_SOBOL32:
        case CURAND_RNG_QUASI_SOBOL64:
        case CURAND_RNG_QUASI_SCRAMBLED_SOBOL64:
            complain("quasirandom generators need NVIDIA's cuRAND (see CUDA_EMULATOR_CURAND)");
            return CURAND_STATUS_INITIALIZATION_FAILED;
        default: return CURAND_STATUS_TYPE_ERROR;
    }
}

}  // namespace cuda_emulator

#ifdef CURAND_H_  // in NVIDIA's header only
// Tables for the device functions of quasirandom generators; a program copies them to its card.
extern "C" {

curandStatus_t curandGetDirectionVectors32(curandDirectionVectors32_t* vectors[],
                                           curandDirectionVectorSet_t set) {
    if (!cuda_emulator::curand_library()) return CURAND_STATUS_INITIALIZATION_FAILED;
    return cuda_emulator::CUDA_EMULATOR_CURAND(curandGetDirectionVectors32)(vectors, set);
}

curandStatus_t curandGetDirectionVectors64(curandDirectionVectors64_t* vectors[],
                                           curandDirectionVectorSet_t set) {
    if (!cuda_emulator::curand_library()) return CURAND_STATUS_INITIALIZATION_FAILED;
    return cuda_emulator::CUDA_EMULATOR_CURAND(curandGetDirectionVectors64)(vectors, set);
}

curandStatus_t curandGetScrambleConstants32(unsigned int** constants) {
    if (!cuda_emulator::curand_library()) return CURAND_STATUS_INITIALIZATION_FAILED;
    return cuda_emulator::CUDA_EMULATOR_CURAND(curandGetScrambleConstants32)(constants);
}

curandStatus_t curandGetScrambleConstants64(unsigned long long** constants) {
    if (!cuda_emulator::curand_library()) return CURAND_STATUS_INITIALIZATION_FAILED;
    return cuda_emulator::CUDA_EMULATOR_CURAND(curandGetScrambleConstants64)(constants);
}

}
#endif
