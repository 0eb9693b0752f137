#ifndef CUDA_EMULATOR_CUB_DEVICE_REDUCE_CUH
#define CUDA_EMULATOR_CUB_DEVICE_REDUCE_CUH

#include <limits>

#include "cub/detail/device.h"

namespace cub {

struct DeviceReduce {
    template <class I, class O, class N, class Op, class T>
    static cudaError_t Reduce(void* memory, size_t& bytes, I d_in, O d_out, N num_items, Op op,
                              T init, cudaStream_t stream = 0) {
        auto in = detail::raw(d_in);
        auto out = detail::raw(d_out);
        return detail::run(
            "cub::DeviceReduce", memory, bytes, stream, 1, num_items,
            [=](void*) { out[0] = detail::loops::reduce(in, num_items, init, op); }, in, out);
    }

    template <class I, class O, class N, class Op, class Transform, class T>
    static cudaError_t TransformReduce(void* memory, size_t& bytes, I d_in, O d_out, N num_items,
                                       Op op, Transform transform, T init,
                                       cudaStream_t stream = 0) {
        auto in = detail::raw(d_in);
        auto out = detail::raw(d_out);
        return detail::run(
            "cub::DeviceReduce", memory, bytes, stream, 1, num_items,
            [=](void*) mutable {
                T sum = init;
                for (ptrdiff_t i = 0; i < static_cast<ptrdiff_t>(num_items); ++i)
                    sum = op(sum, transform(in[i]));
                out[0] = sum;
            },
            in, out);
    }

    template <class I, class O, class N>
    static cudaError_t Sum(void* memory, size_t& bytes, I in, O out, N num_items,
                           cudaStream_t stream = 0) {
        return Reduce(memory, bytes, in, out, num_items, thrust::detail::Plus(),
                      detail::value_of<I>(), stream);
    }

    template <class I, class O, class N>
    static cudaError_t Min(void* memory, size_t& bytes, I in, O out, N num_items,
                           cudaStream_t stream = 0) {
        using T = detail::value_of<I>;
        return Reduce(memory, bytes, in, out, num_items, Least(), std::numeric_limits<T>::max(),
                      stream);
    }

    template <class I, class O, class N>
    static cudaError_t Max(void* memory, size_t& bytes, I in, O out, N num_items,
                           cudaStream_t stream = 0) {
        using T = detail::value_of<I>;
        return Reduce(memory, bytes, in, out, num_items, Greatest(),
                      std::numeric_limits<T>::lowest(), stream);
    }

    template <class I, class O, class J>
    static cudaError_t ArgMin(void* memory, size_t& bytes, I d_in, O d_min_out, J d_index_out,
                              int64_t num_items, cudaStream_t stream = 0) {
        return extremum(memory, bytes, d_in, d_min_out, d_index_out, num_items, stream,
                        [](const auto& a, const auto& b) { return a < b; });
    }
    template <class I, class O, class J>
    static cudaError_t ArgMax(void* memory, size_t& bytes, I d_in, O d_max_out, J d_index_out,
                              int64_t num_items, cudaStream_t stream = 0) {
        return extremum(memory, bytes, d_in, d_max_out, d_index_out, num_items, stream,
                        [](const auto& a, const auto& b) { return b < a; });
    }
    // The older way: one KeyValuePair
    template <class I, class O>
    static cudaError_t ArgMin(void* memory, size_t& bytes, I d_in, O d_out, int num_items,
                              cudaStream_t stream = 0) {
        return extremum(memory, bytes, d_in, d_out, num_items, stream,
                        [](const auto& a, const auto& b) { return a < b; });
    }
    template <class I, class O>
    static cudaError_t ArgMax(void* memory, size_t& bytes, I d_in, O d_out, int num_items,
                              cudaStream_t stream = 0) {
        return extremum(memory, bytes, d_in, d_out, num_items, stream,
                        [](const auto& a, const auto& b) { return b < a; });
    }

    template <class K, class KO, class V, class VO, class Count, class Op, class N>
    static cudaError_t ReduceByKey(void* memory, size_t& bytes, K d_keys_in, KO d_unique_out,
                                   V d_values_in, VO d_aggregates_out, Count d_num_runs_out,
                                   Op op, N num_items, cudaStream_t stream = 0) {
        auto keys = detail::raw(d_keys_in);
        auto keys_out = detail::raw(d_unique_out);
        auto values = detail::raw(d_values_in);
        auto values_out = detail::raw(d_aggregates_out);
        auto count = detail::raw(d_num_runs_out);
        return detail::run(
            "cub::DeviceReduce::ReduceByKey", memory, bytes, stream, 1, num_items,
            [=](void*) {
                count[0] = detail::loops::reduce_by_key(keys, num_items, values, keys_out,
                                                        values_out, thrust::detail::Equal(), op);
            },
            keys, keys_out, values, values_out, count);
    }

private:
    struct Least {
        template <class T>
        T operator()(const T& a, const T& b) const {
            return b < a ? b : a;
        }
    };
    struct Greatest {
        template <class T>
        T operator()(const T& a, const T& b) const {
            return a < b ? b : a;
        }
    };

    template <class I, class Better>
    static ptrdiff_t best_of(I in, ptrdiff_t n, Better better) {
        ptrdiff_t best = 0;
        for (ptrdiff_t i = 1; i < n; ++i)
            if (better(in[i], in[best])) best = i;
        return best;
    }

    template <class I, class O, class J, class Better>
    static cudaError_t extremum(void* memory, size_t& bytes, I d_in, O d_out, J d_index_out,
                                int64_t n, cudaStream_t stream, Better better) {
        auto in = detail::raw(d_in);
        auto out = detail::raw(d_out);
        auto index = detail::raw(d_index_out);
        return detail::run(
            "cub::DeviceReduce::ArgMin/ArgMax", memory, bytes, stream, 1, n,
            [=](void*) {
                if (n <= 0) return;
                const ptrdiff_t best = best_of(in, n, better);
                out[0] = in[best];
                index[0] = best;
            },
            in, out, index);
    }
    template <class I, class O, class Better>
    static cudaError_t extremum(void* memory, size_t& bytes, I d_in, O d_out, int n,
                                cudaStream_t stream, Better better) {
        auto in = detail::raw(d_in);
        auto out = detail::raw(d_out);
        return detail::run(
            "cub::DeviceReduce::ArgMin/ArgMax", memory, bytes, stream, 1, n,
            [=](void*) {
                if (n <= 0) return;
                const int best = static_cast<int>(best_of(in, n, better));
                out[0] = KeyValuePair<int, detail::value_of<I>>{best, in[best]};
            },
            in, out);
    }
};

}  // namespace cub

#endif
