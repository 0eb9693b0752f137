#ifndef CUDA_EMULATOR_CUB_BLOCK_SCAN_CUH
#define CUDA_EMULATOR_CUB_BLOCK_SCAN_CUH

#include "cub/detail/block.h"

namespace cub {

enum BlockScanAlgorithm { BLOCK_SCAN_RAKING, BLOCK_SCAN_RAKING_MEMOIZE, BLOCK_SCAN_WARP_SCANS };

// A barrier is needed before the temporary storage is used again.
template <class T, int BLOCK_DIM_X, BlockScanAlgorithm = BLOCK_SCAN_RAKING, int BLOCK_DIM_Y = 1,
          int BLOCK_DIM_Z = 1>
class BlockScan {
    static constexpr int threads = BLOCK_DIM_X * BLOCK_DIM_Y * BLOCK_DIM_Z;

public:
    struct TempStorage {
        detail::Slots<T, threads> sums;
        detail::Slots<T, 1> prefix;
    };

    BlockScan() : BlockScan(detail::private_storage<TempStorage>()) {}
    explicit BlockScan(TempStorage& storage) : storage(storage) {
        detail::check_block("cub::BlockScan", threads);
    }

    // --- one value per thread -----------------------------------------------------------------

    template <class Op>
    void InclusiveScan(T input, T& output, Op op) {
        output = scan(input, op);
    }
    template <class Op>
    void InclusiveScan(T input, T& output, Op op, T& block_aggregate) {
        output = scan(input, op);
        block_aggregate = storage.sums[threads - 1];
    }
    template <class Op>
    void InclusiveScan(T input, T& output, T initial_value, Op op) {
        output = op(initial_value, scan(input, op));
    }
    template <class Op>
    void InclusiveScan(T input, T& output, T initial_value, Op op, T& block_aggregate) {
        output = op(initial_value, scan(input, op));
        block_aggregate = op(initial_value, storage.sums[threads - 1]);
    }
    // Without an initial value the first output is undefined
    template <class Op>
    void ExclusiveScan(T input, T& output, Op op) {
        scan(input, op);
        if (detail::linear_thread() > 0)
            output = storage.sums[detail::linear_thread() - 1];
        else
            detail::make_undefined(output);
    }
    template <class Op>
    void ExclusiveScan(T input, T& output, Op op, T& block_aggregate) {
        ExclusiveScan(input, output, op);
        block_aggregate = storage.sums[threads - 1];
    }
    template <class Op>
    void ExclusiveScan(T input, T& output, T initial_value, Op op) {
        scan(input, op);
        output = before(initial_value, op);
    }
    template <class Op>
    void ExclusiveScan(T input, T& output, T initial_value, Op op, T& block_aggregate) {
        ExclusiveScan(input, output, initial_value, op);
        block_aggregate = storage.sums[threads - 1];
    }
    void InclusiveSum(T input, T& output) { InclusiveScan(input, output, Plus()); }
    void InclusiveSum(T input, T& output, T& block_aggregate) {
        InclusiveScan(input, output, Plus(), block_aggregate);
    }
    void ExclusiveSum(T input, T& output) { ExclusiveScan(input, output, T(), Plus()); }
    void ExclusiveSum(T input, T& output, T& block_aggregate) {
        ExclusiveScan(input, output, T(), Plus(), block_aggregate);
    }

    // callback(block_aggregate), called by the first warp, gives what stands before the block
    template <class Callback, class Op, class = decltype(std::declval<Callback&>()(T()))>
    void InclusiveScan(T input, T& output, Op op, Callback& callback) {
        const T sum = scan(input, op);
        output = op(prefix(callback), sum);
    }
    template <class Callback, class Op, class = decltype(std::declval<Callback&>()(T()))>
    void ExclusiveScan(T input, T& output, Op op, Callback& callback) {
        scan(input, op);
        output = before(prefix(callback), op);
    }
    template <class Callback, class = decltype(std::declval<Callback&>()(T()))>
    void InclusiveSum(T input, T& output, Callback& callback) {
        InclusiveScan(input, output, Plus(), callback);
    }
    template <class Callback, class = decltype(std::declval<Callback&>()(T()))>
    void ExclusiveSum(T input, T& output, Callback& callback) {
        ExclusiveScan(input, output, Plus(), callback);
    }

    // --- several values per thread --------------------------------------------------------------

    template <int n, class Op>
    void InclusiveScan(T (&input)[n], T (&output)[n], Op op) {
        T block_aggregate = input[0];
        InclusiveScan(input, output, op, block_aggregate);
    }
    template <int n, class Op>
    void InclusiveScan(T (&input)[n], T (&output)[n], Op op, T& block_aggregate) {
        scan(thrust::detail::loops::reduce(input + 1, n - 1, input[0], op), op);
        block_aggregate = storage.sums[threads - 1];
        if (detail::linear_thread() == 0)
            thrust::detail::loops::inclusive_scan(input, n, output, op);
        else
            thrust::detail::loops::inclusive_scan_from(
                input, n, output, storage.sums[detail::linear_thread() - 1], op);
    }
    template <int n, class Op>
    void ExclusiveScan(T (&input)[n], T (&output)[n], T initial_value, Op op) {
        T block_aggregate = input[0];
        ExclusiveScan(input, output, initial_value, op, block_aggregate);
    }
    template <int n, class Op>
    void ExclusiveScan(T (&input)[n], T (&output)[n], T initial_value, Op op,
                       T& block_aggregate) {
        scan(thrust::detail::loops::reduce(input + 1, n - 1, input[0], op), op);
        block_aggregate = storage.sums[threads - 1];
        thrust::detail::loops::exclusive_scan(input, n, output, before(initial_value, op), op);
    }
    template <int n>
    void InclusiveSum(T (&input)[n], T (&output)[n]) {
        InclusiveScan(input, output, Plus());
    }
    template <int n>
    void InclusiveSum(T (&input)[n], T (&output)[n], T& block_aggregate) {
        InclusiveScan(input, output, Plus(), block_aggregate);
    }
    template <int n>
    void ExclusiveSum(T (&input)[n], T (&output)[n]) {
        ExclusiveScan(input, output, T(), Plus());
    }
    template <int n>
    void ExclusiveSum(T (&input)[n], T (&output)[n], T& block_aggregate) {
        ExclusiveScan(input, output, T(), Plus(), block_aggregate);
    }

private:
    using Plus = thrust::detail::Plus;
    TempStorage& storage;

    // sums[i]: of threads 0 to i.
    template <class Op>
    T scan(T input, Op op) {
        const int thread = detail::linear_thread();
        new (&storage.sums[thread]) T(input);
        __syncthreads();
        if (thread == 0)
            for (int i = 1; i < threads; ++i)
                storage.sums[i] = op(storage.sums[i - 1], storage.sums[i]);
        __syncthreads();
        return storage.sums[thread];
    }

    template <class Op>
    T before(T initial_value, Op op) {
        const int thread = detail::linear_thread();
        return thread > 0 ? T(op(initial_value, storage.sums[thread - 1])) : initial_value;
    }

    template <class Callback>
    T prefix(Callback& callback) {
        const int thread = detail::linear_thread();
        if (thread < 32) {
            const T found = callback(T(storage.sums[threads - 1]));
            if (thread == 0) new (&storage.prefix[0]) T(found);
        }
        __syncthreads();
        return storage.prefix[0];
    }
};

}  // namespace cub

#endif
