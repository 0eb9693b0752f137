#ifndef CUDA_EMULATOR_CUB_DEVICE_RUN_LENGTH_ENCODE_CUH
#define CUDA_EMULATOR_CUB_DEVICE_RUN_LENGTH_ENCODE_CUH

#include "cub/detail/device.h"

namespace cub {

struct DeviceRunLengthEncode {
    template <class I, class O, class Lengths, class Count>
    static cudaError_t Encode(void* memory, size_t& bytes, I d_in, O d_unique_out,
                              Lengths d_counts_out, Count d_num_runs_out, int num_items,
                              cudaStream_t stream = 0) {
        auto in = detail::raw(d_in);
        auto values = detail::raw(d_unique_out);
        auto lengths = detail::raw(d_counts_out);
        auto count = detail::raw(d_num_runs_out);
        return detail::run(
            "cub::DeviceRunLengthEncode", memory, bytes, stream, 1, num_items,
            [=](void*) {
                count[0] = runs(in, num_items, [=](ptrdiff_t run, ptrdiff_t at, ptrdiff_t n) {
                    values[run] = in[at];
                    lengths[run] = n;
                    return true;
                });
            },
            in, values, lengths, count);
    }

    // Only runs of at least two: where they begin, and their lengths
    template <class I, class Offsets, class Lengths, class Count>
    static cudaError_t NonTrivialRuns(void* memory, size_t& bytes, I d_in, Offsets d_offsets_out,
                                      Lengths d_lengths_out, Count d_num_runs_out, int num_items,
                                      cudaStream_t stream = 0) {
        auto in = detail::raw(d_in);
        auto offsets = detail::raw(d_offsets_out);
        auto lengths = detail::raw(d_lengths_out);
        auto count = detail::raw(d_num_runs_out);
        return detail::run(
            "cub::DeviceRunLengthEncode", memory, bytes, stream, 1, num_items,
            [=](void*) {
                count[0] = runs(in, num_items, [=](ptrdiff_t run, ptrdiff_t at, ptrdiff_t n) {
                    if (n < 2) return false;
                    offsets[run] = at;
                    lengths[run] = n;
                    return true;
                });
            },
            in, offsets, lengths, count);
    }

private:
    template <class I, class Take>
    static ptrdiff_t runs(I in, ptrdiff_t n, Take take) {
        ptrdiff_t count = 0;
        for (ptrdiff_t first = 0, i = 1; first < n; first = i++) {
            while (i < n && in[i] == in[first]) ++i;
            if (take(count, first, i - first)) ++count;
        }
        return count;
    }
};

}  // namespace cub

#endif
