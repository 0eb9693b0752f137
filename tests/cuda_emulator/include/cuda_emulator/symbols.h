// Copies to and from `__device__` and `__constant__` variables, which the emulator leaves where
// the compiler puts them.
#ifndef CUDA_EMULATOR_SYMBOLS_H
#define CUDA_EMULATOR_SYMBOLS_H

#include "cuda_runtime_api.h"

namespace cuda_emulator {
cudaError_t copy_to_symbol(void* symbol, size_t size, const void* from, size_t bytes,
                           size_t offset, enum cudaMemcpyKind kind, cudaStream_t stream,
                           bool async);
cudaError_t copy_from_symbol(void* to, const void* symbol, size_t size, size_t bytes,
                             size_t offset, enum cudaMemcpyKind kind, cudaStream_t stream,
                             bool async);
// From now on [symbol, symbol + size) counts as device memory.
cudaError_t note_symbol(const void* symbol, size_t size);

template <class T>
void* address(const T& symbol) {
    return const_cast<void*>(static_cast<const volatile void*>(&symbol));
}
}  // namespace cuda_emulator

template <class T>
cudaError_t cudaMemcpyToSymbol(const T& symbol, const void* from, size_t bytes, size_t offset = 0,
                               enum cudaMemcpyKind kind = cudaMemcpyHostToDevice) {
    return cuda_emulator::copy_to_symbol(cuda_emulator::address(symbol), sizeof(T), from, bytes,
                                         offset, kind, nullptr, false);
}

template <class T>
cudaError_t cudaMemcpyToSymbolAsync(const T& symbol, const void* from, size_t bytes,
                                    size_t offset, enum cudaMemcpyKind kind,
                                    cudaStream_t stream = nullptr) {
    return cuda_emulator::copy_to_symbol(cuda_emulator::address(symbol), sizeof(T), from, bytes,
                                         offset, kind, stream, true);
}

template <class T>
cudaError_t cudaMemcpyFromSymbol(void* to, const T& symbol, size_t bytes, size_t offset = 0,
                                 enum cudaMemcpyKind kind = cudaMemcpyDeviceToHost) {
    return cuda_emulator::copy_from_symbol(to, cuda_emulator::address(symbol), sizeof(T), bytes,
                                           offset, kind, nullptr, false);
}

template <class T>
cudaError_t cudaMemcpyFromSymbolAsync(void* to, const T& symbol, size_t bytes, size_t offset,
                                      enum cudaMemcpyKind kind, cudaStream_t stream = nullptr) {
    return cuda_emulator::copy_from_symbol(to, cuda_emulator::address(symbol), sizeof(T), bytes,
                                           offset, kind, stream, true);
}

template <class T>
cudaError_t cudaGetSymbolAddress(void** pointer, const T& symbol) {
    *pointer = cuda_emulator::address(symbol);
    return cuda_emulator::note_symbol(*pointer, sizeof(T));
}

template <class T>
cudaError_t cudaGetSymbolSize(size_t* bytes, const T& symbol) {
    *bytes = sizeof(symbol);
    return cudaSuccess;
}

#endif
