// The settings that the runtime looks at often, read once per process.
#ifndef CUDA_EMULATOR_OPTIONS_H
#define CUDA_EMULATOR_OPTIONS_H

#include "scheduler.h"

namespace cuda_emulator {

struct Options {
    Order order;
    int poison = 0xFF;  // byte in fresh memory; negative: left as it comes
    bool strict = false;
    bool blocking = false;
    int kernel_threads = 1024;
    int registers = 32;  // of every kernel, for occupancy
    enum Races { unchecked, shown, failing } races = failing;  // in instrumented code
    enum Leaks { ignore, report, fatal } leaks = ignore;
};

const Options& options();

}  // namespace cuda_emulator

#endif
