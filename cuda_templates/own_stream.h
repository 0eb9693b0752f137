// Where a thread's random numbers come from in kernels. Include after philox.h.
#ifndef GPURUN_OWN_STREAM_H
#define GPURUN_OWN_STREAM_H

#include "philox.h"

// The most threads that a block of any kernel has.
#ifndef GPURUN_BLOCK_SIZE
#define GPURUN_BLOCK_SIZE 256
#endif

namespace gpurun {

// The stream of the calling thread. A kernel gives it a value before the code of each element;
// functions that draw find it here, whatever they are called with.
__device__ inline Stream& own_stream() {
    // 44 bytes each, an odd number of words: neighbouring threads use different banks
    __shared__ Stream streams[GPURUN_BLOCK_SIZE];
    return streams[threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)];
}

}  // namespace gpurun

#endif
