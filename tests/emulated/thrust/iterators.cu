// Fancy iterators, and copies between the host and the device.
#include <thrust/copy.h>
#include <thrust/device_vector.h>
#include <thrust/for_each.h>
#include <thrust/functional.h>
#include <thrust/host_vector.h>
#include <thrust/iterator/constant_iterator.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/discard_iterator.h>
#include <thrust/iterator/permutation_iterator.h>
#include <thrust/iterator/reverse_iterator.h>
#include <thrust/iterator/transform_iterator.h>
#include <thrust/iterator/transform_output_iterator.h>
#include <thrust/iterator/zip_iterator.h>
#include <thrust/reduce.h>
#include <thrust/scan.h>
#include <thrust/sequence.h>
#include <thrust/sort.h>
#include <thrust/transform.h>
#include <thrust/tuple.h>
#include <thrust/unique.h>
#include <thrust/zip_function.h>

using Integers = std::vector<int>;

struct Scramble {
    __host__ __device__ double operator()(int i) const { return (i * 7919) % 1000; }
};
struct Swap {
    __host__ __device__ void operator()(thrust::tuple<int&, int&> pair) const {
        const int first = thrust::get<0>(pair);
        thrust::get<0>(pair) = thrust::get<1>(pair);
        thrust::get<1>(pair) = first;
    }
};
struct Product {
    __host__ __device__ int operator()(int a, int b) const { return a * b; }
};

int main() {
    const int n = 1000;
    thrust::device_vector<double> scrambled(n);
    thrust::transform(thrust::make_counting_iterator(0), thrust::make_counting_iterator(n),
                      scrambled.begin(), Scramble());
    thrust::device_vector<int> indices(n);
    thrust::sequence(indices.begin(), indices.end());

    // Sorting pairs
    thrust::sort(thrust::make_zip_iterator(thrust::make_tuple(scrambled.begin(), indices.begin())),
                 thrust::make_zip_iterator(thrust::make_tuple(scrambled.end(), indices.end())));
    CHECK(scrambled[17] == 17 && scrambled[n - 1] == n - 1);
    CHECK((int(indices[17]) * 7919) % n == 17);
    const auto in_order = thrust::make_permutation_iterator(scrambled.begin(), indices.begin());
    CHECK(thrust::reduce(in_order, in_order + n, 0.0) == 499500);
    CHECK(in_order[0] == scrambled[indices[0]]);

    thrust::device_vector<int> a = Integers{1, 2, 3}, b = Integers{4, 5, 6};
    const auto pairs = thrust::make_zip_iterator(a.begin(), b.begin());
    thrust::for_each(pairs, pairs + 3, Swap());
    CHECK((a == Integers{4, 5, 6}) && (b == Integers{1, 2, 3}));
    thrust::device_vector<int> products(3);
    thrust::transform(pairs, pairs + 3, products.begin(), thrust::make_zip_function(Product()));
    CHECK((products == Integers{4, 10, 18}));
    CHECK(thrust::unique(pairs, pairs + 3) - pairs == 3);
    const thrust::tuple<int, int> second = pairs[1];
    CHECK(thrust::get<0>(second) == 5 && thrust::get<1>(second) == 2);

    const auto negative = thrust::make_transform_iterator(a.begin(), thrust::negate<int>());
    CHECK(thrust::reduce(negative, negative + 3) == -15 && negative[2] == -6);
    thrust::copy(a.begin(), a.end(),
                 thrust::make_transform_output_iterator(b.begin(), thrust::negate<int>()));
    CHECK((b == Integers{-4, -5, -6}));
    const auto backwards = thrust::make_reverse_iterator(a.end());
    CHECK(*backwards == 6);
    thrust::inclusive_scan(a.rbegin(), a.rend(), b.begin());
    CHECK((b == Integers{6, 11, 15}));
    const thrust::device_vector<int> keys = Integers{1, 1, 2, 2, 2, 5};
    thrust::device_vector<int> lengths(6);
    const auto ends = thrust::reduce_by_key(keys.begin(), keys.end(),
                                            thrust::make_constant_iterator(1),
                                            thrust::make_discard_iterator(), lengths.begin());
    CHECK(ends.second - lengths.begin() == 3 && lengths[1] == 3);

    // Between host and device: as they are, of other types, from and to fancy iterators
    Integers host(3);
    thrust::copy(a.begin(), a.end(), host.begin());
    CHECK((host == Integers{4, 5, 6}));
    std::vector<long> longs(3);
    thrust::copy(a.begin(), a.end(), longs.begin());
    CHECK(longs[2] == 6);
    thrust::device_vector<double> doubles(3);
    thrust::copy(host.begin(), host.end(), doubles.begin());
    CHECK(doubles[2] == 6.0);
    thrust::copy(a.begin(), a.end(), doubles.begin());
    CHECK(doubles[1] == 5.0);
    thrust::copy(negative, negative + 3, host.begin());
    CHECK((host == Integers{-4, -5, -6}));
    const auto host_negative = thrust::make_transform_iterator(host.begin(), thrust::negate<int>());
    thrust::copy(host_negative, host_negative + 3, b.begin());
    CHECK((b == Integers{4, 5, 6}));
    const thrust::device_vector<int> places = Integers{2, 0, 1};
    thrust::copy(host.begin(), host.end(),
                 thrust::make_permutation_iterator(b.begin(), places.begin()));
    CHECK((b == Integers{-5, -6, -4}));
    thrust::copy_n(thrust::make_counting_iterator(7), 3, a.begin());
    CHECK((a == Integers{7, 8, 9}));
    return failures;
}
