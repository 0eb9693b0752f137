// CUB's collectives of a block and of a warp. With an argument: one mistake.
#include <cub/cub.cuh>
#include <thrust/device_vector.h>

#include <cstring>

using Integers = std::vector<int>;

// Carries the sum from one tile to the next.
struct Carry {
    int total;
    __device__ int operator()(int sum) {
        const int before = total;
        total += sum;
        return before;
    }
};

template <bool with_barrier>
__global__ void tiles(const int* in, int* out, int* sums, int n) {
    using Scan = cub::BlockScan<int, 128>;
    using Reduce = cub::BlockReduce<int, 128>;
    __shared__ typename Scan::TempStorage scan_storage;
    __shared__ typename Reduce::TempStorage reduce_storage;
    Carry carry{0};
    for (int first = 0; first < n; first += 128) {
        const int value = in[first + threadIdx.x];
        int before;
        Scan(scan_storage).ExclusiveSum(value, before, carry);
        out[first + threadIdx.x] = before;
        const int sum = Reduce(reduce_storage).Sum(value);
        if (threadIdx.x == 0) sums[first / 128] = sum;
        if (with_barrier) __syncthreads();
    }
}

__global__ void reused(int* sums, bool with_barrier) {
    using Reduce = cub::BlockReduce<int, 64>;
    __shared__ typename Reduce::TempStorage storage;
    const int first = Reduce(storage).Sum(threadIdx.x);
    if (with_barrier) __syncthreads();
    const int second = Reduce(storage).Sum(1);
    if (threadIdx.x == 0) {
        sums[0] = first;
        sums[1] = second;
    }
}

struct Compound {
    double value;
    int count;
};
struct Join {
    __device__ Compound operator()(const Compound& a, const Compound& b) const {
        return {a.value + b.value, a.count + b.count};
    }
};

__global__ void warps(double* out) {
    using Reduce = cub::WarpReduce<double>;
    using Scan = cub::WarpScan<int, 8>;
    using Compounds = cub::WarpReduce<Compound>;
    using Block = cub::BlockScan<int, 64>;
    __shared__ typename Reduce::TempStorage reduce_storage[2];
    __shared__ typename Scan::TempStorage scan_storage[8];
    __shared__ typename Compounds::TempStorage compound_storage[2];
    __shared__ typename Block::TempStorage block_storage;
    const int thread = static_cast<int>(threadIdx.x);
    const double sum = Reduce(reduce_storage[thread / 32]).Sum(double(thread));
    if (thread % 32 == 0) out[thread / 32] = sum;
    int before, total;
    Scan(scan_storage[thread / 8]).ExclusiveSum(thread, before, total);
    if (thread == 15) {
        out[2] = before;
        out[3] = total;
    }
    const Compound joined =
        Compounds(compound_storage[thread / 32]).Reduce(Compound{0.5, 1}, Join());
    if (thread == 32) {
        out[4] = joined.value;
        out[5] = joined.count;
    }
    int items[2] = {thread, 1};
    int aggregate;
    Block(block_storage).ExclusiveSum(items, items, aggregate);
    if (thread == 63) {
        out[6] = items[0];
        out[7] = items[1];
        out[8] = aggregate;
    }
}

__global__ void sum_of_some(int* out) {
    using Reduce = cub::BlockReduce<int, 96>;
    __shared__ typename Reduce::TempStorage storage;
    const int thread = static_cast<int>(threadIdx.x);
    const int sum = Reduce(storage).Sum(thread, 50);
    // Only thread 0 has it
    if (thread == 0) *out = sum;
    if (thread == 5 && sum == 50 * 49 / 2) *out = -1;
}

template <class T>
T* raw(thrust::device_vector<T>& v) {
    return thrust::raw_pointer_cast(v.data());
}

int main(int count, char** arguments) {
    if (count > 1 && strcmp(arguments[1], "block size") == 0) {
        thrust::device_vector<int> in(256), out(256), sums(2);
        tiles<true><<<1, 256>>>(raw(in), raw(out), raw(sums), 256);
        printf("%s\n", cudaGetErrorName(cudaDeviceSynchronize()));
        fflush(stdout);
        _Exit(0);  // the vectors' destructors would end the program
    }
    if (count > 1 && strcmp(arguments[1], "barrier") == 0) {
        thrust::device_vector<int> sums(2);
        reused<<<1, 64>>>(raw(sums), false);
        printf("%d\n", int(sums[0]) == 64 * 63 / 2 && int(sums[1]) == 64);
        return 0;
    }
    const int n = 1280;
    Integers values(n);
    int sum = 0, second_tile = 0;
    for (int i = 0; i < n; ++i) {
        values[i] = (i * 733) % 1279 - 600;
        sum += values[i];
        if (i / 128 == 1) second_tile += values[i];
    }
    thrust::device_vector<int> in = values, out(n), sums(n);
    tiles<true><<<1, 128>>>(raw(in), raw(out), raw(sums), n);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(out[n - 1] == sum - values[n - 1] && sums[1] == second_tile);
    reused<<<1, 64>>>(raw(sums), true);
    CHECK(sums[0] == 64 * 63 / 2 && sums[1] == 64);

    thrust::device_vector<double> results(9);
    warps<<<1, 64>>>(raw(results));
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(results[0] == 496 && results[1] == 1520);
    CHECK(results[2] == 8 + 9 + 10 + 11 + 12 + 13 + 14 && results[3] == 92);
    CHECK(results[4] == 16 && results[5] == 32);
    CHECK(results[6] == 62 * 63 / 2 + 63 && results[7] == results[6] + 63);
    CHECK(results[8] == 63 * 32 + 64);
    sum_of_some<<<1, 96>>>(raw(sums));
    CHECK(sums[0] == 50 * 49 / 2);
    return failures;
}
