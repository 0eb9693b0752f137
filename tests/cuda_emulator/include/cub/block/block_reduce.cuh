#ifndef CUDA_EMULATOR_CUB_BLOCK_REDUCE_CUH
#define CUDA_EMULATOR_CUB_BLOCK_REDUCE_CUH

#include "cub/detail/block.h"

namespace cub {

enum BlockReduceAlgorithm {
    BLOCK_REDUCE_RAKING_COMMUTATIVE_ONLY,
    BLOCK_REDUCE_RAKING,
    BLOCK_REDUCE_WARP_REDUCTIONS
};

// The result is thread 0's; it is undefined in the others. A barrier is needed before the
// temporary storage is used again.
template <class T, int BLOCK_DIM_X, BlockReduceAlgorithm = BLOCK_REDUCE_WARP_REDUCTIONS,
          int BLOCK_DIM_Y = 1, int BLOCK_DIM_Z = 1>
class BlockReduce {
    static constexpr int threads = BLOCK_DIM_X * BLOCK_DIM_Y * BLOCK_DIM_Z;

public:
    struct TempStorage {
        detail::Slots<T, threads> values;
    };

    BlockReduce() : BlockReduce(detail::private_storage<TempStorage>()) {}
    explicit BlockReduce(TempStorage& storage) : values(storage.values) {
        detail::check_block("cub::BlockReduce", threads);
    }

    template <class Op>
    T Reduce(T input, Op op, int num_valid) {
        const int thread = detail::linear_thread();
        new (&values[thread]) T(input);
        __syncthreads();
        T result = input;
        if (thread == 0)
            result = tree(op, num_valid < threads ? num_valid : threads);
        else
            detail::make_undefined(result);
        return result;
    }
    template <class Op>
    T Reduce(T input, Op op) {
        return Reduce(input, op, threads);
    }
    template <int n, class Op>
    T Reduce(T (&inputs)[n], Op op) {
        return Reduce(thrust::detail::loops::reduce(inputs + 1, n - 1, inputs[0], op), op);
    }
    T Sum(T input) { return Reduce(input, thrust::detail::Plus()); }
    T Sum(T input, int num_valid) { return Reduce(input, thrust::detail::Plus(), num_valid); }
    template <int n>
    T Sum(T (&inputs)[n]) {
        return Reduce(inputs, thrust::detail::Plus());
    }

private:
    detail::Slots<T, threads>& values;

    // In the order in which a card's warps do it, so that rounding is the same.
    template <class Op>
    T tree(Op op, int n) {
        for (int warp = 0; warp < n; warp += 32) {
            const int last = warp + 32 < n ? warp + 32 : n;
            for (int offset = 1; offset < 32; offset *= 2)
                for (int i = warp; i + offset < last; ++i)
                    values[i] = op(values[i], values[i + offset]);
        }
        T result = values[0];
        for (int warp = 32; warp < n; warp += 32) result = op(result, values[warp]);
        return result;
    }
};

}  // namespace cub

#endif
