// From `kernel<<<grid, block, shared, stream>>>(arguments)` to the runtime.
//
// nvcc rewrites the launch to `launch(kernel, grid, block, shared, stream)(arguments)`: what
// launch() returns is called with the arguments, so that nobody has to parse them.
#ifndef CUDA_EMULATOR_LAUNCH_H
#define CUDA_EMULATOR_LAUNCH_H

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "driver_types.h"

namespace cuda_emulator {

struct Configuration {
    dim3 grid, block;
    size_t shared = 0;
    cudaStream_t stream = nullptr;
    bool cooperative = false;
};

// A kernel with its arguments; a graph keeps it.
class KernelCall {
public:
    virtual ~KernelCall() = default;
    virtual const void* function() const = 0;
    // Calls the kernel as one thread.
    virtual void run_thread() const = 0;
    // The same kernel with other arguments: pointers to one value each.
    virtual std::shared_ptr<const KernelCall> with(void* const* arguments) const = 0;
    // Pointers to the arguments that are kept here.
    virtual void** arguments() const = 0;
};

// Checks the configuration and runs the kernel, or records it where the stream is captured.
// What is returned is also the thread's last error.
cudaError_t submit(const Configuration& configuration, std::shared_ptr<const KernelCall> call);

// The call for a kernel that was launched or named before; nullptr if it is not known.
std::shared_ptr<const KernelCall> known_kernel(const void* function);
void remember_kernel(const std::shared_ptr<const KernelCall>& call);

// Forgets the kernels and symbols of the program or library that `inside` is part of.
void forget_module(const void* inside);

namespace {
// A library may be unloaded, and its addresses then belong to somebody else.
struct Module {
    ~Module() { forget_module(this); }
} module;
}  // namespace

template <class... Parameters>
class Call final : public KernelCall {
    using Kernel = void (*)(Parameters...);
    Kernel kernel;
    mutable std::tuple<std::decay_t<Parameters>...> values;
    mutable void* pointers[sizeof...(Parameters) + 1];

    template <size_t... I>
    void point(std::index_sequence<I...>) const {
        ((pointers[I] = const_cast<void*>(static_cast<const void*>(&std::get<I>(values)))), ...);
    }

    template <size_t... I>
    static std::tuple<std::decay_t<Parameters>...> read(void* const* from,
                                                        std::index_sequence<I...>) {
        (void)from;
        return {*static_cast<std::decay_t<Parameters>*>(from[I])...};
    }

public:
    Call(Kernel kernel, std::tuple<std::decay_t<Parameters>...> values)
        : kernel(kernel), values(std::move(values)) {}

    static std::shared_ptr<const KernelCall> from(Kernel kernel, void* const* arguments) {
        return std::make_shared<Call>(
            kernel, read(arguments, std::make_index_sequence<sizeof...(Parameters)>()));
    }

    const void* function() const override { return reinterpret_cast<const void*>(kernel); }

    __attribute__((no_sanitize_thread)) void run_thread() const override {
        // Each thread has its own copy of the parameters, which it may change
        std::apply([this](auto... copies) { kernel(std::move(copies)...); }, values);
    }

    std::shared_ptr<const KernelCall> with(void* const* arguments) const override {
        return from(kernel, arguments);
    }

    void** arguments() const override {
        point(std::make_index_sequence<sizeof...(Parameters)>());
        return pointers;
    }
};

template <class... Parameters>
class Launch {
    void (*kernel)(Parameters...);
    Configuration configuration;

public:
    Launch(void (*kernel)(Parameters...), const Configuration& configuration)
        : kernel(kernel), configuration(configuration) {}

    // As the kernel itself would be called, so that arguments convert as they would there.
    void operator()(Parameters... parameters) const {
        submit(configuration, std::make_shared<Call<Parameters...>>(
                                  kernel, std::tuple<std::decay_t<Parameters>...>(
                                              std::move(parameters)...)));
    }
};

template <class... Parameters>
Launch<Parameters...> launch(void (*kernel)(Parameters...), dim3 grid, dim3 block,
                             size_t shared = 0, cudaStream_t stream = nullptr) {
    return {kernel, {grid, block, shared, stream, false}};
}

}  // namespace cuda_emulator

#endif
