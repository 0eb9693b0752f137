// host_vector, device_vector, and the pointers and references behind them.
#include <thrust/device_delete.h>
#include <thrust/device_free.h>
#include <thrust/device_malloc.h>
#include <thrust/device_new.h>
#include <thrust/device_vector.h>
#include <thrust/execution_policy.h>
#include <thrust/fill.h>
#include <thrust/host_vector.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/sequence.h>
#include <thrust/universal_vector.h>

#include <list>
#include <sstream>
#include <string>

using Integers = std::vector<int>;

struct Compound {
    float x = 3;
    int y = 4;
};

size_t free_memory() {
    size_t free_bytes, all;
    cudaMemGetInfo(&free_bytes, &all);
    return free_bytes;
}

void references() {
    thrust::host_vector<int> h(10);
    thrust::sequence(h.begin(), h.end());
    thrust::device_vector<int> d = h;
    CHECK(d.size() == 10 && d[3] == 3);
    d[3] = 7;
    d[4] += 2;
    ++d[5];
    d[6] = d[3];
    CHECK(d[3] == 7 && d[4] == 6 && d[5] == 6 && d[6] == 7 && d.front() == 0 && d.back() == 9);
    std::ostringstream text;
    text << d[4];
    CHECK(text.str() == "6");
    thrust::device_ptr<int> third = &d[3];
    CHECK(*third == 7 && thrust::raw_pointer_cast(third) == thrust::raw_pointer_cast(d.data()) + 3);
    CHECK(third - d.data() == 3 && third[1] == 6 && *(third + 1) == 6);
    const thrust::device_vector<int>& constant = d;
    CHECK(constant[3] == 7 && constant.end() - constant.begin() == 10);
    CHECK(*d.rbegin() == 9);
}

void conversions() {
    const std::list<double> list{1, 2, 3};
    const thrust::device_vector<int> d(list.begin(), list.end());
    CHECK((d == Integers{1, 2, 3}));
    const thrust::device_vector<double> of_doubles(d);
    CHECK(of_doubles[2] == 3.0);
    const thrust::host_vector<float> h = d;
    CHECK(h[1] == 2.0f);
    const thrust::device_vector<Compound> compounds(3);
    const Compound compound = compounds[1];
    CHECK(compound.x == 3 && compound.y == 4);
    const thrust::device_vector<int> counted(thrust::counting_iterator<int>(2),
                                             thrust::counting_iterator<int>(5));
    CHECK((counted == Integers{2, 3, 4}) && counted != d);
    thrust::device_vector<int> assigned(2);
    assigned = {4, 5, 6};
    CHECK((assigned == Integers{4, 5, 6}));
    assigned = Integers{7};
    CHECK((assigned == Integers{7}) && assigned.capacity() == 3);
    assigned.assign(2, 8);
    CHECK((assigned == Integers{8, 8}));
    assigned = h;
    CHECK((assigned == Integers{1, 2, 3}));
}

void sizes() {
    thrust::device_vector<int> d(10, 1);
    CHECK(d[9] == 1);
    d.clear();
    CHECK(d.empty() && d.capacity() == 10);
    d.shrink_to_fit();
    CHECK(d.capacity() == 0);
    for (int i = 0; i < 5; ++i) d.push_back(i);
    CHECK((d == Integers{0, 1, 2, 3, 4}) && d.capacity() == 8);
    d.insert(d.begin() + 1, 3, 9);
    CHECK((d == Integers{0, 9, 9, 9, 1, 2, 3, 4}));
    d.insert(d.end(), 5);
    const Integers more{6, 7};
    d.insert(d.begin(), more.begin(), more.end());
    CHECK((d == Integers{6, 7, 0, 9, 9, 9, 1, 2, 3, 4, 5}));
    d.erase(d.begin());
    d.erase(d.begin() + 2, d.begin() + 5);
    CHECK((d == Integers{7, 0, 1, 2, 3, 4, 5}));
    d.pop_back();
    CHECK(d.size() == 6);
    d.reserve(100);
    CHECK(d.capacity() == 100 && d[5] == 4);
    d.resize(50);
    CHECK(d[5] == 4 && d[6] == 0 && d[49] == 0);
    d.resize(51, 8);
    CHECK(d[50] == 8);
    int* const before = thrust::raw_pointer_cast(d.data());
    d.resize(101);
    CHECK(before != thrust::raw_pointer_cast(d.data()) && d[50] == 8 && d.capacity() == 200);
    try {
        d.resize(size_t(1) << 40);
        CHECK(false);
    } catch (const std::bad_alloc&) {
        CHECK(d.size() == 101 && d[50] == 8);
    }
    thrust::device_vector<int> moved = std::move(d);
    CHECK(d.empty() && moved.size() == 101);
    thrust::swap(moved, d);
    CHECK(d.size() == 101 && moved.empty());
    thrust::device_vector<int>().swap(d);
    CHECK(d.capacity() == 0);
}

void host_values() {
    thrust::host_vector<std::string> strings(3, "abc");
    strings.push_back("x");
    strings.resize(10);
    strings.erase(strings.begin());
    strings.insert(strings.begin(), "first");
    CHECK(strings[0] == "first" && strings[3] == "x" && strings.size() == 10);
    thrust::host_vector<thrust::host_vector<int>> nested(4);
    nested[2].push_back(3);
    nested.resize(6);
    CHECK(nested[2][0] == 3 && nested[5].empty());
}

void memory() {
    thrust::device_ptr<int> p = thrust::device_malloc<int>(4);
    p[0] = 3;
    *(p + 1) = 4;
    CHECK(p[0] + p[1] == 7);
    thrust::device_free(p);
    thrust::device_ptr<int> q = thrust::device_new<int>(4);
    CHECK(q[3] == 0);
    thrust::device_delete(q, 4);
    thrust::universal_vector<int> shared(5, 1);
    thrust::fill(thrust::device, shared.begin(), shared.end(), 4);
    cudaDeviceSynchronize();
    CHECK(shared[2] == 4);
}

int main() {
    cudaFree(nullptr);
    const size_t before = free_memory();
    references();
    conversions();
    sizes();
    host_values();
    memory();
    CHECK(free_memory() == before);
    return failures;
}
