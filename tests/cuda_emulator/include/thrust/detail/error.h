// Errors, as exceptions.
#ifndef CUDA_EMULATOR_THRUST_ERROR_H
#define CUDA_EMULATOR_THRUST_ERROR_H

#include <stdexcept>
#include <string>
#include <system_error>

#include "thrust/detail/config.h"

namespace thrust {
namespace system {

using std::errc;
using std::error_category;
using std::error_code;
using std::error_condition;
using std::generic_category;
using std::system_category;

namespace detail {

class CudaCategory final : public error_category {
public:
    const char* name() const noexcept override { return "cuda"; }

    std::string message(int value) const override {
        const cudaError_t error = static_cast<cudaError_t>(value);
        return std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error);
    }
};

// What the toolkit throws when memory runs out.
class bad_alloc : public std::bad_alloc {
    std::string text;

public:
    explicit bad_alloc(const std::string& why)
        : text(std::string(std::bad_alloc::what()) + ": " + why) {}
    const char* what() const noexcept override { return text.c_str(); }
};

}  // namespace detail

inline const error_category& cuda_category() {
    static const detail::CudaCategory category;
    return category;
}

class system_error : public std::runtime_error {
    error_code error;

    static std::string text(const error_code& error, std::string before) {
        if (error && !before.empty()) before += ": ";
        return error ? before + error.message() : before;
    }

public:
    explicit system_error(error_code error, const std::string& before = {})
        : std::runtime_error(text(error, before)), error(error) {}
    system_error(int value, const error_category& category, const std::string& before = {})
        : system_error(error_code(value, category), before) {}
    const error_code& code() const noexcept { return error; }
};

namespace cuda {
namespace errc {

enum errc_t {
    success = cudaSuccess,
    invalid_value = cudaErrorInvalidValue,
    memory_allocation = cudaErrorMemoryAllocation,
    unknown_error = cudaErrorUnknown
};

inline error_code make_error_code(errc_t value) {
    return error_code(static_cast<int>(value), cuda_category());
}

}  // namespace errc
}  // namespace cuda
}  // namespace system

using system::cuda_category;
using system::errc;
using system::error_category;
using system::error_code;
using system::error_condition;
using system::generic_category;
using system::system_category;
using system::system_error;

namespace detail {

// The last error is cleared, as the toolkit does it, so that it does not stick to the next call.
inline void throw_on_error(cudaError_t status, const char* before) {
    cudaGetLastError();
    if (status != cudaSuccess) throw system_error(status, cuda_category(), before);
}

[[noreturn]] inline void throw_bad_alloc(cudaError_t status) {
    cudaGetLastError();
    throw system::detail::bad_alloc(cuda_category().message(status));
}

}  // namespace detail
}  // namespace thrust

namespace std {
template <>
struct is_error_code_enum<thrust::system::cuda::errc::errc_t> : true_type {};
}  // namespace std

#endif
