// What goes wrong, one thing per argument: the exception is printed.
#include <thrust/copy.h>
#include <thrust/device_free.h>
#include <thrust/device_vector.h>
#include <thrust/execution_policy.h>
#include <thrust/for_each.h>
#include <thrust/iterator/zip_iterator.h>
#include <thrust/reduce.h>
#include <thrust/scan.h>
#include <thrust/sort.h>
#include <thrust/system_error.h>

#include <cassert>
#include <cstring>

struct Increment {
    __device__ void operator()(int& x) const { x += 1; }
};
struct Below3 {
    __device__ void operator()(int x) const { assert(x < 3); }
};

template <class Action>
void attempt(Action action) {
    try {
        action();
        printf("no exception\n");
    } catch (const thrust::system_error& e) {
        printf("system_error %d: %s\n", e.code().value(), e.what());
        CHECK(e.code().category() == thrust::cuda_category());
    } catch (const thrust::system::detail::bad_alloc& e) {
        printf("%s\n", e.what());
    }
}

template <class Action>
void capture(cudaStream_t stream, Action action) {
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
    attempt(action);
    cudaGraph_t graph = nullptr;
    const cudaError_t ended = cudaStreamEndCapture(stream, &graph);
    cudaGetLastError();
    printf("capture: %s\n", cudaGetErrorName(ended));
    if (ended != cudaSuccess) return;
    cudaGraphExec_t ready;
    cudaGraphInstantiate(&ready, graph, 0);
    cudaGraphLaunch(ready, stream);
    cudaGraphLaunch(ready, stream);
    cudaStreamSynchronize(stream);
}

int main(int, char** arguments) {
    const auto wanted = [=](const char* name) { return strcmp(arguments[1], name) == 0; };
    cudaStream_t stream;
    cudaStreamCreate(&stream);
    const auto par = thrust::cuda::par.on(stream);
    const auto nosync = thrust::cuda::par_nosync.on(stream);
    // Lives until the process ends, so that its destructor does not meet the error
    thrust::device_vector<int>& d = *new thrust::device_vector<int>(5, 1);
    int* const p = thrust::raw_pointer_cast(d.data());

    if (wanted("allocation")) attempt([] { thrust::device_vector<double> huge(size_t(1) << 38); });
    if (wanted("null")) attempt([] { printf("%d\n", int(*thrust::device_ptr<int>(nullptr))); });
    if (wanted("assert")) {
        attempt([&] {
            d[2] = 3;
            thrust::for_each(d.begin(), d.end(), Below3());
        });
        printf("then: %s\n", cudaGetErrorName(cudaDeviceSynchronize()));
    }
    if (wanted("host memory")) {
        std::vector<int> values(5);
        attempt([&] { thrust::sort(thrust::device, values.data(), values.data() + 5); });
    }
    if (wanted("zipped host memory")) {
        std::vector<int> values(5);
        const auto pairs = thrust::make_zip_iterator(p, values.data());
        attempt([&] { thrust::sort(thrust::device, pairs, pairs + 5); });
    }
    if (wanted("free")) attempt([&] { thrust::device_free(d.data() + 1); });
    if (wanted("captured for_each")) {
        capture(stream, [&] { thrust::for_each(nosync, p, p + 5, Increment()); });
        printf("%d\n", int(d[4]));
    }
    if (wanted("captured wait"))
        capture(stream, [&] { thrust::for_each(par, p, p + 5, Increment()); });
    if (wanted("captured sort")) capture(stream, [&] { thrust::sort(par, p, p + 5); });
    if (wanted("captured reduce")) capture(stream, [&] { thrust::reduce(nosync, p, p + 5); });
    return failures;
}
