// What algorithms compute: on the host, on the device, and within a kernel.
#include <thrust/adjacent_difference.h>
#include <thrust/binary_search.h>
#include <thrust/copy.h>
#include <thrust/count.h>
#include <thrust/device_vector.h>
#include <thrust/equal.h>
#include <thrust/execution_policy.h>
#include <thrust/extrema.h>
#include <thrust/fill.h>
#include <thrust/find.h>
#include <thrust/for_each.h>
#include <thrust/functional.h>
#include <thrust/gather.h>
#include <thrust/generate.h>
#include <thrust/host_vector.h>
#include <thrust/inner_product.h>
#include <thrust/logical.h>
#include <thrust/merge.h>
#include <thrust/partition.h>
#include <thrust/reduce.h>
#include <thrust/remove.h>
#include <thrust/replace.h>
#include <thrust/reverse.h>
#include <thrust/scan.h>
#include <thrust/scatter.h>
#include <thrust/sequence.h>
#include <thrust/set_operations.h>
#include <thrust/sort.h>
#include <thrust/tabulate.h>
#include <thrust/transform.h>
#include <thrust/transform_reduce.h>
#include <thrust/transform_scan.h>
#include <thrust/unique.h>

using Integers = std::vector<int>;
using thrust::placeholders::_1;
using thrust::placeholders::_2;

struct Even {
    __host__ __device__ bool operator()(int x) const { return x % 2 == 0; }
};
struct Times {
    int factor;
    __host__ __device__ int operator()(int x) const { return factor * x; }
};
struct Constant {
    __host__ __device__ int operator()() const { return 6; }
};
struct AddTo {
    int* total;
    __device__ void operator()(int x) const { atomicAdd(total, x); }
};

// The same for vectors of the host and of the device.
template <template <class...> class Vector>
void everything() {
    using V = Vector<int>;
    V d(8);
    thrust::sequence(d.begin(), d.end());
    CHECK(thrust::stable_partition(d.begin(), d.end(), Even()) - d.begin() == 4);
    CHECK((d == Integers{0, 2, 4, 6, 1, 3, 5, 7}));
    CHECK(thrust::count_if(d.begin(), d.end(), Even()) == 4);
    CHECK(thrust::count(d.begin(), d.end(), 3) == 1);
    CHECK(thrust::find(d.begin(), d.end(), 6) - d.begin() == 3);
    CHECK(thrust::find_if(d.begin(), d.end(), _1 > 9) == d.end());
    d.erase(thrust::remove_if(d.begin(), d.end(), Even()), d.end());
    CHECK((d == Integers{1, 3, 5, 7}));
    CHECK(thrust::all_of(d.begin(), d.end(), _1 > 0) && thrust::none_of(d.begin(), d.end(), Even()));

    V e = Integers{2, 3, 4, 5}, out(8);
    thrust::merge(d.begin(), d.end(), e.begin(), e.end(), out.begin());
    CHECK((out == Integers{1, 2, 3, 3, 4, 5, 5, 7}));
    CHECK(thrust::set_intersection(d.begin(), d.end(), e.begin(), e.end(), out.begin()) -
              out.begin() == 2);
    CHECK(out[0] == 3 && out[1] == 5);
    CHECK(thrust::set_difference(d.begin(), d.end(), e.begin(), e.end(), out.begin()) -
              out.begin() == 2);
    CHECK(out[0] == 1 && out[1] == 7);
    CHECK(thrust::lower_bound(d.begin(), d.end(), 3) - d.begin() == 1);
    CHECK(thrust::upper_bound(d.begin(), d.end(), 3) - d.begin() == 2);
    CHECK(thrust::binary_search(d.begin(), d.end(), 5) && !thrust::binary_search(d.begin(), d.end(), 6));
    V places(4);
    thrust::upper_bound(d.begin(), d.end(), e.begin(), e.end(), places.begin());
    CHECK((places == Integers{1, 2, 2, 3}));

    thrust::reverse(d.begin(), d.end());
    CHECK((d == Integers{7, 5, 3, 1}) && !thrust::is_sorted(d.begin(), d.end()));
    thrust::replace(d.begin(), d.end(), 5, 6);
    CHECK(d[1] == 6);
    thrust::adjacent_difference(d.begin(), d.end(), out.begin());
    CHECK(out[0] == 7 && out[1] == -1 && out[3] == -2);
    CHECK(thrust::inner_product(d.begin(), d.end(), e.begin(), 0) == 14 + 18 + 12 + 5);
    thrust::transform(d.begin(), d.end(), e.begin(), out.begin(), _1 * 10 + _2);
    CHECK(out[0] == 72 && out[3] == 15);
    thrust::transform_if(d.begin(), d.end(), out.begin(), Times{3}, Even());
    CHECK(out[0] == 72 && out[1] == 18);
    thrust::tabulate(d.begin(), d.end(), thrust::negate<int>());
    CHECK((d == Integers{0, -1, -2, -3}));
    thrust::generate(e.begin(), e.end(), Constant());
    CHECK((e == Integers{6, 6, 6, 6}));
    thrust::fill_n(e.begin(), 2, 5);
    CHECK((e == Integers{5, 5, 6, 6}) && thrust::equal(e.begin(), e.begin() + 1, e.begin() + 1));

    const V map = Integers{3, 1, 0, 2};
    V gathered(4), scattered(4);
    thrust::gather(map.begin(), map.end(), d.begin(), gathered.begin());
    CHECK((gathered == Integers{-3, -1, 0, -2}));
    thrust::scatter(gathered.begin(), gathered.end(), map.begin(), scattered.begin());
    CHECK(scattered == d);

    V keys = Integers{3, 1, 3, 2, 1}, values(5);
    thrust::sequence(values.begin(), values.end());
    thrust::sort_by_key(keys.begin(), keys.end(), values.begin());
    CHECK((keys == Integers{1, 1, 2, 3, 3}) && (values == Integers{1, 4, 3, 0, 2}));
    V few_keys(5), sums(5);
    const auto ends = thrust::reduce_by_key(keys.begin(), keys.end(), values.begin(),
                                            few_keys.begin(), sums.begin());
    CHECK(ends.first - few_keys.begin() == 3 && sums[0] == 5 && sums[2] == 2 && few_keys[1] == 2);
    thrust::inclusive_scan_by_key(keys.begin(), keys.end(), values.begin(), sums.begin());
    CHECK((sums == Integers{1, 5, 3, 0, 2}));
    thrust::exclusive_scan_by_key(keys.begin(), keys.end(), values.begin(), sums.begin(), 10);
    CHECK((sums == Integers{10, 11, 10, 10, 10}));
    const thrust::pair<typename V::iterator, typename V::iterator> unique_ends =
        thrust::unique_by_key(keys.begin(), keys.end(), values.begin());
    keys.erase(unique_ends.first, keys.end());
    values.erase(unique_ends.second, values.end());
    CHECK((keys == Integers{1, 2, 3}) && (values == Integers{1, 3, 0}));

    thrust::inclusive_scan(keys.begin(), keys.end(), keys.begin());
    CHECK((keys == Integers{1, 3, 6}));
    thrust::exclusive_scan(keys.begin(), keys.end(), values.begin(), 1, thrust::multiplies<int>());
    CHECK((values == Integers{1, 1, 3}));
    thrust::transform_exclusive_scan(keys.begin(), keys.end(), values.begin(), Times{2}, 0,
                                     thrust::plus<int>());
    CHECK((values == Integers{0, 2, 8}));
    CHECK(thrust::reduce(keys.begin(), keys.end()) == 10);
    CHECK(thrust::reduce(keys.begin(), keys.end(), -7, thrust::maximum<int>()) == 6);
    CHECK(thrust::transform_reduce(keys.begin(), keys.end(), Times{2}, 1, thrust::plus<int>()) == 21);
    CHECK(thrust::max_element(keys.begin(), keys.end()) - keys.begin() == 2);
    CHECK(*thrust::min_element(keys.begin(), keys.end(), thrust::greater<int>()) == 6);
    const auto both = thrust::minmax_element(keys.begin(), keys.end());
    CHECK(*both.first == 1 && *both.second == 6);
    CHECK(thrust::copy_if(keys.begin(), keys.end(), values.begin(), Even()) - values.begin() == 1);
    CHECK(values[0] == 6);
    V twins = Integers{1, 1, 2, 2, 1};
    twins.erase(thrust::unique(twins.begin(), twins.end()), twins.end());
    CHECK((twins == Integers{1, 2, 1}));
    CHECK(thrust::reduce(twins.begin(), twins.begin(), 3) == 3);
}

void big_sorts() {
    const int n = 5000;
    Integers values(n);
    for (int i = 0; i < n; ++i) values[i] = (i * 7919) % 1013;
    Integers expected = values;
    std::stable_sort(expected.begin(), expected.end(), std::greater<int>());
    thrust::device_vector<int> d = values, indices(n);
    thrust::sequence(thrust::device, indices.begin(), indices.end());
    thrust::stable_sort_by_key(d.begin(), d.end(), indices.begin(), thrust::greater<int>());
    CHECK(d == expected);
    const thrust::host_vector<int> order = indices;
    for (int i = 0; i < n; ++i) CHECK(values[order[i]] == expected[i]);
    for (int i = 1; i < n; ++i) CHECK(expected[i] < expected[i - 1] || order[i - 1] < order[i]);
}

__device__ int heap_result;
__device__ int symbol[10];

__global__ void inside(int* p, int n) {
    thrust::sequence(thrust::device, p, p + n, n, -1);
    thrust::sort(thrust::device, p, p + n);
    heap_result = thrust::reduce(thrust::seq, p, p + n, 0, thrust::maximum<int>());
}

struct Pool {
    using value_type = char;
    int* calls;
    char* allocate(std::ptrdiff_t n) {
        void* memory;
        cudaMalloc(&memory, n);
        ++*calls;
        return static_cast<char*>(memory);
    }
    void deallocate(char* memory, size_t) {
        cudaFree(memory);
        ++*calls;
    }
};

void policies() {
    thrust::device_vector<int> d(100);
    int* const p = thrust::raw_pointer_cast(d.data());
    inside<<<1, 1>>>(p, 100);
    int found = 0;
    cudaMemcpyFromSymbol(&found, heap_result, sizeof found);
    CHECK(found == 100 && d[0] == 1 && d[99] == 100);

    thrust::device_vector<int> total(1, 5);
    thrust::for_each(d.begin(), d.end(), AddTo{thrust::raw_pointer_cast(total.data())});
    CHECK(total[0] == 5 + 5050);
    // By pointers: as in brian2cuda, and with a policy
    const thrust::device_ptr<int> pointer(p);
    CHECK(thrust::count_if(pointer, pointer + 100, Even()) == 50);
    CHECK(thrust::count_if(thrust::device, p, p + 100, Even()) == 50);

    cudaStream_t stream;
    cudaStreamCreate(&stream);
    thrust::fill(thrust::cuda::par.on(stream), d.begin(), d.end(), 3);
    CHECK(d[1] == 3);
    thrust::transform(thrust::cuda::par_nosync.on(stream), p, p + 100, p, _1 + 1);
    cudaStreamSynchronize(stream);
    CHECK(d[1] == 4);
    int calls = 0;
    Pool pool{&calls};
    thrust::sort(thrust::cuda::par(pool).on(stream), d.begin(), d.end());
    CHECK(calls == 2);
    cudaStreamDestroy(stream);

    void* address;
    cudaGetSymbolAddress(&address, symbol);
    int* const global = static_cast<int*>(address);
    thrust::sequence(thrust::device, global, global + 10);
    CHECK(thrust::reduce(thrust::device, global, global + 10) == 45);
}

int main() {
    everything<thrust::host_vector>();
    everything<thrust::device_vector>();
    big_sorts();
    policies();
    return failures;
}
