// CUB's device-wide algorithms, with their temporary memory.
#include <cub/cub.cuh>
#include <cuda/functional>
#include <cuda/std/functional>
#include <thrust/device_vector.h>
#include <thrust/iterator/counting_iterator.h>

using Integers = std::vector<int>;

// Calls f(memory, bytes) as CUB wants it.
template <class F>
void twice(F f) {
    size_t bytes = 0;
    CHECK(f(nullptr, bytes) == cudaSuccess && bytes > 0);
    void* memory;
    cudaMalloc(&memory, bytes);
    CHECK(f(memory, bytes) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    cudaFree(memory);
}

template <class T>
T* raw(thrust::device_vector<T>& v) {
    return thrust::raw_pointer_cast(v.data());
}

struct Odd {
    __host__ __device__ bool operator()(int x) const { return x % 2 != 0; }
};
struct Triple {
    int* out;
    __device__ void operator()(int i) const { out[i] = 3 * i; }
};
struct Negative {
    __host__ __device__ bool operator()(int x) const { return x < 0; }
};

const int n = 1280;

void reductions(const Integers& values, int sum) {
    thrust::device_vector<int> in = values, one(1), unique(n), sums(n), count(1);
    twice([&](void* t, size_t& b) { return cub::DeviceReduce::Sum(t, b, raw(in), raw(one), n); });
    CHECK(one[0] == sum);
    twice([&](void* t, size_t& b) {
        return cub::DeviceReduce::Max(t, b, in.begin(), one.begin(), n);
    });
    CHECK(one[0] == 678);
    twice([&](void* t, size_t& b) {
        return cub::DeviceReduce::Reduce(t, b, raw(in), raw(one), n, cuda::minimum<>{}, 5);
    });
    CHECK(one[0] == -600);
    thrust::device_vector<int> where(1);
    twice([&](void* t, size_t& b) {
        return cub::DeviceReduce::ArgMax(t, b, raw(in), raw(one), raw(where), n);
    });
    CHECK(values[where[0]] == 678 && one[0] == 678);
    thrust::device_vector<int> offsets = Integers{0, 2, 2, n}, segments(3);
    twice([&](void* t, size_t& b) {
        return cub::DeviceSegmentedReduce::Sum(t, b, raw(in), raw(segments), 3, raw(offsets),
                                               raw(offsets) + 1);
    });
    CHECK(segments[0] == values[0] + values[1] && segments[1] == 0 &&
          segments[2] == sum - values[0] - values[1]);
    thrust::device_vector<int> keys = Integers{1, 1, 2, 2, 2, 3, 1};
    twice([&](void* t, size_t& b) {
        return cub::DeviceReduce::ReduceByKey(t, b, raw(keys), raw(unique), raw(in), raw(sums),
                                              raw(count), cuda::std::plus<>{}, 7);
    });
    CHECK(count[0] == 4 && unique[3] == 1 && sums[0] == values[0] + values[1]);
    twice([&](void* t, size_t& b) {
        return cub::DeviceRunLengthEncode::Encode(t, b, raw(keys), raw(unique), raw(sums),
                                                  raw(count), 7);
    });
    CHECK(count[0] == 4 && unique[1] == 2 && sums[1] == 3 && unique[3] == 1 && sums[3] == 1);
    twice([&](void* t, size_t& b) {
        return cub::DeviceRunLengthEncode::NonTrivialRuns(t, b, raw(keys), raw(unique), raw(sums),
                                                          raw(count), 7);
    });
    CHECK(count[0] == 2 && unique[1] == 2 && sums[1] == 3);
    twice([&](void* t, size_t& b) {
        return cub::DeviceSelect::Unique(t, b, raw(keys), raw(unique), raw(count), 7);
    });
    CHECK(count[0] == 4 && unique[2] == 3);
}

void scans(const Integers& values, int sum) {
    thrust::device_vector<int> in = values, out(n);
    twice([&](void* t, size_t& b) {
        return cub::DeviceScan::ExclusiveSum(t, b, raw(in), raw(out), n);
    });
    CHECK(out[0] == 0 && out[n - 1] == sum - values[n - 1]);
    twice([&](void* t, size_t& b) {
        return cub::DeviceScan::InclusiveScan(t, b, raw(in), raw(out), cuda::std::plus<>{}, n);
    });
    CHECK(out[n - 1] == sum);
    twice([&](void* t, size_t& b) { return cub::DeviceScan::InclusiveSum(t, b, raw(in), n); });
    CHECK(in == out);
}

void selections(const Integers& values) {
    int odd = 0;
    for (int x : values) odd += Odd()(x);
    thrust::device_vector<int> in = values, out(n), count(2), second(n), rest(n);
    twice([&](void* t, size_t& b) {
        return cub::DeviceSelect::If(t, b, raw(in), raw(out), raw(count), n, Odd());
    });
    CHECK(count[0] == odd && out[0] == values[1]);
    thrust::device_vector<char> flags(n);
    flags[7] = 1;
    flags[9] = 1;
    twice([&](void* t, size_t& b) {
        return cub::DeviceSelect::Flagged(t, b, thrust::counting_iterator<int>(0), raw(flags),
                                          raw(out), raw(count), n);
    });
    CHECK(count[0] == 2 && out[1] == 9);
    // The rest in reverse order at the end
    twice([&](void* t, size_t& b) {
        return cub::DevicePartition::If(t, b, raw(in), raw(out), raw(count), n, Odd());
    });
    CHECK(count[0] == odd && out[n - 1] == values[0]);
    twice([&](void* t, size_t& b) {
        return cub::DevicePartition::If(t, b, raw(in), raw(out), raw(second), raw(rest),
                                        raw(count), n, Negative(), Odd());
    });
    CHECK(out[0] == values[0] && int(count[0]) + int(count[1]) < n && second[0] > 0);
}

void sorts(const Integers& values) {
    thrust::device_vector<int> in = values, out(n), indices(n), sorted(n);
    thrust::copy_n(thrust::counting_iterator<int>(0), n, indices.begin());
    twice([&](void* t, size_t& b) {
        return cub::DeviceRadixSort::SortPairs(t, b, raw(in), raw(out), raw(indices), raw(sorted),
                                               n);
    });
    const std::vector<int> keys = [&] {
        std::vector<int> copied(n);
        thrust::copy(out.begin(), out.end(), copied.begin());
        return copied;
    }();
    for (int i = 1; i < n; ++i) {
        CHECK(keys[i - 1] < keys[i] || (keys[i - 1] == keys[i] && sorted[i - 1] < sorted[i]));
        CHECK(values[sorted[i]] == keys[i]);
    }
    twice([&](void* t, size_t& b) {
        return cub::DeviceRadixSort::SortKeysDescending(t, b, raw(in), raw(out), n, 0, 32);
    });
    CHECK(out[0] == 678 && out[n - 1] == -600);
    // By two bits only, and stable
    thrust::device_vector<int> small = Integers{7, 4, 3, 0};
    twice([&](void* t, size_t& b) {
        return cub::DeviceRadixSort::SortKeys(t, b, raw(small), raw(out), 4, 0, 2);
    });
    CHECK(out[0] == 4 && out[1] == 0 && out[2] == 7 && out[3] == 3);
    cub::DoubleBuffer<int> buffers(raw(in), raw(out));
    twice([&](void* t, size_t& b) { return cub::DeviceRadixSort::SortKeys(t, b, buffers, n); });
    int first;
    cudaMemcpy(&first, buffers.Current(), sizeof first, cudaMemcpyDeviceToHost);
    CHECK(first == -600);
    thrust::device_vector<float> f = std::vector<float>{1.5f, -2, 0, 1e30f, -1e30f}, g(5);
    twice([&](void* t, size_t& b) {
        return cub::DeviceRadixSort::SortKeys(t, b, raw(f), raw(g), 5);
    });
    CHECK(g[0] == -1e30f && g[1] == -2 && g[2] == 0 && g[3] == 1.5f && g[4] == 1e30f);
    twice([&](void* t, size_t& b) {
        return cub::DeviceMergeSort::SortKeys(t, b, raw(f), 5, cuda::std::greater<>{});
    });
    CHECK(f[0] == 1e30f && f[4] == -1e30f);
}

void protocol(const Integers& values, int sum) {
    thrust::device_vector<int> in = values, out(n), one(1);
    CHECK(cub::DeviceFor::Bulk(n, Triple{raw(out)}) == cudaSuccess);
    CHECK(out[5] == 15 && out[n - 1] == 3 * (n - 1));
    // Too little temporary memory
    size_t bytes = 0;
    cub::DeviceRadixSort::SortKeys(nullptr, bytes, raw(in), raw(out), n);
    void* memory;
    cudaMalloc(&memory, bytes);
    size_t less = bytes / 2;
    CHECK(cub::DeviceRadixSort::SortKeys(memory, less, raw(in), raw(out), n) ==
          cudaErrorInvalidValue);
    // Nothing is waited for, so it may be captured
    cudaStream_t stream;
    cudaStreamCreate(&stream);
    cub::DeviceReduce::Sum(nullptr, less, raw(in), raw(one), n);
    CHECK(less <= bytes);
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
    CHECK(cub::DeviceReduce::Sum(memory, bytes, raw(in), raw(one), n, stream) == cudaSuccess);
    cudaGraph_t graph;
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
    cudaGraphExec_t ready;
    cudaGraphInstantiate(&ready, graph, 0);
    CHECK(one[0] == 0);
    cudaGraphLaunch(ready, stream);
    cudaStreamSynchronize(stream);
    CHECK(one[0] == sum);
    cudaFree(memory);
}

int main() {
    Integers values(n);
    int sum = 0;
    for (int i = 0; i < n; ++i) {
        values[i] = (i * 733) % 1279 - 600;
        sum += values[i];
    }
    reductions(values, sum);
    scans(values, sum);
    selections(values);
    sorts(values);
    protocol(values, sum);
    return failures;
}
