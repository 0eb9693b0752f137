#ifndef CUDA_EMULATOR_CUB_CUB_CUH
#define CUDA_EMULATOR_CUB_CUB_CUH

#include "cub/block/block_reduce.cuh"
#include "cub/block/block_scan.cuh"
#include "cub/device/device_for.cuh"
#include "cub/device/device_merge_sort.cuh"
#include "cub/device/device_partition.cuh"
#include "cub/device/device_radix_sort.cuh"
#include "cub/device/device_reduce.cuh"
#include "cub/device/device_run_length_encode.cuh"
#include "cub/device/device_scan.cuh"
#include "cub/device/device_segmented_reduce.cuh"
#include "cub/device/device_select.cuh"
#include "cub/thread/thread_operators.cuh"
#include "cub/util_type.cuh"
#include "cub/version.cuh"
#include "cub/warp/warp_reduce.cuh"
#include "cub/warp/warp_scan.cuh"

#endif
