// Execution policies: where an algorithm runs, and on which stream.
#ifndef CUDA_EMULATOR_THRUST_POLICY_H
#define CUDA_EMULATOR_THRUST_POLICY_H

#include "thrust/detail/fancy.h"

namespace thrust {
namespace detail {

struct PolicyBase {};
template <class P>
using if_policy = std::enable_if_t<std::is_base_of<PolicyBase, P>::value, int>;

// Runs as ordinary code: on the host, or as part of the device thread that calls it.
struct HereTag : PolicyBase {
    using system = Host;
    template <class Allocator>
    HereTag operator()(Allocator&&) const {
        return {};
    }
};

#if defined(CUDA_API_PER_THREAD_DEFAULT_STREAM)
inline cudaStream_t default_stream() { return cudaStreamPerThread; }
#else
inline cudaStream_t default_stream() { return nullptr; }
#endif

// Temporary memory from the user's allocator, if there is one.
struct NoAllocator {};

template <class Allocator = NoAllocator>
struct DevicePolicy : PolicyBase {
    using system = Device;
    cudaStream_t stream = default_stream();
    bool waits = true;  // par_nosync does so only where a result is wanted
    Allocator* allocator = nullptr;

    DevicePolicy() = default;
    explicit DevicePolicy(cudaStream_t stream, bool waits, Allocator* allocator = nullptr)
        : stream(stream), waits(waits), allocator(allocator) {}
    DevicePolicy on(cudaStream_t other) const { return DevicePolicy(other, waits, allocator); }
};

template <bool synchronous>
struct ParallelTag : DevicePolicy<> {
    ParallelTag() : DevicePolicy<>(default_stream(), synchronous) {}
    template <class Allocator>
    DevicePolicy<std::remove_reference_t<Allocator>> operator()(Allocator&& allocator) const {
        return DevicePolicy<std::remove_reference_t<Allocator>>(default_stream(), synchronous,
                                                                &allocator);
    }
};

template <class S>
struct PolicyOf {
    using type = HereTag;
};
template <>
struct PolicyOf<Device> {
    using type = DevicePolicy<>;
};

// The policy of an algorithm that was called without one.
template <class... I>
typename PolicyOf<typename CommonSystem<I...>::type>::type policy_for() {
    return {};
}

}  // namespace detail

using host_system_tag = detail::HereTag;
using device_system_tag = detail::ParallelTag<true>;
inline const detail::HereTag host{};
inline const detail::HereTag seq{};
inline const detail::ParallelTag<true> device{};

namespace system {
namespace cuda {
inline const thrust::detail::ParallelTag<true> par{};
inline const thrust::detail::ParallelTag<false> par_nosync{};
using tag = device_system_tag;
}  // namespace cuda
namespace cpp {
inline const thrust::detail::HereTag par{};
using tag = host_system_tag;
}  // namespace cpp
}  // namespace system
namespace cuda = system::cuda;
namespace cpp = system::cpp;

}  // namespace thrust

#endif
