// The type of curandGetProperty's question.
#ifndef CUDA_EMULATOR_LIBRARY_TYPES_H
#define CUDA_EMULATOR_LIBRARY_TYPES_H

typedef enum libraryPropertyType_t { MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL } libraryPropertyType;

#endif
