// What every header of the emulated Thrust needs.
//
// The public headers are thin; the parts are:
//     error.h       thrust::system_error, bad_alloc, the CUDA error category
//     pointer.h     device_ptr, device_reference
//     iterators.h   the systems of iterators, and the plain iterators behind them
//     fancy.h       zip, transform, permutation, counting, ... iterators
//     policy.h      execution policies
//     execute.h     runs an algorithm where its policy says
//     forward.h     the overloads without a policy
//     functional.h  function objects and placeholders
//     allocate.h    device_malloc, allocators
//     copy.h        copies between host and device
//     loops.h       the algorithms themselves, as one thread runs them (CUB's, too)
//     vector.h      host_vector, device_vector
#ifndef CUDA_EMULATOR_THRUST_CONFIG_H
#define CUDA_EMULATOR_THRUST_CONFIG_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

#include <iterator>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

#include "cuda_emulator/access.h"
#include "cuda_emulator/report.h"
#include "thrust/version.h"

#define THRUST_NAMESPACE_BEGIN namespace thrust {
#define THRUST_NAMESPACE_END }

namespace thrust {

using std::get;
using std::make_pair;
using std::make_tuple;
using std::pair;
using std::tie;
using std::tuple;
using std::tuple_element;
using std::tuple_size;

}  // namespace thrust

#endif
