// Signals of wrong accesses.
#ifndef CUDA_EMULATOR_FAULT_H
#define CUDA_EMULATOR_FAULT_H

namespace cuda_emulator {

// Installs the handlers, once.
void watch_faults();

// Gives the present host thread a stack for them: that of a kernel may be what overflowed.
void give_signal_stack();

}  // namespace cuda_emulator

#endif
