// Streams, events, capture and graphs: who does what work, when.
#ifndef CUDA_EMULATOR_STREAM_H
#define CUDA_EMULATOR_STREAM_H

#include <functional>
#include <memory>
#include <vector>

#include "cuda_runtime_api.h"

#include "cuda_emulator/launch.h"

namespace cuda_emulator {

// One piece of work: done at once, or kept in a graph.
struct Work {
    cudaGraphNodeType type = cudaGraphNodeTypeEmpty;
    std::function<cudaError_t()> run;
    // Of a kernel
    Configuration configuration;
    std::shared_ptr<const KernelCall> call;
};

Work kernel_work(const Configuration& configuration, std::shared_ptr<const KernelCall> call);
Work copy_work(void* to, const void* from, size_t bytes, cudaMemcpyKind kind);
Work host_work(std::function<void()> function);

// Does the work in `stream`, or records it where the stream is captured.
cudaError_t enqueue(cudaStream_t stream, Work work);
cudaError_t enqueue_copy(cudaStream_t stream, void* to, const void* from, size_t bytes,
                         cudaMemcpyKind kind);
cudaError_t enqueue_fill(cudaStream_t stream, void* pointer, int value, size_t bytes);
cudaError_t enqueue_allocation(cudaStream_t stream, void* pointer);
cudaError_t enqueue_release(cudaStream_t stream, void* pointer);

// An error if a capture forbids a call that waits for the whole device, or a call that may do
// so within (such as cudaMalloc()). The capture is then invalid.
cudaError_t refuse_during_capture();
cudaError_t refuse_unsafe_call();

// Of a device that is reset.
void forget_streams(int device);

// Runs a kernel whose configuration was checked.
cudaError_t run_kernel(const Configuration& configuration, const KernelCall& call);
cudaError_t check_configuration(const Configuration& configuration, const KernelCall& call);

}  // namespace cuda_emulator

// A graph owns its nodes, in an order in which they can be done.
struct CUgraphNode_st {
    cuda_emulator::Work work;
    std::vector<CUgraphNode_st*> dependencies;
    const CUgraphNode_st* origin = nullptr;  // in the graph that was instantiated
};

struct CUgraph_st {
    std::vector<std::unique_ptr<CUgraphNode_st>> nodes;
    std::vector<void*> memory;  // allocated by its nodes
    bool owns(const CUgraphNode_st* node) const;
    CUgraphNode_st* add(cuda_emulator::Work work, std::vector<CUgraphNode_st*> dependencies);
    ~CUgraph_st();
};

#endif
