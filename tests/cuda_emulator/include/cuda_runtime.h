// What nvcc includes in every unit: the runtime API, the built-in variables and functions.
#ifndef CUDA_EMULATOR_CUDA_RUNTIME_H
#define CUDA_EMULATOR_CUDA_RUNTIME_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "assert.h"
#include "cuda_runtime_api.h"
#include "vector_types.h"

#include "cuda_emulator/access.h"
#include "cuda_emulator/atomics.h"
#include "cuda_emulator/dynamic_shared.h"
#include "cuda_emulator/launch.h"
#include "cuda_emulator/math.h"
#include "cuda_emulator/report.h"
#include "cuda_emulator/sync.h"
#include "cuda_emulator/symbols.h"
#include "cuda_emulator/thread.h"

template <class T>
cudaError_t cudaMalloc(T** pointer, size_t bytes) {
    return cudaMalloc(reinterpret_cast<void**>(pointer), bytes);
}

template <class T>
cudaError_t cudaMallocHost(T** pointer, size_t bytes, unsigned int flags = 0) {
    return cudaHostAlloc(reinterpret_cast<void**>(pointer), bytes, flags);
}

template <class T>
cudaError_t cudaHostAlloc(T** pointer, size_t bytes, unsigned int flags) {
    return cudaHostAlloc(reinterpret_cast<void**>(pointer), bytes, flags);
}

template <class T>
cudaError_t cudaMallocManaged(T** pointer, size_t bytes, unsigned int flags = cudaMemAttachGlobal) {
    return cudaMallocManaged(reinterpret_cast<void**>(pointer), bytes, flags);
}

template <class T>
cudaError_t cudaMallocPitch(T** pointer, size_t* pitch, size_t width, size_t height) {
    return cudaMallocPitch(reinterpret_cast<void**>(pointer), pitch, width, height);
}

template <class T>
cudaError_t cudaMallocAsync(T** pointer, size_t bytes, cudaStream_t stream) {
    return cudaMallocAsync(reinterpret_cast<void**>(pointer), bytes, stream);
}

template <class T>
cudaError_t cudaHostGetDevicePointer(T** device, void* host, unsigned int flags) {
    return cudaHostGetDevicePointer(reinterpret_cast<void**>(device), host, flags);
}

inline cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes,
                                   enum cudaMemcpyKind kind) {
    return cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}

inline cudaError_t cudaMemsetAsync(void* pointer, int value, size_t bytes) {
    return cudaMemsetAsync(pointer, value, bytes, nullptr);
}

inline cudaError_t cudaEventRecord(cudaEvent_t event) { return cudaEventRecord(event, nullptr); }

inline cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event) {
    return cudaStreamWaitEvent(stream, event, 0);
}

inline cudaError_t cudaEventCreate(cudaEvent_t* event, unsigned int flags) {
    return cudaEventCreateWithFlags(event, flags);
}

inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph,
                                        unsigned long long flags = 0) {
    return cudaGraphInstantiateWithFlags(exec, graph, flags);
}

// Launching through a pointer to the kernel; `arguments` points to one value each.
template <class... Parameters>
cudaError_t cudaLaunchKernel(void (*kernel)(Parameters...), dim3 grid, dim3 block,
                             void** arguments, size_t shared = 0, cudaStream_t stream = nullptr) {
    return cuda_emulator::submit({grid, block, shared, stream, false},
                                 cuda_emulator::Call<Parameters...>::from(kernel, arguments));
}

template <class... Parameters>
cudaError_t cudaLaunchCooperativeKernel(void (*kernel)(Parameters...), dim3 grid, dim3 block,
                                        void** arguments, size_t shared = 0,
                                        cudaStream_t stream = nullptr) {
    return cuda_emulator::submit({grid, block, shared, stream, true},
                                 cuda_emulator::Call<Parameters...>::from(kernel, arguments));
}

namespace cuda_emulator {
cudaError_t function_attributes(struct cudaFuncAttributes* attributes, const void* kernel);
cudaError_t set_function_attribute(const void* kernel, enum cudaFuncAttribute attribute, int value);
cudaError_t active_blocks(int* blocks, const void* kernel, int threads, size_t shared);
}  // namespace cuda_emulator

template <class T>
cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes* attributes, T* kernel) {
    return cuda_emulator::function_attributes(attributes, reinterpret_cast<const void*>(kernel));
}

template <class T>
cudaError_t cudaFuncSetAttribute(T* kernel, enum cudaFuncAttribute attribute, int value) {
    return cuda_emulator::set_function_attribute(reinterpret_cast<const void*>(kernel), attribute,
                                                 value);
}

template <class T>
cudaError_t cudaFuncSetCacheConfig(T*, enum cudaFuncCache) {
    return cudaSuccess;
}

template <class T>
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, T kernel, int threads,
                                                          size_t shared) {
    return cuda_emulator::active_blocks(blocks, reinterpret_cast<const void*>(kernel), threads,
                                        shared);
}

// The largest block size that keeps most threads resident, in whole warps
// (https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__HIGHLEVEL.html).
template <class T, class SharedOfBlock>
cudaError_t cudaOccupancyMaxPotentialBlockSizeVariableSMem(int* grid, int* block, T kernel,
                                                           SharedOfBlock shared,
                                                           int limit = 0) {
    struct cudaFuncAttributes attributes;
    cudaError_t error = cudaFuncGetAttributes(&attributes, kernel);
    if (error != cudaSuccess) return error;
    int processors = 0, device = 0;
    cudaGetDevice(&device);
    cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
    int most = attributes.maxThreadsPerBlock;
    if (limit > 0 && limit < most) most = limit;
    int best = 0;
    for (int threads = most; threads > 0; threads -= threads % 32 ? threads % 32 : 32) {
        int blocks = 0;
        error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads,
                                                              shared(threads));
        if (error != cudaSuccess) return error;
        if (blocks * threads > best) {
            best = blocks * threads;
            *block = threads;
            *grid = blocks * processors;
        }
    }
    return best ? cudaSuccess : cudaErrorInvalidConfiguration;
}

template <class T>
cudaError_t cudaOccupancyMaxPotentialBlockSize(int* grid, int* block, T kernel, size_t shared = 0,
                                               int limit = 0) {
    return cudaOccupancyMaxPotentialBlockSizeVariableSMem(
        grid, block, kernel, [shared](int) { return shared; }, limit);
}

#endif
